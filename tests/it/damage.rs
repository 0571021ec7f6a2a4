//! Damage in files of user partitions, in a stopped node: that partition is named, and all others serve (#99, #106); an
//! index is made again from its segment, or nothing is (#6). What is the node's own is in `state`.

use std::path::{Path, PathBuf};

use tests::broker::{Start, wait_until};
use tests::client::{Connection, Place};
use tests::host::Folder;

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
                .append(&Place::first(topic), &[value.as_bytes()])
                .unwrap();
        }
    }
    broker
}

/// `bad` gives nothing wrong and is named with these words; `good` serves.
fn only_bad_is_named(start: &Start, words: &[&str]) {
    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    let stored = connection.read_all(&Place::first("good")).unwrap();
    assert_eq!(stored.len(), 10);
    assert_eq!(
        connection
            .append(&Place::first("good"), &[b"more"])
            .unwrap(),
        10
    );
    let refused = connection
        .read_all(&Place::first("bad"))
        .unwrap_err()
        .to_string();
    assert!(refused.ends_with("KAFKA_STORAGE_ERROR"), "{refused}");
    wait_until("the partition's name in the log", || {
        let said = broker.said().unwrap();
        said.contains("WARN partition bad-0 is offline")
            && words.iter().all(|word| said.contains(word))
    })
    .unwrap_or_else(|error| panic!("{error}: {}", broker.said().unwrap()));
    drop(connection);
    broker.stop().unwrap();
}

#[test]
fn a_damaged_segment_takes_its_partition_only_and_is_named() {
    let folder = Folder::new("segment").unwrap();
    let start = Start::on(&folder.join("data"));
    fill(&start).stop().unwrap();
    damage(&logs(&start.data.join("bad-0")), "bad record 5");
    only_bad_is_named(&start, &["does not match its checksum"]);
}

#[test]
fn a_damaged_commit_below_the_mark_takes_its_partition_only_and_is_named() {
    let folder = Folder::new("ring").unwrap();
    let start = Start::on(&folder.join("data"));
    fill(&start).kill().unwrap();
    damage(&logs(&start.data.join("commit")), "bad record 5");
    only_bad_is_named(&start, &["does not match its checksum"]);
}

const SEGMENT: &str = "bad-0/00000000000000000000.log";
const SIDECAR: &str = "bad-0/00000000000000000000.side";

/// Stops a broker with some data, and gives its settings and one of its files.
fn stopped(name: &str, file: &str) -> (Folder, Start, PathBuf) {
    let folder = Folder::new(name).unwrap();
    let start = Start::on(&folder.join("data"));
    fill(&start).stop().unwrap();
    let file = start.data.join(file);
    assert!(file.exists(), "{}", file.display());
    (folder, start, file)
}

/// Both partitions serve all they hold, and the words are said.
fn both_serve(start: &Start, words: &str) {
    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    for topic in ["bad", "good"] {
        let stored = connection.read_all(&Place::first(topic)).unwrap();
        let values: Vec<String> = (0..10).map(|nth| format!("{topic} record {nth}")).collect();
        let stored: Vec<&[u8]> = stored.iter().map(|record| &*record.value).collect();
        let values: Vec<&[u8]> = values.iter().map(String::as_bytes).collect();
        assert_eq!(stored, values);
    }
    wait_until(words, || broker.said().unwrap().contains(words))
        .unwrap_or_else(|error| panic!("{error}: {}", broker.said().unwrap()));
    drop(connection);
    broker.stop().unwrap();
}

#[test]
fn a_sidecar_that_is_gone_short_or_damaged_is_made_again_and_nothing_is_lost_6() {
    type Damage = fn(Vec<u8>) -> Option<Vec<u8>>;
    let damages: [(&str, Damage); 5] = [
        ("gone", |_| None),
        ("empty", |_| Some(Vec::new())),
        ("short", |bytes| Some(bytes[..bytes.len() - 30].to_vec())),
        ("flipped", |mut bytes| {
            bytes[48 + 72 * 4 + 20] ^= 8;
            Some(bytes)
        }),
        ("zeros", |bytes| Some(vec![0; bytes.len()])),
    ];
    for (what, damage) in damages {
        let (_folder, start, sidecar) = stopped(&format!("sidecar-{what}"), SIDECAR);
        let whole = std::fs::read(&sidecar).unwrap();
        match damage(whole.clone()) {
            Some(bytes) => std::fs::write(&sidecar, bytes).unwrap(),
            None => std::fs::remove_file(&sidecar).unwrap(),
        }
        both_serve(&start, "it was made again from its segment");
        assert!(std::fs::read(&sidecar).unwrap() == whole, "{what}");
    }
}

#[test]
fn a_segment_that_cannot_prove_itself_blesses_no_sidecar_99() {
    let (_folder, start, sidecar) = stopped("unproved", SIDECAR);
    std::fs::remove_file(&sidecar).unwrap();
    let segment = start.data.join(SEGMENT);
    let mut bytes = std::fs::read(&segment).unwrap();
    // The last byte of the leader epoch of the first batch: outside the batch's own checksum.
    bytes[15] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    only_bad_is_named(&start, &[SIDECAR, SEGMENT, "does not match it either"]);
    assert!(!sidecar.exists(), "an index was made up");
    assert!(
        std::fs::read(&segment).unwrap() == bytes,
        "damaged bytes are kept"
    );
}

#[test]
fn a_segment_that_is_gone_or_short_takes_its_partition_only_and_is_named_106() {
    let (_folder, start, segment) = stopped("gone", SEGMENT);
    std::fs::remove_file(&segment).unwrap();
    only_bad_is_named(&start, &[SEGMENT, "No such file"]);

    let (_folder, start, segment) = stopped("short", SEGMENT);
    let bytes = std::fs::read(&segment).unwrap();
    std::fs::write(&segment, &bytes[..bytes.len() - 5]).unwrap();
    only_bad_is_named(&start, &[SEGMENT, "does not match its checksum"]);
}

#[test]
fn a_partitions_directory_that_is_gone_takes_it_only_and_is_named_106() {
    let (_folder, start, segment) = stopped("directory", SEGMENT);
    std::fs::remove_dir_all(segment.parent().unwrap()).unwrap();
    only_bad_is_named(&start, &["bad-0/0000", "No such file"]);
}

#[test]
fn partitions_that_changed_places_serve_nothing_of_each_other_104() {
    let (_folder, start, _) = stopped("swapped", SEGMENT);
    let (bad, good) = (start.data.join("bad-0"), start.data.join("good-0"));
    let aside = start.data.join("aside-0");
    std::fs::rename(&bad, &aside).unwrap();
    std::fs::rename(&good, &bad).unwrap();
    std::fs::rename(&aside, &good).unwrap();
    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    for topic in ["bad", "good"] {
        let refused = connection
            .read_all(&Place::first(topic))
            .unwrap_err()
            .to_string();
        assert!(
            refused.ends_with("KAFKA_STORAGE_ERROR"),
            "{topic}: {refused}"
        );
    }
    drop(connection);
    broker.stop().unwrap();
}
