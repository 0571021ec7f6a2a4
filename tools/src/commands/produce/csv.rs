//! Records as rows of a CSV file (RFC 4180) with a heading that names their fields. Decides what a cell means, null and empty
//! told apart: nothing between two commas is null, `""` is empty; never where a row ends and what is done with it.

use bytes::Bytes;
use sawlog_client::Record;
use serde_json::Value;

use super::input::{Wrong, of_json, without_place};

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Column {
    Key,
    Value,
    Headers,
    Partition,
    Timestamp,
    TimestampType,
    /// The topic, the offset, the leader epoch: assigned anew.
    Passed,
}

const COLUMNS: &[(&str, Column)] = &[
    ("topic", Column::Passed),
    ("partition", Column::Partition),
    ("offset", Column::Passed),
    ("leader_epoch", Column::Passed),
    ("timestamp", Column::Timestamp),
    ("timestamp_type", Column::TimestampType),
    ("key", Column::Key),
    ("value", Column::Value),
    ("headers", Column::Headers),
];

/// The columns of a file, by its heading.
pub(super) struct Columns(Vec<Column>);

impl Columns {
    pub(super) fn of(heading: &Bytes) -> Result<Columns, Wrong> {
        let mut columns = Vec::new();
        for Cell { at, bytes } in cells(heading)? {
            let name = String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned();
            let found = COLUMNS.iter().find(|(known, _)| *known == name);
            let Some((_, column)) = found else {
                let known: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
                let why = format!("{name:?} is no column of a record: {}", known.join(", "));
                return Err((at, why));
            };
            if *column != Column::Passed && columns.contains(column) {
                return Err((at, format!("there are two columns {name:?}")));
            }
            columns.push(*column);
        }
        Ok(Columns(columns))
    }

    /// Puts a row into a record. What the broker assigns is left out unless it is to be kept.
    pub(super) fn record(&self, row: &Bytes, keep: bool, record: &mut Record) -> Result<(), Wrong> {
        let cells = cells(row)?;
        if cells.len() != self.0.len() {
            let why = format!(
                "the row has {} cells, the heading {}",
                cells.len(),
                self.0.len()
            );
            return Err((row.len(), why));
        }
        let mut by_broker = false;
        for (column, cell) in self.0.iter().zip(&cells) {
            by_broker |=
                *column == Column::TimestampType && cell.bytes.as_deref() == Some(b"append");
        }
        for (column, Cell { at, bytes }) in self.0.iter().zip(cells) {
            match (column, bytes) {
                (Column::Value, bytes) => record.value = bytes,
                (Column::Key, bytes) => record.key = bytes.or(record.key.take()),
                (Column::Partition, Some(bytes)) if keep => {
                    let number = number(&bytes).and_then(|number| i32::try_from(number).ok());
                    record.partition =
                        Some(number.ok_or((at, "partition is no number".to_owned()))?);
                }
                (Column::Timestamp, Some(bytes)) if keep || !by_broker => {
                    let time = number(&bytes);
                    record.timestamp = Some(time.ok_or((at, "timestamp is no number".to_owned()))?);
                }
                (Column::Headers, Some(bytes)) => {
                    headers(&bytes, record).map_err(|why| (at, why))?
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn number(bytes: &[u8]) -> Option<i64> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// Headers stand in their cell as in the JSON form.
fn headers(bytes: &[u8], record: &mut Record) -> Result<(), String> {
    let parsed: Result<Vec<Value>, _> = serde_json::from_slice(bytes);
    let list =
        parsed.map_err(|error| format!("headers are no JSON list: {}", without_place(&error)))?;
    let mut headers = Vec::new();
    for header in list {
        headers.push(of_json(header)?);
    }
    headers.append(&mut record.headers);
    record.headers = headers;
    Ok(())
}

/// A cell, and where it begins.
struct Cell {
    at: usize,
    /// `None` of nothing at all.
    bytes: Option<Bytes>,
}

/// The cells of a row.
fn cells(row: &Bytes) -> Result<Vec<Cell>, Wrong> {
    let row = match row.strip_suffix(b"\r") {
        // The end of a line as some write it; within quotes it would be followed by one.
        Some(shorter) => row.slice_ref(shorter),
        None => row.clone(),
    };
    let (mut cells, mut at) = (Vec::new(), 0);
    loop {
        let rest = row.slice(at..);
        let length = if rest.first() == Some(&b'"') {
            let (length, bytes) = quoted(&rest).map_err(|why| (at, why.to_owned()))?;
            cells.push(Cell {
                at,
                bytes: Some(bytes),
            });
            length
        } else {
            let length = rest
                .iter()
                .position(|byte| *byte == b',')
                .unwrap_or(rest.len());
            let cell = rest.slice(..length);
            if let Some(quote) = cell.iter().position(|byte| *byte == b'"') {
                return Err((
                    at + quote,
                    "a quote within a cell that does not begin with one".to_owned(),
                ));
            }
            cells.push(Cell {
                at,
                bytes: (length > 0).then_some(cell),
            });
            length
        };
        match row.get(at + length) {
            None => return Ok(cells),
            Some(b',') => at += length + 1,
            Some(_) => {
                return Err((
                    at + length,
                    "a comma is missing behind a quoted cell".to_owned(),
                ));
            }
        }
    }
}

/// A cell in quotes, in which a doubled one is one: its length there, and what it says.
fn quoted(rest: &Bytes) -> Result<(usize, Bytes), &'static str> {
    let mut bytes = Vec::new();
    let mut at = 1;
    loop {
        let more = rest.get(at..).unwrap_or_default();
        let quote = more.iter().position(|byte| *byte == b'"');
        let quote = quote.ok_or("the quote that begins here does not end")?;
        bytes.extend_from_slice(more.get(..quote).unwrap_or_default());
        if more.get(quote + 1) != Some(&b'"') {
            return Ok((at + quote + 1, bytes.into()));
        }
        bytes.push(b'"');
        at += quote + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(heading: &str, row: &str) -> Result<Record, Wrong> {
        let columns = Columns::of(&Bytes::copy_from_slice(heading.as_bytes()))?;
        let mut record = Record::to("t");
        columns.record(&Bytes::copy_from_slice(row.as_bytes()), true, &mut record)?;
        Ok(record)
    }

    #[test]
    fn null_empty_quotes_commas_and_lines_are_told_apart() {
        let record = |text| {
            let record = row("key,value", text).unwrap();
            let text = |bytes: Option<Bytes>| {
                bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
            };
            (text(record.key), text(record.value))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(record("a,b"), (some("a"), some("b")));
        assert_eq!(record(","), (None, None));
        assert_eq!(record("\"\",\"\"\r"), (some(""), some("")));
        assert_eq!(
            record("\"a,\"\"b\"\"\n\r\",c d\r"),
            (some("a,\"b\"\n\r"), some("c d"))
        );
    }

    #[test]
    fn numbers_headers_and_what_is_assigned_anew() {
        let heading = "topic,partition,offset,timestamp,value,headers";
        let headers = r#""[{""name"":""h"",""value"":null},{""name"":""h"",""value"":""/w=="",""value_encoding"":""base64""}]""#;
        let record = row(heading, &format!("t,3,17,1700000000000,v,{headers}")).unwrap();
        assert_eq!(
            (record.partition, record.timestamp),
            (Some(3), Some(1_700_000_000_000))
        );
        let values: Vec<_> = record
            .headers
            .iter()
            .map(|header| header.value.as_deref())
            .collect();
        assert_eq!(values, [None, Some(&b"\xff"[..])]);
    }

    #[test]
    fn what_is_wrong_with_a_row_is_told_with_its_place() {
        for (heading, text, at, why) in [
            ("key,valu", "", 4, "\"valu\" is no column"),
            ("key,key", "", 4, "two columns"),
            ("key,value", "a", 1, "1 cells, the heading 2"),
            ("key,value", "a,b,c", 5, "3 cells"),
            ("key,value", "a,\"b", 2, "does not end"),
            ("key,value", "a\"b,c", 1, "a quote within"),
            ("key,value", "\"a\"b,c", 3, "a comma is missing"),
            ("partition", "one", 0, "partition is no number"),
            ("partition", "3000000000", 0, "partition is no number"),
            ("timestamp,value", "x,", 0, "timestamp is no number"),
            ("value,headers", "v,{}", 2, "no JSON list"),
        ] {
            let (place, said) = row(heading, text).unwrap_err();
            assert!(said.contains(why), "{heading} {text}: {said}");
            assert_eq!(place, at, "{heading} {text}: {said}");
        }
    }
}
