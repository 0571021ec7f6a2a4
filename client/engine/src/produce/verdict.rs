//! What an answer means for one batch. Decides by the code, by whether the batch may have been written before, and by what
//! stands before it in its queue; changes nothing.

use sawlog_wire::Code;
use sawlog_wire::code::Retry;

use crate::connection::Outcome;

/// What to do with a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It lies in the log.
    Written,
    /// Send it again, as it is. Not written means that it was refused for certain.
    Again {
        outcome: Outcome,
        /// The leader may be another one.
        refresh: bool,
    },
    /// It is too large as a whole (KIP-126).
    Split,
    /// It was refused for its number alone: give it another one.
    Renumber,
    /// Give it back.
    Failed(Outcome),
}

/// What is known of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// An earlier request with it was lost.
    pub(super) doubted: bool,
    /// Nothing before it in its partition is undecided.
    pub(super) first: bool,
    /// It has a place in a sequence, so that sending it twice writes it once.
    pub(super) stamped: bool,
    /// It can be split.
    pub(super) many: bool,
}

/// The verdict on an answer; `None` for a code that nobody knows.
pub(super) fn of_answer(code: Option<Code>, known: Known) -> Verdict {
    let Some(code) = code else {
        return Verdict::Failed(outcome(known.doubted));
    };
    match code {
        Code::None => Verdict::Written,
        // The broker has it, and no longer knows where.
        Code::DuplicateSequenceNumber if known.stamped => Verdict::Written,
        Code::MessageTooLarge if known.many => Verdict::Split,
        Code::OutOfOrderSequenceNumber | Code::UnknownProducerId | Code::InvalidProducerEpoch
            if known.stamped =>
        {
            match known {
                // The one before it is under way again and comes first.
                Known { first: false, .. } => again(Outcome::NotWritten, false),
                // Written long ago and forgotten, or never: nobody can say.
                Known { doubted: true, .. } => Verdict::Failed(Outcome::Unknown),
                Known { .. } => Verdict::Renumber,
            }
        }
        // The leader has written it; only the others have not, in time.
        Code::NotEnoughReplicasAfterAppend | Code::RequestTimedOut => lost(Outcome::Unknown, known),
        _ => match code.retry() {
            Retry::Again => again(Outcome::NotWritten, false),
            Retry::Refreshed => again(Outcome::NotWritten, true),
            Retry::Never => Verdict::Failed(outcome(known.doubted)),
        },
    }
}

/// The verdict when no answer came.
pub(super) fn lost(outcome: Outcome, known: Known) -> Verdict {
    match outcome {
        // Sent again without a number it might be there twice.
        Outcome::Unknown if !known.stamped => Verdict::Failed(Outcome::Unknown),
        outcome => again(outcome, true),
    }
}

fn again(outcome: Outcome, refresh: bool) -> Verdict {
    Verdict::Again { outcome, refresh }
}

/// What is known of a batch that goes no further.
pub(super) fn outcome(doubted: bool) -> Outcome {
    if doubted {
        Outcome::Unknown
    } else {
        Outcome::NotWritten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Known = Known {
        doubted: false,
        first: true,
        stamped: true,
        many: true,
    };

    #[test]
    fn a_batch_goes_again_only_where_it_cannot_be_written_twice() {
        let bare = Known {
            stamped: false,
            ..FRESH
        };
        assert_eq!(
            lost(Outcome::Unknown, bare),
            Verdict::Failed(Outcome::Unknown)
        );
        assert_eq!(
            of_answer(Some(Code::RequestTimedOut), bare),
            Verdict::Failed(Outcome::Unknown)
        );
        assert_eq!(
            lost(Outcome::NotWritten, bare),
            again(Outcome::NotWritten, true)
        );
        assert_eq!(lost(Outcome::Unknown, FRESH), again(Outcome::Unknown, true));
        assert_eq!(
            of_answer(Some(Code::NotEnoughReplicasAfterAppend), FRESH),
            again(Outcome::Unknown, true)
        );
    }

    #[test]
    fn a_wrong_number_is_changed_only_where_the_batch_is_surely_not_written() {
        let code = Some(Code::OutOfOrderSequenceNumber);
        assert_eq!(of_answer(code, FRESH), Verdict::Renumber);
        let behind = Known {
            first: false,
            ..FRESH
        };
        assert_eq!(of_answer(code, behind), again(Outcome::NotWritten, false));
        let doubted = Known {
            doubted: true,
            ..FRESH
        };
        assert_eq!(of_answer(code, doubted), Verdict::Failed(Outcome::Unknown));
    }

    #[test]
    fn a_refusal_after_a_lost_request_leaves_the_outcome_unknown() {
        let code = Some(Code::TopicAuthorizationFailed);
        assert_eq!(of_answer(code, FRESH), Verdict::Failed(Outcome::NotWritten));
        let doubted = Known {
            doubted: true,
            ..FRESH
        };
        assert_eq!(of_answer(code, doubted), Verdict::Failed(Outcome::Unknown));
        assert_eq!(of_answer(None, doubted), Verdict::Failed(Outcome::Unknown));
    }

    #[test]
    fn a_repeated_batch_is_written_and_one_record_is_not_split() {
        assert_eq!(
            of_answer(Some(Code::DuplicateSequenceNumber), FRESH),
            Verdict::Written
        );
        assert_eq!(
            of_answer(Some(Code::MessageTooLarge), FRESH),
            Verdict::Split
        );
        let one = Known {
            many: false,
            ..FRESH
        };
        assert_eq!(
            of_answer(Some(Code::MessageTooLarge), one),
            Verdict::Failed(Outcome::NotWritten)
        );
        assert_eq!(
            of_answer(Some(Code::NotLeaderOrFollower), FRESH),
            again(Outcome::NotWritten, true)
        );
    }
}
