//! DeleteRecords: a log starts later, because a client says so.
//! Decides who may ask and when the answer leaves; that the start is durable before anything goes is the engine's (#89).
//! Holds #5 and #95: the start never falls, and never passes the watermark.

use alloc::vec::Vec;

use sawlog_wire::Code;

use crate::answer::{Isolation, Response, TrimPart};
use crate::effect::Effect;
use crate::ids::{Offset, Waiter};
use crate::log::TrimRefusal;
use crate::node::life::Running;
use crate::parked::{Mark, Promise};
use crate::proof;

impl Running {
    pub(super) fn trim(&mut self, waiter: Waiter, part: TrimPart, out: &mut Vec<Effect>) {
        let answer = match self.begin_trim(part) {
            // It starts there already: nothing is left to wait for.
            Ok((to, start)) if to <= start || proof::mutant("trim-answered-at-once") => {
                trimmed(Code::None, start.max(to))
            }
            Ok((to, _)) => {
                if let Some(partition) = self.partitions.get_mut(&part.log) {
                    let promise = Promise {
                        waiter,
                        until: to,
                        deadline: part.deadline,
                        reply: trimmed(Code::None, to),
                        late: trimmed(Code::RequestTimedOut, Offset(-1)),
                    };
                    partition.parked.park(Mark::Start, promise);
                }
                self.busy_with(part.log);
                return self.late_by(part.deadline);
            }
            Err(code) => trimmed(code, Offset(-1)),
        };
        out.push(Effect::Reply(waiter, answer));
    }

    /// Where the log is to start, and where it durably starts now.
    fn begin_trim(&mut self, part: TrimPart) -> Result<(Offset, Offset), Code> {
        let (marks, _) = self.readable(part.log, None, Isolation::ReadUncommitted)?;
        let to = part.to.unwrap_or(marks.hw);
        match self.engine.trim(part.log, to) {
            Ok(()) => Ok((to, marks.start)),
            Err(TrimRefusal::OutOfRange { .. }) => Err(Code::OffsetOutOfRange),
            Err(TrimRefusal::NotOpen) => Err(Code::NotLeaderOrFollower),
            Err(TrimRefusal::Offline) => Err(Code::KafkaStorageError),
        }
    }
}

fn trimmed(code: Code, start: Offset) -> Response {
    Response::Trimmed { code, start }
}
