//! What concerns many topics is one request, however many they are: a client that asks for each by itself is slow wherever the
//! broker is not next to it. Counted by the node, so that no clock decides.

use std::collections::BTreeSet;
use std::sync::Arc;

use sawlog_broker::memory::{ApiKey, Code, Fault, Node};
use sawlog_client::{
    Assignment, At, Client, ConfigChange, Mode, NewTopic, Place, Record, Resource,
};

use crate::story;

const TOPICS: usize = 100;

fn name(number: usize) -> String {
    format!("t{number:03}")
}

fn names() -> Vec<String> {
    (0..TOPICS).map(name).collect()
}

/// A node with a hundred topics, one record in each, and a client that has heard of none of them.
async fn node_of_many() -> (Node, Client) {
    let node = Node::start().await.unwrap();
    let kafka = Client::connect(&node.brokers()).await.unwrap();
    let topics = names().iter().map(|name| NewTopic::new(name)).collect();
    for (_, made) in kafka.create_topics(topics).await.unwrap() {
        made.unwrap();
    }
    let producer = kafka.producer().await.unwrap();
    for name in names() {
        let value = name.clone();
        producer.send(Record::to(name).value(value)).await.unwrap();
    }
    let stranger = Client::connect(&node.brokers()).await.unwrap();
    (node, stranger)
}

#[test]
fn a_consumer_of_a_hundred_topics_asks_for_all_of_them_at_once() {
    story(async {
        let (node, kafka) = node_of_many().await;
        let asked = |key| node.requests(key);
        let (metadata, offsets) = (asked(ApiKey::Metadata), asked(ApiKey::ListOffsets));
        let all = names();
        let all = all.iter().map(|name| Assignment::new(&**name, 0).until(1));
        let mut consumer = kafka.assign(all).await.unwrap();
        assert_eq!(asked(ApiKey::Metadata) - metadata, 1);
        assert_eq!(asked(ApiKey::ListOffsets) - offsets, 1);
        let mut seen = BTreeSet::new();
        while let Some(batch) = consumer.next_batch().await.unwrap() {
            for message in batch.messages {
                assert_eq!(message.value.as_deref(), Some(batch.topic.as_bytes()));
                seen.insert(batch.topic.to_string());
            }
        }
        assert!(seen.into_iter().eq(names()), "each by its own name");
    });
}

#[test]
fn readers_of_many_topics_look_for_new_leaders_in_one_request() {
    story(async {
        let (node, kafka) = node_of_many().await;
        // Every partition of the first answer is refused.
        let refused = Fault::on(ApiKey::Fetch).with(Code::NotLeaderOrFollower);
        let refused = node.fail(refused);
        let before = node.requests(ApiKey::Metadata);
        let all = names();
        let all = all.iter().map(|name| Assignment::new(&**name, 0).until(1));
        let mut consumer = kafka.assign(all).await.unwrap();
        let mut records = 0;
        while let Some(batch) = consumer.next_batch().await.unwrap() {
            records += batch.messages.len();
        }
        assert_eq!(records, TOPICS);
        let asked = node.requests(ApiKey::Metadata) - before;
        assert_eq!((refused.met(), asked), (1, 2), "at the start and then");
    });
}

#[test]
fn offsets_settings_and_trims_of_many_topics_are_one_request_each_and_a_result_for_each() {
    story(async {
        let (node, kafka) = node_of_many().await;
        let mut places: Vec<Place> = names().iter().map(|name| (Arc::from(&**name), 0)).collect();
        places.push((Arc::from("none"), 0));
        let asked = || {
            let keys = [
                ApiKey::ListOffsets,
                ApiKey::DeleteRecords,
                ApiKey::DescribeConfigs,
                ApiKey::IncrementalAlterConfigs,
            ];
            keys.map(|key| node.requests(key))
        };
        let before = asked();
        let wanted: Vec<_> = places
            .iter()
            .map(|place| (place.clone(), At::Latest))
            .collect();
        let ends = kafka.offsets(&wanted).await;
        let refused = ends.iter().filter(|(_, end)| end.is_err()).count();
        assert_eq!((ends.len(), refused), (TOPICS + 1, 1));
        let trims: Vec<_> = places.iter().map(|place| (place.clone(), 1)).collect();
        let trimmed = kafka.delete_records(&trims).await;
        assert_eq!(
            trimmed.values().filter(|low| matches!(low, Ok(1))).count(),
            TOPICS
        );
        let all = names().into_iter().chain(["none".to_owned(), name(0)]);
        let all: Vec<Resource> = all.map(Resource::Topic).collect();
        let found = kafka.describe_configs(&all).await;
        let told: Vec<&Resource> = found.iter().map(|(resource, _)| resource).collect();
        assert!(
            told.into_iter().eq(&all),
            "in their order, one of them twice"
        );
        assert_eq!(
            found.iter().filter(|(_, configs)| configs.is_err()).count(),
            1
        );
        let set = |value: &str| vec![ConfigChange::Set("retention.ms".into(), value.into())];
        let mut changes: Vec<_> = all.iter().map(|one| (one.clone(), set("1000"))).collect();
        changes.push((all[0].clone(), set("2000")));
        let done = kafka.alter_configs(&changes, Mode::Do).await;
        assert_eq!(done.iter().filter(|(_, done)| done.is_err()).count(), 1);
        let found = kafka.describe_configs(&all[..1]).await;
        let configs = found[0].1.as_ref().unwrap();
        let retention = configs.iter().find(|config| config.name == "retention.ms");
        assert_eq!(
            retention.unwrap().value.as_deref(),
            Some("2000"),
            "the last word"
        );
        let after = asked();
        let more: Vec<u64> = after
            .iter()
            .zip(before)
            .map(|(after, before)| after - before)
            .collect();
        // A topic that is named three times is changed in three requests, in that order.
        assert_eq!(more, [1, 1, 2, 3]);
    });
}
