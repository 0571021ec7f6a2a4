//! Decides what is kept of a run in the repository (`records/NAME.json`), and how `report.md` tells all of them: for each line
//! the newest run that has it. Writes down no figure that is not in a record.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::cells;
use crate::figures::{Metric, short};
use crate::napkin;
use crate::report::{Compared, Measured, Report, said};
use crate::side::Side;
use crate::stats::{self, Bound, Ratio, Verdict};
use crate::trials;

fn benches() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn records() -> PathBuf {
    benches().join("records")
}

/// Keeps a run under a name.
pub fn keep(name: &str, report: &Report) -> Result<()> {
    let mut kept = report.clone();
    kept.rounds.clear();
    std::fs::create_dir_all(records())?;
    let path = records().join(name).with_extension("json");
    std::fs::write(&path, one_line_each(&kept)?).with_context(|| path.display().to_string())
}

/// JSON with one line for each result, so that a change of a record can be read.
fn one_line_each(report: &Report) -> Result<String> {
    let mut text = String::from("{\n");
    let serde_json::Value::Object(fields) = serde_json::to_value(report)? else {
        anyhow::bail!("a report is an object")
    };
    let count = fields.len();
    for (index, (name, value)) in fields.iter().enumerate() {
        let comma = if index + 1 < count { "," } else { "" };
        match value {
            serde_json::Value::Array(rows) if rows.iter().any(serde_json::Value::is_object) => {
                let rows: Vec<String> = rows.iter().map(|row| format!("  {row}")).collect();
                let _ = writeln!(text, "{name:?}: [\n{}\n]{comma}", rows.join(",\n"));
            }
            value => {
                let _ = writeln!(text, "{name:?}: {value}{comma}");
            }
        }
    }
    text.push_str("}\n");
    Ok(text)
}

/// Writes `report.md` and the measured columns of `napkin.md`.
pub fn write_all() -> Result<()> {
    let book = Book::open()?;
    std::fs::write(benches().join("report.md"), book.report())?;
    let path = benches().join("napkin.md");
    let text = std::fs::read_to_string(&path)?;
    std::fs::write(&path, napkin::filled(&text, &book)?)?;
    Ok(())
}

/// All records, the oldest first.
pub struct Book {
    runs: Vec<(String, Report)>,
}

impl Book {
    /// Reads them, and holds each figure against the pairs it comes from.
    pub fn open() -> Result<Self> {
        let mut runs = Vec::new();
        for entry in std::fs::read_dir(records())
            .context("no records")?
            .flatten()
        {
            let path = entry.path();
            if path.extension().is_none_or(|end| end != "json") {
                continue;
            }
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let text = std::fs::read_to_string(&path)?;
            let report: Report =
                serde_json::from_str(&text).with_context(|| path.display().to_string())?;
            honest(&report).with_context(|| format!("record {name}"))?;
            runs.push((name.into_owned(), report));
        }
        runs.sort_by(|(a, one), (b, other)| (one.regime.at, a).cmp(&(other.regime.at, b)));
        Ok(Self { runs })
    }

    /// The newest comparison of a cell by this metric; of whom, when nobody is named.
    pub fn compared(
        &self,
        cell: &str,
        metric: Metric,
        over: Option<Side>,
    ) -> Option<(&str, &Compared)> {
        self.runs.iter().rev().find_map(|(name, report)| {
            let row = report.compared.iter().find(|row| {
                row.cell == cell && row.metric == metric && over.is_none_or(|over| row.over == over)
            })?;
            Some((name.as_str(), row))
        })
    }

    /// The newest figure of this name.
    pub fn measured(&self, figure: &str, side: Side) -> Option<(&str, &Measured)> {
        self.runs.iter().rev().find_map(|(name, report)| {
            let row = report
                .measured
                .iter()
                .find(|row| row.name == figure && row.side == side)?;
            Some((name.as_str(), row))
        })
    }

    fn report(&self) -> String {
        let mut text = HEAD.to_owned();
        for (title, due) in [("What must hold", true), ("Reported", false)] {
            let _ = write!(text, "\n## {title}\n\n{COLUMNS}");
            for line in self.lines(due) {
                text.push_str(&line);
            }
        }
        let failed: Vec<String> = self
            .runs
            .iter()
            .flat_map(|(name, report)| {
                let each = report.failed.iter();
                each.map(move |failure| format!("- {name}: {failure}\n"))
            })
            .collect();
        if !failed.is_empty() {
            let _ = write!(text, "\n## Begun without a figure\n\n{}", failed.concat());
        }
        text.push_str("\n## What an acknowledgement means\n\n| Side | Promise |\n|---|---|\n");
        for side in Side::ALL {
            let _ = writeln!(text, "| {} | {} |", side.name(), side.promise());
        }
        text.push_str(RUNS);
        for (name, report) in &self.runs {
            let regime = &report.regime;
            let _ = writeln!(
                text,
                "| {name} | {} | {} | {} | {} CPUs, {} GiB; {}; {} | {}; {} | {} |",
                regime.day(),
                regime.commit,
                regime.sawlog,
                regime.cpus,
                regime.memory_gib,
                regime.host,
                regime.disk,
                regime.kafka,
                regime.librdkafka,
                regime.note
            );
        }
        text.push_str(AGAIN);
        text
    }

    fn lines(&self, due: bool) -> Vec<String> {
        let mut lines = Vec::new();
        for cell in cells::all() {
            for row in cell.rows.iter().filter(|row| row.must.is_some() == due) {
                let found = self.compared(cell.name, row.metric, Some(row.over));
                if let Some((run, compared)) = found {
                    lines.push(compared_line(run, compared, row.must));
                } else if due {
                    lines.push(missing(
                        cell.workload,
                        cell.name,
                        row.metric.name(),
                        row.must,
                    ));
                }
            }
        }
        for trial in trials::ALL {
            for figure in trial
                .figures
                .iter()
                .filter(|figure| figure.must.is_some() == due)
            {
                if let Some((run, measured)) = self.measured(figure.name, trial.side) {
                    lines.push(measured_line(run, measured, figure.must));
                } else if due {
                    lines.push(missing(trial.workload, figure.name, "", figure.must));
                }
            }
        }
        lines
    }
}

/// Medians and intervals must be those of the pairs beside them.
fn honest(report: &Report) -> Result<()> {
    let close = |one: f64, other: f64| (one - other).abs() <= 1e-9 * one.abs().max(1.0);
    let same = |one: Ratio, other: Ratio| {
        close(one.median, other.median)
            && close(one.low, other.low)
            && close(one.high, other.high)
            && one.pairs == other.pairs
    };
    for row in &report.compared {
        let ratios: Vec<f64> = row
            .pairs
            .iter()
            .map(|(ours, theirs)| ours / theirs)
            .collect();
        let again = stats::ratio(&ratios).context("no pairs")?;
        ensure!(
            same(again, row.ratio),
            "{} {:?}: {:?} is not what its pairs give",
            row.cell,
            row.metric,
            row.ratio
        );
    }
    for row in &report.measured {
        let again = stats::ratio(&row.values);
        ensure!(
            again
                .zip(row.value)
                .is_some_and(|(one, other)| same(one, other)),
            "{}: {:?} is not what its values give",
            row.name,
            row.value
        );
    }
    Ok(())
}

fn bound(must: Option<Bound>) -> String {
    must.map(|must| must.to_string()).unwrap_or_default()
}

/// The bound is the one that the table holds today, not the one of the day of the run.
fn verdict(must: Option<Bound>, ratio: Option<Ratio>) -> &'static str {
    let verdict: Option<Verdict> = must.zip(ratio).map(|(must, ratio)| must.judge(&ratio));
    said(verdict)
}

fn interval(ratio: Option<Ratio>) -> String {
    ratio.map_or_else(String::new, |ratio| {
        if ratio.pairs > 1 {
            format!(
                "{} ({}-{})",
                short(ratio.median),
                short(ratio.low),
                short(ratio.high)
            )
        } else {
            short(ratio.median)
        }
    })
}

fn compared_line(run: &str, row: &Compared, must: Option<Bound>) -> String {
    let noisy = if row.noisy > 0 {
        format!(", {} noisy", row.noisy)
    } else {
        String::new()
    };
    format!(
        "| {} | {} | {} | {} | {} {} | {} | {}{noisy} | {} | {} | {run} |\n",
        row.workload,
        row.cell,
        row.metric.name(),
        short(row.ours),
        row.over.name(),
        short(row.theirs),
        interval(Some(row.ratio)),
        row.ratio.pairs,
        bound(must),
        verdict(must, Some(row.ratio)),
    )
}

fn measured_line(run: &str, row: &Measured, must: Option<Bound>) -> String {
    let who = if row.side == Side::SawlogDurable {
        String::new()
    } else {
        format!(", {}", row.side.name())
    };
    format!(
        "| {} | {}{who} | | | | {} | {} | {} | {} | {run} |\n",
        row.workload,
        row.name,
        interval(row.value),
        row.value.map_or(0, |value| value.pairs),
        bound(must),
        verdict(must, row.value),
    )
}

fn missing(workload: &str, name: &str, metric: &str, must: Option<Bound>) -> String {
    format!(
        "| {workload} | {name} | {metric} | | | | | {} | not measured | |\n",
        bound(must)
    )
}

const COLUMNS: &str =
    "| | What | By | Sawlog | Other | Ratio or value (95 %) | Pairs | Must | | Run |
|---|---|---|---|---|---|---|---|---|---|
";

const HEAD: &str = "# Report: Sawlog beside its peers

Written by `cargo dev bench report` from `benches/records`; a test fails when it says anything else. Each line is the newest run
that has it. Sides of a comparison run in turn, ABBA, on one machine in the same minutes; a ratio is the median of the pairs'
ratios with its bootstrap 95 % interval. *pass*: the median is within the bound; *unclear*: it is not, but the interval reaches
it; *FAIL*: the whole interval lies beyond. With one or two pairs an interval says little. A pair is noisy when others used more
than a tenth of the machine. After each cell every record is read back: counts, checksums, offsets without a gap.

Client and broker share the CPUs over loopback and the disk is virtual: its durable writes end in a host's cache with the
latency of a drive that has power-loss protection. Compare along a line, not across lines or machines. \"limit\" is a throw-away
broker that does the least that Produce and Fetch need; CPU is user and system time of the broker's process.
";

const RUNS: &str = "
Replication has no part in it: every topic here has one replica.

## Runs

| Run | Day | Sources | Sawlog | Machine | Peers | Note |
|---|---|---|---|---|---|---|
";

const AGAIN: &str = "
Kafka runs with 1 GB of heap, its own defaults and a warm-up of 30 s. Sawlog runs with its defaults and `sawlog.cache.bytes` of
64 MiB; beside kcat with its defaults alone. Windows are 2 s or 2.5 GB, whichever ends first. What W4 reads was written,
left for a second and then read once, on each side, before the clock starts; what that first reading gives is a line of its own.
(Runs of sources before decision 0014 have the first reading in both. Those up to a3d5ebd leave no second: for 200 ms after a
commit Sawlog fills no page cache, and 13 to 23 % of what was read again came from the disk again; their first readings do not
compare with later ones, either.)
The client of librdkafka keeps the memory that it has (`MALLOC_TRIM_THRESHOLD_`, `MALLOC_TOP_PAD_`, `MALLOC_MMAP_THRESHOLD_`), on all
sides: as glibc is by itself, it spends up to a quarter of its processor on pages that it gave back a moment ago, whenever its
queue ran empty: of 1 KiB, 16 partitions, 35,000 faults a GB beside the limit broker and 70,000 beside Sawlog, which answers
sooner. (Runs of sources up to 1e430a5 let it: 0.87 to 0.94 of the limit broker's MB/s, single pairs from 0.7 to 1.4.)
The raw reader has one Fetch in flight, and as Kafka's clients do it sends the next one before it checks what came: each byte
is checked within the time that counts, but no broker waits for the client's checksums. (Runs of sources up to 7488242 check
first, and beside a catch-up read have one load each.) Beside a catch-up read the figure is the median of five loads with and
five without, in turn.

## Again

    cargo build --release
    cargo dev bench --set gate --limit DIR --kafka DIR --record NAME
    cargo dev bench --set full --only \"mixed load\" --minutes 10 --record NAME
    cargo dev bench report

`--only` picks workloads or cells by name, `--pairs` their number. DIR of `--limit` holds the sources of the limit broker or its
binary, DIR of `--kafka` a script `kafka` that starts one node; without them, what needs them is listed as not run. The machine
must have nothing else to do.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_and_napkin_say_what_the_records_say() {
        let book = Book::open().unwrap();
        let on_disk = |name: &str| std::fs::read_to_string(benches().join(name)).unwrap();
        assert!(
            book.report() == on_disk("report.md"),
            "run `cargo dev bench report`"
        );
        let napkin = on_disk("napkin.md");
        assert!(
            napkin::filled(&napkin, &book).unwrap() == napkin,
            "run `cargo dev bench report`"
        );
    }

    #[test]
    fn a_figure_that_its_pairs_do_not_give_is_refused() {
        let mut report = Book::open().unwrap().runs.pop().unwrap().1;
        assert!(honest(&report).is_ok());
        let row = Measured::judge("W9", "x", Side::SawlogDurable, &[1.0, 3.0], None);
        report.measured.push(row);
        assert!(honest(&report).is_ok());
        report.measured.last_mut().unwrap().values[1] = 2.0;
        assert!(honest(&report).is_err());
    }
}
