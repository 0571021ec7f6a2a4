//! `sawlog-client` against the real broker, over real sockets: topics, records both ways, offsets, and what is said when a
//! broker is silent, talks nonsense, dies, or does not have what was asked for.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use sawlog_client::{At, Client, Kind, NewTopic, Outcome, Record};
use tests::broker::{PATIENCE, Start};
use tests::host::Folder;

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
    let folder = Folder::new("client").unwrap();
    let broker = Start::on(&folder.join("data")).ready().unwrap();
    run(async {
        let kafka = connect(broker.address).await;
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

        let orders = kafka.partition("orders", 1);
        let sent = vec![
            Record {
                timestamp: Some(1_000),
                ..Record::value("paid")
                    .key("42")
                    .header("a", "1")
                    .header("a", "2")
            },
            Record {
                timestamp: Some(2_000),
                ..Record::default()
            },
            Record {
                timestamp: Some(3_000),
                ..Record::value("").key(&b"\xff\x00"[..])
            },
        ];
        assert_eq!(orders.append(sent.clone()).await.unwrap(), 0);
        let got = orders.fetch(0).await.unwrap();
        assert_eq!((got.next, got.high_watermark, got.records.len()), (3, 3, 3));
        for ((offset, sent), got) in (0..).zip(&sent).zip(&got.records) {
            assert_eq!((got.offset, Some(got.timestamp)), (offset, sent.timestamp));
            assert_eq!(
                (&got.key, &got.value, &got.headers),
                (&sent.key, &sent.value, &sent.headers)
            );
        }
        let middle = orders.fetch(2).await.unwrap();
        assert_eq!(
            middle.records.len(),
            1,
            "a fetch into a batch gives what was asked for"
        );
        for (at, offset) in [
            (At::Earliest, 0),
            (At::Latest, 3),
            (At::Time(1_500), 1),
            (At::Time(9_000), 3),
        ] {
            assert_eq!(orders.offset(at).await.unwrap(), offset, "{at:?}");
        }
    });
    broker.stop().unwrap();
}

#[test]
fn many_calls_share_one_connection_and_each_gets_its_own_answer() {
    let folder = Folder::new("client-many").unwrap();
    let broker = Start::on(&folder.join("data")).ready().unwrap();
    run(async {
        let kafka = connect(broker.address).await;
        make_t(&kafka).await;
        kafka.metadata(Some(&["t"])).await.unwrap();
        let calls: Vec<_> = (0..200)
            .map(|n| {
                let place = kafka.partition("t", 0);
                tokio::spawn(async move {
                    (
                        n,
                        place
                            .append(vec![Record::value(n.to_string())])
                            .await
                            .unwrap(),
                    )
                })
            })
            .collect();
        let mut places = Vec::new();
        for call in calls {
            places.push(call.await.unwrap());
        }
        let place = kafka.partition("t", 0);
        let (mut records, mut next) = (Vec::new(), 0);
        while next < 200 {
            let got = place.fetch(next).await.unwrap();
            assert!(got.next > next, "nothing at {next}");
            (next, records) = (got.next, [records, got.records].concat());
        }
        for (n, offset) in places {
            let value = records[usize::try_from(offset).unwrap()].value.clone();
            assert_eq!(
                value.as_deref(),
                Some(n.to_string().as_bytes()),
                "offset {offset}"
            );
        }
    });
    broker.stop().unwrap();
}

#[test]
fn what_is_not_there_is_an_answer_and_not_a_wait() {
    let folder = Folder::new("client-absent").unwrap();
    let broker = Start::on(&folder.join("data")).ready().unwrap();
    run(async {
        let kafka = connect(broker.address).await;
        let error = kafka
            .partition("nowhere", 0)
            .append(vec![Record::value("x")])
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.outcome()),
            (Kind::Refused, Outcome::NotWritten),
            "{error}"
        );
        assert_eq!(
            error.code().map(|code| code.name()),
            Some("UNKNOWN_TOPIC_OR_PARTITION")
        );
        make_t(&kafka).await;
        assert!(
            kafka
                .partition("t", 7)
                .fetch(0)
                .await
                .unwrap_err()
                .code()
                .is_some()
        );
        let beyond = kafka.partition("t", 0).fetch(99).await.unwrap_err();
        assert_eq!(
            beyond.code().map(|code| code.name()),
            Some("OFFSET_OUT_OF_RANGE"),
            "{beyond}"
        );
    });
    broker.stop().unwrap();
}

#[test]
fn a_broker_that_dies_leaves_no_call_waiting() {
    let folder = Folder::new("client-dies").unwrap();
    let broker = Start::on(&folder.join("data")).ready().unwrap();
    run(async {
        let kafka = connect(broker.address).await;
        make_t(&kafka).await;
        let place = kafka.partition("t", 0);
        place.append(vec![Record::value("before")]).await.unwrap();
        // A fetch at the end waits at the broker.
        let waiting = tokio::spawn({
            let place = place.clone();
            async move {
                loop {
                    if let Err(error) = place.fetch(1).await {
                        return error;
                    }
                }
            }
        });
        tokio::task::yield_now().await;
        let impatient = impatient(broker.address).await;
        broker.kill().unwrap();
        let error = waiting.await.unwrap();
        assert!(
            matches!(error.kind(), Kind::Lost | Kind::Unreachable),
            "{error}"
        );
        assert!(error.is_retriable(), "{error}");
        let begun = Instant::now();
        let error = impatient
            .partition("t", 0)
            .append(vec![Record::value("after")])
            .await
            .unwrap_err();
        assert!(
            matches!(error.kind(), Kind::Lost | Kind::Unreachable),
            "{error}"
        );
        assert!(begun.elapsed() < SOON * 5, "it took {:?}", begun.elapsed());
    });
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
