//! One run: a swarm of faults, quiet, heal, a last reading of everything, judgement.
//! Decides which faults a seed draws, how hard, and what a run must have seen to count (#144).

use std::collections::BTreeMap;

use sawlog_core::ids::LogId;
use sawlog_core::proof;

use crate::checks::{self, Excuses, Given, Violation};
use crate::client::{Base, Client, Powers, Reads, Target};
use crate::faults::{Plan, STRANGER, swarm};
use crate::history::{Ev, Op};
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
    /// Partitions that could not be read in the end, for damage that struck them.
    pub offline: u64,
    /// Faults that struck bytes at rest.
    pub strikes: u64,
    /// Last commits that may have been torn or rotten.
    pub doubts: u64,
    /// Dangerous places that were reached, with how often; only in a build with the feature `mutants`.
    pub reached: BTreeMap<&'static str, u64>,
    /// Times that the node refused to start over damage to its own state; it found everything when that was undone.
    pub refusals: u64,
    /// Hash over all effects; of a run that was traced.
    pub trace: u64,
}

/// What a single run must have seen, below which it proves nothing.
const ACKNOWLEDGED_MIN: u64 = 200;
const STARTS_MIN: u64 = 3;
pub(crate) const FAULTS_MIN: u64 = 5;
/// How long a node that has healed may take to serve everybody, in simulated time.
const HEAL: u64 = 60_000 * MS;

/// What is kept of a run besides its report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trace {
    /// Nothing.
    Off,
    /// A hash over every effect's bytes (#143).
    Hash,
    /// Everything that happens is shown.
    Print,
}

/// Runs one seed.
pub fn run(seed: u64, trace: Trace) -> Report {
    let mut rng = Rng::named(seed, "plan");
    let mut shape = Shape {
        shards: if rng.chance(400) { 2 } else { 1 },
        ring_file: rng
            .pick(&[64 << 10, 128 << 10, 256 << 10])
            .copied()
            .unwrap_or(64 << 10),
        first_file: u32::MAX,
        disk: rng
            .pick(&[20_000, 100_000, 1_000_000])
            .copied()
            .unwrap_or(100_000),
        net: rng.pick(&[20_000, 200_000]).copied().unwrap_or(200_000),
        lost_replies: rng.pick(&[0, 3, 20]).copied().unwrap_or(0),
        snapshot_bytes: rng
            .pick(&[400, 3_000, 20 << 20])
            .copied()
            .unwrap_or(20 << 20),
    };
    // As small as it is in the product beside the others: all of it would be kept for metadata.
    let small = Rng::named(seed, "first-file").chance(500);
    shape.first_file = shape.ring_file / if small { 16 } else { 1 };
    let mut world = World::new(seed, shape);
    world.print = trace == Trace::Print;
    world.traced = trace != Trace::Off;
    // A `replicated` topic may lose its last moments in a power cut: such worlds keep their power.
    let replicated = rng.chance(300);
    let plan = Plan::draw(&mut rng, replicated);
    world.disk.ledger.on = plan.damages();
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
    let mut sessions = Rng::named(seed, "sessions");
    for target in &targets {
        if rng.chance(600) {
            let how = if sessions.chance(600) {
                Reads::InASession
            } else {
                Reads::On
            };
            world.add(Client::consumer(base(), target.clone(), how));
        }
    }
    if rng.chance(200) {
        world.add(Client::Noise(base()));
    }
    if rng.chance(700) {
        let pace = rng.pick(&[20, 120]).copied().unwrap_or(120);
        world.add(Client::keeper(base(), pace * MS));
    }

    let changer = changer(&mut world, seed, &targets, &plan, &mut base);

    let mut report = Report {
        seed,
        ..Report::default()
    };
    swarm(&mut world, &mut rng, &plan, &mut report);
    heal(&mut world, &mut report);
    let readers = targets.iter();
    let readers =
        readers.map(|target| world.add(Client::consumer(base(), target.clone(), Reads::ToTheEnd)));
    let last: Vec<usize> = readers.chain(changer).collect();
    world.add(Client::lister(base()));
    last_reading(&mut world, &mut report);
    if changer.is_some() {
        // The files of what was deleted go behind the answer.
        world.run_until(world.time() + 2_000 * MS);
    }
    judge(&mut world, shape, &mut report, &last, &targets);
    report
}

/// Most worlds have somebody who changes topics; he draws from a stream of his own.
fn changer(
    world: &mut World,
    seed: u64,
    targets: &[Target],
    plan: &Plan,
    base: &mut impl FnMut() -> Base,
) -> Option<usize> {
    let mut rng = Rng::named(seed, "changer");
    let powers = Powers {
        trims: rng.pick(&[0, 0, 200, 600]).copied().unwrap_or(0),
        retains: Rng::named(seed, "retention").chance(300),
        durability: !plan.power,
    };
    let pace = rng.pick(&[5, 20, 60]).copied().unwrap_or(20) * MS;
    let values = 1 << 40;
    rng.chance(700).then(|| {
        let changer = Client::changer(base(), targets.to_vec(), powers, pace, values);
        world.add(changer)
    })
}

/// A process that ended over an error of its disk is started again. One that refuses to start over damage to the node's
/// own state must not have touched anything: when the damage is taken back it comes up with all it had.
pub(crate) fn restart_after_refusal(world: &mut World, report: &mut Report) -> bool {
    world.disk.faults.failing_syncs = 0;
    if try_again(world) {
        return true;
    }
    let ledger = &world.disk.ledger;
    if ledger.own.is_empty() && !ledger.logs.contains(&LogId::METADATA) {
        return false;
    }
    report.refusals += 1;
    world.disk.heal();
    try_again(world)
}

fn try_again(world: &mut World) -> bool {
    world.refused = None;
    world.start_after(10 * MS);
    let until = world.time() + 2_000 * MS;
    while world.time() < until && !world.ready() && world.refused.is_none() {
        world.run_until(world.time() + MS);
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
    world.aim = None;
    for client in &mut world.clients {
        client.rest();
    }
    if world.refused.is_some() && !restart_after_refusal(world, report) {
        return;
    }
    if world.alive() && !world.disk.ledger.unread.is_empty() {
        // A partition whose reads failed is offline until the next start.
        world.kill();
    }
    if !world.alive() {
        world.start_after(MS);
    }
    settle(world, HEAL);
    if world.refused.is_some() && restart_after_refusal(world, report) {
        settle(world, HEAL);
    }
}

/// Everybody reads to the end. Damage that struck earlier may show only now and end the process, as its message says: it
/// is started again like any other, and must serve.
fn last_reading(world: &mut World, report: &mut Report) {
    if world.refused.is_some() {
        return;
    }
    settle(world, HEAL);
    if world.refused.is_some() && restart_after_refusal(world, report) {
        settle(world, HEAL);
    }
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

/// Directories of partitions that the metadata named once and names no more.
fn left_over(world: &World) -> Vec<String> {
    let files = world.disk.files().into_iter().map(|(path, _)| path);
    let tags = files.filter(|path| path.ends_with("/partition.metadata"));
    tags.filter(|path| {
        let tag = world.disk.read_all(path).unwrap_or_default();
        let tag = String::from_utf8_lossy(&tag);
        let of = |log: &LogId| tag.ends_with(&format!("topic_id: {}", log.topic.0));
        let mut owners = world.names.iter().filter(|(log, _)| of(log));
        owners.any(|(log, name)| {
            let lives = world.live.iter().any(|live| live.topic == log.topic);
            !lives && !world.named.contains(name)
        })
    })
    .collect()
}

fn judge(world: &mut World, shape: Shape, report: &mut Report, last: &[usize], targets: &[Target]) {
    let excuses = excuses(world, last);
    let mut broken = |rule, name, rows, text| {
        report.violations.push(Violation {
            rule,
            name,
            rows,
            text,
        });
    };
    if let Some(why) = &world.refused {
        let text = format!("the node does not start: {why}");
        broken(16, "availability", "#39 #96 #97 #102", text);
    } else {
        for (client, target) in last.iter().zip(targets) {
            if !world.clients.get(*client).is_some_and(Client::drained) {
                let text = format!("{} cannot be read to its end after healing", target.name());
                broken(16, "availability", "#31", text);
            }
        }
        let waits = |client: &&Client| !client.drained();
        let stuck = world.clients.iter().filter(waits).count();
        if stuck > 0 && excuses.offline.is_empty() {
            let text = format!("{stuck} clients still wait after healing");
            broken(16, "availability", "#31", text);
        }
    }
    for name in world.named.difference(&damaged(world)) {
        let text = format!("{name} was taken offline, and nothing of it was damaged");
        broken(21, "offline-without-damage", "#99 #106", text);
    }
    let stranger = format!("{STRANGER}/00000000000000000000.log");
    let struck = world.disk.ledger.dirs.contains(STRANGER);
    if world.planted
        && !struck
        && world.disk.read_all(&stranger).as_deref() != Some(STRANGER.as_bytes())
    {
        let text = "a directory that matches no topic is gone or was changed".to_owned();
        broken(20, "absence-deletes", "#40", text);
    }
    // A world that writes snapshots all the time may have to give up on a deletion that takes its time (decision 0006).
    if excuses.topics.is_empty() && shape.snapshot_bytes >= 1_000 {
        for path in left_over(world) {
            let text = format!("{path} is left of a topic that was deleted");
            broken(26, "deleted-and-back", "#40 #45", text);
        }
    }
    if world.false_clean > 0 {
        let text = format!(
            "{} starts after a death called it a clean stop",
            world.false_clean
        );
        broken(23, "false-clean-stop", "#103", text);
    }
    report.offline = excuses.offline.len() as u64;
    report.strikes = world.disk.ledger.strikes;
    let verdict = checks::judge(&world.history, &excuses);
    report.violations.extend(verdict.violations);
    report.acknowledged = verdict.acknowledged;
    report.read = verdict.read;
    report.excused = verdict.excused;
    report.starts = world.starts;
    report.reached = reached();
    report.reached.extend(&world.aimed);
    for (op, name) in [
        (Op::Delete, "topic-deleted-by-a-client"),
        (Op::Grow, "topic-grown-by-a-client"),
        (Op::Trim, "log-trimmed-by-a-client"),
    ] {
        let done = world
            .history
            .iter()
            .filter(|line| (line.op, line.ev) == (op, Ev::Ok));
        report.reached.insert(name, done.count() as u64);
    }
    report.doubts = report
        .reached
        .get("last-commit-in-doubt")
        .copied()
        .unwrap_or(0);
    for (kind, n) in world.disk.fired.iter().chain(&world.struck) {
        *report.faults.entry(kind).or_default() += n;
    }
    if world.replies_lost > 0 {
        report.faults.insert("lost-reply", world.replies_lost);
    }
    report.trace = world.trace;
}

/// Partitions of which bytes were damaged, or could not be read for a while.
fn damaged(world: &World) -> std::collections::BTreeSet<String> {
    let ledger = &world.disk.ledger;
    let beside = ledger.beside();
    let logs = ledger.logs.iter().chain(&beside);
    let logs = logs.filter_map(|log| world.names.get(log));
    let dirs = || ledger.dirs.iter().chain(&ledger.unread);
    // What was spilled before the metadata named it lies under its id.
    let unnamed = world.names.iter().filter(|(log, _)| {
        let dir = format!("unknown/{}-{}", log.topic.0, log.partition);
        dirs().any(|struck| *struck == dir)
    });
    logs.chain(dirs())
        .chain(unnamed.map(|(_, name)| name))
        .cloned()
        .collect()
}

/// What may be missing: partitions that were damaged and were said to be offline, and what stood in a last commit when
/// that was damaged and recovery said that it cut it.
fn excuses(world: &World, last: &[usize]) -> Excuses {
    let ledger = &world.disk.ledger;
    let told = |at: u64| {
        let mut said = world.said.iter();
        said.any(|(t, text)| *t >= at && text.contains("Cut at byte"))
    };
    let cut = ledger
        .cut
        .iter()
        .filter(|(at, _)| told(*at))
        .filter_map(|(at, (log, from, to))| {
            Some(Given {
                partition: world.names.get(log)?.clone(),
                from: from.0,
                to: to.0,
                until: *at,
            })
        });
    let mut struck = ledger.cut.iter();
    let metadata = struck.any(|(_, (log, ..))| *log == LogId::METADATA);
    let topic = |name: &String| name.rsplit_once('-').map(|(topic, _)| topic.to_owned());
    Excuses {
        offline: world.named.intersection(&damaged(world)).cloned().collect(),
        cut: cut.collect(),
        topics: if metadata {
            world.names.values().filter_map(topic).collect()
        } else {
            Default::default()
        },
        ids: metadata,
        last: last
            .iter()
            .filter_map(|client| Some(world.clients.get(*client)?.process()))
            .collect(),
    }
}

#[cfg(feature = "mutants")]
fn reached() -> BTreeMap<&'static str, u64> {
    proof::take_reached()
}

#[cfg(not(feature = "mutants"))]
fn reached() -> BTreeMap<&'static str, u64> {
    BTreeMap::new()
}

impl Report {
    /// What the run did not see enough of: it proves nothing then, and must not pass (#144).
    pub fn vacuous(&self) -> Option<String> {
        if proof::mutant("vacuous-passes") {
            return None;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_ends_over_its_disk_in_the_last_reading_is_started_again_and_serves() {
        let shape = Shape {
            shards: 1,
            ring_file: 64 << 10,
            first_file: 64 << 10,
            disk: 100_000,
            net: 20_000,
            lost_replies: 0,
            snapshot_bytes: 3_000,
        };
        let mut world = World::new(1, shape);
        world.start_after(0);
        while !world.ready() {
            world.run_until(world.time() + MS);
        }
        world.disk.faults.failing_syncs = 1;
        world.add(Client::admin(
            Base::new(1, 8),
            vec![("a".to_owned(), 2, false)],
        ));
        let mut report = Report::default();
        last_reading(&mut world, &mut report);
        let told = |text: &str| world.said.iter().any(|(_, said)| said.contains(text));
        assert!(told("KAFKA_STORAGE_ERROR"), "{:?}", world.said);
        assert_eq!((world.starts, &world.refused), (2, &None));
        assert!(world.clients.iter().all(Client::drained));
    }
}
