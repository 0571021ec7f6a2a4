//! What is told of logs and of the quorum beside their records: where epochs end, producers, sizes, who votes.
//! Decides who may be told; changes nothing.

use alloc::vec::Vec;

use sawlog_wire::Code;

use crate::answer::{EpochPart, Isolation, Part, ProducerTold, QuorumTold, Response};
use crate::effect::Effect;
use crate::file::Free;
use crate::ids::{LeaderEpoch, LogId, Offset, Waiter};
use crate::node::life::Running;

const UNKNOWN: (LeaderEpoch, Offset) = (LeaderEpoch(-1), Offset(-1));

impl Running {
    /// Where the records of a leadership end (KIP-101, KIP-320).
    pub(super) fn epoch_end(&self, waiter: Waiter, part: EpochPart, out: &mut Vec<Effect>) {
        let read = self.readable(part.log, part.current, Isolation::ReadUncommitted);
        let answer = read.map(|_| {
            // Of a leadership that is yet to come, or has no number, nothing is known.
            let last = self.engine.last_epoch(part.log);
            if part.epoch < LeaderEpoch(0) || last.is_none_or(|last| part.epoch > last) {
                return UNKNOWN;
            }
            self.engine
                .epoch_end(part.log, part.epoch)
                .unwrap_or(UNKNOWN)
        });
        let (code, (epoch, end)) = match answer {
            Ok(known) => (Code::None, known),
            Err(code) => (code, UNKNOWN),
        };
        out.push(Effect::Reply(
            waiter,
            Response::EpochEnd { code, epoch, end },
        ));
    }

    pub(super) fn tell_producers(&self, waiter: Waiter, log: LogId, out: &mut Vec<Effect>) {
        let (code, producers) = match self.readable(log, None, Isolation::ReadUncommitted) {
            Err(code) => (code, Vec::new()),
            Ok(_) => {
                let told = self.engine.producers(log).map(|(id, known)| ProducerTold {
                    id,
                    epoch: known.epoch,
                    last_sequence: known.window.back().map_or(-1, |sent| sent.last().0),
                    last_timestamp: known.last_timestamp,
                });
                (Code::None, told.collect())
            }
        };
        out.push(Effect::Reply(
            waiter,
            Response::Producers { code, producers },
        ));
    }

    pub(super) fn tell_sizes(&self, waiter: Waiter, out: &mut Vec<Effect>) {
        let known = |log: &LogId| self.partitions.contains_key(log);
        let logs = self.engine.logs().filter(known);
        let answer = Response::Sizes {
            code: Code::None,
            logs: logs.map(|log| (log, self.engine.size(log))).collect(),
            space: self.engine.free(),
        };
        out.push(Effect::Reply(waiter, answer));
    }

    pub(super) fn tell_quorum(&self, waiter: Waiter, out: &mut Vec<Effect>) {
        let told = self.head.as_ref().and_then(|head| {
            let marks = self.engine.marks(LogId::METADATA)?;
            Some(QuorumTold {
                leader: head.voter.id,
                directory: head.voter.directory,
                term: head.term,
                hw: marks.hw,
                end: marks.next,
            })
        });
        out.push(Effect::Reply(waiter, Response::Quorum(told)));
    }
}

/// What is answered while the shard does not serve.
pub(super) fn nothing_told(part: &Part, code: Code) -> Option<Response> {
    match part {
        Part::EpochEnd(_) => {
            let (epoch, end) = UNKNOWN;
            Some(Response::EpochEnd { code, epoch, end })
        }
        Part::Producers(_) => Some(Response::Producers {
            code,
            producers: Vec::new(),
        }),
        Part::Sizes => Some(Response::Sizes {
            code,
            logs: Vec::new(),
            space: Free::default(),
        }),
        Part::Quorum => Some(Response::Quorum(None)),
        _ => None,
    }
}
