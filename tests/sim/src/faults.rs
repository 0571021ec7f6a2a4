//! What goes wrong in a run, and when. Decides which faults a seed draws and how they are timed against each other; never
//! what survives them (`disk`), nor whether the node did right (`checks`).

mod rot;

use sawlog_core::file::{FileName, FileOp, How, Piece};

use crate::client::Client;
use crate::rng::Rng;
use crate::run::{FAULTS_MIN, Report, restart_after_refusal};
use crate::world::aim::{Aim, MOMENTS, Moment};
use crate::world::{MS, World};

/// A fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// SIGKILL.
    Kill,
    /// The power goes.
    PowerCut,
    /// SIGTERM.
    Stop,
    /// A client's connection is cut.
    Cut,
    /// Death at a chosen moment.
    Aim,
    /// The disk stands still, clients lose patience, and often it ends in a death.
    Stall,
    /// A sync fails.
    FailedSync,
    /// Bits flip.
    Rot,
    /// A write is lost, or lands elsewhere.
    LostWrite,
    /// No space is left for a while.
    Full,
    /// A file cannot be read for a while.
    Unreadable,
    /// The wall clock jumps.
    Jump,
}

/// A directory that is no topic's.
pub const STRANGER: &str = "stranger-0";

/// What a seed has drawn.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The kinds that come.
    pub kinds: Vec<Kind>,
    /// Whether the power may go: a `replicated` topic may lose its last moments with it.
    pub power: bool,
}

impl Plan {
    /// Draws.
    pub fn draw(rng: &mut Rng, replicated: bool) -> Plan {
        let kinds = [
            (Kind::Kill, 700),
            (Kind::PowerCut, if replicated { 0 } else { 800 }),
            (Kind::Stop, 400),
            (Kind::Cut, 600),
            (Kind::Aim, 600),
            (Kind::Stall, 500),
            (Kind::FailedSync, 400),
            (Kind::Rot, 400),
            (Kind::LostWrite, 120),
            (Kind::Full, 150),
            (Kind::Unreadable, 100),
            (Kind::Jump, 300),
        ];
        let mut drawn: Vec<Kind> = kinds
            .iter()
            .filter(|(_, chance)| rng.chance(*chance))
            .map(|(kind, _)| *kind)
            .collect();
        if drawn.contains(&Kind::Rot) {
            // What damage at rest may do depends on where it lies: it comes more often than what strikes everything.
            drawn.push(Kind::Rot);
        }
        if drawn.is_empty() {
            drawn.push(Kind::Kill);
        }
        Plan {
            kinds: drawn,
            power: !replicated,
        }
    }

    /// Whether bytes may be damaged.
    pub fn damages(&self) -> bool {
        let damage = [Kind::Rot, Kind::LostWrite];
        self.kinds.iter().any(|kind| damage.contains(kind))
    }
}

/// Lets the faults of a plan come, one after the other.
pub fn swarm(world: &mut World, rng: &mut Rng, plan: &Plan, report: &mut Report) {
    let rounds = rng.between(8, 14);
    let mut hasty = false;
    let mut planted = !rng.chance(300);
    // A world that saw too little goes on: most rounds strike, some find nothing to strike at.
    for round in 0.. {
        let struck: u64 = world
            .struck
            .values()
            .chain(report.faults.values())
            .chain(world.disk.fired.values())
            .sum();
        if round >= rounds && (struck >= FAULTS_MIN || round >= 3 * rounds) {
            return;
        }
        if hasty {
            // Whatever a start left undone shows when the next death follows it closely.
            until_ready(world);
        }
        let wait = if hasty {
            rng.pick(&[0, MS / 5, 2 * MS, 20 * MS])
                .copied()
                .map_or(0, |most| rng.below(most))
        } else {
            rng.between(50 * MS, 500 * MS)
        };
        world.run_until(world.time() + wait);
        world.aim = None;
        if world.refused.is_some() && !restart_after_refusal(world, report) {
            return;
        }
        if !world.alive() {
            if !std::mem::replace(&mut planted, true) {
                plant(world);
            }
            world.start_after(rng.between(MS, 50 * MS));
            until_ready(world);
        }
        // Whatever else is drawn, each world dies at least twice.
        let kind = match rng.pick(&plan.kinds).copied() {
            _ if round % 4 == 1 => Kind::Kill,
            _ if hasty => Kind::PowerCut,
            kind => kind.unwrap_or(Kind::Kill),
        };
        let deaths = world.deaths();
        strike(world, rng, kind, plan, report);
        if !world.alive() && world.refused.is_none() {
            world.start_after(rng.between(MS, 50 * MS));
            if plan.kinds.contains(&Kind::Aim) && rng.chance(400) {
                let power = plan.power && rng.chance(600);
                world.aim = Some(if rng.chance(500) {
                    Aim::at(Moment::Start, rng.below(50), power)
                } else {
                    Aim::at(Moment::Again, rng.below(2), power)
                });
            }
        }
        hasty = (world.deaths() > deaths || kind == Kind::Stop) && rng.chance(400);
    }
}

/// Goes on until the node serves, or does not any more, or takes very long.
fn until_ready(world: &mut World) {
    for _ in 0..5_000 {
        if world.ready() || world.refused.is_some() {
            return;
        }
        world.run_until(world.time() + MS / 5);
        if !world.alive() && world.refused.is_none() {
            world.start_after(MS);
        }
    }
}

fn die(world: &mut World, rng: &mut Rng, power: bool) {
    if power && rng.chance(600) {
        world.power_cut();
    } else {
        world.kill();
    }
}

fn strike(world: &mut World, rng: &mut Rng, kind: Kind, plan: &Plan, report: &mut Report) {
    let mut count = |name: &'static str| *report.faults.entry(name).or_default() += 1;
    match kind {
        Kind::Kill if world.alive() => world.kill(),
        Kind::PowerCut if world.alive() => {
            // A cut at rest asks little of recovery: half of them come while a commit is on its way.
            let until = world.time() + if rng.chance(500) { 20 * MS } else { 0 };
            while world.alive() && world.time() < until && !world.commits_in_flight() {
                world.run_until(world.time() + MS / 50);
            }
            if !world.alive() {
                return;
            }
            if plan.power {
                world.power_cut();
            } else {
                world.kill();
            }
        }
        Kind::Stop if world.ready() => {
            world.stop();
            count("stop");
            // Mostly it may finish; now and then the next fault finds it at it.
            let patience = if rng.chance(800) { 500 } else { 1 };
            let until = world.time() + patience * MS;
            while world.alive() && world.time() < until {
                world.run_until(world.time() + MS);
            }
        }
        Kind::Cut => {
            let clients = world.clients.len() as u64;
            world.cut(usize::try_from(rng.below(clients)).unwrap_or(0));
            count("cut");
        }
        Kind::Aim => aim(world, rng, plan),
        Kind::Stall if world.ready() => {
            count("stall");
            // Mostly it is over soon; now and then it takes so long that everybody wants something meanwhile.
            let half = rng.pick(&[5, 10, 20, 100]).copied().unwrap_or(5) * MS;
            world.stalled_until = world.time() + 2 * half;
            world.run_until(world.time() + rng.between(MS, half));
            cut_producers(world);
            world.run_until(world.time() + rng.between(MS, half));
            if world.alive() && rng.chance(600) {
                die(world, rng, plan.power);
            }
        }
        Kind::FailedSync => {
            // What a failed sync left in memory only is lost when the power goes: nobody may have been told of it.
            let fired = |world: &World| world.disk.fired.get("failed-sync").copied().unwrap_or(0);
            let before = fired(world);
            world.disk.faults.failing_syncs = 1;
            let until = world.time() + rng.between(MS, 60 * MS);
            while world.time() < until && fired(world) == before && world.refused.is_none() {
                world.run_until(world.time() + MS / 10);
            }
            world.run_until(world.time() + rng.between(MS / 10, 15 * MS));
            if world.refused.is_some() {
                if !restart_after_refusal(world, report) {
                    return;
                }
                world.run_until(world.time() + rng.between(MS / 2, 15 * MS));
            }
            if plan.power && world.alive() && rng.chance(700) {
                world.power_cut();
            }
        }
        Kind::Rot => rot(world, rng),
        Kind::LostWrite if rng.chance(500) => world.disk.faults.lost_writes = 1,
        Kind::LostWrite => world.disk.faults.misdirected_writes = 1,
        Kind::Full => {
            let fired = |world: &World| world.disk.fired.get("full").copied().unwrap_or(0);
            let before = fired(world);
            world.disk.faults.capacity = Some(world.disk.used());
            world.run_until(world.time() + rng.between(50 * MS, 400 * MS));
            world.disk.faults.capacity = None;
            if fired(world) > before {
                count("full-disk");
            }
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
        Kind::Kill | Kind::PowerCut | Kind::Stop | Kind::Stall => {}
    }
}

/// Everybody who sends gives up his connection, and soon sends the same again.
fn cut_producers(world: &mut World) {
    for index in 0..world.clients.len() {
        if matches!(world.clients.get(index), Some(Client::Producer(_))) {
            world.cut(index);
        }
    }
}

fn aim(world: &mut World, rng: &mut Rng, plan: &Plan) {
    let moments: Vec<Moment> = MOMENTS
        .into_iter()
        .filter(|moment| !moment.starting() && (*moment != Moment::Fast || !plan.power))
        .collect();
    let Some(moment) = rng.pick(&moments).copied() else {
        return;
    };
    let power = plan.power && rng.chance(600);
    world.aim = Some(Aim::at(moment, rng.below(4), power));
    let until = world.time() + 300 * MS;
    while world.time() < until && world.aim.is_some() && world.refused.is_none() {
        world.run_until(world.time() + 5 * MS);
    }
    world.aim = None;
}

/// Flips bits: of a commit, and then the process mostly dies, so that recovery is the first to see it; under a read of the
/// ring; or at rest, in several places.
fn rot(world: &mut World, rng: &mut Rng) {
    match rng.below(100) {
        0..=44 => {
            strike_at(world, rng, rot::last_commits);
            if rng.chance(800) {
                world.run_until(world.time() + rng.below(8 * MS));
                if world.alive() {
                    world.kill();
                }
            }
        }
        45..=64 if world.ready() => {
            world.disk.faults.rot_under_read = Some(rng.bits());
            let until = world.time() + 400 * MS;
            while world.time() < until
                && world.ready()
                && world.disk.faults.rot_under_read.is_some()
            {
                world.run_until(world.time() + MS);
            }
            world.disk.faults.rot_under_read = None;
        }
        _ => {
            for _ in 0..rng.between(1, 3) {
                strike_at(world, rng, rot::at_rest);
            }
        }
    }
}

fn strike_at(world: &mut World, rng: &mut Rng, place: fn(&World, &mut Rng) -> Option<rot::Place>) {
    let bit = u8::try_from(rng.below(8)).unwrap_or(0);
    if let Some((path, at)) = place(world, rng) {
        world.disk.rot(&path, at, bit);
    }
}

/// Puts a directory beside the others that belongs to nobody (#40).
fn plant(world: &mut World) {
    let dir = FileName::named(STRANGER);
    let file = FileName::named(&format!("{STRANGER}/00000000000000000000.log"));
    let pieces = vec![Piece::Bytes(bytes::Bytes::from_static(STRANGER.as_bytes()))];
    let put = FileOp::Put {
        file,
        at: 0,
        pieces,
        how: How::Durable,
    };
    for op in [
        FileOp::MakeDir(dir.clone()),
        put,
        FileOp::SyncDir(dir),
        FileOp::SyncDir(FileName::named("")),
    ] {
        world.disk.run(&op);
    }
    world.planted = true;
}
