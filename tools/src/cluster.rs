//! What every command that talks to a cluster shares: how it is reached, and what a failure of it means for a script.
//! Decides exit codes by what is known of the error; never what is asked.

use std::time::Duration;

use sawlog_client::{Client, Error, Kind, Outcome};
use sawlog_core::complaint::Complaint;
use sawlog_wire::Code;

use crate::exit::{Exit, Failure};

/// How the cluster is reached.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Cluster {
    /// Where to begin: HOST:PORT, several with commas between
    #[arg(
        long,
        short = 'b',
        env = "SAWLOG_BROKERS",
        hide_env_values = true,
        default_value = "localhost:9092",
        value_name = "HOST:PORT,..."
    )]
    brokers: String,
    /// Give up after so many seconds without an answer, or with errors alone that may pass
    #[arg(
        long,
        env = "SAWLOG_TIMEOUT",
        hide_env_values = true,
        default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=1_000_000),
        value_name = "SECONDS"
    )]
    timeout: u64,
}

impl Cluster {
    /// Where to begin.
    pub(crate) fn brokers(&self) -> &str {
        &self.brokers
    }

    /// How long to wait for what does not come.
    pub(crate) fn limit(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    /// Connects.
    pub(crate) async fn connect(&self) -> Result<Client, Failure> {
        let limit = self.limit();
        let asked = Client::builder(&self.brokers)
            .client_id("sawlog-cli")
            .request_timeout(limit)
            .call_timeout(limit)
            .connect();
        asked.await.map_err(|error| {
            failure(
                &format!("cannot use the cluster at {}", self.brokers),
                &error,
            )
        })
    }
}

/// Runs a command that waits for others.
pub(crate) fn wait_for<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime
        .map_err(|error| Failure::Other(anyhow::Error::new(error).context("start the runtime")))?;
    let done = runtime.block_on(work);
    // A name server that does not answer holds up a thread of the runtime, and nobody waits for it any more.
    runtime.shutdown_background();
    done
}

/// What to try where a broker refuses, by what it says.
pub(crate) fn advice(code: Option<Code>) -> &'static str {
    match code {
        Some(Code::UnknownTopicOrPartition) => {
            "`sawlog topic list` shows what is there, `sawlog topic create` makes it"
        }
        Some(Code::UnknownTopicId) => "Run it again to read the topic that has the name now",
        Some(Code::TopicAlreadyExists) => "`sawlog topic describe` shows it; or take another name",
        Some(
            Code::InvalidTopicException
            | Code::InvalidConfig
            | Code::InvalidPartitions
            | Code::InvalidReplicationFactor
            | Code::InvalidRequest,
        ) => "Ask for something else; --help shows how",
        Some(Code::MessageTooLarge | Code::RecordListTooLarge) => {
            "`sawlog topic describe --configs TOPIC` shows its max.message.bytes. A node of Sawlog takes batches of up to 16 MiB, \
             less where its disk is small, and this tool sends none above 99 MiB"
        }
        Some(Code::NotLeaderOrFollower | Code::LeaderNotAvailable | Code::NotController) => {
            "Try again: `sawlog topic describe` shows who leads"
        }
        Some(Code::InvalidTimestamp) => {
            "`sawlog topic describe --configs TOPIC` shows how old and how far ahead its records may be \
             (message.timestamp.before.max.ms, message.timestamp.after.max.ms)"
        }
        Some(Code::PolicyViolation) => "Ask for less at once: fewer, or in several requests",
        Some(Code::OffsetOutOfRange) => "`sawlog topic offsets` shows what there is",
        Some(Code::KafkaStorageError) => {
            "Look at the broker's log: its disk cannot be used, or what lies there is damaged"
        }
        Some(Code::UnknownServerError) => "Look at the broker's log: it says what went wrong",
        Some(
            Code::UnknownProducerId | Code::InvalidProducerEpoch | Code::OutOfOrderSequenceNumber,
        ) => "Start it again: its topic was made anew, or it was silent for too long",
        _ => "The broker's log may say more",
    }
}

/// The exit code of an error.
pub(crate) fn exit_of(error: &Error) -> Exit {
    match (error.kind(), error.code()) {
        (Kind::Unreachable | Kind::Lost | Kind::Full | Kind::TimedOut, _) => Exit::Unreachable,
        (Kind::Invalid, None) => Exit::Usage,
        (_, Some(Code::UnknownTopicOrPartition | Code::UnknownTopicId)) => Exit::NotFound,
        (
            _,
            Some(
                Code::TopicAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::GroupAuthorizationFailed
                | Code::SaslAuthenticationFailed,
            ),
        ) => Exit::Refused,
        _ => Exit::Failed,
    }
}

/// An error of the client in four parts. What a broker advises comes before what we would, and what was named in `what` is not
/// named again.
pub(crate) fn complaint(what: &str, error: &Error) -> Complaint {
    let why = error.reason();
    let why = match why.split_once(": ") {
        Some((named, rest)) if what.ends_with(named) => rest,
        _ => why,
    };
    let (why, advised) = error
        .code()
        .and_then(|code| why.strip_suffix(&format!(" [{}]", code.name())))
        .and_then(|parts| parts.rsplit_once(". "))
        .map_or((why, None), |(why, attempt)| (why, Some(attempt)));
    let attempt = advised.unwrap_or(match exit_of(error) {
        Exit::Unreachable if error.outcome() == Outcome::Unknown => {
            "It may have been carried out all the same: look before you try again"
        }
        Exit::Unreachable if error.code().is_some() => advice(error.code()),
        Exit::Unreachable => "Look whether the broker runs, and name it with --brokers HOST:PORT",
        Exit::Usage => "Look at --help",
        _ => advice(error.code()),
    });
    Complaint {
        what: what.to_owned(),
        // Kafka's words are a sentence, with its full stop; what follows has its own.
        why: why.trim_end_matches('.').to_owned(),
        attempt: attempt.to_owned(),
        code: error.code(),
    }
}

/// The same, with its exit code.
pub(crate) fn failure(what: &str, error: &Error) -> Failure {
    Failure::Told(exit_of(error), Box::new(complaint(what, error)))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_command_that_is_over_waits_for_no_call_that_blocks() {
        let (_never, waits) = mpsc::channel::<()>();
        let over = wait_for(async {
            // As a name that is looked up at a server that does not answer.
            tokio::task::spawn_blocking(move || waits.recv());
            Ok(7)
        });
        assert_eq!(over.unwrap(), 7);
    }
}
