//! What the storage engine costs per batch, without a disk: append, group, commit, derive the marks.
//! `cargo run --release -p sawlog-core --example step` prints nanoseconds per batch; the budget is 2,000.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a program that prints one table and stops at the first surprise"
)]

use std::time::Instant;

use bytes::Bytes;
use sawlog_core::config::TopicConfig;
use sawlog_core::file::{Entry, FileName, FileOp, Free, Outcome, Piece, Side};
use sawlog_core::ids::{BootId, LeaderEpoch, LogId, PartitionId, ShardId, TopicId, Uuid};
use sawlog_core::log::{Engine, EngineConf, LogSpec, Ops, Told};
use sawlog_core::now::{Dice, Now};
use sawlog_wire::records::batch::BatchHeader;
use sawlog_wire::records::{BatchBuilder, Codec, NewRecord};

fn log(n: u8) -> LogId {
    LogId {
        topic: TopicId(Uuid([n; 16])),
        partition: PartitionId(0),
    }
}

/// A disk that says yes, and keeps one checkpoint alone.
#[derive(Default)]
struct Yes(Vec<u8>);

impl Yes {
    fn answer(&mut self, op: &FileOp) -> Outcome {
        let entry = |name: &str, len: u64| Entry {
            name: name.into(),
            len,
            dir: false,
        };
        match op {
            FileOp::Put {
                file: FileName::Checkpoint { side: Side::A, .. },
                pieces,
                ..
            } => {
                for piece in pieces {
                    if let Piece::Bytes(bytes) = piece {
                        self.0.extend_from_slice(bytes);
                    }
                }
                Outcome::Done
            }
            FileOp::Read {
                file: FileName::Checkpoint { .. },
                ..
            } => Outcome::Bytes(Bytes::from(self.0.clone())),
            FileOp::Read { .. } => Outcome::Bytes(Bytes::new()),
            FileOp::List(FileName::Named(dir)) if dir.is_empty() && !self.0.is_empty() => {
                let checkpoint = entry("checkpoint.0.a", self.0.len() as u64);
                Outcome::Listing(vec![checkpoint, entry("meta.properties", 1)])
            }
            FileOp::List(_) => Outcome::Listing(Vec::new()),
            _ => Outcome::Done,
        }
    }

    fn settle(&mut self, engine: &mut Engine, ops: &mut Ops) {
        loop {
            engine.flush(Now::default(), ops);
            if ops.ops.is_empty() {
                return;
            }
            for (ticket, op) in core::mem::take(&mut ops.ops) {
                let outcome = self.answer(&op);
                engine.done(Now::default(), ticket, outcome, ops);
            }
        }
    }
}

/// An engine that came up on an empty disk.
fn up() -> (Engine, Ops) {
    let conf = EngineConf {
        ballast: false,
        ..EngineConf::default()
    };
    let mut engine = Engine::new(ShardId(0), 1, conf);
    let (mut ops, mut disk) = (Ops::default(), Yes::default());
    let space = Free {
        total: 1 << 40,
        free: 1 << 40,
    };
    engine.start(
        Now::default(),
        Dice::default(),
        BootId::default(),
        space,
        &mut ops,
    );
    disk.settle(&mut engine, &mut ops);
    engine.found(Now::default(), Dice::default(), &mut ops);
    disk.settle(&mut engine, &mut ops);
    engine.accept(Now::default(), Dice::default(), &mut ops);
    disk.settle(&mut engine, &mut ops);
    (engine, ops)
}

fn batch(bytes: usize, producer: Option<i32>) -> (Bytes, BatchHeader) {
    let mut builder = BatchBuilder::new(Codec::None);
    if let Some(sequence) = producer {
        builder = builder.producer(7, 0, sequence);
    }
    let value = vec![b'x'; bytes];
    let record = NewRecord {
        value: Some(&value),
        ..NewRecord::default()
    };
    builder.push(record).unwrap();
    let bytes = Bytes::from(builder.build().unwrap());
    let header = BatchHeader::parse(&bytes).unwrap();
    (bytes, header)
}

fn measure(name: &str, logs: u8, group: usize, bytes: usize, idempotent: bool) {
    let mut best = f64::MAX;
    for _ in 0..7 {
        let (mut engine, mut ops) = up();
        if !ops.told.contains(&Told::Ready) {
            println!("{name}: the engine did not come up: {:?}", ops.told);
            return;
        }
        for n in 0..logs {
            let spec = LogSpec {
                dir: format!("t-{n}").into(),
                config: TopicConfig::default().into(),
                urgent: false,
            };
            engine.open(log(n), spec);
        }
        let (payload, mut header) = batch(bytes, idempotent.then_some(0));
        let commit = (group * (payload.len() + 100)).next_multiple_of(4096);
        let rounds = ((16 << 20) / commit).min(4000);
        let begin = Instant::now();
        for round in 0..rounds {
            for nth in 0..group {
                let id = log((nth % usize::from(logs)) as u8);
                if idempotent {
                    header.base_sequence =
                        (round * group / usize::from(logs) + nth / usize::from(logs)) as i32;
                }
                engine
                    .append(Now::default(), id, &header, payload.clone(), LeaderEpoch(0))
                    .unwrap();
            }
            engine.flush(Now::default(), &mut ops);
            for (ticket, _) in ops.ops.drain(..).collect::<Vec<_>>() {
                engine.done(Now::default(), ticket, Outcome::Done, &mut ops);
            }
            ops.told.clear();
            ops.alarms.clear();
        }
        best = best.min(begin.elapsed().as_nanos() as f64 / (rounds * group) as f64);
    }
    println!("{name:<52} {best:>8.0} ns per batch");
}

fn main() {
    measure("1 log, 1 batch a commit, 100 B", 1, 1, 100, false);
    measure("1 log, 5 batches a commit, 100 B", 1, 5, 100, false);
    measure(
        "1 log, 5 batches a commit, 100 B, idempotent",
        1,
        5,
        100,
        true,
    );
    measure(
        "64 logs, 64 batches a commit, 100 B, idempotent",
        64,
        64,
        100,
        true,
    );
    measure(
        "16 logs, 32 batches a commit, 16 KiB",
        16,
        32,
        16 << 10,
        true,
    );
}
