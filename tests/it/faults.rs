//! A disk that fails, lies or dawdles under a real broker, by strace. Holds #101 (a failed sync or synchronous write ends the
//! process, and no page of the cache is trusted afterwards, #98), #99 (what was called written and is not there is named)
//! and #105; every story asserts that its fault fired and which verdict followed.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use sawlog_wire::{Code, ErrorCode};
use tests::broker::{Broker, Start, wait_until};
use tests::client::{Connection, Place, batch};
use tests::host::{Folder, Mount};
use tests::strace::{self, Injection, SYNCS, WRITES};

use crate::producer::{Load, Producer, counter, nothing_is_lost};
use crate::ring;

/// Where a broker runs whose disk is about to fail.
struct Scene {
    start: Start,
    mount: Option<Mount>,
    folder: Folder,
}

impl Scene {
    /// A broker on an ordinary folder; says so where there is no strace.
    fn begin(name: &str) -> Option<(Scene, Broker)> {
        if strace::missing(name) {
            return None;
        }
        let folder = Folder::new(name).unwrap();
        let start = Start::on(&folder.join("data"));
        let broker = start.ready().unwrap();
        let mount = None;
        Some((
            Scene {
                start,
                mount,
                folder,
            },
            broker,
        ))
    }

    /// A broker on a small file system: its ring files are small too, so that segments are spilled soon.
    fn small(name: &str) -> Option<(Scene, Broker)> {
        if strace::missing(name) {
            return None;
        }
        let folder = Folder::new(name).unwrap();
        let mount = Mount::fresh(&folder, 300, name)?;
        let start = Start::mounted(&mount, &folder);
        let broker = start.ready().unwrap();
        let mount = Some(mount);
        Some((
            Scene {
                start,
                mount,
                folder,
            },
            broker,
        ))
    }

    /// From now on these calls of the broker meet this fault, on these files only, if any are named.
    fn inject(&self, broker: &Broker, calls: &str, fault: &str, files: &[PathBuf]) -> Injection {
        Injection::begin(broker, calls, fault, files, &self.folder.join("strace")).unwrap()
    }

    /// As many acknowledgements as this come before every producer's end.
    fn reaches(&self, load: &Load, enough: u64) {
        assert!(load.reached(enough), "{}", self.start.said().unwrap());
    }

    /// The fault has fired, and the broker ends by itself, not well, with these words. Nothing is told to a client as a
    /// definite failure, for what was asked for may lie on the disk all the same.
    fn ends(
        &self,
        mut broker: Broker,
        injection: Injection,
        load: Load,
        words: &[&str],
    ) -> Vec<Producer> {
        let status = broker.exited().unwrap();
        let said = self.start.said().unwrap();
        assert!(!status.success(), "{status}: {said}");
        for word in words {
            assert!(said.contains(word), "{word:?} is missing in: {said}");
        }
        let producers = load.ended();
        fired(injection);
        producers
    }

    /// Everything acknowledged is there once, and what was open is taken when it is sent again.
    fn goes_on(&self, producers: Vec<Producer>) {
        let broker = self.start.ready().unwrap();
        let open: usize = producers.iter().map(|producer| producer.open.len()).sum();
        assert!(open > 0, "the fault met no request in flight");
        let load = Load::begin(producers, broker.address, counter());
        self.reaches(&load, 50);
        broker.kill().unwrap();
        nothing_is_lost(&self.start, &load.ended());
    }
}

/// The broker goes on without the fault, which met some of its calls.
fn fired(injection: Injection) {
    assert!(injection.end().unwrap() > 0, "the fault never fired");
}

/// Producers of large values, which soon fill a ring file.
fn large(producers: Vec<Producer>) -> Vec<Producer> {
    producers.into_iter().map(|one| one.sized(20_000)).collect()
}

/// Writes into the ring fail like this under load.
fn failing_commits_end_the_broker(name: &str, fault: &str, why: &str) {
    let Some((scene, broker)) = Scene::begin(name) else {
        return;
    };
    let producers = Producer::of_topic(&broker, "durable", 4);
    let load = Load::begin(producers, broker.address, counter());
    scene.reaches(&load, 200);
    let injection = scene.inject(&broker, WRITES, fault, &ring::files(&scene.start));
    let words = [
        "the commit log could not be written: the disk said: write commit/",
        why,
        "Nothing more is acknowledged",
        "[KAFKA_STORAGE_ERROR]",
    ];
    let producers = scene.ends(broker, injection, load, &words);
    scene.goes_on(producers);
}

#[test]
fn failed_writes_of_commits_under_load_end_the_broker_and_lose_nothing_101() {
    failing_commits_end_the_broker("eio-write", "error=EIO", "Input/output error");
}

#[test]
fn a_write_that_writes_nothing_ends_the_broker_and_loses_nothing_101() {
    failing_commits_end_the_broker("short-write", "retval=0", "write zero");
}

/// Ring files are pre-written: a write into one that finds no space may have been done in part, like any that fails.
#[test]
fn a_commit_log_without_space_ends_the_broker_and_loses_nothing_101() {
    failing_commits_end_the_broker("enospc-ring", "error=ENOSPC", "No space left on device");
}

#[test]
fn failed_syncs_under_load_end_the_broker_and_lose_nothing_101() {
    let Some((scene, broker)) = Scene::begin("eio-sync") else {
        return;
    };
    let producers = large(Producer::of_topic(&broker, "replicated", 4));
    let load = Load::begin(producers, broker.address, counter());
    // The first file is a small one; once the second is written to, it is made, and only commits are synced there.
    let second = scene
        .start
        .data
        .join("commit/fast-0-00000000000000000002.log");
    wait_until("commits in the second file", || {
        let mut magic = [0; 4];
        let read = File::open(&second).and_then(|mut file| file.read_exact(&mut magic));
        read.is_ok() && magic == *b"SLcm"
    })
    .unwrap();
    let injection = scene.inject(&broker, SYNCS, "error=EIO", &[second]);
    let words = [
        "the fast commit log could not be synced: the disk said: sync commit/fast-",
        "Input/output error",
        "[KAFKA_STORAGE_ERROR]",
    ];
    let producers = scene.ends(broker, injection, load, &words);
    scene.goes_on(producers);
}

#[test]
fn failed_syncs_of_segments_under_load_end_the_broker_and_lose_nothing_101() {
    let Some((scene, broker)) = Scene::small("eio-spill") else {
        return;
    };
    let producers = large(Producer::of_topic(&broker, "durable", 2));
    let load = Load::begin(producers, broker.address, counter());
    let segment = scene.start.data.join("durable-0/00000000000000000000.log");
    wait_until("a segment", || segment.exists()).unwrap();
    let injection = scene.inject(&broker, SYNCS, "error=EIO", &[segment]);
    let words = [
        "segments could not be synced: the disk said: sync durable-",
        "Input/output error",
        "[KAFKA_STORAGE_ERROR]",
    ];
    let producers = scene.ends(broker, injection, load, &words);
    scene.goes_on(producers);
}

#[test]
fn a_failed_sync_at_the_end_is_no_clean_stop_and_loses_nothing() {
    let Some((scene, mut broker)) = Scene::begin("eio-stop") else {
        return;
    };
    let producers = Producer::of_topic(&broker, "durable", 2);
    let load = Load::begin(producers, broker.address, counter());
    scene.reaches(&load, 100);
    let injection = scene.inject(&broker, SYNCS, "error=EIO", &[]);
    broker.signal(Signal::TERM).unwrap();
    let status = broker.exited().unwrap();
    assert!(
        !status.success(),
        "{status}: {}",
        scene.start.said().unwrap()
    );
    fired(injection);
    let producers = load.ended();
    let broker = scene.start.ready().unwrap();
    assert!(broker.ready.contains("after a crash"), "{}", broker.ready);
    broker.kill().unwrap();
    nothing_is_lost(&scene.start, &producers);
}

/// After a sync that failed the kernel may call its pages clean, although they never reached the medium: what the next
/// start reads there it must write again before it serves it. Its file system is copied under the paused broker, so
/// that the copy holds only what really was made durable.
#[test]
fn what_a_failed_sync_left_in_the_page_cache_is_written_again_before_it_is_served_98() {
    let Some((mut scene, broker)) = Scene::small("page-cache") else {
        return;
    };
    let producers = Producer::of_topic(&broker, "replicated", 1);
    let load = Load::begin(producers, broker.address, counter());
    // The ring for such topics is there once something was acknowledged from it.
    scene.reaches(&load, 20);
    let files: Vec<PathBuf> = ring::files(&scene.start)
        .into_iter()
        .filter(|path| path.to_string_lossy().contains("/fast-"))
        .collect();
    let injection = scene.inject(&broker, SYNCS, "error=EIO", &files);
    let words = ["the disk said: sync commit/fast-", "Input/output error"];
    let producers = scene.ends(broker, injection, load, &words);

    let broker = scene.start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    let served = connection.read_all(&producers[0].place).unwrap();
    assert!(!served.is_empty(), "nothing lay in the page cache");
    assert!(served.len() as i64 >= producers[0].known_end());
    broker.signal(Signal::STOP).unwrap();
    let copy = scene.folder.join("copy");
    scene.mount.as_ref().unwrap().copy(&copy).unwrap();
    broker.kill().unwrap();
    scene.mount = None;

    let other = Mount::of(&copy, &scene.folder.join("other")).unwrap();
    let boot = scene.folder.join("boot_id");
    let start = Start::mounted(&other, &scene.folder)
        .rebooted(&boot, 98)
        .unwrap();
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

/// Two topics with a record each, of which `lost` is to be hit. The commit log rests: the next write is the next record's.
fn two_topics(name: &str) -> Option<(Scene, Broker, Connection)> {
    let (scene, broker) = Scene::begin(name)?;
    let mut connection = Connection::open(broker.address).unwrap();
    for topic in ["lost", "kept"] {
        connection.create_topic(topic, 1, &[]).unwrap();
        let base = connection
            .append(&Place::first(topic), &[b"before"])
            .unwrap();
        assert_eq!(base, 0);
    }
    ring::rest(&scene.start);
    Some((scene, broker, connection))
}

/// The next commit is this record, and acknowledged.
fn takes(connection: &mut Connection, topic: &str, value: &[u8]) {
    let base = connection.append(&Place::first(topic), &[value]).unwrap();
    assert_eq!(base, 1, "the disk said that it is written");
}

/// The disk said that it wrote a commit, or all of it, and did not. After a kill that is found, `lost` is named and not
/// served, and `kept` is whole.
fn only_lost_is_named(scene: &Scene, broker: Broker, kept: &[&[u8]]) {
    broker.kill().unwrap();
    let broker = scene.start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    let stored = connection.read_all(&Place::first("kept")).unwrap();
    let stored: Vec<&[u8]> = stored.iter().map(|record| &*record.value).collect();
    assert_eq!(stored, kept);
    let lost = Place::first("lost");
    let reading = connection.read_all(&lost).unwrap_err().to_string();
    let writing = connection.append(&lost, &[b"x"]).unwrap_err().to_string();
    for refused in [reading, writing] {
        assert!(refused.ends_with("KAFKA_STORAGE_ERROR"), "{refused}");
    }
    wait_until("the verdict", || {
        let said = scene.start.said().unwrap();
        said.contains("cannot be read, although they were durable")
            && said.contains("partition lost-0 is offline")
            && !said.contains("partition kept-0 is offline")
    })
    .unwrap_or_else(|error| panic!("{error}: {}", scene.start.said().unwrap()));
    drop(connection);
    broker.stop().unwrap();
}

#[test]
fn a_lost_write_of_a_commit_is_found_named_and_takes_its_partition_only_99() {
    let Some((scene, broker, mut connection)) = two_topics("lost-write") else {
        return;
    };
    // A commit of one small record is one block.
    let injection = scene.inject(&broker, WRITES, "retval=4096", &ring::files(&scene.start));
    takes(&mut connection, "lost", b"acknowledged");
    fired(injection);
    takes(&mut connection, "kept", b"after");
    only_lost_is_named(&scene, broker, &[b"before", b"after"]);
}

/// Only the first write of each thread is lost.
const FIRST: &str = "retval=4096:when=1";

#[test]
fn a_lost_write_of_the_last_commit_is_found_once_the_directory_has_rested_99() {
    let Some((scene, broker, mut connection)) = two_topics("lost-last") else {
        return;
    };
    let injection = scene.inject(&broker, WRITES, FIRST, &ring::files(&scene.start));
    takes(&mut connection, "lost", b"acknowledged");
    // The mark follows alone when nothing else does; it is traced, and written.
    wait_until("the last mark", || {
        let calls = injection.calls().unwrap();
        calls
            .iter()
            .any(|call| !call.0.contains("(INJECTED)") && call.0.contains("= 4096"))
    })
    .unwrap();
    fired(injection);
    only_lost_is_named(&scene, broker, &[b"before"]);
}

#[test]
fn a_short_write_is_gone_on_with_where_it_ended_and_what_it_lost_is_named_99() {
    let Some((scene, broker, mut connection)) = two_topics("short-lost") else {
        return;
    };
    let injection = scene.inject(&broker, WRITES, FIRST, &ring::files(&scene.start));
    takes(&mut connection, "lost", &[7; 10_000]);
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
    fired(injection);
    takes(&mut connection, "kept", b"after");
    only_lost_is_named(&scene, broker, &[b"before", b"after"]);
}

/// Long beside anything else that a read may have to wait for.
const SLOW: Duration = Duration::from_secs(2);

#[test]
fn slow_writes_and_syncs_delay_acknowledgements_and_nothing_else() {
    let Some((scene, broker)) = Scene::begin("slow") else {
        return;
    };
    let mut all = Producer::of_topic(&broker, "durable", 2);
    all.extend(Producer::of_topic(&broker, "replicated", 2));
    let total = counter();
    let load = Load::begin(all, broker.address, total);
    scene.reaches(&load, 100);
    // A young node has the small file that it began with, until the second is written ahead: at this pace in two minutes.
    ring::second_file(&scene.start);
    let slow = format!("delay_enter={}", SLOW.as_micros());
    let injection = scene.inject(&broker, &format!("{WRITES},{SYNCS}"), &slow, &[]);
    let before = total.load(Ordering::Relaxed);
    // Readers do not wait for the disk's writes: what was written last lies in memory. Some do at first, beside the few
    // writes of each ring that are made in line until the disk is known to be slow.
    let mut reader = Connection::open(broker.address).unwrap();
    let mut reads: Vec<Duration> = (0..31)
        .map(|_| {
            let asked = Instant::now();
            let (error, records) = reader.fetch(&Place::first("durable"), 0).unwrap();
            assert!(error.is_none() && !records.is_empty(), "{error:?}");
            asked.elapsed()
        })
        .collect();
    reads.sort();
    assert!(reads[15] < SLOW / 2, "reads wait for writes: {reads:?}");
    // More than can have been on their way: each of these waited for a slow write.
    scene.reaches(&load, before + 60);
    fired(injection);
    // At its former pace again.
    let now = total.load(Ordering::Relaxed);
    scene.reaches(&load, now + 500);
    drop(reader);
    broker.kill().unwrap();
    let producers = load.ended();
    for producer in &producers {
        assert!(producer.refused.is_empty(), "{:?}", producer.refused);
    }
    nothing_is_lost(&scene.start, &producers);
}

/// A disk without room for a new directory or file: what is spilled waits in the ring, and goes on when there is room.
#[test]
fn no_space_for_segments_refuses_writers_in_words_and_heals_105() {
    let Some((scene, broker)) = Scene::small("enospc") else {
        return;
    };
    let producers = large(Producer::of_topic(&broker, "durable", 2));
    let injection = scene.inject(&broker, "mkdir,mkdirat", "error=ENOSPC", &[]);
    let load = Load::begin(producers, broker.address, counter());
    wait_until("a spill that finds no room", || {
        injection.fired().unwrap() > 0
    })
    .unwrap();
    let other = Place::first("other");
    wait_until("a refusal", || {
        let mut connection = Connection::open(broker.address).unwrap();
        let bytes = batch(None, 0, &[b"refused"]).unwrap();
        connection.create_topic("other", 1, &[]).ok();
        connection.send_batch(&other, bytes).unwrap();
        connection.answer().unwrap().error == Code::KafkaStorageError
    })
    .unwrap_or_else(|error| panic!("{error}: {}", scene.start.said().unwrap()));
    // Reads go on, and so does the process.
    let mut connection = Connection::open(broker.address).unwrap();
    let (error, records) = connection.fetch(&Place::first("durable"), 0).unwrap();
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
    fired(injection);
    wait_until("writes again", || {
        connection.append(&other, &[b"healed"]).is_ok()
    })
    .unwrap();
    let load = Load::begin(producers, broker.address, counter());
    scene.reaches(&load, 100);
    broker.kill().unwrap();
    nothing_is_lost(&scene.start, &load.ended());
}
