//! Changes of several things at once: done or only judged, and counted. Decides what is said of each and which exit code says
//! that only some of them were done; what is changed, each command decides.

use sawlog_client::{Error, Mode};
use sawlog_core::complaint::Complaint;

use crate::cluster::{Cluster, complaint, exit_of};
use crate::exit::{Exit, say};

/// How a change is made.
#[derive(clap::Args)]
pub(crate) struct How {
    /// Only find out whether it could be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) cluster: Cluster,
}

impl How {
    /// Whether it is only judged.
    pub(crate) fn mode(&self) -> Mode {
        if self.dry_run {
            Mode::Validate
        } else {
            Mode::Do
        }
    }

    /// What was done, or would be.
    pub(crate) fn say(&self, verb: &str, name: &str) {
        match self.dry_run {
            true => say(&format!("could have {verb} {name}")),
            false => say(&format!("{verb} {name}")),
        }
    }
}

/// Counts what could not be done, and says why.
#[derive(Default)]
pub(crate) struct Tally {
    all: usize,
    failed: usize,
    /// The exit code of the first failure, if all failures have it.
    exit: Option<Exit>,
}

impl Tally {
    /// One item, done or not.
    pub(crate) fn count(&mut self, what: &str, result: &Result<(), Error>) -> bool {
        self.all += 1;
        let Err(error) = result else {
            return true;
        };
        self.fail(exit_of(error), &complaint(what, error));
        false
    }

    /// One item, done.
    pub(crate) fn done(&mut self) {
        self.all += 1;
    }

    /// One item that was not done, for a reason of our own.
    pub(crate) fn refuse(&mut self, exit: Exit, what: String, why: &str, attempt: String) {
        self.all += 1;
        let complaint = Complaint {
            what,
            why: why.to_owned(),
            attempt,
            code: None,
        };
        self.fail(exit, &complaint);
    }

    fn fail(&mut self, exit: Exit, complaint: &Complaint) {
        say(&complaint.to_string());
        self.exit = match (self.failed, self.exit) {
            (0, _) => Some(exit),
            (_, Some(before)) if before == exit => Some(exit),
            _ => Some(Exit::Failed),
        };
        self.failed += 1;
    }

    pub(crate) fn exit(self) -> Exit {
        match self.failed {
            0 => Exit::Done,
            failed if failed == self.all => self.exit.unwrap_or(Exit::Failed),
            _ => Exit::SomeFailed,
        }
    }
}
