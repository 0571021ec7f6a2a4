//! Reads for Fetches that wait: how much each may bring while memory is short, and whose run is read next.
//! Decides pace and order only; what a reader may see was decided by the plan. Holds #131 and #132 for answers.

use std::sync::Arc;

use sawlog_core::answer::{FetchAnswer, FetchPart};
use sawlog_core::file::{ReadPlan, Served};
use sawlog_core::ids::{ConnId, Waiter};

use crate::disk::reading::Reading;
use crate::net::gauge::Gauge;
use crate::net::turns::Turns;

/// Runs that are with the reader at one time: one is read while the one before is taken notice of.
const UNDER_WAY_MAX: usize = 2;

/// The reads of one shard.
#[derive(Debug)]
pub struct Serving {
    turns: Turns<Box<Reading>>,
    under_way: usize,
    /// Plans whose bytes are being read ahead: no more than there are Fetches.
    #[expect(clippy::vec_box, reason = "a plan stays in its box from hand to hand")]
    ahead: Vec<Box<Reading>>,
    answers: Arc<Gauge>,
}

impl Serving {
    /// Nobody waits; `answers` counts what all shards hold for readers.
    pub fn new(answers: Arc<Gauge>) -> Serving {
        Serving {
            turns: Turns::new(),
            under_way: 0,
            ahead: Vec::new(),
            answers,
        }
    }

    /// Lowers what a Fetch may bring to what there is memory for. One batch always may come (KIP-74).
    pub fn limit(&self, part: &mut FetchPart) {
        let share = u32::try_from(self.answers.share()).unwrap_or(u32::MAX);
        part.max_bytes = part.max_bytes.min(share);
    }

    /// A plan is to be read. Others may have taken the memory since its limit was set (an index had to be loaded): then it
    /// is shortened, for a reader may get fewer batches than it asked for, but always gets on.
    pub fn begin(&self, waiter: Waiter, mut plan: ReadPlan, answer: FetchAnswer) -> Box<Reading> {
        shorten(&mut plan, self.answers.share());
        Box::new(Reading::new(waiter, plan, answer, &self.answers))
    }

    /// It must be read from the disk, when it is its connection's turn.
    pub fn wait(&mut self, reading: Box<Reading>) {
        self.turns.push(reading.waiter.conn, reading);
    }

    /// What the reader shall do next, if it is not busy.
    pub fn start(&mut self) -> Option<Box<Reading>> {
        if self.under_way == UNDER_WAY_MAX {
            return None;
        }
        let next = self.turns.pop();
        self.under_way += usize::from(next.is_some());
        next
    }

    /// The reader is done with a run; what came of the plan if that was the last one.
    pub fn came(
        &mut self,
        reading: Box<Reading>,
        served: Option<Served>,
    ) -> Option<(Box<Reading>, Served)> {
        self.under_way -= 1;
        match served {
            Some(served) => Some((reading, served)),
            None => {
                self.turns.push_rest(reading.waiter.conn, reading);
                None
            }
        }
    }

    /// Its bytes are on their way already.
    pub fn wait_ahead(&mut self, reading: Box<Reading>) {
        self.ahead.push(reading);
    }

    /// Those that wait for what is on its way: some of it came.
    pub fn take_ahead(&mut self) -> Vec<Box<Reading>> {
        std::mem::take(&mut self.ahead)
    }

    /// A connection is gone: the plans that nobody waits for any more.
    pub fn gone(&mut self, conn: ConnId) -> impl Iterator<Item = Box<Reading>> + use<> {
        let of = |reading: &mut Box<Reading>| reading.waiter.conn == conn;
        let ahead: Vec<_> = self.ahead.extract_if(.., of).collect();
        self.turns.forget(conn).into_iter().chain(ahead)
    }
}

/// Leaves as many batches as fit, and the first.
fn shorten(plan: &mut ReadPlan, bytes: usize) {
    let mut left = bytes;
    let fits = plan.places.iter().take_while(|place| {
        let fits = place.len as usize <= left;
        left = left.saturating_sub(place.len as usize);
        fits
    });
    let count = fits.count().max(1);
    plan.places.truncate(count);
}

#[cfg(test)]
mod tests {
    use super::*;
    use sawlog_core::file::Place;
    use sawlog_core::ids::{LogId, Offset, ShardId};
    use sawlog_wire::Code;

    const ANSWER: FetchAnswer = FetchAnswer {
        code: Code::None,
        hw: Offset(0),
        stable: Offset(0),
        start: Offset(0),
        diverging: None,
        records: Vec::new(),
    };

    fn waiter(number: u64) -> Waiter {
        let shard = ShardId(0);
        let conn = ConnId { shard, number };
        Waiter {
            conn,
            request: 0,
            part: 0,
        }
    }

    fn plan(batches: usize, len: u32) -> ReadPlan {
        let place = Place {
            file: 0,
            at: 0,
            len,
            checksum: 0,
        };
        ReadPlan {
            log: LogId::METADATA,
            pin: 0,
            files: Vec::new(),
            places: vec![place; batches],
        }
    }

    #[test]
    fn a_thousand_plans_made_before_any_was_read_share_the_memory_and_each_gets_on() {
        let answers = Gauge::new(256 << 20);
        let mut serving = Serving::new(answers.clone());
        for reader in 0..1000 {
            let reading = serving.begin(waiter(reader), plan(50, 1 << 20), ANSWER);
            assert!(!reading.plan.places.is_empty());
            serving.wait(reading);
        }
        // All have one batch, and the budget above that is not exceeded.
        assert!(answers.used() <= (1000 + 256) << 20, "{}", answers.used());
        for reader in 0..1000 {
            serving.gone(waiter(reader).conn).for_each(drop);
        }
        assert_eq!(answers.used(), 0);
    }

    #[test]
    fn who_waits_for_what_is_on_its_way_is_asked_again_and_forgotten_with_its_connection_132() {
        let answers = Gauge::new(256 << 20);
        let mut serving = Serving::new(answers.clone());
        for reader in 0..3 {
            serving.wait_ahead(serving.begin(waiter(reader), plan(9, 1 << 20), ANSWER));
        }
        assert!(
            serving.start().is_none(),
            "the reader has nothing to do with it"
        );
        assert_eq!(serving.gone(waiter(1).conn).count(), 1);
        let rest = serving.take_ahead();
        let waiters: Vec<Waiter> = rest.iter().map(|reading| reading.waiter).collect();
        assert_eq!(waiters, [waiter(0), waiter(2)]);
        assert!(serving.take_ahead().is_empty());
        drop(rest);
        assert_eq!(answers.used(), 0);
    }

    #[test]
    fn the_reader_has_two_runs_at_a_time_and_a_plan_comes_back_until_it_is_read() {
        let mut serving = Serving::new(Gauge::new(256 << 20));
        for reader in 0..3 {
            serving.wait(serving.begin(waiter(reader), plan(9, 1 << 20), ANSWER));
        }
        let first = serving.start().unwrap();
        let second = serving.start().unwrap();
        assert!(serving.start().is_none(), "the third waits");
        assert!(serving.came(first, None).is_none(), "there is more to read");
        let third = serving.start().unwrap();
        assert_eq!(third.waiter, waiter(2), "before the rest of the first");
        let (second, served) = serving.came(second, Some(Served::Whole)).unwrap();
        assert_eq!((second.waiter, served), (waiter(1), Served::Whole));
        assert_eq!(serving.start().unwrap().waiter, waiter(0));
    }
}
