//! Damage in the node's own files, in a stopped node: checkpoint, commit log, metadata log, its snapshots, quorum-state,
//! meta.properties. Each is made up for with nothing lost, or the start is refused, names the file, and changes not a byte
//! (#39, #99, #102); what was refused is whole again when the bytes are back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tests::broker::{Start, wait_until};
use tests::client::{Connection, Place};
use tests::host::{Folder, Mount, contents, say};

use crate::ring;

const TOPICS: usize = 6;

fn place(topic: usize) -> Place {
    Place::first(&format!("topic{topic}"))
}

/// How the node ended before its files are damaged.
#[derive(Clone, Copy, PartialEq, Debug)]
enum End {
    Stopped,
    Killed,
}

/// A node that has written snapshots of its metadata, with a record in each of its topics.
fn used(folder: &Folder, end: End) -> Start {
    let start =
        Start::on(&folder.join("data")).set("metadata.log.max.record.bytes.between.snapshots=300");
    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    for topic in 0..TOPICS {
        let name = place(topic).topic;
        connection.create_topic(&name, 1, &[]).unwrap();
        connection
            .append(&place(topic), &[name.as_bytes()])
            .unwrap();
    }
    drop(connection);
    wait_until("two snapshots", || snapshots(&start).len() == 2).unwrap();
    match end {
        End::Stopped => broker.stop().unwrap(),
        End::Killed => {
            ring::rest(&start);
            broker.kill().unwrap();
        }
    }
    start
}

fn snapshots(start: &Start) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(start.data.join("__cluster_metadata-0"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "checkpoint"))
        .collect();
    all.sort();
    all
}

/// Nothing is lost, and the node goes on.
fn all_there(start: &Start) {
    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    for topic in 0..TOPICS {
        let stored = connection.read_all(&place(topic)).unwrap();
        assert_eq!(stored.len(), 1, "topic {topic}");
        assert_eq!(stored[0].value, place(topic).topic.as_bytes());
    }
    connection.create_topic("one-more", 1, &[]).unwrap();
    drop(connection);
    broker.stop().unwrap();
}

/// The start is refused with these words and changes nothing.
fn is_refused(start: &Start, words: &[&str]) {
    let before = contents(&start.data).unwrap();
    let said = start.refused().unwrap();
    for word in words {
        assert!(said.contains(word), "{word:?} is missing in: {said}");
    }
    is_unchanged(&before, &contents(&start.data).unwrap(), &said);
}

type Contents = BTreeMap<PathBuf, Vec<u8>>;

fn is_unchanged(before: &Contents, after: &Contents, said: &str) {
    assert!(before.keys().eq(after.keys()), "{said}");
    for (name, bytes) in before {
        assert!(
            after[name] == *bytes,
            "{} was changed: {said}",
            name.display()
        );
    }
}

fn flip(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(file, bytes).unwrap();
}

fn shorten(file: &Path) {
    let bytes = std::fs::read(file).unwrap();
    std::fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
}

fn remove(file: &Path) {
    std::fs::remove_file(file).unwrap();
}

type Damage = fn(&Path);

/// What is done to a file.
const DAMAGES: [(&str, Damage); 3] = [("flipped", flip), ("short", shorten), ("gone", remove)];

#[test]
fn an_identity_that_is_damaged_or_gone_is_refused_and_nothing_is_changed_102() {
    let folder = Folder::new("state-identity").unwrap();
    let start = used(&folder, End::Stopped);
    let file = start.data.join("meta.properties");
    let whole = std::fs::read(&file).unwrap();
    for (what, damage) in DAMAGES {
        damage(&file);
        say(&format!("meta.properties {what}"));
        is_refused(&start, &["meta.properties", "[KAFKA_STORAGE_ERROR]"]);
        std::fs::write(&file, &whole).unwrap();
    }
    all_there(&start);
}

#[test]
fn the_directory_of_another_node_or_cluster_is_refused_and_nothing_is_changed_19() {
    let folder = Folder::new("state-other").unwrap();
    let start = used(&folder, End::Stopped);
    is_refused(
        &start.clone().set("node.id=7"),
        &["it belongs to node.id=1, this node has node.id=7"],
    );
    // CLUSTER_ID, as Kafka's images take it.
    let other = start
        .clone()
        .under(["env", "CLUSTER_ID=4L6g3nShT-eMCtK--X86sw"]);
    is_refused(
        &other,
        &[
            "it belongs to cluster",
            "this node to cluster 4L6g3nShT-eMCtK--X86sw",
            "[INCONSISTENT_CLUSTER_ID]",
        ],
    );
    let words = [
        "CLUSTER_ID=\"a b\" cannot be",
        "the character ' '",
        "random-uuid",
    ];
    is_refused(&start.clone().under(["env", "CLUSTER_ID=a b"]), &words);
    let nothing = start.clone().under(["env", "CLUSTER_ID="]);
    nothing.ready().unwrap().stop().unwrap();
    all_there(&start);
}

#[test]
fn a_quorum_state_that_is_damaged_or_gone_costs_a_quorum_of_one_nothing_102() {
    for end in [End::Stopped, End::Killed] {
        let folder = Folder::new("state-quorum").unwrap();
        let start = used(&folder, end);
        let file = start.data.join("__cluster_metadata-0/quorum-state");
        for (what, damage) in DAMAGES {
            damage(&file);
            start.ready().unwrap().stop().unwrap();
            assert!(file.exists(), "{what}: it is written again");
        }
        flip(&file);
        all_there(&start);
    }
}

#[test]
fn one_side_of_the_checkpoint_is_enough_and_none_is_refused_102() {
    for end in [End::Stopped, End::Killed] {
        for (what, damage) in DAMAGES {
            for side in ["a", "b"] {
                let folder = Folder::new("state-checkpoint").unwrap();
                let start = used(&folder, end);
                damage(&start.data.join(format!("checkpoint.0.{side}")));
                say(&format!("checkpoint.0.{side} {what}, {end:?}"));
                all_there(&start);
            }
            let folder = Folder::new("state-checkpoints").unwrap();
            let start = used(&folder, end);
            let sides = ["a", "b"].map(|side| start.data.join(format!("checkpoint.0.{side}")));
            let whole = sides.clone().map(|file| std::fs::read(file).unwrap());
            sides.iter().for_each(|file| damage(file));
            is_refused(&start, &["no checkpoint is whole", "nothing was touched"]);
            for (file, bytes) in sides.iter().zip(whole) {
                std::fs::write(file, bytes).unwrap();
            }
            all_there(&start);
        }
    }
}

#[test]
fn a_snapshot_that_is_damaged_or_gone_is_made_up_for_by_the_one_before_and_the_log_39() {
    for end in [End::Stopped, End::Killed] {
        for (what, damage) in DAMAGES {
            let folder = Folder::new("state-snapshot").unwrap();
            let start = used(&folder, end);
            damage(snapshots(&start).last().unwrap());
            say(&format!("the newest snapshot {what}, {end:?}"));
            all_there(&start);

            let folder = Folder::new("state-snapshots").unwrap();
            let start = used(&folder, end);
            let files = snapshots(&start);
            let whole: Vec<Vec<u8>> = files
                .iter()
                .map(|file| std::fs::read(file).unwrap())
                .collect();
            files.iter().for_each(|file| damage(file));
            // The log begins at the older one, so without both it says only half.
            let left = files.iter().filter(|file| file.exists());
            let names = left.filter_map(|file| file.file_name()?.to_str());
            let mut words = vec!["the metadata has a gap", "newest whole snapshot"];
            words.extend(names);
            is_refused(&start, &words);
            for (file, bytes) in files.iter().zip(whole) {
                std::fs::write(file, bytes).unwrap();
            }
            all_there(&start);
        }
    }
}

#[test]
fn a_metadata_log_that_is_damaged_is_made_up_for_or_refused_and_nothing_is_changed_99() {
    let mut verdicts = BTreeMap::<&str, u32>::new();
    for file in ["log", "side"] {
        for (what, damage) in DAMAGES {
            let folder = Folder::new("state-metadata").unwrap();
            let start = used(&folder, End::Stopped);
            let dir = start.data.join("__cluster_metadata-0");
            let mut files: Vec<PathBuf> = std::fs::read_dir(&dir)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.extension().is_some_and(|end| end == file))
                .collect();
            files.sort();
            let last = files.last().unwrap();
            let whole = std::fs::read(last).unwrap();
            damage(last);
            let before = contents(&start.data).unwrap();
            match start.ready() {
                Ok(broker) => {
                    broker.stop().unwrap();
                    all_there(&start);
                    *verdicts.entry("made up for").or_default() += 1;
                }
                Err(error) => {
                    let said = error.to_string();
                    let name = last.file_name().unwrap().to_string_lossy().into_owned();
                    assert!(said.contains(&name), "{file} {what}: {said}");
                    is_unchanged(&before, &contents(&start.data).unwrap(), &said);
                    std::fs::write(last, &whole).unwrap();
                    all_there(&start);
                    *verdicts.entry("refused").or_default() += 1;
                }
            }
        }
    }
    say(&format!("state: damage in the metadata log: {verdicts:?}"));
    assert_eq!(verdicts.values().sum::<u32>(), 6);
}

/// Each commit of the ring of a killed node is damaged in turn: batches of topics take their topic only, metadata is
/// covered by a snapshot or refused.
#[test]
fn a_commit_log_that_is_damaged_anywhere_loses_nothing_silently_99() {
    let folder = Folder::new("state-ring").unwrap();
    let start = used(&folder, End::Killed);
    let kept = contents(&start.data).unwrap();
    let restore = || {
        std::fs::remove_dir_all(&start.data).unwrap();
        for (path, bytes) in &kept {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    };
    let mut verdicts = BTreeMap::<&str, u32>::new();
    let mut places = Vec::new();
    for commit in ring::commits(&start) {
        // The header, and the last byte of what it holds.
        places.push((commit.file.clone(), commit.at + 20));
        places.push((commit.file, commit.at + commit.bytes - 1));
    }
    assert!(places.len() > 20, "{} places", places.len());
    for (name, at) in places.iter().step_by(3) {
        let mut bytes = kept[name].clone();
        bytes[*at] ^= 0x10;
        std::fs::write(name, bytes).unwrap();
        let damaged = contents(&start.data).unwrap();
        match start.ready() {
            Ok(broker) => {
                let mut connection = Connection::open(broker.address).unwrap();
                let mut lost = 0;
                for topic in 0..TOPICS {
                    match connection.read_all(&place(topic)) {
                        Ok(stored) => {
                            assert_eq!(stored.len(), 1, "byte {at} of {name:?}: topic {topic}");
                            assert_eq!(stored[0].value, place(topic).topic.as_bytes());
                        }
                        Err(error) => {
                            assert!(
                                error.to_string().ends_with("KAFKA_STORAGE_ERROR"),
                                "{error}"
                            );
                            lost += 1;
                        }
                    }
                }
                drop(connection);
                broker.kill().unwrap();
                let verdict = if lost == 0 {
                    "nothing lost"
                } else {
                    "topics named"
                };
                *verdicts.entry(verdict).or_default() += 1;
            }
            Err(error) => {
                let said = error.to_string();
                assert!(said.contains("the metadata log is damaged"), "{said}");
                is_unchanged(&damaged, &contents(&start.data).unwrap(), &said);
                *verdicts.entry("refused").or_default() += 1;
            }
        }
        restore();
    }
    say(&format!("state: damage in the commit log: {verdicts:?}"));
    assert!(verdicts.len() >= 2, "{verdicts:?}");
    all_there(&start);
}

#[test]
fn a_full_file_system_at_the_start_serves_reads_and_a_new_directory_on_it_is_refused_105() {
    let folder = Folder::new("state-full").unwrap();
    let Some(mount) = Mount::fresh(&folder, 300, "full at the start") else {
        return;
    };
    let start = Start::mounted(&mount, &folder);
    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    connection.create_topic("topic0", 1, &[]).unwrap();
    connection.append(&place(0), &[b"kept"]).unwrap();
    drop(connection);
    broker.stop().unwrap();
    let filler = mount.fill();

    let mut other = start.clone();
    other.data = mount.at().join("other");
    let said = other.refused().unwrap();
    assert!(
        said.contains("the file system is full") && said.contains("Free some space"),
        "{said}"
    );

    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    assert_eq!(connection.read_all(&place(0)).unwrap().len(), 1);
    std::fs::remove_file(&filler).unwrap();
    wait_until("writes again", || {
        connection.append(&place(0), &[b"more"]).is_ok()
    })
    .unwrap();
    drop(connection);
    broker.stop().unwrap();
    drop(mount);
}
