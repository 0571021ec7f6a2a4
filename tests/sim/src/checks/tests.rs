//! Histories of a few lines, one good and one bad for each rule: what the checker must see, and what it must not.

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
        "grant" => Op::Grant,
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
        offline: ["t-0".to_owned()].into(),
        ..Excuses::default()
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

#[test]
fn an_id_that_two_sessions_got_breaks_rule_24_unless_the_grant_was_given_up() {
    let granted = GOOD.to_owned()
        + "
        1.9 grant invoke 1
        1.9 grant ok 1 0@7
        2.1 grant invoke 3
        2.1 grant ok 4 0@7
        2.2 once invoke 6 88
        2.2 once ok 6 88@0";
    assert_eq!(rules(&granted), [24, 1, 3, 8]);
    let excuses = Excuses {
        ids: true,
        ..Excuses::default()
    };
    assert_eq!(judge(&history(&granted), &excuses).violations, []);
    assert_eq!(
        rules(&granted.replace("2.1 grant ok 4 0@7", "2.1 grant ok 4 0@8")),
        [1, 3, 8]
    );
}
