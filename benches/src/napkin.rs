//! Decides which line of `napkin.md` is measured by what, and puts the newest figures into its last column. Expected figures
//! and all words around them are people's.

use std::fmt::Write;

use anyhow::{Result, ensure};

use crate::figures::{Metric, short};
use crate::record::Book;
use crate::side::Side;

/// Where a figure comes from.
#[derive(Clone, Copy, Debug)]
enum From {
    /// Ours, in a comparison of this cell.
    Cell(&'static str, Metric),
    /// A figure of a trial.
    Trial(&'static str),
}

/// One line: the heading it stands under, its first column, what is put into its last one.
struct Line {
    under: &'static str,
    what: &'static str,
    figures: &'static [(From, &'static str)],
}

const ONE: &str = "1 record, 1 in flight, durable";
const MANY: &str = "1 record, 64 connections x 64 partitions, durable";
const FIVE: &str = "1 record, 5 in flight, replicated";
const LARGE: &str = "librdkafka 1 KiB, 1 partition";

const LINES: &[Line] = &[
    Line {
        under: "Produce, `durable`, one record of 1 KiB, one in flight",
        what: "Bytes written to disk",
        figures: &[(
            From::Trial("bytes to disk per request, 1 in flight, durable"),
            "",
        )],
    },
    Line {
        under: "Produce, `durable`, one record of 1 KiB, one in flight",
        what: "System calls",
        figures: &[(
            From::Trial("system calls per request, 1 in flight, durable"),
            "",
        )],
    },
    Line {
        under: "Produce, `durable`, 64 connections x 64 partitions, 5 in flight",
        what: "Requests per commit",
        figures: &[(From::Trial("requests per commit, 64 x 64, durable"), "")],
    },
    Line {
        under: "Produce, `durable`, 64 connections x 64 partitions, 5 in flight",
        what: "Bytes to disk per request",
        figures: &[(
            From::Trial("bytes to disk per request, 64 x 64, durable"),
            "",
        )],
    },
    Line {
        under: "Produce, `durable`, 64 connections x 64 partitions, 5 in flight",
        what: "System calls per request",
        figures: &[(
            From::Trial("system calls per request, 64 x 64, durable"),
            "",
        )],
    },
    Line {
        under: "Produce, `replicated`, one record of 1 KiB, 5 in flight",
        what: "System calls per request",
        figures: &[(
            From::Trial("system calls per request, 5 in flight, replicated"),
            "",
        )],
    },
    Line {
        under: "Produce, `durable`, librdkafka, 1 KiB",
        what: "Bytes to disk per byte sent",
        figures: &[(
            From::Trial("bytes to disk per byte sent, batches of 1 MB"),
            "",
        )],
    },
    Line {
        under: "Fetch",
        what: "System calls per reply of 1 MB",
        figures: &[(
            From::Trial("system calls per reply of 1 MB from memory"),
            "",
        )],
    },
    Line {
        under: "Produce, `durable`, one record of 1 KiB, one in flight",
        what: "p50",
        figures: &[(From::Cell(ONE, Metric::P50), "us")],
    },
    Line {
        under: "Produce, `durable`, one record of 1 KiB, one in flight",
        what: "CPU per request",
        figures: &[(From::Cell(ONE, Metric::CpuPerRequest), "us")],
    },
    Line {
        under: "Produce, `durable`, 64 connections x 64 partitions, 5 in flight",
        what: "CPU per request",
        figures: &[(From::Cell(MANY, Metric::CpuPerRequest), "us")],
    },
    Line {
        under: "Produce, `replicated`, one record of 1 KiB, 5 in flight",
        what: "CPU per request",
        figures: &[(From::Cell(FIVE, Metric::CpuPerRequest), "us")],
    },
    Line {
        under: "Produce, `durable`, librdkafka, 1 KiB",
        what: "CPU",
        figures: &[(From::Cell(LARGE, Metric::CpuPerGb), "s/GB")],
    },
    Line {
        under: "Produce, `durable`, librdkafka, 1 KiB",
        what: "MB/s",
        figures: &[(From::Cell(LARGE, Metric::MbPerSecond), "MB/s")],
    },
    Line {
        under: "Fetch",
        what: "CPU",
        figures: &[
            (
                From::Cell(
                    "raw fetch of the last 48 MB, 1 MB a reply",
                    Metric::CpuPerGb,
                ),
                "s/GB from memory",
            ),
            (
                From::Cell("raw fetch of 1.5 GB, 1 MB a reply", Metric::CpuPerGb),
                "s/GB from a segment",
            ),
        ],
    },
    Line {
        under: "Start and memory",
        what: "Empty: to the first acknowledged record",
        figures: &[(From::Trial("start empty to the first ack, ms"), "ms")],
    },
    Line {
        under: "Start and memory",
        what: "kill -9 with 2 GB of log: bytes read at start",
        figures: &[(From::Trial("bytes read until then, MB"), "MB")],
    },
    Line {
        under: "Start and memory",
        what: "... to the first acknowledged record",
        figures: &[(From::Trial("kill -9 with 2 GB to the first ack, ms"), "ms")],
    },
    Line {
        under: "Start and memory",
        what: "Resident, idle",
        figures: &[(From::Trial("resident memory idle, MiB"), "MiB")],
    },
    Line {
        under: "Start and memory",
        what: "Peak under W1 with a cache of 64 MiB",
        figures: &[(
            From::Trial("peak memory under W1, cache of 64 MiB, MiB"),
            "MiB",
        )],
    },
];

/// The text with its measured columns filled from the records; a line without a record says so.
pub fn filled(text: &str, book: &Book) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut under = "";
    let mut found = 0;
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            under = heading;
        }
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        if let &["", what, expected, _, ""] = columns.as_slice()
            && let Some(line) = LINES
                .iter()
                .find(|line| line.under == under && line.what == what)
        {
            let _ = writeln!(out, "| {what} | {expected} | {} |", told(line, book));
            found += 1;
        } else {
            out.push_str(line);
            out.push('\n');
        }
    }
    ensure!(
        found == LINES.len(),
        "napkin.md has {found} of {} lines",
        LINES.len()
    );
    Ok(out)
}

fn told(line: &Line, book: &Book) -> String {
    let each: Vec<String> = line
        .figures
        .iter()
        .map(|&(from, unit)| {
            let found = match from {
                From::Cell(cell, metric) => book
                    .compared(cell, metric, None)
                    .map(|(run, row)| (row.ours, run)),
                From::Trial(name) => book
                    .measured(name, Side::SawlogDurable)
                    .and_then(|(run, row)| Some((row.value?.median, run))),
            };
            found.map_or_else(
                || {
                    format!("{unit}: not measured")
                        .trim_start_matches(": ")
                        .to_owned()
                },
                |(value, run)| format!("{} ({run})", format!("{} {unit}", short(value)).trim_end()),
            )
        })
        .collect();
    each.join("; ")
}
