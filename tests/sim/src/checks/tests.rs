//! Histories of a few lines, one good and one bad for each rule: what the checker must see, and what it must not.
//! Decides no rule: a line of text stands for an operation, and the number of the rule that breaks is what is held.

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
        "trim" => Op::Trim,
        "retain" => Op::Retain,
        "start" => Op::ListOffsets,
        "create" => Op::Create,
        "delete" => Op::Delete,
        "grow" => Op::Grow,
        "topics" => Op::Topics,
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
        // `NAME=value@offset` is of another place than partition 0 of the topic t.
        let (place, word) = word.split_once('=').unwrap_or(("t-0", word));
        let (value, offset) = word.split_once('@').unwrap_or((word, ""));
        Item {
            partition: place.to_owned(),
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

#[test]
fn what_was_trimmed_may_be_missing_and_is_not_read_again_or_breaks_rule_25() {
    let read = |from: &str| GOOD.replace("9.1 poll ok 12 10@0 11@1 12@2", from);
    let trim = "
        7.1 trim invoke 9 0@1
        7.1 trim ok 10 0@1";
    assert_eq!(rules(&(read("9.1 poll ok 12 11@1") + trim)), []);
    let back = GOOD.to_owned() + trim;
    assert_eq!(rules(&back), [25]);
    // What a damaged last commit said is given up (decision 0013), and nothing else is.
    for (start, until, broken) in [(1, 10, 0), (1, 9, 1), (2, 10, 1)] {
        let cut = Given {
            partition: "t-0".to_owned(),
            from: start,
            to: start,
            until,
        };
        let excuses = Excuses {
            cut: vec![cut],
            ..Excuses::default()
        };
        let verdict = judge(&history(&back), &excuses);
        assert_eq!(verdict.violations.len(), broken, "{start} {until}");
    }
    let start = "
        7.2 start invoke 11
        7.2 start ok 12 0@0";
    let later = read("9.1 poll ok 12 11@1") + trim + start;
    assert_eq!(rules(&later), [25]);
    assert_eq!(rules(&later.replace("12 0@0", "12 0@1")), []);
    // Who asked before the answer came may still get it.
    assert_eq!(
        rules(&(GOOD.replace("9.1 poll invoke 11", "9.1 poll invoke 9") + trim)),
        []
    );
    // Nothing above it may be missing.
    assert_eq!(rules(&(read("9.1 poll ok 12") + trim)), [3]);
    // A wish that nobody granted takes as much, and forbids nothing.
    let wish = "
        7.1 trim invoke 9 0@1
        7.1 trim info 10";
    assert_eq!(rules(&(read("9.1 poll ok 12 11@1") + wish)), []);
    assert_eq!(rules(&(GOOD.to_owned() + wish)), []);
}

#[test]
fn what_a_bounded_log_gave_up_lies_before_all_that_is_read_or_breaks_rule_3() {
    let read = |from: &str| GOOD.replace("9.1 poll ok 12 10@0 11@1 12@2", from);
    let bound = "
        7.1 retain invoke 9 0
        7.1 retain info 10";
    let rest = read("9.1 poll ok 12 11@1 12@2");
    assert_eq!(rules(&rest), [3]);
    assert_eq!(rules(&(rest + bound)), []);
    // It gives up the oldest only.
    assert_eq!(rules(&(read("9.1 poll ok 12 10@0") + bound)), [3]);
    // And never all of it.
    assert_eq!(rules(&(read("9.1 poll ok 12") + bound)), [3, 3]);
}

#[test]
fn what_was_deleted_comes_back_in_no_later_life_of_its_name_or_breaks_rule_26() {
    let lives = "
        1.1 create invoke 1 g=1@1
        1.1 create ok 2 g=1@1
        1.2 send invoke 3 g-0@1=50
        1.2 send ok 4 g-0@1=50@0
        1.3 delete invoke 5 g=1
        1.3 delete ok 6 g=1
        1.4 create invoke 7 g=2@1
        1.4 create ok 8 g=2@1
        1.5 send invoke 9 g-0@2=51
        1.5 send ok 10 g-0@2=51@0
        9.1 poll invoke 11
        9.1 poll ok 12 g-0@2=51@0
        9.2 topics invoke 13
        9.2 topics ok 14 g=0@1";
    assert_eq!(rules(lives), []);
    assert_eq!(
        rules(&lives.replace("12 g-0@2=51@0", "12 g-0@2=50@0")),
        [26, 1, 3]
    );
    // What was not deleted must be there, the topic and its records.
    assert_eq!(rules(&lives.replace("12 g-0@2=51@0", "12")), [3]);
    assert_eq!(rules(&lives.replace("14 g=0@1", "14")), [19]);
    let grown = "
        1.6 grow invoke 11 g=2@3
        1.6 grow ok 11 g=2@3";
    assert_eq!(rules(&(lives.to_owned() + grown)), [19]);
    // And what was deleted is listed no more.
    let gone = "
        1.7 delete invoke 12 g=2
        1.7 delete ok 12 g=2";
    let (head, tail) = lives.split_at(lives.find("9.1 poll").unwrap());
    assert_eq!(rules(&format!("{head}{gone}\n{tail}")), [26]);
}

#[test]
fn what_was_given_up_in_a_topic_that_is_deleted_later_breaks_no_order() {
    let text = "
        1.1 create invoke 1 g=1@1
        1.1 create ok 2 g=1@1
        1.2 send invoke 3 g-0@1=50 g-0@1=51
        1.2 send ok 4 g-0@1=50@0 g-0@1=51@1
        1.3 send invoke 6 g-0@1=52
        1.3 send ok 7 g-0@1=52@0
        1.4 delete invoke 8 g=1
        1.4 delete ok 9 g=1
        1.9 send invoke 10 60
        1.9 send ok 11 60@0
        9.1 poll invoke 12
        9.1 poll ok 13 60@0";
    assert_eq!(rules(text), [1, 8], "offsets were used again");
    let excuses = Excuses {
        cut: vec![Given {
            partition: "g-0".to_owned(),
            from: 0,
            to: 2,
            until: 5,
        }],
        ..Excuses::default()
    };
    assert_eq!(judge(&history(text), &excuses).violations, []);
}
