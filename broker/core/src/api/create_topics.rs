//! Key 19, CreateTopics 2-7 (KIP-4, KIP-464, KIP-525, KIP-516).
//! Decides which topics are not worth the controller's time: illegal names, names asked for twice, settings that are not
//! known or out of bounds. Counts, replicas and what exists already are the controller's to judge. Gotcha 27.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use sawlog_wire::message::Message;
use sawlog_wire::messages::create_topics::{
    CreatableTopic, CreatableTopicConfigs, CreatableTopicResult,
};
use sawlog_wire::messages::{CreateTopicsRequest, CreateTopicsResponse};
use sawlog_wire::primitives::DecodeError;
use sawlog_wire::{Code, Reader};

use super::job::{Begun, Call, Job as AnyJob};
use crate::answer::{CreateTopicsPart, Part};
use crate::cluster::names;
use crate::config::{self, Source};
use crate::ids::ShardId;
use crate::map::{Map, Set};

/// Waits for the controller.
pub(super) struct Job {
    pub(super) response: CreateTopicsResponse,
    /// The settings of each topic that was asked for, to be told back (KIP-525).
    settings: Map<String, Vec<CreatableTopicConfigs>>,
    waiting: bool,
}

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let request = CreateTopicsRequest::decode(body, call.version)?;
    let mut job = Job {
        response: CreateTopicsResponse::default(),
        settings: Map::new(),
        waiting: false,
    };
    let mut named = Set::new();
    let twice: Set<String> = request
        .topics
        .iter()
        .filter(|topic| !named.insert(&*topic.name))
        .map(|topic| topic.name.clone())
        .collect();
    let mut wanted = Vec::new();
    for topic in request.topics {
        if twice.contains(&topic.name) {
            if !job.response.topics.iter().any(|row| row.name == topic.name) {
                let message = "the topic is asked for twice in one request";
                job.response
                    .topics
                    .push(refused(topic.name, Code::InvalidRequest, message));
            }
            continue;
        }
        match judge(call, &topic) {
            Ok(settings) => {
                let name = topic.name.clone();
                job.response.topics.push(CreatableTopicResult {
                    name,
                    ..CreatableTopicResult::default()
                });
                job.settings.insert(topic.name.clone(), settings);
                wanted.push(topic);
            }
            Err((code, message)) => job
                .response
                .topics
                .push(refused(topic.name, code, &message)),
        }
    }
    if !wanted.is_empty() {
        job.waiting = true;
        let wait = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
        let request = CreateTopicsRequest {
            topics: wanted,
            ..request
        };
        let part = CreateTopicsPart {
            request,
            deadline: call.host.now.after(wait),
        };
        call.ask_shard(ShardId(0), 0, Part::CreateTopics(Box::new(part)));
    }
    Ok(Begun::Job(AnyJob::CreateTopics(Box::new(job))))
}

/// Name and settings; the settings that the topic will have.
fn judge(
    call: &Call<'_, '_>,
    topic: &CreatableTopic,
) -> Result<Vec<CreatableTopicConfigs>, (Code, String)> {
    if let Some(fault) = names::fault(&topic.name) {
        return Err((Code::InvalidTopicException, fault.to_owned()));
    }
    if topic.name == names::METADATA {
        return Err((
            Code::InvalidRequest,
            "the metadata log cannot be created".to_owned(),
        ));
    }
    if names::internal(&topic.name) {
        return Err((
            Code::InvalidRequest,
            "the topic is for the brokers' own use and is not there yet".to_owned(),
        ));
    }
    let given = topic
        .configs
        .iter()
        .map(|config| (&*config.name, config.value.as_deref()));
    let broker = call.host.config;
    let settings = config::topic(&broker.topic, given)
        .map_err(|wrong| (Code::InvalidConfig, wrong.to_string()))?;
    let source = |key: &config::TopicKey| {
        if topic.configs.iter().any(|config| config.name == key.name) {
            Source::Topic
        } else if broker.given.iter().any(|(name, _)| name == key.broker) {
            Source::Broker
        } else {
            Source::Default
        }
    };
    Ok(config::topic_values(&settings)
        .map(|(key, value)| CreatableTopicConfigs {
            name: key.name.to_owned(),
            value: Some(value),
            config_source: source(key) as i8,
            ..CreatableTopicConfigs::default()
        })
        .collect())
}

fn refused(name: String, code: Code, message: &str) -> CreatableTopicResult {
    CreatableTopicResult {
        name,
        error_code: code.into(),
        error_message: Some(message.to_owned()),
        ..CreatableTopicResult::default()
    }
}

impl Job {
    pub(super) fn ready(&self) -> bool {
        !self.waiting
    }

    /// The controller's results take their places among the refusals.
    pub(super) fn hear(&mut self, answer: CreateTopicsResponse) {
        self.waiting = false;
        let mut results: Map<String, CreatableTopicResult> = answer
            .topics
            .into_iter()
            .map(|result| (result.name.clone(), result))
            .collect();
        for row in self
            .response
            .topics
            .iter_mut()
            .filter(|row| row.error_code.is_none())
        {
            let unknown = || {
                refused(
                    row.name.clone(),
                    Code::UnknownServerError,
                    "the controller gave no result",
                )
            };
            let mut result = results.remove(&row.name).unwrap_or_else(unknown);
            if result.error_code.is_none() && result.configs.is_none() {
                result.configs = self.settings.remove(&row.name);
            }
            *row = result;
        }
    }
}
