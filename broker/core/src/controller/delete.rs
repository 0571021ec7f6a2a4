//! DeleteTopics: which topics go, by name or by id, and why others stay.
//! Decides each topic by itself; only the record that names its id lets a broker remove anything (#40, #45).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sawlog_wire::messages::delete_topics::DeletableTopicResult;
use sawlog_wire::messages::{DeleteTopicsRequest, DeleteTopicsResponse};
use sawlog_wire::metadata::RemoveTopicRecord;
use sawlog_wire::{Code, Uuid};

use crate::answer::Commanded;
use crate::cluster::image::Image;
use crate::cluster::record::Record;
use crate::controller::Refused;
use crate::ids::TopicId;
use crate::map::{Map, Set};

/// A topic as the client names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Named<'r> {
    Name(&'r str),
    Id(Uuid),
    Both(&'r str, Uuid),
    Neither,
}

pub(super) fn decide(image: &Image, request: &DeleteTopicsRequest) -> (Vec<Record>, Commanded) {
    let by_name = request.topic_names.iter().map(|name| Named::Name(name));
    let by_state = request
        .topics
        .iter()
        .map(|topic| match (&topic.name, topic.topic_id) {
            (Some(name), Uuid::ZERO) => Named::Name(name),
            (Some(name), id) => Named::Both(name, id),
            (None, Uuid::ZERO) => Named::Neither,
            (None, id) => Named::Id(id),
        });
    let asked: Vec<Named<'_>> = by_name.chain(by_state).collect();
    // A topic that is meant twice, by its name and by its id perhaps, goes once or not at all.
    let (mut times, mut said): (Map<TopicId, usize>, Map<Named<'_>, usize>) = Default::default();
    for named in &asked {
        *said.entry(*named).or_default() += 1;
        if let Some(id) = meant(image, *named) {
            *times.entry(id).or_default() += 1;
        }
    }
    let (mut log, mut responses): (Vec<Record>, Vec<DeletableTopicResult>) = Default::default();
    let mut answered: Set<Named<'_>> = Set::new();
    for named in asked {
        if !answered.insert(named) {
            continue;
        }
        let (mut name, mut topic_id) = match named {
            Named::Name(name) => (Some(name.to_string()), Uuid::ZERO),
            Named::Id(id) => (None, id),
            Named::Both(name, id) => (Some(name.to_string()), id),
            Named::Neither => (None, Uuid::ZERO),
        };
        let judged = match said.get(&named) {
            Some(1) | None => judge(image, named, &times),
            Some(_) => Err(twice()),
        };
        let refused = match judged {
            Ok((id, known)) => {
                (name, topic_id) = (Some(known), id.0);
                let record = RemoveTopicRecord {
                    topic_id: id.0,
                    ..Default::default()
                };
                log.push(record.into());
                None
            }
            Err(refused) => Some(refused),
        };
        let (code, error_message) = match refused {
            Some(Refused(code, text)) => (code, Some(text)),
            None => (Code::None, None),
        };
        responses.push(DeletableTopicResult {
            name,
            topic_id,
            error_code: code.into(),
            error_message,
            ..Default::default()
        });
    }
    let response = DeleteTopicsResponse {
        responses,
        ..Default::default()
    };
    (log, Commanded::DeleteTopics(response))
}

/// The topic that exists under this name or id.
fn meant(image: &Image, named: Named<'_>) -> Option<TopicId> {
    match named {
        Named::Name(name) => image.topic(name).map(|topic| topic.id),
        Named::Id(id) => image.topic_by_id(TopicId(id)).map(|topic| topic.id),
        Named::Both(..) | Named::Neither => None,
    }
}

fn judge(
    image: &Image,
    named: Named<'_>,
    times: &Map<TopicId, usize>,
) -> Result<(TopicId, String), Refused> {
    let no = |code, text: String| Err(Refused(code, text));
    let topic = match named {
        Named::Name(name) => match image.topic(name) {
            Some(topic) => topic,
            None => {
                let text = format!("there is no topic '{name}'");
                return no(Code::UnknownTopicOrPartition, text);
            }
        },
        Named::Id(id) => match image.topic_by_id(TopicId(id)) {
            Some(topic) => topic,
            None => return no(Code::UnknownTopicId, format!("no topic has the id {id}")),
        },
        Named::Both(..) => {
            let text = "a topic is named by its name or by its id, not by both";
            return no(Code::InvalidRequest, text.to_string());
        }
        Named::Neither => {
            let text = "neither the name nor the id of a topic is given";
            return no(Code::InvalidRequest, text.to_string());
        }
    };
    if times.get(&topic.id).copied() > Some(1) {
        return Err(twice());
    }
    Ok((topic.id, topic.name.to_string()))
}

fn twice() -> Refused {
    let text = "the request names this topic more than once";
    Refused(Code::InvalidRequest, text.to_string())
}
