//! Every message in every version means to Apache Kafka 4.4 what it means to us.
//!
//! Random values go through Kafka's own generated classes: our bytes are read and written by them
//! and come back unchanged, and what they print has the names and values that our layout gives
//! the same bytes. Needs Java and Maven, which fetches Kafka's classes; else it is not run.

mod kafka {
    pub(crate) mod json;
    pub(crate) mod process;
}

use kafka::{json, process};
use sawlog_wire::{
    ApiKey, Reader, RequestHeader, ResponseHeader, Writer,
    metadata::MetadataRecord,
    random::Dice,
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
            for (bytes, answer) in samples.iter().zip(&answers) {
                let name = entry.name;
                let (written, printed) = answer.split_once(' ').unwrap_or((answer, ""));
                assert_eq!(
                    written,
                    process::hex(bytes),
                    "{name} version {version}: {answer}"
                );
                if !printed.is_empty() {
                    let theirs = serde_json::from_str(printed).expect("Kafka prints JSON");
                    let ours = json::print(entry.layout, &mut Reader::of(bytes), entry.at(version));
                    assert_eq!(ours, json::plain(theirs), "{name} version {version}");
                }
                judged += 1;
            }
        }
    }
    assert!(judged > 50_000, "only {judged} values judged");
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
