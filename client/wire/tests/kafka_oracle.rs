//! Every message in every version means to Apache Kafka 4.4 what it means to us.
//!
//! Random values go through Kafka's own generated classes: our bytes are read and written by them
//! and come back unchanged, and what they print has the names and values that our layout gives
//! the same bytes. Needs Java and Maven, which fetches Kafka's classes; else it is not run.

mod kafka {
    pub(crate) mod json;
    pub(crate) mod process;
    pub(crate) mod seen;
}

use std::collections::BTreeSet;

use kafka::{json, process, seen::Unseen};
use sawlog_wire::{
    ApiKey, Code, DecodeError, Message, Reader, RequestHeader, ResponseHeader, Writer,
    consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription},
    metadata::MetadataRecord,
    random::Dice,
    records::{ControlKind, control::EndMarker},
    registry::{self, Kind},
};

/// Random values per message and version, of which the first are also printed and compared.
const TIMES: usize = 1_000;
const PRINTED: usize = 50;

#[test]
fn kafka_reads_and_writes_every_message_as_we_do() {
    let Some(mut kafka) = process::start() else {
        return;
    };
    let mut dice = Dice::new(44);
    let mut judged = 0;
    for entry in registry::all() {
        for version in entry.versions.iter() {
            let samples: Vec<_> = (0..TIMES)
                .map(|_| (entry.sample)(&mut dice, version))
                .collect();
            let what = |time| if time < PRINTED { "json" } else { "bytes" };
            let asked = samples.iter().enumerate();
            let answers = kafka.ask(asked.map(|(time, bytes)| {
                format!(
                    "{} {} {version} {}",
                    what(time),
                    entry.name,
                    process::hex(bytes)
                )
            }));
            let (name, at) = (entry.name, entry.at(version));
            let mut unseen = Unseen::of(entry.layout, at);
            for (bytes, answer) in samples.iter().zip(&answers) {
                let (written, printed) = answer.split_once(' ').unwrap_or((answer, ""));
                assert_eq!(
                    written,
                    process::hex(bytes),
                    "{name} version {version}: {answer}"
                );
                if !printed.is_empty() || !unseen.left().is_empty() {
                    let ours = json::print(entry.layout, &mut Reader::of(bytes), at);
                    unseen.note(entry.layout, at, &ours);
                    if !printed.is_empty() {
                        let theirs = serde_json::from_str(printed).expect("Kafka prints JSON");
                        let same = json::plain(ours) == json::plain(theirs);
                        assert!(same, "{name} version {version}: {printed}");
                    }
                }
                judged += 1;
            }
            let left = unseen.left();
            assert!(
                left.is_empty(),
                "{name} version {version} never had {left:?}"
            );
        }
    }
    assert!(judged > 50_000, "only {judged} values judged");
}

#[test]
fn values_that_never_met_a_null_or_a_tag_are_told_by_field() {
    let entry = registry::all().find(|entry| entry.name == "FetchRequest");
    let entry = entry.expect("a message");
    let at = entry.at(12);
    let mut unseen = Unseen::of(entry.layout, at);
    unseen.note(entry.layout, at, &serde_json::json!({ "topics": [] }));
    for missing in [".cluster_id present", ".cluster_id empty", ".topics filled"] {
        assert!(unseen.left().contains(missing), "{missing}");
    }
    assert!(!unseen.left().contains(".cluster_id absent"));
    assert!(!unseen.left().contains(".topics empty"));
}

#[test]
fn no_message_or_version_of_kafka_is_missing() {
    let Some(mut kafka) = process::start() else {
        return;
    };
    let theirs = kafka.ask(["all - 0 ".to_owned()].into_iter());
    let theirs: BTreeSet<String> = theirs
        .iter()
        .flat_map(|line| line.split_whitespace())
        .map(str::to_owned)
        .collect();
    let of_data = |entry: &registry::Entry| entry.kind != Kind::Data;
    let ours: BTreeSet<String> = registry::all()
        .filter(of_data)
        .map(|entry| {
            format!(
                "{}:{}-{}",
                entry.name, entry.versions.from, entry.versions.to
            )
        })
        .collect();
    assert_eq!(ours, theirs);
}

#[test]
fn error_codes_have_kafkas_numbers_names_and_ways_out() {
    let Some(mut kafka) = process::start() else {
        return;
    };
    let theirs = kafka.ask(["errors - 0 ".to_owned()].into_iter());
    let theirs: BTreeSet<&str> = theirs.iter().flat_map(|line| line.split(' ')).collect();
    let told = |code: &Code| format!("{}:{}:{:?}", code.number(), code.name(), code.retry());
    let ours: Vec<String> = Code::ALL.iter().map(told).collect();
    assert_eq!(
        ours.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        theirs
    );
}

#[test]
fn kafka_frames_the_records_of_the_metadata_log_as_we_do() {
    let Some(mut kafka) = process::start() else {
        return;
    };
    let mut dice = Dice::new(45);
    let mut frames = Vec::new();
    for entry in registry::all() {
        let Kind::Metadata(number) = entry.kind else {
            continue;
        };
        for version in entry.versions.iter() {
            for _ in 0..20 {
                let mut writer = Writer::new();
                [1, u32::from(number), version as u32]
                    .into_iter()
                    .for_each(|part| writer.uvarint(part));
                writer.slice(&(entry.sample)(&mut dice, version));
                let record = writer.finish().into_bytes();
                let read = MetadataRecord::decode(Reader::of(&record)).expect("our own frame");
                read.encode(&mut writer, version).expect("its own version");
                assert_eq!(writer.finish().into_bytes(), record);
                frames.push(process::hex(&record));
            }
        }
    }
    assert!(frames.len() > 500);
    let answers = kafka.ask(frames.iter().map(|frame| format!("frame - 0 {frame}")));
    assert_eq!(answers, frames);
}

#[test]
fn kafka_numbers_the_records_of_internal_topics_as_we_do() {
    let Some(mut kafka) = process::start() else {
        return;
    };
    let mut dice = Dice::new(48);
    for topic in registry::internal_topics() {
        let line = |key: &[u8], value: Option<&[u8]>| {
            let value = value.map_or("-".to_owned(), process::hex);
            format!("{}/{value}", process::hex(key))
        };
        let mut lines = Vec::new();
        let mut tombstones = 0;
        for _ in 0..TIMES * topic.records.len() {
            let (key, value) = topic.sample(&mut dice);
            let again = (topic.recode)(&key, value.as_ref());
            assert_eq!(again, Ok((key.clone(), value.clone())));
            tombstones += u32::from(value.is_none());
            lines.push(line(&key, value.as_deref()));
        }
        assert!(tombstones > 100);
        let ask = |line: &String| format!("record {} 0 {line}", topic.name);
        assert_eq!(kafka.ask(lines.iter().map(ask)), lines);

        // Which numbers are types at all; of those that are, the key ends too early.
        let numbers: Vec<i16> = (-2..200).chain([i16::MIN, i16::MAX]).collect();
        let ask = |number: &i16| ask(&line(&number.to_be_bytes(), None));
        let answers = kafka.ask(numbers.iter().map(ask));
        for (number, answer) in numbers.into_iter().zip(answers) {
            let key = number.to_be_bytes().to_vec().into();
            let error = (topic.recode)(&key, None).expect_err("no key is without a field");
            let unknown = matches!(error, DecodeError::UnknownRecordType { .. });
            let theirs = answer.contains("UnknownRecordType");
            assert!(answer.starts_with('!'), "{answer}");
            assert_eq!(unknown, theirs, "{} {number}: {answer}", topic.name);
        }
    }
}

#[test]
fn kafka_reads_subscriptions_and_assignments_of_later_versions_as_we_do() {
    let Some(mut kafka) = process::start() else {
        return;
    };
    let mut dice = Dice::new(49);
    let (mut lines, mut written) = (Vec::new(), Vec::new());
    let of_consumers = |entry: &registry::Entry| entry.name.starts_with("ConsumerProtocol");
    for entry in registry::all().filter(of_consumers) {
        for version in 0..9_i16 {
            let known = version.min(entry.versions.to);
            for _ in 0..20 {
                let mut bytes = version.to_be_bytes().to_vec();
                bytes.extend((entry.sample)(&mut dice, known));
                let mut writer = Writer::new();
                let mut reader = Reader::new(&bytes);
                if entry.name == ConsumerProtocolSubscription::NAME {
                    let read = ConsumerProtocolSubscription::read_versioned(&mut reader);
                    read.expect("our own bytes")
                        .write_versioned(&mut writer, known)
                } else {
                    let read = ConsumerProtocolAssignment::read_versioned(&mut reader);
                    read.expect("our own bytes")
                        .write_versioned(&mut writer, known)
                }
                .expect("a version of it");
                written.push(process::hex(&writer.finish().into_bytes()));
                // What a later version has put behind.
                bytes.extend(std::iter::repeat_n(7, usize::from(known < version)));
                lines.push(format!(
                    "consumer {} {known} {}",
                    entry.name,
                    process::hex(&bytes)
                ));
            }
        }
    }
    assert_eq!(lines.len(), 2 * 9 * 20);
    assert_eq!(kafka.ask(lines.into_iter()), written);
}

#[test]
fn kafka_reads_and_writes_headers_as_we_do() {
    let Some(mut kafka) = process::start() else {
        return;
    };
    let mut dice = Dice::new(47);
    let (mut lines, mut bytes) = (Vec::new(), Vec::new());
    let (mut nameless, mut unnamed) = (0, 0);
    for &key in ApiKey::ALL {
        for version in key.versions().iter() {
            for _ in 0..20 {
                let name = (!dice.one_in(4)).then(|| dice.text());
                nameless += u32::from(name.is_none());
                unnamed += u32::from(name.as_deref() == Some(""));
                let request = RequestHeader {
                    key: key.number(),
                    version,
                    correlation_id: dice.number() as i32,
                    client_id: name.as_deref(),
                };
                let mut writer = Writer::new();
                request.encode(&mut writer).expect("a short name");
                let header = writer.finish().into_bytes();
                let form = if key.flexible().contains(version) {
                    2
                } else {
                    1
                };
                lines.push(format!(
                    "bytes RequestHeader {form} {}",
                    process::hex(&header)
                ));
                let mut reader = Reader::new(&header);
                assert_eq!(RequestHeader::decode(&mut reader), Ok(request));
                assert_eq!(reader.left(), 0);
                bytes.push(header);

                let response = ResponseHeader {
                    correlation_id: request.correlation_id,
                };
                let mut writer = Writer::new();
                response.encode(&mut writer, key, version);
                let header = writer.finish().into_bytes();
                let form = header.len() - 4;
                lines.push(format!(
                    "bytes ResponseHeader {form} {}",
                    process::hex(&header)
                ));
                let mut reader = Reader::new(&header);
                let read = ResponseHeader::decode(&mut reader, key, version);
                assert_eq!((read, reader.left()), (Ok(response), 0));
                bytes.push(header);
            }
        }
    }
    assert!(nameless > 100 && unnamed > 100 && bytes.len() > 5_000);
    let answers = kafka.ask(lines.into_iter());
    for (header, answer) in bytes.iter().zip(answers) {
        assert_eq!(answer, process::hex(header));
    }
}

#[test]
fn kafka_reads_the_keys_of_control_records_and_the_markers_of_transactions_as_we_do() {
    let Some(mut kafka) = process::start() else {
        return;
    };
    for (number, kind) in ControlKind::ALL.into_iter().enumerate() {
        let key = kind.key();
        let (version, rest) = key.split_first_chunk::<2>().expect("a version");
        assert_eq!(*version, [0, 0]);
        let told = kafka.ask(
            [format!(
                "json ControlRecordTypeSchema 0 {}",
                process::hex(rest)
            )]
            .into_iter(),
        );
        assert_eq!(
            told,
            [format!("{} {{\"type\":{number}}}", process::hex(rest))]
        );
    }
    for epoch in [0, 7, -1, i32::MAX, i32::MIN] {
        let value = EndMarker {
            coordinator_epoch: epoch,
        }
        .value();
        let (version, rest) = value.split_first_chunk::<2>().expect("a version");
        assert_eq!(*version, [0, 0]);
        let told = kafka.ask([format!("json EndTxnMarker 0 {}", process::hex(rest))].into_iter());
        assert_eq!(
            told,
            [format!(
                "{} {{\"coordinatorEpoch\":{epoch}}}",
                process::hex(rest)
            )]
        );
    }
}

#[test]
fn kafka_puts_the_same_header_in_front_of_every_request_and_response() {
    let Some(mut kafka) = process::start() else {
        return;
    };
    for &key in ApiKey::ALL {
        for version in key.versions().iter() {
            let mut writer = Writer::new();
            let number = key.number();
            let header = RequestHeader {
                key: number,
                version,
                correlation_id: 1,
                client_id: None,
            };
            header.encode(&mut writer).expect("a header without a name");
            let request = if writer.len() == 10 { 1 } else { 2 };
            writer.clear();
            ResponseHeader { correlation_id: 1 }.encode(&mut writer, key, version);
            let response = writer.len() - 4;
            let answers = kafka.ask([format!("header {number} {version} ")].into_iter());
            assert_eq!(
                answers,
                [format!("{request} {response}")],
                "{key} version {version}"
            );
        }
    }
}
