//! Replies that are promises: each waits until a mark of its log reaches an offset, or a deadline passes.
//! Decides who is released when; never what a mark is worth. Holds #11 and #31 together with `marks`.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::answer::{Isolation, Response};
use crate::ids::{ConnId, Offset, Waiter};
use crate::marks::Marks;
use crate::now::{Deadline, Now};

/// Which of a log's ends a promise waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mark {
    /// This replica's own end, by the topic's durability: `acks=1`.
    Own,
    /// The high watermark: `acks=all`, and everything that a coordinator or the controller says.
    Hw,
    /// Where the log durably starts: DeleteRecords.
    Start,
}

/// A reply and the offset that must be reached before it leaves.
#[derive(Debug)]
pub struct Promise {
    /// To whom.
    pub waiter: Waiter,
    /// Released when the mark is at or past this end.
    pub until: Offset,
    /// When to answer `late` instead.
    pub deadline: Deadline,
    /// What is then true.
    pub reply: Response,
    /// What is said when the deadline passes first: never a definite refusal, for the effect may still happen (#114).
    pub late: Response,
}

/// So many watches have room in a log for good.
const FEW: usize = 4;

/// Somebody who wants to know when there may be more to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    waiter: Waiter,
    isolation: Isolation,
    beyond: Offset,
}

/// The promises and watches of one log.
#[derive(Debug, Default)]
pub struct Parked {
    own: VecDeque<Promise>,
    hw: VecDeque<Promise>,
    start: VecDeque<Promise>,
    watches: Vec<Watch>,
}

impl Parked {
    /// Parks a reply. Promises mostly come in rising order; a duplicate's comes at its original's place, behind
    /// those that wait for the same offset, so that answers keep the order of the requests.
    pub fn park(&mut self, mark: Mark, promise: Promise) {
        let queue = self.queue(mark);
        let at = queue.partition_point(|other| other.until <= promise.until);
        if queue.capacity() == 0 {
            queue.reserve_exact(1);
        }
        queue.insert(at, promise);
    }

    /// Wants to know when the end that `isolation` may see passes `beyond`.
    pub fn watch(&mut self, waiter: Waiter, isolation: Isolation, beyond: Offset) {
        self.watches.push(Watch {
            waiter,
            isolation,
            beyond,
        });
    }

    /// Gives out every reply whose time has come. `own` is the replica's own mark for the topic's durability.
    pub fn release(
        &mut self,
        marks: &Marks,
        own: Offset,
        mut answer: impl FnMut(Waiter, Response),
    ) {
        for (queue, reached) in [
            (&mut self.own, own),
            (&mut self.hw, marks.hw),
            (&mut self.start, marks.start),
        ] {
            while queue
                .front()
                .is_some_and(|promise| promise.until <= reached)
            {
                if let Some(promise) = queue.pop_front() {
                    answer(promise.waiter, promise.reply);
                }
            }
            // Where seldom more than one waits, there is nobody most of the time.
            if queue.is_empty() && queue.capacity() == 1 {
                *queue = VecDeque::new();
            }
        }
        if !self.watches.is_empty() {
            self.watches.retain(|watch| {
                let end = match watch.isolation {
                    Isolation::ReadUncommitted => marks.hw,
                    Isolation::ReadCommitted => marks.stable,
                };
                let over = end > watch.beyond;
                if over {
                    answer(watch.waiter, Response::Watched);
                }
                !over
            });
            self.rest();
        }
    }

    /// Gives out the late answers of those whose deadline has passed.
    pub fn expire(&mut self, now: Now, mut answer: impl FnMut(Waiter, Response)) {
        for queue in [&mut self.own, &mut self.hw, &mut self.start] {
            if queue.iter().any(|promise| promise.deadline.passed(now)) {
                for promise in core::mem::take(queue) {
                    if promise.deadline.passed(now) {
                        answer(promise.waiter, promise.late);
                    } else {
                        queue.push_back(promise);
                    }
                }
            }
        }
    }

    /// Answers everybody with what `reply` says, since no mark will come: the log is offline, or led elsewhere.
    /// `reply` gets the promise, so that it can tell an append that may have happened from one that did not.
    pub fn abandon(
        &mut self,
        mut reply: impl FnMut(&Promise) -> Response,
        mut answer: impl FnMut(Waiter, Response),
    ) {
        let promises = self.own.drain(..).chain(self.hw.drain(..));
        for promise in promises.chain(self.start.drain(..)) {
            answer(promise.waiter, reply(&promise));
        }
        for watch in self.watches.drain(..) {
            answer(watch.waiter, Response::Watched);
        }
        self.rest();
    }

    /// Forgets a connection that is gone; what it appended stays (#137).
    pub fn forget(&mut self, conn: ConnId) {
        self.own.retain(|promise| promise.waiter.conn != conn);
        self.hw.retain(|promise| promise.waiter.conn != conn);
        self.start.retain(|promise| promise.waiter.conn != conn);
        self.watches.retain(|watch| watch.waiter.conn != conn);
        self.rest();
    }

    /// Forgets the watches of a request that was answered without them.
    pub fn unwatch(&mut self, waiter: Waiter) {
        self.watches.retain(|watch| watch.waiter != waiter);
        self.rest();
    }

    /// Where many watched and nobody does now, no room is kept for them (#131).
    fn rest(&mut self) {
        if self.watches.is_empty() && self.watches.capacity() > FEW {
            self.watches = Vec::new();
        }
    }

    /// The earliest deadline of a promise.
    pub fn next(&self) -> Option<Deadline> {
        self.own
            .iter()
            .chain(&self.hw)
            .chain(&self.start)
            .map(|promise| promise.deadline)
            .min()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.own.is_empty()
            && self.hw.is_empty()
            && self.start.is_empty()
            && self.watches.is_empty()
    }

    fn queue(&mut self, mark: Mark) -> &mut VecDeque<Promise> {
        match mark {
            Mark::Own => &mut self.own,
            Mark::Hw => &mut self.hw,
            Mark::Start => &mut self.start,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ShardId;
    use crate::now::Mono;

    const CONN: ConnId = ConnId {
        shard: ShardId(0),
        number: 1,
    };

    fn waiter(request: u64) -> Waiter {
        Waiter {
            conn: CONN,
            request,
            part: 0,
        }
    }

    fn promise(request: u64, until: i64, deadline: u64) -> Promise {
        let deadline = Deadline(Mono(deadline));
        let (reply, late) = (Response::Watched, Response::Watched);
        Promise {
            waiter: waiter(request),
            until: Offset(until),
            deadline,
            reply,
            late,
        }
    }

    fn released(parked: &mut Parked, own: i64, hw: i64) -> Vec<u64> {
        let mut told = Vec::new();
        let marks = Marks {
            hw: Offset(hw),
            ..Marks::default()
        };
        parked.release(&marks, Offset(own), |waiter, _| told.push(waiter.request));
        told
    }

    #[test]
    fn nobody_is_answered_before_the_mark_reaches_his_offset() {
        let mut parked = Parked::default();
        parked.park(Mark::Hw, promise(1, 10, 99));
        parked.park(Mark::Own, promise(2, 5, 99));
        assert_eq!(released(&mut parked, 4, 9), []);
        assert_eq!(released(&mut parked, 5, 9), [2]);
        assert_eq!(released(&mut parked, 10, 10), [1]);
        assert!(parked.is_empty());
    }

    #[test]
    fn a_duplicate_waits_where_its_original_waits() {
        let mut parked = Parked::default();
        parked.park(Mark::Hw, promise(1, 10, 99));
        parked.park(Mark::Hw, promise(2, 20, 99));
        parked.park(Mark::Hw, promise(3, 10, 99));
        assert_eq!(released(&mut parked, 10, 10), [1, 3]);
    }

    #[test]
    fn a_watch_is_released_only_beyond_its_offset() {
        let mut parked = Parked::default();
        parked.watch(waiter(1), Isolation::ReadUncommitted, Offset(10));
        assert_eq!(released(&mut parked, 10, 10), []);
        assert_eq!(released(&mut parked, 10, 11), [1]);
    }

    #[test]
    fn the_late_are_answered_once_and_a_gone_connection_never() {
        let mut parked = Parked::default();
        parked.park(Mark::Hw, promise(1, 10, 50));
        parked.park(Mark::Hw, promise(2, 11, 60));
        let mut late = Vec::new();
        parked.expire(
            Now {
                mono: Mono(50),
                ..Now::default()
            },
            |waiter, _| late.push(waiter.request),
        );
        assert_eq!(late, [1]);
        parked.forget(CONN);
        assert_eq!(released(&mut parked, 99, 99), []);
    }
}
