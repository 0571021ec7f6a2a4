//! Key 37, CreatePartitions 0-3 (KIP-195, KIP-599).
//! Carries the request to the controller, who decides about every topic. Decides nothing itself. Gotcha 28: each topic
//! asked for is named in the answer.

use sawlog_wire::Reader;
use sawlog_wire::message::Message;
use sawlog_wire::messages::CreatePartitionsRequest;
use sawlog_wire::primitives::DecodeError;

use super::command::{self, patience};
use super::job::{Begun, Call, bounded};
use crate::answer::Command;

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let bytes = body.left();
    let request = CreatePartitionsRequest::decode(body, call.version)?;
    let rows = request.topics.len();
    bounded(bytes, || rows)?;
    let wait = patience(request.timeout_ms);
    Ok(command::begin(
        call,
        Command::CreatePartitions(request),
        rows,
        wait,
    ))
}
