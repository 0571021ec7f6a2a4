//! Key 32, DescribeConfigs 1-4 (KIP-133, KIP-226, KIP-569): every setting of a topic or of this broker, with its source.
//! Decides which resources there are and in which form they are told; what is told, `settings` says. Gotcha 28.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sawlog_wire::message::Message;
use sawlog_wire::messages::describe_configs::{
    DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResult,
    DescribeConfigsSynonym,
};
use sawlog_wire::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use sawlog_wire::primitives::DecodeError;
use sawlog_wire::{Code, Reader};

use super::job::{Begun, Call, Job, bounded};
use super::settings::{self, Setting};
use crate::cluster::image::{BROKER_RESOURCE, TOPIC_RESOURCE};
use crate::cluster::names;
use crate::config::{Kind, Said};
use crate::map::Set;
use crate::proof;

/// Resources of one request: each is told with all its settings, some thousand bytes (#128).
const RESOURCES_MAX: usize = 1 << 14;

/// How often resources may be named again: what there is bounds an answer only where each is told once (#128).
const REPEATS_MAX: usize = 64;

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let bytes = body.left();
    let request = DescribeConfigsRequest::decode(body, call.version)?;
    bounded(bytes, || request.resources.len())?;
    let named = request.resources.iter();
    let distinct: Set<_> = named
        .map(|resource| (resource.resource_type, resource.resource_name.as_str()))
        .collect();
    let repeats = request.resources.len() - distinct.len();
    let endless = repeats > REPEATS_MAX && !proof::mutant("settings-told-without-end");
    if request.resources.len() > RESOURCES_MAX || endless {
        return Err(DecodeError::OverBudget);
    }
    let asked = Asked {
        synonyms: request.include_synonyms,
        documentation: request.include_documentation,
    };
    let results = request
        .resources
        .iter()
        .map(|resource| match told(call, &asked, resource) {
            Ok(mut configs) => {
                if let Some(keys) = &resource.configuration_keys
                    && !keys.is_empty()
                {
                    configs.retain(|config| keys.contains(&config.name));
                }
                row(resource, Code::None, None, configs)
            }
            Err((code, text)) => row(resource, code, Some(text), Vec::new()),
        });
    let response = DescribeConfigsResponse {
        results: results.collect(),
        ..DescribeConfigsResponse::default()
    };
    Ok(Begun::Job(Job::DescribeConfigs(Box::new(response))))
}

fn row(
    resource: &DescribeConfigsResource,
    code: Code,
    error_message: Option<String>,
    configs: Vec<DescribeConfigsResourceResult>,
) -> DescribeConfigsResult {
    DescribeConfigsResult {
        error_code: code.into(),
        error_message,
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        configs,
        ..DescribeConfigsResult::default()
    }
}

/// What the client wants to know beside the values.
struct Asked {
    synonyms: bool,
    documentation: bool,
}

fn told(
    call: &Call<'_, '_>,
    asked: &Asked,
    resource: &DescribeConfigsResource,
) -> Result<Vec<DescribeConfigsResourceResult>, (Code, String)> {
    let image = call.host.image;
    let name = resource.resource_name.as_str();
    let all = match resource.resource_type {
        TOPIC_RESOURCE => match image.topic(name) {
            Some(topic) => {
                let given = image.configs.get(&*topic.name);
                settings::of_topic(image, &topic.config, |name| {
                    given.is_some_and(|given| given.contains_key(name))
                })
            }
            None => {
                return Err(match names::fault(name) {
                    Some(fault) => (Code::InvalidTopicException, fault.to_owned()),
                    None => {
                        let text = format!("there is no topic '{name}'");
                        (Code::UnknownTopicOrPartition, text)
                    }
                });
            }
        },
        BROKER_RESOURCE if name.is_empty() => settings::of_all_brokers(image),
        BROKER_RESOURCE if name == image.node.node_id.to_string() => settings::of_broker(image),
        BROKER_RESOURCE => {
            let text = format!(
                "this is broker {}, '{name}' was asked for",
                image.node.node_id
            );
            return Err((Code::InvalidRequest, text));
        }
        other => {
            let text = format!("resources of type {other} have no settings here");
            return Err((Code::InvalidRequest, text));
        }
    };
    Ok(all.into_iter().map(|setting| one(setting, asked)).collect())
}

fn one(setting: Setting, asked: &Asked) -> DescribeConfigsResourceResult {
    let synonym = |said: &Said| DescribeConfigsSynonym {
        name: said.name.to_owned(),
        value: Some(said.value.clone()),
        source: said.source as i8,
        ..DescribeConfigsSynonym::default()
    };
    DescribeConfigsResourceResult {
        name: setting.name.to_owned(),
        config_source: setting.source() as i8,
        value: setting.value,
        read_only: setting.read_only,
        synonyms: match asked.synonyms {
            true => setting.said.iter().map(synonym).collect(),
            false => Vec::new(),
        },
        config_type: number(setting.kind),
        documentation: asked.documentation.then(|| setting.text.to_owned()),
        ..DescribeConfigsResourceResult::default()
    }
}

/// `ConfigDef.Type`, as KIP-569 numbers it.
fn number(kind: Kind) -> i8 {
    match kind {
        Kind::Bool => 1,
        Kind::Text | Kind::OneDirectory | Kind::OneOf(_) => 2,
        Kind::Int(_, most) if most <= i64::from(i16::MAX) => 4,
        Kind::Int(_, most) if most <= i64::from(i32::MAX) => 3,
        Kind::Int(..) => 5,
        Kind::List | Kind::Words(_) => 7,
    }
}
