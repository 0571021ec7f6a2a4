//! What a shard would answer to a part that it refuses, for parts that no shard hears of. Decides the shape of each answer;
//! which code, and whether, a fault says.

use sawlog_core::answer::{
    AppendAnswer, Command, Commanded, FetchAnswer, FindAnswer, Part, Response,
};
use sawlog_core::file::Free;
use sawlog_core::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};
use sawlog_core::now::Wall;
use sawlog_wire::messages::alter_configs::AlterConfigsResourceResponse;
use sawlog_wire::messages::create_partitions::CreatePartitionsTopicResult;
use sawlog_wire::messages::create_topics::CreatableTopicResult;
use sawlog_wire::messages::delete_topics::DeletableTopicResult;
use sawlog_wire::messages::incremental_alter_configs as incremental;
use sawlog_wire::messages::{
    AlterConfigsResponse, CreatePartitionsResponse, CreateTopicsResponse, DeleteTopicsResponse,
    IncrementalAlterConfigsResponse,
};
use sawlog_wire::{Code, ErrorCode};

/// What people are told beside the code.
pub(super) const MESSAGE: &str = "a fault that was asked for";
const NOWHERE: Offset = Offset(-1);
/// `ConfigResource.Type` of a topic.
const TOPIC: i8 = 2;

/// The refusal of a part; none where there is no such answer, and the part is for the shard.
pub(super) fn of(part: &Part, code: Code) -> Option<Response> {
    Some(match part {
        Part::Append(_) => Response::Append(AppendAnswer {
            code,
            base: NOWHERE,
            again: false,
            start: NOWHERE,
            message: Some(MESSAGE.to_owned()),
        }),
        Part::Fetch(_) => Response::Fetch(FetchAnswer {
            code,
            hw: NOWHERE,
            stable: NOWHERE,
            start: NOWHERE,
            diverging: None,
            records: Vec::new(),
        }),
        // What there is to tell is an error: it is fetched at once, and refused.
        Part::Measure(_) => Response::Measured(None),
        Part::Watch(_) => Response::Watched,
        Part::Find(_) => Response::Find(FindAnswer {
            code,
            offset: NOWHERE,
            timestamp: Wall(-1),
            epoch: LeaderEpoch(-1),
        }),
        Part::EpochEnd(_) => Response::EpochEnd {
            code,
            epoch: LeaderEpoch(-1),
            end: NOWHERE,
        },
        Part::Producers(_) => Response::Producers {
            code,
            producers: Vec::new(),
        },
        Part::Sizes => Response::Sizes {
            code,
            logs: Vec::new(),
            space: Free::default(),
        },
        Part::ProducerId(_) => Response::ProducerId {
            code,
            id: ProducerId(-1),
            epoch: ProducerEpoch(-1),
        },
        Part::Trim(_) => Response::Trimmed {
            code,
            start: NOWHERE,
        },
        Part::Command(part) => Response::Command(Box::new(commanded(&part.command, code))),
        Part::Unwatch(_) | Part::Quorum => return None,
    })
}

/// Changes an answer so that it says that its part failed.
pub(super) fn mark(response: &mut Response, failed: Code) {
    match response {
        Response::Append(answer) => {
            answer.code = failed;
            answer.message = Some(MESSAGE.to_owned());
        }
        Response::Fetch(answer) => {
            answer.code = failed;
            answer.records.clear();
        }
        Response::Find(answer) => answer.code = failed,
        Response::EpochEnd { code, .. }
        | Response::Producers { code, .. }
        | Response::Sizes { code, .. }
        | Response::ProducerId { code, .. }
        | Response::Trimmed { code, .. } => *code = failed,
        Response::Command(answer) => mark_command(answer, failed),
        // An error is fetched at once, and that answer marked.
        Response::Measured(measured) => *measured = None,
        Response::Watched | Response::Quorum(_) => {}
    }
}

fn mark_command(answer: &mut Commanded, code: Code) {
    let (error, said) = (ErrorCode::from(code), || Some(MESSAGE.to_owned()));
    macro_rules! each {
        ($rows:expr) => {
            for row in $rows {
                (row.error_code, row.error_message) = (error, said());
            }
        };
    }
    match answer {
        Commanded::CreateTopics(answer) => each!(&mut answer.topics),
        Commanded::DeleteTopics(answer) => each!(&mut answer.responses),
        Commanded::CreatePartitions(answer) => each!(&mut answer.results),
        Commanded::AlterConfigs(answer) => each!(&mut answer.responses),
        Commanded::IncrementalAlterConfigs(answer) => each!(&mut answer.responses),
    }
}

/// A result for each thing that a command names, all with this code.
fn commanded(command: &Command, code: Code) -> Commanded {
    let mut answer = match command {
        Command::CreateTopics(request) => {
            let row = |name: &String| CreatableTopicResult {
                name: name.clone(),
                ..CreatableTopicResult::default()
            };
            Commanded::CreateTopics(CreateTopicsResponse {
                topics: request
                    .topics
                    .iter()
                    .map(|topic| row(&topic.name))
                    .collect(),
                ..CreateTopicsResponse::default()
            })
        }
        Command::DeleteTopics(request) => {
            let named = request.topic_names.iter().map(|name| DeletableTopicResult {
                name: Some(name.clone()),
                ..DeletableTopicResult::default()
            });
            let states = request.topics.iter().map(|topic| DeletableTopicResult {
                name: topic.name.clone(),
                topic_id: topic.topic_id,
                ..DeletableTopicResult::default()
            });
            Commanded::DeleteTopics(DeleteTopicsResponse {
                responses: named.chain(states).collect(),
                ..DeleteTopicsResponse::default()
            })
        }
        Command::CreatePartitions(request) => {
            let rows = request
                .topics
                .iter()
                .map(|topic| CreatePartitionsTopicResult {
                    name: topic.name.clone(),
                    ..CreatePartitionsTopicResult::default()
                });
            Commanded::CreatePartitions(CreatePartitionsResponse {
                results: rows.collect(),
                ..CreatePartitionsResponse::default()
            })
        }
        Command::AlterConfigs(request) => {
            let rows = request
                .resources
                .iter()
                .map(|one| AlterConfigsResourceResponse {
                    resource_type: one.resource_type,
                    resource_name: one.resource_name.clone(),
                    ..AlterConfigsResourceResponse::default()
                });
            Commanded::AlterConfigs(AlterConfigsResponse {
                responses: rows.collect(),
                ..AlterConfigsResponse::default()
            })
        }
        Command::IncrementalAlterConfigs(request) => {
            let rows = request.resources.iter();
            let rows = rows.map(|one| incremental::AlterConfigsResourceResponse {
                resource_type: one.resource_type,
                resource_name: one.resource_name.clone(),
                ..incremental::AlterConfigsResourceResponse::default()
            });
            Commanded::IncrementalAlterConfigs(IncrementalAlterConfigsResponse {
                responses: rows.collect(),
                ..IncrementalAlterConfigsResponse::default()
            })
        }
    };
    mark_command(&mut answer, code);
    answer
}

/// The topics that a command names.
pub(super) fn topics(command: &Command) -> Box<dyn Iterator<Item = &str> + '_> {
    match command {
        Command::CreateTopics(request) => {
            Box::new(request.topics.iter().map(|topic| topic.name.as_str()))
        }
        Command::DeleteTopics(request) => {
            let states = request
                .topics
                .iter()
                .filter_map(|topic| topic.name.as_deref());
            Box::new(states.chain(request.topic_names.iter().map(String::as_str)))
        }
        Command::CreatePartitions(request) => {
            Box::new(request.topics.iter().map(|topic| topic.name.as_str()))
        }
        Command::AlterConfigs(request) => Box::new(
            request
                .resources
                .iter()
                .filter(|one| one.resource_type == TOPIC)
                .map(|one| one.resource_name.as_str()),
        ),
        Command::IncrementalAlterConfigs(request) => Box::new(
            request
                .resources
                .iter()
                .filter(|one| one.resource_type == TOPIC)
                .map(|one| one.resource_name.as_str()),
        ),
    }
}
