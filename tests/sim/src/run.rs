//! One run: a swarm of faults, quiet, heal, a last reading of everything, judgement.
//! Decides which faults a seed draws, how hard, and what a run must have seen to count (#144).

use std::collections::BTreeMap;

use crate::checks::{self, Excuses, Violation};
use crate::client::{Base, Client, Target};
use crate::rng::Rng;
use crate::world::{MS, Shape, World};

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What was broken.
    pub violations: Vec<Violation>,
    /// Acknowledged records.
    pub acknowledged: u64,
    /// Records read.
    pub read: u64,
    /// Times the node came up.
    pub starts: u64,
    /// Faults that had their way, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Acknowledged records that named damage took.
    pub excused: u64,
    /// Last commits that may have been torn or rotten.
    pub doubts: u64,
    /// Dangerous places that were reached, with how often; only in a build with the feature `mutants`.
    pub reached: BTreeMap<&'static str, u64>,
    /// The node refused to start over damage to its own state.
    pub refused: bool,
    /// Hash over all effects.
    pub trace: u64,
}

/// What a single run must have seen, below which it proves nothing.
const ACKNOWLEDGED_MIN: u64 = 200;
const STARTS_MIN: u64 = 3;
const FAULTS_MIN: u64 = 5;
/// How long a node that has healed may take to serve everybody, in simulated time.
const HEAL: u64 = 60_000 * MS;

/// A fault and how often it comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Kill,
    PowerCut,
    Stop,
    Cut,
    FailedSync,
    Rot,
    LostWrite,
    Full,
    Unreadable,
    Jump,
}

/// Runs one seed; `print` shows everything that happens.
pub fn run(seed: u64, print: bool) -> Report {
    let mut rng = Rng::named(seed, "plan");
    let shape = Shape {
        shards: if rng.chance(400) { 2 } else { 1 },
        ring_file: rng
            .pick(&[64 << 10, 128 << 10, 256 << 10])
            .copied()
            .unwrap_or(64 << 10),
        disk: rng
            .pick(&[20_000, 100_000, 1_000_000])
            .copied()
            .unwrap_or(100_000),
        net: rng.pick(&[20_000, 200_000]).copied().unwrap_or(200_000),
    };
    let mut world = World::new(seed, shape);
    world.print = print;
    // A `replicated` topic may lose its last moments in a power cut: such worlds keep their power.
    let replicated = rng.chance(300);
    let topics = vec![("a".to_owned(), 2, false), ("b".to_owned(), 1, replicated)];
    let targets = [("a", 0), ("a", 1), ("b", 0)];
    let targets: Vec<Target> = targets
        .iter()
        .map(|(topic, partition)| Target {
            topic: (*topic).to_owned(),
            partition: *partition,
        })
        .collect();

    world.start_after(0);
    let step = 64;
    let mut number = 0;
    let mut base = || {
        number += 1;
        Base::new(number, step)
    };
    world.add(Client::admin(base(), topics));
    settle(&mut world, 20_000 * MS);
    let producers = rng.between(2, 4);
    for index in 0..producers {
        let once = rng.chance(700);
        let acks = if once || rng.chance(700) { -1 } else { 1 };
        world.add(Client::producer(
            base(),
            targets.clone(),
            once,
            acks,
            (index + 1) << 32,
        ));
    }
    for target in &targets {
        if rng.chance(600) {
            world.add(Client::consumer(base(), target.clone(), false));
        }
    }
    if rng.chance(200) {
        world.add(Client::Noise(base()));
    }

    let mut report = Report {
        seed,
        ..Report::default()
    };
    swarm(&mut world, &mut rng, replicated, &mut report);
    heal(&mut world, &mut report);
    let last: Vec<usize> = targets
        .iter()
        .map(|target| world.add(Client::consumer(base(), target.clone(), true)))
        .collect();
    if world.refused.is_none() {
        settle(&mut world, HEAL);
    }
    judge(&mut world, &mut report, &last, &targets);
    report
}

/// Draws which kinds of faults this seed has, and lets them come.
fn swarm(world: &mut World, rng: &mut Rng, replicated: bool, report: &mut Report) {
    let kinds = [
        (Kind::Kill, 900),
        (Kind::PowerCut, if replicated { 0 } else { 800 }),
        (Kind::Stop, 400),
        (Kind::Cut, 700),
        (Kind::FailedSync, 300),
        (Kind::Rot, 150),
        (Kind::LostWrite, 60),
        (Kind::Full, 150),
        (Kind::Unreadable, 100),
        (Kind::Jump, 300),
    ];
    let mut drawn: Vec<Kind> = kinds
        .iter()
        .filter(|(_, chance)| rng.chance(*chance))
        .map(|(kind, _)| *kind)
        .collect();
    if drawn.is_empty() {
        drawn.push(Kind::Kill);
    }
    let rounds = rng.between(8, 14);
    // A world that saw too little goes on: most rounds strike, some find nothing to strike at.
    for round in 0.. {
        let struck: u64 = report
            .faults
            .values()
            .chain(world.disk.fired.values())
            .sum();
        if round >= rounds && (struck >= FAULTS_MIN || round >= 3 * rounds) {
            return;
        }
        let until = world.time() + rng.between(50 * MS, 600 * MS);
        world.run_until(until);
        if world.refused.is_some() && !restart_after_refusal(world, report) {
            return;
        }
        // Whatever else is drawn, each world dies at least twice.
        let kind = if round % 4 == 1 {
            Some(Kind::Kill)
        } else {
            rng.pick(&drawn).copied()
        };
        if let Some(kind) = kind {
            strike(world, rng, kind, replicated, report);
        }
        if !world.alive() {
            world.start_after(rng.between(MS, 50 * MS));
        }
    }
}

fn strike(world: &mut World, rng: &mut Rng, kind: Kind, replicated: bool, report: &mut Report) {
    let mut count = |name: &'static str| *report.faults.entry(name).or_default() += 1;
    match kind {
        Kind::Kill if world.alive() => {
            world.kill();
            count("kill");
        }
        Kind::PowerCut if world.alive() => {
            world.power_cut();
            count("power-cut");
        }
        Kind::Stop if world.ready() => {
            world.stop();
            count("stop");
        }
        Kind::Cut => {
            let clients = world.clients.len() as u64;
            world.cut(usize::try_from(rng.below(clients)).unwrap_or(0));
            count("cut");
        }
        Kind::FailedSync => {
            // What a failed sync left in memory only is lost when the power goes: nobody may have been told of it.
            world.disk.faults.failing_syncs = 1;
            world.run_until(world.time() + rng.between(MS, 60 * MS));
            if !replicated && world.alive() && rng.chance(700) {
                world.power_cut();
                count("power-cut");
            }
        }
        Kind::Rot => rot(world, rng),
        Kind::LostWrite if rng.chance(500) => world.disk.faults.lost_writes = 1,
        Kind::LostWrite => world.disk.faults.misdirected_writes = 1,
        Kind::Full => {
            world.disk.faults.capacity = Some(world.disk.used());
            world.run_until(world.time() + rng.between(20 * MS, 300 * MS));
            world.disk.faults.capacity = None;
        }
        Kind::Unreadable => {
            let segments: Vec<String> = world
                .disk
                .files()
                .into_iter()
                .map(|(path, _)| path)
                .filter(|path| path.contains("-0/0"))
                .collect();
            if let Some(path) = rng.pick(&segments) {
                world.disk.faults.unreadable.insert(path.clone());
                world.run_until(world.time() + rng.between(20 * MS, 200 * MS));
                world.disk.faults.unreadable.clear();
            }
        }
        Kind::Jump => {
            let forward = rng.chance(500);
            let millis = i64::try_from(rng.below(3_600_000)).unwrap_or(0);
            world.jump(if forward { millis } else { -millis });
            count("jump");
        }
        _ => {}
    }
}

/// Flips a bit somewhere in a ring, a segment, a sidecar or a checkpoint.
fn rot(world: &mut World, rng: &mut Rng) {
    let files: Vec<(String, u64)> = world
        .disk
        .files()
        .into_iter()
        .filter(|(path, len)| *len > 0 && !path.contains("ballast"))
        .collect();
    if let Some((path, len)) = rng.pick(&files).cloned() {
        let bit = u8::try_from(rng.below(8)).unwrap_or(0);
        world.disk.rot(&path, rng.below(len), bit);
    }
}

/// A process that ended over an error of its disk is started again; one that refuses again stays down.
fn restart_after_refusal(world: &mut World, report: &mut Report) -> bool {
    world.disk.faults.failing_syncs = 0;
    world.refused = None;
    world.start_after(10 * MS);
    world.run_until(world.time() + 2_000 * MS);
    if world.refused.is_some() {
        report.refused = true;
    }
    world.refused.is_none()
}

/// No more faults: the node must come back and serve everybody.
fn heal(world: &mut World, report: &mut Report) {
    let faults = &mut world.disk.faults;
    (
        faults.failing_syncs,
        faults.lost_writes,
        faults.misdirected_writes,
    ) = (0, 0, 0);
    faults.capacity = None;
    faults.unreadable.clear();
    for client in &mut world.clients {
        if let Client::Producer(producer) = client {
            producer.quiet = true;
        }
    }
    if world.refused.is_some() && !restart_after_refusal(world, report) {
        return;
    }
    if !world.alive() {
        world.start_after(MS);
    }
    settle(world, HEAL);
}

/// Goes on until all clients have what they wait for, or the time is up.
fn settle(world: &mut World, within: u64) {
    let until = world.time() + within;
    while world.time() < until && world.refused.is_none() {
        if !world.alive() {
            world.start_after(MS);
        }
        world.run_until(world.time() + 50 * MS);
        if world.clients.iter().all(Client::drained) && world.ready() {
            return;
        }
    }
}

fn judge(world: &mut World, report: &mut Report, last: &[usize], targets: &[Target]) {
    let mut excuses = Excuses::default();
    let damaged = ["rot", "lost-write", "misdirected-write"]
        .iter()
        .any(|kind| world.disk.fired.contains_key(kind));
    if damaged {
        // Only where bytes were damaged may a named partition miss what was acknowledged.
        excuses.named = world.named.clone();
    }
    if world.refused.is_some() {
        // Nobody can read: what was acknowledged lies untouched behind a refusal that names its reason.
        excuses.named = targets.iter().map(Target::name).collect();
        if !damaged {
            let text = format!(
                "the node does not start: {}",
                world.refused.clone().unwrap_or_default()
            );
            report.violations.push(Violation {
                rule: 16,
                name: "availability",
                rows: "#96 #97",
                text,
            });
        }
    } else {
        for (client, target) in last.iter().zip(targets) {
            let done = world.clients.get(*client).is_some_and(Client::drained);
            if !done {
                let text = format!("{} cannot be read to its end after healing", target.name());
                report.violations.push(Violation {
                    rule: 16,
                    name: "availability",
                    rows: "#31",
                    text,
                });
            }
        }
        let stuck = world
            .clients
            .iter()
            .filter(|client| !client.drained())
            .count();
        if stuck > 0 && report.violations.is_empty() && excuses.named.is_empty() {
            let text = format!("{stuck} clients still wait after healing");
            report.violations.push(Violation {
                rule: 16,
                name: "availability",
                rows: "#31",
                text,
            });
        }
    }
    let verdict = checks::judge(&world.history, &excuses);
    report.violations.extend(verdict.violations);
    report.acknowledged = verdict.acknowledged;
    report.read = verdict.read;
    report.excused = verdict.excused;
    report.starts = world.starts;
    report.reached = reached();
    report.doubts = report
        .reached
        .get("last-commit-in-doubt")
        .copied()
        .unwrap_or(0);
    for (kind, n) in &world.disk.fired {
        *report.faults.entry(kind).or_default() += n;
    }
    report.trace = world.trace;
}

#[cfg(feature = "mutants")]
fn reached() -> BTreeMap<&'static str, u64> {
    sawlog_core::proof::take_reached()
}

#[cfg(not(feature = "mutants"))]
fn reached() -> BTreeMap<&'static str, u64> {
    BTreeMap::new()
}

impl Report {
    /// What the run did not see enough of.
    pub fn vacuous(&self) -> Option<String> {
        let faults: u64 = self.faults.values().sum();
        let short = [
            ("acknowledged records", self.acknowledged, ACKNOWLEDGED_MIN),
            ("starts", self.starts, STARTS_MIN),
            ("faults", faults, FAULTS_MIN),
        ];
        short
            .iter()
            .find(|(_, have, need)| have < need)
            .map(|(what, have, need)| format!("{have} {what}, {need} are the least"))
    }
}
