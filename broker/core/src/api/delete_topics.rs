//! Key 20, DeleteTopics 1-6 (KIP-4, KIP-516, KIP-599).
//! Carries the request to the controller, who decides about every topic; the client hears of it when the deletion is
//! committed and every shard has let go of the topic. Decides nothing itself.

use sawlog_wire::Reader;
use sawlog_wire::message::Message;
use sawlog_wire::messages::DeleteTopicsRequest;
use sawlog_wire::primitives::DecodeError;

use super::command::{self, patience};
use super::job::{Begun, Call, bounded};
use crate::answer::Command;

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let bytes = body.left();
    let request = DeleteTopicsRequest::decode(body, call.version)?;
    let rows = request.topics.len() + request.topic_names.len();
    bounded(bytes, || rows)?;
    let wait = patience(request.timeout_ms);
    Ok(command::begin(
        call,
        Command::DeleteTopics(request),
        rows,
        wait,
    ))
}
