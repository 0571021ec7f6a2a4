//! Lists of things, in the form asked for: a table for people, JSON, YAML or names for programs. Decides columns and widths;
//! what stands in them is said once, as JSON, whose fields are an interface and only grow.

use serde_json::{Map, Value};

use crate::exit::{Failure, say};
use crate::show::{Show, yaml};

/// The form of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub(crate) enum Listing {
    /// For people
    #[default]
    Table,
    /// For people, with every field
    Wide,
    /// One JSON object a line
    Json,
    /// A YAML list
    Yaml,
    /// Names only, one a line
    Name,
}

/// How a list is to be printed: the option that every listing command has.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct Output {
    /// The form of the output
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Listing,
}

impl From<Listing> for Output {
    fn from(output: Listing) -> Output {
        Output { output }
    }
}

/// A list in the making. A row is a JSON object; `shown` of its fields stand in the table.
pub(crate) struct Table {
    listing: Listing,
    shown: &'static [&'static str],
    rows: Vec<(String, Map<String, Value>)>,
}

impl Table {
    pub(crate) fn new(output: Output, shown: &'static [&'static str]) -> Table {
        Table {
            listing: output.output,
            shown,
            rows: Vec::new(),
        }
    }

    /// One more row, by its name.
    pub(crate) fn row(&mut self, name: impl Into<String>, fields: Value) {
        if let Value::Object(fields) = fields {
            self.rows.push((name.into(), fields));
        }
    }

    /// Prints it. Without rows it is nothing to people, and no item to programs.
    pub(crate) fn end(self) -> Result<(), Failure> {
        self.print(None)
    }

    /// The same; to people it is said what it means that there are no rows.
    pub(crate) fn end_or(self, none: &str) -> Result<(), Failure> {
        self.print(Some(none))
    }

    fn print(self, none: Option<&str>) -> Result<(), Failure> {
        let mut show = Show::out();
        match self.listing {
            Listing::Json => {
                for (_, fields) in self.rows {
                    show.line(Value::Object(fields).to_string().as_bytes())?;
                }
            }
            Listing::Yaml => {
                if self.rows.is_empty() {
                    show.line(b"[]")?;
                }
                for (_, fields) in self.rows {
                    show.raw(yaml(&Value::Object(fields)).as_bytes())?;
                }
            }
            Listing::Name => {
                let mut last = None;
                for (name, _) in &self.rows {
                    // Rows of one thing, one below the other, are one name.
                    if last != Some(name) {
                        show.line(name.as_bytes())?;
                    }
                    last = Some(name);
                }
            }
            Listing::Table | Listing::Wide if self.rows.is_empty() => {
                if let Some(none) = none {
                    say(none);
                }
            }
            Listing::Table | Listing::Wide => {
                for line in self.lines() {
                    show.line(line.as_bytes())?;
                }
            }
        }
        show.end()
    }

    fn columns(&self) -> Vec<&str> {
        if self.listing == Listing::Table {
            return self.shown.to_vec();
        }
        let mut columns = self.shown.to_vec();
        for (_, fields) in &self.rows {
            for field in fields.keys() {
                if !columns.contains(&field.as_str()) {
                    columns.push(field);
                }
            }
        }
        columns
    }

    fn lines(&self) -> Vec<String> {
        let columns = self.columns();
        let heading = columns
            .iter()
            .map(|column| column.replace('_', " ").to_uppercase());
        let mut lines = vec![heading.collect::<Vec<String>>()];
        for (_, fields) in &self.rows {
            lines.push(
                columns
                    .iter()
                    .map(|column| cell(fields.get(*column)))
                    .collect(),
            );
        }
        let number = |column: &&str| {
            let values = self
                .rows
                .iter()
                .filter_map(|(_, fields)| fields.get(*column));
            !self.rows.is_empty()
                && values
                    .into_iter()
                    .all(|value| value.is_number() || value.is_null())
        };
        let numbers: Vec<bool> = columns.iter().map(number).collect();
        let wide = |at: usize| {
            lines
                .iter()
                .filter_map(|line| line.get(at))
                .map(|cell| cell.chars().count())
                .max()
        };
        let widths: Vec<usize> = (0..columns.len()).map(|at| wide(at).unwrap_or(0)).collect();
        let print = |line: &Vec<String>| {
            let cells = line.iter().zip(&widths).zip(&numbers);
            let cells = cells.map(|((cell, width), number)| match number {
                true => format!("{cell:>width$}"),
                false => format!("{cell:width$}"),
            });
            cells
                .collect::<Vec<String>>()
                .join("  ")
                .trim_end()
                .to_owned()
        };
        lines.iter().map(print).collect()
    }
}

/// A value as a person reads it.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(list)) => list
            .iter()
            .map(|one| cell(Some(one)))
            .collect::<Vec<String>>()
            .join(","),
        Some(Value::Object(fields)) => fields
            .values()
            .map(|one| cell(Some(one)))
            .collect::<Vec<String>>()
            .join(":"),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn table(listing: Listing) -> Table {
        let mut table = Table::new(Output { output: listing }, &["topic", "partitions"]);
        table.row("a", json!({"topic": "a", "partitions": 12, "isr": [1, 2]}));
        table.row(
            "orders",
            json!({"topic": "orders", "partitions": null, "isr": []}),
        );
        table
    }

    #[test]
    fn a_table_has_its_columns_aligned_and_wide_has_all() {
        assert_eq!(
            table(Listing::Table).lines(),
            [
                "TOPIC   PARTITIONS",
                "a               12",
                "orders           -"
            ]
        );
        assert_eq!(table(Listing::Wide).lines()[1], "a               12  1,2");
    }
}
