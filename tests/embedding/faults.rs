//! Faults of a node in memory, and what our client makes of each: what may be tried again is, what was stored and not
//! answered is stored once, and what cannot be is told.

use std::time::Duration;

use sawlog_broker::memory::{ApiKey, Code, Fault, Node};
use sawlog_client::{
    Acks, Assignment, At, Client, ConfigChange, Kind, Mode, NewTopic, Outcome, Record, Resource,
};

use crate::{client, send, story, values};

fn record(partition: i32, value: &'static str) -> Record {
    Record::to("orders").partition(partition).value(value)
}

#[test]
fn a_refusal_that_may_be_tried_again_is_and_the_node_never_heard_of_it() {
    story(async {
        let node = Node::start().await.unwrap();
        let kafka = client(&node).await;
        let refused = Fault::on(ApiKey::Produce).with(Code::NotLeaderOrFollower);
        let refused = node.fail(refused.times(2));
        assert_eq!(send(&kafka, "once").await, 0);
        assert_eq!((refused.met(), node.requests(ApiKey::Produce)), (2, 3));
        assert_eq!(values(&kafka).await, ["once"]);
    });
}

#[test]
fn a_refusal_for_good_gives_the_record_back_not_written() {
    story(async {
        let node = Node::start().await.unwrap();
        let kafka = client(&node).await;
        node.fail(Fault::on(ApiKey::Produce).with(Code::TopicAuthorizationFailed));
        let producer = kafka.producer().await.unwrap();
        let unsent = producer.send(record(0, "x")).await.unwrap_err();
        assert_eq!(unsent.error.code(), Some(Code::TopicAuthorizationFailed));
        assert_eq!(unsent.outcome, Outcome::NotWritten);
        assert_eq!(node.requests(ApiKey::Produce), 1);
        assert_eq!(values(&kafka).await, [""; 0]);
    });
}

#[test]
fn a_refusal_is_told_in_the_brokers_words_and_each_record_whose_fault_it_is_kip_467() {
    story(async {
        let node = Node::start().await.unwrap();
        let kafka = client(&node).await;
        let bound = [("message.timestamp.before.max.ms", "60000")];
        let set = |(key, value): (&str, &str)| ConfigChange::Set(key.into(), value.into());
        let orders = Resource::Topic("orders".to_owned());
        let changes = [(orders, bound.map(set).to_vec())];
        for (_, done) in kafka.alter_configs(&changes, Mode::Do).await {
            done.unwrap();
        }
        let producer = kafka
            .producer()
            .linger(Duration::from_secs(60))
            .await
            .unwrap();
        let mut tickets = Vec::new();
        for record in [
            record(0, "a"),
            record(0, "b").timestamp(1_000),
            record(0, "c"),
        ] {
            tickets.push(producer.enqueue(record).await.unwrap());
        }
        producer.flush().await;
        let why = "its time is 1000, the bound ";
        let whose = "another record of its batch is at fault: its time is 1000, ";
        for (ticket, said) in tickets.into_iter().zip([whose, why, whose]) {
            let unsent = ticket.await.unwrap_err();
            assert_eq!(unsent.error.code(), Some(Code::InvalidTimestamp));
            assert_eq!(unsent.outcome, Outcome::NotWritten);
            let told = unsent.error.reason();
            let place = format!("orders partition 0: {said}");
            assert!(told.starts_with(&place), "{told}");
        }
        assert_eq!(values(&kafka).await, [""; 0]);
    });
}

#[test]
fn offsets_are_asked_for_again_as_long_as_a_call_may_take() {
    story(async {
        let node = Node::start().await.unwrap();
        let kafka = client(&node).await;
        send(&kafka, "a").await;
        let fault = Fault::on(ApiKey::ListOffsets).with(Code::NotLeaderOrFollower);
        let met = node.fail(fault.times(3));
        assert_eq!(kafka.offset("orders", 0, At::Latest).await.unwrap(), 1);
        assert_eq!(met.met(), 3);
        // What will be no other is told at once.
        let refused = Fault::on(ApiKey::ListOffsets).with(Code::TopicAuthorizationFailed);
        let met = node.fail(refused.always());
        let error = kafka.offset("orders", 0, At::Latest).await.unwrap_err();
        assert_eq!(error.code(), Some(Code::TopicAuthorizationFailed));
        assert_eq!(met.met(), 1);
        met.lift();
        // What is never another is told when its time is over.
        let limit = Duration::from_secs(2);
        let hasty = Client::builder(&node.brokers()).call_timeout(limit);
        let hasty = hasty.connect().await.unwrap();
        let refused = Fault::on(ApiKey::ListOffsets).with(Code::OffsetNotAvailable);
        let met = node.fail(refused.always());
        let error = hasty.offset("orders", 0, At::Latest).await.unwrap_err();
        assert_eq!(error.code(), Some(Code::OffsetNotAvailable));
        assert!(met.met() > 1, "{}", met.met());
    });
}

#[test]
fn a_client_counts_its_requests_their_answers_and_those_that_were_lost() {
    story(async {
        let node = Node::start().await.unwrap();
        let kafka = client(&node).await;
        send(&kafka, "a").await;
        let before = kafka.metrics();
        assert_eq!(before.connections, 2, "calls and records have one each");
        assert_eq!(before.requests["Produce"].answered.count(), 1);
        assert_eq!(before.requests["Produce"].lost, 0);
        let answered = &before.requests["CreateTopics"].answered;
        assert!(answered.max() > Duration::ZERO && answered.quantile(0.5) <= answered.max());
        assert!(before.received_bytes > 0);
        // The first attempt ends with its connection, the second is answered.
        node.fail(Fault::on(ApiKey::Produce).closed());
        send(&kafka, "b").await;
        let after = kafka.metrics();
        assert_eq!(after.connections, 3);
        assert_eq!(after.requests["Produce"].answered.count(), 2);
        assert_eq!(after.requests["Produce"].lost, 1);
        assert_eq!(kafka.clone().metrics(), after, "clones share them");
    });
}

/// Sends three records, of which the second meets a fault after it was stored; each must be there once.
fn stored_once(fault: Fault) {
    story(async {
        let node = Node::start().await.unwrap();
        let kafka = Client::builder(&node.brokers()).request_timeout(Duration::from_secs(2));
        let kafka = kafka.connect().await.unwrap();
        kafka
            .create_topics(vec![NewTopic::new("orders")])
            .await
            .unwrap();
        let producer = kafka.producer().await.unwrap();
        producer.send(record(0, "a")).await.unwrap();
        let met = node.fail(fault.clone());
        producer.send(record(0, "b")).await.unwrap();
        producer.send(record(0, "c")).await.unwrap();
        assert_eq!(
            (met.met(), node.requests(ApiKey::Produce)),
            (1, 4),
            "{fault:?}"
        );
        assert_eq!(values(&kafka).await, ["a", "b", "c"], "{fault:?}");
    });
}

#[test]
fn a_record_whose_answer_is_lost_or_lies_is_sent_again_and_stored_once() {
    stored_once(Fault::on(ApiKey::Produce).lost());
    stored_once(Fault::on(ApiKey::Produce).applied_closed());
    stored_once(Fault::on(ApiKey::Produce).applied_with(Code::RequestTimedOut));
    stored_once(Fault::on(ApiKey::Produce).topic("orders").lost());
    stored_once(Fault::on(ApiKey::Produce).closed());
    stored_once(Fault::on(ApiKey::Produce).partition("orders", 0).closed());
}

#[test]
fn without_numbers_a_record_whose_answer_is_lost_is_given_back_as_unknown() {
    story(async {
        let node = Node::start().await.unwrap();
        let kafka = client(&node).await;
        node.fail(Fault::on(ApiKey::Produce).applied_closed());
        let producer = kafka.producer().acks(Acks::Leader).await.unwrap();
        let unsent = producer.send(record(0, "x")).await.unwrap_err();
        assert_eq!(unsent.outcome, Outcome::Unknown);
        assert_eq!(values(&kafka).await, ["x"], "it was stored");
    });
}

#[test]
fn a_fault_of_one_partition_leaves_the_others_of_the_same_request_alone() {
    story(async {
        let node = Node::start().await.unwrap();
        let kafka = Client::connect(&node.brokers()).await.unwrap();
        let two = NewTopic::new("orders").partitions(2);
        kafka.create_topics(vec![two]).await.unwrap();
        let producer = kafka
            .producer()
            .linger(Duration::from_millis(50))
            .await
            .unwrap();
        let only = Fault::on(ApiKey::Produce).partition("orders", 1);
        let met = node.fail(only.with(Code::InvalidRecord));
        // Taken before either is sent, they go in one request.
        let good = producer.enqueue(record(0, "good")).await.unwrap();
        let bad = producer.enqueue(record(1, "bad")).await.unwrap();
        assert_eq!(good.await.unwrap().offset, 0);
        assert_eq!(
            bad.await.unwrap_err().error.code(),
            Some(Code::InvalidRecord)
        );
        assert_eq!(met.met(), 1);
        assert_eq!(kafka.offset("orders", 1, At::Latest).await.unwrap(), 0);
        // Another partition's requests are not met at all.
        let met = node.fail(Fault::on(ApiKey::Produce).partition("orders", 1).closed());
        producer.send(record(0, "more")).await.unwrap();
        assert_eq!(met.met(), 0);
        met.lift();
        producer.send(record(1, "good")).await.unwrap();
    });
}

#[test]
fn a_consumer_goes_on_after_refusals_lost_answers_and_broken_connections_without_loss_or_repetition()
 {
    story(async {
        let node = Node::start().await.unwrap();
        let kafka = Client::builder(&node.brokers()).request_timeout(Duration::from_secs(1));
        let kafka = kafka.connect().await.unwrap();
        kafka
            .create_topics(vec![NewTopic::new("orders")])
            .await
            .unwrap();
        for value in ["a", "b", "c"] {
            send(&kafka, value).await;
        }
        for fault in [
            Fault::on(ApiKey::Fetch)
                .with(Code::NotLeaderOrFollower)
                .times(2),
            Fault::on(ApiKey::Fetch)
                .topic("orders")
                .with(Code::UnknownLeaderEpoch),
            Fault::on(ApiKey::Fetch).applied_with(Code::KafkaStorageError),
            Fault::on(ApiKey::Fetch).closed(),
            Fault::on(ApiKey::Fetch).applied_closed(),
            Fault::on(ApiKey::Fetch).lost(),
        ] {
            let said = format!("{fault:?}");
            let met = node.fail(fault);
            assert_eq!(values(&kafka).await, ["a", "b", "c"], "{said}");
            assert!(met.met() > 0, "{said}");
        }
        let busy = Fault::on(ApiKey::Metadata).topic("orders");
        let busy = node.fail(busy.with(Code::LeaderNotAvailable).times(2));
        assert_eq!(kafka.partitions("orders").await.unwrap(), [0]);
        assert_eq!(busy.met(), 2);
    });
}

#[test]
fn a_consumer_is_told_what_cannot_be_tried_again() {
    story(async {
        let node = Node::start().await.unwrap();
        let kafka = client(&node).await;
        send(&kafka, "a").await;
        let denied = Fault::on(ApiKey::Fetch)
            .topic("orders")
            .with(Code::TopicAuthorizationFailed);
        node.fail(denied.always());
        let all = sawlog_client::Assignment::new("orders", 0);
        let mut consumer = kafka.assign([all]).await.unwrap();
        let error = consumer.next_batch().await.unwrap_err();
        assert_eq!(error.code(), Some(Code::TopicAuthorizationFailed));
        node.heal();
        assert_eq!(values(&kafka).await, ["a"]);
    });
}

#[test]
fn commands_that_are_refused_change_nothing_and_those_that_lie_have_changed_it() {
    story(async {
        let node = Node::start().await.unwrap();
        let kafka = Client::connect(&node.brokers()).await.unwrap();
        let made = async || {
            let topic = NewTopic::new("orders");
            let made = kafka.create_topics(vec![topic]).await.unwrap();
            made.into_iter()
                .next()
                .unwrap()
                .1
                .map_err(|error| error.code())
        };
        let there = async || {
            let known = kafka.metadata(None).await.unwrap();
            known.topics.contains_key("orders")
        };
        node.fail(
            Fault::on(ApiKey::CreateTopics)
                .topic("orders")
                .with(Code::PolicyViolation),
        );
        assert_eq!(made().await, Err(Some(Code::PolicyViolation)));
        assert!(!there().await);
        node.fail(
            Fault::on(ApiKey::CreateTopics)
                .topic("other")
                .with(Code::PolicyViolation),
        );
        node.fail(Fault::on(ApiKey::CreateTopics).applied_with(Code::PolicyViolation));
        assert_eq!(made().await, Err(Some(Code::PolicyViolation)));
        assert!(there().await);
    });
}

#[test]
fn a_fault_of_one_client_does_not_meet_another() {
    story(async {
        let node = Node::start().await.unwrap();
        let kafka = client(&node).await;
        let met = node.fail(
            Fault::on(ApiKey::Produce)
                .client("victim")
                .with(Code::InvalidRecord),
        );
        send(&kafka, "mine").await;
        let victim = Client::builder(&node.brokers()).client_id("victim");
        let producer = victim.connect().await.unwrap().producer().await.unwrap();
        let unsent = producer.send(record(0, "x")).await.unwrap_err();
        assert_eq!(unsent.error.code(), Some(Code::InvalidRecord));
        assert_eq!(met.met(), 1);
    });
}

#[test]
fn an_answer_that_is_late_comes_when_the_nodes_clock_says_so() {
    story(async {
        let node = Node::builder().paused().start().await.unwrap();
        let kafka = client(&node).await;
        let late = Fault::on(ApiKey::Produce).late(Duration::from_secs(3600));
        let late = node.fail(late);
        let producer = kafka.producer().await.unwrap();
        let mut sent = Box::pin(producer.send(record(0, "x")));
        // Stored long before the answer comes.
        tokio::select! {
            biased;
            sent = &mut sent => panic!("{sent:?}"),
            () = async { while kafka.offset("orders", 0, At::Latest).await.unwrap() == 0 {} } => {}
        }
        assert_eq!(late.met(), 1);
        node.clock().advance(Duration::from_millis(3_599_999)).await;
        assert!(!is_over(&mut sent).await);
        node.clock().advance(Duration::from_millis(1)).await;
        assert_eq!(sent.await.unwrap().offset, 0);
    });
}

#[test]
fn where_every_answer_is_late_all_of_them_come() {
    story(async {
        let late = Duration::from_millis(20);
        let node = Node::builder().paused().latency(late);
        let node = node.start().await.unwrap();
        // Everything is late; the clock is pushed on until it has come.
        let pushed = async {
            loop {
                node.clock().advance(late).await;
                tokio::task::yield_now().await;
            }
        };
        let work = async {
            let kafka = client(&node).await;
            send(&kafka, "x").await;
            values(&kafka).await
        };
        let values = tokio::select! {
            () = pushed => unreachable!("it never ends"),
            values = work => values,
        };
        assert_eq!(values, ["x"]);
    });
}

#[test]
fn a_refusal_that_lasts_is_told_to_who_reads_and_the_other_partitions_go_on() {
    story(async {
        let node = Node::start().await.unwrap();
        let limit = Duration::from_secs(2);
        let kafka = Client::builder(&node.brokers()).call_timeout(limit);
        let kafka = kafka.connect().await.unwrap();
        let topic = NewTopic::new("orders").partitions(2);
        for (_, made) in kafka.create_topics(vec![topic]).await.unwrap() {
            made.unwrap();
        }
        let producer = kafka.producer().await.unwrap();
        producer.send(record(0, "x")).await.unwrap();
        let fails = Fault::on(ApiKey::Fetch).partition("orders", 0);
        let fails = fails.with(Code::KafkaStorageError).always();
        let fails = node.fail(fails);
        let both = [0, 1].map(|partition| Assignment::new("orders", partition));
        let mut consumer = kafka.assign(both).await.unwrap();
        let error = consumer.next_batch().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::TimedOut, Some(Code::KafkaStorageError))
        );
        assert!(error.is_retriable() && !error.is_fatal(), "{error}");
        // It was tried again before.
        assert!(fails.met() > 2, "{}", fails.met());
        producer.send(record(1, "y")).await.unwrap();
        let batch = consumer.next_batch().await.unwrap().unwrap();
        assert_eq!((batch.partition, batch.messages.len()), (1, 1));
    });
}

/// Whether something is over after the machine had time to do what was left of it.
async fn is_over<T>(future: &mut (impl Future<Output = T> + Unpin)) -> bool {
    for _ in 0..100 {
        let pending = tokio::task::yield_now();
        tokio::select! {
            biased;
            _ = &mut *future => return true,
            () = pending => {}
        }
    }
    false
}

#[test]
fn a_bootstrap_that_is_refused_is_told_with_its_code() {
    story(async {
        let node = Node::start().await.unwrap();
        node.fail(
            Fault::on(ApiKey::Metadata)
                .with(Code::ClusterAuthorizationFailed)
                .always(),
        );
        let error = Client::connect(&node.brokers()).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Refused, Some(Code::ClusterAuthorizationFailed))
        );
    });
}
