//! Comes up in a directory that was just laid out: makes the first ring file. Refuses, and touches nothing, where a
//! ring is already: reading rings back is what comes next in this file.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;

use crate::config::Doubt;
use crate::file::{FileName, FileOp, Outcome, RingKind, Side};
use crate::ids::{BootId, ShardId, Ticket};
use crate::log::commit::{Chain, RingSecret};
use crate::log::conf::Sizes;
use crate::log::recovered::{FoundFile, Progress, Recovered, RingHead};
use crate::log::state::{Fold, RingPoint};
use crate::log::told::{Broken, Ops, Report};
use crate::now::Dice;

/// A start under way.
#[derive(Debug)]
pub struct Recovery {
    shard: ShardId,
    sizes: Sizes,
    secret: RingSecret,
    step: u8,
}

impl Recovery {
    /// A start that has asked for nothing yet.
    pub fn new(
        shard: ShardId,
        _shards: u16,
        _doubt: Doubt,
        sizes: Sizes,
        _boot: BootId,
        dice: Dice,
    ) -> Recovery {
        Recovery {
            shard,
            sizes,
            secret: RingSecret(dice.0),
            step: 0,
        }
    }

    fn first(&self) -> FileName {
        FileName::Ring {
            kind: RingKind::Durable,
            shard: self.shard,
            sequence: 1,
        }
    }

    /// Begins.
    pub fn begin(&mut self, ops: &mut Ops) {
        ops.ask(FileOp::List(FileName::named("commit")));
    }

    /// Goes on after the verdict.
    pub fn accept(&mut self, _dice: Dice, ops: &mut Ops) {
        self.step = 1;
        ops.ask(FileOp::Alloc {
            file: self.first(),
            len: u64::from(self.sizes.first_file),
        });
    }

    /// An operation came back.
    pub fn done(&mut self, _ticket: Ticket, outcome: Outcome, ops: &mut Ops) -> Progress {
        match (self.step, outcome) {
            (0, Outcome::Failed(_)) => Progress::Fresh,
            (0, Outcome::Listing(entries)) if entries.is_empty() => {
                Progress::Judged(Report::default())
            }
            (1, Outcome::Done) => {
                self.step = 2;
                ops.ask(FileOp::Sync(self.first()));
                Progress::More
            }
            (2, Outcome::Done) => {
                self.step = 3;
                ops.ask(FileOp::SyncDir(FileName::named("commit")));
                Progress::More
            }
            (3, Outcome::Done) => {
                let len = self.sizes.first_file;
                let chain = Chain::new(
                    RingKind::Durable,
                    self.shard,
                    self.secret,
                    RingPoint::default(),
                    1,
                );
                let file = FoundFile {
                    kind: RingKind::Durable,
                    sequence: 1,
                    len,
                };
                Progress::Up(Box::new(Recovered {
                    fold: Fold::default(),
                    durable: RingHead {
                        chain,
                        file: 1,
                        len,
                        used: 0,
                        last: 0,
                    },
                    fast: None,
                    files: Vec::from([file]),
                    secret: self.secret,
                    side: Side::B,
                    number: 1,
                    offline: Vec::new(),
                    foreign: Vec::new(),
                }))
            }
            (_, outcome) => Progress::Broken(Broken {
                what: "This directory cannot be started from".to_string(),
                why: alloc::format!("it holds a ring already, or an operation failed: {outcome:?}"),
                attempt: "Start in an empty directory".to_string(),
            }),
        }
    }
}
