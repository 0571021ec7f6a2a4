//! `sawlog-client` against the real broker, over real sockets: topics, records both ways, offsets, and what is said when a
//! broker is silent, talks nonsense, dies, or does not have what was asked for. With SAWLOG_CLIENT_AGAINST=kafka the same
//! stories run against Apache Kafka.

mod peer;

use std::future::poll_fn;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_core::Stream;
use futures_sink::Sink;
use sawlog_client::{
    Acks, Assignment, At, Batch, Client, Compression, Error, Kind, Message, NewTopic, Outcome,
    Record, TimeOf,
};
use tests::broker::PATIENCE;

use peer::Peer;

/// Long enough for a busy machine to connect, short enough to wait for.
const SOON: Duration = Duration::from_secs(2);

fn run<F: Future>(story: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            tokio::time::timeout(PATIENCE, story)
                .await
                .expect("the story hangs")
        })
}

async fn connect(address: SocketAddr) -> Client {
    Client::builder(&address.to_string())
        .client_id("it")
        .connect()
        .await
        .unwrap()
}

/// The messages of a partition between two offsets.
async fn read(
    kafka: &Client,
    topic: &str,
    partition: i32,
    from: i64,
    until: i64,
) -> Result<Vec<Message>, Error> {
    let place = Assignment::new(topic, partition).from(sawlog_client::Start::Offset(from));
    let mut consumer = kafka.assign([place.until(until)]).await?;
    let mut all = Vec::new();
    while let Some(Batch { messages, .. }) = consumer.next_batch().await? {
        all.extend(messages);
    }
    Ok(all)
}

/// A topic `t` with one partition.
async fn make_t(kafka: &Client) {
    let topics = vec![NewTopic::new("t").partitions(1)];
    assert!(kafka.create_topics(topics).await.unwrap()[0].1.is_ok());
}

/// One that gives up soon, once it is connected.
async fn impatient(address: SocketAddr) -> Client {
    loop {
        let asked = Client::builder(&address.to_string())
            .call_timeout(SOON)
            .connect();
        if let Ok(client) = asked.await {
            return client;
        }
    }
}

#[test]
fn records_come_back_as_they_were_sent_and_offsets_are_found_by_mark_and_by_time() {
    let peer = Peer::begin("client");
    run(async {
        let kafka = connect(peer.address).await;
        let made = kafka
            .create_topics(vec![
                NewTopic::new("orders").partitions(2),
                NewTopic::new("a b"),
            ])
            .await
            .unwrap();
        assert!(made[0].1.is_ok(), "{made:?}");
        let bad = made[1].1.as_ref().unwrap_err();
        assert_eq!(
            bad.code().map(|code| code.name()),
            Some("INVALID_TOPIC_EXCEPTION"),
            "{bad}"
        );
        let known = kafka.metadata(Some(&["orders"])).await.unwrap();
        assert_eq!(known.topics["orders"].partitions.len(), 2);

        let orders = || Record::to("orders").partition(1);
        let sent = [
            orders()
                .value("paid")
                .key("42")
                .header("a", "1")
                .header("a", "2")
                .timestamp(1_000),
            orders().timestamp(2_000),
            orders().value("").key(&b"\xff\x00"[..]).timestamp(3_000),
        ];
        let producer = kafka.producer().await.unwrap();
        let mut tickets = Vec::new();
        for record in &sent {
            tickets.push(producer.enqueue(record.clone()).await.unwrap());
        }
        for (offset, ticket) in (0..).zip(tickets) {
            let at = ticket.await.unwrap();
            assert_eq!((at.partition, at.offset), (1, offset));
        }
        let got = read(&kafka, "orders", 1, 0, 3).await.unwrap();
        assert_eq!(got.len(), 3);
        for ((offset, sent), got) in (0..).zip(&sent).zip(&got) {
            assert_eq!((got.offset, Some(got.timestamp)), (offset, sent.timestamp));
            assert_eq!((got.time_of, got.leader_epoch), (TimeOf::Creation, 0));
            assert_eq!(
                (&got.key, &got.value, &got.headers),
                (&sent.key, &sent.value, &sent.headers)
            );
        }
        let middle = read(&kafka, "orders", 1, 2, 3).await.unwrap();
        assert_eq!(
            middle.len(),
            1,
            "a fetch into a batch gives what was asked for"
        );
        for (at, offset) in [
            (At::Earliest, 0),
            (At::Latest, 3),
            (At::Time(1_500), 1),
            (At::Time(9_000), 3),
        ] {
            assert_eq!(
                kafka.offset("orders", 1, at).await.unwrap(),
                offset,
                "{at:?}"
            );
        }
    });
    peer.stop();
}

#[test]
fn many_calls_share_one_connection_and_each_gets_its_own_answer() {
    let peer = Peer::begin("client-many");
    run(async {
        let kafka = connect(peer.address).await;
        make_t(&kafka).await;
        let producer = kafka.producer().await.unwrap();
        let calls: Vec<_> = (0..200)
            .map(|n| {
                let producer = producer.clone();
                tokio::spawn(async move {
                    (
                        n,
                        producer
                            .send(Record::to("t").value(n.to_string()))
                            .await
                            .unwrap()
                            .offset,
                    )
                })
            })
            .collect();
        let mut places = Vec::new();
        for call in calls {
            places.push(call.await.unwrap());
        }
        let records = read(&kafka, "t", 0, 0, 200).await.unwrap();
        for (n, offset) in places {
            let value = records[usize::try_from(offset).unwrap()].value.clone();
            assert_eq!(
                value.as_deref(),
                Some(n.to_string().as_bytes()),
                "offset {offset}"
            );
        }
    });
    peer.stop();
}

#[test]
fn what_is_not_there_is_an_answer_and_not_a_wait() {
    let peer = Peer::begin("client-absent");
    run(async {
        let kafka = connect(peer.address).await;
        let producer = kafka.producer().await.unwrap();
        let unsent = producer
            .send(Record::to("nowhere").value("x"))
            .await
            .unwrap_err();
        assert_eq!(
            (unsent.error.kind(), unsent.outcome),
            (Kind::Refused, Outcome::NotWritten),
            "{unsent}"
        );
        assert_eq!(unsent.record, Record::to("nowhere").value("x"));
        assert_eq!(
            unsent.error.code().map(|code| code.name()),
            Some("UNKNOWN_TOPIC_OR_PARTITION")
        );
        make_t(&kafka).await;
        assert!(
            read(&kafka, "t", 7, 0, 1)
                .await
                .unwrap_err()
                .code()
                .is_some()
        );
        assert!(producer.send(Record::to("t").partition(7)).await.is_err());
        let beyond = read(&kafka, "t", 0, 99, 100).await.unwrap_err();
        assert_eq!(
            beyond.code().map(|code| code.name()),
            Some("OFFSET_OUT_OF_RANGE"),
            "{beyond}"
        );
    });
    peer.stop();
}

#[test]
fn a_broker_that_dies_leaves_no_call_waiting() {
    let mut peer = Peer::begin("client-dies");
    run(async {
        let kafka = connect(peer.address).await;
        make_t(&kafka).await;
        let producer = kafka.producer().await.unwrap();
        producer
            .send(Record::to("t").value("before"))
            .await
            .unwrap();
        let impatient = impatient(peer.address).await;
        let mut consumer = impatient.assign([Assignment::new("t", 0)]).await.unwrap();
        assert_eq!(
            consumer.next_batch().await.unwrap().unwrap().messages.len(),
            1
        );
        // The next fetch waits at the broker.
        let waiting = tokio::spawn(async move { consumer.next_batch().await.unwrap_err() });
        tokio::task::yield_now().await;
        peer.kill();
        let error = waiting.await.unwrap();
        assert!(
            matches!(error.kind(), Kind::Lost | Kind::Unreachable),
            "{error}"
        );
        assert!(error.is_retriable(), "{error}");

        let tickets = [0, 1, 2].map(|n: i32| {
            let record = Record::to("t").value(n.to_string());
            (n, producer.try_enqueue(record).unwrap())
        });
        let begun = Instant::now();
        let unfinished = producer.close(SOON / 10).await.unwrap_err();
        assert_eq!(unfinished.records, 3);
        assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
        for (n, ticket) in tickets {
            let unsent = ticket.await.unwrap_err();
            let value = unsent.record.value.unwrap();
            assert_eq!(value, n.to_string(), "each record comes back");
        }

        let begun = Instant::now();
        let producer = impatient.producer().delivery_timeout(SOON).await.unwrap();
        let unsent = producer
            .send(Record::to("t").value("after"))
            .await
            .unwrap_err();
        let error = &unsent.error;
        assert!(
            matches!(error.kind(), Kind::Lost | Kind::Unreachable),
            "{error}"
        );
        assert_eq!(unsent.record.value.as_deref(), Some(&b"after"[..]));
        assert!(begun.elapsed() < SOON * 5, "it took {:?}", begun.elapsed());
    });
}

#[test]
fn a_producer_goes_on_over_a_broker_that_dies_and_writes_each_record_once() {
    let mut peer = Peer::begin("client-again");
    run(async {
        let kafka = connect(peer.address).await;
        make_t(&kafka).await;
        let producer = kafka
            .producer()
            .linger(Duration::ZERO)
            .batch_size(400)
            .await
            .unwrap();
        let mut tickets = Vec::new();
        for n in 0..3_000 {
            let record = Record::to("t").value(n.to_string());
            tickets.push(producer.enqueue(record).await.unwrap());
            if n == 1_500 {
                peer.kill_and_start();
            }
        }
        let mut offsets = Vec::new();
        for ticket in tickets {
            offsets.push(ticket.await.unwrap().offset);
        }
        let all = read(&kafka, "t", 0, 0, 3_000).await.unwrap();
        let values: Vec<_> = all
            .iter()
            .map(|message| message.value.clone().unwrap())
            .collect();
        let wanted: Vec<_> = (0..3_000)
            .map(|n| bytes::Bytes::from(n.to_string()))
            .collect();
        assert_eq!(values, wanted, "each once, in order");
        assert_eq!(kafka.offset("t", 0, At::Latest).await.unwrap(), 3_000);
        assert!(
            offsets
                .iter()
                .zip(0..)
                .all(|(offset, n)| *offset == n || *offset == -1)
        );
    });
    peer.stop();
}

#[test]
fn every_codec_key_and_acknowledgement_comes_through() {
    let peer = Peer::begin("client-codecs");
    run(async {
        let kafka = connect(peer.address).await;
        let made = kafka
            .create_topics(vec![NewTopic::new("t").partitions(3)])
            .await
            .unwrap();
        assert!(made[0].1.is_ok());
        let mut sent = 0;
        for codec in Compression::ALL {
            for acks in [Acks::All, Acks::Leader, Acks::None] {
                let producer = kafka
                    .producer()
                    .compression(codec)
                    .acks(acks)
                    .await
                    .unwrap();
                for n in 0..300 {
                    let record = Record::to("t").key(n.to_string()).value(vec![b'x'; n]);
                    // With acks=0 the answer is that it is sent.
                    let _ticket = producer.enqueue(record).await.unwrap();
                    sent += 1;
                }
                producer.close(PATIENCE).await.unwrap();
            }
        }
        let mut parts: [Vec<Message>; 3] = Default::default();
        while parts.iter().map(Vec::len).sum::<usize>() < sent {
            for (partition, part) in (0..).zip(&mut parts) {
                let end = kafka.offset("t", partition, At::Latest).await.unwrap();
                *part = read(&kafka, "t", partition, 0, end).await.unwrap();
            }
        }
        for (partition, part) in (0..).zip(&parts) {
            for message in part {
                let key = message.key.as_deref().unwrap();
                let by_key = sawlog_client::Partitioner::Murmur2.of_key(Some(key), 3);
                assert_eq!(by_key, Some(partition));
                let length: usize = std::str::from_utf8(key).unwrap().parse().unwrap();
                assert_eq!(message.value.as_ref().unwrap().len(), length);
            }
        }
    });
    peer.stop();
}

/// The next item, without a crate of combinators.
async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await
}

#[test]
fn records_go_into_a_sink_and_messages_come_as_a_stream() {
    let peer = Peer::begin("client-stream");
    run(async {
        let kafka = connect(peer.address).await;
        make_t(&kafka).await;
        // Room for some ten records: most of them wait for it.
        let producer = kafka.producer().buffer_memory(1_000).await.unwrap();
        let mut sink = producer.into_sink();
        let record = |n: i64| Record::to("t").value(n.to_string());
        let mut told = Vec::new();
        // There is no partition 7: that record comes back, now or while it waits for room, and the others go on.
        let records = (0..500).map(record);
        let records = records.chain([record(-1).partition(7)]);
        for record in records.chain((500..600).map(record)) {
            while let Err(unsent) = poll_fn(|context| Pin::new(&mut sink).poll_ready(context)).await
            {
                told.push((unsent.record, unsent.outcome));
            }
            if let Err(unsent) = Pin::new(&mut sink).start_send(record) {
                told.push((unsent.record, unsent.outcome));
            }
        }
        poll_fn(|context| Pin::new(&mut sink).poll_close(context))
            .await
            .unwrap();
        assert_eq!(told, [(record(-1).partition(7), Outcome::NotWritten)]);
        assert_eq!(
            kafka.offset("t", 0, At::Latest).await.unwrap(),
            600,
            "closed means written"
        );

        let all = kafka
            .assign([Assignment::new("t", 0).until(600)])
            .await
            .unwrap();
        let mut messages = all.into_stream();
        for n in 0..600 {
            let message = next(&mut messages).await.unwrap().unwrap();
            assert_eq!(
                (message.offset, message.value),
                (n, Some(n.to_string().into()))
            );
        }
        assert!(
            next(&mut messages).await.is_none(),
            "it ends where it was to end"
        );
    });
    peer.stop();
}

/// Reads `t` from its end on, behind two records, until an error says why it goes no further. `meanwhile` happens once
/// it reads.
async fn follow<F: Future<Output = ()>>(kafka: &Client, meanwhile: impl FnOnce() -> F) -> Error {
    make_t(kafka).await;
    let producer = kafka.producer().await.unwrap();
    for value in ["a", "b"] {
        producer.send(Record::to("t").value(value)).await.unwrap();
    }
    let mut consumer = kafka.assign([Assignment::new("t", 0)]).await.unwrap();
    let mut read = Vec::new();
    while read.len() < 2 {
        let batch = consumer.next_batch().await.unwrap().unwrap();
        read.extend(batch.messages.into_iter().map(|message| message.value));
    }
    meanwhile().await;
    let error = consumer.next_batch().await.unwrap_err();
    assert_eq!(
        consumer.next_batch().await.unwrap(),
        None,
        "nothing is left to be read"
    );
    error
}

async fn delete_t(kafka: &Client) {
    let deleted = kafka.delete_topics(&["t"]).await.unwrap();
    assert!(deleted[0].1.is_ok(), "{deleted:?}");
}

#[test]
fn a_topic_that_is_deleted_while_it_is_read_is_an_error_and_no_wait_kip_516() {
    let peer = Peer::begin("client-deleted");
    run(async {
        let (kafka, admin) = (connect(peer.address).await, connect(peer.address).await);
        let error = follow(&kafka, || delete_t(&admin)).await;
        let code = error.code().map(|code| code.name());
        assert_eq!(code, Some("UNKNOWN_TOPIC_OR_PARTITION"), "{error}");
        assert!(error.to_string().contains("was deleted"), "{error}");
    });
    peer.stop();
}

#[test]
fn the_next_topic_of_a_name_is_not_read_by_who_read_the_one_before_kip_516() {
    let peer = Peer::begin("client-replaced");
    run(async {
        let (kafka, admin) = (connect(peer.address).await, connect(peer.address).await);
        let error = follow(&kafka, || async {
            delete_t(&admin).await;
            make_t(&admin).await;
            let producer = admin.producer().await.unwrap();
            // The offset that is waited for is one of this topic too.
            for value in ["A", "B", "C", "D"] {
                producer.send(Record::to("t").value(value)).await.unwrap();
            }
        });
        let error = error.await;
        let code = error.code().map(|code| code.name());
        assert_eq!(code, Some("UNKNOWN_TOPIC_ID"), "{error}");
        assert!(
            error.to_string().contains("another one has its name"),
            "{error}"
        );
        // Who begins anew reads the new one, by the same client.
        let read = read(&kafka, "t", 0, 0, 4).await.unwrap();
        let values = read.into_iter().map(|message| message.value.unwrap());
        assert_eq!(values.collect::<Vec<_>>(), ["A", "B", "C", "D"]);
    });
    peer.stop();
}

#[test]
fn a_record_is_as_large_as_max_request_size_says_and_its_topic_takes() {
    let peer = Peer::begin("client-large");
    run(async {
        let kafka = connect(peer.address).await;
        let large = NewTopic::new("t").config("max.message.bytes", "4000000");
        assert!(
            kafka
                .create_topics(vec![large.partitions(1)])
                .await
                .unwrap()[0]
                .1
                .is_ok()
        );
        let of = |length: usize| Record::to("t").value(vec![7; length]);
        let narrow = kafka.producer().await.unwrap();
        let unsent = narrow.send(of(2_000_000)).await.unwrap_err();
        assert_eq!(
            (unsent.error.kind(), unsent.outcome),
            (Kind::Invalid, Outcome::NotWritten)
        );
        let said = unsent.to_string();
        assert!(said.contains("max.request.size is 1048576"), "{said}");
        let wide = kafka.producer().max_request_size(10_000_000).await.unwrap();
        assert_eq!(wide.send(of(2_000_000)).await.unwrap().offset, 0);
        assert_eq!(wide.send(of(3_999_000)).await.unwrap().offset, 1);
        let unsent = wide.send(of(4_000_000)).await.unwrap_err();
        assert_eq!(
            (unsent.error.kind(), unsent.outcome),
            (Kind::Refused, Outcome::NotWritten)
        );
        let code = unsent.error.code().map(|code| code.name());
        assert_eq!(code, Some("MESSAGE_TOO_LARGE"), "{unsent}");
        let read = read(&kafka, "t", 0, 0, 2).await.unwrap();
        let lengths = read
            .iter()
            .map(|message| message.value.as_ref().unwrap().len());
        assert_eq!(lengths.collect::<Vec<_>>(), [2_000_000, 3_999_000]);
    });
    peer.stop();
}

/// A server that does this with each connection.
fn server(with: fn(std::net::TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Ends with the process; nobody waits for it.
    std::thread::spawn(move || listener.incoming().flatten().for_each(with));
    address
}

#[test]
fn silence_nonsense_and_nobody_are_told_within_the_deadline() {
    let silent = server(|mut socket| {
        let _ = socket.read_to_end(&mut Vec::new());
    });
    let web = server(|mut socket| {
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    run(async {
        for (who, address) in [("silent", silent), ("web", web), ("closed", closed)] {
            let begun = Instant::now();
            let asked = Client::builder(&address.to_string())
                .request_timeout(SOON / 4)
                .call_timeout(SOON)
                .connect();
            let error = asked.await.unwrap_err();
            assert!(
                matches!(error.kind(), Kind::Unreachable | Kind::Lost),
                "{who}: {error}"
            );
            assert!(
                begun.elapsed() < SOON * 5,
                "{who}: it took {:?}",
                begun.elapsed()
            );
        }
        for bad in ["", "localhost", ":9092", "localhost:notaport"] {
            assert_eq!(
                Client::connect(bad).await.unwrap_err().kind(),
                Kind::Invalid,
                "{bad:?}"
            );
        }
    });
}
