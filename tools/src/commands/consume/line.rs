//! What a record looks like on standard output: its value, itself as JSON without loss, or as a format says. Decides that
//! form only; which records there are is not known here.

use sawlog_client::{Message, TimeOf};
use serde_json::{Map, Value, json};

use crate::exit::{Exit, Failure};
use crate::format::{self, Field, Piece};
use crate::show::Show;
use crate::text;

/// The form of a record.
pub(super) enum Line {
    /// The value, and the end of the line.
    Text,
    /// One JSON object a line.
    Json,
    /// One row of a CSV file (RFC 4180): nothing between two commas is null, `""` is empty.
    Csv,
    /// As a format says; the end of a line is said too.
    Format(Vec<Piece>),
}

impl Line {
    pub(super) fn parse(output: &str) -> Result<Line, Failure> {
        let wrong = |why: String| {
            let next = "text, json, csv, or a format such as '%k: %v\\n'";
            Failure::told(Exit::Usage, format!("-o {output}"), why, next)
        };
        match output {
            "text" => Ok(Line::Text),
            "json" => Ok(Line::Json),
            "csv" => Ok(Line::Csv),
            _ if output.contains(['%', '\\']) => {
                format::parse(output).map(Line::Format).map_err(wrong)
            }
            _ => Err(wrong("no such form".to_owned())),
        }
    }

    /// What stands above the first record.
    pub(super) fn heading(&self, show: &mut Show) -> Result<(), Failure> {
        match self {
            Line::Csv => show.line(HEADING),
            Line::Text | Line::Json | Line::Format(_) => Ok(()),
        }
    }

    pub(super) fn write(&self, message: &Message, show: &mut Show) -> Result<(), Failure> {
        match self {
            Line::Text => show.line(message.value.as_deref().unwrap_or_default()),
            Line::Json => show.line(json(message).to_string().as_bytes()),
            Line::Csv => show.line(&row(message)),
            Line::Format(pieces) => {
                let mut out = Vec::new();
                for piece in pieces {
                    match piece {
                        Piece::Bytes(bytes) => out.extend_from_slice(bytes),
                        Piece::Field(Field::Headers, form) => {
                            for (number, header) in message.headers.iter().enumerate() {
                                let comma: &[u8] = if number == 0 { b"" } else { b"," };
                                out.extend_from_slice(comma);
                                out.extend_from_slice(&header.name);
                                out.push(b'=');
                                form.put(header.value.as_deref().unwrap_or_default(), &mut out);
                            }
                        }
                        Piece::Field(field, form) => match field {
                            Field::Value => {
                                form.put(message.value.as_deref().unwrap_or_default(), &mut out)
                            }
                            Field::Key => {
                                form.put(message.key.as_deref().unwrap_or_default(), &mut out)
                            }
                            Field::Topic => form.put(message.topic.as_bytes(), &mut out),
                            Field::Partition => {
                                form.put(message.partition.to_string().as_bytes(), &mut out)
                            }
                            Field::Offset => {
                                form.put(message.offset.to_string().as_bytes(), &mut out)
                            }
                            Field::Epoch => {
                                form.put(message.leader_epoch.to_string().as_bytes(), &mut out)
                            }
                            Field::Time => {
                                form.put(message.timestamp.to_string().as_bytes(), &mut out)
                            }
                            Field::Headers => {}
                        },
                    }
                }
                show.raw(&out)
            }
        }
    }
}

const HEADING: &[u8] =
    b"topic,partition,offset,leader_epoch,timestamp,timestamp_type,key,value,headers";

/// A row with all of a record, without loss; headers stand in their cell as JSON.
fn row(message: &Message) -> Vec<u8> {
    let assigned = format!(
        "{},{},{},{},{},{},",
        message.topic,
        message.partition,
        message.offset,
        message.leader_epoch,
        message.timestamp,
        time_of(message)
    );
    let mut row = assigned.into_bytes();
    cell(message.key.as_deref(), &mut row);
    row.push(b',');
    cell(message.value.as_deref(), &mut row);
    row.push(b',');
    if !message.headers.is_empty() {
        cell(Some(headers(message).to_string().as_bytes()), &mut row);
    }
    row
}

fn cell(bytes: Option<&[u8]>, row: &mut Vec<u8>) {
    let Some(bytes) = bytes else { return };
    if !bytes.is_empty() && !bytes.iter().any(|byte| b"\",\r\n".contains(byte)) {
        row.extend_from_slice(bytes);
        return;
    }
    row.push(b'"');
    for byte in bytes {
        if *byte == b'"' {
            row.push(b'"');
        }
        row.push(*byte);
    }
    row.push(b'"');
}

fn time_of(message: &Message) -> &'static str {
    match message.time_of {
        TimeOf::Creation => "create",
        TimeOf::Append => "append",
    }
}

fn headers(message: &Message) -> Value {
    let headers = message.headers.iter().map(|header| {
        let mut fields = Map::new();
        text::put(&mut fields, "name", Some(&header.name));
        text::put(&mut fields, "value", header.value.as_deref());
        Value::Object(fields)
    });
    headers.collect()
}

/// A record, without loss.
fn json(message: &Message) -> Value {
    let mut fields = Map::new();
    fields.insert("topic".to_owned(), json!(&*message.topic));
    fields.insert("partition".to_owned(), json!(message.partition));
    fields.insert("offset".to_owned(), json!(message.offset));
    fields.insert("leader_epoch".to_owned(), json!(message.leader_epoch));
    fields.insert("timestamp".to_owned(), json!(message.timestamp));
    fields.insert("timestamp_type".to_owned(), json!(time_of(message)));
    text::put(&mut fields, "key", message.key.as_deref());
    text::put(&mut fields, "value", message.value.as_deref());
    fields.insert("headers".to_owned(), headers(message));
    Value::Object(fields)
}
