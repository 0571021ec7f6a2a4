//! Appends: from a client's batch to the promise that its answer is.
//! Decides who is refused and for which mark the others wait; never what moves a mark. Holds #11, #69, #72 and #114.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use sawlog_wire::Code;

use crate::answer::{AppendAnswer, AppendPart, Response};
use crate::effect::Effect;
use crate::ids::{Offset, Waiter};
use crate::log::{AppendRefusal, Appended};
use crate::node::life::Running;
use crate::node::parts::Partition;
use crate::now::Now;
use crate::parked::Promise;
use crate::proof;
use crate::replica::Leader;

impl Running {
    pub(super) fn append(
        &mut self,
        now: Now,
        waiter: Waiter,
        part: AppendPart,
        out: &mut Vec<Effect>,
    ) {
        let log = part.log;
        let refused = |code, text| Refused { code, text };
        let placed = match self.partitions.get(&log).map(|partition| &**partition) {
            None => Err(refused(
                Code::UnknownTopicOrPartition,
                String::from("this node does not hold the partition"),
            )),
            Some(Partition { leader: None, .. }) => Err(refused(
                Code::NotLeaderOrFollower,
                String::from("this node does not lead the partition"),
            )),
            Some(Partition {
                leader: Some(leader),
                name,
                ..
            }) => match leader.admits(part.acks) {
                Err(refusal) => Err(refused(
                    refusal.code(),
                    format!("{name}: too few replicas are in sync"),
                )),
                Ok(()) => self
                    .engine
                    .append(now, log, &part.batch, part.bytes, leader.epoch())
                    .map_err(|refusal| append_refused(name, &refusal)),
            },
        };
        let start = self.engine.marks(log).unwrap_or_default().start;
        let (base, last, again) = match placed {
            Ok(Appended::New { base, last }) => (base, last, false),
            Ok(Appended::Duplicate { base, last }) => (base, last, true),
            Err(Refused { code, text }) => {
                let answer = AppendAnswer {
                    code,
                    base: Offset(-1),
                    again: false,
                    start,
                    message: Some(text),
                };
                out.push(Effect::Reply(waiter, Response::Append(answer)));
                return;
            }
        };
        let Some(mark) = Leader::awaited(part.acks) else {
            return;
        };
        let mut answer = AppendAnswer {
            code: Code::None,
            base,
            again,
            start,
            message: None,
        };
        if again {
            proof::sometimes("duplicate-parked");
            if proof::mutant("unknown-on-duplicate") {
                answer.code = Code::UnknownServerError;
            }
            if proof::mutant("duplicate-acked-at-once") {
                out.push(Effect::Reply(waiter, Response::Append(answer)));
                return;
            }
        }
        let late_code = if proof::mutant("late-is-definite") {
            Code::NotEnoughReplicas
        } else {
            Code::RequestTimedOut
        };
        // No text: it would be made for every append and hardly ever be read.
        let late = AppendAnswer {
            code: late_code,
            message: None,
            ..answer
        };
        let promise = Promise {
            waiter,
            until: last.plus(1),
            deadline: part.deadline,
            reply: Response::Append(answer),
            late: Response::Append(late),
        };
        if let Some(partition) = self.partitions.get_mut(&log) {
            partition.parked.park(mark, promise);
        }
        self.busy_with(log);
        self.late_by(part.deadline);
        if again {
            // The original may be durable already, and then no mark will move for it.
            self.moved(now, log, out);
        }
    }
}

struct Refused {
    code: Code,
    text: String,
}

/// What a refusal of the engine is for a client.
fn append_refused(name: &str, refusal: &AppendRefusal) -> Refused {
    let (code, text) = match refusal {
        AppendRefusal::NotOpen => (
            Code::NotLeaderOrFollower,
            String::from("the log is not open here"),
        ),
        AppendRefusal::Stopping => (
            Code::NotLeaderOrFollower,
            String::from("the node is stopping"),
        ),
        AppendRefusal::Offline => (
            Code::KafkaStorageError,
            String::from("its bytes are damaged; see the broker's log"),
        ),
        AppendRefusal::NoSpace => (
            Code::KafkaStorageError,
            String::from("the disk is full; free space, and it takes writes again by itself"),
        ),
        AppendRefusal::Busy => (
            Code::KafkaStorageError,
            String::from("the disk is far behind; try again"),
        ),
        AppendRefusal::TooLarge { max } => (
            Code::MessageTooLarge,
            format!("the commit log of this file system carries batches up to {max} bytes"),
        ),
        AppendRefusal::OutOfOrder { expected, got } => (
            Code::OutOfOrderSequenceNumber,
            format!("sequence {got} came where {expected} is next"),
        ),
        AppendRefusal::Fenced { epoch } => (
            Code::InvalidProducerEpoch,
            format!("epoch {epoch} of this producer has written here"),
        ),
        AppendRefusal::UnknownProducer { got } => (
            Code::UnknownProducerId,
            format!("a producer that is not known here begins with sequence {got}"),
        ),
    };
    Refused {
        code,
        text: format!("{name}: {text}"),
    }
}
