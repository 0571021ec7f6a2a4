//! How commands end that somebody or something ends: Ctrl-C once and twice, a reader that goes, a broker that dies under them;
//! and what is shown to who watches. Exit codes are those that scripts rely on.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tests::broker::{Broker, Start, binary, wait_until};
use tests::host::{Folder, has, not_run};

/// A command that runs while the story goes on.
struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    fn start(address: SocketAddr, words: &[&str]) -> Running {
        let mut child = Command::new(binary().unwrap())
            .args(words)
            .args(["-b", &address.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().unwrap());
        let stdout = BufReader::new(stdout);
        Running {
            child,
            stdin,
            stdout,
        }
    }

    fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    fn press(&self) {
        let id = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(id, Signal::INT).unwrap();
    }

    /// Its exit code and what it said on standard error. Standard output is not read on, and standard input stays open.
    fn end(mut self) -> (Option<i32>, String) {
        let mut status = None;
        wait_until("the end of a command", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .unwrap();
        let mut said = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        (status.unwrap().code(), said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Gone already, unless the story failed.
        let _ = self.child.kill();
    }
}

fn sawlog(address: SocketAddr, words: &[&str], input: &[u8]) -> String {
    let mut running = Running::start(address, words);
    running.stdin.take().unwrap().write_all(input).unwrap();
    let mut told = String::new();
    running.stdout.read_to_string(&mut told).unwrap();
    let (code, said) = running.end();
    assert_eq!(code, Some(0), "{words:?}: {said}");
    told
}

/// A broker with a topic `t` of one partition.
fn broker(folder: &Folder) -> Broker {
    let broker = Start::on(&folder.join("data")).ready().unwrap();
    let words = ["topic", "create", "t", "--partitions", "1"];
    sawlog(broker.address, &words, b"");
    broker
}

#[test]
fn the_first_ctrl_c_ends_in_order_and_what_was_typed_is_written() {
    let folder = Folder::new("ends-order").unwrap();
    let broker = broker(&folder);
    // Going on is what it does; to say so is no fault.
    let mut reads = Running::start(broker.address, &["consume", "t", "-f"]);
    let mut writes = Running::start(broker.address, &["produce", "t"]);
    writes.say("one");
    // It is read back: so it was taken and sent, and both wait for more now.
    assert_eq!(reads.line(), "one\n");
    writes.press();
    let (code, said) = writes.end();
    assert_eq!(
        (code, said.as_str()),
        (Some(130), "sawlog: 1 records were written\n")
    );
    reads.press();
    assert_eq!(reads.end(), (Some(130), String::new()));
    broker.stop().unwrap();
}

#[test]
fn the_second_ctrl_c_leaves_at_once_even_where_nobody_reads() {
    let folder = Folder::new("ends-twice").unwrap();
    let broker = broker(&folder);
    // More than a pipe, and what stands before it, holds.
    let lines = format!("{}\n", "x".repeat(10_000)).repeat(200);
    sawlog(broker.address, &["produce", "t"], lines.as_bytes());
    let mut reads = Running::start(broker.address, &["consume", "t", "-e"]);
    assert_eq!(reads.line().len(), 10_001);
    // It is stuck in writing now, or will be; however often that is asked of it, the second is the last.
    reads.press();
    let mut status = None;
    wait_until("its end after more than one Ctrl-C", || {
        status = reads.child.try_wait().unwrap();
        if status.is_none() {
            reads.press();
        }
        status.is_some()
    })
    .unwrap();
    assert_eq!(reads.end(), (Some(130), String::new()));
    broker.stop().unwrap();
}

#[test]
fn a_reader_that_goes_is_no_failure() {
    let folder = Folder::new("ends-pipe").unwrap();
    let broker = broker(&folder);
    let lines = "line\n".repeat(200_000);
    sawlog(broker.address, &["produce", "t"], lines.as_bytes());
    for words in [
        &["consume", "t"][..],
        &["consume", "t", "-o", "json"],
        &["consume", "t", "-o", "csv"],
    ] {
        let mut reads = Running::start(broker.address, words);
        assert!(!reads.line().is_empty());
        // The pipe goes with who reads from it; a new one is never read.
        let (_, other) = (
            reads.line(),
            Command::new("true").stdout(Stdio::piped()).spawn(),
        );
        reads.stdout = BufReader::new(other.unwrap().stdout.take().unwrap());
        assert_eq!(reads.end(), (Some(0), String::new()), "{words:?}");
    }
    broker.stop().unwrap();
}

/// What a shell runs, its exit code and what it said on both, when it has ended.
fn shell(line: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new("bash")
        .args(["-c", line])
        .env("SAWLOG", binary().unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let ended = wait_until(line, || child.try_wait().unwrap().is_some());
    if ended.is_err() {
        let _ = child.kill();
    }
    ended.unwrap();
    let told = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (told.status.code(), text(told.stdout), text(told.stderr))
}

#[test]
fn a_reader_that_goes_is_noticed_where_nothing_more_comes() {
    let folder = Folder::new("ends-idle").unwrap();
    let broker = broker(&folder);
    sawlog(broker.address, &["produce", "t"], b"one\n");
    for words in ["consume t -f", "consume t", "consume t -o csv"] {
        let line = format!(
            "set -o pipefail; $SAWLOG {words} -b {} | head -1 | wc -l",
            broker.address
        );
        let told = shell(&line);
        assert_eq!(told, (Some(0), "1\n".to_owned(), String::new()), "{words}");
    }
    // Before the first record too.
    let line = format!(
        "set -o pipefail; $SAWLOG consume t --from latest -f -b {} | true",
        broker.address
    );
    assert_eq!(shell(&line), (Some(0), String::new(), String::new()));
    broker.stop().unwrap();
}

#[test]
fn a_terminal_that_is_closed_ends_who_writes_to_it_without_a_word() {
    if !has("script") {
        let name = "a_terminal_that_is_closed_ends_who_writes_to_it_without_a_word";
        return not_run(name, "script is not there");
    }
    let folder = Folder::new("ends-terminal").unwrap();
    let broker = broker(&folder);
    sawlog(broker.address, &["produce", "t"], b"one\n");
    let (code, said) = (folder.join("code"), folder.join("said"));
    let sawlog = |words: &str| {
        let binary = binary().unwrap().display();
        format!(
            "{binary} {words} -b {} 2>> {}",
            broker.address,
            said.display()
        )
    };
    for (number, words) in [
        // It waits, and has nothing to write.
        sawlog("consume t -f"),
        // It writes when the terminal has gone already.
        format!("echo one; read line; {}", sawlog("topic list")),
    ]
    .into_iter()
    .enumerate()
    {
        // Who does not hear of it by a signal, which would end it as well.
        let line = format!("trap '' HUP; {words}; echo $? >> {}", code.display());
        let mut terminal = Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut shown = BufReader::new(terminal.stdout.take().unwrap());
        let mut first = String::new();
        shown.read_line(&mut first).unwrap();
        assert_eq!(first.trim_end(), "one");
        // The side that shows what is written goes, and the terminal with it.
        terminal.kill().unwrap();
        terminal.wait().unwrap();
        let expected = "0\n".repeat(number + 1);
        wait_until("an exit code", || {
            std::fs::read_to_string(&code).is_ok_and(|codes| codes.len() >= expected.len())
        })
        .unwrap();
        assert_eq!(std::fs::read_to_string(&code).unwrap(), expected, "{words}");
        assert_eq!(std::fs::read_to_string(&said).unwrap(), "", "{words}");
    }
    broker.stop().unwrap();
}

/// A broker in memory whose requests go wrong.
fn mock(fails: &str) -> (Running, SocketAddr) {
    let mut child = Command::new(binary().unwrap())
        .args(["mock", "--topic", "t:1", "--until-eof", "--fail", fails])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take().unwrap());
    let stdout = BufReader::new(stdout);
    let mut mock = Running {
        child,
        stdin,
        stdout,
    };
    let ready = mock.line();
    let address = ready.trim_end().rsplit(' ').next().unwrap();
    let address = address.parse().unwrap();
    (mock, address)
}

#[test]
fn an_error_that_lasts_ends_who_reads_with_5_and_its_name() {
    for (fails, named) in [
        ("Fetch@t/0=KAFKA_STORAGE_ERROR:*", "[KAFKA_STORAGE_ERROR]"),
        ("Fetch=KAFKA_STORAGE_ERROR:*", "[KAFKA_STORAGE_ERROR]"),
        ("Fetch=NOT_LEADER_OR_FOLLOWER:*", "[NOT_LEADER_OR_FOLLOWER]"),
        (
            "Fetch=FETCH_SESSION_ID_NOT_FOUND:*",
            "[FETCH_SESSION_ID_NOT_FOUND]",
        ),
        (
            "Fetch=close:*",
            "the broker closed the connection. Look whether",
        ),
    ] {
        let (mock, address) = mock(fails);
        sawlog(address, &["produce", "t"], b"one\n");
        let all = [
            &["consume", "t", "--from", "0", "-n", "1", "--timeout", "3"][..],
            &["consume", "t", "-e", "--timeout", "3"],
            &["consume", "t", "-f", "--timeout", "3"],
        ];
        let running = all.map(|words| (words, Running::start(address, words)));
        for (words, running) in running {
            let (code, said) = running.end();
            assert_eq!(code, Some(5), "{fails}, {words:?}: {said}");
            assert!(said.contains(named), "{fails}, {words:?}: {said}");
        }
        drop(mock);
    }
}

#[test]
fn an_error_that_passes_is_nothing_to_tell() {
    let (mock, address) = mock("Fetch@t/0=KAFKA_STORAGE_ERROR:3");
    sawlog(address, &["produce", "t"], b"one\n");
    assert_eq!(sawlog(address, &["consume", "t", "-n", "1"], b""), "one\n");
    drop(mock);
}

#[test]
fn a_topic_of_which_it_is_not_said_whether_it_is_there_is_not_made() {
    let folder = Folder::new("ends-apply").unwrap();
    let file = folder.join("topics.json");
    let topics = r#"[{"topic": "t", "configs": {"retention.ms": 60000}}, {"topic": "u"}]"#;
    std::fs::write(&file, topics).unwrap();
    let file = file.to_str().unwrap();
    let apply = ["topic", "apply", "-f", file, "--yes", "--timeout", "2"];
    for (fails, code, named) in [
        (
            "TOPIC_AUTHORIZATION_FAILED:*",
            3,
            "[TOPIC_AUTHORIZATION_FAILED]",
        ),
        ("LEADER_NOT_AVAILABLE:*", 3, "[LEADER_NOT_AVAILABLE]"),
        ("LEADER_NOT_AVAILABLE:2", 0, "~ t: retention.ms=60000"),
    ] {
        let (mock, address) = mock(&format!("Metadata@t={fails}"));
        let (ended, said) = Running::start(address, &apply).end();
        assert_eq!(ended, Some(code), "{fails}: {said}");
        assert!(
            said.contains(named) && said.contains("+ u"),
            "{fails}: {said}"
        );
        assert!(!said.contains("+ t"), "{fails}: {said}");
        drop(mock);
    }
}

#[test]
fn a_broker_that_dies_ends_commands_with_5_and_says_what_is_known() {
    let folder = Folder::new("ends-broker").unwrap();
    let broker = broker(&folder);
    // Who connects to a broker that is there has the time of a busy machine.
    let mut reads = Running::start(broker.address, &["consume", "t", "--timeout", "5"]);
    let mut writes = Running::start(broker.address, &["produce", "t", "--timeout", "5"]);
    let bench = [
        "bench",
        "produce",
        "t",
        "--duration",
        "10m",
        "--rate",
        "100",
        "--timeout",
        "5",
    ];
    let bench = Running::start(broker.address, &bench);
    writes.say("one");
    let mut line = String::new();
    while line != "one\n" {
        line = reads.line();
        assert!(!line.is_empty(), "it ended before its broker did");
    }
    let dead = broker.address;
    broker.kill().unwrap();
    writes.say("two");
    let (code, said) = writes.end();
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("1 records were written"), "{said}");
    let (code, said) = reads.end();
    assert_eq!(code, Some(5), "{said}");
    let (code, said) = bench.end();
    assert_eq!(code, Some(5), "{said}");
    for words in [
        &["topic", "list", "--timeout", "1"][..],
        &["config", "list", "--timeout", "1"],
        &["cluster", "info", "--timeout", "1"],
        &["api", "versions", "--timeout", "1"],
        &["consume", "t", "--timeout", "1"],
        &["produce", "t", "--timeout", "1"],
        &["bench", "consume", "t", "--timeout", "1"],
    ] {
        let (code, said) = Running::start(dead, words).end();
        assert_eq!(code, Some(5), "{words:?}: {said}");
        assert!(
            said.contains("Look whether the broker runs"),
            "{words:?}: {said}"
        );
    }
}

#[test]
fn a_topic_that_is_deleted_ends_who_reads_it_with_4() {
    let folder = Folder::new("ends-deleted").unwrap();
    let broker = broker(&folder);
    let mut reads = Running::start(broker.address, &["consume", "t"]);
    sawlog(broker.address, &["produce", "t"], b"one\n");
    assert_eq!(reads.line(), "one\n");
    sawlog(broker.address, &["topic", "delete", "t", "--yes"], b"");
    let (code, said) = reads.end();
    assert_eq!(code, Some(4), "{said}");
    assert!(
        said.contains("the topic was deleted while it was read"),
        "{said}"
    );
    broker.stop().unwrap();
}

#[test]
fn ctrl_c_ends_a_bench_that_still_connects() {
    // It takes connections, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    for words in [["bench", "produce", "t"], ["bench", "consume", "t"]] {
        let bench = Running::start(address, &words);
        // It has begun to connect: so it listens to Ctrl-C.
        let _connected = silent.accept().unwrap();
        bench.press();
        assert_eq!(bench.end(), (Some(130), String::new()), "{words:?}");
    }
}

#[test]
fn a_bench_tells_its_figures_when_its_broker_dies() {
    let folder = Folder::new("ends-bench").unwrap();
    let broker = broker(&folder);
    let words = [
        "bench",
        "produce",
        "t",
        "--duration",
        "10m",
        "--rate",
        "100",
        "--timeout",
        "5",
        "-o",
        "json",
    ];
    let mut bench = Running::start(broker.address, &words);
    let mut reads = Running::start(broker.address, &["consume", "t", "-o", "%o\n"]);
    let mut line = String::new();
    while line != "20\n" {
        line = reads.line();
        assert!(!line.is_empty(), "it ended before its broker did");
    }
    broker.kill().unwrap();
    let told = bench.line();
    assert!(
        told.contains("\"records\":") && told.contains("\"p99\":"),
        "{told}"
    );
    let (code, said) = bench.end();
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("records were written to t"), "{said}");
}

#[test]
fn progress_is_for_a_terminal_alone() {
    if !has("script") {
        return not_run("progress_is_for_a_terminal_alone", "script is not there");
    }
    let folder = Folder::new("ends-progress").unwrap();
    let broker = broker(&folder);
    std::fs::write(folder.join("lines"), "line\n".repeat(100)).unwrap();
    let produce = format!(
        "{} produce t -b {} --rate 100 {}",
        binary().unwrap().display(),
        broker.address,
        folder.join("lines").display()
    );
    let shown = |command: &str| {
        let told = Command::new("script")
            .args(["-qec", command, "/dev/null"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8_lossy(&told.stdout).into_owned()
    };
    let told = shown(&format!("{produce} < /dev/null"));
    assert!(
        told.contains("records, ") && told.contains(" a second"),
        "{told:?}"
    );
    assert!(
        told.ends_with("\r\u{1b}[K"),
        "its line is left empty: {told:?}"
    );
    assert_eq!(
        shown(&format!(
            "{produce} < /dev/null 2> {}",
            folder.join("said").display()
        )),
        ""
    );
    assert_eq!(std::fs::read_to_string(folder.join("said")).unwrap(), "");
    broker.stop().unwrap();
}
