//! Decides the order of a comparison: cell by cell, its sides in turn and back again (ABBA), a round again when others used
//! the machine; then the ratios, and whether they hold. Runs nothing itself.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::cell::Runner;
use crate::cells::{self, Cell, Set};
use crate::figures::Figures;
use crate::host;
use crate::peer::{Node, Seat, Subject};
use crate::report::{Compared, Measured, Report};
use crate::side::{Broker, Side};
use crate::stats;
use crate::trials;

/// After so many tries a round counts as it is, and is marked.
const TRIES: u32 = 4;

/// What to compare.
pub struct Plan<'a> {
    /// How much.
    pub set: Set,
    /// Only these workloads; all when empty.
    pub only: &'a [String],
    /// Pairs per cell.
    pub pairs: usize,
    /// A round counts only when others used at most this share of the machine.
    pub foreign_max: f64,
    /// Told what happens.
    pub say: &'a mut dyn FnMut(&str),
    /// Given the results after each cell: a run that is broken off has not been for nothing.
    pub keep: &'a mut dyn FnMut(&Report) -> Result<()>,
}

impl Plan<'_> {
    fn wants(&self, workload: &str, name: &str) -> bool {
        let like = |only: &String| {
            only.eq_ignore_ascii_case(workload)
                || name
                    .to_ascii_lowercase()
                    .contains(&only.to_ascii_lowercase())
        };
        self.only.is_empty() || self.only.iter().any(like)
    }

    /// Whether it was asked for by its whole name, whatever the set.
    fn named(&self, name: &str) -> bool {
        self.only.iter().any(|only| only.eq_ignore_ascii_case(name))
    }
}

/// The brokers that run, each started when first needed.
struct Nodes<'a> {
    runner: &'a Runner<'a>,
    warm_up: f64,
    running: BTreeMap<Seat, Node>,
}

impl Nodes<'_> {
    fn get(&mut self, side: Side, say: &mut dyn FnMut(&str)) -> Result<&mut Node> {
        let seat = self.runner.programs.seat(side);
        if !self.running.contains_key(&seat) {
            say(&format!("start {}", side.name()));
            let mut node = Node::start(self.runner.programs, seat)?;
            let seconds = match side.broker() {
                Broker::Kafka | Broker::KafkaFsync => self.warm_up,
                _ => 0.6,
            };
            self.runner.warm_up(&mut node, side, seconds)?;
            self.running.insert(seat, node);
        }
        self.running
            .get_mut(&seat)
            .ok_or_else(|| anyhow::anyhow!("just started"))
    }
}

/// Runs all cells of the plan.
pub fn run(runner: &Runner<'_>, plan: &mut Plan<'_>) -> Result<Report> {
    let mut report = Report::new(plan.set, runner.programs);
    if matches!(runner.programs.sawlog, Some(Subject::Limit)) {
        report.not_run.push(
            "Sawlog: the limit broker takes its place, and every ratio to it should be 1"
                .to_owned(),
        );
    }
    trials(runner, plan, &mut report)?;
    let mut nodes = Nodes {
        runner,
        warm_up: plan.set.warm_up(),
        running: BTreeMap::new(),
    };
    let mut number = 0;
    for cell in cells::all() {
        if cell.set > plan.set && !plan.named(cell.name) || !plan.wants(cell.workload, cell.name) {
            continue;
        }
        if !runner.can(cell.work) {
            report
                .not_run
                .push(format!("{}: no confluent-kafka here", cell.name));
            continue;
        }
        let sides: Vec<Side> = cell
            .sides
            .iter()
            .copied()
            .filter(|&side| runner.programs.have(side))
            .collect();
        for missing in cell.sides.iter().filter(|side| !sides.contains(side)) {
            report
                .not_run
                .push(format!("{}: {} is not here", cell.name, missing.name()));
        }
        if sides.first() != cell.sides.first() || sides.len() < 2 {
            continue;
        }
        (plan.say)(&format!("{} {}", cell.workload, cell.name));
        let rounds = match rounds(&cell, &sides, &mut nodes, plan, &mut number) {
            Ok(rounds) => rounds,
            Err(error) => {
                report.failed.push(format!("{}: {error:#}", cell.name));
                // Whoever it was starts anew for the next cell.
                nodes.running.clear();
                continue;
            }
        };
        compare(&cell, &sides, &rounds, plan.foreign_max, &mut report);
        report.conclude();
        (plan.keep)(&report)?;
    }
    report.conclude();
    Ok(report)
}

type Round = BTreeMap<usize, Figures>;

fn rounds(
    cell: &Cell,
    sides: &[Side],
    nodes: &mut Nodes<'_>,
    plan: &mut Plan<'_>,
    number: &mut u32,
) -> Result<Vec<Round>> {
    let mut rounds = Vec::new();
    for pair in 0..plan.pairs {
        let mut order: Vec<usize> = (0..sides.len()).collect();
        if pair % 2 == 1 {
            order.reverse();
        }
        for attempt in 1..=TRIES {
            let mut round = Round::new();
            for &index in &order {
                let Some(&side) = sides.get(index) else {
                    continue;
                };
                *number += 1;
                let runner = nodes.runner;
                let node = nodes.get(side, plan.say)?;
                let figures = runner.run(cell, side, node, *number)?;
                (plan.say)(&format!("  {:<18} {}", side.name(), figures.line()));
                round.insert(index, figures);
            }
            let foreign = round
                .values()
                .map(|figures| figures.foreign_share(host::cpus()))
                .fold(0.0, f64::max);
            if foreign <= plan.foreign_max {
                rounds.push(round);
                break;
            }
            (plan.say)(&format!(
                "  others used {:.0} % of the machine (try {attempt})",
                foreign * 100.0
            ));
            if attempt == TRIES {
                rounds.push(round);
            }
        }
    }
    Ok(rounds)
}

fn compare(cell: &Cell, sides: &[Side], rounds: &[Round], foreign_max: f64, report: &mut Report) {
    let noisy = rounds
        .iter()
        .filter(|round| {
            round
                .values()
                .any(|figures| figures.foreign_share(host::cpus()) > foreign_max)
        })
        .count();
    for row in &cell.rows {
        let Some(over) = sides.iter().position(|&side| side == row.over) else {
            continue;
        };
        let pairs: Vec<(f64, f64)> = rounds
            .iter()
            .filter_map(|round| {
                Some((
                    row.metric.of(round.get(&0)?)?,
                    row.metric.of(round.get(&over)?)?,
                ))
            })
            .filter(|&(_, theirs)| theirs > 0.0)
            .collect();
        let ratios: Vec<f64> = pairs.iter().map(|(ours, theirs)| ours / theirs).collect();
        let Some(ratio) = stats::ratio(&ratios) else {
            report.not_run.push(format!(
                "{}: {} cannot be measured here",
                cell.name,
                row.metric.name()
            ));
            continue;
        };
        let middle = |pick: fn(&(f64, f64)) -> f64| {
            stats::median(&mut pairs.iter().map(pick).collect::<Vec<f64>>()).unwrap_or_default()
        };
        report.compared.push(Compared {
            workload: cell.workload.to_owned(),
            cell: cell.name.to_owned(),
            metric: row.metric,
            over: row.over,
            pairs: pairs.clone(),
            ours: middle(|pair| pair.0),
            theirs: middle(|pair| pair.1),
            ratio,
            must: row.must,
            verdict: row.must.map(|bound| bound.judge(&ratio)),
            noisy,
        });
    }
    for (index, side) in sides.iter().enumerate() {
        let all = rounds
            .iter()
            .filter_map(|round| round.get(&index).cloned())
            .collect();
        report.rounds.push((cell.name.to_owned(), *side, all));
    }
}

/// Runs the trials of the plan.
fn trials(runner: &Runner<'_>, plan: &mut Plan<'_>, report: &mut Report) -> Result<()> {
    for trial in trials::ALL {
        if trial.set > plan.set && !plan.named(trial.name)
            || !plan.wants(trial.workload, trial.name)
        {
            continue;
        }
        let ours = matches!(runner.programs.sawlog, Some(Subject::Binary(_)));
        if !runner.programs.have(trial.side) || trial.side.broker() == Broker::Sawlog && !ours {
            report.not_run.push(format!(
                "{}: {} cannot be started here",
                trial.name,
                trial.side.name()
            ));
            continue;
        }
        (plan.say)(&format!("{} {}", trial.workload, trial.name));
        let (least, most) = trial.repeats;
        let mut rows: Vec<Vec<f64>> = Vec::new();
        for _ in 0..plan.pairs.clamp(least, most) {
            match (trial.run)(runner, plan.say) {
                Ok(row) if row.len() == trial.figures.len() => rows.push(row),
                Ok(row) => report
                    .failed
                    .push(format!("{}: {} figures", trial.name, row.len())),
                Err(error) => report.failed.push(format!("{}: {error:#}", trial.name)),
            }
        }
        for (index, figure) in trial.figures.iter().enumerate() {
            let values: Vec<f64> = rows
                .iter()
                .filter_map(|row| row.get(index).copied())
                .collect();
            if values.is_empty() {
                continue;
            }
            report.measured.push(Measured::judge(
                trial.workload,
                figure.name,
                trial.side,
                &values,
                figure.must,
            ));
        }
        report.conclude();
        (plan.keep)(report)?;
    }
    Ok(())
}
