//! The black-box checker: judges a history by the rules of a Kafka log, whoever served it.
//! Decides what is a violation; knows nothing of how the broker works. Rules have stable numbers.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{Ev, Line, Op, Operation, join};

/// A rule that was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which rule.
    pub rule: u8,
    /// Its name.
    pub name: &'static str,
    /// The rows of `invariants.md` that it judges.
    pub rows: &'static str,
    /// What was seen.
    pub text: String,
}

/// What a history came to.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// What was broken; empty if nothing was.
    pub violations: Vec<Violation>,
    /// Sends that were acknowledged, record by record.
    pub acknowledged: u64,
    /// Records that were read.
    pub read: u64,
    /// Acknowledged records that were not there, where damage to their bytes had been named.
    pub excused: u64,
}

/// Losses that were announced: at RF 1 an acknowledged record may be unreadable where its bytes were damaged, if
/// the broker named the partition.
#[derive(Clone, Debug, Default)]
pub struct Excuses {
    /// Partitions that a verdict named as damaged.
    pub named: BTreeSet<String>,
}

/// Judges a history by rules 1 to 4 and 7 to 9. The final phase must have read every partition from its start.
pub fn judge(lines: &[Line], excuses: &Excuses) -> Verdict {
    let operations = join(lines);
    let mut verdict = Verdict::default();
    let mut judge = Judge {
        verdict: &mut verdict,
        partitions: BTreeMap::new(),
    };
    judge.collect(&operations);
    judge.one_value_per_offset();
    judge.one_offset_per_value();
    judge.nothing_lost(excuses);
    judge.nothing_refused_was_stored(&operations);
    judge.polls_in_order(&operations);
    judge.real_time();
    judge.producer_order();
    verdict
}

/// What is known of one partition.
#[derive(Default)]
struct Partition {
    /// Every value that was seen at an offset, by a reader or in an acknowledgement.
    at: BTreeMap<i64, BTreeSet<u64>>,
    /// Every offset at which a value was seen.
    of: BTreeMap<u64, BTreeSet<i64>>,
    read: BTreeSet<u64>,
    sends: Vec<Sent>,
}

/// One record of a send that was acknowledged.
#[derive(Clone, Copy)]
struct Sent {
    p: u32,
    i: u64,
    once: bool,
    begun: u64,
    ended: u64,
    offset: i64,
    value: u64,
}

struct Judge<'a> {
    verdict: &'a mut Verdict,
    partitions: BTreeMap<String, Partition>,
}

impl Judge<'_> {
    fn broken(&mut self, rule: u8, name: &'static str, rows: &'static str, text: String) {
        self.verdict.violations.push(Violation {
            rule,
            name,
            rows,
            text,
        });
    }

    fn collect(&mut self, operations: &[Operation]) {
        for operation in operations.iter().filter(|operation| operation.ev == Ev::Ok) {
            for item in &operation.v {
                let Some(offset) = item.offset else { continue };
                let partition = self.partitions.entry(item.partition.clone()).or_default();
                partition.at.entry(offset).or_default().insert(item.value);
                partition.of.entry(item.value).or_default().insert(offset);
                match operation.op {
                    Op::Poll => {
                        partition.read.insert(item.value);
                        self.verdict.read += 1;
                    }
                    Op::Send | Op::SendOnce => {
                        self.verdict.acknowledged += 1;
                        partition.sends.push(Sent {
                            p: operation.p,
                            i: operation.i,
                            once: operation.op == Op::SendOnce,
                            begun: operation.begun,
                            ended: operation.ended.unwrap_or(u64::MAX),
                            offset,
                            value: item.value,
                        });
                    }
                    Op::Assign | Op::ListOffsets => {}
                }
            }
        }
    }

    fn one_value_per_offset(&mut self) {
        let mut found = Vec::new();
        for (name, partition) in &self.partitions {
            for (offset, values) in partition.at.iter().filter(|(_, values)| values.len() > 1) {
                found.push(format!("{name} offset {offset}: values {values:?}"));
            }
        }
        for text in found {
            self.broken(1, "inconsistent-offset", "#1 #2 #3", text);
        }
    }

    fn one_offset_per_value(&mut self) {
        let mut found = Vec::new();
        for (name, partition) in &self.partitions {
            let once: BTreeSet<u64> = partition
                .sends
                .iter()
                .filter(|sent| sent.once)
                .map(|sent| sent.value)
                .collect();
            for (value, offsets) in partition.of.iter().filter(|(_, offsets)| offsets.len() > 1) {
                if once.contains(value) {
                    found.push(format!("{name} value {value} at offsets {offsets:?}"));
                }
            }
        }
        for text in found {
            self.broken(2, "duplicate", "#69 #70", text);
        }
    }

    fn nothing_lost(&mut self, excuses: &Excuses) {
        let mut found = Vec::new();
        let mut excused = 0;
        for (name, partition) in &self.partitions {
            for sent in partition
                .sends
                .iter()
                .filter(|sent| !partition.read.contains(&sent.value))
            {
                if excuses.named.contains(name) {
                    excused += 1;
                } else {
                    found.push(format!(
                        "{name} offset {}: value {} was acknowledged to {} and is nowhere",
                        sent.offset, sent.value, sent.p
                    ));
                }
            }
        }
        self.verdict.excused += excused;
        for text in found {
            self.broken(3, "lost-write", "#13", text);
        }
    }

    fn nothing_refused_was_stored(&mut self, operations: &[Operation]) {
        let sends = |operation: &&Operation| matches!(operation.op, Op::Send | Op::SendOnce);
        let mut found = Vec::new();
        for operation in operations
            .iter()
            .filter(sends)
            .filter(|operation| operation.ev == Ev::Fail)
        {
            for item in &operation.v {
                let read = self
                    .partitions
                    .get(&item.partition)
                    .is_some_and(|known| known.read.contains(&item.value));
                if read {
                    found.push(format!(
                        "{} value {} was refused and read",
                        item.partition, item.value
                    ));
                }
            }
        }
        for text in found {
            self.broken(4, "refused-but-stored", "#114", text);
        }
    }

    /// Within one assignment each poll goes on where the last one ended.
    fn polls_in_order(&mut self, operations: &[Operation]) {
        let mut next: BTreeMap<(u32, String), i64> = BTreeMap::new();
        let mut found = Vec::new();
        for operation in operations {
            match operation.op {
                Op::Assign => next.retain(|(p, _), _| *p != operation.p),
                Op::Poll if operation.ev == Ev::Ok => {
                    for item in &operation.v {
                        let Some(offset) = item.offset else { continue };
                        let place = (operation.p, item.partition.clone());
                        if let Some(expected) = next.get(&place)
                            && *expected != offset
                        {
                            found.push(format!(
                                "{}: expected offset {expected}, got {offset}",
                                item.partition
                            ));
                        }
                        next.insert(place, offset + 1);
                    }
                }
                _ => {}
            }
        }
        for text in found {
            self.broken(7, "poll-order", "#113", text);
        }
    }

    /// A send that began after another was acknowledged stands behind it.
    fn real_time(&mut self) {
        let mut found = Vec::new();
        for (name, partition) in &mut self.partitions {
            partition.sends.sort_by_key(|sent| sent.offset);
            let mut latest: Option<Sent> = None;
            for sent in &partition.sends {
                if let Some(earlier) = latest
                    && earlier.begun > sent.ended
                {
                    found.push(format!(
                        "{name}: offset {} began at {} after offset {} was acknowledged at {}",
                        earlier.offset, earlier.begun, sent.offset, sent.ended
                    ));
                }
                if latest.is_none_or(|earlier| earlier.begun < sent.begun) {
                    latest = Some(*sent);
                }
            }
        }
        for text in found {
            self.broken(8, "real-time", "#112", text);
        }
    }

    /// One producer's sends stand in the order they were made. `partition.sends` is sorted by offset by now.
    fn producer_order(&mut self) {
        let mut found = Vec::new();
        for (name, partition) in &self.partitions {
            let mut last: BTreeMap<u32, u64> = BTreeMap::new();
            for sent in partition.sends.iter().filter(|sent| sent.once) {
                if let Some(before) = last.insert(sent.p, sent.i)
                    && before > sent.i
                {
                    found.push(format!(
                        "{name}: producer {} sent {} before {before}",
                        sent.p, sent.i
                    ));
                }
            }
        }
        for text in found {
            self.broken(9, "producer-order", "#70", text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Item;

    /// `p.i op ev t value@offset...`, for example `1.1 send ok 20 7@0`.
    fn history(text: &str) -> Vec<Line> {
        text.lines()
            .filter(|line| !line.trim().is_empty())
            .map(line)
            .collect()
    }

    fn line(text: &str) -> Line {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (p, i) = words[0].split_once('.').unwrap();
        let op = match words[1] {
            "send" => Op::Send,
            "once" => Op::SendOnce,
            "poll" => Op::Poll,
            "assign" => Op::Assign,
            other => panic!("{other}"),
        };
        let ev = match words[2] {
            "invoke" => Ev::Invoke,
            "ok" => Ev::Ok,
            "fail" => Ev::Fail,
            "info" => Ev::Info,
            other => panic!("{other}"),
        };
        let item = |word: &&str| {
            let (value, offset) = word.split_once('@').unwrap_or((word, ""));
            Item {
                partition: "t-0".to_owned(),
                offset: offset.parse().ok(),
                value: value.parse().unwrap(),
            }
        };
        let v = words[4..].iter().map(item).collect();
        Line {
            t: words[3].parse().unwrap(),
            p: p.parse().unwrap(),
            i: i.parse().unwrap(),
            ev,
            op,
            v,
            e: None,
        }
    }

    fn rules(text: &str) -> Vec<u8> {
        let verdict = judge(&history(text), &Excuses::default());
        verdict
            .violations
            .iter()
            .map(|violation| violation.rule)
            .collect()
    }

    const GOOD: &str = "
        1.1 once invoke 1 10 11
        1.1 once ok 5 10@0 11@1
        1.2 once invoke 6 12
        1.2 once info 9
        9.0 assign invoke 10
        9.1 poll invoke 11
        9.1 poll ok 12 10@0 11@1 12@2";

    #[test]
    fn a_right_history_breaks_no_rule_and_an_unknown_send_may_be_there_or_not() {
        assert_eq!(rules(GOOD), []);
        assert_eq!(rules(&GOOD.replace(" 12@2", "")), []);
        let verdict = judge(&history(GOOD), &Excuses::default());
        assert_eq!((verdict.acknowledged, verdict.read), (2, 3));
    }

    #[test]
    fn two_values_at_one_offset_break_rule_1() {
        assert_eq!(
            rules(&format!("{GOOD}\n8.1 poll invoke 1\n8.1 poll ok 2 77@1")),
            [1]
        );
    }

    #[test]
    fn an_idempotent_value_at_two_offsets_breaks_rule_2() {
        assert_eq!(
            rules(&format!("{GOOD}\n8.1 poll invoke 1\n8.1 poll ok 2 10@3")),
            [2]
        );
    }

    #[test]
    fn an_acknowledged_value_that_is_nowhere_breaks_rule_3_unless_its_damage_was_named() {
        let lost = GOOD.replace("9.1 poll ok 12 10@0 11@1 12@2", "9.1 poll ok 12 10@0");
        assert_eq!(rules(&lost), [3]);
        let excuses = Excuses {
            named: ["t-0".to_owned()].into(),
        };
        let verdict = judge(&history(&lost), &excuses);
        assert_eq!((verdict.violations.len(), verdict.excused), (0, 1));
    }

    #[test]
    fn a_refused_value_that_is_read_breaks_rule_4() {
        assert_eq!(rules(&GOOD.replace("1.2 once info", "1.2 once fail")), [4]);
    }

    #[test]
    fn a_poll_that_skips_or_goes_back_breaks_rule_7() {
        let more = "\n9.2 poll invoke 13\n9.2 poll ok 14";
        assert_eq!(rules(&format!("{GOOD}{more} 20@4")), [7]);
        assert_eq!(rules(&format!("{GOOD}{more} 12@2")), [7]);
        assert_eq!(
            rules(&format!("{GOOD}\n9.3 assign invoke 13{more} 12@2")),
            []
        );
    }

    #[test]
    fn a_later_send_at_a_lower_offset_breaks_rule_8() {
        let text = "
            1.1 send invoke 1 10
            1.1 send ok 2 10@5
            2.1 send invoke 3 20
            2.1 send ok 4 20@4
            9.1 poll invoke 5
            9.1 poll ok 6 20@4 10@5";
        assert_eq!(rules(text), [8]);
        assert_eq!(
            rules(&text.replace("2.1 send invoke 3", "2.1 send invoke 1")),
            []
        );
    }

    #[test]
    fn sends_of_one_producer_out_of_order_break_rule_9() {
        let text = "
            1.1 once invoke 1 10
            1.2 once invoke 1 11
            1.1 once ok 9 10@1
            1.2 once ok 9 11@0
            9.1 poll invoke 10
            9.1 poll ok 11 11@0 10@1";
        assert_eq!(rules(text), [9]);
    }
}
