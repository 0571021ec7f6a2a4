//! `sawlog log verify` and `dump` on what a stopped, a killed and a running node leave on disk: whole is called whole, and
//! one damaged byte in any kind of file is named with its file (#8, #99, #102). Neither ever writes or needs the lock.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tests::broker::{Broker, Start, binary};
use tests::client::{Connection, Place, batch};
use tests::host::{Folder, contents};

/// Damage was found.
const PROBLEM: i32 = 7;

fn log(command: &str, words: &[&str], path: &Path) -> Output {
    Command::new(binary().unwrap())
        .args(["log", command])
        .args(words)
        .arg(path)
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    String::from_utf8_lossy(out).into_owned() + &String::from_utf8_lossy(err)
}

#[track_caller]
fn whole(path: &Path) -> String {
    let output = log("verify", &[], path);
    let told = told(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains(": whole; checked "), "{told}");
    told
}

/// Two topics, one of each durability, an idempotent producer, and snapshots of the metadata.
fn fill(start: &Start) -> Broker {
    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    let fast = [("sawlog.durability", "replicated")];
    connection.create_topic("safe", 2, &[]).unwrap();
    connection.create_topic("fast", 1, &fast).unwrap();
    let identity = connection.identity().unwrap();
    for number in 0..30 {
        let value = format!("record {number} ").repeat(40);
        for topic in ["safe", "fast"] {
            let records = batch(Some(identity), number, &[value.as_bytes()]).unwrap();
            connection
                .send_batch(&Place::first(topic), records)
                .unwrap();
            assert!(connection.answer().unwrap().error.is_none());
        }
    }
    broker
}

fn start(folder: &Folder) -> Start {
    Start::on(&folder.join("data")).set("metadata.log.max.record.bytes.between.snapshots=100")
}

#[test]
fn a_stopped_and_a_killed_node_are_whole_and_looking_changes_nothing() {
    let folder = Folder::new("log-whole").unwrap();
    let start = start(&folder);
    fill(&start).stop().unwrap();
    let before = contents(&start.data).unwrap();
    whole(&start.data);
    let dumped = log("dump", &["--payload"], &start.data);
    assert_eq!(dumped.status.code(), Some(0), "{}", told(&dumped));
    let text = told(&dumped);
    for word in [
        "TOPIC_RECORD",
        "LeaderChange",
        "SnapshotFooter",
        "- stopped brokerEpoch:",
        "record 29 ",
        "checkpoint: ",
    ] {
        assert!(text.contains(word), "{word} is not in the dump");
    }
    assert!(
        contents(&start.data).unwrap() == before,
        "reading changed something"
    );

    // Killed, the last records lie in the rings only.
    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    for topic in ["safe", "fast"] {
        connection
            .append(&Place::first(topic), &[b"in the ring"])
            .unwrap();
    }
    broker.kill().unwrap();
    let said = whole(&start.data);
    let dumped = log("dump", &["-o", "json"], &start.data.join("commit"));
    let commits = told(&dumped)
        .lines()
        .filter(|line| line.contains(r#""kind":"commit""#))
        .count();
    assert!(commits > 2, "{commits} commits; {said}");
}

/// As Kafka 4.3 lays it out; a batch has the same bytes there.
#[test]
fn a_directory_that_kafka_wrote_is_called_so_and_its_segments_are_checked_all_the_same() {
    let folder = Folder::new("log-kafkas").unwrap();
    let dir = folder.join("kafka");
    let partition = dir.join("t-0");
    std::fs::create_dir_all(&partition).unwrap();
    let identity = "version=1\ndirectory.id=Kioe5wt2SZeaaLM0Kd2ZtQ\nnode.id=1\ncluster.id=4L6g3nShT-eMCtK--X86sw\n";
    std::fs::write(dir.join("meta.properties"), identity).unwrap();
    for checkpoint in ["recovery-point", "replication", "log-start"] {
        let name = format!("{checkpoint}-offset-checkpoint");
        std::fs::write(dir.join(name), "0\n0\n").unwrap();
    }
    let segment = partition.join("00000000000000000000.log");
    let mut bytes = batch(None, 0, &[b"one", b"two"]).unwrap().to_vec();
    std::fs::write(&segment, &bytes).unwrap();
    std::fs::write(segment.with_extension("index"), [0; 8]).unwrap();
    let said = whole(&dir);
    let note = format!("note: {} was written by Apache Kafka: ", dir.display());
    assert!(said.starts_with(&note), "{said}");
    assert!(said.contains(" 1 batches"), "{said}");
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    let output = log("verify", &[], &dir);
    let said = told(&output);
    assert_eq!(output.status.code(), Some(PROBLEM), "{said}");
    let damage = format!("DAMAGED {} byte 0: ", segment.display());
    assert!(said.contains(&damage) && said.contains(&note), "{said}");
}

#[test]
fn a_log_that_left_the_ring_is_whole_running_killed_and_stopped_104() {
    let folder = Folder::new("log-direct").unwrap();
    // However slow this machine is just now, 4 MiB leave the ring.
    let start = start(&folder).set("sawlog.direct.ms=600000");
    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    connection.create_topic("large", 1, &[]).unwrap();
    let value = vec![b'x'; 100_000];
    for _ in 0..200 {
        connection
            .append(&Place::first("large"), &[&value])
            .unwrap();
    }
    whole(&start.data);
    broker.kill().unwrap();
    whole(&start.data);
    let dumped = log("dump", &[], &start.data.join("commit"));
    assert_eq!(dumped.status.code(), Some(0), "{}", told(&dumped));
    let named = told(&dumped).matches(" segment: 0 position: ").count();
    assert!(named > 30, "{named} batches went around the ring (#144)");
    start.ready().unwrap().stop().unwrap();
    whole(&start.data);
    let dumped = log("dump", &[], &start.data.join("large-0"));
    assert_eq!(dumped.status.code(), Some(0), "{}", told(&dumped));
    let batches = told(&dumped).matches("baseOffset: ").count();
    assert!(batches >= 100, "{batches} batches in segments");
}

#[test]
fn a_running_node_under_load_is_whole_whenever_it_is_looked_at() {
    let folder = Folder::new("log-live").unwrap();
    // More than a ring file holds, so that segments, checkpoints and recycled files change underfoot.
    let enough: u64 = 96 << 20;
    let start = start(&folder);
    let broker = fill(&start);
    let (address, written, over) = (
        broker.address,
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let load = {
        let (written, over) = (written.clone(), over.clone());
        std::thread::spawn(move || {
            let mut connection = Connection::open(address).unwrap();
            let value = vec![7; 200_000];
            while !over.load(Ordering::Relaxed) {
                for topic in ["safe", "fast"] {
                    connection.append(&Place::first(topic), &[&value]).unwrap();
                }
                written.fetch_add(2 * value.len() as u64, Ordering::Relaxed);
            }
        })
    };
    let mut looks = 0;
    while looks < 5 || written.load(Ordering::Relaxed) < enough {
        // It waits for each answer with patience of its own.
        assert!(!load.is_finished(), "{looks} looks, {written:?} bytes");
        whole(&start.data);
        looks += 1;
    }
    let dumped = log("dump", &[], &start.data.join("safe-0"));
    assert!(
        told(&dumped).contains("baseOffset: 0 "),
        "{}",
        told(&dumped)
    );
    over.store(true, Ordering::Relaxed);
    load.join().unwrap();
    broker.stop().unwrap();
    whole(&start.data);
}

/// Flips one bit of a file, looks, and puts it back.
#[track_caller]
fn found(root: &Path, file: &Path, at: usize) {
    let good = std::fs::read(file).unwrap();
    let mut bad = good.clone();
    bad[at] ^= 0x10;
    std::fs::write(file, &bad).unwrap();
    let output = log("verify", &[], root);
    let said = told(&output);
    let name = file.display();
    assert_eq!(
        output.status.code(),
        Some(PROBLEM),
        "byte {at} of {name}: {said}"
    );
    assert!(
        said.contains(&format!("DAMAGED {name} byte ")),
        "byte {at} of {name}: {said}"
    );
    // Whatever is wrong, printing neither panics nor hangs.
    let dumped = log("dump", &["--records"], file);
    assert!(
        dumped
            .status
            .code()
            .is_some_and(|code| code == 0 || code == 3),
        "byte {at} of {name}: {}",
        told(&dumped)
    );
    std::fs::write(file, &good).unwrap();
}

/// Bytes spread over a file.
fn spread(file: &Path) -> Vec<usize> {
    let len = std::fs::metadata(file).unwrap().len() as usize;
    (0..3).map(|n| (len - 1) * n / 2).collect()
}

fn files(dir: &Path, end: &str) -> Vec<PathBuf> {
    let all = contents(dir).unwrap().into_keys();
    all.filter(|path| path.to_str().is_some_and(|path| path.ends_with(end)))
        .collect()
}

#[test]
fn one_damaged_byte_in_a_file_of_any_kind_is_named() {
    let folder = Folder::new("log-damage").unwrap();
    let start = start(&folder);
    fill(&start).stop().unwrap();
    let root = &start.data;
    for (end, least) in [(".side", 3), (".a", 1), (".b", 1), (".checkpoint", 1)] {
        let files = files(root, end);
        assert!(files.len() >= least, "{end}: {files:?}");
        for file in files {
            spread(&file)
                .into_iter()
                .for_each(|at| found(root, &file, at));
        }
    }
    for dir in ["safe-0", "fast-0", "__cluster_metadata-0"] {
        for file in files(&root.join(dir), ".log") {
            spread(&file)
                .into_iter()
                .for_each(|at| found(root, &file, at));
        }
        found(root, &root.join(dir).join("partition.metadata"), 30);
    }
    found(root, &root.join("meta.properties"), 15);
    found(root, &root.join("__cluster_metadata-0/quorum-state"), 30);
    whole(root);

    // A ring counts where the only bytes of a record lie in it.
    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    for number in 0..5 {
        for topic in ["safe", "fast"] {
            let value = format!("{topic} in the ring {number}");
            connection
                .append(&Place::first(topic), &[value.as_bytes()])
                .unwrap();
        }
    }
    broker.kill().unwrap();
    whole(root);
    for topic in ["safe", "fast"] {
        let text = format!("{topic} in the ring 2");
        let mut hits = 0;
        for (file, bytes) in contents(&root.join("commit")).unwrap() {
            let at = bytes
                .windows(text.len())
                .position(|window| window == text.as_bytes());
            if let Some(at) = at {
                found(root, &file, at);
                hits += 1;
            }
        }
        assert_eq!(hits, 1, "{text:?} must stand in one ring file");
    }
}

#[test]
fn a_file_by_itself_a_missing_one_and_one_of_no_kind_have_their_exit_codes() {
    let folder = Folder::new("log-alone").unwrap();
    let start = start(&folder);
    fill(&start).stop().unwrap();
    let segment = start.data.join("safe-0/00000000000000000000.log");
    whole(&segment);
    whole(&start.data.join("safe-0"));
    whole(&start.data.join("checkpoint.0.a"));
    let mut bytes = std::fs::read(&segment).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    for path in [&segment, &start.data.join("safe-0")] {
        let output = log("verify", &["-o", "json"], path);
        assert_eq!(output.status.code(), Some(PROBLEM), "{}", told(&output));
        assert!(
            told(&output).contains(r#"{"kind":"damage","file":"#),
            "{}",
            told(&output)
        );
    }
    std::fs::create_dir(folder.join("empty")).unwrap();
    std::fs::write(folder.join("empty/notes.txt"), "no log").unwrap();
    for command in ["verify", "dump"] {
        for none in ["nowhere", "empty"] {
            let absent = log(command, &[], &folder.join(none));
            assert_eq!(absent.status.code(), Some(4), "{}", told(&absent));
        }
    }
    let other = log("dump", &[], &start.log);
    assert_eq!(other.status.code(), Some(1), "{}", told(&other));
}
