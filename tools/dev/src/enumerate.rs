//! `cargo dev enumerate`: every crash of small workloads on the storage engine.
//! Decides only the build; what is enumerated and judged lies in `tests/sim`.

use anyhow::Result;

use crate::run::{Rest, to_end};
use crate::sim::simulator;

pub(crate) fn run(rest: &Rest) -> Result<()> {
    to_end(simulator().args(["--", "enumerate"]).args(&rest.words))
}
