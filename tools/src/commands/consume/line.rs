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
    /// As a format says; the end of a line is said too.
    Format(Vec<Piece>),
}

impl Line {
    pub(super) fn parse(output: &str) -> Result<Line, Failure> {
        let wrong = |why: String| {
            let next = "text, json, or a format such as '%k: %v\\n'";
            Failure::told(Exit::Usage, format!("-o {output}"), why, next)
        };
        match output {
            "text" => Ok(Line::Text),
            "json" => Ok(Line::Json),
            _ if output.contains(['%', '\\']) => {
                format::parse(output).map(Line::Format).map_err(wrong)
            }
            _ => Err(wrong("no such form".to_owned())),
        }
    }

    pub(super) fn write(&self, message: &Message, show: &mut Show) -> Result<(), Failure> {
        match self {
            Line::Text => show.line(message.value.as_deref().unwrap_or_default()),
            Line::Json => show.line(json(message).to_string().as_bytes()),
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

/// A record, without loss.
fn json(message: &Message) -> Value {
    let mut fields = Map::new();
    fields.insert("topic".to_owned(), json!(&*message.topic));
    fields.insert("partition".to_owned(), json!(message.partition));
    fields.insert("offset".to_owned(), json!(message.offset));
    fields.insert("leader_epoch".to_owned(), json!(message.leader_epoch));
    fields.insert("timestamp".to_owned(), json!(message.timestamp));
    let time_of = match message.time_of {
        TimeOf::Creation => "create",
        TimeOf::Append => "append",
    };
    fields.insert("timestamp_type".to_owned(), json!(time_of));
    text::put(&mut fields, "key", message.key.as_deref());
    text::put(&mut fields, "value", message.value.as_deref());
    let headers = message.headers.iter().map(|header| {
        let mut fields = Map::new();
        text::put(&mut fields, "name", Some(&header.name));
        text::put(&mut fields, "value", header.value.as_deref());
        Value::Object(fields)
    });
    fields.insert("headers".to_owned(), headers.collect());
    Value::Object(fields)
}
