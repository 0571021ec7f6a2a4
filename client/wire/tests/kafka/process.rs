//! Starts Kafka's classes in a process of their own and asks them line by line.
//! Decides how they are fetched, and why they are not asked where they cannot be; never what a right answer is.

use std::{
    io::{BufRead, BufReader, BufWriter, Write},
    path::Path,
    process::{ChildStdin, ChildStdout, Command, Stdio},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
};

const ORACLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/interop/oracle");

/// Kafka's classes, waiting for lines. They end when nobody can ask any more.
pub(crate) struct Kafka {
    lines: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// Starts them once for all tests, or says why the test is not run.
pub(crate) fn start() -> Option<MutexGuard<'static, Kafka>> {
    static KAFKA: OnceLock<Option<Mutex<Kafka>>> = OnceLock::new();
    let kafka = KAFKA.get_or_init(|| match fetch() {
        Ok(jars) => Some(Mutex::new(Kafka::new(&jars))),
        Err(why) => {
            // Past the test harness, which hides what passing tests print.
            let _ = writeln!(std::io::stderr(), "kafka_oracle: not run: {why}");
            None
        }
    });
    let held = |kafka: &'static Mutex<Kafka>| kafka.lock().unwrap_or_else(PoisonError::into_inner);
    kafka.as_ref().map(held)
}

/// The folder of Kafka's classes.
fn fetch() -> Result<String, String> {
    let folder = concat!(env!("CARGO_TARGET_TMPDIR"), "/kafka-4.4.0");
    let there = |program: &str| {
        let mut command = Command::new(program);
        let run = command
            .arg("-version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        run.is_ok_and(|status| status.success())
    };
    if !there("java") {
        return Err("no Java here".into());
    }
    // What was fetched for another list of classes is fetched again.
    let wanted = std::fs::read_to_string(format!("{ORACLE}/pom.xml")).map_err(|e| e.to_string())?;
    let complete = Path::new(folder).join("complete");
    if std::fs::read_to_string(&complete).is_ok_and(|fetched| fetched == wanted) {
        return Ok(folder.into());
    }
    if !there("mvn") {
        return Err("no Maven here to fetch Kafka's classes".into());
    }
    let fetched = Command::new("mvn")
        .args(["-B", "-q", "-f", ORACLE, "dependency:copy-dependencies"])
        .arg(format!("-DoutputDirectory={folder}"))
        .output()
        .map_err(|error| format!("Maven cannot be started: {error}"))?;
    if !fetched.status.success() {
        let why = String::from_utf8_lossy(&fetched.stdout);
        return Err(format!("Maven cannot fetch Kafka's classes: {why}"));
    }
    std::fs::write(complete, wanted).map_err(|error| error.to_string())?;
    Ok(folder.into())
}

impl Kafka {
    #[expect(
        clippy::zombie_processes,
        reason = "it ends with the tests, which nobody outlives"
    )]
    fn new(jars: &str) -> Self {
        let mut process = Command::new("java")
            .args(["-XX:+UseSerialGC", "-Xmx512m", "-cp", &format!("{jars}/*")])
            .arg(format!("{ORACLE}/Oracle.java"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("java was there a moment ago");
        let lines = process.stdin.take().expect("piped");
        let answers = BufReader::new(process.stdout.take().expect("piped"));
        Self { lines, answers }
    }

    /// Asks all lines, and waits for as many answers.
    pub(crate) fn ask(&mut self, lines: impl Iterator<Item = String>) -> Vec<String> {
        let lines: Vec<String> = lines.collect();
        let (mut to, from) = (BufWriter::new(&mut self.lines), &mut self.answers);
        thread::scope(|scope| {
            let asked = lines.len();
            scope.spawn(move || {
                for line in lines {
                    writeln!(to, "{line}").expect("Kafka's process listens");
                }
                to.flush().expect("Kafka's process listens");
            });
            let answers = from.lines().take(asked);
            let answers: Vec<_> = answers.map(|line| line.expect("text")).collect();
            assert_eq!(answers.len(), asked, "Kafka's process has ended early");
            answers
        })
    }
}

/// Bytes as Kafka's process reads them.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(*DIGITS.get(usize::from(value)).unwrap_or(&b'?'));
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}
