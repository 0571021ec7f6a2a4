//! What can go wrong, for programs and for people. Decides what an error says about retrying and about its effect; where
//! it happened decides which one it is.

use std::fmt;
use std::time::Duration;

use sawlog_engine::connection::{Broken, Outcome, Refusal};
use sawlog_wire::{Code, DecodeError, ErrorCode};

/// The kinds of errors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// No broker could be reached in time.
    Unreachable,
    /// A connection ended, or an answer did not come in time.
    Lost,
    /// The broker refused: [`Error::code`] says why.
    Refused,
    /// The broker does not serve what is needed: the text names it.
    Unsupported,
    /// What came is not Kafka's protocol.
    Protocol,
    /// What was asked cannot be: an address, a size, a record.
    Invalid,
    /// There is no room for it now.
    Full,
    /// The broker refused for as long as a call may take, with what might have passed: [`Error::code`] says what.
    TimedOut,
}

/// An error.
#[derive(Clone, Debug)]
pub struct Error {
    kind: Kind,
    code: Option<Code>,
    outcome: Outcome,
    text: String,
}

impl Error {
    pub(crate) fn new(kind: Kind, text: impl Into<String>) -> Error {
        Error {
            kind,
            code: None,
            outcome: Outcome::NotWritten,
            text: text.into(),
        }
    }

    pub(crate) fn lost(outcome: Outcome, why: impl Into<String>) -> Error {
        Error {
            outcome,
            ..Error::new(Kind::Lost, why)
        }
    }

    /// A broker's refusal of `what`, with its own words if it gave any.
    pub(crate) fn refused(what: &str, error: ErrorCode, said: Option<&str>) -> Error {
        let code = error.code();
        let text = match (said, code) {
            (Some(said), _) if !said.is_empty() => said.to_owned(),
            (_, Some(code)) => code.text().to_owned(),
            (_, None) => format!("error {error:?}, which this client does not know"),
        };
        Error {
            code,
            ..Error::new(Kind::Refused, format!("{what}: {text}"))
        }
    }

    /// The same refusal, which has lasted for as long as a call may take.
    pub(crate) fn lasting(self, limit: Duration) -> Error {
        let text = format!("{}, for {} seconds now", self.text, limit.as_secs());
        Error {
            kind: Kind::TimedOut,
            text,
            ..self
        }
    }

    /// A record that is not sent at all. Kafka's clients have the broker's code for it as well.
    pub(crate) fn too_large(why: &str) -> Error {
        Error {
            code: Some(Code::MessageTooLarge),
            ..Error::new(Kind::Invalid, why)
        }
    }

    pub(crate) fn of_refusal(refusal: Refusal) -> Error {
        match refusal {
            Refusal::Unsupported(why) => Error::new(Kind::Unsupported, why.to_string()),
            Refusal::Encode(why) => Error::new(
                Kind::Invalid,
                format!("the request cannot be written: {why}"),
            ),
            Refusal::NotReady => Error::new(Kind::Lost, "the connection is not open"),
            Refusal::Full => Error::new(Kind::Lost, "too many requests are in flight"),
        }
    }

    /// The same error of something whose outcome is this.
    pub(crate) fn with_outcome(self, outcome: Outcome) -> Error {
        Error { outcome, ..self }
    }

    /// The same error, told of one of several that met it.
    pub(crate) fn about(self, what: &str) -> Error {
        let text = format!("{what}: {}", self.text);
        Error { text, ..self }
    }

    pub(crate) fn garbage(why: DecodeError) -> Error {
        // The request was carried out, and the answer cannot be read.
        Error {
            outcome: Outcome::Unknown,
            ..Error::new(Kind::Protocol, format!("an answer cannot be read: {why}"))
        }
    }

    /// What kind it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Kafka's code, if a broker gave one.
    pub fn code(&self) -> Option<Code> {
        self.code
    }

    /// Why, without the code.
    pub fn reason(&self) -> &str {
        &self.text
    }

    /// Whether the effect may have happened all the same.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether nothing more of its kind will succeed either, until the program, its settings or the cluster are others: who
    /// sees one should stop, not skip. [`Error::is_retriable`] is false then. Neither is true of what concerns one item alone,
    /// as a record that is too large. Kafka's Java clients: what they call fatal.
    pub fn is_fatal(&self) -> bool {
        match self.kind {
            Kind::Unsupported | Kind::Protocol => true,
            Kind::Refused => self.code.is_some_and(fatal),
            Kind::Unreachable | Kind::Lost | Kind::Invalid | Kind::Full | Kind::TimedOut => false,
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_retriable(&self) -> bool {
        match self.kind {
            Kind::Unreachable | Kind::Lost | Kind::Full | Kind::TimedOut => true,
            Kind::Refused => self.code.is_some_and(Code::retriable),
            Kind::Unsupported | Kind::Protocol | Kind::Invalid => false,
        }
    }
}

/// Who asks is not who may, or no longer who he was.
fn fatal(code: Code) -> bool {
    matches!(
        code,
        Code::SaslAuthenticationFailed
            | Code::UnsupportedSaslMechanism
            | Code::IllegalSaslState
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::UnsupportedVersion
            | Code::ProducerFenced
            | Code::InvalidProducerEpoch
            | Code::FencedInstanceId
    )
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        match self.code {
            Some(code) => write!(f, " [{}]", code.name()),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// How the end of a connection is told to those who waited.
pub(crate) fn broken(why: &Broken) -> String {
    format!("the connection was given up: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_is_both_retriable_and_fatal() {
        let kinds = [
            Kind::Unreachable,
            Kind::Lost,
            Kind::Unsupported,
            Kind::Protocol,
            Kind::Invalid,
            Kind::Full,
            Kind::TimedOut,
        ];
        for kind in kinds {
            let error = Error::new(kind, "");
            assert!(!(error.is_retriable() && error.is_fatal()), "{kind:?}");
        }
        let mut seen = (0, 0, 0);
        for number in -1..200 {
            let error = Error::refused("t", ErrorCode(number), None);
            match (error.is_retriable(), error.is_fatal()) {
                (true, true) => panic!("{error} is both"),
                (true, false) => seen.0 += 1,
                (false, true) => seen.1 += 1,
                (false, false) => seen.2 += 1,
            }
        }
        assert!(seen.0 > 20 && seen.1 == 9 && seen.2 > 20, "{seen:?}");
    }
}
