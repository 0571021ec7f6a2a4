//! Decides how the peak of memory under W1 is measured: one broker, every librdkafka load of it, the kernel's own mark.
//! What the peak must be stands in the table of trials; the loads themselves are those of `cells`.

use anyhow::Result;

use super::{Say, mib, pid_of};
use crate::cell::Runner;
use crate::cells::{self, Work};
use crate::host::Memory;
use crate::peer::Node;
use crate::side::Side;

/// The largest VmHWM of the cells of W1, one after the other in one broker, in MiB: during the loads alone, and with the
/// reading back of every record between them, which asks for 8 MiB a request.
pub fn peak(runner: &Runner<'_>, say: Say<'_>) -> Result<Vec<f64>> {
    let side = Side::SawlogDurable;
    let mut node = Node::start(runner.programs, runner.programs.seat(side))?;
    let (mut most, mut ever) = (0.0_f64, 0.0_f64);
    let mut done: Vec<Work> = Vec::new();
    let ours = |cell: &cells::Cell| {
        matches!(cell.work, Work::Librdkafka { .. }) && cell.sides.first() == Some(&side)
    };
    for (number, cell) in (0..).zip(cells::all().iter().filter(|cell| ours(cell))) {
        if done.contains(&cell.work) {
            continue;
        }
        done.push(cell.work);
        Memory::forget_peak(pid_of(&node)?)?;
        let figures = runner.run(cell, side, &mut node, number)?;
        most = most.max(figures.peak.map_or(0.0, mib));
        say(&format!("  {:<34} {}", cell.name, figures.line()));
        // A node whose disk was full is another one now; its mark counts from its own start.
        ever = ever.max(most).max(mib(Memory::of(pid_of(&node)?)?.peak));
    }
    Ok(vec![most, ever])
}
