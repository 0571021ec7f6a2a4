//! Decides how the system calls of a request and its bytes on the disk are counted: by perf, which holds nobody up, and by the
//! kernel's own count of what a process wrote. What a path should need stands in `napkin.md`; nothing here has a bound.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::{Say, pid_of};
use crate::cell::Runner;
use crate::host;
use crate::load::{self, Outcome, Pace, Shape};
use crate::peer::Node;
use crate::side::Side;
use crate::verify::{self, Expect, Source};

const PATIENCE: Duration = Duration::from_secs(10);
const COUNTED: Duration = Duration::from_secs(2);
/// Of a log of large batches, and of one that is read from memory.
const LARGE_BYTES: u64 = 1_000_000_000;
const TAIL_BYTES: u64 = 3_000_000;
/// All system calls, and those by which a commit is written.
const EVENTS: &str = "raw_syscalls:sys_enter,syscalls:sys_enter_pwrite64,syscalls:sys_enter_pwritev,syscalls:sys_enter_pwritev2";

/// How a load is shaped, and by which promise.
struct Load {
    name: &'static str,
    side: Side,
    connections: usize,
    partitions: i32,
    in_flight: usize,
}

const ONE: Load = Load {
    name: "calls-one-1",
    side: Side::SawlogDurable,
    connections: 1,
    partitions: 1,
    in_flight: 1,
};
const MANY: Load = Load {
    name: "calls-many-64",
    side: Side::SawlogDurable,
    connections: 64,
    partitions: 64,
    in_flight: 5,
};
const FIVE: Load = Load {
    name: "calls-five-1",
    side: Side::SawlogReplicated,
    connections: 1,
    partitions: 1,
    in_flight: 5,
};

/// Calls and bytes of one request at a time; requests of a commit, calls and bytes of many; calls of five in flight; bytes on
/// the disk for each byte of large batches; calls of a reply of 1 MB.
pub fn run(runner: &Runner<'_>, say: Say<'_>) -> Result<Vec<f64>> {
    let side = Side::SawlogDurable;
    let mut node = Node::start(runner.programs, runner.programs.seat(side))?;
    let mut values = Vec::new();
    for load in [&ONE, &MANY, &FIVE] {
        node.create_topic(load.name, load.partitions, load.side)?;
        let (counts, counted) = counted(&node, |node| small(node, load))?;
        let requests = counted.figures.requests as f64;
        say(&format!("  {}: {requests} requests, {counts:?}", load.name));
        if load.in_flight > 1 && load.side == side {
            values.push(requests / counts.writes as f64);
        }
        values.push(counts.all as f64 / requests);
        let (bytes, plain) = written(&node, |node| small(node, load))?;
        if load.side == side {
            values.push(bytes / plain.figures.requests as f64);
        }
        whole(&node, load.name, &[counted, plain])?;
        node.clean(runner.programs, load.name)?;
    }
    let topic = "calls-large-1";
    node.create_topic(topic, 1, side)?;
    // What goes by the ring before the log is known to bring large batches only is not counted.
    let first = large(&node, topic, LARGE_BYTES / 4)?;
    let (bytes, rest) = written(&node, |node| large(node, topic, LARGE_BYTES))?;
    values.push(bytes / rest.figures.bytes as f64);
    whole(&node, topic, &[first, rest])?;
    node.clean(runner.programs, topic)?;

    let topic = "calls-tail-1";
    node.create_topic(topic, 1, side)?;
    runner.fill(&node, topic, 1, TAIL_BYTES)?;
    runner.fetch(&node, topic, 0.0)?;
    let (counts, figures) = counted(&node, |node| runner.fetch(node, topic, 2.0))?;
    say(&format!(
        "  {topic}: {} replies, {counts:?}",
        figures.requests
    ));
    values.push(counts.all as f64 / figures.requests as f64);
    Ok(values)
}

/// Single records of 1 KiB.
fn small(node: &Node, load: &Load) -> Result<Outcome> {
    let shape = Shape {
        topics: vec![load.name.to_owned()],
        partitions: load.partitions,
        connections: load.connections,
        in_flight: load.in_flight,
        records: 1,
        value_bytes: 1024,
        pace: Pace::Closed,
        warm: Duration::ZERO,
        run: COUNTED,
        bytes_max: u64::MAX,
        parts: 0,
    };
    answered(node, &shape)
}

/// Batches of 1 MB.
fn large(node: &Node, topic: &str, bytes_max: u64) -> Result<Outcome> {
    let shape = Shape {
        topics: vec![topic.to_owned()],
        partitions: 1,
        connections: 1,
        in_flight: 5,
        records: 950,
        value_bytes: 1024,
        pace: Pace::Closed,
        warm: Duration::ZERO,
        run: PATIENCE,
        bytes_max,
        parts: 0,
    };
    answered(node, &shape)
}

fn answered(node: &Node, shape: &Shape) -> Result<Outcome> {
    let outcome = load::run(node.address(), shape, node.pid())?;
    ensure!(outcome.figures.requests > 0, "nothing was answered");
    Ok(outcome)
}

/// All that was acknowledged is there.
fn whole(node: &Node, topic: &str, loads: &[Outcome]) -> Result<()> {
    let first = loads.first().context("no load")?;
    let mut due = first.acknowledged.clone();
    for more in loads.iter().skip(1) {
        let both = due.iter_mut().zip(&more.acknowledged);
        both.for_each(|(due, more)| *due += more);
    }
    let topics = [topic.to_owned()];
    verify::all(Source::Broker(node.address()), &topics, &due, Expect::Whole)?;
    Ok(())
}

/// What a process had the disk write meanwhile, once it rests.
fn written<T>(node: &Node, act: impl FnOnce(&Node) -> Result<T>) -> Result<(f64, T)> {
    let pid = pid_of(node)?;
    let before = host::bytes_written(pid)?;
    let given = act(node)?;
    std::thread::sleep(Duration::from_millis(500));
    Ok(((host::bytes_written(pid)? - before) as f64, given))
}

/// How often the node called the kernel.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    all: u64,
    writes: u64,
}

impl Counts {
    /// Reads what `perf stat -x,` writes: the count is the first field of a line, the event the third.
    fn read(text: &str) -> Result<Counts> {
        let mut counts = Counts::default();
        for line in text.lines().filter(|line| line.contains("sys_enter")) {
            let fields: Vec<&str> = line.split(',').collect();
            let &[count, _, event, ..] = fields.as_slice() else {
                bail!("perf wrote {line}");
            };
            let count: u64 = count
                .parse()
                .with_context(|| format!("perf wrote {line}"))?;
            if event.starts_with("raw_syscalls") {
                counts.all += count;
            } else {
                counts.writes += count;
            }
        }
        ensure!(counts.all > 0, "perf counted nothing: {text}");
        Ok(counts)
    }
}

/// The system calls of the node meanwhile.
fn counted<T>(node: &Node, act: impl FnOnce(&Node) -> Result<T>) -> Result<(Counts, T)> {
    let told = node.dir().with_extension("perf");
    let pid = pid_of(node)?;
    let mut perf = Command::new("perf")
        .args(["stat", "-x,", "-e", EVENTS, "-p", &pid.to_string(), "-o"])
        .arg(&told)
        .stderr(Stdio::null())
        .spawn()
        .context("start perf")?;
    let done = attached(pid, &mut perf).and_then(|()| act(node));
    let ended = stop(&mut perf);
    let done = done?;
    ended?;
    let text = fs::read_to_string(&told)?;
    fs::remove_file(&told)?;
    Ok((Counts::read(&text)?, done))
}

/// Waits until there is a counter of each event for each thread.
fn attached(pid: u32, perf: &mut Child) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let threads = fs::read_dir(format!("/proc/{pid}/task"))?.count();
        let counter = |file: &fs::DirEntry| {
            let to = fs::read_link(file.path());
            to.is_ok_and(|to| to.to_string_lossy().contains("[perf_event]"))
        };
        let open = fs::read_dir(format!("/proc/{}/fd", perf.id()))?.flatten();
        if open.filter(counter).count() >= threads * EVENTS.split(',').count() {
            return Ok(());
        }
        if let Some(status) = perf.try_wait()? {
            bail!("perf ended with {status}: may this user count system calls?");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    bail!("perf did not attach within {PATIENCE:?}")
}

/// An interrupt has it write what it counted.
fn stop(perf: &mut Child) -> Result<()> {
    let pid = i32::try_from(perf.id()).ok().and_then(Pid::from_raw);
    kill_process(pid.context("the number of perf's process")?, Signal::INT)?;
    perf.wait()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_perf_writes_is_read_and_what_it_could_not_count_is_an_error() {
        let text = "\
# started on Mon Nov 23 05:00:00 2026

716,,raw_syscalls:sys_enter,1000,100.00,,
40,,syscalls:sys_enter_pwrite64,1000,100.00,,
2,,syscalls:sys_enter_pwritev,1000,100.00,,
";
        let counts = Counts {
            all: 716,
            writes: 42,
        };
        assert_eq!(Counts::read(text).unwrap(), counts);
        let text = text.replace("40,,", "<not supported>,,");
        assert!(Counts::read(&text).is_err());
        assert!(Counts::read("").is_err());
    }
}
