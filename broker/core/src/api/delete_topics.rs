//! Key 20, DeleteTopics 1-6 (KIP-4, KIP-516, KIP-599).
//! Carries the request to the controller, which decides about every topic; the client hears of it when the deletion is
//! committed and every shard has let go of the topic. Decides nothing itself.

use sawlog_wire::Reader;
use sawlog_wire::messages::DeleteTopicsRequest;
use sawlog_wire::primitives::DecodeError;

use super::command;
use super::fields::timeout;
use super::job::{Begun, Call};
use crate::answer::Command;

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let rows = |request: &DeleteTopicsRequest| request.topics.len() + request.topic_names.len();
    command::split(
        call,
        body,
        rows,
        |request| timeout(request.timeout_ms),
        Command::DeleteTopics,
    )
}
