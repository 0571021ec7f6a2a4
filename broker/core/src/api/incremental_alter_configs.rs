//! Key 44, IncrementalAlterConfigs 0-1 (KIP-339): some settings of a resource, by set, delete, append and subtract.
//! Carries the request to the controller, who decides about every resource. Decides nothing itself. Gotcha 28.

use sawlog_wire::Reader;
use sawlog_wire::message::Message;
use sawlog_wire::messages::IncrementalAlterConfigsRequest;
use sawlog_wire::primitives::DecodeError;

use super::command::{self, PATIENCE};
use super::job::{Begun, Call, bounded};
use crate::answer::Command;

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let bytes = body.left();
    let request = IncrementalAlterConfigsRequest::decode(body, call.version)?;
    let rows = request
        .resources
        .iter()
        .map(|resource| 1 + resource.configs.len())
        .sum();
    bounded(bytes, || rows)?;
    let wait = PATIENCE;
    Ok(command::begin(
        call,
        Command::IncrementalAlterConfigs(request),
        rows,
        wait,
    ))
}
