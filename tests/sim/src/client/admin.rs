//! Clients that create and list topics: by CreateTopics, and by Metadata with auto-creation. Decides what may be believed
//! of a topic; a topic that was answered for must be listed at the end (#39, #41).

use bytes::Bytes;
use sawlog_wire::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use sawlog_wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use sawlog_wire::{Code, ErrorCode};

use crate::client::{Base, Client, Want, answer, correlation_of};
use crate::history::{Ev, Item, Op};
use crate::rng::Rng;

const CREATE_VERSION: i16 = 5;
const METADATA_VERSION: i16 = 9;
/// A keeper creates no more than this: every start reads them all.
const TOPICS_MAX: u64 = 24;

/// Creates the topics that others send to.
#[derive(Debug)]
pub struct Admin {
    pub(super) base: Base,
    topics: Vec<(String, i32, bool)>,
    /// Whether all of them exist.
    pub done: bool,
}

/// Creates a small topic now and then, so that the metadata log is never at rest.
#[derive(Debug)]
pub struct Keeper {
    pub(super) base: Base,
    /// The topic asked for, by which request, and whether by Metadata.
    asked: Option<(u64, i32, bool)>,
    made: u64,
    /// It begins nothing new.
    pub quiet: bool,
    rest: u64,
    pace: u64,
}

/// Lists all topics once.
#[derive(Debug)]
pub struct Lister {
    pub(super) base: Base,
    /// Whether it has the list.
    pub done: bool,
}

impl Client {
    /// One that creates topics: name, partitions, whether `replicated`.
    pub fn admin(base: Base, topics: Vec<(String, i32, bool)>) -> Client {
        Client::Admin(Admin {
            base,
            topics,
            done: false,
        })
    }

    /// One that creates a topic about every `pace` nanoseconds.
    pub fn keeper(base: Base, pace: u64) -> Client {
        Client::Keeper(Keeper {
            base,
            asked: None,
            made: 0,
            quiet: false,
            rest: 0,
            pace,
        })
    }

    /// One that lists all topics.
    pub fn lister(base: Base) -> Client {
        Client::Lister(Lister { base, done: false })
    }
}

impl Admin {
    pub(super) fn ask(&mut self, wants: &mut Vec<Want>) {
        let topic = |(name, partitions, replicated): &(String, i32, bool)| {
            let mut configs = vec![("max.message.bytes", "12000")];
            if *replicated {
                configs.push(("sawlog.durability", "replicated"));
            }
            let config = |(name, value): (&str, &str)| CreatableTopicConfig {
                name: name.into(),
                value: Some(value.into()),
                ..Default::default()
            };
            CreatableTopic {
                name: name.clone(),
                num_partitions: *partitions,
                replication_factor: 1,
                configs: configs.into_iter().map(config).collect(),
                ..Default::default()
            }
        };
        let topics = self.topics.iter().map(topic).collect();
        let request = CreateTopicsRequest {
            topics,
            timeout_ms: 5_000,
            ..Default::default()
        };
        let (_, want) = self.base.request(CREATE_VERSION, &request);
        wants.push(want);
    }

    pub(super) fn answered(&mut self, frame: &Bytes, rng: &mut Rng, wants: &mut Vec<Want>) {
        match answer::<CreateTopicsRequest>(frame, CREATE_VERSION) {
            Ok(answer) if answer.topics.iter().all(|topic| there(topic.error_code)) => {
                self.done = true;
                wants.push(Want::Hang);
            }
            _ => wants.push(Want::Tick(rng.delay(20_000_000))),
        }
    }
}

pub(super) fn there(code: ErrorCode) -> bool {
    code.is_none() || code == Code::TopicAlreadyExists
}

/// A topic as the history names it: the name stands where a record's partition does, the number of its partitions, where
/// that is known, where an offset does.
fn item(name: String) -> Item {
    Item {
        partition: name,
        offset: None,
        value: 0,
    }
}

fn name_of(number: u64) -> String {
    format!("small{number}")
}

impl Keeper {
    /// Whether no answer is awaited.
    pub fn drained(&self) -> bool {
        self.asked.is_none()
    }

    pub(super) fn ask(&mut self, t: u64, rng: &mut Rng, wants: &mut Vec<Want>) {
        if self.asked.is_some() || self.quiet || self.made >= TOPICS_MAX {
            return;
        }
        if t < self.rest {
            return wants.push(Want::Tick(self.rest - t));
        }
        // What was not answered for is asked for again under the same name, half of the time.
        if self.made == 0 || rng.chance(900) {
            self.made += 1;
        }
        let by_metadata = rng.chance(300);
        let name = name_of(self.made);
        let (correlation, want) = if by_metadata {
            let topic = MetadataRequestTopic {
                name: Some(name.clone()),
                ..Default::default()
            };
            let request = MetadataRequest {
                topics: Some(vec![topic]),
                allow_auto_topic_creation: true,
                ..Default::default()
            };
            self.base.request(METADATA_VERSION, &request)
        } else {
            let topic = CreatableTopic {
                name: name.clone(),
                num_partitions: 1,
                replication_factor: 1,
                ..Default::default()
            };
            let request = CreateTopicsRequest {
                topics: vec![topic],
                timeout_ms: 5_000,
                ..Default::default()
            };
            self.base.request(CREATE_VERSION, &request)
        };
        self.asked = Some((self.made, correlation, by_metadata));
        self.base.operation += 1;
        let operation = self.base.operation;
        let line = self
            .base
            .line(t, operation, Ev::Invoke, Op::Create, vec![item(name)]);
        wants.extend([line, want]);
    }

    pub(super) fn answered(&mut self, t: u64, frame: &Bytes, rng: &mut Rng, wants: &mut Vec<Want>) {
        let Some((number, _, by_metadata)) = self
            .asked
            .take_if(|(_, correlation, _)| correlation_of(frame) == Some(*correlation))
        else {
            return;
        };
        let made = if by_metadata {
            answer::<MetadataRequest>(frame, METADATA_VERSION).is_ok_and(|answer| {
                let whole = |code: ErrorCode, parts: usize| code.is_none() && parts > 0;
                let mut topics = answer.topics.iter();
                topics.any(|topic| whole(topic.error_code, topic.partitions.len()))
            })
        } else {
            answer::<CreateTopicsRequest>(frame, CREATE_VERSION)
                .is_ok_and(|answer| answer.topics.iter().any(|topic| there(topic.error_code)))
        };
        let ev = if made { Ev::Ok } else { Ev::Info };
        let (operation, v) = (self.base.operation, vec![item(name_of(number))]);
        wants.push(self.base.line(t, operation, ev, Op::Create, v));
        self.rest = t + rng.delay(self.pace);
        wants.push(Want::Tick(self.rest - t));
    }

    pub(super) fn cut(&mut self, t: u64, wants: &mut Vec<Want>) {
        if let Some((number, ..)) = self.asked.take() {
            let (operation, v) = (self.base.operation, vec![item(name_of(number))]);
            wants.push(self.base.line(t, operation, Ev::Info, Op::Create, v));
        }
    }
}

impl Lister {
    pub(super) fn ask(&mut self, wants: &mut Vec<Want>) {
        let request = MetadataRequest {
            topics: None,
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let (_, want) = self.base.request(METADATA_VERSION, &request);
        wants.push(want);
    }

    pub(super) fn answered(&mut self, t: u64, frame: &Bytes, rng: &mut Rng, wants: &mut Vec<Want>) {
        let Ok(answer) = answer::<MetadataRequest>(frame, METADATA_VERSION) else {
            return wants.push(Want::Tick(rng.delay(20_000_000)));
        };
        let listed = answer.topics.into_iter().filter_map(|topic| {
            Some(Item {
                offset: i64::try_from(topic.partitions.len()).ok(),
                ..item(topic.name?)
            })
        });
        let v = listed.collect();
        wants.push(self.base.line(t, 1, Ev::Invoke, Op::Topics, Vec::new()));
        wants.push(self.base.line(t, 1, Ev::Ok, Op::Topics, v));
        self.done = true;
        wants.push(Want::Hang);
    }
}
