//! Power cuts on a real file system: the image under a paused broker is copied, and a broker starts on the copy
//! under another boot id. Holds #1 and #98; in every second copy the last commit is damaged, and the verdict is asserted (#100).

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rustix::process::Signal;
use tests::broker::{Broker, Start, wait_until};
use tests::client::{Connection, Place};
use tests::host::{Folder, Mount, has, not_run, say};

use crate::ring;

/// How many cuts, where nobody says (`SAWLOG_CUTS`).
const CUTS: usize = 2;
/// Acknowledgements between two cuts.
const BETWEEN: usize = 40;
const IMAGE_MEBIBYTES: u64 = 400;

/// Appends one record after the other and notes each that was acknowledged, until the broker is gone.
fn write(mut connection: Connection, acknowledged: &Mutex<Vec<Vec<u8>>>) {
    for number in 0_u64.. {
        let value = format!("record {number} {}", "x".repeat((number % 700) as usize));
        let Ok(base) = connection.append(&Place::first("cut"), &[value.as_bytes()]) else {
            return;
        };
        assert_eq!(base, number as i64);
        acknowledged.lock().unwrap().push(value.into_bytes());
    }
}

/// Stops every thread of the broker between two instructions: nothing more is written.
fn pause(broker: &Broker) {
    broker.signal(Signal::STOP).unwrap();
    let tasks = format!("/proc/{}/task", broker.id());
    wait_until("a broker that stands still", || {
        std::fs::read_dir(&tasks).unwrap().all(|task| {
            let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap();
            stat.rsplit(") ").next().unwrap().starts_with('T')
        })
    })
    .unwrap();
}

/// Changes the last byte of the last commit of the durable ring.
fn damage_last_commit(start: &Start) {
    let commits = ring::commits(start);
    let last = commits.last().expect("a commit in the ring");
    let at = (last.at + last.bytes - 1) as u64;
    let file = File::options()
        .read(true)
        .write(true)
        .open(&last.file)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[!byte[0]], at).unwrap();
    file.sync_all().unwrap();
}

#[test]
fn a_cut_of_power_takes_nothing_acknowledged_and_a_damaged_last_commit_is_named() {
    if !has("unshare") {
        return not_run("power", "no unshare");
    }
    let cuts: usize = std::env::var("SAWLOG_CUTS").map_or(CUTS, |text| text.parse().unwrap());
    let folder = Folder::new("power").unwrap();
    let Some(mount) = Mount::fresh(&folder, IMAGE_MEBIBYTES, "power") else {
        return;
    };
    let start = Start::mounted(&mount, &folder);
    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    let durable = [("sawlog.durability", "durable")];
    connection.create_topic("cut", 1, &durable).unwrap();
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let noted = acknowledged.clone();
    let writer = std::thread::spawn(move || write(connection, &noted));

    for cut in 0..cuts {
        let enough = acknowledged.lock().unwrap().len() + BETWEEN;
        wait_until("acknowledgements", || {
            acknowledged.lock().unwrap().len() >= enough || writer.is_finished()
        })
        .unwrap();
        assert!(
            !writer.is_finished(),
            "the writer: {}",
            start.said().unwrap()
        );
        pause(&broker);
        let expected = acknowledged.lock().unwrap().clone();
        let copy = folder.join("copy");
        mount.copy(&copy).unwrap();
        broker.signal(Signal::CONT).unwrap();
        judge(&folder, &copy, cut, &expected);
    }
    broker.kill().unwrap();
    writer.join().unwrap();
    drop(mount);
    let total = acknowledged.lock().unwrap().len();
    say(&format!(
        "power: {cuts} cuts, {} with a damaged last commit, {total} acknowledgements",
        cuts / 2
    ));
}

/// Starts a broker on the copy as after a reboot, and compares.
fn judge(folder: &Folder, copy: &Path, cut: usize, expected: &[Vec<u8>]) {
    let disk = Mount::of(copy, &folder.join("other")).unwrap();
    let damaged = cut % 2 == 1;
    let boot = folder.join("boot_id");
    let mut start = Start::mounted(&disk, folder)
        .rebooted(&boot, cut as u64)
        .unwrap();
    start.log = folder.join(&format!("cut{cut}.log"));
    if damaged {
        damage_last_commit(&start);
    }
    let broker = start.ready().unwrap();
    let said = broker.said().unwrap();
    assert_eq!(
        said.contains("Power was lost: the last commit is torn, or rot has struck it"),
        damaged,
        "cut {cut}: the verdict: {said}"
    );
    let mut connection = Connection::open(broker.address).unwrap();
    let stored = connection.read_all(&Place::first("cut")).unwrap();
    // One record was in flight at a time, so the last commit holds one at most.
    let may_lack = usize::from(damaged);
    assert!(
        stored.len() + may_lack >= expected.len(),
        "cut {cut}: {} left of {} acknowledged",
        stored.len(),
        expected.len()
    );
    for (stored, expected) in stored.iter().zip(expected) {
        assert!(
            stored.value == *expected,
            "cut {cut}: offset {} changed",
            stored.offset
        );
    }
    drop(connection);
    broker.kill().unwrap();
    disk.unmount().unwrap();
}
