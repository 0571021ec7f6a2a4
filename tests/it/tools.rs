//! The commands as processes: records through `consume -o json | produce -i json`, and as CSV, come out as they went in (G8), what was
//! broken in a file is named with its place, and each exit code is the one that scripts rely on.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};

use sawlog_client::{Assignment, At, Client, Header, Message, NewTopic, Record};
use tests::broker::{Start, binary};
use tests::host::{Folder, has, not_run};

/// xorshift64*: the same records in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize
    }

    /// Null, empty, text, text that JSON and lines have trouble with, bytes that are no text.
    fn bytes(&mut self) -> Option<Vec<u8>> {
        let length = self.roll() % 40;
        Some(match self.roll() % 6 {
            0 => return None,
            1 => Vec::new(),
            2 => vec![b'a'; length],
            3 => "\"\\\n\r\t\0\u{7f}ä\u{2028}🦀"
                .repeat(length / 8)
                .into_bytes(),
            4 => b"aGk=".repeat(length / 8),
            _ => (0..length).map(|_| self.roll() as u8).collect(),
        })
    }

    fn record(&mut self) -> Record {
        let mut record = Record::to("from").partition((self.roll() % 3) as i32);
        record.key = self.bytes().map(Into::into);
        record.value = self.bytes().map(Into::into);
        record.timestamp = Some(match self.roll() % 3 {
            0 => self.roll() as i64,
            1 => 0,
            _ => 1_700_000_000_000 + (self.roll() % 1_000) as i64,
        });
        for _ in 0..self.roll() % 4 {
            // Few names, so that they repeat.
            let name = ["", "h", "trace-ä", "\u{0}"][self.roll() % 4];
            let value = self.bytes().map(Into::into);
            record.headers.push(Header {
                name: name.into(),
                value,
            });
        }
        record
    }
}

fn sawlog(address: SocketAddr, words: &[&str]) -> Command {
    let mut command = Command::new(binary().unwrap());
    command
        .args(words)
        .args(["-b", &address.to_string()])
        .env("NO_COLOR", "1");
    command
}

fn run(address: SocketAddr, words: &[&str], input: &[u8]) -> Output {
    let mut command = sawlog(address, words);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Who ends early does not read it all.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn done(output: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

async fn all(kafka: &Client, topic: &str) -> Vec<Message> {
    let mut assigned = Vec::new();
    for partition in kafka.partitions(topic).await.unwrap() {
        let end = kafka.offset(topic, partition, At::Latest).await.unwrap();
        assigned.push(Assignment::new(topic, partition).until(end));
    }
    let mut consumer = kafka.assign(assigned).await.unwrap();
    let mut messages = Vec::new();
    while let Some(batch) = consumer.next_batch().await.unwrap() {
        messages.extend(batch.messages);
    }
    messages.sort_by_key(|message| (message.partition, message.offset));
    messages
}

/// What the records must have among them, else the property says little.
fn not_vacuous(records: &[Record]) {
    type Seen = fn(&Record) -> bool;
    let seen: [(&str, Seen); 8] = [
        ("a null key", |record| record.key.is_none()),
        ("an empty key", |record| record.key.as_deref() == Some(b"")),
        ("a null value", |record| record.value.is_none()),
        ("an empty value", |record| {
            record.value.as_deref() == Some(b"")
        }),
        ("bytes that are no text", |record| {
            let value = record.value.as_deref().unwrap_or_default();
            std::str::from_utf8(value).is_err()
        }),
        ("a header's name twice", |record| {
            let names: Vec<_> = record.headers.iter().map(|header| &header.name).collect();
            names
                .iter()
                .enumerate()
                .any(|(at, name)| names[..at].contains(name))
        }),
        ("a header that is null", |record| {
            record.headers.iter().any(|header| header.value.is_none())
        }),
        ("the first moment of 1970", |record| {
            record.timestamp == Some(0)
        }),
    ];
    for (what, seen) in seen {
        let count = records.iter().filter(|record| seen(record)).count();
        assert!(count > 10, "{count} records with {what}");
    }
}

#[test]
fn records_through_two_processes_as_json_and_as_csv_are_equal_to_the_byte_g8() {
    let folder = Folder::new("tools-json").unwrap();
    let broker = Start::on(&folder.join("data")).ready().unwrap();
    let address = broker.address;
    let mut dice = Dice(8);
    let records: Vec<Record> = (0..2_000).map(|_| dice.record()).collect();
    not_vacuous(&records);
    let count = records.len();
    runtime().block_on(async {
        let kafka = Client::connect(&address.to_string()).await.unwrap();
        // Records of 1970 are older than any retention.
        let topic = |name| {
            NewTopic::new(name)
                .partitions(3)
                .config("retention.ms", "-1")
        };
        let topics = ["from", "json", "csv"].map(topic);
        assert!(
            kafka
                .create_topics(topics.into())
                .await
                .unwrap()
                .iter()
                .all(|(_, made)| made.is_ok())
        );
        let producer = kafka.producer().await.unwrap();
        let mut tickets = Vec::new();
        for record in records {
            tickets.push(producer.enqueue(record).await.unwrap());
        }
        for ticket in tickets {
            ticket.await.unwrap();
        }
    });
    for form in ["json", "csv"] {
        let mut reads = sawlog(address, &["consume", "from", "-e", "-o", form])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let text = reads.stdout.take().unwrap();
        let writes = sawlog(address, &["produce", form, "-i", form, "--keep"])
            .stdin(text)
            .output()
            .unwrap();
        assert_eq!(done(&writes, 0), "");
        assert!(reads.wait().unwrap().success());
        runtime().block_on(async {
            let kafka = Client::connect(&address.to_string()).await.unwrap();
            let (from, to) = (all(&kafka, "from").await, all(&kafka, form).await);
            assert_eq!((from.len(), to.len()), (count, count));
            for (from, to) in from.into_iter().zip(to) {
                let copied = Message {
                    topic: form.into(),
                    ..from
                };
                assert_eq!(copied, to);
            }
        });
    }
    broker.stop().unwrap();
}

#[test]
fn a_broken_line_is_named_with_its_place_and_what_was_before_it_is_written() {
    let folder = Folder::new("tools-broken").unwrap();
    let broker = Start::on(&folder.join("data")).ready().unwrap();
    let address = broker.address;
    done(
        &run(address, &["topic", "create", "t", "--partitions", "1"], b""),
        0,
    );
    let text = b"{\"value\":\"a\"}\n{\"value\":\"b\"}\n{\"value\":}\n{\"value\":\"d\"}\n";
    let said = done(&run(address, &["produce", "t", "-i", "json"], text), 1);
    assert!(
        said.contains("2 records were written") && said.contains("standard input:3:10"),
        "{said}"
    );
    let read = run(address, &["consume", "t", "-e"], b"");
    assert_eq!(read.stdout, b"a\nb\n");
    let said = done(&run(address, &["produce", "t", "nosuchfile"], b""), 4);
    assert!(
        said.contains("0 records were written") && said.contains("nosuchfile"),
        "{said}"
    );
    let said = done(
        &run(address, &["produce", "t", "-i", "kv"], b"key only\n"),
        1,
    );
    assert!(said.contains("standard input:1:9"), "{said}");
    broker.stop().unwrap();
}

#[test]
fn topics_are_made_changed_trimmed_and_deleted_and_each_end_has_its_code() {
    let folder = Folder::new("tools-topics").unwrap();
    let broker = Start::on(&folder.join("data")).ready().unwrap();
    let address = broker.address;
    let sawlog = |words: &[&str], code| {
        let output = run(address, words, b"");
        let said = done(&output, code);
        (String::from_utf8(output.stdout).unwrap(), said)
    };
    sawlog(
        &[
            "topic",
            "create",
            "a",
            "b",
            "--partitions",
            "2",
            "--dry-run",
        ],
        0,
    );
    assert_eq!(sawlog(&["topic", "list", "-o", "name"], 0).0, "");
    let none = ("".to_owned(), "sawlog: there are no topics\n".to_owned());
    assert_eq!(sawlog(&["topic", "list"], 0), none);
    assert_eq!(sawlog(&["topic", "list", "-o", "yaml"], 0).0, "[]\n");
    sawlog(&["topic", "create", "a", "b", "--partitions", "2"], 0);
    sawlog(&["topic", "create", "a", "c"], 3);
    sawlog(&["topic", "create", "a"], 1);
    assert_eq!(sawlog(&["topic", "list", "-o", "name"], 0).0, "a\nb\nc\n");
    assert!(
        sawlog(&["topic", "list", "-o", "yaml"], 0)
            .0
            .starts_with("- topic: \"a\"\n  topic_id: ")
    );
    assert!(
        sawlog(&["topic", "list"], 0)
            .0
            .starts_with("TOPIC  PARTITIONS  REPLICAS\na               2         1\n")
    );
    sawlog(&["topic", "describe", "a", "nosuch"], 3);
    sawlog(&["topic", "describe", "nosuch"], 4);

    sawlog(
        &["topic", "alter", "a", "--config", "retention.ms=3600000"],
        0,
    );
    let configs = sawlog(&["topic", "describe", "--configs", "a", "-o", "json"], 0).0;
    assert!(
        configs
            .contains(r#""key":"retention.ms","value":"3600000","source":"DYNAMIC_TOPIC_CONFIG""#),
        "{configs}"
    );
    sawlog(&["topic", "alter", "a", "--unset", "retention.ms"], 0);
    assert!(
        !sawlog(&["topic", "describe", "--configs", "a", "-o", "json"], 0)
            .0
            .contains("DYNAMIC")
    );
    let said = sawlog(&["topic", "alter", "a", "--config", "retention.mss=1"], 1).1;
    assert!(said.contains("retention.mss"), "{said}");
    sawlog(&["topic", "add-partitions", "a", "--total", "3"], 0);
    sawlog(&["topic", "add-partitions", "a", "--total", "2"], 1);

    assert_eq!(
        done(
            &run(address, &["produce", "a", "-p", "2"], b"1\n2\n3\n4\n"),
            0
        ),
        ""
    );
    let offsets = sawlog(&["topic", "offsets", "a", "-o", "json"], 0).0;
    assert!(
        offsets
            .ends_with("{\"topic\":\"a\",\"partition\":2,\"first\":0,\"end\":4,\"records\":4}\n"),
        "{offsets}"
    );
    assert!(
        sawlog(&["topic", "size", "a"], 0)
            .0
            .starts_with("TOPIC  PARTITION  BROKER")
    );
    sawlog(&["topic", "trim", "a", "--before", "2"], 2);
    sawlog(
        &[
            "topic",
            "trim",
            "a",
            "-p",
            "2",
            "--before",
            "2",
            "--dry-run",
        ],
        0,
    );
    assert_eq!(sawlog(&["consume", "a", "-e"], 0).0, "1\n2\n3\n4\n");
    sawlog(
        &["topic", "trim", "a", "-p", "2", "--before", "2", "--yes"],
        0,
    );
    assert_eq!(
        sawlog(&["consume", "a", "-e", "-o", "%p@%o=%v;"], 0).0,
        "2@2=3;2@3=4;"
    );
    assert_eq!(sawlog(&["consume", "a", "--tail", "1"], 0).0, "4\n");
    assert_eq!(
        sawlog(&["consume", "a", "-p", "2", "--to", "3"], 0).0,
        "3\n"
    );
    assert_eq!(
        sawlog(&["consume", "a", "--from", "-1h", "--to", "-30m"], 0).0,
        ""
    );

    let file = folder.join("topics.json");
    std::fs::write(
        &file,
        r#"[{"topic":"a","partitions":4,"configs":{"retention.ms":60000}},{"topic":"d"}]"#,
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let plan = sawlog(&["topic", "apply", "-f", file, "--dry-run"], 0).1;
    assert!(
        plan.contains("~ a: partitions 4")
            && plan.contains("~ a: retention.ms=60000")
            && plan.contains("+ d"),
        "{plan}"
    );
    sawlog(&["topic", "apply", "-f", file, "--yes"], 0);
    assert!(
        sawlog(&["topic", "apply", "-f", file, "--yes"], 0)
            .1
            .contains("as the file says")
    );

    sawlog(&["topic", "delete", "a"], 2);
    sawlog(&["topic", "delete", "a", "nosuch", "--yes"], 3);
    sawlog(&["topic", "delete", "a", "--yes"], 4);
    assert_eq!(sawlog(&["topic", "list", "-o", "name"], 0).0, "b\nc\nd\n");

    let said = sawlog(&["consume", "b", "nosuch", "-e"], 4).1;
    assert!(said.contains("cannot read nosuch:"), "{said}");
    sawlog(&["api", "versions", "--broker", "7"], 4);

    assert!(sawlog(&["cluster", "info"], 0).0.contains("127.0.0.1"));
    assert!(
        sawlog(&["api", "versions", "-o", "name"], 0)
            .0
            .contains("Produce\n")
    );
    broker.stop().unwrap();
    let gone = run(address, &["topic", "list", "--timeout", "1"], b"");
    done(&gone, 5);
}

#[test]
fn a_record_is_as_large_as_its_topic_takes_and_one_that_is_larger_names_the_limit() {
    let folder = Folder::new("tools-large").unwrap();
    let broker = Start::on(&folder.join("data")).ready().unwrap();
    let address = broker.address;
    let create = [
        "topic",
        "create",
        "t",
        "-p",
        "1",
        "--config",
        "max.message.bytes=4000000",
    ];
    done(&run(address, &create, b""), 0);
    let mut dice = Dice(7);
    let bytes: Vec<u8> = (0..3_900_000).map(|_| dice.roll() as u8).collect();
    done(&run(address, &["produce", "t", "-i", "raw"], &bytes), 0);
    // What it takes once it is compressed counts.
    let text = "many lines\n".repeat(1_000_000);
    let zstd = ["produce", "t", "-i", "raw", "-z", "zstd"];
    done(&run(address, &zstd, text.as_bytes()), 0);
    let read = run(address, &["consume", "t", "-n", "2", "-o", "%v"], b"");
    assert!(read.stdout == [bytes, text.into_bytes()].concat());
    let long = vec![b'x'; 4_100_000];
    let said = done(&run(address, &["produce", "t", "-i", "raw"], &long), 1);
    assert!(
        said.contains("[MESSAGE_TOO_LARGE]") && said.contains("max.message.bytes"),
        "{said}"
    );
    broker.stop().unwrap();
}

#[test]
fn a_record_that_is_too_old_is_told_in_the_brokers_words_with_what_to_look_at_kip_467() {
    let folder = Folder::new("tools-old").unwrap();
    let broker = Start::on(&folder.join("data")).ready().unwrap();
    let address = broker.address;
    let bound = "message.timestamp.before.max.ms=60000";
    let create = ["topic", "create", "t", "--config", bound];
    done(&run(address, &create, b""), 0);
    let old = ["produce", "t", "--at", "@1000"];
    let said = done(&run(address, &old, b"x\n"), 1);
    for words in [
        "0 records were written, 1 were not: t partition 0: its time is 1000, the bound ",
        "topic describe --configs",
        "[INVALID_TIMESTAMP]",
    ] {
        assert!(said.contains(words), "{said}");
    }
    broker.stop().unwrap();
}

#[test]
fn a_file_of_topics_that_cannot_be_meant_changes_nothing() {
    let folder = Folder::new("tools-apply").unwrap();
    let broker = Start::on(&folder.join("data")).ready().unwrap();
    let address = broker.address;
    done(
        &run(
            address,
            &["topic", "create", "a", "--partitions", "-1"],
            b"",
        ),
        0,
    );
    let apply = |text: &str, code| {
        let output = run(
            address,
            &["topic", "apply", "-f", "-", "--yes"],
            text.as_bytes(),
        );
        done(&output, code)
    };
    let twice = r#"[{"topic": "b"}, {"topic": "b", "partitions": 3}]"#;
    assert!(apply(twice, 2).contains("b is named twice"));
    let keys = r#"[{"topic": "b", "configs": {"retention.ms": 1, "retention.ms": 2}}]"#;
    assert!(apply(keys, 2).contains("\"retention.ms\" is said twice"));
    let replicas = r#"[{"topic": "a", "replication": 3, "partitions": 5}]"#;
    let said = apply(replicas, 1);
    assert!(
        said.contains("has 1 replicas, and the file says 3"),
        "{said}"
    );
    assert!(!said.contains("as the file says"), "{said}");
    let some = r#"[{"topic": "a", "replication": 3}, {"topic": "c", "replication": 1}]"#;
    apply(some, 3);
    apply(
        r#"[{"topic": "a", "replication": 1}, {"topic": "c", "replication": -1}]"#,
        0,
    );
    let list = run(address, &["topic", "list", "-o", "name"], b"");
    assert_eq!(list.stdout, b"a\nc\n");
    done(&run(address, &["topic", "apply", "-f", "nosuch"], b""), 4);
    broker.stop().unwrap();
}

#[test]
fn variables_that_are_empty_say_nothing_and_usage_has_its_code_everywhere() {
    let sawlog = |words: &[&str], variables: &[(&str, &str)]| {
        let mut command = Command::new(binary().unwrap());
        command.args(words).envs(variables.iter().copied());
        command.output().unwrap()
    };
    let empty = [("SAWLOG_BROKERS", ""), ("SAWLOG_TIMEOUT", "")];
    let shown = sawlog(&["config", "show", "--origin", "-o", "json"], &empty);
    done(&shown, 0);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains(r#""value":"localhost:9092","origin":"default""#),
        "{shown}"
    );
    assert!(
        shown.contains(r#""value":10,"origin":"default""#),
        "{shown}"
    );
    for words in [
        &["topic", "list", "--timeout", "0"][..],
        &["consume", "t", "-p", "-1"],
        &["produce", "t", "-p", "-1"],
        &["topic", "alter", "t"],
        &["broker", "-X", "foo"],
        &["broker", "-X", "num.partitions=none"],
        &["broker", "--check-config", "-X", "num.partition=1"],
        &["mock", "--listen", "nowhere"],
        &["mock", "--listen", ":0"],
        &["mock", "-X", "num.partitions=none"],
        &["mock", "-X", "num.partition=1"],
    ] {
        done(&sawlog(words, &[]), 2);
    }
    done(&sawlog(&["broker", "--config", "nosuch"], &[]), 4);
    let help = sawlog(&["help", "topic", "create"], &[]);
    done(&help, 0);
    assert_eq!(
        help.stdout,
        sawlog(&["topic", "create", "--help"], &[]).stdout
    );
}

#[test]
fn mandoc_finds_no_fault_in_the_manual() {
    if !has("mandoc") {
        return not_run("mandoc_finds_no_fault_in_the_manual", "mandoc is not there");
    }
    let folder = Folder::new("tools-man").unwrap();
    let made = Command::new(binary().unwrap())
        .arg("man")
        .arg(folder.path())
        .output()
        .unwrap();
    done(&made, 0);
    let pages: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(pages.len() > 30, "{} pages", pages.len());
    let lint = Command::new("mandoc")
        .args(["-Tlint", "-Wwarning"])
        .args(pages)
        .output()
        .unwrap();
    let found = String::from_utf8_lossy(&lint.stdout);
    assert!(lint.status.success(), "{found}");
}
