//! One shard's directory for stories: commits are written as an engine would, damage is done, a start judges.
//! Decides how a test does that and what a client could still read; what must hold stands in the files of this folder.

use std::collections::BTreeMap;

use super::*;
use crate::file::{Fault, FaultKind, Piece};
use crate::ids::{BrokerEpoch, Generation, LeaderEpoch, LogId, Offset, PartitionId, TopicId, Uuid};
use crate::log::checkpoint::Stamp;
use crate::log::checksum;
use crate::log::commit::{self, Chain, Phase, Written};
use crate::log::recovered::Recovered;
use crate::log::state::{BatchEntry, BatchKind, Entry, Fact, NodeFact, RingBatch, RingPoint, Spot};

mod lives;
#[cfg(feature = "mutants")]
mod mutants;
mod rot;
mod shards;
mod spares;
mod starts;

const SHARD: ShardId = ShardId(0);
const SECRET: RingSecret = RingSecret([0x5e; 16]);
const HERE: BootId = BootId([1; 16]);
const ELSEWHERE: BootId = BootId([2; 16]);
const FILE: usize = 64 << 10;

fn log(topic: u8) -> LogId {
    LogId {
        topic: TopicId(Uuid([topic; 16])),
        partition: PartitionId(0),
    }
}

/// Files as the simplest executor has them: everything takes effect at once.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct Disk(BTreeMap<String, Vec<u8>>);

impl Disk {
    fn run(&mut self, op: &FileOp) -> Outcome {
        let absent = || {
            Outcome::Failed(Fault {
                kind: FaultKind::Absent,
                text: "absent".into(),
            })
        };
        match op {
            FileOp::Alloc { file, len } => {
                self.0.insert(file.to_string(), vec![0; *len as usize]);
            }
            FileOp::Put {
                file, at, pieces, ..
            } => {
                let bytes = self.0.entry(file.to_string()).or_default();
                let mut at = *at as usize;
                for piece in pieces {
                    let piece = match piece {
                        Piece::Bytes(bytes) => bytes.to_vec(),
                        Piece::Zeros(n) => vec![0; *n],
                        Piece::Batch(..) => unreachable!("a start stamps nothing"),
                    };
                    bytes.resize(bytes.len().max(at + piece.len()), 0);
                    bytes[at..at + piece.len()].copy_from_slice(&piece);
                    at += piece.len();
                }
            }
            FileOp::Read { file, at, len } | FileOp::Reread { file, at, len } => {
                let Some(bytes) = self.0.get(&file.to_string()) else {
                    return absent();
                };
                let from = (*at as usize).min(bytes.len());
                let to = (from + *len as usize).min(bytes.len());
                return Outcome::Bytes(bytes::Bytes::copy_from_slice(&bytes[from..to]));
            }
            FileOp::List(dir) => {
                let dir = dir.to_string();
                let entries = self.0.iter().filter_map(|(name, bytes)| {
                    let name = if dir.is_empty() {
                        name
                    } else {
                        name.strip_prefix(&format!("{dir}/"))?
                    };
                    let len = bytes.len() as u64;
                    (!name.contains('/')).then(|| Listed {
                        name: name.into(),
                        len,
                        dir: false,
                    })
                });
                return Outcome::Listing(entries.collect());
            }
            FileOp::Unlink(file) => {
                self.0.remove(&file.to_string());
            }
            FileOp::Sync(_) | FileOp::SyncDir(_) | FileOp::SyncAll | FileOp::MakeDir(_) => {}
            FileOp::Rename { from, to } => {
                let Some(bytes) = self.0.remove(&from.to_string()) else {
                    return absent();
                };
                self.0.insert(to.to_string(), bytes);
            }
            FileOp::Cut { .. } | FileOp::RemoveDir(_) => unreachable!("no start does that"),
        }
        Outcome::Done
    }

    fn ring(&mut self, kind: RingKind, file: u64) -> &mut Vec<u8> {
        self.ring_of(SHARD, kind, file)
    }

    fn ring_of(&mut self, shard: ShardId, kind: RingKind, file: u64) -> &mut Vec<u8> {
        let name = FileName::Ring {
            kind,
            shard,
            sequence: file,
        }
        .to_string();
        self.0.entry(name).or_insert_with(|| vec![0; FILE])
    }

    fn checkpoint(&mut self, side: Side, number: u64, fold: &Fold) {
        let stamp = Stamp {
            shard: SHARD,
            shards: 1,
            number,
            secret: SECRET,
            wall: crate::now::Wall(0),
        };
        let name = FileName::Checkpoint { shard: SHARD, side }.to_string();
        self.0
            .insert(name, checkpoint::base(stamp, fold).bytes.to_vec());
    }
}

/// One ring as an engine writes it.
#[derive(Clone)]
struct Writer {
    shard: ShardId,
    kind: RingKind,
    chain: Chain,
    file: u64,
    at: u32,
    /// The highest commit known durable.
    mark: u64,
    boot: BootId,
    /// Where each commit lies: (file, from, to).
    lie: Vec<(u64, u32, u32)>,
}

impl Writer {
    fn new(kind: RingKind) -> Writer {
        Writer::of(SHARD, kind)
    }

    fn of(shard: ShardId, kind: RingKind) -> Writer {
        let chain = Chain::new(kind, shard, SECRET, RingPoint::default(), 1);
        Writer {
            shard,
            kind,
            chain,
            file: 1,
            at: 0,
            mark: 0,
            boot: HERE,
            lie: Vec::new(),
        }
    }

    fn after(recovered: &Recovered, boot: BootId) -> Writer {
        let head = &recovered.durable;
        let (chain, file, at, mark) = (head.chain.clone(), head.file, head.used, head.last);
        Writer {
            shard: SHARD,
            kind: RingKind::Durable,
            chain,
            file,
            at,
            mark,
            boot,
            lie: Vec::new(),
        }
    }

    /// One commit; everything before it is durable by then, unless `lag` says how many are not.
    fn commit(&mut self, disk: &mut Disk, mut entries: Vec<Entry>, lag: u64) -> u64 {
        let mut at = self.at + self.chain.head_len(&entries) as u32;
        let mut bytes = Vec::new();
        for entry in &mut entries {
            let Entry::Batch(entry) = entry else { continue };
            let stored = batch_bytes(entry.log, entry.batch.base.0, entry.batch.len);
            entry.batch.checksum = checksum::over(checksum::seed(entry.log), &stored);
            entry.batch.spot = Spot {
                kind: self.kind,
                file: self.file,
                at,
            };
            at += entry.batch.len;
            bytes.extend(stored);
        }
        self.mark = self.mark.max((self.chain.next() - 1).saturating_sub(lag));
        let written = Written {
            file: self.file,
            boot: self.boot,
            mark: self.mark,
            phase: Phase::Live,
        };
        let sealed = self.chain.seal(written, &entries);
        let file = disk.ring_of(self.shard, self.kind, self.file);
        let begin = self.at as usize;
        file[begin..begin + sealed.head.len()].copy_from_slice(&sealed.head);
        file[begin + sealed.head.len()..begin + sealed.total as usize].copy_from_slice(&bytes);
        let end = self.at + commit::padded(self.kind, sealed.total);
        self.lie.push((self.file, self.at, self.at + sealed.total));
        self.at = end;
        sealed.sequence
    }
}

fn batch_bytes(log: LogId, base: i64, len: u32) -> Vec<u8> {
    (0..len)
        .map(|i| (i as i64 * 7 + base * 13 + i64::from(log.topic.0.0[0])) as u8)
        .collect()
}

/// A batch of ten records of this log.
fn batch(topic: u8, base: i64) -> Entry {
    let spot = Spot {
        kind: RingKind::Durable,
        file: 0,
        at: 0,
    };
    let batch = RingBatch {
        base: Offset(base),
        delta: 9,
        epoch: LeaderEpoch(1),
        len: 150,
        checksum: 0,
        max_timestamp: 5,
        spot,
    };
    let (kind, generation) = (BatchKind::New, Generation(0));
    Entry::Batch(BatchEntry {
        kind,
        log: log(topic),
        generation,
        batch,
        attributes: 0,
        home: None,
        producer: None,
    })
}

/// A directory that was laid out.
fn founded() -> Disk {
    let mut disk = Disk::default();
    disk.0.insert("meta.properties".into(), b"id".to_vec());
    disk.checkpoint(Side::A, 1, &Fold::default());
    disk.ring(RingKind::Durable, 1);
    disk
}

fn sizes() -> Sizes {
    let file = FILE as u32;
    let space = crate::file::Free {
        total: 1 << 30,
        free: 1 << 30,
    };
    let conf = crate::log::EngineConf {
        ring_file: Some(file),
        ..Default::default()
    };
    Sizes {
        first_file: 16 << 10,
        ..Sizes::of(&conf, space, 1)
    }
}

/// Starts; stops as if killed after `limit` operations. Operations that were asked for together happen in order.
fn start_until(
    disk: &mut Disk,
    boot: BootId,
    limit: usize,
) -> Result<Option<(Report, Box<Recovered>)>, Broken> {
    start_of(disk, SHARD, 1, boot, limit)
}

fn start_of(
    disk: &mut Disk,
    shard: ShardId,
    shards: u16,
    boot: BootId,
    limit: usize,
) -> Result<Option<(Report, Box<Recovered>)>, Broken> {
    start_failing(disk, shard, shards, boot, limit, &|_, _| None)
}

/// As `start_of`; `fault` may answer an operation instead of the disk.
fn start_failing(
    disk: &mut Disk,
    shard: ShardId,
    shards: u16,
    boot: BootId,
    limit: usize,
    fault: &dyn Fn(&Disk, &FileOp) -> Option<Outcome>,
) -> Result<Option<(Report, Box<Recovered>)>, Broken> {
    let mut ops = Ops::default();
    let mut recovery = Recovery::new(shard, shards, Doubt::Cut, sizes(), boot);
    recovery.begin(&mut ops);
    let mut report = None;
    let mut done = 0;
    while !ops.ops.is_empty() {
        for (ticket, op) in core::mem::take(&mut ops.ops) {
            if done == limit {
                // Who dies in a put may have made the file's name, and not one byte of it.
                if let FileOp::Put { file, .. } = &op {
                    disk.0.entry(file.to_string()).or_default();
                }
                return Ok(None);
            }
            done += 1;
            let outcome = fault(disk, &op).unwrap_or_else(|| disk.run(&op));
            match recovery.done(ticket, outcome, &mut ops) {
                Progress::More => {}
                Progress::Judged(judged) => {
                    report = Some(judged);
                    recovery.accept(&mut ops);
                }
                Progress::Up(recovered) => {
                    return Ok(Some((report.expect("judged first"), recovered)));
                }
                Progress::Broken(broken) => return Err(broken),
                Progress::Fresh => panic!("it was founded"),
            }
        }
    }
    panic!("a start waits for nothing")
}

fn start(disk: &mut Disk, boot: BootId) -> (Report, Box<Recovered>) {
    start_until(disk, boot, usize::MAX)
        .expect("it comes up")
        .expect("nothing stops it")
}

/// What a client could still read: of each log that serves, its end and the checksums of its batches, each verified.
fn readable(disk: &Disk, recovered: &Recovered) -> BTreeMap<u8, (i64, Vec<u32>)> {
    readable_of(SHARD, disk, recovered)
}

fn readable_of(
    shard: ShardId,
    disk: &Disk,
    recovered: &Recovered,
) -> BTreeMap<u8, (i64, Vec<u32>)> {
    let offline: Vec<LogId> = recovered.offline.iter().map(|(log, _)| *log).collect();
    let serving = recovered
        .fold
        .logs
        .iter()
        .filter(|(log, _)| !offline.contains(log));
    serving
        .map(|(log, state)| {
            let sums = state.ring.iter().map(|batch| {
                let name = FileName::Ring {
                    kind: batch.spot.kind,
                    shard,
                    sequence: batch.spot.file,
                };
                let at = batch.spot.at as usize;
                let stored = &disk.0[&name.to_string()][at..at + batch.len as usize];
                assert_eq!(
                    checksum::over(checksum::seed(*log), stored),
                    batch.checksum,
                    "#7"
                );
                batch.checksum
            });
            (log.topic.0.0[0], (state.next.0, sums.collect()))
        })
        .collect()
}

fn ends(disk: &Disk, recovered: &Recovered) -> BTreeMap<u8, i64> {
    readable(disk, recovered)
        .into_iter()
        .map(|(topic, (next, _))| (topic, next))
        .collect()
}

/// Three logs, four commits; the last two were in flight together.
fn busy() -> (Disk, Writer) {
    let mut disk = founded();
    let mut writer = Writer::new(RingKind::Durable);
    writer.commit(&mut disk, vec![batch(1, 0), batch(2, 0)], 0);
    writer.commit(&mut disk, vec![batch(1, 10), batch(3, 0)], 0);
    writer.commit(&mut disk, vec![batch(2, 10)], 0);
    writer.commit(&mut disk, vec![batch(1, 20), batch(2, 20)], 1);
    (disk, writer)
}

const WHOLE: [(u8, i64); 3] = [(1, 30), (2, 30), (3, 10)];

/// Six commits of one `replicated` log, none of them synced.
fn fast_and_unsynced() -> (Disk, Writer) {
    let mut disk = founded();
    let mut fast = Writer::new(RingKind::Fast);
    for base in 0..6 {
        fast.commit(&mut disk, vec![batch(1, base * 10)], 9);
    }
    (disk, fast)
}

fn failed(kind: FaultKind) -> Outcome {
    Outcome::Failed(Fault {
        kind,
        text: "it fails".into(),
    })
}
