//! `cargo dev bench`: load against any broker that speaks Kafka's protocol.
//! Decides only the build; the workloads and what counts as a result lie in `benches`.

use anyhow::Result;

use crate::run::{Rest, cargo, to_end};

pub(crate) fn run(rest: &Rest) -> Result<()> {
    to_end(
        cargo([
            "run",
            "--quiet",
            "--release",
            "--package",
            "benches",
            "--bin",
            "bench",
            "--",
        ])
        .args(&rest.words),
    )
}
