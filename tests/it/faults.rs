//! A disk that fails or runs full under a real broker. Holds #101 (a failed write or sync ends the process, and nothing is
//! acknowledged any more) and #105 (a full disk refuses writes, serves reads, and heals); each fault is seen to have fired.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use rustix::process::Signal;
use sawlog_wire::Code;
use tests::broker::{Broker, Start, wait_until};
use tests::client::{Connection, Place, batch};
use tests::host::{Folder, Mount, has, is_root, not_run};

fn place() -> Place {
    Place {
        topic: "t".to_owned(),
        partition: 0,
    }
}

/// strace on a running broker; ended when dropped.
struct Injection {
    strace: Child,
    log: PathBuf,
}

impl Injection {
    /// Makes these calls of the broker fail with EIO from now on, on these files only, if any are named.
    fn eio(broker: &Broker, calls: &str, files: &[PathBuf], log: &Path) -> Injection {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o"]).arg(log);
        command.args(["-e", &format!("trace={calls}")]);
        command.args(["-e", &format!("inject={calls}:error=EIO")]);
        for file in files {
            command.arg("-P").arg(file);
        }
        let strace = command
            .args(["-p", &broker.id().to_string()])
            .spawn()
            .unwrap();
        let tasks = format!("/proc/{}/task", broker.id());
        wait_until("strace on every thread", || {
            std::fs::read_dir(&tasks).unwrap().all(|task| {
                let status = std::fs::read_to_string(task.unwrap().path().join("status"));
                !status.unwrap_or_default().contains("TracerPid:\t0")
            })
        })
        .unwrap();
        Injection {
            strace,
            log: log.to_owned(),
        }
    }

    fn fired(mut self) -> usize {
        // It ends with the process that it traces.
        self.strace.wait().unwrap();
        let text = std::fs::read_to_string(&self.log).unwrap();
        text.matches("(INJECTED)").count()
    }
}

impl Drop for Injection {
    fn drop(&mut self) {
        let _ = self.strace.kill();
    }
}

fn up(folder: &Folder) -> (Start, Broker, Connection) {
    let start = Start::on(&folder.join("data"));
    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    connection.create_topic("t", 1, &[]).unwrap();
    for number in 0..20 {
        let value = format!("record {number}");
        assert_eq!(
            connection.append(&place(), &[value.as_bytes()]).unwrap(),
            number
        );
    }
    (start, broker, connection)
}

fn all_there(start: &Start) {
    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    let stored = connection.read_all(&place()).unwrap();
    assert!(stored.len() >= 20, "{} records are left", stored.len());
    for (number, record) in stored.iter().take(20).enumerate() {
        assert_eq!(record.value, format!("record {number}").as_bytes());
    }
    let next = stored.len() as i64;
    assert_eq!(connection.append(&place(), &[b"after"]).unwrap(), next);
    drop(connection);
    broker.stop().unwrap();
}

fn strace_is_missing(story: &str) -> bool {
    let missing = !is_root() || !has("strace");
    if missing {
        not_run(story, "no strace, or not root");
    }
    missing
}

#[test]
fn a_failed_write_of_a_commit_ends_the_broker_and_acknowledges_nothing() {
    if strace_is_missing("EIO on the commit log") {
        return;
    }
    let folder = Folder::new("eio-write").unwrap();
    let (start, mut broker, mut connection) = up(&folder);
    let rings: Vec<PathBuf> = std::fs::read_dir(start.data.join("commit"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let calls = "pwrite64,pwritev,pwritev2";
    let injection = Injection::eio(&broker, calls, &rings, &folder.join("strace"));
    connection
        .send_batch(&place(), batch(None, 0, &[b"never acknowledged"]).unwrap())
        .unwrap();
    if let Ok(answer) = connection.answer() {
        assert!(
            !answer.error.is_none(),
            "acknowledged at offset {} what was not written",
            answer.base
        );
    }
    let status = broker.exited().unwrap();
    assert!(!status.success(), "{status}: {}", start.said().unwrap());
    assert!(injection.fired() > 0, "the fault never fired");
    all_there(&start);
}

#[test]
fn a_failed_sync_at_the_end_is_no_clean_stop_and_loses_nothing() {
    if strace_is_missing("EIO on syncs") {
        return;
    }
    let folder = Folder::new("eio-sync").unwrap();
    let (start, mut broker, connection) = up(&folder);
    drop(connection);
    let calls = "fdatasync,fsync,syncfs";
    let injection = Injection::eio(&broker, calls, &[], &folder.join("strace"));
    broker.signal(Signal::TERM).unwrap();
    let status = broker.exited().unwrap();
    assert!(!status.success(), "{status}: {}", start.said().unwrap());
    assert!(injection.fired() > 0, "the fault never fired");
    all_there(&start);
}

#[test]
fn a_full_disk_refuses_writes_serves_reads_and_heals_without_a_restart() {
    if !is_root() {
        return not_run("full disk", "not root");
    }
    let folder = Folder::new("full").unwrap();
    let disk = folder.join("disk");
    let Ok(_mount) = Mount::fresh(&folder.join("image"), 600, &disk) else {
        return not_run("full disk", "no loop mount");
    };
    let mut start = Start::on(&disk.join("data"));
    start.log = folder.join("log");
    let broker = start.ready().unwrap();
    let mut connection = Connection::open(broker.address).unwrap();
    connection.create_topic("t", 1, &[]).unwrap();
    let mut acknowledged: i64 = 0;
    let mut append = |connection: &mut Connection| {
        connection
            .send_batch(&place(), batch(None, 0, &[b"record"]).unwrap())
            .unwrap();
        let answer = connection.answer().unwrap();
        if answer.error.is_none() {
            assert_eq!(answer.base, acknowledged);
            acknowledged += 1;
        }
        answer.error
    };
    assert!(append(&mut connection).is_none());
    let filler = disk.join("filler");
    // It gives up its ballast when space runs low: the filler takes that too.
    let mut refusal = None;
    wait_until("a refusal", || {
        let _ = Command::new("sh")
            .args([
                "-c",
                &format!("cat /dev/zero >> {} 2>/dev/null", filler.display()),
            ])
            .status();
        let error = append(&mut connection);
        refusal = Some(error);
        !error.is_none()
    })
    .unwrap();
    assert!(refusal.unwrap() == Code::KafkaStorageError, "{refusal:?}");
    let stored = connection.read_all(&place()).unwrap();
    assert!(!stored.is_empty(), "reads go on");
    std::fs::remove_file(&filler).unwrap();
    wait_until("writes again", || append(&mut connection).is_none()).unwrap();
    let stored = connection.read_all(&place()).unwrap();
    assert_eq!(stored.len() as i64, acknowledged);
    drop(connection);
    broker.stop().unwrap();
}
