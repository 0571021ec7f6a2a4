//! Records out of files and standard input. Decides where one begins and ends and what is wrong with one that is none: file,
//! line and column; never where it is sent.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sawlog_client::{Header, Record};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::csv::Columns;
use crate::exit::{Exit, Failure};
use crate::format::{self, Field, Form, Piece};
use crate::text;

/// So many bytes are handed on at once, or what there is when a terminal or a pipe has no more.
const CHUNK: usize = 256 << 10;

/// What a record is in the input.
enum Kind {
    /// Each line.
    Lines,
    /// Each file, as a whole.
    Raw,
    /// Each line: key, tab, value.
    Pairs,
    /// Each line: what `consume -o json` gives.
    Json { keep: bool },
    /// Each row: fields by a heading, as `consume -o csv` gives them.
    Csv { keep: bool },
    /// Fields between bytes that do not occur in them.
    Format(Vec<Piece>),
}

/// Where records come from, and what they are like.
pub(super) struct Source {
    kind: Kind,
    like: Record,
}

/// What is wrong with the input.
#[derive(Debug)]
pub(super) struct Fault {
    file: String,
    /// Line and column, from 1 on.
    at: Option<(u64, usize)>,
    why: String,
    absent: bool,
}

impl Fault {
    /// Whether the file is not there.
    pub(super) fn is_absent(&self) -> bool {
        self.absent
    }

    /// Whether it cannot be read at all, as a directory.
    pub(super) fn is_unreadable(&self) -> bool {
        self.at.is_none()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some((line, column)) => write!(f, "{}:{line}:{column}: {}", self.file, self.why),
            None => write!(f, "{}: {}", self.file, self.why),
        }
    }
}

/// U+FEFF.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Why a piece of input is no record: the byte in it, and the reason.
pub(super) type Wrong = (usize, String);
type To = mpsc::Sender<Result<Vec<Record>, Fault>>;

impl Source {
    pub(super) fn parse(input: &str, like: Record, keep: bool) -> Result<Source, Failure> {
        let wrong = |why: String| {
            let next = "lines, raw, kv, json, csv, or a format such as '%k:%v\\n'";
            Failure::told(Exit::Usage, format!("-i {input}"), why, next)
        };
        let kind = match input {
            "lines" => Kind::Lines,
            "raw" => Kind::Raw,
            "kv" => Kind::Pairs,
            "json" => Kind::Json { keep },
            "csv" => Kind::Csv { keep },
            _ if input.contains('%') => Kind::Format(pieces(input).map_err(wrong)?),
            _ => return Err(wrong("no such form".to_owned())),
        };
        if keep && !["json", "csv"].contains(&input) {
            return Err(wrong(
                "--keep says something of -i json and -i csv only".to_owned(),
            ));
        }
        Ok(Source { kind, like })
    }

    /// Reads everything, until it ends or the other side does.
    pub(super) fn read(&self, files: &[PathBuf], to: &To) {
        let read = if files.is_empty() {
            self.read_one(
                BufReader::with_capacity(CHUNK, io::stdin().lock()),
                Path::new("standard input"),
                to,
            )
        } else {
            files.iter().try_for_each(|path| match File::open(path) {
                Ok(file) => self.read_one(BufReader::with_capacity(CHUNK, file), path, to),
                Err(error) => Err(Some(Fault {
                    absent: error.kind() == io::ErrorKind::NotFound,
                    ..fault(path, None, &error.to_string())
                })),
            })
        };
        if let Err(Some(fault)) = read {
            // The other side has ended and said why.
            let _ = to.blocking_send(Err(fault));
        }
    }

    /// `Err(None)`: nobody listens any more.
    fn read_one<R: Read>(
        &self,
        from: BufReader<R>,
        path: &Path,
        to: &To,
    ) -> Result<(), Option<Fault>> {
        let end: &[u8] = match &self.kind {
            Kind::Raw => return self.read_raw(from, path, to),
            Kind::Lines | Kind::Pairs | Kind::Json { .. } | Kind::Csv { .. } => b"\n",
            Kind::Format(pieces) => match pieces.last() {
                Some(Piece::Bytes(end)) => end,
                _ => b"\n",
            },
        };
        self.read_pieces(from, end, path, to)
    }

    fn read_raw(&self, mut from: impl Read, path: &Path, to: &To) -> Result<(), Option<Fault>> {
        let mut value = Vec::new();
        from.read_to_end(&mut value)
            .map_err(|error| Some(fault(path, None, &error.to_string())))?;
        let record = Record {
            value: Some(value.into()),
            ..self.like.clone()
        };
        to.blocking_send(Ok(vec![record])).map_err(|_| None)
    }

    /// Records that end with `end`; the last may do without.
    fn read_pieces<R: Read>(
        &self,
        mut from: BufReader<R>,
        end: &[u8],
        path: &Path,
        to: &To,
    ) -> Result<(), Option<Fault>> {
        let last = end.last().copied().unwrap_or(b'\n');
        let quotes = matches!(self.kind, Kind::Csv { .. });
        // Some programs put it before what is said to be UTF-8; of lines it may be part.
        let mut mark = matches!(self.kind, Kind::Csv { .. } | Kind::Json { .. });
        let (mut line, mut columns) = (1, None);
        loop {
            let (mut chunk, mut ends, mut begin) =
                (Vec::with_capacity(CHUNK + CHUNK / 8), Vec::new(), 0);
            // Within quotes the end of a line is part of a cell.
            let mut open = false;
            let over = loop {
                let read = from.read_until(last, &mut chunk);
                let read = read.map_err(|error| Some(fault(path, None, &error.to_string())))?;
                if quotes {
                    let new = chunk.iter().rev().take(read);
                    open ^= new.filter(|byte| **byte == b'"').count() % 2 == 1;
                }
                let piece = chunk.get(begin..).unwrap_or_default();
                if read == 0 {
                    if !piece.is_empty() {
                        ends.push((begin, chunk.len()));
                    }
                    break true;
                }
                if let Some(piece) = piece.strip_suffix(end)
                    && !open
                {
                    ends.push((begin, begin + piece.len()));
                    begin = chunk.len();
                    // Who waits at a terminal or a pipe is not made to wait for more.
                    if chunk.len() >= CHUNK || from.buffer().is_empty() {
                        break false;
                    }
                }
            };
            let chunk = Bytes::from(chunk);
            let mut records = Vec::with_capacity(ends.len());
            for (begin, end) in ends {
                let mut piece = chunk.slice(begin..end);
                if std::mem::take(&mut mark) && piece.starts_with(BYTE_ORDER_MARK) {
                    piece = piece.slice(BYTE_ORDER_MARK.len()..);
                }
                match self.next(&piece, &mut columns) {
                    Ok(record) => records.extend(record),
                    Err((at, why)) => {
                        // What is whole before it is sent.
                        let _ = to.blocking_send(Ok(records));
                        return Err(Some(fault(path, Some(position(line, &piece, at)), &why)));
                    }
                }
                line += u64::from(last == b'\n');
                if quotes || last != b'\n' {
                    line += piece.iter().filter(|byte| **byte == b'\n').count() as u64;
                }
            }
            if !records.is_empty() {
                to.blocking_send(Ok(records)).map_err(|_| None)?;
            }
            if over {
                return Ok(());
            }
        }
    }

    /// The record that a piece is; none is the heading of a file of rows.
    fn next(&self, piece: &Bytes, columns: &mut Option<Columns>) -> Result<Option<Record>, Wrong> {
        match (&self.kind, &columns) {
            (Kind::Csv { .. }, None) => {
                *columns = Some(Columns::of(piece)?);
                Ok(None)
            }
            (Kind::Csv { keep }, Some(columns)) => {
                let mut record = self.like.clone();
                columns.record(piece, *keep, &mut record)?;
                Ok(Some(record))
            }
            _ => self.record(piece).map(Some),
        }
    }

    fn record(&self, piece: &Bytes) -> Result<Record, Wrong> {
        let mut record = self.like.clone();
        match &self.kind {
            // Rows are read by the heading of their file.
            Kind::Csv { .. } => {}
            Kind::Lines | Kind::Raw => record.value = Some(piece.clone()),
            Kind::Pairs => {
                let tab = piece.iter().position(|byte| *byte == b'\t');
                let tab = tab.ok_or_else(|| {
                    (
                        piece.len(),
                        "a tab between key and value is missing".to_owned(),
                    )
                })?;
                record.key = Some(piece.slice(..tab));
                record.value = Some(piece.slice(tab + 1..));
            }
            Kind::Json { keep } => json(piece, *keep, &mut record)?,
            Kind::Format(pieces) => fields(piece, pieces, &mut record)?,
        }
        Ok(record)
    }
}

fn fault(path: &Path, at: Option<(u64, usize)>, why: &str) -> Fault {
    Fault {
        file: path.display().to_string(),
        at,
        why: why.to_owned(),
        absent: false,
    }
}

/// Line and column of a byte of a piece that begins at a line.
fn position(line: u64, piece: &[u8], at: usize) -> (u64, usize) {
    let before = piece.get(..at.min(piece.len())).unwrap_or_default();
    let lines = before.iter().filter(|byte| **byte == b'\n').count() as u64;
    let column = before
        .iter()
        .rev()
        .take_while(|byte| **byte != b'\n')
        .count();
    (line + lines, column + 1)
}

/// A format to read by: two fields beside each other could not be told apart.
fn pieces(input: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = format::parse(input)?;
    if !matches!(pieces.last(), Some(Piece::Bytes(_))) {
        pieces.push(Piece::Bytes(b"\n".to_vec()));
    }
    let readable = |piece: &Piece| match piece {
        Piece::Bytes(_) => true,
        Piece::Field(field, _) => matches!(
            field,
            Field::Key | Field::Value | Field::Partition | Field::Time
        ),
    };
    if !pieces.iter().all(readable) {
        return Err(
            "%k, %v, %p and %d can be read; the others are the broker's, or not told apart"
                .to_owned(),
        );
    }
    let beside = |pair: &[Piece]| matches!(pair, [Piece::Field(..), Piece::Field(..)]);
    if pieces.windows(2).any(beside) {
        return Err("nothing stands between two fields".to_owned());
    }
    Ok(pieces)
}

fn fields(piece: &Bytes, pieces: &[Piece], record: &mut Record) -> Result<(), Wrong> {
    // The last piece is the end of the record, and was cut off already.
    let (_, mut pieces) = pieces
        .split_last()
        .ok_or_else(|| (0, "the format is empty".to_owned()))?;
    let missing = |at: usize, bytes: &[u8]| {
        (
            at,
            format!("{:?} is missing", String::from_utf8_lossy(bytes)),
        )
    };
    let mut at = 0;
    while let Some((next, rest)) = pieces.split_first() {
        let left = piece.get(at..).unwrap_or_default();
        match next {
            Piece::Bytes(bytes) if left.starts_with(bytes) => at += bytes.len(),
            Piece::Bytes(bytes) => return Err(missing(at, bytes)),
            Piece::Field(field, form) => {
                let length = match rest.first() {
                    Some(Piece::Bytes(bytes)) => {
                        find(left, bytes).ok_or_else(|| missing(at, bytes))?
                    }
                    Some(Piece::Field(..)) | None => left.len(),
                };
                put(
                    *field,
                    *form,
                    left.get(..length).unwrap_or_default(),
                    record,
                )
                .map_err(|why| (at, why))?;
                at += length;
            }
        }
        pieces = rest;
    }
    if at < piece.len() {
        return Err((at, "the record goes on behind its last field".to_owned()));
    }
    Ok(())
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

fn put(field: Field, form: Form, bytes: &[u8], record: &mut Record) -> Result<(), String> {
    let bytes = form
        .take(bytes)
        .ok_or("it is not in the form that the format says")?;
    let number = || {
        std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| text.parse::<i64>().ok())
    };
    match field {
        Field::Key => record.key = Some(bytes.into()),
        Field::Value => record.value = Some(bytes.into()),
        Field::Time => record.timestamp = Some(number().ok_or("it is no number of milliseconds")?),
        Field::Partition => {
            let number = number().and_then(|number| i32::try_from(number).ok());
            record.partition = Some(number.ok_or("it is no number of a partition")?);
        }
        Field::Headers | Field::Topic | Field::Offset | Field::Epoch => {}
    }
    Ok(())
}

/// What is wrong with JSON. Where, we say ourselves: what it calls line 1 is a line of a file to us, or a cell.
pub(super) fn without_place(error: &serde_json::Error) -> String {
    let told = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    told.strip_suffix(&place).unwrap_or(&told).to_owned()
}

/// What the broker assigns is left out unless it is to be kept: offset and leader epoch always are, for it assigns them anew.
fn json(piece: &[u8], keep: bool, record: &mut Record) -> Result<(), Wrong> {
    let parsed: Value = serde_json::from_slice(piece)
        .map_err(|error| (error.column().saturating_sub(1), without_place(&error)))?;
    let Value::Object(mut fields) = parsed else {
        return Err((0, "it is no JSON object".to_owned()));
    };
    known(&fields).map_err(|why| (0, why))?;
    let of_record = |why: String| (0, why);
    record.value = text::take(&mut fields, "value").map_err(of_record)?;
    let key = text::take(&mut fields, "key").map_err(of_record)?;
    record.key = key.or(record.key.take());
    let by_broker = fields
        .get("timestamp_type")
        .is_some_and(|kind| kind == "append");
    match fields.get("timestamp") {
        None | Some(Value::Null) => {}
        Some(_) if by_broker && !keep => {}
        Some(time) => {
            record.timestamp = Some(
                time.as_i64()
                    .ok_or((0, "timestamp is no number".to_owned()))?,
            )
        }
    }
    if keep && let Some(partition) = fields.get("partition") {
        let number = partition
            .as_i64()
            .and_then(|number| i32::try_from(number).ok());
        record.partition = Some(number.ok_or((0, "partition is no number".to_owned()))?);
    }
    let more = std::mem::take(&mut record.headers);
    match fields.remove("headers") {
        None | Some(Value::Null) => {}
        Some(Value::Array(headers)) => {
            for header in headers {
                record.headers.push(of_json(header).map_err(of_record)?);
            }
        }
        Some(_) => return Err((0, "headers are no list".to_owned())),
    }
    record.headers.extend(more);
    Ok(())
}

pub(super) fn of_json(header: Value) -> Result<Header, String> {
    let Value::Object(mut fields) = header else {
        return Err("a header is no JSON object".to_owned());
    };
    let name = text::take(&mut fields, "name")?.ok_or("a header has no name")?;
    Ok(Header {
        name,
        value: text::take(&mut fields, "value")?,
    })
}

const FIELDS: &[&str] = &[
    "topic",
    "partition",
    "offset",
    "leader_epoch",
    "timestamp",
    "timestamp_type",
    "key",
    "key_encoding",
    "value",
    "value_encoding",
    "headers",
];

/// A misspelt field would be lost without a word.
fn known(fields: &Map<String, Value>) -> Result<(), String> {
    match fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        None => Ok(()),
        Some(other) => Err(format!(
            "{other:?} is no field of a record: {}",
            FIELDS.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &str, text: &str) -> Result<Vec<Record>, String> {
        let source =
            Source::parse(input, Record::to("t"), false).map_err(|why| format!("{why:?}"))?;
        let (to, mut from) = mpsc::channel(100);
        let path = Path::new("f");
        if let Err(Some(fault)) = source.read_one(BufReader::new(text.as_bytes()), path, &to) {
            return Err(fault.to_string());
        }
        drop(to);
        let mut records = Vec::new();
        while let Ok(piece) = from.try_recv() {
            records.extend(piece.unwrap());
        }
        Ok(records)
    }

    fn pairs(input: &str, text: &str) -> Vec<(Option<String>, Option<String>)> {
        let words =
            |bytes: Option<Bytes>| bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
        let records = read(input, text).unwrap();
        records
            .into_iter()
            .map(|record| (words(record.key), words(record.value)))
            .collect()
    }

    fn pair(key: &str, value: &str) -> (Option<String>, Option<String>) {
        (Some(key.to_owned()), Some(value.to_owned()))
    }

    #[test]
    fn each_form_ends_its_records_where_it_says() {
        let value = |value: &str| (None, Some(value.to_owned()));
        assert_eq!(
            pairs("lines", "a\n\nb"),
            [value("a"), value(""), value("b")]
        );
        assert_eq!(pairs("raw", "a\n\nb"), [value("a\n\nb")]);
        assert_eq!(
            pairs("kv", "k\tv\tw\n\tx"),
            [pair("k", "v\tw"), pair("", "x")]
        );
        assert_eq!(
            pairs("%k=%v;;", "a=1;2;;b=;;"),
            [pair("a", "1;2"), pair("b", "")]
        );
        assert_eq!(pairs("%k{hex} %v", "6161 x y\n"), [pair("aa", "x y")]);
        let json = r#"{"key":null,"value":"a","headers":[{"name":"h","value":null}]}"#;
        assert_eq!(pairs("json", json), [value("a")]);
        let csv = "key,value\r\na,\"1\n2\"\r\n\"\"\"\",b";
        assert_eq!(pairs("csv", csv), [pair("a", "1\n2"), pair("\"", "b")]);
    }

    #[test]
    fn a_byte_order_mark_before_rows_and_objects_is_none_of_them() {
        assert_eq!(pairs("csv", "\u{feff}key,value\nk,v\n"), [pair("k", "v")]);
        assert_eq!(
            pairs("json", "\u{feff}{\"key\": \"k\", \"value\": \"v\"}\n"),
            [pair("k", "v")]
        );
        // It may be what somebody means.
        assert_eq!(pairs("kv", "\u{feff}k\tv\n"), [pair("\u{feff}k", "v")]);
    }

    #[test]
    fn what_is_wrong_is_told_with_line_and_column() {
        for (input, text, said) in [
            ("kv", "a\tb\nab\n", "f:2:3: a tab"),
            ("json", "{\"value\":\"a\"}\n{\"value\" 1}\n", "f:2:10: "),
            ("json", "[1]", "no JSON object"),
            ("json", "{\"valeu\":\"a\"}", "\"valeu\" is no field"),
            ("json", "{\"value\":1}", "neither a string nor null"),
            (
                "json",
                "{\"value\":\"a\",\"value_encoding\":\"hex\"}",
                "\"base64\" is known",
            ),
            ("csv", "key,valu\n", "f:1:5: \"valu\" is no column"),
            (
                "csv",
                "key,value\n\"a\n\",b\nc\n",
                "f:4:2: the row has 1 cells",
            ),
            (
                "csv",
                "key,value\na,\"b\nc,d\n",
                "f:2:3: the quote that begins here does not end",
            ),
            ("%k:%v\\n", "a:b\nab\n", "f:2:1: \":\" is missing"),
            ("%p %v\\n", "x y\n", "f:1:1: it is no number of a partition"),
            ("%k%v\\n", "", "nothing stands between"),
            ("%o\\n", "", "can be read"),
            ("tsv", "", "no such form"),
        ] {
            let error = read(input, text).unwrap_err();
            assert!(error.contains(said), "{input} {text:?}: {error}");
        }
    }
}
