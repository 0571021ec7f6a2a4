//! Decides how our command line is held against kcat: the ratio of their wall times over all pairs.
//! `kcat.py` runs both in turn, checks what comes out, and tells seconds; the bound stands in the table of trials.

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::{Say, binary};
use crate::cell::Runner;

const KCAT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/kcat.py");

#[derive(Deserialize)]
struct Walls {
    produce: Vec<(f64, f64)>,
    consume: Vec<(f64, f64)>,
}

/// Wall time of `sawlog produce` and of `sawlog consume` over that of kcat.
pub fn beside_kcat(runner: &Runner<'_>, say: Say<'_>) -> Result<Vec<f64>> {
    let output = std::process::Command::new("python3")
        .arg(KCAT)
        .arg(binary(runner)?)
        .args(["--pairs", "2", "--json", "--room"])
        .arg(runner.programs.room.join("kcat"))
        .output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let walls: Walls = serde_json::from_slice(&output.stdout).context("figures of kcat.py")?;
    let mut ratios = Vec::new();
    for (what, walls) in [("produce", walls.produce), ("consume", walls.consume)] {
        for (ours, theirs) in &walls {
            say(&format!("  {what}: sawlog {ours:.2} s, kcat {theirs:.2} s"));
        }
        // Who comes first in a pair reads from the disk; each did once.
        let sum = |pick: fn(&(f64, f64)) -> f64| walls.iter().map(pick).sum::<f64>();
        ensure!(walls.len() == 2, "{} pairs", walls.len());
        ratios.push(sum(|pair| pair.0) / sum(|pair| pair.1));
    }
    Ok(ratios)
}
