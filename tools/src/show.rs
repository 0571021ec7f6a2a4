//! What a command answers on standard output: lines for people, or JSON objects or YAML items for programs.
//! Decides the form and the end of a pipe that nobody reads; never what is said.

use std::io::{BufWriter, StdoutLock, Write};

use serde_json::Value;

use crate::exit::Failure;

/// The form of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub(crate) enum Form {
    /// For people; `table` and `wide` are the same here
    #[default]
    #[value(alias = "table", alias = "wide")]
    Text,
    /// One JSON object a line
    Json,
    /// A YAML list
    Yaml,
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
            Form::Yaml => return self.raw(yaml(&json()).as_bytes()),
        };
        self.line(line.as_bytes())
    }

    /// A line for people only, above the items.
    pub(crate) fn heading(&mut self, text: impl FnOnce() -> String) -> Result<(), Failure> {
        match self.form {
            Form::Text => self.line(text().as_bytes()),
            Form::Json | Form::Yaml => Ok(()),
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

/// One item of a YAML list. Strings, lists and what is in them are written as in JSON, which YAML takes.
pub(crate) fn yaml(item: &Value) -> String {
    let Value::Object(fields) = item else {
        return format!("- {item}\n");
    };
    let mut text = String::new();
    for (number, (name, value)) in fields.iter().enumerate() {
        let lead = if number == 0 { "- " } else { "  " };
        text.push_str(&format!("{lead}{name}: {value}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn yaml_quotes_what_could_be_something_else() {
        assert_eq!(
            yaml(&json!({"topic": "no", "partitions": 3, "isr": [1, "x"]})),
            "- topic: \"no\"\n  partitions: 3\n  isr: [1,\"x\"]\n"
        );
    }
}
