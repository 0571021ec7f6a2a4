//! Key 37, CreatePartitions 0-3 (KIP-195, KIP-599).
//! Carries the request to the controller, which decides about every topic. Decides nothing itself. Gotcha 28: each topic
//! asked for is named in the answer.

use sawlog_wire::Reader;
use sawlog_wire::messages::CreatePartitionsRequest;
use sawlog_wire::primitives::DecodeError;

use super::command;
use super::fields::timeout;
use super::job::{Begun, Call};
use crate::answer::Command;

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let rows = |request: &CreatePartitionsRequest| request.topics.len();
    command::split(
        call,
        body,
        rows,
        |request| timeout(request.timeout_ms),
        Command::CreatePartitions,
    )
}
