//! Every example that a help gives, and what it answers: a session with one broker, kept in `examples.txt` to the letter.
//! Decides what of an answer two runs never share, and that no example is missing; `SAWLOG_BLESS=1` writes it down again.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::sync::mpsc;

use rustix::process::{Pid, Signal, kill_process};
use tests::broker::{PATIENCE, Start, binary};
use tests::host::Folder;

const SESSION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/it/examples.txt");
const REFERENCE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../broker/docs/reference/commands.md"
);

/// What of an answer is compared.
enum Heed {
    All,
    /// In any order: partitions come as they come.
    Sorted,
    /// Its first lines on standard output.
    First(usize),
    /// Its exit code alone: the answer holds times, sums or what chance decided.
    Code,
    /// After so many lines somebody presses Ctrl-C.
    Until(usize),
    /// The same, and its exit code alone is compared: the lines hold times.
    Up(usize),
}

enum Item {
    /// Not a step: said to who reads the session.
    Words(String),
    /// The broker ends, as after SIGTERM.
    Stop,
    Step(Heed, String),
}

fn items(session: &str) -> Vec<Item> {
    let (mut items, mut heed) = (Vec::new(), Heed::All);
    for line in session.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            let heed = std::mem::replace(&mut heed, Heed::All);
            items.push(Item::Step(heed, command.to_owned()));
        } else if let Some(count) = line.strip_prefix("@ first ") {
            heed = Heed::First(count.parse().unwrap());
        } else if line == "@ code" {
            heed = Heed::Code;
        } else if line == "@ sorted" {
            heed = Heed::Sorted;
        } else if let Some(count) = line.strip_prefix("@ until ") {
            heed = Heed::Until(count.parse().unwrap());
        } else if let Some(count) = line.strip_prefix("@ up ") {
            heed = Heed::Up(count.parse().unwrap());
        } else if line == "% stop" {
            items.push(Item::Stop);
        } else if !["| ", "! ", "= "].iter().any(|mark| line.starts_with(mark))
            && !["|", "!"].contains(&line)
        {
            items.push(Item::Words(line.to_owned()));
        }
    }
    items
}

/// A session: the place it happens in, and what stands for what differs between two runs.
struct Session {
    folder: Folder,
    address: String,
}

impl Session {
    fn new() -> Session {
        let folder = Folder::new("examples").unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        write("orders.txt", "paid\nopen\nsent\n");
        write("one.txt", "paid\n");
        write("pairs.txt", "7\tpaid\n8\topen\n");
        write("colons.txt", "9:sent\n");
        write("README.md", "# A file\n");
        write("server.properties", "num.partitions=6\n");
        write("orders.csv", "key,value\n10,paid\n11,\"open, and\nlate\"\n");
        write(
            "topics.json",
            "[{\"topic\": \"payments\", \"partitions\": 2, \"configs\": {\"retention.ms\": 3600000}}]\n",
        );
        Session {
            folder,
            address: String::new(),
        }
    }

    fn run(&self, heed: &Heed, command: &str) -> String {
        let line = command.replace("broker-1:9092", &self.address);
        let line = match heed {
            Heed::Until(_) | Heed::Up(_) => format!("exec {line}"),
            _ => line,
        };
        let mut path = binary().unwrap().parent().unwrap().as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        let mut bash = Command::new("bash");
        if command.starts_with("sawlog broker") {
            // A port that is free, and no words about the time.
            bash.env("KAFKA_LISTENERS", "PLAINTEXT://127.0.0.1:0");
            bash.env("SAWLOG_LOG", "error");
        }
        let mut child = bash
            .args(["-c", &line])
            .current_dir(self.folder.path())
            .env("PATH", path)
            .env("SAWLOG_BROKERS", &self.address)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines() {
                let _ = sender.send(line.unwrap());
            }
        });
        let words = std::thread::spawn(move || {
            let mut words = String::new();
            err.read_to_string(&mut words).unwrap();
            words
        });
        let mut told = Vec::new();
        if let Heed::Until(count) | Heed::Up(count) = heed {
            for _ in 0..*count {
                told.push(lines.recv_timeout(PATIENCE).unwrap());
            }
            let id = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
            kill_process(id, Signal::INT).unwrap();
        }
        told.extend(lines.iter());
        if let Heed::First(count) = heed {
            told.truncate(*count);
        }
        if let Heed::Sorted = heed {
            told.sort();
        }
        let code = child.wait().unwrap().code();
        let mut answer = String::new();
        let mut put = |mark: &str, line: &str| {
            let line = self.plain(line);
            answer.push_str(format!("{mark} {line}").trim_end());
            answer.push('\n');
        };
        let words = words.join().unwrap();
        if !matches!(heed, Heed::Code | Heed::Up(_)) {
            told.iter().for_each(|line| put("|", line));
            words.lines().for_each(|line| put("!", line));
        }
        if code != Some(0) {
            put(
                "=",
                &code.map_or("a signal".to_owned(), |code| code.to_string()),
            );
        }
        answer
    }

    /// Without what differs between two runs: where it happened, identities, the time.
    fn plain(&self, line: &str) -> String {
        let port = self.address.rsplit(':').next().unwrap_or_default();
        let folder = self.folder.path().display().to_string();
        let line = line.replace(&folder, "HERE");
        let mut plain = String::new();
        let mut word = String::new();
        let letter = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        for next in line.chars().chain(['\0']) {
            if letter(next) {
                word.push(next);
                continue;
            }
            let upper = word.contains(|letter: char| letter.is_ascii_uppercase());
            let lower = word.contains(|letter: char| letter.is_ascii_lowercase());
            let digits = word.bytes().all(|byte| byte.is_ascii_digit());
            match word.len() {
                22 if upper && lower => plain.push_str("0123456789-identity-id"),
                13 if digits && word.starts_with('1') => plain.push_str("1700000000000"),
                5 if word == port => plain.push_str("55555"),
                // What a mock has chosen.
                4.. if digits && plain.ends_with("127.0.0.1:") => plain.push_str("55555"),
                _ => plain.push_str(&word),
            }
            word.clear();
            plain.push(next);
        }
        plain.trim_end_matches('\0').to_owned()
    }
}

#[test]
fn every_example_answers_what_is_written_down() {
    let kept = std::fs::read_to_string(SESSION).unwrap();
    let mut session = Session::new();
    let start = Start::on(&session.folder.join("data"));
    let mut broker = Some(start.ready().unwrap());
    session.address = broker.as_ref().unwrap().address.to_string();
    let mut told = String::new();
    for item in items(&kept) {
        match item {
            Item::Words(line) => told.push_str(&format!("{line}\n")),
            Item::Stop => {
                broker.take().unwrap().stop().unwrap();
                told.push_str("% stop\n");
            }
            Item::Step(heed, command) => {
                match heed {
                    Heed::All => {}
                    Heed::Code => told.push_str("@ code\n"),
                    Heed::Sorted => told.push_str("@ sorted\n"),
                    Heed::First(count) => told.push_str(&format!("@ first {count}\n")),
                    Heed::Until(count) => told.push_str(&format!("@ until {count}\n")),
                    Heed::Up(count) => told.push_str(&format!("@ up {count}\n")),
                }
                let answer = session.run(&heed, &command);
                told.push_str(&format!("$ {command}\n{answer}"));
            }
        }
    }
    if std::env::var_os("SAWLOG_BLESS").is_some() {
        std::fs::write(SESSION, &told).unwrap();
    }
    let differs = kept
        .lines()
        .zip(told.lines())
        .position(|(one, other)| one != other);
    let around = differs.map(|at| {
        let lines = |text: &str| {
            text.lines()
                .skip(at.saturating_sub(4))
                .take(9)
                .collect::<Vec<_>>()
                .join("\n")
        };
        format!("kept:\n{}\nnow:\n{}", lines(&kept), lines(&told))
    });
    assert!(
        kept == told || std::env::var_os("SAWLOG_BLESS").is_some(),
        "the examples answer something else: `cargo dev bless -p tests examples` writes it down, a changed answer needs a \
         line in the changelog\n{}",
        around.unwrap_or_else(|| "one is longer than the other".to_owned())
    );
}

#[test]
fn no_example_of_a_help_is_missing_in_the_session() {
    let reference = std::fs::read_to_string(REFERENCE).unwrap();
    let session = std::fs::read_to_string(SESSION).unwrap();
    let done: BTreeSet<&str> = session
        .lines()
        .filter_map(|line| line.strip_prefix("$ "))
        .collect();
    let examples = reference
        .lines()
        .filter_map(|line| line.strip_prefix("  sawlog "));
    let examples: BTreeSet<String> = examples
        .map(|line| {
            // What stands behind two spaces explains it.
            let command = line.split("  ").next().unwrap_or_default();
            format!("sawlog {}", command.trim_end())
        })
        .collect();
    assert!(examples.len() > 40, "{} examples", examples.len());
    let missing: Vec<_> = examples
        .iter()
        .filter(|one| !done.contains(one.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "they are not in {SESSION}: {missing:#?}"
    );
}
