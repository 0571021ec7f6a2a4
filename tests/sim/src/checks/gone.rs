//! What clients wished to be gone: trimmed records, deleted topics. Decides whether any of it came back; what may be missing
//! because of such a wish is judged by its parent. Holds #40, #45, #89 and #95.

use std::collections::BTreeMap;

use crate::checks::Judge;
use crate::history::{Ev, Op, Operation};

/// The topic of `TOPIC-PARTITION`, or of `TOPIC-PARTITION@LIFE`, and which life.
pub(super) fn topic_of(partition: &str) -> (&str, u64) {
    let (bare, life) = partition.rsplit_once('@').unwrap_or((partition, "0"));
    let topic = bare.rsplit_once('-').map_or(bare, |(topic, _)| topic);
    (topic, life.parse().unwrap_or(0))
}

/// A partition as the broker names it, whichever life of its topic.
pub(super) fn bare(partition: &str) -> &str {
    partition.split('@').next().unwrap_or(partition)
}

impl Judge<'_> {
    /// Once a trim was answered nothing below it is read (#5, #89, #95), unless the last commit, which said it, was damaged.
    pub(super) fn nothing_trimmed_is_read(&mut self, operations: &[Operation]) {
        let mut trimmed: BTreeMap<&str, Vec<(u64, i64)>> = BTreeMap::new();
        for operation in operations.iter().filter(|one| one.op == Op::Trim) {
            let (Ev::Ok, Some(ended), Some(item)) =
                (operation.ev, operation.ended, operation.v.first())
            else {
                continue;
            };
            let (name, low) = (item.partition.as_str(), item.offset.unwrap_or(0));
            if !self.excuses.covers_start(name, low, ended) {
                trimmed.entry(name).or_default().push((ended, low));
            }
        }
        let mut found = Vec::new();
        for operation in operations
            .iter()
            .filter(|one| matches!(one.op, Op::Poll | Op::ListOffsets))
        {
            let Some(item) = operation.v.first().filter(|_| operation.ev == Ev::Ok) else {
                continue;
            };
            let trims = trimmed.get(item.partition.as_str()).into_iter().flatten();
            let before = trims.filter(|(ended, _)| *ended < operation.begun);
            let low = before.map(|(_, low)| *low).max().unwrap_or(0);
            if item.offset.is_some_and(|offset| offset < low) {
                found.push(format!(
                    "{}: offset {:?} was read, or named as the start, at {} after a trim to {low}",
                    item.partition, item.offset, operation.begun
                ));
            }
        }
        for text in found {
            self.broken(25, "trimmed-and-read", "#5 #89 #95", text);
        }
    }

    /// What was acknowledged in one life of a topic is in no other, and in no other topic; a topic whose deletion was
    /// answered is not listed.
    pub(super) fn nothing_deleted_comes_back(&mut self, operations: &[Operation]) {
        let mut home: BTreeMap<u64, &str> = BTreeMap::new();
        for (name, partition) in &self.partitions {
            home.extend(
                partition
                    .sends
                    .iter()
                    .map(|sent| (sent.value, name.as_str())),
            );
        }
        let excused = |topic: &str| self.excuses.topics.contains(topic);
        let mut found = Vec::new();
        for (name, partition) in &self.partitions {
            for value in &partition.read {
                match home.get(value) {
                    Some(home) if home != name && !excused(topic_of(name).0) => {
                        found.push(format!("value {value} of {home} was read in {name}"));
                    }
                    _ => {}
                }
            }
        }
        let mut gone: BTreeMap<&str, u64> = BTreeMap::new();
        for operation in operations {
            for item in &operation.v {
                let name = item.partition.as_str();
                match (operation.op, operation.ev) {
                    (Op::Delete, Ev::Ok) => _ = gone.insert(name, item.value),
                    (Op::Create, _) => _ = gone.remove(name),
                    (Op::Topics, Ev::Ok) if gone.contains_key(name) && !excused(name) => {
                        found.push(format!("topic {name} was deleted and is listed"));
                    }
                    _ => {}
                }
            }
        }
        for text in found {
            self.broken(26, "deleted-and-back", "#40 #43 #45", text);
        }
    }
}
