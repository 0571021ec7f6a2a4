//! Directories that a broker must refuse: in use, several, of a newer format, damaged, read-only.
//! Each refusal names what it refuses and changes nothing.

use tests::broker::Start;
use tests::client::{Connection, Place};
use tests::host::{Folder, Mount, contents};

/// A directory with one record, stopped in order.
fn used(folder: &Folder) -> Start {
    let start = Start::on(&folder.join("data"));
    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    connection.create_topic("t", 1, &[]).unwrap();
    connection.append(&Place::first("t"), &[b"kept"]).unwrap();
    broker.stop().unwrap();
    start
}

fn read_again(start: &Start) {
    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    let stored = connection.read_all(&Place::first("t")).unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].value, b"kept");
    drop(connection);
    broker.stop().unwrap();
}

fn refuses(start: &Start, words: &[&str]) {
    let before = contents(&start.data).unwrap();
    let said = start.refused().unwrap();
    for word in words {
        assert!(said.contains(word), "{word:?} is missing in: {said}");
    }
    assert!(
        before == contents(&start.data).unwrap(),
        "something was changed: {said}"
    );
}

#[test]
fn a_second_broker_on_a_directory_refuses_and_the_first_serves_on() {
    let folder = Folder::new("locked").unwrap();
    let start = used(&folder);
    let first = start.ready().unwrap();
    let said = start.refused().unwrap();
    assert!(said.contains("another process has locked it"), "{said}");
    let mut connection = Connection::open(first.address).unwrap();
    assert_eq!(
        connection.append(&Place::first("t"), &[b"more"]).unwrap(),
        1
    );
    drop(connection);
    first.stop().unwrap();
}

#[test]
fn several_log_directories_are_refused_by_name() {
    let folder = Folder::new("several").unwrap();
    let both = format!("log.dirs={0}/a,{0}/b", folder.path().display());
    let said = Start::on(&folder.join("data"))
        .set(&both)
        .refused()
        .unwrap();
    let verdict = "cannot be used: there is one log directory, not several";
    assert!(said.contains(verdict), "{said}");
    assert!(!folder.join("a").exists() && !folder.join("b").exists());
}

#[test]
fn a_refused_start_leaves_nothing_behind() {
    let folder = Folder::new("nothing").unwrap();
    let foreign = folder.join("foreign");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(foreign.join("letters.txt"), "dear").unwrap();
    refuses(&Start::on(&foreign), &["foreign"]);
    let first = Start::on(&folder.join("first")).ready().unwrap();
    let other = folder.join("other");
    let said = Start::on(&other)
        .set(&format!("listeners=PLAINTEXT://{}", first.address))
        .refused()
        .unwrap();
    assert!(said.contains("Another process has this port"), "{said}");
    assert!(!other.exists(), "a directory was left");
    first.stop().unwrap();
}

#[test]
fn a_newer_format_is_refused_and_not_touched() {
    let folder = Folder::new("newer").unwrap();
    let start = used(&folder);
    let file = start.data.join("meta.properties");
    let text = std::fs::read_to_string(&file).unwrap();
    // Without the line of the checksum, as Kafka's own tools write it: so it is the version that is refused.
    let (plain, _) = text.split_once("#crc32c").unwrap();
    assert!(plain.contains("version=1"), "{text}");
    std::fs::write(&file, plain.replace("version=1", "version=2")).unwrap();
    refuses(&start, &["meta.properties", "version 2"]);
    std::fs::write(&file, text).unwrap();
    read_again(&start);
}

#[test]
fn a_damaged_identity_is_refused_and_not_touched() {
    let folder = Folder::new("identity").unwrap();
    let start = used(&folder);
    let file = start.data.join("meta.properties");
    let text = std::fs::read(&file).unwrap();
    let mut damaged = text.clone();
    damaged[text.len() / 2] ^= 1;
    std::fs::write(&file, damaged).unwrap();
    refuses(&start, &["meta.properties: its checksum does not match"]);
    std::fs::write(&file, text).unwrap();
    read_again(&start);
}

#[test]
fn one_damaged_checkpoint_costs_nothing_and_two_are_refused() {
    let folder = Folder::new("checkpoint").unwrap();
    let start = used(&folder);
    let damage = |side: &str| {
        let file = start.data.join(format!("checkpoint.0.{side}"));
        let whole = std::fs::read(&file).unwrap();
        let mut bytes = whole.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x40;
        std::fs::write(&file, bytes).unwrap();
        (file, whole)
    };
    let (one, whole) = damage("a");
    damage("b");
    refuses(&start, &["no checkpoint is whole"]);
    // One whole side is enough: which of the two is the newer does not matter.
    std::fs::write(one, whole).unwrap();
    read_again(&start);
}

#[test]
fn a_quorum_of_one_starts_without_a_readable_quorum_state() {
    let folder = Folder::new("quorum").unwrap();
    let start = used(&folder);
    let file = start.data.join("__cluster_metadata-0/quorum-state");
    std::fs::write(&file, b"{\"leaderId\":").unwrap();
    read_again(&start);
    let verdict = "quorum-state is unreadable";
    assert!(start.said().unwrap().contains(verdict));
    assert_ne!(std::fs::read(&file).unwrap(), b"{\"leaderId\":");
}

#[test]
fn a_read_only_file_system_is_refused_by_name() {
    let folder = Folder::new("readonly").unwrap();
    let Some(mount) = Mount::fresh(&folder, 300, "read-only file system") else {
        return;
    };
    let start = Start::mounted(&mount, &folder);
    start.ready().unwrap().stop().unwrap();
    mount.remount("ro").unwrap();
    refuses(&start, &["Read-only file system"]);
    mount.remount("rw").unwrap();
    start.ready().unwrap().stop().unwrap();
}

#[test]
fn no_colours_go_into_a_file_unless_they_are_forced() {
    let folder = Folder::new("colours").unwrap();
    let cases: [(&[&str], bool); 3] = [
        (&["env", "-u", "NO_COLOR"], false),
        (&["env", "-u", "NO_COLOR", "CLICOLOR_FORCE=1"], true),
        (&["env", "NO_COLOR=1", "CLICOLOR_FORCE=1"], false),
    ];
    for (number, (under, colours)) in cases.into_iter().enumerate() {
        let data = folder.join(&format!("data{number}"));
        let start = Start::on(&data).under(under.iter().copied());
        start.ready().unwrap().stop().unwrap();
        let said = start.said().unwrap();
        assert!(said.contains("starting"), "{said}");
        assert_eq!(said.contains('\u{1b}'), colours, "{under:?}: {said}");
    }
}
