//! The world of one run: a machine with a disk, a node that lives and dies on it, clients, a net, two clocks.
//! Decides when everything happens, from one seed; judges nothing (`checks` and `run` do). Holds #143.

pub mod aim;
mod lane;
mod net;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sawlog_core::answer::{FetchAnswer, Response};
use sawlog_core::config::BrokerConfig;
use sawlog_core::effect::{Effect, Line as Said};
use sawlog_core::event::{Event, Found};
use sawlog_core::file::{Free, ReadPlan};
use sawlog_core::ids::{BootId, Endpoint, LogId, ShardId, Ticket, Waiter};
use sawlog_core::log::EngineConf;
use sawlog_core::now::{Mono, Now, Wall};

use crate::client::{Client, Want};
use crate::disk::Disk;
use crate::history::Line;
use crate::process::{Process, Wish};
use crate::rng::Rng;
use crate::world::aim::{Aim, tells_of_a_change};
use crate::world::lane::is_stop;

/// Nanoseconds of a millisecond.
pub const MS: u64 = 1_000_000;
/// Shards whose tickets can be told apart on one disk.
const SHARDS: u64 = 16;

/// What lies in the future.
enum What {
    /// A queued file operation may complete.
    Disk(u64),
    /// Bytes are read for a waiter.
    Serve(u64, Box<(ShardId, Waiter, ReadPlan, FetchAnswer)>),
    /// An event reaches another shard.
    Pass(u64, ShardId, Event),
    /// A reply reaches the thread of its connection.
    Reply(u64, Waiter, Response),
    /// The process looks at its alarms.
    Ring(u64),
    /// Bytes reach the broker, or a client.
    Bytes {
        conn: u64,
        to_broker: bool,
        bytes: Bytes,
    },
    /// The end of a connection reaches the broker, or a client.
    End { conn: u64, to_broker: bool },
    /// A client looks at the clock; void if it has set another time since.
    Tick(usize, u64),
    /// The process starts.
    Start,
}

/// A connection on its way.
struct Wire {
    client: usize,
    life: u64,
    /// When the last bytes arrive on either side: what is sent later arrives later.
    last: [u64; 2],
    open: bool,
}

/// How the world is built.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Shards of the node.
    pub shards: u16,
    /// Bytes of a ring file.
    pub ring_file: u32,
    /// Bytes of the one that a start writes into first.
    pub first_file: u32,
    /// Typical time of a file operation in nanoseconds.
    pub disk: u64,
    /// Typical time of a message on the net in nanoseconds.
    pub net: u64,
    /// So many answers in a thousand are lost, and their connection with them.
    pub lost_replies: u64,
    /// Bytes of metadata after which a snapshot is due.
    pub snapshot_bytes: u64,
}

/// Everything.
pub struct World {
    now: u64,
    wall: i64,
    seq: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    what: BTreeMap<u64, What>,
    shape: Shape,
    rng: Streams,
    /// The disk.
    pub disk: Disk,
    boot: u128,
    life: u64,
    process: Option<Process>,
    rung: Option<u64>,
    /// The clients, by number.
    pub clients: Vec<Client>,
    conn_of: BTreeMap<usize, u64>,
    /// When each client next looks at the clock.
    ticks: BTreeMap<usize, u64>,
    wires: BTreeMap<u64, Wire>,
    next_conn: u64,
    /// What clients saw.
    pub history: Vec<Line>,
    /// What the node said to people at WARN or worse, and when.
    pub said: Vec<(u64, String)>,
    /// The node refused to go on, and why; it is not started again by itself.
    pub refused: Option<String>,
    /// Hash over everything that the node did.
    pub trace: u64,
    /// Hashes what the node does; otherwise the trace stays as it is.
    pub traced: bool,
    /// Prints what happens.
    pub print: bool,
    /// How many times the node became ready.
    pub starts: u64,
    /// Partitions that the node said are offline.
    pub named: BTreeSet<String>,
    /// The names of all partitions there ever were.
    pub names: BTreeMap<LogId, String>,
    /// The partitions of the newest metadata.
    pub live: BTreeSet<LogId>,
    /// Starts that said that they followed a clean stop and did not.
    pub false_clean: u64,
    /// The last life served, and did not end by a stop.
    unclean: bool,
    /// The marker of a clean stop is on its way: a death may find it written.
    stopping: bool,
    /// Where the next death is to strike.
    pub aim: Option<Aim>,
    /// How often the node was killed, and the power cut.
    pub struck: BTreeMap<&'static str, u64>,
    /// Deaths that struck where they were aimed, by that place.
    pub aimed: BTreeMap<&'static str, u64>,
    /// No file operation completes before this time.
    pub stalled_until: u64,
    /// Answers that never arrived.
    pub replies_lost: u64,
    /// A directory of nobody's was put beside the others.
    pub planted: bool,
    /// When the last event for a shard arrives there.
    passed: BTreeMap<ShardId, u64>,
}

struct Streams {
    node: Rng,
    disk: Rng,
    net: Rng,
    client: Rng,
    crash: Rng,
}

impl World {
    /// A new machine with an empty disk. The node is not started yet.
    pub fn new(seed: u64, shape: Shape) -> World {
        let named = |name| Rng::named(seed, name);
        let rng = Streams {
            node: named("node"),
            disk: named("disk"),
            net: named("net"),
            client: named("client"),
            crash: named("crash"),
        };
        World {
            now: 0,
            wall: 1_790_000_000_000,
            seq: 0,
            queue: BinaryHeap::new(),
            what: BTreeMap::new(),
            shape,
            rng,
            disk: Disk::default(),
            boot: 1,
            life: 0,
            process: None,
            rung: None,
            clients: Vec::new(),
            conn_of: BTreeMap::new(),
            ticks: BTreeMap::new(),
            wires: BTreeMap::new(),
            next_conn: 1,
            history: Vec::new(),
            said: Vec::new(),
            refused: None,
            trace: 0xcbf2_9ce4_8422_2325,
            traced: false,
            print: false,
            starts: 0,
            named: BTreeSet::new(),
            names: BTreeMap::new(),
            live: BTreeSet::new(),
            false_clean: 0,
            unclean: false,
            stopping: false,
            aim: None,
            struck: BTreeMap::new(),
            aimed: BTreeMap::new(),
            stalled_until: 0,
            replies_lost: 0,
            planted: false,
            passed: BTreeMap::new(),
        }
    }

    /// The time in nanoseconds.
    pub fn time(&self) -> u64 {
        self.now
    }

    /// Whether a process runs.
    pub fn alive(&self) -> bool {
        self.process.is_some()
    }

    /// Whether it serves.
    pub fn ready(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.ready)
    }

    /// Adds a client; it begins at once.
    pub fn add(&mut self, client: Client) -> usize {
        self.clients.push(client);
        let number = self.clients.len() - 1;
        self.tick_after(number, 0);
        number
    }

    /// Starts the node a while from now.
    pub fn start_after(&mut self, wait: u64) {
        self.at(wait, What::Start);
    }

    /// The wall clock jumps.
    pub fn jump(&mut self, millis: i64) {
        self.wall += millis;
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.fell("killed");
        *self.struck.entry("kill").or_default() += 1;
        self.disk.kill(&mut self.rng.crash);
    }

    /// The machine loses power; its kernel gets another boot id.
    pub fn power_cut(&mut self) {
        self.fell("power cut");
        *self.struck.entry("power-cut").or_default() += 1;
        self.boot += 1;
        self.disk.power_cut(&mut self.rng.crash);
    }

    /// How often it was killed or lost its power.
    pub fn deaths(&self) -> u64 {
        ["kill", "power-cut"]
            .iter()
            .filter_map(|how| self.struck.get(how))
            .sum()
    }

    /// SIGTERM.
    pub fn stop(&mut self) {
        if let Some(process) = &mut self.process {
            process.stop();
        }
        self.turn();
    }

    /// Cuts one client's connection, if it has one.
    pub fn cut(&mut self, client: usize) {
        if let Some(conn) = self.conn_of.get(&client).copied() {
            self.end(conn, true, true);
        }
    }

    fn fell(&mut self, how: &str) {
        self.say(|| format!("---- {how}"));
        let stopping = std::mem::take(&mut self.stopping);
        self.unclean = how != "stopped" && !stopping && (self.unclean || self.ready());
        self.disk.died(self.now);
        self.process = None;
        self.aim = None;
        self.stalled_until = 0;
        self.life += 1;
        self.rung = None;
        for conn in self.wires.keys().copied().collect::<Vec<_>>() {
            self.end(conn, true, false);
        }
    }

    /// Goes on until this time, or until nothing is left to happen.
    pub fn run_until(&mut self, time: u64) {
        while let Some(Reverse((at, _))) = self.queue.peek() {
            if *at > time {
                break;
            }
            self.next();
        }
        self.pass_time(time);
    }

    fn pass_time(&mut self, to: u64) {
        let to = to.max(self.now);
        self.wall += i64::try_from(to / MS - self.now / MS).unwrap_or(0);
        self.now = to;
    }

    fn next(&mut self) {
        let Some(Reverse((at, seq))) = self.queue.pop() else {
            return;
        };
        let Some(what) = self.what.remove(&seq) else {
            return;
        };
        self.pass_time(at);
        match what {
            What::Disk(life) if life == self.life => self.disk_done(),
            What::Serve(life, serve) if life == self.life => self.serve(*serve),
            What::Pass(life, shard, event) if life == self.life => {
                if let Some(process) = &mut self.process {
                    process.post(shard, event);
                }
            }
            What::Reply(life, waiter, response) if life == self.life => {
                let now = self.clocks();
                let mut wishes = Vec::new();
                if let Some(process) = &mut self.process {
                    process.reply(now, waiter, response, &mut wishes);
                }
                self.grant(wishes);
            }
            What::Ring(life) if life == self.life => {
                self.rung = None;
                let now = self.clocks();
                let mut wishes = Vec::new();
                if let Some(process) = &mut self.process {
                    process.ring(now, &mut wishes);
                }
                self.grant(wishes);
            }
            What::Disk(_) | What::Serve(..) | What::Pass(..) | What::Reply(..) | What::Ring(_) => {}
            What::Bytes {
                conn,
                to_broker,
                bytes,
            } => self.arrive(conn, to_broker, &bytes),
            What::End { conn, to_broker } => self.ended(conn, to_broker),
            What::Tick(client, due) => {
                if self.ticks.get(&client) == Some(&due) {
                    self.ticks.remove(&client);
                    self.with_client(client, |client, t, rng, wants| client.tick(t, rng, wants));
                }
            }
            What::Start => self.start(),
        }
        self.turn();
    }

    fn start(&mut self) {
        if self.process.is_some() || self.refused.is_some() {
            return;
        }
        self.say(|| "---- start".to_owned());
        let engine = EngineConf {
            ring_file: Some(self.shape.ring_file),
            first_file: Some(self.shape.first_file),
            ring_max: Some(u64::from(self.shape.ring_file) * 6),
            commit_max: 16 << 10,
            hold_above: 256 << 10,
            block_bytes: 16 << 10,
            spill_bytes: 64 << 10,
            windows_bytes: 64 << 10,
            tails_max: 4,
            direct_min: 300,
            direct_after: 2 << 10,
            direct_within: Duration::MAX,
            direct_max: 8 << 10,
            ..EngineConf::default()
        };
        // Smaller than a topic may ask for, so that segments roll.
        let mut config = BrokerConfig {
            snapshot_bytes: self.shape.snapshot_bytes,
            retention_check: Duration::from_millis(200),
            ..BrokerConfig::default()
        };
        config.topic.segment_bytes = 16 << 10;
        // Records are stamped with 1970: none goes for its age.
        config.topic.retention_time = None;
        let found = Found {
            boot: BootId(self.boot.to_be_bytes()),
            shards: self.shape.shards,
            space: self.space(),
            config: Arc::new(config),
            endpoints: Arc::from([Endpoint {
                listener: "PLAINTEXT".into(),
                host: "sim".into(),
                port: 9092,
            }]),
            cluster_id: None,
            engine,
        };
        self.process = Some(Process::new(found));
    }

    fn space(&self) -> Free {
        let total = self.disk.faults.capacity.unwrap_or(1 << 32);
        let free = total.saturating_sub(self.disk.used());
        Free {
            total: 1 << 32,
            free,
        }
    }

    fn clocks(&self) -> Now {
        Now {
            mono: Mono(self.now),
            wall: Wall(self.wall),
        }
    }

    /// Lets the process do what it can do now.
    fn turn(&mut self) {
        loop {
            let now = self.clocks();
            let Some(process) = &mut self.process else {
                return;
            };
            if !process.busy() {
                break;
            }
            let mut wishes = Vec::new();
            let (trace, traced, print) = (&mut self.trace, self.traced, self.print);
            let (names, live) = (&mut self.names, &mut self.live);
            process.turn(
                now,
                &mut self.rng.node,
                &mut wishes,
                &mut |shard, effect| {
                    if traced {
                        hash(trace, now, shard, effect);
                    }
                    if let Effect::Image(image) = effect {
                        *live = image.partitions().map(|(log, ..)| log).collect();
                        for (log, topic, _) in image.partitions() {
                            names
                                .entry(log)
                                .or_insert_with(|| format!("{}-{}", topic.name, log.partition));
                        }
                    }
                    if print {
                        print_line(&format!("{:>12} {shard} {}", now.mono.0, short(effect)));
                    }
                },
            );
            self.grant(wishes);
        }
        let Some(process) = &self.process else { return };
        let Some(due) = process
            .next_alarm()
            .map(|deadline| deadline.0.0.max(self.now + 1))
        else {
            return;
        };
        if self.rung.is_none_or(|rung| due < rung) {
            self.rung = Some(due);
            self.at(due - self.now, What::Ring(self.life));
        }
    }

    fn grant(&mut self, wishes: Vec<Wish>) {
        let life = self.life;
        for wish in wishes {
            match wish {
                Wish::File(shard, ticket, op) => {
                    self.arm(&op);
                    self.stopping |= is_stop(&op);
                    self.copied(shard, ticket, &op);
                    self.disk
                        .submit(Ticket(ticket.0 * SHARDS + u64::from(shard.0)), op);
                    let wait = self.rng.disk.delay(self.shape.disk);
                    self.at(wait, What::Disk(life));
                }
                Wish::Serve(shard, waiter, plan, answer) => {
                    let wait = self.rng.disk.delay(self.shape.disk / 4);
                    self.at(
                        wait,
                        What::Serve(life, Box::new((shard, waiter, plan, answer))),
                    );
                }
                Wish::Pass(shard, event) => {
                    // A hop between threads takes its time; nothing overtakes on the way.
                    let wait = self.rng.node.delay(5_000);
                    let last = self.passed.entry(shard).or_default();
                    *last = (*last + 1).max(self.now + wait);
                    let wait = *last - self.now;
                    self.at(wait, What::Pass(life, shard, event));
                }
                Wish::Reply(waiter, response) => {
                    let wait = self.rng.node.delay(5_000);
                    self.at(wait, What::Reply(life, waiter, response));
                }
                Wish::Send(conn, bytes) => self.send(conn, false, bytes),
                Wish::Close(conn) => self.end(conn, false, true),
                Wish::Space(shard) => {
                    let space = self.space();
                    if let Some(process) = &mut self.process {
                        process.post(shard, Event::Space(space));
                    }
                }
                Wish::Say(line) => self.said(line),
            }
        }
    }

    fn said(&mut self, line: Said) {
        match line {
            Said::Ready { text } => {
                self.say(|| format!("---- ready {text}"));
                self.starts += 1;
                self.false_clean += u64::from(self.unclean && text.contains("clean stop"));
                self.unclean = false;
            }
            Said::Info(text) => self.say(|| format!("---- info {text}")),
            Said::Warn(text) => self.warned(text),
            Said::Stopped => {
                self.fell("stopped");
                // What nobody waits for any more ends with the process.
                self.disk.kill(&mut self.rng.crash);
            }
            Said::Fatal(complaint) => {
                let text = complaint.to_string();
                self.warned(text.clone());
                self.fell("exited");
                self.disk.kill(&mut self.rng.crash);
                self.refused = Some(text);
            }
        }
    }

    fn warned(&mut self, text: String) {
        self.say(|| format!("---- warn {text}"));
        let named = text.split_once(" is offline").map(|(before, _)| before);
        if let Some((_, name)) = named.and_then(|before| before.rsplit_once("partition ")) {
            self.named.insert(name.to_owned());
        }
        self.said.push((self.now, text));
    }

    fn with_client(
        &mut self,
        number: usize,
        act: impl FnOnce(&mut Client, u64, &mut Rng, &mut Vec<Want>),
    ) {
        let mut wants = Vec::new();
        if let Some(client) = self.clients.get_mut(number) {
            act(client, self.now, &mut self.rng.client, &mut wants);
        }
        let mut told = false;
        for want in wants {
            match want {
                Want::Connect => self.connect(number),
                Want::Send(bytes) => {
                    if let Some(conn) = self.conn_of.get(&number).copied() {
                        self.send(conn, true, bytes);
                    }
                }
                Want::Hang => self.cut(number),
                Want::Tick(wait) => self.tick_after(number, wait),
                Want::Note(line) => {
                    self.say(|| format!("     {line:?}"));
                    told |= tells_of_a_change(&line);
                    self.history.push(line);
                }
            }
        }
        if told {
            self.told();
        }
    }

    /// A client looks at the clock once, at the earliest time that it asked for.
    fn tick_after(&mut self, client: usize, wait: u64) {
        let due = self.now + wait;
        if self.ticks.get(&client).is_none_or(|set| due < *set) {
            self.ticks.insert(client, due);
            self.at(wait, What::Tick(client, due));
        }
    }

    fn at(&mut self, wait: u64, what: What) {
        self.seq += 1;
        self.queue.push(Reverse((self.now + wait, self.seq)));
        self.what.insert(self.seq, what);
    }

    fn say(&self, text: impl FnOnce() -> String) {
        if self.print {
            print_line(&format!("{:>12} {}", self.now, text()));
        }
    }
}

fn print_line(text: &str) {
    use std::io::Write;
    // Whoever reads the trace may have seen enough.
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn hash(trace: &mut u64, now: Now, shard: ShardId, effect: &Effect) {
    // The effect's debug form names every byte of it.
    let text = format!("{} {shard} {effect:?}", now.mono.0);
    for byte in text.bytes() {
        *trace = (*trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
}

fn short(effect: &Effect) -> String {
    let text = format!("{effect:?}");
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Base, Target};

    fn trace(seed: u64) -> u64 {
        let shape = Shape {
            shards: 2,
            ring_file: 64 << 10,
            first_file: 64 << 10,
            disk: 100_000,
            net: 20_000,
            lost_replies: 20,
            snapshot_bytes: 3_000,
        };
        let mut world = World::new(seed, shape);
        world.traced = true;
        world.start_after(0);
        let topics = vec![("a".to_owned(), 2, false)];
        world.add(Client::admin(Base::new(1, 8), topics));
        world.run_until(100 * MS);
        let targets = [0, 1].map(|partition| Target {
            topic: "a".to_owned(),
            partition,
        });
        world.add(Client::producer(
            Base::new(2, 8),
            targets.to_vec(),
            true,
            -1,
            0,
        ));
        world.run_until(200 * MS);
        world.kill();
        world.start_after(MS);
        world.run_until(400 * MS);
        assert!(!world.history.is_empty(), "#144");
        world.trace
    }

    #[test]
    fn the_same_seed_gives_the_same_trace_and_no_other_does_143() {
        assert_eq!(trace(1), trace(1), "#143");
        assert_ne!(trace(1), trace(2));
    }

    #[cfg(feature = "mutants")]
    #[test]
    fn chance_outside_the_seed_is_caught_143() {
        sawlog_core::proof::choose(Some("chance-outside-the-seed"));
        let same = trace(1) == trace(1);
        sawlog_core::proof::choose(None);
        assert!(!same, "#143");
    }
}
