//! Decides how the results are told: a table for people, JSON for machines; and when a run as a whole has failed.
//! Judges nothing that is not in the numbers: each ratio's verdict is `stats`'s.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::cells::Set;
use crate::figures::{Figures, Metric, short};
use crate::peer::Programs;
use crate::regime::Regime;
use crate::side::Side;
use crate::stats::{self, Bound, Ratio, Verdict};

/// One comparison.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Compared {
    /// W1 to W12.
    pub workload: String,
    /// Which cell.
    pub cell: String,
    /// By what.
    pub metric: Metric,
    /// With whom.
    pub over: Side,
    /// Ours and theirs, pair by pair.
    pub pairs: Vec<(f64, f64)>,
    /// Median of our figures.
    pub ours: f64,
    /// Median of theirs.
    pub theirs: f64,
    /// Median of the pairs' ratios.
    pub ratio: Ratio,
    /// What must hold.
    pub must: Option<Bound>,
    /// Whether it does.
    pub verdict: Option<Verdict>,
    /// Rounds that counted although others used more than a tenth of the machine.
    pub noisy: usize,
}

/// One figure that is judged by itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// W1 to W12.
    pub workload: String,
    /// What it is, with its unit.
    pub name: String,
    /// Of whom.
    pub side: Side,
    /// One for each time it was done.
    pub values: Vec<f64>,
    /// Their median and interval.
    pub value: Option<Ratio>,
    /// What must hold.
    pub must: Option<Bound>,
    /// Whether it does.
    pub verdict: Option<Verdict>,
}

impl Measured {
    /// The median of `values`, held against `must`.
    #[must_use]
    pub fn judge(
        workload: &str,
        name: &str,
        side: Side,
        values: &[f64],
        must: Option<Bound>,
    ) -> Self {
        let value = stats::ratio(values);
        Self {
            workload: workload.to_owned(),
            name: name.to_owned(),
            side,
            values: values.to_vec(),
            value,
            must,
            verdict: value.zip(must).map(|(value, must)| must.judge(&value)),
        }
    }
}

/// All results of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// smoke, gate or full.
    pub set: String,
    /// On what, and when.
    pub regime: Regime,
    /// Ratios.
    pub compared: Vec<Compared>,
    /// Single figures.
    pub measured: Vec<Measured>,
    /// What could not be done here, and why.
    pub not_run: Vec<String>,
    /// What was begun and gave no figure, and why.
    pub failed: Vec<String>,
    /// The figures of every round; a record leaves them out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rounds: Vec<(String, Side, Vec<Figures>)>,
    /// Bounds that hold, that may hold, that do not.
    pub verdicts: [usize; 3],
}

impl Report {
    /// An empty one.
    #[must_use]
    pub fn new(set: Set, programs: &Programs) -> Self {
        Self {
            set: format!("{set:?}").to_lowercase(),
            regime: Regime::of(programs),
            compared: Vec::new(),
            measured: Vec::new(),
            not_run: Vec::new(),
            failed: Vec::new(),
            rounds: Vec::new(),
            verdicts: [0; 3],
        }
    }

    /// Counts the verdicts.
    pub fn conclude(&mut self) {
        let verdicts = self
            .compared
            .iter()
            .map(|row| row.verdict)
            .chain(self.measured.iter().map(|row| row.verdict))
            .flatten();
        self.verdicts = [0; 3];
        for verdict in verdicts {
            let [pass, unclear, fail] = &mut self.verdicts;
            match verdict {
                Verdict::Pass => *pass += 1,
                Verdict::Unclear => *unclear += 1,
                Verdict::Fail => *fail += 1,
            }
        }
    }

    /// Whether all was done and no bound is broken beyond doubt.
    #[must_use]
    pub fn holds(&self) -> bool {
        let [_, _, fail] = self.verdicts;
        fail == 0 && self.failed.is_empty()
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> String {
        let mut rows = vec![
            [
                "",
                "cell",
                "metric",
                "ours",
                "over",
                "theirs",
                "ratio (95 %)",
                "must",
                "",
            ]
            .map(str::to_owned),
        ];
        for row in &self.compared {
            let noisy = if row.noisy > 0 {
                format!(" noisy {}/{}", row.noisy, row.ratio.pairs)
            } else {
                String::new()
            };
            rows.push([
                row.workload.clone(),
                row.cell.clone(),
                row.metric.name().to_owned(),
                short(row.ours),
                row.over.name().to_owned(),
                short(row.theirs),
                format!(
                    "{} ({}-{})",
                    short(row.ratio.median),
                    short(row.ratio.low),
                    short(row.ratio.high)
                ),
                row.must.map(|must| must.to_string()).unwrap_or_default(),
                format!("{}{noisy}", said(row.verdict)),
            ]);
        }
        for row in &self.measured {
            let value = row
                .value
                .map_or_else(String::new, |value| short(value.median));
            let spread = row.value.map_or_else(String::new, |value| {
                format!("({}-{})", short(value.low), short(value.high))
            });
            rows.push([
                row.workload.clone(),
                row.name.clone(),
                row.side.name().to_owned(),
                value,
                String::new(),
                String::new(),
                spread,
                row.must.map(|must| must.to_string()).unwrap_or_default(),
                said(row.verdict).to_owned(),
            ]);
        }
        let mut text = columns(&rows);
        for missing in &self.not_run {
            let _ = writeln!(text, "not run: {missing}");
        }
        for failure in &self.failed {
            let _ = writeln!(text, "FAILED: {failure}");
        }
        let [pass, unclear, fail] = self.verdicts;
        let _ = writeln!(
            text,
            "{}, {} CPUs shared by broker and client over loopback, virtual disk. {pass} hold, {unclear} unclear, {fail} fail.",
            self.regime.host, self.regime.cpus
        );
        text
    }
}

pub(crate) fn said(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Pass) => "pass",
        Some(Verdict::Unclear) => "unclear",
        Some(Verdict::Fail) => "FAIL",
        None => "",
    }
}

fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, field) in widths.iter_mut().zip(row) {
            *width = field.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (width, field) in widths.iter().zip(row) {
            let _ = write!(line, "{field:<width$}  ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}
