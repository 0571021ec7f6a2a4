//! A view reads what the owned message reads, whatever the bytes are, and allocates nothing.
//! Oracle: the owned message, on requests as drawn, with a byte changed, and cut; allocations are counted (#128).

#[path = "../fuzz/counting.rs"]
mod counting;

#[global_allocator]
static COUNTING: counting::Counting = counting::Counting;

use bytes::Bytes;
use sawlog_wire::{
    ApiKey, Message, Reader, RequestHeader, Uuid, Writer,
    messages::{FetchRequest, ProduceRequest, fetch, produce},
    random::Dice,
    registry::{self, Kind},
    views::{FetchView, FirstBatch, ProduceView, TopicKey},
};

fn samples(key: ApiKey, mut check: impl FnMut(Bytes, i16)) {
    let wanted = |entry: &registry::Entry| entry.kind == Kind::Request(key.number());
    let entry = registry::all().find(wanted).expect("a key of this crate");
    let mut dice = Dice::new(11);
    for version in entry.versions.iter() {
        for _ in 0..300 {
            let bytes = (entry.sample)(&mut dice, version);
            check(bytes.clone(), version);
            // The same with a byte changed, or cut.
            let mut damaged = bytes.to_vec();
            let at = dice.below(damaged.len() as u64) as usize;
            damaged.splice(at..=at, [dice.next() as u8]);
            check(damaged.clone().into(), version);
            damaged.truncate(at);
            check(damaged.into(), version);
        }
    }
}

fn key(name: &str, id: Uuid, version: i16) -> TopicKey<'_> {
    if version >= 13 {
        TopicKey::Id(id)
    } else {
        TopicKey::Name(name)
    }
}

#[test]
fn a_produce_view_reads_what_the_message_reads() {
    samples(ApiKey::Produce, |bytes, version| {
        let owned = ProduceRequest::decode_all(Reader::of(&bytes), version);
        let view = ProduceView::decode(Reader::of(&bytes), version);
        let (owned, view) = match (owned, view) {
            (Ok(owned), Ok(view)) => (owned, view),
            (Err(_), Err(_)) => return,
            (owned, view) => panic!("{owned:?} is not {view:?}: {bytes:?} in version {version}"),
        };
        assert_eq!(owned.transactional_id.as_deref(), view.transactional_id);
        assert_eq!((owned.acks, owned.timeout_ms), (view.acks, view.timeout_ms));
        assert_eq!(owned.topic_data.len(), view.topics.len());
        for (owned, view) in owned.topic_data.iter().zip(&view.topics) {
            assert_eq!(key(&owned.name, owned.topic_id, version), view.topic);
            assert_eq!(owned.partition_data.len(), view.partitions.iter().len());
            for (owned, view) in owned.partition_data.iter().zip(&view.partitions) {
                let produce::PartitionProduceData { index, records, .. } = owned;
                assert_eq!(*index, view.index);
                assert_eq!(
                    records.clone().map(|pieces| pieces.into_bytes()),
                    view.payload().ok()
                );
            }
        }
    });
}

#[test]
fn the_first_batches_are_found_before_the_rest_of_their_request_has_come() {
    let mut found = 0;
    samples(ApiKey::Produce, |bytes, version| {
        let Ok(view) = ProduceView::decode(Reader::of(&bytes), version) else {
            return;
        };
        let mut writer = Writer::new();
        let header = RequestHeader {
            key: ApiKey::Produce.number(),
            version,
            correlation_id: 7,
            client_id: Some("somebody"),
        };
        header.encode(&mut writer).unwrap();
        writer.slice(&bytes);
        let frame = writer.finish().into_bytes();
        let mut topics = view.topics.iter();
        let first = topics.next().and_then(|topic| {
            let partition = topic.partitions.iter().next()?;
            Some((topic.topic, partition.index, partition.records?))
        });
        let Some((topic, index, records)) = first else {
            return;
        };
        let at = FirstBatch::find(&frame).unwrap().at;
        let first = FirstBatch { topic, index, at };
        assert!(frame[at..].starts_with(records), "{version}");
        for len in 0..frame.len().min(at + 100) {
            let begun = FirstBatch::find(&frame[..len]);
            assert_eq!(begun, (len >= at).then_some(first), "{len} bytes");
        }
        found += 1;
    });
    assert!(found > 500, "only {found} found");
}

#[test]
fn a_fetch_view_reads_what_the_message_reads() {
    samples(ApiKey::Fetch, |bytes, version| {
        let owned = FetchRequest::decode_all(Reader::of(&bytes), version);
        let view = FetchView::decode(Reader::of(&bytes), version);
        let (owned, view) = match (owned, view) {
            (Ok(owned), Ok(view)) => (owned, view),
            (Err(_), Err(_)) => return,
            (owned, view) => panic!("{owned:?} is not {view:?}: {bytes:?} in version {version}"),
        };
        let replica = match version {
            ..15 => (owned.replica_id, -1),
            _ => (
                owned.replica_state.replica_id,
                owned.replica_state.replica_epoch,
            ),
        };
        assert_eq!(owned.cluster_id.as_deref(), view.cluster_id);
        assert_eq!(replica, (view.replica_id, view.replica_epoch));
        assert_eq!(owned.max_wait_ms, view.max_wait_ms);
        assert_eq!(
            (owned.min_bytes, owned.max_bytes),
            (view.min_bytes, view.max_bytes)
        );
        assert_eq!(owned.isolation_level, view.isolation_level);
        assert_eq!(
            (owned.session_id, owned.session_epoch),
            (view.session_id, view.session_epoch)
        );
        assert_eq!(owned.rack_id, view.rack_id);
        assert_eq!(owned.topics.len(), view.topics.iter().count());
        for (owned, view) in owned.topics.iter().zip(&view.topics) {
            assert_eq!(key(&owned.topic, owned.topic_id, version), view.topic);
            assert_eq!(owned.partitions.len(), view.partitions.iter().count());
            for (owned, view) in owned.partitions.iter().zip(&view.partitions) {
                let read = fetch::FetchPartition {
                    partition: view.index,
                    current_leader_epoch: view.current_leader_epoch,
                    fetch_offset: view.fetch_offset,
                    last_fetched_epoch: view.last_fetched_epoch,
                    log_start_offset: view.log_start_offset,
                    partition_max_bytes: view.partition_max_bytes,
                    replica_directory_id: view.replica_directory_id,
                    high_watermark: view.high_watermark,
                    unknown: owned.unknown.clone(),
                };
                assert_eq!(*owned, read);
            }
        }
        assert_eq!(
            owned.forgotten_topics_data.len(),
            view.forgotten.iter().count()
        );
        for (owned, view) in owned.forgotten_topics_data.iter().zip(&view.forgotten) {
            assert_eq!(key(&owned.topic, owned.topic_id, version), view.topic);
            assert!(owned.partitions.iter().copied().eq(&view.partitions));
        }
    });
}

#[test]
fn walking_a_view_allocates_nothing() {
    let mut walked = 0;
    samples(ApiKey::Produce, |bytes, version| {
        // The first clone of a frame makes it shared, once; after that slices are free.
        let _shared = bytes.clone();
        let ((), claimed) = counting::peak_of(|| {
            let Ok(view) = ProduceView::decode(Reader::of(&bytes), version) else {
                return;
            };
            for partition in view.topics.iter().flat_map(|topic| topic.partitions.iter()) {
                walked += partition.payload().map_or(0, |payload| payload.len());
            }
        });
        assert_eq!(claimed, 0);
    });
    samples(ApiKey::Fetch, |bytes, version| {
        let ((), claimed) = counting::peak_of(|| {
            let Ok(view) = FetchView::decode(Reader::of(&bytes), version) else {
                return;
            };
            walked += view
                .topics
                .iter()
                .map(|topic| topic.partitions.iter().count())
                .sum::<usize>();
        });
        assert_eq!(claimed, 0);
    });
    assert!(walked > 10_000, "only {walked} walked");
}
