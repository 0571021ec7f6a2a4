//! What a command answers on standard output: lines for people, or one JSON object a line for programs.
//! Decides the form and the end of a pipe that nobody reads; never what is said.

use std::io::{BufWriter, StdoutLock, Write};

use serde_json::Value;

use crate::exit::Failure;

/// The form of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub(crate) enum Form {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// Standard output, in the form asked for.
pub(crate) struct Show {
    form: Form,
    out: BufWriter<StdoutLock<'static>>,
}

impl Show {
    /// Begins to answer.
    pub(crate) fn new(form: Form) -> Show {
        let out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
        Show { form, out }
    }

    /// Begins to print lines that have a form of their own.
    pub(crate) fn out() -> Show {
        Show::new(Form::Text)
    }

    /// One item of the answer. Only the form asked for is made.
    pub(crate) fn item(
        &mut self,
        text: impl FnOnce() -> String,
        json: impl FnOnce() -> Value,
    ) -> Result<(), Failure> {
        let line = match self.form {
            Form::Text => text(),
            Form::Json => json().to_string(),
        };
        self.line(line.as_bytes())
    }

    /// A line for people only, above the items.
    pub(crate) fn heading(&mut self, text: impl FnOnce() -> String) -> Result<(), Failure> {
        match self.form {
            Form::Text => self.line(text().as_bytes()),
            Form::Json => Ok(()),
        }
    }

    /// Bytes as they are, and the end of the line.
    pub(crate) fn line(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.raw(bytes)?;
        self.raw(b"\n")
    }

    /// Bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.out.write_all(bytes);
        written.map_err(|error| Failure::writing(&error))
    }

    /// What was said so far is out.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(|error| Failure::writing(&error))
    }

    /// The end of the answer.
    pub(crate) fn end(mut self) -> Result<(), Failure> {
        self.flush()
    }
}
