//! Key 33, AlterConfigs 0-2 (KIP-133): the settings of a resource, all of them anew.
//! Carries the request to the controller, which decides about every resource. Decides nothing itself.

use sawlog_wire::Reader;
use sawlog_wire::messages::AlterConfigsRequest;
use sawlog_wire::primitives::DecodeError;

use super::command::{self, PATIENCE};
use super::job::{Begun, Call};
use crate::answer::Command;

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let rows = |request: &AlterConfigsRequest| {
        let resources = request.resources.iter();
        resources.map(|resource| 1 + resource.configs.len()).sum()
    };
    command::split(call, body, rows, |_| PATIENCE, Command::AlterConfigs)
}
