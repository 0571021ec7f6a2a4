//! Damage in the bytes of one partition: that partition is named, and all others serve (#99, #106).
//! Once in a segment, once in the commit log at or below the mark.

use std::path::{Path, PathBuf};

use tests::broker::{Start, wait_until};
use tests::client::{Connection, Place};
use tests::host::Folder;

fn place(topic: &str) -> Place {
    Place {
        topic: topic.to_owned(),
        partition: 0,
    }
}

/// Flips a bit of the only place in these files where the text stands.
fn damage(files: &[PathBuf], text: &str) {
    let mut hits = 0;
    for file in files {
        let mut bytes = std::fs::read(file).unwrap();
        let found = bytes
            .windows(text.len())
            .position(|window| window == text.as_bytes());
        if let Some(at) = found {
            bytes[at] ^= 1;
            std::fs::write(file, bytes).unwrap();
            hits += 1;
        }
    }
    assert_eq!(hits, 1, "the text must stand in one file");
}

fn logs(dir: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(dir).unwrap();
    all.map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "log"))
        .collect()
}

fn fill(start: &Start) -> tests::broker::Broker {
    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    for topic in ["bad", "good"] {
        connection.create_topic(topic, 1, &[]).unwrap();
    }
    for number in 0..10 {
        for topic in ["bad", "good"] {
            let value = format!("{topic} record {number}");
            connection
                .append(&place(topic), &[value.as_bytes()])
                .unwrap();
        }
    }
    broker
}

/// The damaged partition gives an error or only what is whole, never wrong bytes; the other one serves.
fn only_bad_suffers(start: &Start) {
    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    let stored = connection.read_all(&place("good")).unwrap();
    assert_eq!(stored.len(), 10);
    assert_eq!(connection.append(&place("good"), &[b"more"]).unwrap(), 10);
    let refused = connection.read_all(&place("bad")).unwrap_err().to_string();
    assert!(refused.ends_with("KAFKA_STORAGE_ERROR"), "{refused}");
    wait_until("the partition's name in the log", || {
        let said = broker.said().unwrap();
        said.contains("WARN partition bad-0 is offline")
            && said.contains("does not match its checksum")
    })
    .unwrap();
    drop(connection);
    broker.stop().unwrap();
}

#[test]
fn a_damaged_segment_takes_its_partition_only_and_is_named() {
    let folder = Folder::new("segment").unwrap();
    let start = Start::on(&folder.join("data"));
    fill(&start).stop().unwrap();
    damage(&logs(&start.data.join("bad-0")), "bad record 5");
    only_bad_suffers(&start);
}

#[test]
fn a_damaged_commit_below_the_mark_takes_its_partition_only_and_is_named() {
    let folder = Folder::new("ring").unwrap();
    let start = Start::on(&folder.join("data"));
    fill(&start).kill().unwrap();
    damage(&logs(&start.data.join("commit")), "bad record 5");
    only_bad_suffers(&start);
}
