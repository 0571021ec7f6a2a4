//! AlterConfigs and IncrementalAlterConfigs: what the settings of topics and brokers are from now on, and why some stay as
//! they are. Decides each resource by itself, and a resource wholly or not at all; which keys there are, and which of a
//! broker's may change while it runs, `config` says.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;

use sawlog_wire::Code;
use sawlog_wire::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, alter_configs, incremental_alter_configs,
};
use sawlog_wire::metadata::ConfigRecord;

use crate::answer::Commanded;
use crate::cluster::image::{BROKER_RESOURCE, Image, TOPIC_RESOURCE};
use crate::cluster::record::Record;
use crate::config::{self, SHOWN, SHOWN_OF_BROKER, ShownKey};
use crate::controller::Refused;
use crate::controller::asker::Asker;
use crate::ids::BrokerId;
use crate::map::{Map, Set};

/// One step of a change.
enum Op<'r> {
    Set(&'r str, &'r str),
    Unset(&'r str),
    Append(&'r str, &'r str),
    Subtract(&'r str, &'r str),
}

/// What becomes of the settings that a change does not name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    /// AlterConfigs.
    GoBackToTheirDefaults,
    /// IncrementalAlterConfigs.
    Stay,
}

/// What a request wants of one resource.
struct Asked<'r> {
    kind: i8,
    name: &'r str,
    ops: Result<Vec<Op<'r>>, Refused>,
}

/// What became of it.
struct Judged<'r> {
    kind: i8,
    name: &'r str,
    code: Code,
    message: Option<String>,
}

/// AlterConfigs: what is not named goes back to its default.
pub(super) fn replace(
    image: &Image,
    request: &AlterConfigsRequest,
    from: Option<IpAddr>,
) -> (Vec<Record>, Commanded) {
    let asked = request.resources.iter().map(|resource| Asked {
        kind: resource.resource_type,
        name: &resource.resource_name,
        ops: resource.configs.iter().map(set).collect(),
    });
    let others = Others::GoBackToTheirDefaults;
    let (mut log, judged) = judge_all(Asker::new(image, from), asked.collect(), others);
    if request.validate_only {
        log.clear();
    }
    let responses = judged
        .into_iter()
        .map(|one| alter_configs::AlterConfigsResourceResponse {
            error_code: one.code.into(),
            error_message: one.message,
            resource_type: one.kind,
            resource_name: one.name.to_string(),
            ..Default::default()
        });
    let response = AlterConfigsResponse {
        responses: responses.collect(),
        ..Default::default()
    };
    (log, Commanded::AlterConfigs(response))
}

/// IncrementalAlterConfigs: what is not named stays.
pub(super) fn change(
    image: &Image,
    request: &IncrementalAlterConfigsRequest,
    from: Option<IpAddr>,
) -> (Vec<Record>, Commanded) {
    let asked = request.resources.iter().map(|resource| Asked {
        kind: resource.resource_type,
        name: &resource.resource_name,
        ops: resource.configs.iter().map(op).collect(),
    });
    let (mut log, judged) = judge_all(Asker::new(image, from), asked.collect(), Others::Stay);
    if request.validate_only {
        log.clear();
    }
    let responses =
        judged.into_iter().map(
            |one| incremental_alter_configs::AlterConfigsResourceResponse {
                error_code: one.code.into(),
                error_message: one.message,
                resource_type: one.kind,
                resource_name: one.name.to_string(),
                ..Default::default()
            },
        );
    let response = IncrementalAlterConfigsResponse {
        responses: responses.collect(),
        ..Default::default()
    };
    (log, Commanded::IncrementalAlterConfigs(response))
}

fn set(given: &alter_configs::AlterableConfig) -> Result<Op<'_>, Refused> {
    let name = given.name.as_str();
    let value = given.value.as_deref().ok_or_else(|| no_value(name))?;
    Ok(Op::Set(name, value))
}

fn op(given: &incremental_alter_configs::AlterableConfig) -> Result<Op<'_>, Refused> {
    let name = given.name.as_str();
    let value = || given.value.as_deref().ok_or_else(|| no_value(name));
    match given.config_operation {
        0 => value().map(|value| Op::Set(name, value)),
        1 => Ok(Op::Unset(name)),
        2 => value().map(|value| Op::Append(name, value)),
        3 => value().map(|value| Op::Subtract(name, value)),
        other => Err(Refused(
            Code::InvalidRequest,
            format!(
                "{name}: there is no operation {other}; set is 0, delete 1, append 2, subtract 3"
            ),
        )),
    }
}

fn no_value(name: &str) -> Refused {
    Refused(Code::InvalidRequest, format!("{name}: a value is missing"))
}

/// Judges each resource; one that is named twice is refused.
fn judge_all<'r>(
    mut asker: Asker<'_>,
    asked: Vec<Asked<'r>>,
    others: Others,
) -> (Vec<Record>, Vec<Judged<'r>>) {
    let mut times: Map<(i8, &str), usize> = Map::new();
    for one in &asked {
        *times.entry((one.kind, one.name)).or_default() += 1;
    }
    let (mut log, mut judged) = (Vec::new(), Vec::new());
    for Asked { kind, name, ops } in asked {
        let done = if times.get(&(kind, name)).copied() > Some(1) {
            let text = "the request names this resource more than once";
            Err(Refused(Code::InvalidRequest, text.to_string()))
        } else {
            ops.and_then(|ops| settle(&mut asker, kind, name, &ops, others))
        };
        let (code, message) = match done {
            Ok(records) => {
                log.extend(records);
                (Code::None, None)
            }
            Err(Refused(code, text)) => (code, Some(text)),
        };
        judged.push(Judged {
            kind,
            name,
            code,
            message,
        });
    }
    (log, judged)
}

/// The records that bring a resource from what it has to what it is to have.
fn settle(
    asker: &mut Asker<'_>,
    kind: i8,
    name: &str,
    ops: &[Op<'_>],
    others: Others,
) -> Result<Vec<Record>, Refused> {
    let (image, none) = (asker.image, Map::new());
    let (had, lists) = match kind {
        TOPIC_RESOURCE => (of_topic(image, name)?, SHOWN),
        BROKER_RESOURCE => (of_broker(image, name)?, SHOWN_OF_BROKER),
        other => {
            let text = format!("resources of type {other} have no settings here");
            return Err(Refused(Code::InvalidRequest, text));
        }
    };
    let had = had.unwrap_or(&none);
    let have = changed(had, ops, others, lists)?;
    if kind == TOPIC_RESOURCE {
        let pairs = have
            .iter()
            .map(|(key, value)| (key.as_str(), Some(value.as_str())));
        config::topic(&image.defaults, pairs)
            .map_err(|complaint| Refused(Code::InvalidConfig, complaint.to_string()))?;
    } else {
        for (key, value) in &have {
            // As Kafka does, the brokers' settings are refused with another code than the topics'.
            config::running(key, value)
                .map_err(|complaint| Refused(Code::InvalidRequest, complaint.to_string()))?;
        }
        asker.comes_again(name, &have)?;
    }
    let record = |key: &str, value: Option<&String>| {
        Record::from(ConfigRecord {
            resource_type: kind,
            resource_name: name.to_string(),
            name: key.to_string(),
            value: value.cloned(),
            ..Default::default()
        })
    };
    let keys: Set<&String> = had.keys().chain(have.keys()).collect();
    Ok(keys
        .into_iter()
        .filter(|key| had.get(*key) != have.get(*key))
        .map(|key| record(key, have.get(key)))
        .collect())
}

/// What a topic was given.
fn of_topic<'i>(image: &'i Image, name: &str) -> Result<Option<&'i Map<String, String>>, Refused> {
    let Some(topic) = image.topic(name) else {
        let text = format!("there is no topic '{name}'");
        return Err(Refused(Code::UnknownTopicOrPartition, text));
    };
    Ok(image.configs.get(&*topic.name))
}

/// What a broker, or without a name all of them, was given while it runs.
fn of_broker<'i>(image: &'i Image, name: &str) -> Result<Option<&'i Map<String, String>>, Refused> {
    if name.is_empty() {
        return Ok(image.broker_settings(None));
    }
    let Ok(id) = name.parse().map(BrokerId) else {
        let text = format!("a broker is named by its number, '{name}' is none");
        return Err(Refused(Code::InvalidRequest, text));
    };
    if !image.brokers.contains_key(&id) || id.to_string() != name {
        let text = format!("there is no broker {name}");
        return Err(Refused(Code::InvalidRequest, text));
    }
    Ok(image.broker_settings(Some(id)))
}

/// What a resource is to have.
fn changed(
    had: &Map<String, String>,
    ops: &[Op<'_>],
    others: Others,
    lists: &[ShownKey],
) -> Result<Map<String, String>, Refused> {
    let mut have = match others {
        Others::GoBackToTheirDefaults => Map::new(),
        Others::Stay => had.clone(),
    };
    let mut touched: Set<&str> = Set::new();
    for op in ops {
        let (Op::Set(key, _) | Op::Unset(key) | Op::Append(key, _) | Op::Subtract(key, _)) = op;
        if !touched.insert(key) {
            let text = format!("{key} is changed twice in one request");
            return Err(Refused(Code::InvalidRequest, text));
        }
        match op {
            Op::Set(key, value) => {
                have.insert(key.to_string(), value.trim().to_string());
            }
            Op::Unset(key) => {
                have.remove(*key);
            }
            Op::Append(key, value) | Op::Subtract(key, value) => {
                let Some(now) = config::list(lists, key) else {
                    let text =
                        format!("{key} is not a list: nothing can be added to it or taken from it");
                    return Err(Refused(Code::InvalidConfig, text));
                };
                let words = value
                    .split(',')
                    .map(str::trim)
                    .filter(|word| !word.is_empty());
                let mut items: Vec<&str> = now.split(',').filter(|word| !word.is_empty()).collect();
                for word in words {
                    items.retain(|item| *item != word);
                    if matches!(op, Op::Append(..)) {
                        items.push(word);
                    }
                }
                have.insert(key.to_string(), items.join(","));
            }
        }
    }
    Ok(have)
}
