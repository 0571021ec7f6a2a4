//! The black-box checker: judges a history by the rules of a Kafka log, whoever served it.
//! Decides what is a violation; knows nothing of how the broker works. Rules have stable numbers: 1 to 16 are those of a
//! Kafka log, and hold for any broker; from 17 on they ask what this one promises besides. Holds #2, #13, #112 and #113.

mod gone;

use std::collections::{BTreeMap, BTreeSet};

use crate::checks::gone::{bare, topic_of};
use crate::history::{CORRUPT, Ev, Line, Op, Operation, REFUSED_RETRY, UNNAMED, join};

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

/// What was announced to be lost, and what the atlas of faults may have cost: at RF 1 an acknowledged record may be
/// unreadable where its bytes were damaged, if the broker named it. The run works out which those are; the checker
/// forgives nothing else.
#[derive(Clone, Debug, Default)]
pub struct Excuses {
    /// Partitions that were damaged and that the broker said are offline.
    pub offline: BTreeSet<String>,
    /// Offsets that stood in a damaged last commit, which recovery cut and said so.
    pub cut: Vec<Given>,
    /// Topics whose creation stood in such a commit.
    pub topics: BTreeSet<String>,
    /// A grant of producer ids may have stood in such a commit: they are granted again.
    pub ids: bool,
    /// The readers of the final phase: what they did not see cannot be read. None: all readers count.
    pub last: BTreeSet<u32>,
}

/// Offsets that were given up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Given {
    /// Of which partition.
    pub partition: String,
    /// The first.
    pub from: i64,
    /// The one after the last.
    pub to: i64,
    /// What was acknowledged later is another record.
    pub until: u64,
}

impl Excuses {
    /// Whether what stood at this offset at this time was given up.
    fn covers(&self, partition: &str, offset: i64, at: u64) -> bool {
        self.cut.iter().any(|given| {
            given.partition == bare(partition)
                && (given.from..given.to).contains(&offset)
                && at <= given.until
        })
    }

    /// Whether a start that was answered for at this time was given up: it stood in a last commit (decision 0013).
    fn covers_start(&self, partition: &str, start: i64, at: u64) -> bool {
        self.cut.iter().any(|given| {
            let same = given.partition == bare(partition) && given.from == start;
            same && given.to == start && at <= given.until
        })
    }
}

/// Judges a history. The final phase must have read every partition from its start.
pub fn judge(lines: &[Line], excuses: &Excuses) -> Verdict {
    let operations = join(lines);
    let mut verdict = Verdict::default();
    let mut judge = Judge {
        verdict: &mut verdict,
        partitions: BTreeMap::new(),
        again: BTreeMap::new(),
        trims: BTreeMap::new(),
        retained: BTreeMap::new(),
        deleted: BTreeSet::new(),
        excuses,
    };
    judge.wishes(&operations);
    judge.no_id_granted_twice(&operations);
    judge.collect(&operations);
    judge.nothing_trimmed_is_read(&operations);
    judge.nothing_deleted_comes_back(&operations);
    judge.one_value_per_offset();
    judge.one_offset_per_value();
    judge.nothing_lost();
    judge.nothing_refused_was_stored(&operations);
    judge.polls_in_order(&operations);
    judge.real_time();
    judge.producer_order();
    judge.no_wrong_answer(lines);
    judge.no_topic_lost(&operations);
    verdict
}

/// What is known of one partition.
#[derive(Default)]
struct Partition {
    /// Every value that was seen at an offset, by a reader or in an acknowledgement.
    at: BTreeMap<i64, BTreeSet<u64>>,
    /// Every offset at which a value was seen.
    of: BTreeMap<u64, BTreeSet<i64>>,
    /// Read by anybody.
    read: BTreeSet<u64>,
    /// Read in the final phase.
    there: BTreeSet<u64>,
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
    excuses: &'a Excuses,
    /// Sessions that share an id from this time on, because its grant was given up: each is told what is another's.
    again: BTreeMap<u32, u64>,
    /// Up to where somebody wished each partition to be trimmed, granted or not.
    trims: BTreeMap<String, i64>,
    /// Partitions that somebody wished to be kept within a size, granted or not: where the final phase began to read them
    /// for the last time.
    retained: BTreeMap<String, i64>,
    /// Topics, and which of their lives, that somebody wished to be deleted, granted or not.
    deleted: BTreeSet<(String, u64)>,
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

    fn no_id_granted_twice(&mut self, operations: &[Operation]) {
        let mut grants: BTreeMap<(i64, u64), Vec<(u32, u64)>> = BTreeMap::new();
        for operation in operations.iter().filter(|one| one.op == Op::Grant) {
            let ids = operation.v.iter();
            for (id, epoch) in ids.filter_map(|item| Some((item.offset?, item.value))) {
                let holders = grants.entry((id, epoch)).or_default();
                holders.push((operation.p, operation.begun));
            }
        }
        for ((id, epoch), holders) in grants {
            let [_, (_, again), ..] = holders[..] else {
                continue;
            };
            if self.excuses.ids {
                self.again.extend(holders.iter().map(|(p, _)| (*p, again)));
            } else {
                let text = format!("producer id {id}, epoch {epoch}, was granted to {holders:?}");
                self.broken(24, "id-granted-twice", "#73", text);
            }
        }
    }

    fn shares_its_id(&self, p: u32, at: u64) -> bool {
        self.again.get(&p).is_some_and(|from| *from <= at)
    }

    /// What clients wished to be gone: it may be, from the moment they asked.
    fn wishes(&mut self, operations: &[Operation]) {
        for operation in operations {
            for item in &operation.v {
                let name = item.partition.clone();
                match operation.op {
                    Op::Trim => {
                        let to = self.trims.entry(name).or_default();
                        *to = item.offset.unwrap_or(0).max(*to);
                    }
                    Op::Retain => {
                        self.retained.insert(name, 0);
                    }
                    Op::Delete => {
                        self.deleted.insert((name, item.value));
                    }
                    _ => {}
                }
            }
        }
        let mut begun = BTreeSet::new();
        let last = &self.excuses.last;
        let counts = |one: &&Operation| last.is_empty() || last.contains(&one.p);
        for operation in operations.iter().filter(counts) {
            match (operation.op, operation.v.first()) {
                (Op::Assign, _) => _ = begun.remove(&operation.p),
                (Op::Poll, Some(first)) if operation.ev == Ev::Ok => {
                    if let Some(from) = self.retained.get_mut(&first.partition)
                        && begun.insert(operation.p)
                    {
                        *from = first.offset.unwrap_or(0);
                    }
                }
                _ => {}
            }
        }
    }

    fn collect(&mut self, operations: &[Operation]) {
        let of_records = |op: Op| matches!(op, Op::Poll | Op::Send | Op::SendOnce);
        let done = operations.iter().filter(|one| one.ev == Ev::Ok);
        for operation in done.filter(|one| of_records(one.op)) {
            let once = operation.op == Op::SendOnce;
            let ended = operation.ended.unwrap_or(u64::MAX);
            if once && self.shares_its_id(operation.p, ended) {
                self.verdict.excused += operation.v.len() as u64;
                continue;
            }
            for item in &operation.v {
                let Some(offset) = item.offset else { continue };
                let partition = self.partitions.entry(item.partition.clone()).or_default();
                if !self.excuses.covers(&item.partition, offset, ended) {
                    partition.at.entry(offset).or_default().insert(item.value);
                    partition.of.entry(item.value).or_default().insert(offset);
                }
                let last = &self.excuses.last;
                match operation.op {
                    Op::Poll => {
                        partition.read.insert(item.value);
                        if last.is_empty() || last.contains(&operation.p) {
                            partition.there.insert(item.value);
                        }
                        self.verdict.read += 1;
                    }
                    Op::Send | Op::SendOnce => {
                        self.verdict.acknowledged += 1;
                        partition.sends.push(Sent {
                            p: operation.p,
                            i: operation.i,
                            once,
                            begun: operation.begun,
                            ended,
                            offset,
                            value: item.value,
                        });
                    }
                    _ => {}
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

    fn nothing_lost(&mut self) {
        let mut found = Vec::new();
        let mut excused = 0;
        let excuses = self.excuses;
        for (name, partition) in &mut self.partitions {
            let (topic, life) = topic_of(name);
            let deleted = self.deleted.contains(&(topic.to_owned(), life));
            let low = self.trims.get(name).copied().unwrap_or(0);
            // What the broker keeps of a log that is bounded has a beginning, and no gap behind it.
            let low = low.max(self.retained.get(name).copied().unwrap_or(0));
            let unmade = life > 0 && excuses.topics.contains(topic);
            let there = &partition.there;
            for sent in partition
                .sends
                .iter()
                .filter(|sent| !deleted && sent.offset >= low && !there.contains(&sent.value))
            {
                if unmade
                    || excuses.offline.contains(bare(name))
                    || excuses.covers(name, sent.offset, sent.ended)
                {
                    excused += 1;
                } else {
                    found.push(format!(
                        "{name} offset {}: value {} was acknowledged to {} and is nowhere",
                        sent.offset, sent.value, sent.p
                    ));
                }
            }
            // What was given up has no place in any order, whether or not its topic was deleted since.
            partition
                .sends
                .retain(|sent| !excuses.covers(name, sent.offset, sent.ended));
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

    /// Answers that no right broker gives, as the clients wrote them down.
    fn no_wrong_answer(&mut self, lines: &[Line]) {
        for line in lines {
            let Some(wrong) = line.e.as_deref() else {
                continue;
            };
            let first = line.v.first();
            let place = first.map_or("", |item| item.partition.as_str());
            // Where records were given up, a producer's later ones do not follow on what is left.
            let mut cut = self.excuses.cut.iter();
            let given =
                self.shares_its_id(line.p, line.t) || cut.any(|given| given.partition == place);
            let text = format!("{place} at {}: process {}", line.t, line.p);
            match wrong {
                UNNAMED => self.broken(17, "unnamed-error", "#72", text),
                REFUSED_RETRY if !given => {
                    let text = format!("{text}: its next batch was refused over its sequence");
                    self.broken(18, "refused-retry", "#70 #71 #74", text);
                }
                CORRUPT => self.broken(22, "corrupt-bytes", "#2 #7", text),
                _ => {}
            }
        }
    }

    /// A topic that was answered for is listed at the end.
    fn no_topic_lost(&mut self, operations: &[Operation]) {
        let done = |op: Op| {
            let of = move |operation: &&Operation| operation.op == op && operation.ev == Ev::Ok;
            operations.iter().filter(of)
        };
        let Some(listed) = done(Op::Topics).next_back() else {
            return;
        };
        let listed: BTreeMap<&str, Option<i64>> = listed
            .v
            .iter()
            .map(|item| (item.partition.as_str(), item.offset))
            .collect();
        let made = operations
            .iter()
            .filter(|one| matches!(one.op, Op::Create | Op::Grow) && one.ev == Ev::Ok);
        for item in made.flat_map(|operation| &operation.v) {
            let name = item.partition.as_str();
            let wished = self.deleted.contains(&(name.to_owned(), item.value));
            if wished || self.excuses.topics.contains(name) {
                continue;
            }
            let text = match listed.get(name) {
                None => format!("topic {name} was answered for and is not there"),
                Some(n) if *n < item.offset && n.is_some() => {
                    format!(
                        "topic {name} has {n:?} partitions, {:?} were answered for",
                        item.offset
                    )
                }
                Some(_) => continue,
            };
            self.broken(19, "lost-topic", "#39 #41 #43 #102", text);
        }
    }
}

#[cfg(test)]
mod tests;
