//! Key 44, IncrementalAlterConfigs 0-1 (KIP-339): some settings of a resource, by set, delete, append and subtract.
//! Carries the request to the controller, which decides about every resource. Decides nothing itself. Gotcha 28.

use sawlog_wire::Reader;
use sawlog_wire::messages::IncrementalAlterConfigsRequest;
use sawlog_wire::primitives::DecodeError;

use super::command::{self, PATIENCE};
use super::job::{Begun, Call};
use crate::answer::Command;

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let rows = |request: &IncrementalAlterConfigsRequest| {
        let resources = request.resources.iter();
        resources.map(|resource| 1 + resource.configs.len()).sum()
    };
    command::split(
        call,
        body,
        rows,
        |_| PATIENCE,
        Command::IncrementalAlterConfigs,
    )
}
