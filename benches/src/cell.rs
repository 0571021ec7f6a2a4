//! Decides how one side of one cell runs: topic, load in a session of its own, counters around it, records read back.
//! Decides no order of cells or sides (`suite`), and no figure: it counts, `figures` derives.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::cells::{Cell, Work};
use crate::control::Control;
use crate::figures::{Figures, Latency, Metric};
use crate::frame;
use crate::host::Snapshot;
use crate::load::{self, Pace, Shape};
use crate::peer::{Node, Programs, sided};
use crate::side::Side;
use crate::verify::{self, Expect, Found, Source};

/// A window ends after so many bytes; a cell must not measure how the host hands out memory.
const BYTES_MAX: u64 = 2_500_000_000;
/// After a librdkafka run the broker's CPU counts on for so long: what it does behind its replies is part of their price.
const AFTER: Duration = Duration::from_millis(300);
/// Between writing what is read again and reading it the first time: a broker may keep what it reads out of the page cache
/// while it commits.
const REST: Duration = Duration::from_secs(1);
/// Its CPU, memory and place beside our sources.
const LIBRDKAFKA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/librdkafka.py");

/// librdkafka as it comes from PyPI.
pub const PACKAGE: &str = "confluent-kafka==2.16.1";

/// What a cell needs of its surroundings.
pub struct Runner<'a> {
    /// Where the programs lie.
    pub programs: &'a Programs,
    /// Python with confluent-kafka, where it could be had.
    pub python: Option<PathBuf>,
    /// Counted seconds of a cell.
    pub seconds: f64,
    /// Minutes of the mixed load.
    pub minutes: f64,
}

/// A load keeps the memory that it has. As glibc is by itself, it gives back what lies free at the end of the heap whenever
/// a client's queue runs empty, and takes it again page by page: 35,000 to 70,000 faults a GB, by chance and by when
/// answers come, cost a client of librdkafka's a quarter of its processor, and that is no broker's speed.
const KEEPS_MEMORY: [(&str, &str); 3] = [
    ("MALLOC_TRIM_THRESHOLD_", "8589934592"),
    ("MALLOC_TOP_PAD_", "67108864"),
    ("MALLOC_MMAP_THRESHOLD_", "1073741824"),
];

/// The last line of `librdkafka.py`.
#[derive(Deserialize)]
struct Report {
    warm: u64,
    records: u64,
    seconds: f64,
    own_cpu: f64,
    latency: Option<Latency>,
}

impl Runner<'_> {
    /// Whether this work can be done here.
    #[must_use]
    pub fn can(&self, work: Work) -> bool {
        !work.by_librdkafka() || self.python.is_some()
    }

    /// Runs it once. The records are there and whole, or this is an error.
    pub fn run(&self, cell: &Cell, side: Side, node: &mut Node, number: u32) -> Result<Figures> {
        let topic = format!("cell-{number}-{}", cell.work.partitions());
        // What earlier cells left in the page cache is not this one's to write back.
        rustix::fs::sync();
        node.create_topic(&topic, cell.work.partitions(), side)?;
        let figures = match cell.work {
            Work::Closed {
                connections,
                in_flight,
                records,
                value_bytes,
            } => {
                let words = words(&[
                    ("partitions", connections.to_string()),
                    ("connections", connections.to_string()),
                    ("in-flight", in_flight.to_string()),
                    ("records", records.to_string()),
                    ("size", value_bytes.to_string()),
                ]);
                self.raw(node, &topic, &words)
            }
            Work::Open {
                per_second,
                records,
                value_bytes,
            } => {
                let rate = match per_second {
                    Some(rate) => rate,
                    None => self.half_of_maximum(side, node, number, records, value_bytes)?,
                };
                let words = words(&[
                    ("rate", rate.to_string()),
                    ("in-flight", "2000".to_owned()),
                    ("records", records.to_string()),
                    ("size", value_bytes.to_string()),
                ]);
                self.raw(node, &topic, &words)
            }
            Work::Librdkafka { value_bytes, .. } => self.librdkafka(
                node,
                &topic,
                cell.work,
                &["full"],
                value_bytes,
                BYTES_MAX as f64,
            ),
            Work::LibrdkafkaPaced {
                per_second,
                value_bytes,
            } => self.librdkafka(node, &topic, cell.work, &["paced"], value_bytes, per_second),
            Work::Consume { bytes, partitions } => {
                let records = self.fill(node, &topic, partitions, bytes)?;
                read_once(node, &topic, partitions)?;
                self.librdkafka(
                    node,
                    &topic,
                    cell.work,
                    &["consume"],
                    partitions.unsigned_abs() as usize,
                    records as f64,
                )
            }
            Work::Fetch { bytes } => {
                self.fill(node, &topic, 1, bytes)?;
                read_once(node, &topic, 1)?;
                self.fetch(node, &topic, self.seconds)
            }
            Work::FirstFetch { bytes } => {
                self.fill(node, &topic, 1, bytes)?;
                self.fetch(node, &topic, 0.0)
            }
        };
        let figures = figures.with_context(|| format!("{} on {}", cell.name, side.name()))?;
        node.clean(self.programs, &topic)?;
        Ok(figures)
    }

    /// Loads the broker until it is as fast as it gets (a compiler at run time needs that); nothing is counted.
    pub fn warm_up(&self, node: &mut Node, side: Side, seconds: f64) -> Result<()> {
        for (topic, records) in [("warm-a-1", 1_u32), ("warm-b-1", 16), ("warm-c-1", 900)] {
            node.create_topic(topic, 1, side)?;
            let words = words(&[
                ("records", records.to_string()),
                ("size", "1024".to_owned()),
            ]);
            let part = Runner {
                programs: self.programs,
                python: None,
                seconds: seconds / 3.0,
                minutes: 0.0,
            };
            part.raw(node, topic, &words)?;
            node.clean(self.programs, topic)?;
        }
        Ok(())
    }

    fn half_of_maximum(
        &self,
        side: Side,
        node: &Node,
        number: u32,
        records: u32,
        size: usize,
    ) -> Result<f64> {
        let topic = format!("most-{number}-1");
        node.create_topic(&topic, 1, side)?;
        let words = words(&[("records", records.to_string()), ("size", size.to_string())]);
        let most = self.raw(node, &topic, &words)?;
        Metric::RequestsPerSecond
            .of(&most)
            .map(|most| most / 2.0)
            .context("no request was answered")
    }

    /// Writes `bytes` of 1 KiB records in batches of 100, lets the kernel write them back and the broker come to rest, and tells
    /// how many records they are.
    pub fn fill(&self, node: &Node, topic: &str, partitions: i32, bytes: u64) -> Result<u64> {
        let shape = Shape {
            topics: vec![topic.to_owned()],
            partitions,
            connections: 1,
            in_flight: 5,
            records: 100,
            value_bytes: 1024,
            pace: Pace::Closed,
            warm: Duration::ZERO,
            run: Duration::from_secs(60),
            bytes_max: bytes,
            parts: 0,
        };
        let filled = load::run(node.address(), &shape, None)?;
        rustix::fs::sync();
        std::thread::sleep(REST);
        Ok(filled.acknowledged.iter().sum())
    }

    /// The raw reader as a process of its own (`bench fetch`); it checks each batch.
    pub fn fetch(&self, node: &Node, topic: &str, seconds: f64) -> Result<Figures> {
        let mut command = sided(&std::env::current_exe()?)?;
        command
            .args(["fetch", &node.address().to_string(), topic, "--json"])
            .args(["--run", &seconds.to_string()]);
        if let Some(pid) = node.pid() {
            command.arg("--pid").arg(pid.to_string());
        }
        figures_of(&mut command)
    }

    /// The raw generator as a process of its own (`bench produce`).
    pub fn raw(&self, node: &Node, topic: &str, words: &[String]) -> Result<Figures> {
        let mut command = sided(&std::env::current_exe()?)?;
        command
            .arg("produce")
            .arg(node.address().to_string())
            .arg(topic)
            .args(words);
        command
            .arg("--json")
            .arg("--run")
            .arg(self.seconds.to_string());
        command
            .arg("--gigabytes")
            .arg((BYTES_MAX as f64 / 1e9).to_string());
        if let Some(pid) = node.pid() {
            command.arg("--pid").arg(pid.to_string());
        }
        match node.source() {
            Source::Broker(_) => {}
            Source::Files(dir) => {
                command.arg("--files").arg(dir);
            }
            Source::Nowhere => {
                command.arg("--unchecked");
            }
        }
        figures_of(&mut command)
    }

    pub(crate) fn librdkafka(
        &self,
        node: &Node,
        topic: &str,
        work: Work,
        mode: &[&str],
        size: usize,
        last: f64,
    ) -> Result<Figures> {
        let python = self.python.as_deref().context("no confluent-kafka here")?;
        let mut command = sided(python)?;
        command
            .arg(LIBRDKAFKA)
            .args(mode)
            .arg(node.address().to_string())
            .arg(topic);
        command
            .arg(size.to_string())
            .arg(self.seconds.to_string())
            .arg(last.to_string());
        let mut driver = command
            .envs(KEEPS_MEMORY)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let driven = self.drive(&mut driver, node);
        // Its end of stdin is closed by now; a failed one is ended.
        drop(driver.stdin.take());
        if driven.is_err() {
            let _ = driver.kill();
        }
        let status = driver.wait()?;
        let (mut figures, report) = driven?;
        ensure!(status.success(), "librdkafka.py ended with {status}");

        let found = check(node, topic, work, report.warm + report.records)?;
        figures.records = report.records;
        if let Some(each) = found {
            figures.bytes =
                (each.bytes as f64 * report.records as f64 / each.records.max(1) as f64) as u64;
        } else {
            figures.bytes = report.records * size as u64;
        }
        Ok(figures)
    }

    fn drive(&self, driver: &mut Child, node: &Node) -> Result<(Figures, Report)> {
        let mut lines = BufReader::new(driver.stdout.take().context("no stdout")?);
        let mut stdin = driver.stdin.take().context("no stdin")?;
        ensure!(
            line(&mut lines)?.trim() == "start",
            "librdkafka.py did not start"
        );
        let before = Snapshot::take(node.pid(), driver.id())?;
        stdin.write_all(b"go\n")?;
        let report: Report =
            serde_json::from_str(&line(&mut lines)?).context("result of librdkafka.py")?;
        std::thread::sleep(AFTER);
        let after = Snapshot::take(node.pid(), driver.id())?;
        let all = after.since(&before);
        let share = report.seconds / all.seconds;
        let figures = Figures {
            seconds: report.seconds,
            latency: report.latency,
            own_cpu: report.own_cpu,
            foreign_cpu: (all.foreign_cpu + all.own_cpu - report.own_cpu).max(0.0) * share,
            steal: all.steal * share,
            ..all
        };
        Ok((figures, report))
    }
}

/// Runs a generator to its end and reads its figures.
pub fn figures_of(command: &mut Command) -> Result<Figures> {
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    serde_json::from_slice(&output.stdout).context("figures of the generator")
}

fn line(lines: &mut BufReader<ChildStdout>) -> Result<String> {
    let mut line = String::new();
    ensure!(
        lines.read_line(&mut line)? > 0,
        "librdkafka.py ended before its result"
    );
    Ok(line)
}

pub(crate) fn words(flags: &[(&str, String)]) -> Vec<String> {
    flags
        .iter()
        .flat_map(|(name, value)| [format!("--{name}"), value.clone()])
        .collect()
}

/// All records, however librdkafka spread them over the partitions; `None` where they were thrown away.
fn check(node: &Node, topic: &str, work: Work, records: u64) -> Result<Option<Found>> {
    let mut found = Found::default();
    for partition in 0..work.partitions() {
        found = found.and(match node.source() {
            Source::Nowhere => return Ok(None),
            Source::Broker(address) => {
                let mut control = Control::connect(address)?;
                let end = high_watermark(&mut control, topic, partition)?;
                verify::partition(&mut control, topic, partition, end, Expect::Whole)?
            }
            Source::Files(dir) => {
                verify::file_to_end(&file_of(dir, topic, partition), topic, partition)?
            }
        });
    }
    ensure!(
        found.records == records,
        "{topic}: {records} records acknowledged, {} found",
        found.records
    );
    Ok(Some(found))
}

/// Reads all of a topic by Fetch, checked and not timed: whoever keeps in memory what was read has it there now.
fn read_once(node: &Node, topic: &str, partitions: i32) -> Result<()> {
    let mut control = Control::connect(node.address())?;
    for partition in 0..partitions {
        let end = high_watermark(&mut control, topic, partition)?;
        verify::partition(&mut control, topic, partition, end, Expect::Whole)?;
    }
    Ok(())
}

fn file_of(dir: &Path, topic: &str, partition: i32) -> PathBuf {
    dir.join(format!("{topic}-{partition}.log"))
}

fn high_watermark(control: &mut Control, topic: &str, partition: i32) -> Result<u64> {
    let reply = control.ask(&[&frame::fetch(topic, partition, 0, 1, frame::Wait::No)])?;
    Ok(u64::try_from(frame::fetched(reply)??.high_watermark)?)
}

/// Makes a virtual environment with confluent-kafka once; says why it cannot.
pub fn python(room: &Path) -> Result<PathBuf> {
    let venv = room.join("venv");
    let python = venv.join("bin/python");
    if !venv.join("complete").exists() {
        let begun = Instant::now();
        let run = |program: &Path, words: &[&str]| -> Result<()> {
            let status = std::process::Command::new(program)
                .args(words)
                .stdout(Stdio::null())
                .status()?;
            ensure!(
                status.success(),
                "{} {} failed",
                program.display(),
                words.join(" ")
            );
            Ok(())
        };
        run(
            Path::new("python3"),
            &["-m", "venv", &venv.to_string_lossy()],
        )?;
        run(
            &python,
            &[
                "-m",
                "pip",
                "--quiet",
                "--disable-pip-version-check",
                "install",
                PACKAGE,
            ],
        )?;
        std::fs::write(
            venv.join("complete"),
            format!("{PACKAGE} in {:?}\n", begun.elapsed()),
        )?;
    }
    Ok(python)
}
