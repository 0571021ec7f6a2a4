//! What a command answers on standard output: lines for people, or JSON objects, YAML items or names for programs.
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
    /// Names only, one a line: of files, settings, topics
    Name,
}

/// Standard output, in the form asked for.
pub(crate) struct Show {
    form: Form,
    /// The last name that was said: items of one thing, one behind the other, are one name.
    named: Option<String>,
    out: BufWriter<StdoutLock<'static>>,
}

impl Show {
    /// Begins to answer.
    pub(crate) fn new(form: Form) -> Show {
        let out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
        Show {
            form,
            named: None,
            out,
        }
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
            Form::Name => match name(&json()) {
                Some(name) if self.named.as_ref() != Some(&name) => {
                    self.named = Some(name.clone());
                    name
                }
                _ => return Ok(()),
            },
        };
        self.line(line.as_bytes())
    }

    /// A line for people only, above the items.
    pub(crate) fn heading(&mut self, text: impl FnOnce() -> String) -> Result<(), Failure> {
        match self.form {
            Form::Text => self.line(text().as_bytes()),
            Form::Json | Form::Yaml | Form::Name => Ok(()),
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

/// What an item is the name of, or is about; none for what is said of all of them.
fn name(item: &Value) -> Option<String> {
    let mut fields = ["file", "name", "topic"].into_iter();
    let name = fields.find_map(|field| item.get(field)?.as_str())?;
    Some(name.to_owned())
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
    fn an_item_has_the_name_of_its_file_its_setting_or_its_topic() {
        for (item, expected) in [
            (json!({"kind": "damage", "file": "a.log"}), Some("a.log")),
            (
                json!({"name": "log.dirs", "scope": "broker"}),
                Some("log.dirs"),
            ),
            (json!({"bench": "produce", "topic": "perf"}), Some("perf")),
            (json!({"kind": "verdict", "path": "data"}), None),
            (json!(["file"]), None),
        ] {
            assert_eq!(name(&item).as_deref(), expected, "{item}");
        }
    }

    #[test]
    fn yaml_quotes_what_could_be_something_else() {
        assert_eq!(
            yaml(&json!({"topic": "no", "partitions": 3, "isr": [1, "x"]})),
            "- topic: \"no\"\n  partitions: 3\n  isr: [1,\"x\"]\n"
        );
    }
}
