//! Decides the order of a comparison: cell by cell, its sides in turn and back again (ABBA), a round again when others used
//! the machine; then the ratios, and whether they hold. Runs nothing itself.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::cell::Runner;
use crate::cells::{self, Cell, Set, Work};
use crate::figures::{Figures, Metric};
use crate::host;
use crate::peer::{Node, Programs, Seat, Subject};
use crate::report::{Compared, Measured, Report};
use crate::side::{Broker, Side};
use crate::start;
use crate::stats::{self, Bound};

/// After so many tries a round counts as it is, and is marked.
const TRIES: u32 = 4;
/// Log that a restart has to cope with.
const LOG_BYTES: u64 = 2_000_000_000;

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
    let mut report = Report::new(plan.set);
    if matches!(runner.programs.sawlog, Some(Subject::Limit)) {
        report.not_run.push(
            "Sawlog: the limit broker takes its place, and every ratio to it should be 1"
                .to_owned(),
        );
    }
    if plan.wants("W9", "start empty") {
        starts(runner.programs, plan, &mut report)?;
    }
    let mut nodes = Nodes {
        runner,
        warm_up: plan.set.warm_up(),
        running: BTreeMap::new(),
    };
    let mut number = 0;
    for cell in cells::all() {
        if cell.set > plan.set || !plan.wants(cell.workload, cell.name) {
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
        let rounds = rounds(&cell, &sides, &mut nodes, plan, &mut number)?;
        compare(&cell, &sides, &rounds, plan.foreign_max, &mut report);
        if let (Work::Librdkafka { .. }, Some(first)) = (cell.work, sides.first()) {
            peak(*first, &rounds, &mut report);
        }
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

/// The broker's peak so far, under librdkafka alone: those cells come first.
fn peak(side: Side, rounds: &[Round], report: &mut Report) {
    const NAME: &str = "peak memory under W1, MiB";
    let most = rounds
        .iter()
        .filter_map(|round| Metric::PeakMib.of(round.get(&0)?))
        .fold(0.0, f64::max);
    if most > 0.0 {
        report.measured.retain(|measured| measured.name != NAME);
        report.measured.push(Measured::judge(
            "W1",
            NAME,
            side,
            &[most],
            Some(Bound::AtMost(144.0)),
        ));
    }
}

fn starts(programs: &Programs, plan: &mut Plan<'_>, report: &mut Report) -> Result<()> {
    let side = Side::SawlogDurable;
    if !programs.have(side) || matches!(programs.sawlog, Some(Subject::Running(_))) {
        report
            .not_run
            .push("W9: no Sawlog that can be started here".to_owned());
        return Ok(());
    }
    let millis = |time: std::time::Duration| time.as_secs_f64() * 1e3;
    for (side, must) in [
        (side, Some(Bound::AtMost(50.0))),
        (Side::LimitDurable, None),
    ] {
        if !programs.have(side) {
            continue;
        }
        (plan.say)(&format!("W9 start empty: {}", side.name()));
        let mut took = Vec::new();
        for _ in 0..plan.pairs.max(3) {
            took.push(millis(start::empty(programs, side)?));
        }
        report.measured.push(Measured::judge(
            "W9",
            "start empty to the first ack, ms",
            side,
            &took,
            must,
        ));
    }
    if plan.set == Set::Smoke {
        return Ok(());
    }
    let idle = start::idle_memory(programs, side)? as f64 / f64::from(1 << 20);
    report.measured.push(Measured::judge(
        "W9",
        "resident memory idle, MiB",
        side,
        &[idle],
        Some(Bound::AtMost(25.0)),
    ));
    // The limit broker recovers nothing.
    if matches!(programs.sawlog, Some(Subject::Limit)) {
        return Ok(());
    }
    let (mut took, mut read) = (Vec::new(), Vec::new());
    for _ in 0..plan.pairs.min(5) {
        (plan.say)("W9 kill -9 with 2 GB");
        let restart = start::after_kill(programs, side, LOG_BYTES)?;
        took.push(millis(restart.first_ack));
        read.push(restart.bytes_read as f64 / 1e6);
        (plan.say)(&format!(
            "  {:?} with {} bytes of log",
            restart.first_ack, restart.log_bytes
        ));
    }
    let must = Some(Bound::AtMost(500.0));
    report.measured.push(Measured::judge(
        "W9",
        "kill -9 with 2 GB to the first ack, ms",
        side,
        &took,
        must,
    ));
    report.measured.push(Measured::judge(
        "W9",
        "bytes read until then, MB",
        side,
        &read,
        None,
    ));
    Ok(())
}
