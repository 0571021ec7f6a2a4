//! Whether a topic is still the one that reading began with. Decides by its id (KIP-516) when it counts as deleted, or as
//! replaced by another one of its name; never who is asked, or what is read meanwhile.
//!
//! A broker may lag behind the others: it has not heard yet of a topic, or still tells of the one before. So one answer
//! proves nothing, and what every answer of [`PATIENCE`] says does. Kafka's own consumer goes on at its offset in the new
//! topic instead (KAFKA-12257), where other records lie: some would be left out, and nobody would say so.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::time::Duration;

use sawlog_wire::Uuid;

use crate::time::Mono;

/// For so long every answer must say that a topic is another one, or none.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// What a broker says has the name of a topic now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// A topic of this id; zero from a broker too old to say.
    Topic(Uuid),
    /// None.
    Nothing,
}

/// What is known of a topic by now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presence {
    /// It is there, as far as anybody can tell.
    Here,
    /// It may be gone: another answer is needed.
    Doubted,
    /// It was deleted.
    Deleted,
    /// It was deleted, and another one was made by its name.
    Replaced,
}

/// Since when topics are doubted, by name.
#[derive(Clone, Debug, Default)]
pub struct Doubts {
    since: BTreeMap<Arc<str>, Mono>,
}

impl Doubts {
    /// Records of every topic were asked for, by its id where there is one, and the broker did not say that one is not there.
    pub fn end(&mut self) {
        self.since.clear();
    }

    /// Takes an answer in, about a topic that had the id `began` when reading began.
    pub fn judge(&mut self, topic: &Arc<str>, began: Uuid, told: Told, now: Mono) -> Presence {
        let verdict = match told {
            // Nobody says what cannot be compared.
            Told::Topic(id) if id == began || id.is_zero() || began.is_zero() => {
                self.since.remove(topic);
                return Presence::Here;
            }
            Told::Topic(_) => Presence::Replaced,
            Told::Nothing => Presence::Deleted,
        };
        let since = *self.since.entry(topic.clone()).or_insert(now);
        if now.since(since) < PATIENCE {
            return Presence::Doubted;
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Uuid = Uuid::from_u128(7);
    const OTHER: Uuid = Uuid::from_u128(8);

    /// What is known after each of these answers, told at these seconds.
    fn judged(began: Uuid, answers: &[(u64, Told)]) -> Vec<Presence> {
        let (mut doubts, topic) = (Doubts::default(), Arc::from("t"));
        let judge = |(at, told): &(u64, Told)| {
            let now = Mono::default().after(Duration::from_secs(*at));
            doubts.judge(&topic, began, *told, now)
        };
        answers.iter().map(judge).collect()
    }

    #[test]
    fn a_topic_is_gone_when_every_answer_of_the_patience_says_so_kip_516() {
        use Presence::{Deleted, Doubted, Here, Replaced};
        let (ours, other, none) = (Told::Topic(OURS), Told::Topic(OTHER), Told::Nothing);
        assert_eq!(
            judged(OURS, &[(0, ours), (1, none), (2, none), (3, none)]),
            [Here, Doubted, Doubted, Deleted]
        );
        assert_eq!(
            judged(OURS, &[(0, none), (1, other), (2, other)]),
            [Doubted, Doubted, Replaced]
        );
        // A broker that lags behind is contradicted by the next one.
        assert_eq!(
            judged(OURS, &[(0, other), (1, ours), (2, other), (3, other)]),
            [Doubted, Here, Doubted, Doubted]
        );
    }

    #[test]
    fn reading_on_ends_a_doubt() {
        let (mut doubts, topic) = (Doubts::default(), Arc::from("t"));
        let judge = |doubts: &mut Doubts, at| {
            let now = Mono::default().after(Duration::from_secs(at));
            doubts.judge(&topic, OURS, Told::Nothing, now)
        };
        assert_eq!(judge(&mut doubts, 0), Presence::Doubted);
        doubts.end();
        assert_eq!(judge(&mut doubts, 3600), Presence::Doubted, "an hour later");
        assert_eq!(judge(&mut doubts, 3602), Presence::Deleted);
    }

    #[test]
    fn without_ids_only_a_topic_that_is_not_there_counts() {
        use Presence::{Deleted, Doubted, Here};
        let nobody = Told::Topic(Uuid::ZERO);
        assert_eq!(judged(OURS, &[(0, nobody), (9, nobody)]), [Here, Here]);
        assert_eq!(
            judged(
                Uuid::ZERO,
                &[(0, Told::Topic(OTHER)), (9, Told::Topic(OURS))]
            ),
            [Here, Here]
        );
        assert_eq!(
            judged(Uuid::ZERO, &[(0, Told::Nothing), (9, Told::Nothing)]),
            [Doubted, Deleted]
        );
    }
}
