//! Key 10, FindCoordinator 0-6: who coordinates a group or a transaction. There are neither yet.
//! Decides only how that is said: once, definitely, and with words for people (gotchas 3 and 30).

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;

use sawlog_wire::message::Message;
use sawlog_wire::messages::find_coordinator::Coordinator;
use sawlog_wire::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use sawlog_wire::primitives::DecodeError;
use sawlog_wire::{Code, Reader};

use super::job::{Begun, Call, Job, bounded};

/// Not retriable, and the only such code whose text in every client says to look at the broker.
const CODE: Code = Code::InvalidRequest;

/// Rows of one answer that say it in words: more would make an answer many times the request (#128).
const SAID_MAX: usize = 64;

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let bytes = body.left();
    let request = FindCoordinatorRequest::decode(body, call.version)?;
    bounded(bytes, || request.coordinator_keys.len())?;
    let said = message(request.key_type, call.version).to_owned();
    let response = if call.version >= 4 {
        let row = |(at, key): (usize, String)| Coordinator {
            key,
            node_id: -1,
            port: -1,
            error_code: CODE.into(),
            error_message: (at < SAID_MAX).then(|| said.clone()),
            ..Coordinator::default()
        };
        let coordinators = request
            .coordinator_keys
            .into_iter()
            .enumerate()
            .map(row)
            .collect();
        FindCoordinatorResponse {
            coordinators,
            ..FindCoordinatorResponse::default()
        }
    } else {
        FindCoordinatorResponse {
            error_code: CODE.into(),
            error_message: Some(said),
            node_id: -1,
            port: -1,
            ..FindCoordinatorResponse::default()
        }
    };
    Ok(Begun::Job(Job::FindCoordinator(Box::new(response))))
}

fn message(key_type: i8, version: i16) -> &'static str {
    match key_type {
        0 => {
            "Sawlog has no consumer groups yet: assign partitions yourself (kcat -C, assign() instead of subscribe())"
        }
        1 => "Sawlog has no transactions yet: produce without transactional.id",
        2 if version >= 6 => "Sawlog has no share groups yet",
        _ => "the type of the coordinator key is not known",
    }
}
