//! A client that changes what others rely on: it deletes a topic and makes it again under the same name, grows it, trims
//! logs, alters settings and bounds what is kept. Decides what it may believe of the answers; each life of its topic has
//! a name of its own in the history, so that what comes back from an earlier one shows (#40, #45), and what a trim took
//! (#5, #95).

use bytes::Bytes;
use sawlog_core::proof;
use sawlog_wire::messages::create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic};
use sawlog_wire::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use sawlog_wire::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use sawlog_wire::messages::delete_topics::DeleteTopicsRequest;
use sawlog_wire::messages::fetch::FetchRequest;
use sawlog_wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use sawlog_wire::messages::list_offsets::ListOffsetsRequest;
use sawlog_wire::messages::produce::ProduceRequest;
use sawlog_wire::{Code, ErrorCode};

use crate::client::admin::there;
use crate::client::consumer::{FETCH_VERSION, LIST_VERSION, earliest, fetch, read_items};
use crate::client::producer::{PRODUCE_VERSION, batch_of, definite, produce};
use crate::client::{Base, Client, Target, Want, answer, correlation_of};
use crate::history::{CORRUPT, Ev, Item, Op};
use crate::rng::Rng;

const CREATE_VERSION: i16 = 5;
const DELETE_VERSION: i16 = 5;
const GROW_VERSION: i16 = 2;
const TRIM_VERSION: i16 = 2;
const ALTER_VERSION: i16 = 1;
/// Its topic.
pub const TOPIC: &str = "gone";
const PARTITIONS_MAX: i32 = 4;
/// What bounds the size of a log.
const KEEP: &str = "retention.bytes";
/// What was asked for on a connection that is gone may still be done: before it asks again it waits until it was.
const LATE: u64 = 400_000_000;

/// See the file's head.
#[derive(Debug)]
pub struct Changer {
    pub(super) base: Base,
    targets: Vec<Target>,
    /// Where each target starts, as far as it was told.
    low: Vec<i64>,
    powers: Powers,
    /// Targets of which it asks where they start now: it lost its connection, and the broker may have lost more.
    doubt: usize,
    stage: Stage,
    generation: u64,
    partitions: i32,
    /// Steps left in this life of the topic.
    left: u64,
    next_value: u64,
    asked: Option<Asked>,
    /// Where the last reading is.
    reading: (i32, i64),
    /// It begins nothing new, reads its topic to the end, and is done.
    pub quiet: bool,
    /// What it asks from now on is the last reading; what it asked before is not.
    turning: bool,
    done: bool,
    rest: u64,
    pace: u64,
}

/// What it may do besides.
#[derive(Clone, Copy, Debug)]
pub struct Powers {
    /// Trim the logs of others: so many times in a thousand.
    pub trims: u64,
    /// Have the broker keep so much of them only.
    pub retains: bool,
    /// Alter the durability of their topics: only where the power stays.
    pub durability: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Absent,
    /// Asked for; not known to be there.
    Coming,
    There,
    /// Its deletion is asked for; not known to be gone.
    Going,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Task {
    Create,
    Delete,
    Grow(i32),
    Send,
    Poll(i32, i64),
    Trim(usize),
    Starts(usize),
    Alter,
}

#[derive(Debug)]
struct Asked {
    task: Task,
    correlation: i32,
    operation: u64,
    items: Vec<Item>,
}

impl Client {
    /// One that changes topics about every `pace` nanoseconds; values are unique from `values` on.
    pub fn changer(
        base: Base,
        targets: Vec<Target>,
        powers: Powers,
        pace: u64,
        values: u64,
    ) -> Client {
        let low = vec![0; targets.len()];
        Client::Changer(Box::new(Changer {
            base,
            targets,
            low,
            powers,
            doubt: 0,
            stage: Stage::Absent,
            generation: 0,
            partitions: 0,
            left: 0,
            next_value: values,
            asked: None,
            reading: (0, 0),
            quiet: false,
            turning: false,
            done: false,
            rest: 0,
            pace,
        }))
    }
}

impl Changer {
    /// Whether it has nothing left to wait for.
    pub fn drained(&self) -> bool {
        !self.quiet || self.done
    }

    /// The last reading is another process's.
    pub fn rest(&mut self) {
        if !self.quiet {
            self.quiet = true;
            self.turning = true;
        }
    }

    fn label(&self, partition: i32) -> String {
        format!("{TOPIC}-{partition}@{}", self.generation)
    }

    fn topic_item(&self, partitions: i32) -> Item {
        Item {
            partition: TOPIC.to_owned(),
            offset: Some(i64::from(partitions)),
            value: self.generation,
        }
    }

    fn next_task(&mut self, rng: &mut Rng) -> Option<Task> {
        if let Some(target) = self.doubt.checked_sub(1) {
            self.doubt = target;
            return Some(Task::Starts(target));
        }
        match self.stage {
            // What is half done is done first.
            Stage::Coming => return Some(Task::Create),
            Stage::Going => return Some(Task::Delete),
            Stage::There if self.quiet => {
                let (partition, offset) = self.reading;
                return (partition < self.partitions).then_some(Task::Poll(partition, offset));
            }
            Stage::Absent if self.quiet => return None,
            Stage::Absent | Stage::There => {}
        }
        if rng.chance(self.powers.trims) {
            let target = rng.below(self.targets.len() as u64);
            return Some(Task::Trim(usize::try_from(target).unwrap_or(0)));
        }
        if rng.chance(100) {
            return Some(Task::Alter);
        }
        if self.stage == Stage::Absent {
            self.generation += 1;
            self.stage = Stage::Coming;
            self.partitions = if rng.chance(500) { 1 } else { 2 };
            self.left = rng.between(1, 12);
            self.reading = (0, 0);
            return Some(Task::Create);
        }
        self.left = self.left.saturating_sub(1);
        Some(match rng.below(10) {
            _ if self.left == 0 => {
                self.stage = Stage::Going;
                Task::Delete
            }
            0 if self.partitions < PARTITIONS_MAX => Task::Grow(self.partitions + 1),
            1 => {
                let partition = rng.below(u64::from(self.partitions.unsigned_abs()));
                Task::Poll(i32::try_from(partition).unwrap_or(0), 0)
            }
            _ => Task::Send,
        })
    }

    pub(super) fn ask(&mut self, t: u64, rng: &mut Rng, wants: &mut Vec<Want>) {
        if self.asked.is_some() || self.done {
            return;
        }
        if std::mem::take(&mut self.turning) {
            self.base.process += self.base.step;
        }
        if t < self.rest {
            return wants.push(Want::Tick(self.rest - t));
        }
        let Some(task) = self.next_task(rng) else {
            self.done = true;
            return wants.push(Want::Hang);
        };
        let (op, items, (correlation, want)) = self.request(task, rng);
        self.base.operation += 1;
        let operation = self.base.operation;
        if let Some(op) = op {
            let noted = match task {
                Task::Poll(..) | Task::Starts(_) => Vec::new(),
                _ => items.clone(),
            };
            if matches!(task, Task::Poll(..)) {
                // Each of its readings stands for itself.
                self.base.operation += 1;
                let assign = self.base.operation;
                let line = self
                    .base
                    .line(t, assign, Ev::Invoke, Op::Assign, Vec::new());
                wants.push(line);
            }
            wants.push(self.base.line(t, operation, Ev::Invoke, op, noted));
        }
        wants.push(want);
        self.asked = Some(Asked {
            task,
            correlation,
            operation,
            items,
        });
    }

    /// What the history says of a task, the records concerned, and its request.
    fn request(&mut self, task: Task, rng: &mut Rng) -> (Option<Op>, Vec<Item>, (i32, Want)) {
        let name = TOPIC.to_owned();
        match task {
            Task::Create => {
                let topic = CreatableTopic {
                    name,
                    num_partitions: self.partitions,
                    replication_factor: 1,
                    ..Default::default()
                };
                let request = CreateTopicsRequest {
                    topics: vec![topic],
                    timeout_ms: 5_000,
                    ..Default::default()
                };
                let items = vec![self.topic_item(self.partitions)];
                let asked = self.base.request(CREATE_VERSION, &request);
                (Some(Op::Create), items, asked)
            }
            Task::Delete => {
                let request = DeleteTopicsRequest {
                    topic_names: vec![name],
                    timeout_ms: 5_000,
                    ..Default::default()
                };
                let items = vec![self.topic_item(0)];
                let asked = self.base.request(DELETE_VERSION, &request);
                (Some(Op::Delete), items, asked)
            }
            Task::Grow(count) => {
                let topic = CreatePartitionsTopic {
                    name,
                    count,
                    ..Default::default()
                };
                let request = CreatePartitionsRequest {
                    topics: vec![topic],
                    timeout_ms: 5_000,
                    ..Default::default()
                };
                let items = vec![self.topic_item(count)];
                let asked = self.base.request(GROW_VERSION, &request);
                (Some(Op::Grow), items, asked)
            }
            Task::Send => {
                let partition = rng.below(u64::from(self.partitions.unsigned_abs()));
                let partition = i32::try_from(partition).unwrap_or(0);
                let count = rng.between(1, 8);
                let values: Vec<u64> = (self.next_value..self.next_value + count).collect();
                self.next_value += count;
                let item = |value: &u64| Item {
                    partition: self.label(partition),
                    offset: None,
                    value: *value,
                };
                let items = values.iter().map(item).collect();
                let target = Target {
                    topic: name,
                    partition,
                };
                let batch = batch_of(&values);
                let asked = self
                    .base
                    .request(PRODUCE_VERSION, &produce(&target, batch, -1));
                (Some(Op::Send), items, asked)
            }
            Task::Poll(partition, offset) => {
                let target = Target {
                    topic: name,
                    partition,
                };
                let asked = self.base.request(FETCH_VERSION, &fetch(&target, offset));
                (Some(Op::Poll), Vec::new(), asked)
            }
            Task::Trim(index) => self.trim(index, rng),
            Task::Starts(index) => {
                let target = self.targets.get(index).cloned();
                let target = target.unwrap_or_else(|| Target {
                    topic: String::new(),
                    partition: 0,
                });
                let item = Item {
                    partition: target.name(),
                    offset: None,
                    value: 0,
                };
                let asked = self.base.request(LIST_VERSION, &earliest(&target));
                (Some(Op::ListOffsets), vec![item], asked)
            }
            Task::Alter => self.alter(rng),
        }
    }

    fn trim(&mut self, index: usize, rng: &mut Rng) -> (Option<Op>, Vec<Item>, (i32, Want)) {
        let target = self.targets.get(index).cloned();
        let (topic, partition) =
            target.map_or_else(Default::default, |to| (to.topic, to.partition));
        let low = self.low.get(index).copied().unwrap_or(0);
        let offset = low + i64::try_from(rng.between(1, 40)).unwrap_or(1);
        let item = Item {
            partition: format!("{topic}-{partition}"),
            offset: Some(offset),
            value: 0,
        };
        let part = DeleteRecordsPartition {
            partition_index: partition,
            offset,
            ..Default::default()
        };
        let topic = DeleteRecordsTopic {
            name: topic,
            partitions: vec![part],
            ..Default::default()
        };
        let request = DeleteRecordsRequest {
            topics: vec![topic],
            timeout_ms: 5_000,
            ..Default::default()
        };
        let asked = self.base.request(TRIM_VERSION, &request);
        (Some(Op::Trim), vec![item], asked)
    }

    /// Settings that take nothing from anybody, unless the size of a log is bounded: records are stamped with 1970, and
    /// none may go for its age.
    fn alter(&mut self, rng: &mut Rng) -> (Option<Op>, Vec<Item>, (i32, Want)) {
        let mut settings = vec![
            ("retention.ms", "-1"),
            ("retention.ms", "9000000000000"),
            ("max.message.bytes", "12000"),
            ("max.message.bytes", "16000"),
        ];
        if self.powers.durability {
            settings.extend([
                ("sawlog.durability", "durable"),
                ("sawlog.durability", "replicated"),
            ]);
        }
        if self.powers.retains {
            settings.extend([
                (KEEP, "20000"),
                (KEEP, "40000"),
                (KEEP, "80000"),
                (KEEP, "-1"),
            ]);
        }
        let (name, value) = rng.pick(&settings).copied().unwrap_or_default();
        let topic = rng.pick(&self.targets).map(|target| target.topic.clone());
        let bounds = name == KEEP && value != "-1";
        let bounded = self
            .targets
            .iter()
            .filter(|target| bounds && topic.as_ref().is_some_and(|topic| *topic == target.topic));
        let item = |target: &Target| Item {
            partition: target.name(),
            offset: None,
            value: 0,
        };
        let bounded: Vec<Item> = bounded.map(item).collect();
        let config = AlterableConfig {
            name: name.to_owned(),
            config_operation: 0,
            value: Some(value.to_owned()),
            ..Default::default()
        };
        let resource = AlterConfigsResource {
            resource_type: 2,
            resource_name: topic.unwrap_or_default(),
            configs: vec![config],
            ..Default::default()
        };
        let request = IncrementalAlterConfigsRequest {
            resources: vec![resource],
            ..Default::default()
        };
        let asked = self.base.request(ALTER_VERSION, &request);
        (bounds.then_some(Op::Retain), bounded, asked)
    }

    pub(super) fn answered(&mut self, t: u64, frame: &Bytes, rng: &mut Rng, wants: &mut Vec<Want>) {
        let mine = |asked: &mut Asked| correlation_of(frame) == Some(asked.correlation);
        let Some(asked) = self.asked.take_if(mine) else {
            return;
        };
        let code = self.outcome(&asked, frame);
        self.rest = t + if self.quiet { 0 } else { rng.delay(self.pace) };
        let (op, ev, items) = match (asked.task, code) {
            (task, None) => {
                // Nobody knows what it means; of records, that they are not what anybody sent (#7).
                if let Task::Poll(partition, offset) = task {
                    let v = vec![Item {
                        partition: self.label(partition),
                        offset: Some(offset),
                        value: 0,
                    }];
                    let (i, e) = (asked.operation, Some(CORRUPT));
                    wants.push(self.base.line_with(t, i, Ev::Info, Op::Poll, v, e));
                }
                self.asked = Some(asked);
                return wants.push(Want::Hang);
            }
            (Task::Create, Some((code, _))) if there(code) => {
                self.stage = Stage::There;
                (Op::Create, Ev::Ok, asked.items)
            }
            (Task::Delete, Some((code, _)))
                if code.is_none() || code == Code::UnknownTopicOrPartition =>
            {
                self.stage = Stage::Absent;
                (Op::Delete, Ev::Ok, asked.items)
            }
            (Task::Grow(count), Some((code, _))) if code.is_none() => {
                self.partitions = count;
                (Op::Grow, Ev::Ok, asked.items)
            }
            (Task::Send, Some((code, items))) if code.is_none() => (Op::Send, Ev::Ok, items),
            (Task::Send, Some((code, _))) if definite(code) => (Op::Send, Ev::Fail, asked.items),
            (Task::Poll(partition, offset), Some((code, items))) => {
                self.read_on(partition, offset, code, &items);
                let ev = if code.is_none() { Ev::Ok } else { Ev::Info };
                if self.quiet && !code.is_none() {
                    self.rest = t + rng.delay(20_000_000);
                }
                (Op::Poll, ev, items)
            }
            (Task::Trim(index), Some((code, items))) if code.is_none() => {
                if let (Some(low), Some(item)) = (self.low.get_mut(index), items.first()) {
                    *low = (*low).max(item.offset.unwrap_or(0));
                }
                (Op::Trim, Ev::Ok, items)
            }
            (Task::Starts(_), Some((code, items))) if code.is_none() => {
                (Op::ListOffsets, Ev::Ok, items)
            }
            (Task::Alter, Some((code, items))) => {
                if code.is_none() {
                    proof::sometimes("setting-altered-by-a-client");
                }
                if asked.items.is_empty() {
                    return self.ask(t, rng, wants);
                }
                let ev = if code.is_none() { Ev::Ok } else { Ev::Info };
                (Op::Retain, ev, items)
            }
            (task, Some(_)) => (op_of(task), Ev::Info, asked.items),
        };
        if matches!(ev, Ev::Info) && !matches!(op, Op::Poll | Op::ListOffsets | Op::Retain) {
            self.rest = t + LATE;
        }
        wants.push(self.base.line(t, asked.operation, ev, op, items));
        self.ask(t, rng, wants);
    }

    /// The error that an answer brings, and the records or offsets in it.
    fn outcome(&self, asked: &Asked, frame: &Bytes) -> Option<(ErrorCode, Vec<Item>)> {
        match asked.task {
            Task::Create => {
                let answer = answer::<CreateTopicsRequest>(frame, CREATE_VERSION).ok()?;
                Some((answer.topics.first()?.error_code, Vec::new()))
            }
            Task::Delete => {
                let answer = answer::<DeleteTopicsRequest>(frame, DELETE_VERSION).ok()?;
                Some((answer.responses.first()?.error_code, Vec::new()))
            }
            Task::Grow(_) => {
                let answer = answer::<CreatePartitionsRequest>(frame, GROW_VERSION).ok()?;
                Some((answer.results.first()?.error_code, Vec::new()))
            }
            Task::Send => {
                let answer = answer::<ProduceRequest>(frame, PRODUCE_VERSION).ok()?;
                let part = answer.responses.first()?.partition_responses.first()?;
                let offsets = part.base_offset..;
                let placed = asked.items.iter().zip(offsets).map(|(item, offset)| Item {
                    offset: Some(offset),
                    ..item.clone()
                });
                Some((part.error_code, placed.collect()))
            }
            Task::Poll(partition, offset) => {
                let answer = answer::<FetchRequest>(frame, FETCH_VERSION).ok()?;
                let part = answer.responses.first()?.partitions.first()?;
                let mut from = offset;
                let items = read_items(&self.label(partition), &mut from, part.records.clone())?;
                Some((part.error_code, items))
            }
            Task::Trim(_) => {
                let answer = answer::<DeleteRecordsRequest>(frame, TRIM_VERSION).ok()?;
                let part = answer.topics.first()?.partitions.first()?;
                let low = |item: &Item| Item {
                    offset: Some(part.low_watermark),
                    ..item.clone()
                };
                Some((part.error_code, asked.items.iter().map(low).collect()))
            }
            Task::Starts(_) => {
                let answer = answer::<ListOffsetsRequest>(frame, LIST_VERSION).ok()?;
                let part = answer.topics.first()?.partitions.first()?;
                let start = |item: &Item| Item {
                    offset: Some(part.offset),
                    ..item.clone()
                };
                Some((part.error_code, asked.items.iter().map(start).collect()))
            }
            Task::Alter => {
                let answer = answer::<IncrementalAlterConfigsRequest>(frame, ALTER_VERSION);
                let answer = answer.ok()?;
                Some((answer.responses.first()?.error_code, asked.items.clone()))
            }
        }
    }

    /// The last reading goes on behind what was read; a partition that cannot be read is left.
    fn read_on(&mut self, partition: i32, offset: i64, code: ErrorCode, items: &[Item]) {
        if !self.quiet || self.turning || self.reading != (partition, offset) {
            return;
        }
        let last = items.last().and_then(|item| item.offset);
        self.reading = match last {
            Some(last) => (partition, last + 1),
            None if code.is_none() || code == Code::KafkaStorageError => (partition + 1, 0),
            None => (partition, offset),
        };
    }

    pub(super) fn cut(&mut self, t: u64, wants: &mut Vec<Want>) {
        if self.powers.trims > 0 {
            self.doubt = self.targets.len();
        }
        let Some(asked) = self.asked.take() else {
            return;
        };
        self.rest = t + LATE;
        if asked.task != Task::Alter || !asked.items.is_empty() {
            let (op, items) = (op_of(asked.task), asked.items);
            wants.push(self.base.line(t, asked.operation, Ev::Info, op, items));
        }
    }
}

fn op_of(task: Task) -> Op {
    match task {
        Task::Create => Op::Create,
        Task::Delete => Op::Delete,
        Task::Grow(_) => Op::Grow,
        Task::Send => Op::Send,
        Task::Poll(..) => Op::Poll,
        Task::Starts(_) => Op::ListOffsets,
        Task::Trim(_) => Op::Trim,
        Task::Alter => Op::Retain,
    }
}
