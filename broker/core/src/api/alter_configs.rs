//! Key 33, AlterConfigs 0-2 (KIP-133): the settings of a resource, all of them anew.
//! Carries the request to the controller, who decides about every resource. Decides nothing itself.

use sawlog_wire::Reader;
use sawlog_wire::message::Message;
use sawlog_wire::messages::AlterConfigsRequest;
use sawlog_wire::primitives::DecodeError;

use super::command::{self, PATIENCE};
use super::job::{Begun, Call, bounded};
use crate::answer::Command;

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let bytes = body.left();
    let request = AlterConfigsRequest::decode(body, call.version)?;
    let rows = request
        .resources
        .iter()
        .map(|resource| 1 + resource.configs.len())
        .sum();
    bounded(bytes, || rows)?;
    let wait = PATIENCE;
    Ok(command::begin(
        call,
        Command::AlterConfigs(request),
        rows,
        wait,
    ))
}
