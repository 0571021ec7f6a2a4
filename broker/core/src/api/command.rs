//! Requests that are one command to the controller: carried there as they are, answered as it answers.
//! Decides nothing but how long the client waits; the keys' files say which command, `controller` what becomes of it.

use alloc::boxed::Box;
use core::time::Duration;

use sawlog_wire::message::Message;
use sawlog_wire::messages::ApiKey;
use sawlog_wire::primitives::{DecodeError, EncodeError};
use sawlog_wire::{Reader, Writer, frame};

use super::job::{Begun, Call, Job as AnyJob, bounded};
use crate::answer::{Command, CommandPart, Commanded, Part};
use crate::ids::ShardId;

/// How long a command is waited for whose request does not say.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for the controller.
pub(super) struct Job {
    answer: Option<Commanded>,
    rows: usize,
}

/// Carries a request to the controller: how many things it names, and how long its client waits, its key's file says.
pub(super) fn split<R: Message>(
    call: &mut Call<'_, '_>,
    body: &mut Reader<'_>,
    rows: impl FnOnce(&R) -> usize,
    wait: impl FnOnce(&R) -> Duration,
    command: impl FnOnce(R) -> Command,
) -> Result<Begun, DecodeError> {
    let bytes = body.left();
    let request = R::decode(body, call.version)?;
    let rows = rows(&request);
    bounded(bytes, || rows)?;
    let wait = wait(&request);
    send(call, command(request), wait);
    Ok(Begun::Job(AnyJob::Command(Box::new(Job {
        answer: None,
        rows,
    }))))
}

/// Asks the controller, who lives on shard 0.
pub(super) fn send(call: &mut Call<'_, '_>, command: Command, wait: Duration) {
    let deadline = call.host.now.after(wait);
    let part = CommandPart {
        command,
        deadline,
        from: call.from,
    };
    call.ask_shard(ShardId(0), 0, Part::Command(Box::new(part)));
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
