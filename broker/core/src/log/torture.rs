//! Lives of an engine drawn at random: appends, retries, trims, drops, reads, alarms, completions in any order, full
//! disks, deaths of the process between any two operations, clean stops. Judged by #1, #5, #7, #69, #89, #96, #97.
//! Power cuts and rot are the crash enumerator's and the simulator's.

use core::time::Duration;

use std::collections::{BTreeMap, BTreeSet};

use super::testing::{World, batch, failed, is_commit, log, small};
use super::{AppendRefusal, Appended, EngineConf, Told};
use crate::config::TopicConfig;
use crate::file::{FaultKind, FileOp, Free};
use crate::ids::{LogId, Offset};
use crate::marks::Durability;
use crate::timers::AlarmKey;

/// Splitmix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// In every other life batches go straight to their segments after a few of some hundred bytes.
fn conf(seed: u64) -> EngineConf {
    if seed.is_multiple_of(2) {
        return small();
    }
    EngineConf {
        direct_min: 150,
        direct_after: 1000,
        direct_within: Duration::MAX,
        direct_max: 16 << 10,
        ..small()
    }
}

/// What the test knows of one log.
#[derive(Clone, Debug, Default)]
struct Known {
    config: TopicConfig,
    /// What a client was told: ends.
    durable: i64,
    written: i64,
    started: i64,
    asked_start: i64,
    /// The producer's next sequence, and its last batch: first offset and sequence.
    sequence: i32,
    last: Option<(i64, i32)>,
    dropped: bool,
}

struct Life {
    world: World,
    chance: Chance,
    known: BTreeMap<LogId, Known>,
    next_topic: u8,
    seed: u64,
}

impl Life {
    fn new(seed: u64) -> Life {
        Life {
            world: World::fresh(conf(seed)),
            chance: Chance(seed),
            known: BTreeMap::new(),
            next_topic: 1,
            seed,
        }
    }

    fn create(&mut self) {
        let id = log(self.next_topic);
        self.next_topic += 1;
        let config = TopicConfig {
            durability: if self.chance.below(3) == 0 {
                Durability::Replicated
            } else {
                Durability::Durable
            },
            segment_bytes: 4000 + self.chance.below(30_000),
            retention_bytes: (self.chance.below(4) == 0).then_some(60_000),
            ..TopicConfig::default()
        };
        self.world.open(id, config.clone());
        self.known.insert(
            id,
            Known {
                config,
                ..Known::default()
            },
        );
    }

    fn pick(&mut self) -> Option<LogId> {
        let alive: Vec<LogId> = self
            .known
            .iter()
            .filter(|(_, known)| !known.dropped)
            .map(|(id, _)| *id)
            .collect();
        if alive.is_empty() {
            return None;
        }
        Some(alive[self.chance.below(alive.len() as u64) as usize])
    }

    fn append(&mut self) {
        let Some(id) = self.pick() else { return };
        let count = 1 + self.chance.below(3) as usize;
        let bytes = match self.chance.below(8) {
            0 => 12_000 / count,
            1..4 => 1000,
            _ => 60,
        };
        let Some(known) = self.known.get_mut(&id) else {
            return;
        };
        let idempotent = self.chance.below(2) == 0;
        let time = self.world.now.wall.0;
        let sent = batch(
            count,
            bytes,
            time,
            idempotent.then_some((5, 0, known.sequence)),
        );
        match self.world.try_append(id, sent) {
            Ok(Appended::New { base, last }) => {
                assert_eq!(last.0 - base.0 + 1, count as i64);
                if idempotent {
                    known.last = Some((base.0, known.sequence));
                    known.sequence += count as i32;
                }
            }
            Ok(Appended::Duplicate { .. }) => {
                panic!("seed {}: #69: a new batch is called a duplicate", self.seed)
            }
            Err(AppendRefusal::NoSpace | AppendRefusal::Busy) => {}
            Err(refusal) => panic!("seed {}: {id:?} {refusal:?}", self.seed),
        }
    }

    fn retry(&mut self) {
        let Some(id) = self.pick() else { return };
        let Some((base, sequence)) = self.known[&id].last else {
            return;
        };
        match self
            .world
            .try_append(id, batch(1, 10, 0, Some((5, 0, sequence))))
        {
            Ok(Appended::Duplicate { base: found, .. }) => {
                assert_eq!(found.0, base, "seed {}: #72", self.seed)
            }
            // Another count under the same sequence is no duplicate.
            Err(AppendRefusal::OutOfOrder { .. } | AppendRefusal::NoSpace) => {}
            other => panic!("seed {}: #69: {other:?}", self.seed),
        }
    }

    /// What may be completed now: the first operation of each file, and commits that wait for syncs and reads alone.
    fn first(&self) -> Vec<usize> {
        let (mut seen, mut written) = (BTreeSet::new(), BTreeSet::new());
        let mut first = Vec::new();
        for (index, (_, op)) in self.world.queue.iter().enumerate() {
            let files = touched(op);
            let before = if is_commit(op) { &written } else { &seen };
            if files.iter().all(|file| !before.contains(file)) {
                first.push(index);
            }
            if !matches!(
                op,
                FileOp::Sync(_) | FileOp::Read { .. } | FileOp::Reread { .. }
            ) {
                written.extend(files.iter().cloned());
            }
            seen.extend(files);
        }
        first
    }

    fn complete(&mut self) {
        let first = self.first();
        if !first.is_empty() {
            let index = first[self.chance.below(first.len() as u64) as usize];
            self.world.step(index);
            self.listen();
        }
    }

    fn listen(&mut self) {
        for told in std::mem::take(&mut self.world.told) {
            match told {
                Told::Written(id, end) => self
                    .known
                    .entry(id)
                    .and_modify(|known| known.written = end.0)
                    .or_default(),
                Told::Durable(id, end) => self
                    .known
                    .entry(id)
                    .and_modify(|known| known.durable = end.0)
                    .or_default(),
                Told::Started(id, start) => {
                    let known = self.known.entry(id).or_default();
                    assert!(start.0 >= known.started, "seed {}: #5", self.seed);
                    known.started = start.0;
                    known
                }
                Told::Broken(broken) => panic!("seed {}: {broken:?}", self.seed),
                Told::Offline(id, why) => panic!("seed {}: {id:?}: {why}", self.seed),
                _ => continue,
            };
        }
        let ids: Vec<LogId> = self.known.keys().copied().collect();
        for id in ids {
            let Some(marks) = self.world.engine.marks(id) else {
                continue;
            };
            let known = &self.known[&id];
            if known.dropped {
                continue;
            }
            let own = marks.own(known.config.durability).max(marks.hw);
            self.world.engine.raise(id, own, own);
        }
    }

    fn trim(&mut self) {
        let Some(id) = self.pick() else { return };
        let marks = self.world.engine.marks(id).expect("open");
        let room = (marks.hw.0 - marks.start.0).max(0) as u64;
        let start = marks.start.0 + self.chance.below(room + 1) as i64;
        self.world
            .engine
            .trim(id, Offset(start))
            .expect("below the high watermark");
        let known = self.known.entry(id).or_default();
        known.asked_start = known.asked_start.max(start);
    }

    fn drop_one(&mut self) {
        if self.known.values().filter(|known| !known.dropped).count() < 3 {
            return;
        }
        let Some(id) = self.pick() else { return };
        self.world.drop_log(id);
        self.known.entry(id).or_default().dropped = true;
    }

    /// Everything that was told is there, whole and in order.
    fn read_back(&mut self) {
        self.world.settle();
        self.listen();
        let ids: Vec<LogId> = self
            .known
            .iter()
            .filter(|(_, known)| !known.dropped)
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            let marks = self.world.engine.marks(id).expect("open");
            let known = &self.known[&id];
            assert!(
                marks.next.0 >= known.written.max(known.durable),
                "seed {}: #96: {id:?} {marks:?} {known:?}",
                self.seed
            );
            assert!(
                marks.start.0 >= known.started,
                "seed {}: #5: {marks:?} {known:?}",
                self.seed
            );
            let bases = self.world.read_all(id, marks.start.0);
            self.listen();
            let marks = self.world.engine.marks(id).expect("open");
            let first = bases.first().copied().unwrap_or(marks.written.0);
            assert!(
                first <= marks.start.0 || marks.start == marks.written,
                "seed {}: #1: {id:?} begins at {first}, {marks:?}",
                self.seed
            );
        }
    }

    /// The process dies: of what was asked for, some was done, per file in order.
    fn die(mut self) -> Life {
        while !self.world.queue.is_empty() && self.chance.below(4) != 0 {
            let first = self.first();
            let Some(index) = first.get(self.chance.below(first.len().max(1) as u64) as usize)
            else {
                break;
            };
            let Some((_, op)) = self.world.queue.remove(*index) else {
                break;
            };
            self.world.disk.run(&op);
        }
        self.rise()
    }

    fn rise(mut self) -> Life {
        self.world = self.world.restart(conf(self.seed));
        for (id, known) in &mut self.known {
            if known.dropped {
                if self.world.engine.marks(*id).is_some() {
                    // The fact was not durable: the node would drop it again.
                    self.world.drop_log(*id);
                }
                continue;
            }
            self.world.open(*id, known.config.clone());
            let marks = self.world.engine.marks(*id).expect("open");
            // What was never told may be there or not; what the producer knows of it is forgotten with it.
            if known.last.is_some_and(|(base, _)| base >= marks.next.0) {
                known.last = None;
            }
            known.sequence = self.world.next_sequence(*id, 5);
            assert!(
                marks.start.0 <= known.asked_start.max(known.started)
                    || known.config.retention_bytes.is_some()
            );
            known.durable = known.durable.max(marks.durable.0);
            known.written = known.written.max(marks.written.0);
        }
        self.listen();
        self.read_back();
        self
    }

    fn step(mut self) -> Life {
        match self.chance.below(1000) {
            0..300 => self.append(),
            300..330 => self.retry(),
            330..600 => {
                self.world.flush();
                self.listen();
            }
            600..940 => self.complete(),
            940..950 => self.trim(),
            950..953 => self.drop_one(),
            953..960 => self.create(),
            960..970 => {
                self.world
                    .alarm([AlarmKey::Flush, AlarmKey::Mark][self.chance.below(2) as usize]);
                self.listen();
            }
            970..973 => {
                self.world.now.wall.0 += 1000;
                self.world.now.mono.0 += 1_000_000_000;
                self.world.alarm(AlarmKey::Retention);
                self.listen();
            }
            973..977 => {
                self.world.fault = Some(|op| {
                    let fallible =
                        matches!(op, FileOp::Put { .. } | FileOp::Alloc { .. }) && !is_commit(op);
                    fallible.then(|| failed(FaultKind::Full, "No space left on device"))
                });
            }
            977..985 => self.world.engine.space(Free {
                total: 1 << 30,
                free: 1 << 29,
            }),
            985..990 => self.read_back(),
            990..998 => return self.die(),
            _ => {
                self.world.engine.space(Free {
                    total: 1 << 30,
                    free: 1 << 29,
                });
                self.world.fault = None;
                self.world.stop();
                return self.rise();
            }
        }
        self
    }
}

fn touched(op: &FileOp) -> Vec<String> {
    match op {
        FileOp::Alloc { file, .. }
        | FileOp::Put { file, .. }
        | FileOp::Cut { file, .. }
        | FileOp::Read { file, .. }
        | FileOp::Reread { file, .. } => {
            vec![file.to_string()]
        }
        FileOp::Sync(file) | FileOp::Unlink(file) => vec![file.to_string()],
        FileOp::Rename { from, to } => vec![from.to_string(), to.to_string()],
        FileOp::SyncDir(dir)
        | FileOp::MakeDir(dir)
        | FileOp::RemoveDir(dir)
        | FileOp::List(dir) => {
            vec![format!("{dir}/")]
        }
        FileOp::SyncAll => Vec::new(),
    }
}

fn lives(seeds: std::ops::Range<u64>, steps: u32) {
    for seed in seeds {
        let mut life = Life::new(seed);
        life.create();
        life.create();
        for _ in 0..steps {
            life = life.step();
        }
        life = life.die();
        life.world.settle();
        life.listen();
        life.read_back();
    }
}

#[test]
fn whatever_happens_what_was_told_is_there_96() {
    lives(0..40, 3000);
}
