//! Commands to the controller: decided at once, answered when they are true for every client on every connection.
//! Decides who is answered when, and how it is said that nobody knows; never what a command changes (`controller`).
//! Holds #43 and #114.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sawlog_wire::Code;
use sawlog_wire::messages::{
    AlterConfigsResponse, CreatePartitionsResponse, CreateTopicsResponse, DeleteTopicsResponse,
    IncrementalAlterConfigsResponse, alter_configs, create_partitions, create_topics,
    delete_topics, incremental_alter_configs,
};

use crate::answer::{Command, CommandPart, Commanded, Response};
use crate::controller::{Ask, Reply};
use crate::effect::Effect;
use crate::ids::{Offset, Waiter};
use crate::log::AppendRefusal;
use crate::machine::{Decision, Machine};
use crate::node::head::Then;
use crate::node::life::Running;
use crate::now::{Deadline, Now};
use crate::proof;

/// A command that is decided and not answered yet.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(super) waiter: Waiter,
    /// Answered when this is committed and every shard has opened it.
    end: Offset,
    deadline: Deadline,
    answer: Box<Commanded>,
}

impl Running {
    /// Takes a command in.
    pub(crate) fn command(
        &mut self,
        now: Now,
        waiter: Waiter,
        part: CommandPart,
        out: &mut Vec<Effect>,
    ) {
        let CommandPart {
            command,
            deadline,
            from,
        } = part;
        let Some(head) = &self.head else {
            let why = "this shard has no controller";
            out.push(refusal(waiter, &command, Code::NotController, why));
            return;
        };
        let ask = Ask::Command(Box::new(command), from, self.dice);
        let Decision { log, reply } = head.controller.decide(now, &ask);
        let (Ask::Command(command, ..), Reply::Command(answer)) = (ask, reply) else {
            return;
        };
        // What was seen may itself not be committed yet: a refusal waits for that, like a promise.
        let seen = head.seen();
        let end = if log.is_empty() {
            Ok(seen)
        } else {
            self.propose(now, log, Then::Nothing)
        };
        match end {
            Ok(end) => {
                if let Some(head) = &mut self.head {
                    head.commands.push(Waiting {
                        waiter,
                        end,
                        deadline,
                        answer,
                    });
                }
                self.late_by(deadline);
                self.commanded(out);
            }
            Err(AppendRefusal::TooLarge { .. }) => {
                let why = "the commit log of this file system cannot carry so many records at once";
                out.push(refusal(waiter, &command, Code::PolicyViolation, why));
            }
            Err(AppendRefusal::NoSpace) => {
                let why = "the disk is full";
                out.push(refusal(waiter, &command, Code::KafkaStorageError, why));
            }
            Err(_) => {
                let why = "the metadata log takes no records now";
                out.push(refusal(waiter, &command, Code::KafkaStorageError, why));
            }
        }
    }

    /// Answers whose commands are committed and carried out everywhere.
    pub(super) fn commanded(&mut self, out: &mut Vec<Effect>) {
        let shards = self.shards;
        let Some(head) = &mut self.head else { return };
        if head.commands.is_empty() {
            return;
        }
        let open = head.opened_by_all(shards);
        let early = proof::mutant("command-answered-uncommitted");
        let (done, waiting) = core::mem::take(&mut head.commands)
            .into_iter()
            .partition(|waiting: &Waiting| waiting.end <= open || early);
        head.commands = waiting;
        out.extend(
            done.into_iter()
                .map(|done| Effect::Reply(done.waiter, Response::Command(done.answer))),
        );
    }

    /// Answers those whose deadline has passed: what they want may still come to be (#114).
    pub(super) fn expire_metadata(&mut self, now: Now, out: &mut Vec<Effect>) -> Option<Deadline> {
        let head = self.head.as_mut()?;
        let (late, waiting) = core::mem::take(&mut head.commands)
            .into_iter()
            .partition(|waiting: &Waiting| waiting.deadline.passed(now));
        head.commands = waiting;
        out.extend(late.into_iter().map(timed_out));
        head.commands.iter().map(|waiting| waiting.deadline).min()
    }

    pub(super) fn abandon_commands(&mut self, out: &mut Vec<Effect>) {
        if let Some(head) = &mut self.head {
            out.extend(
                core::mem::take(&mut head.commands)
                    .into_iter()
                    .map(timed_out),
            );
        }
    }
}

fn timed_out(waiting: Waiting) -> Effect {
    Effect::Reply(
        waiting.waiter,
        Response::Command(Box::new(unknown(*waiting.answer))),
    )
}

fn refusal(waiter: Waiter, command: &Command, code: Code, why: &str) -> Effect {
    Effect::Reply(waiter, refused(command, code, why))
}

/// The same answer for everything that a command names.
pub(crate) fn refused(command: &Command, code: Code, why: &str) -> Response {
    let why = || Some(why.to_string());
    let answer = match command {
        Command::CreateTopics(request) => {
            let row = |topic: &create_topics::CreatableTopic| create_topics::CreatableTopicResult {
                name: topic.name.clone(),
                error_code: code.into(),
                error_message: why(),
                ..Default::default()
            };
            Commanded::CreateTopics(CreateTopicsResponse {
                topics: request.topics.iter().map(row).collect(),
                ..Default::default()
            })
        }
        Command::DeleteTopics(request) => {
            let row = |name: Option<String>, topic_id| delete_topics::DeletableTopicResult {
                name,
                topic_id,
                error_code: code.into(),
                error_message: why(),
                ..Default::default()
            };
            let named = request
                .topic_names
                .iter()
                .map(|name| row(Some(name.clone()), Default::default()));
            let states = request
                .topics
                .iter()
                .map(|topic| row(topic.name.clone(), topic.topic_id));
            Commanded::DeleteTopics(DeleteTopicsResponse {
                responses: named.chain(states).collect(),
                ..Default::default()
            })
        }
        Command::CreatePartitions(request) => {
            let row = |topic: &create_partitions::CreatePartitionsTopic| {
                create_partitions::CreatePartitionsTopicResult {
                    name: topic.name.clone(),
                    error_code: code.into(),
                    error_message: why(),
                    ..Default::default()
                }
            };
            Commanded::CreatePartitions(CreatePartitionsResponse {
                results: request.topics.iter().map(row).collect(),
                ..Default::default()
            })
        }
        Command::AlterConfigs(request) => {
            let row = |resource: &alter_configs::AlterConfigsResource| {
                alter_configs::AlterConfigsResourceResponse {
                    error_code: code.into(),
                    error_message: why(),
                    resource_type: resource.resource_type,
                    resource_name: resource.resource_name.clone(),
                    ..Default::default()
                }
            };
            Commanded::AlterConfigs(AlterConfigsResponse {
                responses: request.resources.iter().map(row).collect(),
                ..Default::default()
            })
        }
        Command::IncrementalAlterConfigs(request) => {
            let row = |resource: &incremental_alter_configs::AlterConfigsResource| {
                incremental_alter_configs::AlterConfigsResourceResponse {
                    error_code: code.into(),
                    error_message: why(),
                    resource_type: resource.resource_type,
                    resource_name: resource.resource_name.clone(),
                    ..Default::default()
                }
            };
            Commanded::IncrementalAlterConfigs(IncrementalAlterConfigsResponse {
                responses: request.resources.iter().map(row).collect(),
                ..Default::default()
            })
        }
    };
    Response::Command(Box::new(answer))
}

/// What was not refused may still happen.
fn unknown(mut answer: Commanded) -> Commanded {
    macro_rules! late {
        ($rows:expr, $what:literal) => {
            for row in $rows.iter_mut().filter(|row| row.error_code.is_none()) {
                row.error_code = Code::RequestTimedOut.into();
                row.error_message = Some(String::from(concat!(
                    $what,
                    " is decided, but was not everywhere in time; it may still come"
                )));
            }
        };
    }
    match &mut answer {
        Commanded::CreateTopics(answer) => {
            late!(answer.topics, "the topic");
            // What it would have is not said of a topic that may not come.
            for topic in &mut answer.topics {
                let (name, code) = (core::mem::take(&mut topic.name), topic.error_code);
                let error_message = topic.error_message.take();
                *topic = create_topics::CreatableTopicResult {
                    name,
                    error_code: code,
                    error_message,
                    ..Default::default()
                };
            }
        }
        Commanded::DeleteTopics(answer) => late!(answer.responses, "the deletion"),
        Commanded::CreatePartitions(answer) => late!(answer.results, "the change"),
        Commanded::AlterConfigs(answer) => late!(answer.responses, "the change"),
        Commanded::IncrementalAlterConfigs(answer) => late!(answer.responses, "the change"),
    }
    answer
}
