//! A fetch session with one broker (KIP-227): after the first request only what changed is asked for, and only what has
//! something new is answered. Decides what a request must name and when to begin anew; never which partitions are wanted.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use sawlog_wire::messages::FetchRequest;
use sawlog_wire::messages::fetch::{FetchPartition, FetchTopic, ForgottenTopic};
use sawlog_wire::{Code, ErrorCode, Uuid};

/// A partition of a topic.
pub type Place = (Arc<str>, i32);

/// Where to read on in a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// The topic's id (KIP-516), zero where it has none: which of the names and ids is sent, the version decides.
    pub topic_id: Uuid,
    /// The first offset.
    pub offset: i64,
    /// The leadership we believe in, or -1.
    pub leader_epoch: i32,
    /// The most bytes of it.
    pub bytes: i32,
}

/// A session, or the wish for one.
#[derive(Clone, Debug, Default)]
pub struct Session {
    id: i32,
    /// Of the next request: 0 asks for a new session.
    epoch: i32,
    /// What the broker remembers.
    known: BTreeMap<Place, Wanted>,
    /// What it will, once the request under way is answered.
    asked: BTreeMap<Place, Wanted>,
}

impl Session {
    /// Fills in what a request must name so that the broker looks at just these partitions.
    pub fn ask(&mut self, wanted: &BTreeMap<Place, Wanted>, request: &mut FetchRequest) {
        request.session_id = self.id;
        request.session_epoch = self.epoch;
        if self.epoch == 0 {
            self.known.clear();
        }
        let changed = wanted
            .iter()
            .filter(|(place, wanted)| self.known.get(*place) != Some(wanted));
        let mut topics: BTreeMap<(&str, Uuid), Vec<FetchPartition>> = BTreeMap::new();
        for ((topic, partition), wanted) in changed {
            let topic = (&**topic, wanted.topic_id);
            topics.entry(topic).or_default().push(FetchPartition {
                partition: *partition,
                current_leader_epoch: wanted.leader_epoch,
                fetch_offset: wanted.offset,
                partition_max_bytes: wanted.bytes,
                ..Default::default()
            });
        }
        let topic = |((topic, topic_id), partitions)| FetchTopic {
            topic: String::from(topic),
            topic_id,
            partitions,
            ..Default::default()
        };
        request.topics = topics.into_iter().map(topic).collect();
        let mut gone: BTreeMap<(&str, Uuid), Vec<i32>> = BTreeMap::new();
        for ((topic, partition), known) in self
            .known
            .iter()
            .filter(|(place, _)| !wanted.contains_key(*place))
        {
            let topic = (&**topic, known.topic_id);
            gone.entry(topic).or_default().push(*partition);
        }
        let topic = |((topic, topic_id), partitions)| ForgottenTopic {
            topic: String::from(topic),
            topic_id,
            partitions,
            ..Default::default()
        };
        request.forgotten_topics_data = gone.into_iter().map(topic).collect();
        self.asked = wanted.clone();
    }

    /// The answer came. False: the broker has forgotten the session; ask again, and a new one begins.
    pub fn answered(&mut self, error: ErrorCode, id: i32) -> bool {
        match error.code() {
            Some(Code::None) => {
                self.known = mem::take(&mut self.asked);
                // A broker without room for sessions gives 0, and is asked in full each time.
                self.epoch = if id == 0 {
                    0
                } else {
                    self.epoch.checked_add(1).unwrap_or(1)
                };
                self.id = id;
                true
            }
            Some(Code::FetchSessionIdNotFound | Code::FetchSessionTopicIdError) => {
                *self = Session::default();
                false
            }
            Some(Code::InvalidFetchSessionEpoch) => {
                // Epoch 0 with the id ends the session that we lost count of.
                self.lost();
                false
            }
            _ => {
                self.lost();
                true
            }
        }
    }

    /// No answer came: what the broker remembers is not known.
    pub fn lost(&mut self) {
        self.epoch = 0;
        self.known.clear();
        self.asked.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(places: &[(i32, i64)]) -> BTreeMap<Place, Wanted> {
        let place = |(partition, offset): &(i32, i64)| {
            let wanted = Wanted {
                topic_id: Uuid::ZERO,
                offset: *offset,
                leader_epoch: 0,
                bytes: 1,
            };
            ((Arc::from("t"), *partition), wanted)
        };
        places.iter().map(place).collect()
    }

    /// Session id, epoch, partitions named, partitions forgotten.
    fn asked(session: &mut Session, places: &[(i32, i64)]) -> (i32, i32, Vec<i32>, Vec<i32>) {
        let mut request = FetchRequest::default();
        session.ask(&wanted(places), &mut request);
        let named = request.topics.iter().flat_map(|topic| &topic.partitions);
        let gone = request
            .forgotten_topics_data
            .iter()
            .flat_map(|topic| &topic.partitions);
        (
            request.session_id,
            request.session_epoch,
            named.map(|partition| partition.partition).collect(),
            gone.copied().collect(),
        )
    }

    #[test]
    fn only_what_changed_is_named_kip_227() {
        let mut session = Session::default();
        assert_eq!(
            asked(&mut session, &[(0, 5), (1, 5)]),
            (0, 0, vec![0, 1], vec![])
        );
        assert!(session.answered(ErrorCode::NONE, 77));
        assert_eq!(
            asked(&mut session, &[(0, 5), (1, 9)]),
            (77, 1, vec![1], vec![])
        );
        assert!(session.answered(ErrorCode::NONE, 77));
        assert_eq!(
            asked(&mut session, &[(1, 9), (2, 0)]),
            (77, 2, vec![2], vec![0])
        );
        assert!(session.answered(ErrorCode::NONE, 77));
        assert_eq!(
            asked(&mut session, &[(1, 9), (2, 0)]),
            (77, 3, vec![], vec![])
        );
    }

    #[test]
    fn what_is_named_and_what_is_forgotten_has_the_id_of_its_topic_kip_516() {
        let id = Uuid::from_u128(7);
        let mut session = Session::default();
        let mut places = wanted(&[(0, 5), (1, 5)]);
        for wanted in places.values_mut() {
            wanted.topic_id = id;
        }
        let mut request = FetchRequest::default();
        session.ask(&places, &mut request);
        let named: Vec<_> = request.topics.iter().map(|topic| topic.topic_id).collect();
        assert_eq!(named, [id]);
        assert!(session.answered(ErrorCode::NONE, 77));
        places.pop_last();
        session.ask(&places, &mut request);
        let forgotten = request.forgotten_topics_data.iter();
        let forgotten: Vec<_> = forgotten.map(|topic| topic.topic_id).collect();
        assert_eq!((request.topics.len(), forgotten), (0, vec![id]));
    }

    #[test]
    fn a_broker_without_room_for_sessions_is_asked_in_full() {
        let mut session = Session::default();
        for _ in 0..3 {
            assert_eq!(asked(&mut session, &[(0, 5)]), (0, 0, vec![0], vec![]));
            assert!(session.answered(ErrorCode::NONE, 0));
        }
    }

    #[test]
    fn a_session_that_is_gone_or_in_doubt_begins_anew_and_in_full() {
        let mut session = Session::default();
        asked(&mut session, &[(0, 5)]);
        session.answered(ErrorCode::NONE, 77);
        asked(&mut session, &[(0, 6)]);
        assert!(!session.answered(Code::FetchSessionIdNotFound.into(), 0));
        assert_eq!(asked(&mut session, &[(0, 6)]), (0, 0, vec![0], vec![]));
        session.answered(ErrorCode::NONE, 78);
        asked(&mut session, &[(0, 7)]);
        session.lost();
        assert_eq!(asked(&mut session, &[(0, 7)]), (78, 0, vec![0], vec![]));
        assert!(!session.answered(Code::InvalidFetchSessionEpoch.into(), 0));
        assert_eq!(asked(&mut session, &[(0, 7)]), (78, 0, vec![0], vec![]));
    }
}
