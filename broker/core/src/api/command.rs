//! Requests that are one command to the controller: carried there as they are, answered as it answers.
//! Decides nothing but how long the client waits; the keys' files say which command, `controller` what becomes of it.

use alloc::boxed::Box;
use core::time::Duration;

use sawlog_wire::messages::ApiKey;
use sawlog_wire::primitives::EncodeError;
use sawlog_wire::{Writer, frame};

use super::job::{Begun, Call, Job as AnyJob};
use crate::answer::{Command, CommandPart, Commanded, Part};
use crate::ids::ShardId;

/// How long a command is waited for whose request does not say.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for the controller.
pub(super) struct Job {
    answer: Option<Commanded>,
    rows: usize,
}

/// Carries a command to the controller; `rows` is how many things it names.
pub(super) fn begin(
    call: &mut Call<'_, '_>,
    command: Command,
    rows: usize,
    wait: Duration,
) -> Begun {
    let deadline = call.host.now.after(wait);
    let part = CommandPart { command, deadline };
    call.ask_shard(ShardId(0), 0, Part::Command(Box::new(part)));
    Begun::Job(AnyJob::Command(Box::new(Job { answer: None, rows })))
}

/// A client's `timeout_ms`.
pub(super) fn patience(timeout_ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0))
}

impl Job {
    pub(super) fn ready(&self) -> bool {
        self.answer.is_some()
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn hear(&mut self, mut answer: Commanded, version: i16) {
        if let Commanded::DeleteTopics(response) = &mut answer
            && version < 6
        {
            for row in &mut response.responses {
                row.name.get_or_insert_default();
            }
        }
        self.answer = Some(answer);
    }

    pub(super) fn write(
        &self,
        out: &mut Writer,
        key: ApiKey,
        version: i16,
        correlation: i32,
    ) -> Result<(), EncodeError> {
        match &self.answer {
            None => Ok(()),
            Some(Commanded::CreateTopics(r)) => frame::response(out, key, version, correlation, r),
            Some(Commanded::DeleteTopics(r)) => frame::response(out, key, version, correlation, r),
            Some(Commanded::CreatePartitions(r)) => {
                frame::response(out, key, version, correlation, r)
            }
            Some(Commanded::AlterConfigs(r)) => frame::response(out, key, version, correlation, r),
            Some(Commanded::IncrementalAlterConfigs(r)) => {
                frame::response(out, key, version, correlation, r)
            }
        }
    }
}
