//! A disk that fails, lies or dawdles under a real broker, by strace. Holds #101 (a failed sync or synchronous write ends the
//! process, and no page of the cache is trusted afterwards, #98), #99 (what was called written and is not there is named)
//! and #105; every story asserts that its fault fired and which verdict followed.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use sawlog_wire::{Code, ErrorCode};
use tests::broker::{Broker, Start, wait_until};
use tests::client::{Connection, Place, batch};
use tests::host::{Folder, Mount, not_run, run};
use tests::strace::{self, Injection, SYNCS, WRITES};

use crate::producer::{Load, Producer, counter};

fn place(topic: &str) -> Place {
    Place {
        topic: topic.to_owned(),
        partition: 0,
    }
}

/// All files of the ring that are there now.
fn rings(start: &Start) -> Vec<PathBuf> {
    std::fs::read_dir(start.data.join("commit"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

/// A topic of this durability, and producers for its partitions.
fn producers(broker: &Broker, durability: &str, count: i32) -> Vec<Producer> {
    let mut connection = Connection::open(broker.address).unwrap();
    let settings = [("sawlog.durability", durability)];
    connection
        .create_topic(durability, count, &settings)
        .unwrap();
    (0..count)
        .map(|partition| {
            let topic = durability.to_owned();
            let place = Place { topic, partition };
            Producer::new(&mut connection, place, 11 + partition as u64)
        })
        .collect()
}

/// The broker ends by itself, not well, and says these words; nothing is told to a client as a definite failure, for what
/// was asked for may lie on the disk all the same.
fn ends_with(start: &Start, mut broker: Broker, load: Load, words: &[&str]) -> Vec<Producer> {
    let status = broker.exited().unwrap();
    let said = start.said().unwrap();
    assert!(!status.success(), "{status}: {said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is missing in: {said}");
    }
    load.ended()
}

/// Everything acknowledged is there once, and what was open is taken when it is sent again.
fn nothing_is_lost(start: &Start, producers: Vec<Producer>) {
    let broker = start.ready().unwrap();
    let total = counter();
    let open: usize = producers.iter().map(|producer| producer.open.len()).sum();
    assert!(open > 0, "the fault met no request in flight");
    let load = Load::begin(producers, broker.address, total);
    assert!(load.reached(50), "{}", start.said().unwrap());
    broker.kill().unwrap();
    let producers = load.ended();
    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    for producer in &producers {
        assert!(producer.known_end() > 0, "nothing was acknowledged");
        producer.check(&mut connection);
    }
    drop(connection);
    broker.stop().unwrap();
}

#[test]
fn failed_writes_of_commits_under_load_end_the_broker_and_lose_nothing_101() {
    if strace::missing("EIO on the commit log") {
        return;
    }
    let folder = Folder::new("eio-write").unwrap();
    let start = Start::on(&folder.join("data"));
    let broker = start.ready().unwrap();
    let load = Load::begin(producers(&broker, "durable", 4), broker.address, counter());
    assert!(load.reached(200), "{}", start.said().unwrap());
    let log = folder.join("strace");
    let files = rings(&start);
    let injection = Injection::begin(&broker, WRITES, "error=EIO", &files, &log).unwrap();
    let words = [
        "the commit log could not be written: the disk said: write commit/",
        "Input/output error",
        "Nothing more is acknowledged",
        "[KAFKA_STORAGE_ERROR]",
    ];
    let producers = ends_with(&start, broker, load, &words);
    assert!(injection.end().unwrap() > 0, "the fault never fired");
    nothing_is_lost(&start, producers);
}

#[test]
fn failed_syncs_under_load_end_the_broker_and_lose_nothing_101() {
    if strace::missing("EIO on syncs") {
        return;
    }
    let folder = Folder::new("eio-sync").unwrap();
    let start = Start::on(&folder.join("data"));
    let broker = start.ready().unwrap();
    let load = producers(&broker, "replicated", 4)
        .into_iter()
        .map(|producer| producer.sized(20_000))
        .collect();
    let load = Load::begin(load, broker.address, counter());
    // The first file is a small one; once the second is written to, it is made, and only commits are synced there.
    let second = start.data.join("commit/fast-0-00000000000000000002.log");
    wait_until("commits in the second file", || {
        let mut magic = [0; 4];
        let read = File::open(&second).and_then(|mut file| file.read_exact(&mut magic));
        read.is_ok() && magic == *b"SLcm"
    })
    .unwrap();
    let log = folder.join("strace");
    let injection = Injection::begin(&broker, SYNCS, "error=EIO", &[second], &log).unwrap();
    let words = [
        "the fast commit log could not be synced: the disk said: sync commit/fast-",
        "Input/output error",
        "[KAFKA_STORAGE_ERROR]",
    ];
    let producers = ends_with(&start, broker, load, &words);
    assert!(injection.end().unwrap() > 0, "the fault never fired");
    nothing_is_lost(&start, producers);
}

#[test]
fn failed_syncs_of_segments_under_load_end_the_broker_and_lose_nothing_101() {
    if strace::missing("EIO on syncs of segments") {
        return;
    }
    let folder = Folder::new("eio-spill").unwrap();
    // A small file system has small ring files, so that segments are spilled soon.
    let disk = folder.join("disk");
    let Ok(mount) = Mount::fresh(&folder.join("image"), 300, &disk) else {
        return not_run("EIO on syncs of segments", "no loop mount");
    };
    let mut start = Start::on(&disk.join("data"));
    start.log = folder.join("log");
    let broker = start.ready().unwrap();
    let load = producers(&broker, "durable", 2)
        .into_iter()
        .map(|producer| producer.sized(20_000))
        .collect();
    let load = Load::begin(load, broker.address, counter());
    let segment = start.data.join("durable-0/00000000000000000000.log");
    wait_until("a segment", || segment.exists()).unwrap();
    let log = folder.join("strace");
    let injection = Injection::begin(&broker, SYNCS, "error=EIO", &[segment], &log).unwrap();
    let words = [
        "segments could not be synced: the disk said: sync durable-",
        "Input/output error",
        "[KAFKA_STORAGE_ERROR]",
    ];
    let producers = ends_with(&start, broker, load, &words);
    assert!(injection.end().unwrap() > 0, "the fault never fired");
    nothing_is_lost(&start, producers);
    drop(mount);
}

#[test]
fn a_failed_sync_at_the_end_is_no_clean_stop_and_loses_nothing() {
    if strace::missing("EIO on the syncs of a stop") {
        return;
    }
    let folder = Folder::new("eio-stop").unwrap();
    let start = Start::on(&folder.join("data"));
    let mut broker = start.ready().unwrap();
    let load = Load::begin(producers(&broker, "durable", 2), broker.address, counter());
    assert!(load.reached(100), "{}", start.said().unwrap());
    let log = folder.join("strace");
    let injection = Injection::begin(&broker, SYNCS, "error=EIO", &[], &log).unwrap();
    broker.signal(Signal::TERM).unwrap();
    let status = broker.exited().unwrap();
    assert!(!status.success(), "{status}: {}", start.said().unwrap());
    assert!(injection.end().unwrap() > 0, "the fault never fired");
    let producers = load.ended();
    let broker = start.ready().unwrap();
    assert!(broker.ready.contains("after a crash"), "{}", broker.ready);
    let mut connection = Connection::open(broker.address).unwrap();
    for producer in &producers {
        assert!(producer.known_end() > 0, "nothing was acknowledged");
        producer.check(&mut connection);
    }
    drop(connection);
    broker.stop().unwrap();
}

/// After a sync that failed the kernel may call its pages clean, although they never reached the medium: what the next
/// start reads there it must write again before it serves it. Its file system is copied under the paused broker, so
/// that the copy holds only what really was made durable.
#[test]
fn what_a_failed_sync_left_in_the_page_cache_is_written_again_before_it_is_served_98() {
    if strace::missing("no trust in the page cache") {
        return;
    }
    let folder = Folder::new("page-cache").unwrap();
    let (image, disk) = (folder.join("image"), folder.join("disk"));
    let Ok(mount) = Mount::fresh(&image, 300, &disk) else {
        return not_run("no trust in the page cache", "no loop mount");
    };
    let mut start = Start::on(&disk.join("data"));
    start.log = folder.join("log");
    let broker = start.ready().unwrap();
    let topic = producers(&broker, "replicated", 1);
    let load = Load::begin(topic, broker.address, counter());
    // The ring for such topics is there once something was acknowledged from it.
    assert!(load.reached(20), "{}", start.said().unwrap());
    let files: Vec<PathBuf> = rings(&start)
        .into_iter()
        .filter(|path| path.to_string_lossy().contains("/fast-"))
        .collect();
    let log = folder.join("strace");
    let injection = Injection::begin(&broker, SYNCS, "error=EIO", &files, &log).unwrap();
    let words = ["the disk said: sync commit/fast-", "Input/output error"];
    let producers = ends_with(&start, broker, load, &words);
    assert!(injection.end().unwrap() > 0, "the fault never fired");

    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    let served = connection.read_all(&producers[0].place).unwrap();
    assert!(!served.is_empty(), "nothing lay in the page cache");
    assert!(served.len() as i64 >= producers[0].known_end());
    broker.signal(Signal::STOP).unwrap();
    let copy = folder.join("copy");
    let (from, to) = (image.to_string_lossy(), copy.to_string_lossy());
    run("cp", &["--sparse=always", &from, &to]).unwrap();
    broker.kill().unwrap();
    drop(mount);

    let other = Mount::of(&copy, &folder.join("other")).unwrap();
    let boot = folder.join("boot_id");
    std::fs::write(&boot, "00000000-0000-4000-8000-000000000098\n").unwrap();
    let script = format!(
        "mount --bind {} /proc/sys/kernel/random/boot_id && exec \"$@\"",
        boot.display()
    );
    let mut start =
        Start::on(&folder.join("other/data")).under(["unshare", "-m", "sh", "-c", &script, "sh"]);
    start.log = folder.join("other.log");
    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    let left = connection.read_all(&producers[0].place).unwrap();
    assert!(
        left == served,
        "{} left of {} served",
        left.len(),
        served.len()
    );
    drop(connection);
    broker.stop().unwrap();
    drop(other);
}

/// Two topics with a record each, of which `lost` is to be hit.
fn two_topics(start: &Start) -> (Broker, Connection) {
    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    for topic in ["lost", "kept"] {
        connection.create_topic(topic, 1, &[]).unwrap();
        let base = connection.append(&place(topic), &[b"before"]).unwrap();
        assert_eq!(base, 0);
    }
    (broker, connection)
}

/// The disk said that it wrote a commit, or all of it, and did not. After a kill that is found, `lost` is named and not
/// served, and `kept` is whole.
fn only_lost_is_named(start: &Start, broker: Broker, kept: &[&[u8]]) {
    broker.kill().unwrap();
    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    let stored = connection.read_all(&place("kept")).unwrap();
    let stored: Vec<&[u8]> = stored.iter().map(|record| &*record.value).collect();
    assert_eq!(stored, kept);
    let refused = connection.read_all(&place("lost")).unwrap_err().to_string();
    assert!(refused.ends_with("KAFKA_STORAGE_ERROR"), "{refused}");
    let refused = connection.append(&place("lost"), &[b"x"]).unwrap_err();
    let refused = refused.to_string();
    assert!(refused.ends_with("KAFKA_STORAGE_ERROR"), "{refused}");
    wait_until("the verdict", || {
        let said = start.said().unwrap();
        said.contains("cannot be read, although they were durable")
            && said.contains("partition lost-0 is offline")
            && !said.contains("partition kept-0 is offline")
    })
    .unwrap_or_else(|error| panic!("{error}: {}", start.said().unwrap()));
    drop(connection);
    broker.stop().unwrap();
}

#[test]
fn a_lost_write_of_a_commit_is_found_named_and_takes_its_partition_only_99() {
    if strace::missing("lost write") {
        return;
    }
    let folder = Folder::new("lost-write").unwrap();
    let start = Start::on(&folder.join("data"));
    let (broker, mut connection) = two_topics(&start);
    let files = rings(&start);
    let log = folder.join("strace");
    // A commit of one small record is one block.
    let injection = Injection::begin(&broker, WRITES, "retval=4096", &files, &log).unwrap();
    let base = connection
        .append(&place("lost"), &[b"acknowledged"])
        .unwrap();
    assert_eq!(base, 1, "the disk said that it is written");
    assert!(injection.end().unwrap() > 0, "the fault never fired");
    let base = connection.append(&place("kept"), &[b"after"]).unwrap();
    assert_eq!(base, 1);
    only_lost_is_named(&start, broker, &[b"before", b"after"]);
}

#[test]
fn a_lost_write_of_the_last_commit_is_found_once_the_directory_has_rested_99() {
    if strace::missing("lost write of the last commit") {
        return;
    }
    let folder = Folder::new("lost-last").unwrap();
    let start = Start::on(&folder.join("data"));
    let (broker, mut connection) = two_topics(&start);
    let files = rings(&start);
    let log = folder.join("strace");
    let first = "retval=4096:when=1";
    let injection = Injection::begin(&broker, WRITES, first, &files, &log).unwrap();
    let base = connection
        .append(&place("lost"), &[b"acknowledged"])
        .unwrap();
    assert_eq!(base, 1, "the disk said that it is written");
    // The mark follows alone when nothing else does; it is traced, and written.
    wait_until("the last mark", || {
        let calls = injection.calls().unwrap();
        calls
            .iter()
            .any(|call| !call.0.contains("(INJECTED)") && call.0.contains("= 4096"))
    })
    .unwrap();
    assert!(injection.end().unwrap() > 0, "the fault never fired");
    only_lost_is_named(&start, broker, &[b"before"]);
}

#[test]
fn a_write_that_writes_nothing_ends_the_broker_and_loses_nothing_101() {
    if strace::missing("short write") {
        return;
    }
    let folder = Folder::new("short-write").unwrap();
    let start = Start::on(&folder.join("data"));
    let broker = start.ready().unwrap();
    let load = Load::begin(producers(&broker, "durable", 2), broker.address, counter());
    assert!(load.reached(100), "{}", start.said().unwrap());
    let files = rings(&start);
    let log = folder.join("strace");
    let injection = Injection::begin(&broker, WRITES, "retval=0", &files, &log).unwrap();
    let words = [
        "the commit log could not be written: the disk said: write commit/",
        "write zero",
        "[KAFKA_STORAGE_ERROR]",
    ];
    let producers = ends_with(&start, broker, load, &words);
    assert!(injection.end().unwrap() > 0, "the fault never fired");
    nothing_is_lost(&start, producers);
}

#[test]
fn a_short_write_is_gone_on_with_where_it_ended_and_what_it_lost_is_named_99() {
    if strace::missing("short write that loses its bytes") {
        return;
    }
    let folder = Folder::new("short-lost").unwrap();
    let start = Start::on(&folder.join("data"));
    let (broker, mut connection) = two_topics(&start);
    let files = rings(&start);
    let log = folder.join("strace");
    let first = "retval=4096:when=1";
    let injection = Injection::begin(&broker, WRITES, first, &files, &log).unwrap();
    let value = [7; 10_000];
    assert_eq!(connection.append(&place("lost"), &[&value]).unwrap(), 1);
    let calls = injection.calls().unwrap();
    let places: Vec<(u64, u64)> = calls
        .iter()
        .filter_map(|call| call.bytes_and_place())
        .collect();
    let (bytes, at) = places[0];
    assert!(bytes > 4096, "one write of a whole commit: {calls:?}");
    assert!(
        places.contains(&(bytes - 4096, at + 4096)),
        "the rest of {bytes} bytes at {at}: {calls:?}"
    );
    assert!(injection.end().unwrap() > 0, "the fault never fired");
    assert_eq!(connection.append(&place("kept"), &[b"after"]).unwrap(), 1);
    only_lost_is_named(&start, broker, &[b"before", b"after"]);
}

#[test]
fn slow_writes_and_syncs_delay_acknowledgements_and_nothing_else() {
    if strace::missing("slow writes") {
        return;
    }
    let folder = Folder::new("slow").unwrap();
    let start = Start::on(&folder.join("data"));
    let broker = start.ready().unwrap();
    let mut all = producers(&broker, "durable", 2);
    all.extend(producers(&broker, "replicated", 2));
    let total = counter();
    let load = Load::begin(all, broker.address, total);
    assert!(load.reached(100), "{}", start.said().unwrap());
    let log = folder.join("strace");
    let calls = format!("{WRITES},{SYNCS}");
    let slow = "delay_enter=300000";
    let injection = Injection::begin(&broker, &calls, slow, &[], &log).unwrap();
    let before = total.load(std::sync::atomic::Ordering::Relaxed);
    // Readers do not wait for the disk's writes: what was written last lies in memory.
    let mut reader = Connection::open(broker.address).unwrap();
    let mut longest = Duration::ZERO;
    let begun = Instant::now();
    let mut reads = 0;
    while begun.elapsed() < Duration::from_secs(3) {
        let asked = Instant::now();
        let (error, records) = reader.fetch(&place("durable"), 0).unwrap();
        assert!(error.is_none() && !records.is_empty(), "{error:?}");
        longest = longest.max(asked.elapsed());
        reads += 1;
    }
    assert!(load.reached(before + 20), "{}", start.said().unwrap());
    assert!(injection.end().unwrap() > 10, "the fault never fired");
    assert!(
        reads >= 10,
        "{reads} reads in 3 s, the longest took {longest:?}"
    );
    // At its former pace again.
    let now = total.load(std::sync::atomic::Ordering::Relaxed);
    assert!(load.reached(now + 500), "{}", start.said().unwrap());
    drop(reader);
    broker.kill().unwrap();
    let producers = load.ended();
    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    for producer in &producers {
        assert!(producer.refused.is_empty(), "{:?}", producer.refused);
        producer.check(&mut connection);
    }
    drop(connection);
    broker.stop().unwrap();
}

/// A disk without room for a new directory or file: what is spilled waits in the ring, and goes on when there is room.
#[test]
fn no_space_for_segments_refuses_writers_in_words_and_heals_105() {
    if strace::missing("ENOSPC by strace") {
        return;
    }
    let folder = Folder::new("enospc").unwrap();
    let disk = folder.join("disk");
    let Ok(mount) = Mount::fresh(&folder.join("image"), 300, &disk) else {
        return not_run("ENOSPC by strace", "no loop mount");
    };
    let mut start = Start::on(&disk.join("data"));
    start.log = folder.join("log");
    let broker = start.ready().unwrap();
    let load: Vec<Producer> = producers(&broker, "durable", 2)
        .into_iter()
        .map(|producer| producer.sized(20_000))
        .collect();
    let log = folder.join("strace");
    let full = "error=ENOSPC";
    let injection = Injection::begin(&broker, "mkdir,mkdirat", full, &[], &log).unwrap();
    let load = Load::begin(load, broker.address, counter());
    wait_until("a spill that finds no room", || {
        injection.fired().unwrap() > 0
    })
    .unwrap();
    wait_until("a refusal", || {
        let mut connection = Connection::open(broker.address).unwrap();
        let bytes = batch(None, 0, &[b"refused"]).unwrap();
        connection.create_topic("other", 1, &[]).ok();
        connection.send_batch(&place("other"), bytes).unwrap();
        connection.answer().unwrap().error == Code::KafkaStorageError
    })
    .unwrap_or_else(|error| panic!("{error}: {}", start.said().unwrap()));
    // Reads go on, and so does the process.
    let mut connection = Connection::open(broker.address).unwrap();
    let (error, records) = connection.fetch(&place("durable"), 0).unwrap();
    assert!(error.is_none() && !records.is_empty(), "{error:?}");
    let producers = load.ended();
    for producer in &producers {
        let storage = |error: &ErrorCode| *error == Code::KafkaStorageError;
        assert!(
            producer.refused.iter().all(storage),
            "{:?}",
            producer.refused
        );
    }
    assert!(injection.end().unwrap() > 0, "the fault never fired");
    wait_until("writes again", || {
        connection.append(&place("other"), &[b"healed"]).is_ok()
    })
    .unwrap();
    let total = counter();
    let load = Load::begin(producers, broker.address, total);
    assert!(load.reached(100), "{}", start.said().unwrap());
    broker.kill().unwrap();
    let producers = load.ended();
    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    for producer in &producers {
        assert!(producer.known_end() > 0, "nothing was acknowledged");
        producer.check(&mut connection);
    }
    drop(connection);
    broker.stop().unwrap();
    drop(mount);
}

#[test]
fn a_commit_log_without_space_ends_the_broker_and_loses_nothing_101() {
    if strace::missing("ENOSPC on the commit log") {
        return;
    }
    let folder = Folder::new("enospc-ring").unwrap();
    let start = Start::on(&folder.join("data"));
    let broker = start.ready().unwrap();
    let load = Load::begin(producers(&broker, "durable", 2), broker.address, counter());
    assert!(load.reached(100), "{}", start.said().unwrap());
    let files = rings(&start);
    let log = folder.join("strace");
    let full = "error=ENOSPC";
    let injection = Injection::begin(&broker, WRITES, full, &files, &log).unwrap();
    // Its files are pre-written: a write into one that finds no space may have been done in part, like any that fails.
    let words = [
        "the commit log could not be written: the disk said: write commit/",
        "No space left on device",
        "[KAFKA_STORAGE_ERROR]",
    ];
    let producers = ends_with(&start, broker, load, &words);
    assert!(injection.end().unwrap() > 0, "the fault never fired");
    nothing_is_lost(&start, producers);
}
