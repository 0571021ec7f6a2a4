//! What the lane does in the simulator: file operations complete one by one, bytes are read for fetches and checked.
//! Decides which operation completes next, by chance; never what an operation does (`disk`). Holds #7 with the checker.

use sawlog_core::answer::{FetchAnswer, Response};
use sawlog_core::event::Event;
use sawlog_core::file::{FileName, FileOp, How, Outcome, Piece, ReadPlan, Served};
use sawlog_core::ids::{ShardId, Ticket, Waiter};
use sawlog_core::log::state::{Entry, NodeFact};
use sawlog_core::log::{checksum, commit};

use crate::disk::flatten;
use crate::world::{SHARDS, What, World};

/// Copied writes come in runs of so many bytes.
const COPIED_RUN: usize = 1000;

/// Whether this is the commit that says that the node stopped cleanly.
pub(super) fn is_stop(op: &FileOp) -> bool {
    let FileOp::Put {
        file: FileName::Ring { sequence, .. },
        at,
        pieces,
        ..
    } = op
    else {
        return false;
    };
    let (Some(Piece::Bytes(first)), Ok(at)) = (pieces.first(), u32::try_from(*at)) else {
        return false;
    };
    let marker = |entry: &Entry| matches!(entry, Entry::Node(NodeFact::Stopped(_)));
    commit::decode(*sequence, at, first).is_ok_and(|head| head.entries.iter().any(marker))
}

impl World {
    pub(super) fn disk_done(&mut self) {
        if self.now < self.stalled_until {
            let wait = self.stalled_until - self.now + self.rng.disk.delay(self.shape.disk);
            return self.at(wait, What::Disk(self.life));
        }
        let mut ready = self.disk.ready();
        ready.retain(|index| self.disk.peek(*index).is_some_and(|op| !self.frozen(op)));
        let Some(index) = self.rng.disk.pick(&ready).copied() else {
            if self.disk.queued() > 0 {
                let wait = self.rng.disk.delay(self.shape.disk);
                self.at(wait, What::Disk(self.life));
            }
            return;
        };
        let op = self.disk.peek(index).cloned();
        let Some((ticket, outcome)) = self.disk.complete(index) else {
            return;
        };
        if op.is_some_and(|op| self.hit(&op)) {
            return;
        }
        let shard = ShardId(u16::try_from(ticket.0 % SHARDS).unwrap_or(0));
        if let Some(process) = &mut self.process {
            process.post(shard, Event::Done(Ticket(ticket.0 / SHARDS), outcome));
        }
    }

    /// Every other write of large batches lies in memory of its own while it is under way, as it does in the server.
    pub(super) fn copied(&mut self, shard: ShardId, ticket: Ticket, op: &FileOp) {
        if let FileOp::Put {
            file: FileName::Segment { .. },
            how: How::Durable,
            pieces,
            ..
        } = op
            && ticket.0.is_multiple_of(2)
            && let Some(process) = &mut self.process
        {
            let mut rest = flatten(pieces);
            let mut runs = Vec::new();
            while !rest.is_empty() {
                runs.push(rest.split_to(rest.len().min(COPIED_RUN)));
            }
            process.post(shard, Event::Copied(ticket, runs));
        }
    }

    /// What the lane does: read each place, check it, answer or say what is wrong.
    pub(super) fn serve(
        &mut self,
        (shard, waiter, plan, mut answer): (ShardId, Waiter, ReadPlan, FetchAnswer),
    ) {
        let seed = checksum::seed(plan.log);
        let mut served = Served::Whole;
        for (index, place) in plan.places.iter().enumerate() {
            let file = plan.files.get(usize::from(place.file)).cloned();
            let read = file.map(|file| {
                self.disk.run(&FileOp::Read {
                    file,
                    at: place.at,
                    len: place.len,
                })
            });
            match read {
                Some(Outcome::Bytes(bytes)) if checksum::over(seed, &bytes) == place.checksum => {
                    answer.records.push(bytes);
                }
                Some(Outcome::Failed(fault)) => {
                    served = Served::Unreadable(index, fault);
                    break;
                }
                _ => {
                    served = Served::Rotten(index);
                    break;
                }
            }
        }
        let wait = self.rng.node.delay(1_000);
        if served == Served::Whole {
            self.at(
                wait,
                What::Reply(self.life, waiter, Response::Fetch(answer)),
            );
        }
        if let Some(process) = &mut self.process {
            process.post(shard, Event::Served(waiter, plan, served));
        }
    }
}
