//! Anything whose state is a fold over a log: topics and configurations now, groups and transactions later.
//! `decide` looks and changes nothing, `apply` is the only writer of durable state; the borrow checker holds it (#41, #54).

use alloc::vec::Vec;

use crate::ids::Offset;
use crate::now::Now;

/// State that is a pure function of the records applied so far.
pub trait Machine {
    /// What is written to the log.
    type Record;
    /// What may be asked for.
    type Ask;
    /// What is answered once the records are committed, or at once if there are none.
    type Reply;

    /// What should happen. Looks at everything, changes nothing.
    fn decide(&self, now: Now, ask: &Self::Ask) -> Decision<Self::Record, Self::Reply>;

    /// Changes durable state by one record: live and at load, byte for byte the same.
    fn apply(&mut self, at: Offset, record: &Self::Record);
}

/// What `decide` wants: records to be logged together, then the reply, parked behind the last of them.
#[derive(Debug)]
pub struct Decision<R, A> {
    /// To be appended as one batch, in order.
    pub log: Vec<R>,
    /// To be answered when the batch is committed; it is a promise, so never before (#43).
    pub reply: A,
}
