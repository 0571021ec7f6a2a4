//! Key 74, ListConfigResources 0-1 (KIP-1000, KIP-1142): which resources may have settings.
//! Decides nothing of its own: topics and brokers are the image's; groups and client metrics are not there yet.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sawlog_wire::message::Message;
use sawlog_wire::messages::list_config_resources::ConfigResource;
use sawlog_wire::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};
use sawlog_wire::primitives::DecodeError;
use sawlog_wire::{Code, Reader};

use super::job::{Begun, Call, Job, bounded};

/// `ConfigResource.Type`, those that a broker can list.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let bytes = body.left();
    let request = ListConfigResourcesRequest::decode(body, call.version)?;
    bounded(bytes, || request.resource_types.len())?;
    let wanted = match (call.version, request.resource_types.as_slice()) {
        // Version 0 was a list of client metrics alone.
        (0, _) => &[CLIENT_METRICS][..],
        (_, []) => &[TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP][..],
        (_, some) => some,
    };
    let known = |kind: &i8| [TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP].contains(kind);
    let response = if wanted.iter().all(known) {
        told(call, wanted)
    } else {
        ListConfigResourcesResponse {
            error_code: Code::UnsupportedVersion.into(),
            ..ListConfigResourcesResponse::default()
        }
    };
    Ok(Begun::Job(Job::ListConfigResources(Box::new(response))))
}

fn told(call: &Call<'_, '_>, wanted: &[i8]) -> ListConfigResourcesResponse {
    let image = call.host.image;
    let row = |resource_type: i8, resource_name: String| ConfigResource {
        resource_name,
        resource_type,
        ..ConfigResource::default()
    };
    let mut config_resources = Vec::new();
    if wanted.contains(&TOPIC) {
        let names = image.topics.keys();
        config_resources.extend(names.map(|name| row(TOPIC, name.to_string())));
    }
    for kind in [BROKER, BROKER_LOGGER] {
        if wanted.contains(&kind) {
            let ids = image.brokers.keys();
            config_resources.extend(ids.map(|id| row(kind, id.to_string())));
        }
    }
    ListConfigResourcesResponse {
        config_resources,
        ..ListConfigResourcesResponse::default()
    }
}
