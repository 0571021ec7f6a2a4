//! How a command ends: the exit codes that scripts rely on, and an error in four parts for people.
//! Decides numbers and where words go; never which of them applies: the command knows what happened.

use std::io::{self, Write};
use std::process::ExitCode;

use sawlog_core::complaint::Complaint;

/// How a command ended. The numbers are an interface and do not change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// All was done.
    Done = 0,
    /// Nothing was.
    Failed = 1,
    /// The words of the command mean nothing.
    Usage = 2,
    /// Some of it was not.
    SomeFailed = 3,
    /// What was named is not there.
    NotFound = 4,
    /// No broker answered in time.
    Unreachable = 5,
    /// Whoever asked may not.
    Refused = 6,
    /// A check found a problem.
    Problem = 7,
    /// Somebody pressed Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody reads our output any more: `sawlog ... | head` is no error, and neither is a terminal that was closed.
    Unread,
    /// With an exit code of its own.
    Told(Exit, Box<Complaint>),
    /// The same, in words that need no more parts.
    Ended(Exit, anyhow::Error),
    /// Anything else.
    Other(anyhow::Error),
}

impl Failure {
    /// What happened, why, and what to try.
    pub(crate) fn told(exit: Exit, what: String, why: String, attempt: &str) -> Failure {
        let complaint = Complaint {
            what,
            why,
            attempt: attempt.to_owned(),
            code: None,
        };
        Failure::Told(exit, Box::new(complaint))
    }

    /// Writing the answer failed.
    pub(crate) fn writing(error: &io::Error) -> Failure {
        if crate::unread::means_unread(error) {
            return Failure::Unread;
        }
        let what = "cannot write to standard output".to_owned();
        Failure::told(
            Exit::Failed,
            what,
            error.to_string(),
            "Give it a place that takes it",
        )
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Failure {
        Failure::Other(error)
    }
}

/// Says on standard error why a command ended, and gives its exit code.
pub(crate) fn end(done: Result<Exit, Failure>) -> ExitCode {
    match done {
        Ok(exit) => exit.into(),
        Err(Failure::Unread) => Exit::Done.into(),
        Err(Failure::Told(exit, complaint)) => {
            say(&complaint.to_string());
            exit.into()
        }
        Err(Failure::Ended(exit, error)) => {
            say(&format!("{error:#}"));
            exit.into()
        }
        Err(Failure::Other(error)) => {
            say(&format!("{error:#}"));
            Exit::Failed.into()
        }
    }
}

/// A line for people. A reader that is gone is no reason to fail differently.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "sawlog: {line}");
}
