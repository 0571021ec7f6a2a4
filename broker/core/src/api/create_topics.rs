//! Key 19, CreateTopics 2-7 (KIP-4, KIP-464, KIP-525, KIP-516).
//! Carries the request to the controller, which decides about every topic, and tells the settings that each one got.
//! Decides nothing about topics itself. Gotcha 27.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use sawlog_wire::Reader;
use sawlog_wire::message::Message;
use sawlog_wire::messages::create_topics::{CreatableTopicConfig, CreatableTopicConfigs};
use sawlog_wire::messages::{CreateTopicsRequest, CreateTopicsResponse};
use sawlog_wire::primitives::DecodeError;

use super::command;
use super::fields::timeout;
use super::job::{Begun, Call, Job as AnyJob, bounded};
use super::settings::{self, Setting};
use crate::answer::Command;
use crate::cluster::image::Image;
use crate::config;
use crate::map::Map;

/// Waits for the controller.
pub(super) struct Job {
    pub(super) response: CreateTopicsResponse,
    /// What each topic was given, to be told back with the defaults (KIP-525).
    given: Map<String, Vec<CreatableTopicConfig>>,
    waiting: bool,
    rows: usize,
}

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let bytes = body.left();
    let request = CreateTopicsRequest::decode(body, call.version)?;
    let rows = request.topics.len();
    bounded(bytes, || rows)?;
    let given = match call.version {
        ..5 => Map::new(),
        _ => request
            .topics
            .iter()
            .map(|topic| (topic.name.clone(), topic.configs.clone()))
            .collect(),
    };
    let wait = timeout(request.timeout_ms);
    command::send(call, Command::CreateTopics(request), wait);
    let response = CreateTopicsResponse::default();
    Ok(Begun::Job(AnyJob::CreateTopics(Box::new(Job {
        response,
        given,
        waiting: true,
        rows,
    }))))
}

impl Job {
    pub(super) fn ready(&self) -> bool {
        !self.waiting
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn hear(&mut self, call: &Call<'_, '_>, answer: CreateTopicsResponse) {
        self.waiting = false;
        self.response = answer;
        for topic in &mut self.response.topics {
            if topic.error_code.is_none()
                && let Some(given) = self.given.remove(&topic.name)
            {
                topic.configs = told(call.host.image, &given);
            }
        }
    }
}

/// Every setting of a topic that was given these, with where each came from.
fn told(image: &Image, given: &[CreatableTopicConfig]) -> Option<Vec<CreatableTopicConfigs>> {
    let pairs = given
        .iter()
        .map(|config| (&*config.name, config.value.as_deref()));
    let settled = config::topic(&image.defaults, pairs).ok()?;
    let all = settings::of_topic(image, &settled, |name| {
        given.iter().any(|config| config.name == name)
    });
    let row = |setting: Setting| CreatableTopicConfigs {
        name: setting.name.to_owned(),
        config_source: setting.source() as i8,
        value: setting.value,
        ..CreatableTopicConfigs::default()
    };
    Some(all.into_iter().map(row).collect())
}
