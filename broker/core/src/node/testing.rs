//! A node on a disk of memory, for tests: carries out every effect at once and in order. It has no faults of its own; a
//! test that wants one says at which operation.

use alloc::collections::VecDeque;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use sawlog_wire::Code;
use sawlog_wire::messages::DeleteTopicsRequest;
use sawlog_wire::messages::create_topics::{
    CreatableTopic, CreateTopicsRequest, CreateTopicsResponse,
};
use sawlog_wire::records::{BatchBuilder, BatchHeader, Codec, NewRecord};

use crate::answer::*;
use crate::cluster::image::Image;
use crate::complaint::Complaint;
use crate::config::BrokerConfig;
use crate::effect::{Effect, Line};
use crate::event::{Event, Found, Step};
use crate::file::*;
use crate::ids::*;
use crate::log::EngineConf;
use crate::node::Shard;
use crate::now::{Deadline, Dice, Mono, Now, Wall};
use crate::timers::Alarms;

/// Files by path; directories are paths with `None`.
pub(crate) type Files = BTreeMap<String, Option<Vec<u8>>>;

pub(crate) struct World {
    pub(crate) files: Files,
    shards: Vec<Shard>,
    queue: VecDeque<(ShardId, Event)>,
    alarms: Alarms,
    now: Now,
    turn: u64,
    /// Operations carried out so far, and before which one the process dies.
    pub(crate) operations: u64,
    pub(crate) die_at: Option<u64>,
    /// Answers the operation itself, if it wants to.
    pub(crate) fault: Option<fn(&FileOp) -> Option<Fault>>,
    /// Operations go to the disk and come back only by `release`.
    pub(crate) slow: bool,
    held: VecDeque<(ShardId, Ticket, FileOp)>,
    /// This shard's operations never come back and change nothing.
    pub(crate) hang: Option<ShardId>,
    /// Small files that a power cut would empty.
    unsynced: BTreeSet<String>,
    /// Small files and directories that it would take the names of.
    unnamed: BTreeSet<String>,
    pub(crate) free: Free,
    pub(crate) replies: BTreeMap<Waiter, Vec<Response>>,
    pub(crate) lines: Vec<Line>,
    pub(crate) image: Option<Arc<Image>>,
    asked: u64,
}

pub(crate) fn found(shards: u16) -> Found {
    let endpoint = |listener: &str, port| Endpoint {
        listener: listener.into(),
        host: "127.0.0.1".into(),
        port,
    };
    Found {
        boot: BootId([7; 16]),
        shards,
        space: Free {
            total: 1 << 30,
            free: 1 << 30,
        },
        config: Arc::new(BrokerConfig::default()),
        endpoints: Arc::from([endpoint("PLAINTEXT", 9092), endpoint("CONTROLLER", 9093)]),
        cluster_id: None,
        engine: EngineConf {
            ring_file: Some(1 << 20),
            ballast: false,
            ..EngineConf::default()
        },
    }
}

/// A command to the controller.
pub(crate) fn command(command: Command, deadline: Deadline) -> Part {
    Part::Command(Box::new(CommandPart {
        command,
        deadline,
        from: None,
    }))
}

impl World {
    /// A node over these files, not started.
    pub(crate) fn new(files: Files, shards: u16) -> World {
        World {
            files,
            shards: (0..shards)
                .map(|id| Shard::new(ShardId(id), shards))
                .collect(),
            queue: VecDeque::new(),
            alarms: Alarms::default(),
            now: Now {
                mono: Mono(1),
                wall: Wall(1_700_000_000_000),
            },
            turn: 0,
            operations: 0,
            die_at: None,
            fault: None,
            slow: false,
            held: VecDeque::new(),
            hang: None,
            unsynced: BTreeSet::new(),
            unnamed: BTreeSet::new(),
            free: found(1).space,
            replies: BTreeMap::new(),
            lines: Vec::new(),
            image: None,
            asked: 0,
        }
    }

    /// Starts a node over these files and goes on until it is there.
    pub(crate) fn started(files: Files, shards: u16) -> World {
        let mut world = World::new(files, shards);
        world.start(found(shards));
        assert!(world.is_ready(), "{:?}", world.lines);
        world
    }

    pub(crate) fn start(&mut self, found: Found) {
        self.give(ShardId(0), Event::Start(Box::new(found)));
        self.run();
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.lines
            .iter()
            .any(|line| matches!(line, Line::Ready { .. }))
    }

    pub(crate) fn fatal(&self) -> Option<&Complaint> {
        self.lines.iter().find_map(|line| match line {
            Line::Fatal(complaint) => Some(complaint),
            _ => None,
        })
    }

    pub(crate) fn stop(&mut self) {
        self.give(ShardId(0), Event::Stop);
        self.run();
        assert!(self.lines.contains(&Line::Stopped), "{:?}", self.lines);
    }

    pub(crate) fn give(&mut self, shard: ShardId, event: Event) {
        self.queue.push_back((shard, event));
    }

    pub(crate) fn shards(&self) -> u16 {
        self.shards.len() as u16
    }

    /// Lets time pass; alarms ring.
    pub(crate) fn pass(&mut self, nanos: u64) {
        self.now.mono.0 += nanos;
        self.now.wall.0 += (nanos / 1_000_000) as i64;
        while let Some((shard, key)) = self.alarms.due(self.now) {
            self.give(shard, Event::Alarm(key));
            self.run();
        }
    }

    /// The first operation that is held comes back.
    pub(crate) fn release(&mut self) {
        let (id, ticket, op) = self.held.pop_front().expect("an operation is held");
        self.operations += 1;
        let outcome = self.file(&op);
        self.give(id, Event::Done(ticket, outcome));
        self.run();
    }

    /// The power goes: of small files what was not synced is gone, and so are names in directories that were not.
    /// (Rings and segments are the crash enumerator's.)
    pub(crate) fn power_cut(mut self) -> Files {
        for path in &self.unsynced {
            if let Some(Some(bytes)) = self.files.get_mut(path) {
                bytes.clear();
            }
        }
        for path in &self.unnamed {
            let below = format!("{path}/");
            self.files
                .retain(|name, _| name != path && !name.starts_with(&below));
        }
        self.files
    }

    fn dead(&self) -> bool {
        self.die_at.is_some_and(|at| self.operations >= at)
    }

    /// Goes on until nothing is left to do.
    pub(crate) fn run(&mut self) {
        loop {
            let mut touched = Vec::new();
            let mut out = Vec::new();
            while let Some((id, event)) = self.queue.pop_front() {
                self.turn += 1;
                let mut dice = Dice::default();
                dice.0[..8].copy_from_slice(&self.turn.to_be_bytes());
                let step = Step {
                    now: self.now,
                    dice,
                    event,
                };
                self.shards[usize::from(id.0)].step(step, &mut out);
                touched.push(id);
                self.carry_out(id, &mut out);
                if self.dead() {
                    return;
                }
            }
            touched.sort_unstable();
            touched.dedup();
            for id in touched {
                self.shards[usize::from(id.0)].flush(self.now, &mut out);
                self.carry_out(id, &mut out);
            }
            if self.queue.is_empty() || self.dead() {
                return;
            }
        }
    }

    fn carry_out(&mut self, id: ShardId, out: &mut Vec<Effect>) {
        for effect in out.drain(..) {
            if self.dead() {
                return;
            }
            match effect {
                Effect::File(..) if self.hang == Some(id) => {}
                Effect::File(ticket, op) => {
                    if self.slow {
                        self.held.push_back((id, ticket, op));
                        continue;
                    }
                    self.operations += 1;
                    let outcome = self.file(&op);
                    self.queue.push_back((id, Event::Done(ticket, outcome)));
                }
                Effect::Serve(waiter, plan, answer) => {
                    let served = self.serve(waiter, &plan, answer);
                    self.queue
                        .push_back((id, Event::Served(waiter, plan, served)));
                }
                Effect::Reply(waiter, response) => {
                    self.replies.entry(waiter).or_default().push(response)
                }
                Effect::Image(image) => {
                    self.image = Some(image.clone());
                    for shard in 0..self.shards.len() {
                        self.queue
                            .push_back((ShardId(shard as u16), Event::Image(image.clone())));
                    }
                }
                Effect::AskSpace => {
                    let free = self.free;
                    self.queue.push_back((id, Event::Space(free)));
                }
                Effect::Wake(key, deadline) => self.alarms.set(id, key, deadline),
                Effect::Pass(to, event) => self.queue.push_back((to, event)),
                Effect::Hold(_) => {}
                Effect::Tell(line) => self.lines.push(line),
            }
        }
    }

    fn serve(&mut self, waiter: Waiter, plan: &ReadPlan, mut answer: FetchAnswer) -> Served {
        for (index, place) in plan.places.iter().enumerate() {
            let file = &plan.files[usize::from(place.file)];
            let bytes = match self.read(file, place.at, place.len) {
                Outcome::Bytes(bytes) => bytes,
                Outcome::Failed(fault) => return Served::Unreadable(index, fault),
                _ => unreachable!(),
            };
            if crate::log::checksum(plan.log, &bytes) != place.checksum {
                return Served::Rotten(index);
            }
            answer.records.push(bytes);
        }
        self.replies
            .entry(waiter)
            .or_default()
            .push(Response::Fetch(answer));
        Served::Whole
    }

    fn read(&self, file: &FileName, at: u64, len: u32) -> Outcome {
        match self.files.get(&file.to_string()) {
            Some(Some(bytes)) => {
                let at = (at as usize).min(bytes.len());
                let end = (at + len as usize).min(bytes.len());
                Outcome::Bytes(Bytes::copy_from_slice(&bytes[at..end]))
            }
            _ => absent(),
        }
    }

    fn file(&mut self, op: &FileOp) -> Outcome {
        if let Some(fault) = self.fault.and_then(|fault| fault(op)) {
            return Outcome::Failed(fault);
        }
        match op {
            FileOp::Put {
                file: file @ (FileName::Named(_) | FileName::Checkpoint { .. }),
                ..
            } => {
                let path = file.to_string();
                if !self.files.contains_key(&path) {
                    self.unnamed.insert(path.clone());
                }
                self.unsynced.insert(path);
            }
            FileOp::MakeDir(dir) if !self.files.contains_key(&dir.to_string()) => {
                self.unnamed.insert(dir.to_string());
            }
            FileOp::Sync(file) => drop(self.unsynced.remove(&file.to_string())),
            FileOp::SyncDir(dir) => {
                let dir = dir.to_string();
                let parent = |path: &String| path.rfind('/').map_or("", |at| &path[..at]) == dir;
                self.unnamed.retain(|path| !parent(path));
            }
            FileOp::SyncAll => {
                self.unsynced.clear();
                self.unnamed.clear();
            }
            FileOp::Rename { from, to } => {
                self.unnamed.remove(&from.to_string());
                if self.unsynced.remove(&from.to_string()) {
                    self.unsynced.insert(to.to_string());
                }
            }
            _ => {}
        }
        match op {
            FileOp::Alloc { file, len } => {
                self.files
                    .insert(file.to_string(), Some(vec![0; *len as usize]));
            }
            FileOp::Put {
                file, at, pieces, ..
            } => {
                let bytes = self
                    .files
                    .entry(file.to_string())
                    .or_insert_with(|| Some(Vec::new()));
                let bytes = bytes.as_mut().expect("a file, not a directory");
                let mut at = *at as usize;
                for piece in pieces {
                    let piece = match piece {
                        Piece::Bytes(bytes) => bytes.to_vec(),
                        Piece::Batch(batch, stamp) => {
                            let mut batch = batch.to_vec();
                            sawlog_wire::records::batch::stamp(
                                &mut batch,
                                stamp.base.0,
                                stamp.epoch.0,
                            );
                            batch
                        }
                        Piece::Zeros(len) => vec![0; *len],
                    };
                    if bytes.len() < at + piece.len() {
                        bytes.resize(at + piece.len(), 0);
                    }
                    bytes[at..at + piece.len()].copy_from_slice(&piece);
                    at += piece.len();
                }
            }
            FileOp::Sync(_) | FileOp::SyncDir(_) | FileOp::SyncAll => {}
            FileOp::Cut { file, len } => match self.files.get_mut(&file.to_string()) {
                Some(Some(bytes)) => bytes.truncate(*len as usize),
                _ => return absent(),
            },
            FileOp::Rename { from, to } => {
                let (from, to) = (from.to_string(), to.to_string());
                let Some(moved) = self.files.remove(&from) else {
                    return absent();
                };
                self.files.insert(to.clone(), moved);
                let below: Vec<String> = self
                    .files
                    .keys()
                    .filter(|path| path.starts_with(&format!("{from}/")))
                    .cloned()
                    .collect();
                for path in below {
                    let bytes = self.files.remove(&path).expect("listed");
                    self.files.insert(path.replacen(&from, &to, 1), bytes);
                }
            }
            FileOp::Unlink(file) => {
                self.files.remove(&file.to_string());
            }
            FileOp::MakeDir(dir) => {
                self.files.entry(dir.to_string()).or_insert(None);
            }
            FileOp::RemoveDir(dir) => {
                let dir = dir.to_string();
                self.files
                    .retain(|path, _| *path != dir && !path.starts_with(&format!("{dir}/")));
            }
            FileOp::Read { file, at, len } | FileOp::Reread { file, at, len } => {
                return self.read(file, *at, *len);
            }
            FileOp::List(dir) => {
                let dir = dir.to_string();
                if !dir.is_empty() && !self.files.contains_key(&dir) {
                    return absent();
                }
                let prefix = if dir.is_empty() {
                    String::new()
                } else {
                    format!("{dir}/")
                };
                let entries = self.files.iter().filter_map(|(path, bytes)| {
                    let name = path.strip_prefix(&prefix)?;
                    (!name.is_empty() && !name.contains('/')).then(|| Entry {
                        name: name.into(),
                        len: bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
                        dir: bytes.is_none(),
                    })
                });
                return Outcome::Listing(entries.collect());
            }
        }
        Outcome::Done
    }

    // ---- What clients do.

    pub(crate) fn waiter(&mut self) -> Waiter {
        self.asked += 1;
        let conn = ConnId {
            shard: ShardId(0),
            number: 1,
        };
        Waiter {
            conn,
            request: self.asked,
            part: 0,
        }
    }

    pub(crate) fn ask(&mut self, shard: ShardId, part: Part) -> Waiter {
        let waiter = self.waiter();
        self.give(shard, Event::Ask(waiter, part));
        waiter
    }

    /// Asks and goes on; exactly one answer must have come.
    pub(crate) fn answer(&mut self, shard: ShardId, part: Part) -> Response {
        let waiter = self.ask(shard, part);
        self.run();
        let mut replies = self.replies.remove(&waiter).unwrap_or_default();
        assert_eq!(replies.len(), 1, "{replies:?}");
        replies.remove(0)
    }

    pub(crate) fn create(&mut self, request: CreateTopicsRequest) -> CreateTopicsResponse {
        let deadline = self.after(30_000);
        match self.answer(
            ShardId(0),
            command(Command::CreateTopics(request), deadline),
        ) {
            Response::Command(answer) => match *answer {
                Commanded::CreateTopics(response) => response,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    /// What a command is answered.
    pub(crate) fn command(&mut self, what: Command) -> Commanded {
        let deadline = self.after(30_000);
        match self.answer(ShardId(0), command(what, deadline)) {
            Response::Command(answer) => *answer,
            other => panic!("{other:?}"),
        }
    }

    /// Deletes topics by name, and says what became of each.
    pub(crate) fn delete(&mut self, names: &[&str]) -> Vec<Code> {
        let request = DeleteTopicsRequest {
            topic_names: names.iter().map(ToString::to_string).collect(),
            ..Default::default()
        };
        match self.command(Command::DeleteTopics(request)) {
            Commanded::DeleteTopics(response) => response
                .responses
                .iter()
                .map(|row| row.error_code.code().unwrap())
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    /// Lets a log start later.
    pub(crate) fn trim(&mut self, log: LogId, to: Option<i64>) -> (Code, Offset) {
        let (deadline, to) = (self.after(30_000), to.map(Offset));
        let part = Part::Trim(TrimPart { log, to, deadline });
        match self.answer(self.owner(log), part) {
            Response::Trimmed { code, start } => (code, start),
            other => panic!("{other:?}"),
        }
    }

    /// Creates one topic by default.
    pub(crate) fn create_one(&mut self, name: &str, partitions: i32) -> TopicId {
        let response = self.create(CreateTopicsRequest {
            topics: vec![topic(name, partitions)],
            ..Default::default()
        });
        assert_eq!(response.topics[0].error_code, Code::None, "{response:?}");
        TopicId(response.topics[0].topic_id)
    }

    pub(crate) fn after(&self, millis: u64) -> Deadline {
        Deadline(Mono(self.now.mono.0 + millis * 1_000_000))
    }

    pub(crate) fn owner(&self, log: LogId) -> ShardId {
        log.owner(self.shards())
    }

    pub(crate) fn produce_part(&self, log: LogId, acks: Acks, bytes: Bytes) -> Part {
        let batch = BatchHeader::parse(&bytes).expect("a batch of our own");
        Part::Append(AppendPart {
            log,
            acks,
            deadline: self.after(30_000),
            batch,
            bytes,
        })
    }

    pub(crate) fn produce(&mut self, log: LogId, bytes: Bytes) -> AppendAnswer {
        let part = self.produce_part(log, Acks::All, bytes);
        match self.answer(self.owner(log), part) {
            Response::Append(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn fetch(&mut self, log: LogId, from: i64) -> FetchAnswer {
        let part = FetchPart {
            log,
            from: Offset(from),
            epoch: None,
            last_epoch: None,
            isolation: Isolation::ReadUncommitted,
            max_bytes: 1 << 20,
            at_least_one: true,
        };
        match self.answer(self.owner(log), Part::Fetch(part)) {
            Response::Fetch(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn find(&mut self, log: LogId, find: Find) -> FindAnswer {
        match self.answer(
            self.owner(log),
            Part::Find(FindPart {
                log,
                epoch: None,
                find,
            }),
        ) {
            Response::Find(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn producer_id(&mut self) -> i64 {
        match self.answer(ShardId(0), Part::ProducerId(ProducerIdPart { had: None })) {
            Response::ProducerId {
                code: Code::None,
                id,
                ..
            } => id.0,
            other => panic!("{other:?}"),
        }
    }
}

fn absent() -> Outcome {
    Outcome::Failed(Fault {
        kind: FaultKind::Absent,
        text: "no such file".into(),
    })
}

pub(crate) fn topic(name: &str, partitions: i32) -> CreatableTopic {
    CreatableTopic {
        name: name.into(),
        num_partitions: partitions,
        replication_factor: -1,
        ..Default::default()
    }
}

pub(crate) fn log(topic: TopicId, partition: i32) -> LogId {
    LogId {
        topic,
        partition: PartitionId(partition),
    }
}

/// A batch of these values; of an idempotent producer, if one is named by (id, epoch, sequence).
pub(crate) fn batch(values: &[&str], producer: Option<(i64, i16, i32)>) -> Bytes {
    let mut builder = BatchBuilder::new(Codec::None);
    if let Some((id, epoch, sequence)) = producer {
        builder = builder.producer(id, epoch, sequence);
    }
    for value in values {
        let record = NewRecord {
            timestamp: 1_700_000_000_000,
            key: None,
            value: Some(value.as_bytes()),
            headers: &[],
        };
        builder.push(record).expect("small");
    }
    Bytes::from(builder.build().expect("small"))
}
