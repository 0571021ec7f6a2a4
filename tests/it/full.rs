//! A file system that runs full, or turns read-only, under a real broker. Holds #105 (writes are refused, reads go on, and
//! it heals without a restart) and #101 (a directory that cannot be written is finished for the process); nothing is lost.

use std::process::Command;

use sawlog_wire::Code;
use tests::broker::{Start, wait_until};
use tests::client::{Connection, Place, batch};
use tests::host::{Folder, Mount, not_run};

use crate::producer::{Load, Producer, counter, nothing_is_lost};

#[test]
fn a_full_disk_refuses_writes_serves_reads_and_heals_without_a_restart() {
    let folder = Folder::new("full").unwrap();
    let Some(mount) = Mount::fresh(&folder, 600, "full disk") else {
        return;
    };
    let start = Start::mounted(&mount, &folder);
    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    connection.create_topic("t", 1, &[]).unwrap();
    let place = Place::first("t");
    let mut acknowledged: i64 = 0;
    let mut append = |connection: &mut Connection| {
        connection
            .send_batch(&place, batch(None, 0, &[b"record"]).unwrap())
            .unwrap();
        let answer = connection.answer().unwrap();
        if answer.error.is_none() {
            assert_eq!(answer.base, acknowledged);
            acknowledged += 1;
        }
        answer.error
    };
    assert!(append(&mut connection).is_none());
    let mut refusal = None;
    wait_until("a refusal", || {
        // It gives up its ballast when space runs low: the filler takes that too.
        mount.fill();
        let error = append(&mut connection);
        refusal = Some(error);
        !error.is_none()
    })
    .unwrap();
    assert!(refusal.unwrap() == Code::KafkaStorageError, "{refusal:?}");
    let stored = connection.read_all(&place).unwrap();
    assert!(!stored.is_empty(), "reads go on");
    std::fs::remove_file(mount.fill()).unwrap();
    wait_until("writes again", || append(&mut connection).is_none()).unwrap();
    let stored = connection.read_all(&place).unwrap();
    assert_eq!(stored.len() as i64, acknowledged);
    drop(connection);
    broker.stop().unwrap();
}

#[test]
fn a_file_system_that_turns_read_only_under_load_ends_the_broker_and_loses_nothing() {
    let folder = Folder::new("turns-read-only").unwrap();
    let Some(mount) = Mount::fresh(&folder, 300, "read-only under load") else {
        return;
    };
    mount.remount("errors=remount-ro").unwrap();
    let trigger = mount.trigger().unwrap();
    if !trigger.exists() {
        return not_run("read-only under load", "no trigger_fs_error in this kernel");
    }
    let start = Start::mounted(&mount, &folder);
    let mut broker = start.ready().unwrap();
    // What is acknowledged out of the page cache (`replicated`) goes with the file system, inside its window: not asked here.
    let producers = Producer::of_topic(&broker, "durable", 2);
    let load = Load::begin(producers, broker.address, counter());
    assert!(load.reached(100), "{}", start.said().unwrap());
    std::fs::write(&trigger, "a story of read-only file systems").unwrap();
    let status = broker.exited().unwrap();
    let said = start.said().unwrap();
    assert!(!status.success(), "{status}: {said}");
    // A write that was under way meets the error itself, later ones what became of the file system.
    assert!(
        said.contains("the disk said: ")
            && (said.contains("Read-only file system") || said.contains("Input/output error"))
            && said.contains("[KAFKA_STORAGE_ERROR]"),
        "the verdict: {said}"
    );
    let producers = load.ended();
    // As it stands it is refused by name, and what lies there is not touched.
    let refused = start.refused().unwrap();
    assert!(refused.contains("Read-only file system"), "{refused}");
    let (image, disk) = (mount.image().to_owned(), mount.at().to_owned());
    mount.unmount().unwrap();
    // e2fsck says 1 when it has cleared the mark of the error.
    let checked = Command::new("e2fsck").arg("-fy").arg(&image).output();
    assert!(checked.unwrap().status.code().is_some_and(|code| code <= 1));
    let mount = Mount::of(&image, &disk).unwrap();
    nothing_is_lost(&start, &producers);
    drop(mount);
}
