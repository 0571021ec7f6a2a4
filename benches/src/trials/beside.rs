//! Decides how much a reader of old records disturbs a producer of new ones: latency at 1,000 requests a second with and
//! without a read of 4 GB from the disk, in turn, in one broker. Nobody has read them before.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Say, pid_of};
use crate::cell::{Runner, words};
use crate::figures::{Figures, Metric};
use crate::host;
use crate::peer::Node;
use crate::side::Side;

const OLD_BYTES: u64 = 4_000_000_000;
/// Seconds of each load: the read takes longer, or nothing is measured.
const WINDOW: f64 = 1.8;

/// p99 with / without, p50 with / without, p99 without, MB/s of the read.
pub fn catch_up(runner: &Runner<'_>, say: Say<'_>) -> Result<Vec<f64>> {
    let side = Side::SawlogDurable;
    let node = Node::start(runner.programs, runner.programs.seat(side))?;
    node.create_topic("old-1", 1, side)?;
    runner.fill(&node, "old-1", 1, OLD_BYTES)?;
    host::forget_pages(node.dir())?;
    let produce = |topic: &str| -> Result<Figures> {
        node.create_topic(topic, 1, side)?;
        let part = Runner {
            programs: runner.programs,
            python: None,
            seconds: WINDOW,
            minutes: 0.0,
        };
        part.raw(
            &node,
            topic,
            &words(&[
                ("rate", "1000".to_owned()),
                ("in-flight", "2000".to_owned()),
                ("size", "1024".to_owned()),
                ("warm", "0.1".to_owned()),
            ]),
        )
    };
    produce("warm-1")?;
    let without = produce("without-1")?;
    say(&format!("  without           {}", without.line()));
    let (read, with) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| runner.fetch(&node, "old-1", 0.0));
        std::thread::sleep(Duration::from_millis(20));
        let with = produce("with-1");
        let over = reader.is_finished();
        (reader.join().map(|read| (read, over)), with)
    });
    let (Ok((read, over)), with) = (read, with?) else {
        anyhow::bail!("the reader panicked")
    };
    let read = read?;
    say(&format!("  with              {}", with.line()));
    ensure!(
        !over || read.seconds >= WINDOW,
        "the read was over after {} of {WINDOW} s",
        read.seconds
    );
    ensure!(read.bytes >= OLD_BYTES, "only {} bytes read", read.bytes);
    pid_of(&node)?;
    let ratio = |metric: Metric| -> Result<f64> {
        let (with, without) = (metric.of(&with), metric.of(&without));
        let (Some(with), Some(without)) = (with, without) else {
            anyhow::bail!("no latency was measured")
        };
        Ok(with / without)
    };
    Ok(vec![
        ratio(Metric::P99)?,
        ratio(Metric::P50)?,
        Metric::P99.of(&without).unwrap_or_default(),
        Metric::MbPerSecond.of(&read).unwrap_or_default(),
    ])
}
