//! An error for the people who run a node or start a command, in four parts.
//! Decides its shape only; who makes one knows what happened.

use alloc::string::String;

use sawlog_wire::code::Code;

/// What could not be done, why, what to try, and what Kafka calls it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Complaint {
    /// What could not be done.
    pub what: String,
    /// Why, as a fact.
    pub why: String,
    /// What to try.
    pub attempt: String,
    /// What Kafka calls it.
    pub code: Option<Code>,
}

impl core::fmt::Display for Complaint {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {}. {}", self.what, self.why, self.attempt)?;
        match self.code {
            Some(code) => write!(f, " [{}]", code.name()),
            None => Ok(()),
        }
    }
}

impl core::error::Error for Complaint {}
