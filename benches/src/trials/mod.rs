//! Decides what is measured of Sawlog by itself: a table of trials, each with the figures it gives and what must hold of
//! them. A trial runs in empty directories of its own and frees the disk; a figure without its work done is an error.

pub mod beside;
pub mod calls;
pub mod memory;
pub mod mixed;
pub mod scale;
pub mod start;
pub mod tools;

use std::path::Path;

use anyhow::{Context, Result};

use crate::cell::Runner;
use crate::cells::Set;
use crate::peer::Subject;
use crate::side::Side;
use crate::stats::Bound;

/// Hears what happens.
pub type Say<'a> = &'a mut dyn FnMut(&str);

/// One figure of a trial.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// What it is, with its unit.
    pub name: &'static str,
    /// What must hold; `None` is reported only.
    pub must: Option<Bound>,
}

/// Something that is done with Sawlog alone.
#[derive(Clone, Copy)]
pub struct Trial {
    /// W1 to W12.
    pub workload: &'static str,
    /// Names it; short, unique.
    pub name: &'static str,
    /// Who is measured.
    pub side: Side,
    /// The smallest set that holds it.
    pub set: Set,
    /// Repeated as often as there are pairs, within these.
    pub repeats: (usize, usize),
    /// What it gives.
    pub figures: &'static [Figure],
    /// Does it once: the values of `figures`, in their order.
    pub run: fn(&Runner<'_>, Say<'_>) -> Result<Vec<f64>>,
}

const fn at_most(name: &'static str, most: f64) -> Figure {
    Figure {
        name,
        must: Some(Bound::AtMost(most)),
    }
}

const fn shown(name: &'static str) -> Figure {
    Figure { name, must: None }
}

use Side::{LimitDurable, SawlogDurable};

/// Every trial, in the order it runs.
pub const ALL: &[Trial] = &[
    Trial {
        workload: "W9",
        name: "start empty",
        side: SawlogDurable,
        set: Set::Smoke,
        repeats: (3, 15),
        figures: &[at_most("start empty to the first ack, ms", 50.0)],
        run: start::empty_of::<true>,
    },
    Trial {
        workload: "W9",
        name: "start empty, limit",
        side: LimitDurable,
        set: Set::Smoke,
        repeats: (3, 15),
        figures: &[shown("start empty to the first ack, ms")],
        run: start::empty_of::<false>,
    },
    Trial {
        workload: "W9",
        name: "idle",
        side: SawlogDurable,
        set: Set::Gate,
        repeats: (1, 3),
        figures: &[at_most("resident memory idle, MiB", 25.0)],
        run: start::idle,
    },
    Trial {
        workload: "W9",
        name: "kill -9 with 2 GB",
        side: SawlogDurable,
        set: Set::Gate,
        repeats: (1, 5),
        figures: &[
            at_most("kill -9 with 2 GB to the first ack, ms", 500.0),
            shown("bytes read until then, MB"),
        ],
        run: start::killed,
    },
    Trial {
        workload: "W9",
        name: "kill -9 with 10 GB and 10,000 partitions",
        side: SawlogDurable,
        set: Set::Gate,
        repeats: (1, 3),
        figures: &[
            at_most("kill -9, 10 GB, 10,000 partitions: first ack, s", 2.0),
            at_most(
                "... all answer ListOffsets, 100 tails read and checked, s",
                5.0,
            ),
            shown("... bytes read until then, MB"),
        ],
        run: start::killed_wide,
    },
    Trial {
        workload: "W1",
        name: "memory under librdkafka",
        side: SawlogDurable,
        set: Set::Gate,
        repeats: (1, 3),
        figures: &[
            at_most("peak memory under W1, cache of 64 MiB, MiB", 144.0),
            shown("... with all records read back by 8 MiB a request, MiB"),
        ],
        run: memory::peak,
    },
    Trial {
        workload: "W7",
        name: "10,000 partitions and 10,000 connections",
        side: SawlogDurable,
        set: Set::Gate,
        repeats: (1, 5),
        figures: &[
            at_most("create 10 topics x 1,000 partitions, ms", 1000.0),
            at_most("memory each of 10,000 partitions, KiB", 4.0),
            shown("... before their first records, KiB"),
            at_most("CPU per message, 10,000 partitions / 1", 1.5),
            at_most("memory each of 10,000 connections, KiB", 4.0),
            at_most("idle CPU with both, % of a core", 1.0),
        ],
        run: scale::run,
    },
    Trial {
        workload: "W4",
        name: "produce beside a catch-up read",
        side: SawlogDurable,
        set: Set::Gate,
        repeats: (1, 2),
        figures: &[
            at_most("produce p99 during a 4 GB catch-up read / without", 2.0),
            shown("... p50, the same"),
            shown("... p99 without, us"),
            shown("... the read, MB/s"),
        ],
        run: beside::catch_up,
    },
    Trial {
        workload: "W4",
        name: "sawlog beside kcat",
        side: SawlogDurable,
        set: Set::Gate,
        repeats: (1, 5),
        figures: &[
            at_most("sawlog produce / kcat, 1 GB of 1 KiB, wall time", 1.0),
            at_most("sawlog consume / kcat, 1 GB of 1 KiB, wall time", 1.0),
        ],
        run: tools::beside_kcat,
    },
    Trial {
        workload: "W2",
        name: "system calls and bytes of a request",
        side: SawlogDurable,
        set: Set::Full,
        repeats: (1, 1),
        figures: &[
            shown("system calls per request, 1 in flight, durable"),
            shown("bytes to disk per request, 1 in flight, durable"),
            shown("requests per commit, 64 x 64, durable"),
            shown("system calls per request, 64 x 64, durable"),
            shown("bytes to disk per request, 64 x 64, durable"),
            shown("system calls per request, 5 in flight, replicated"),
            shown("bytes to disk per byte sent, batches of 1 MB"),
            shown("system calls per reply of 1 MB from memory"),
        ],
        run: calls::run,
    },
    Trial {
        workload: "W5",
        name: "mixed load with five readers",
        side: SawlogDurable,
        set: Set::Full,
        repeats: (1, 1),
        figures: &[
            at_most("mixed load, p99 last / first tenth", 1.2),
            at_most("mixed load, memory slope, MiB/min", 1.0),
            shown("mixed load, p99, us"),
            shown("mixed load, length, min"),
        ],
        run: mixed::run,
    },
];

/// The binary that is measured; a broker that somebody else started cannot be.
fn binary<'a>(runner: &'a Runner<'_>) -> Result<&'a Path> {
    match &runner.programs.sawlog {
        Some(Subject::Binary(binary)) => Some(binary.as_path()),
        _ => None,
    }
    .context("Sawlog's binary is needed")
}

/// The process of a broker that was started here.
fn pid_of(node: &crate::peer::Node) -> Result<u32> {
    node.pid().context("not our process")
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trials_have_names_of_their_own_and_figures() {
        let mut names: Vec<_> = ALL.iter().map(|trial| trial.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        assert!(ALL.iter().all(|trial| !trial.figures.is_empty()));
    }
}
