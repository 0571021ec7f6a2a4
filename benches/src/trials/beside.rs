//! Decides how much a reader of old records disturbs a producer of new ones: latency at 1,000 requests a second with and
//! without a read of 4 GB from the disk, in turn, in one broker, several times. A p99 of a few seconds is that of the
//! machine's mood: what counts is the median of the ratios. No page of the old records is in memory when a read begins.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Say, pid_of};
use crate::cell::{Runner, words};
use crate::figures::{Figures, Metric};
use crate::host;
use crate::peer::Node;
use crate::side::Side;
use crate::stats;

const OLD_BYTES: u64 = 4_000_000_000;
/// Seconds of each load: the read goes on for longer, from the start again where it must.
const WINDOW: f64 = 4.0;
/// Loads with a read, and as many without, in turn and back again.
const ROUNDS: usize = 5;

/// p99 with / without, p50 with / without, p99 without, MB/s of the read: medians of the rounds.
pub fn catch_up(runner: &Runner<'_>, say: Say<'_>) -> Result<Vec<f64>> {
    let side = Side::SawlogDurable;
    let node = Node::start(runner.programs, runner.programs.seat(side))?;
    node.create_topic("old-1", 1, side)?;
    runner.fill(&node, "old-1", 1, OLD_BYTES)?;
    let produce = |topic: &str| -> Result<Figures> {
        let part = Runner {
            programs: runner.programs,
            python: None,
            seconds: WINDOW,
            minutes: 0.0,
        };
        let words = words(&[
            ("rate", "1000".to_owned()),
            ("in-flight", "2000".to_owned()),
            ("size", "1024".to_owned()),
            ("warm", "0.1".to_owned()),
        ]);
        node.create_topic(topic, 1, side)?;
        part.raw(&node, topic, &words)
    };
    let beside = |topic: &str| -> Result<(Figures, Figures)> {
        host::forget_pages(node.dir())?;
        let (read, with) = std::thread::scope(|scope| {
            // The load takes a moment to begin, and its records are read back behind its end.
            let reader = scope.spawn(|| runner.fetch(&node, "old-1", WINDOW + 1.0));
            std::thread::sleep(Duration::from_millis(20));
            let with = produce(topic);
            (reader.join(), with)
        });
        let Ok(read) = read else {
            anyhow::bail!("the reader panicked")
        };
        let read = read?;
        ensure!(
            read.bytes >= OLD_BYTES && read.seconds >= WINDOW,
            "{} bytes were read in {:.1} s",
            read.bytes,
            read.seconds
        );
        Ok((with?, read))
    };
    produce("warm-1")?;
    let mut rows: [Vec<f64>; 4] = Default::default();
    for round in 0..ROUNDS {
        let without = |say: Say<'_>| -> Result<Figures> {
            let without = produce(&format!("without-{round}-1"))?;
            say(&format!("  without           {}", without.line()));
            Ok(without)
        };
        let first = (round % 2 == 0).then(|| without(say)).transpose()?;
        let (with, read) = beside(&format!("with-{round}-1"))?;
        say(&format!("  with              {}", with.line()));
        let without = match first {
            Some(without) => without,
            None => without(say)?,
        };
        let of = |metric: Metric, figures: &Figures| {
            metric.of(figures).context("no latency was measured")
        };
        let ratio =
            |metric: Metric| -> Result<f64> { Ok(of(metric, &with)? / of(metric, &without)?) };
        let row = [
            ratio(Metric::P99)?,
            ratio(Metric::P50)?,
            of(Metric::P99, &without)?,
            of(Metric::MbPerSecond, &read)?,
        ];
        say(&format!("  p99 with / without {:.2}", row[0]));
        for (all, value) in rows.iter_mut().zip(row) {
            all.push(value);
        }
    }
    pid_of(&node)?;
    rows.iter_mut()
        .map(|row| stats::median(row).context("no round"))
        .collect()
}
