//! Changes of several things at once: done or only judged, counted, and listed for programs. Decides what is said of each and
//! which exit code says that only some of them were done; what is changed, each command decides.

use sawlog_client::{Error, Mode};
use sawlog_core::complaint::Complaint;
use serde_json::{Value, json};

use crate::cluster::{Cluster, complaint, exit_of};
use crate::exit::{Exit, Failure, say};
use crate::table::{Listing, Table};

/// How a program is told what became of each thing: people are told in words anyway.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct Results {
    /// Also list what was done and what was not, in this form; by name what was done alone
    #[arg(short, long, value_enum, value_name = "FORM")]
    output: Option<Listing>,
}

/// How a change is made.
#[derive(clap::Args)]
pub(crate) struct How {
    /// Only find out whether it could be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) results: Results,
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
    /// What became of each thing that was to be changed.
    rows: Vec<Row>,
}

/// A thing, its name, and why it was not changed.
struct Row {
    name: String,
    thing: Value,
    failed: Option<(Option<&'static str>, String)>,
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

    /// The same, of a thing that was to be changed.
    pub(crate) fn changed(
        &mut self,
        name: &str,
        thing: Value,
        what: &str,
        result: &Result<(), Error>,
    ) -> bool {
        let failed = result.as_ref().err().map(|error| complaint(what, error));
        self.rows.push(Row {
            name: name.to_owned(),
            thing,
            failed: failed.map(|told| (told.code.map(|code| code.name()), told.why)),
        });
        self.count(what, result)
    }

    /// A thing that is not tried at all; why, was said.
    pub(crate) fn untried(&mut self, name: &str, thing: Value, why: &str) {
        self.rows.push(Row {
            name: name.to_owned(),
            thing,
            failed: Some((None, why.to_owned())),
        });
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

    /// Lists what became of each thing, if that was asked for, and how the command ends. `shown` are the fields of a thing.
    pub(crate) fn end(
        self,
        results: Results,
        shown: &'static [&'static str],
        mode: Mode,
    ) -> Result<Exit, Failure> {
        if let Some(output) = results.output {
            let mut table = Table::new(output.into(), shown);
            for row in &self.rows {
                let Value::Object(mut fields) = row.thing.clone() else {
                    continue;
                };
                if output == Listing::Name && row.failed.is_some() {
                    continue;
                }
                let (error, why) = row.failed.clone().unzip();
                fields.insert("done".to_owned(), json!(why.is_none() && mode == Mode::Do));
                fields.insert("error".to_owned(), json!(error.flatten()));
                fields.insert("why".to_owned(), json!(why));
                table.row(row.name.as_str(), Value::Object(fields));
            }
            table.end()?;
        }
        Ok(self.exit())
    }

    pub(crate) fn exit(self) -> Exit {
        match self.failed {
            0 => Exit::Done,
            failed if failed == self.all => self.exit.unwrap_or(Exit::Failed),
            _ => Exit::SomeFailed,
        }
    }
}
