//! Key 32, DescribeConfigs 1-4 (KIP-133, KIP-226, KIP-569): every setting of a topic or of this broker, with its source.
//! Decides which resources there are and what is told of each; the values are `config`'s and the image's. Gotcha 28.

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
use crate::cluster::image::Topic;
use crate::cluster::names;
use crate::config::{self, BROKER, BrokerConfig, Kind, SHOWN, Source};
use crate::map::{Map, Set};
use crate::proof;

/// `ConfigResource.Type`.
const TOPIC_RESOURCE: i8 = 2;
const BROKER_RESOURCE: i8 = 4;

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
    let broker = call.host.config;
    let name = resource.resource_name.as_str();
    match resource.resource_type {
        TOPIC_RESOURCE => match call.host.image.topic(name) {
            Some(topic) => {
                let given = call.host.image.configs.get(&*topic.name);
                Ok(of_topic(broker, topic, given, asked))
            }
            None => match names::fault(name) {
                Some(fault) => Err((Code::InvalidTopicException, fault.to_owned())),
                None => {
                    let text = format!("there is no topic '{name}'");
                    Err((Code::UnknownTopicOrPartition, text))
                }
            },
        },
        // The settings of all brokers together: nothing is set for all of them.
        BROKER_RESOURCE if name.is_empty() => Ok(Vec::new()),
        BROKER_RESOURCE if name == broker.node_id.to_string() => Ok(of_broker(broker, asked)),
        BROKER_RESOURCE => {
            let text = format!("this is broker {}, '{name}' was asked for", broker.node_id);
            Err((Code::InvalidRequest, text))
        }
        other => {
            let text = format!("resources of type {other} have no settings here");
            Err((Code::InvalidRequest, text))
        }
    }
}

fn of_topic(
    broker: &BrokerConfig,
    topic: &Topic,
    given: Option<&Map<String, String>>,
    asked: &Asked,
) -> Vec<DescribeConfigsResourceResult> {
    let acting = config::topic_values(&topic.config).map(|(key, value)| {
        let own = given.and_then(|given| given.get(key.name));
        let mut sources = Vec::new();
        if own.is_some() {
            sources.push((key.name, value.clone(), Source::Topic));
        }
        if let Some((_, said)) = broker.given.iter().find(|(name, _)| name == key.broker) {
            sources.push((key.broker, said.clone(), Source::Broker));
        }
        let default = if key.broker.is_empty() {
            key.name
        } else {
            key.broker
        };
        sources.push((default, key.default.to_owned(), Source::Default));
        one(key.name, value, key.kind, key.text, false, &sources, asked)
    });
    let shown = SHOWN.iter().map(|key| {
        let mut sources = Vec::new();
        if given.is_some_and(|given| given.contains_key(key.name)) {
            sources.push((key.name, key.value.to_owned(), Source::Topic));
        }
        sources.push((key.name, key.value.to_owned(), Source::Default));
        let value = key.value.to_owned();
        one(key.name, value, key.kind, key.text, false, &sources, asked)
    });
    let mut all: Vec<_> = acting.chain(shown).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// All of them are read at the start, so none can be changed here.
fn of_broker(broker: &BrokerConfig, asked: &Asked) -> Vec<DescribeConfigsResourceResult> {
    let told = BROKER.iter().map(|key| {
        let given = broker.given.iter().find(|(name, _)| name == key.name);
        let mut sources = Vec::new();
        if let Some((_, value)) = given {
            sources.push((key.name, value.clone(), Source::Broker));
        }
        if !key.default.is_empty() {
            sources.push((key.name, key.default.to_owned(), Source::Default));
        }
        let value = given.map_or_else(|| key.default.to_owned(), |(_, value)| value.clone());
        one(key.name, value, key.kind, key.text, true, &sources, asked)
    });
    let mut all: Vec<_> = told.collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// One setting. `sources` lists who says something about it, whose word counts first; the first is where it comes from.
fn one(
    name: &str,
    value: String,
    kind: Kind,
    text: &str,
    read_only: bool,
    sources: &[(&str, String, Source)],
    asked: &Asked,
) -> DescribeConfigsResourceResult {
    let source = sources
        .first()
        .map_or(Source::Default, |(_, _, source)| *source);
    let synonym = |(name, value, source): &(&str, String, Source)| DescribeConfigsSynonym {
        name: (*name).to_string(),
        value: Some(value.clone()),
        source: *source as i8,
        ..DescribeConfigsSynonym::default()
    };
    DescribeConfigsResourceResult {
        name: name.to_owned(),
        // What has no default has no value until it is given one.
        value: (!value.is_empty()).then_some(value),
        read_only,
        config_source: source as i8,
        synonyms: match asked.synonyms {
            true => sources.iter().map(synonym).collect(),
            false => Vec::new(),
        },
        config_type: number(kind),
        documentation: asked.documentation.then(|| text.to_owned()),
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
