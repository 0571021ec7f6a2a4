//! Decides what a long mixed load is (W5): 64 producers into 256 partitions at a steady rate, five readers that follow all of
//! them; whether latency drifts and memory grows. Every reader must have read every record, in order and whole.

use std::io::Write;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{Say, mib, pid_of};
use crate::cell::{Runner, words};
use crate::control::Control;
use crate::figures::Figures;
use crate::host::Memory;
use crate::peer::{Node, sided};
use crate::side::Side;
use crate::wide;

const TOPIC: &str = "mixed-256";
const PARTITIONS: i32 = 256;
const PRODUCERS: usize = 64;
const READERS: usize = 5;
const PER_SECOND: f64 = 2000.0;

/// p99 last / first tenth, MiB a minute, p99 of all in us, minutes.
pub fn run(runner: &Runner<'_>, say: Say<'_>) -> Result<Vec<f64>> {
    let side = Side::SawlogDurable;
    let node = Node::start(runner.programs, runner.programs.seat(side))?;
    node.create_topic(TOPIC, PARTITIONS, side)?;
    let mut readers = (0..READERS)
        .map(|_| follower(&node))
        .collect::<Result<Vec<Follower>>>()?;
    let load = Runner {
        programs: runner.programs,
        python: None,
        seconds: runner.minutes * 60.0,
        minutes: 0.0,
    };
    let begun = Instant::now();
    let (produced, samples) = std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            load.raw(
                &node,
                TOPIC,
                &words(&[
                    ("partitions", PARTITIONS.to_string()),
                    ("connections", PRODUCERS.to_string()),
                    ("in-flight", "100".to_owned()),
                    ("rate", PER_SECOND.to_string()),
                    ("size", "1024".to_owned()),
                    ("parts", "10".to_owned()),
                ]),
            )
        });
        let mut samples = Vec::new();
        while !load.is_finished() {
            std::thread::sleep(Duration::from_secs(1));
            if let Ok(memory) = pid_of(&node).and_then(Memory::of) {
                samples.push((begun.elapsed().as_secs_f64() / 60.0, mib(memory.resident)));
            }
        }
        (load.join(), samples)
    });
    let Ok(produced) = produced else {
        bail!("the load panicked")
    };
    let produced = produced?;
    let mut control = Control::connect(node.address())?;
    let ends = wide::listed_ends(control.ask(&[&wide::list_ends(TOPIC, PARTITIONS)])?)??;
    let all: u64 = ends.iter().sum();
    ensure!(
        all >= produced.records && produced.requests as f64 >= 0.99 * PER_SECOND * produced.seconds,
        "{all} records are there, {} were acknowledged",
        produced.records
    );
    for reader in &mut readers {
        let read = reader.finish(all)?;
        ensure!(
            read.records == all,
            "a reader read {} of {all}",
            read.records
        );
    }
    let (Some(first), Some(last)) = (produced.parts.first(), produced.parts.last()) else {
        bail!("no latencies by parts")
    };
    let each: Vec<String> = produced
        .parts
        .iter()
        .map(|part| format!("{:.0}", part.p99))
        .collect();
    say(&format!("  p99 by tenths, us: {}", each.join(" ")));
    // While the caches fill memory grows by their budget; that is the first tenth. What is read back behind the load to be
    // checked, from the start at full speed, has buffers of its own.
    let within = runner.minutes / 10.0..runner.minutes;
    let mut settled = samples;
    settled.retain(|(at, _)| within.contains(at));
    let (low, high) = settled
        .iter()
        .fold((f64::MAX, 0.0_f64), |(low, high), &(_, mib)| {
            (low.min(mib), high.max(mib))
        });
    say(&format!(
        "  resident {low:.1} to {high:.1} MiB after the first tenth"
    ));
    Ok(vec![
        last.p99 / first.p99,
        slope(&settled).context("too short to see a slope")?,
        produced.latency.map_or(0.0, |latency| latency.p99),
        runner.minutes,
    ])
}

/// `bench follow`, ended when it is dropped.
struct Follower(Child);

fn follower(node: &Node) -> Result<Follower> {
    let mut command = sided(&std::env::current_exe()?)?;
    command
        .args(["follow", &node.address().to_string(), TOPIC])
        .args(["--partitions", &PARTITIONS.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    Ok(Follower(command.spawn()?))
}

impl Follower {
    /// Tells it how many records there are; it ends when it has read them all.
    fn finish(&mut self, records: u64) -> Result<Figures> {
        let mut stdin = self.0.stdin.take().context("no stdin")?;
        writeln!(stdin, "{records}")?;
        let stdout = self.0.stdout.take().context("no stdout")?;
        let figures = std::io::read_to_string(stdout)?;
        ensure!(self.0.wait()?.success(), "a reader failed");
        serde_json::from_str(&figures).context("figures of a reader")
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // It has ended by itself where all went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Least squares: how much y grows for each x.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let count = points.len() as f64;
    let mean = |pick: fn(&(f64, f64)) -> f64| points.iter().map(pick).sum::<f64>() / count;
    let (x_mean, y_mean) = (mean(|point| point.0), mean(|point| point.1));
    let (over, under) = points.iter().fold((0.0, 0.0), |(over, under), &(x, y)| {
        (
            over + (x - x_mean) * (y - y_mean),
            under + (x - x_mean).powi(2),
        )
    });
    (points.len() > 2 && under > 0.0).then(|| over / under)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_slope_and_two_points_have_none() {
        let line: Vec<(f64, f64)> = (0..10)
            .map(|x| (f64::from(x), 3.0 * f64::from(x) + 1.0))
            .collect();
        assert!((slope(&line).unwrap() - 3.0).abs() < 1e-9);
        assert_eq!(slope(&line[..2]), None);
    }
}
