//! A record batch and its records, in the words of kafka-dump-log, whose users know where to look.
//! Decides how each is printed; whether a batch counts is for those who read the file that it lies in.

use sawlog_wire::records::{
    Attributes, Batch, BatchHeader, Caps, Codec, ControlKind, Inflater, Pool, Record, Records,
    TimestampType,
};
use serde_json::{Map, Value, json};

use super::layout;
use crate::exit::Failure;
use crate::show::Show;
use crate::text;

/// How much of a batch is shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Depth {
    /// The batch.
    Batches,
    /// Its records too.
    Records,
    /// Their keys and values too.
    Payload,
}

/// Shows batches; keeps what decompression needs.
pub(crate) struct Batches {
    /// How much is shown.
    pub(crate) depth: Depth,
    /// Whether records are those of the metadata log.
    pub(crate) metadata: bool,
    inflater: Inflater,
    pool: Pool,
}

impl Batches {
    /// Shows that much.
    pub(crate) fn new(depth: Depth, metadata: bool) -> Batches {
        Batches {
            depth,
            metadata,
            inflater: Inflater::new(),
            pool: Pool::new(256 << 20),
        }
    }

    /// One batch, which begins at byte `at` of `file`. Gives what is wrong with it.
    pub(crate) fn show(
        &mut self,
        show: &mut Show,
        file: &str,
        at: u64,
        bytes: &[u8],
    ) -> Result<Option<String>, Failure> {
        let batch = match Batch::first(bytes) {
            Ok(batch) => batch,
            Err(fault) => return Ok(Some(fault.to_string())),
        };
        let header = &batch.header;
        let fault = batch.check_crc().err();
        show.item(
            || line(header, at, fault.is_none()),
            || object(header, file, at, fault.is_none()),
        )?;
        if let Some(fault) = fault {
            return Ok(Some(fault.to_string()));
        }
        if self.depth == Depth::Batches {
            return Ok(None);
        }
        let attributes = match header.attributes() {
            Ok(attributes) => attributes,
            Err(fault) => return Ok(Some(fault.to_string())),
        };
        let mut plain = Vec::new();
        let payload = match attributes.codec {
            Codec::None => batch.payload(),
            codec => match self.inflater.read_all(
                codec,
                batch.payload(),
                Caps::DEFAULT,
                &self.pool,
                &mut plain,
            ) {
                Ok(_) => plain.as_slice(),
                Err(fault) => return Ok(Some(fault.to_string())),
            },
        };
        for record in Records::new(payload) {
            let record = match record {
                Ok(record) => record,
                Err(fault) => return Ok(Some(fault.to_string())),
            };
            let said = self.said(attributes, &record);
            show.item(
                || record_line(header, attributes, &record, &said, self.depth),
                || record_object(header, attributes, &record, &said, file),
            )?;
        }
        Ok(None)
    }

    /// What a record says, where its meaning is known.
    fn said(&self, attributes: Attributes, record: &Record<'_>) -> Said {
        let value = record.value.unwrap_or_default();
        if attributes.control {
            let Some(kind) = record.key.and_then(ControlKind::of_key) else {
                return Said::Unknown("a control record of unknown kind".to_owned());
            };
            return match layout::control(kind, value) {
                Ok((name, value)) => Said::Control(name, value),
                Err(fault) => Said::Unknown(fault.to_string()),
            };
        }
        if !self.metadata {
            return Said::Nothing;
        }
        match layout::metadata(value) {
            Ok(value) => Said::Metadata(value),
            Err(fault) => Said::Unknown(fault.to_string()),
        }
    }
}

/// What a record says beyond its bytes.
enum Said {
    Nothing,
    Control(&'static str, Value),
    Metadata(Value),
    Unknown(String),
}

fn time_name(attributes: Option<Attributes>) -> &'static str {
    match attributes.map(|attributes| attributes.timestamp_type) {
        Some(TimestampType::LogAppend) => "LogAppendTime",
        _ => "CreateTime",
    }
}

/// A batch without sequence numbers has no last one either.
fn last_sequence(header: &BatchHeader) -> i32 {
    if header.base_sequence < 0 {
        -1
    } else {
        header.last_sequence()
    }
}

fn codec_name(header: &BatchHeader) -> &'static str {
    header
        .attributes()
        .map_or("unknown", |attributes| attributes.codec.name())
}

fn line(header: &BatchHeader, at: u64, whole: bool) -> String {
    let attributes = header.attributes().ok();
    let is = |what: fn(Attributes) -> bool| attributes.is_some_and(what);
    let horizon = if is(|a| a.delete_horizon) {
        format!("OptionalLong[{}]", header.base_timestamp)
    } else {
        "OptionalLong.empty".to_owned()
    };
    format!(
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} producerEpoch: {} \
         partitionLeaderEpoch: {} isTransactional: {} isControl: {} deleteHorizonMs: {horizon} position: {at} {}: {} size: {} \
         magic: 2 compresscodec: {} crc: {} isvalid: {whole}",
        header.base_offset,
        header.last_offset(),
        header.count,
        header.base_sequence,
        last_sequence(header),
        header.producer_id,
        header.producer_epoch,
        header.leader_epoch,
        is(|a| a.transactional),
        is(|a| a.control),
        time_name(attributes),
        header.max_timestamp,
        header.size(),
        codec_name(header),
        header.crc,
    )
}

fn object(header: &BatchHeader, file: &str, at: u64, whole: bool) -> Value {
    let attributes = header.attributes().ok();
    let is = |what: fn(Attributes) -> bool| attributes.is_some_and(what);
    json!({
        "kind": "batch",
        "file": file,
        "position": at,
        "size": header.size(),
        "base_offset": header.base_offset,
        "last_offset": header.last_offset(),
        "count": header.count,
        "leader_epoch": header.leader_epoch,
        "producer_id": header.producer_id,
        "producer_epoch": header.producer_epoch,
        "base_sequence": header.base_sequence,
        "last_sequence": last_sequence(header),
        "transactional": is(|a| a.transactional),
        "control": is(|a| a.control),
        "timestamp_type": time_name(attributes),
        "max_timestamp": header.max_timestamp,
        "codec": codec_name(header),
        "crc": header.crc,
        "valid": whole,
    })
}

fn size_of(bytes: Option<&[u8]>) -> i64 {
    bytes.map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap_or(i64::MAX))
}

fn sequence(header: &BatchHeader, record: &Record<'_>) -> i32 {
    if header.base_sequence < 0 {
        return -1;
    }
    sawlog_wire::records::batch::sequence_after(header.base_sequence, record.offset_delta)
}

fn record_line(
    header: &BatchHeader,
    attributes: Attributes,
    record: &Record<'_>,
    said: &Said,
    depth: Depth,
) -> String {
    let names: Vec<String> = record
        .headers
        .map(|one| String::from_utf8_lossy(one.name).into_owned())
        .collect();
    let mut text = format!(
        "| offset: {} {}: {} keySize: {} valueSize: {} sequence: {} headerKeys: [{}]",
        record.offset(header),
        time_name(Some(attributes)),
        record.timestamp(header),
        size_of(record.key),
        size_of(record.value),
        sequence(header, record),
        names.join(","),
    );
    match said {
        Said::Control("endTxnMarker", marker) => {
            let word = |name: &str| marker.get(name).map(Value::to_string).unwrap_or_default();
            let (kind, epoch) = (word("type"), word("coordinatorEpoch"));
            text.push_str(&format!(
                " endTxnMarker: {} coordinatorEpoch: {epoch}",
                kind.trim_matches('"')
            ));
        }
        Said::Control(name @ "LeaderChange", value) => text.push_str(&format!(" {name}: {value}")),
        Said::Control(name, value) => text.push_str(&format!(" {name} {value}")),
        Said::Metadata(value) => text.push_str(&format!(" payload: {value}")),
        Said::Unknown(why) => text.push_str(&format!(" payload: not understood: {why}")),
        Said::Nothing if depth == Depth::Payload => {
            for (name, bytes) in [("key", record.key), ("payload", record.value)] {
                if let Some(bytes) = bytes {
                    text.push_str(&format!(" {name}: {}", String::from_utf8_lossy(bytes)));
                }
            }
        }
        Said::Nothing => {}
    }
    text
}

fn record_object(
    header: &BatchHeader,
    attributes: Attributes,
    record: &Record<'_>,
    said: &Said,
    file: &str,
) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("kind", json!("record"));
    put("file", json!(file));
    put("offset", json!(record.offset(header)));
    put("timestamp", json!(record.timestamp(header)));
    put("timestamp_type", json!(time_name(Some(attributes))));
    put("sequence", json!(sequence(header, record)));
    match said {
        Said::Control(name, value) => {
            put("control", json!(name));
            put("data", value.clone());
            return Value::Object(fields);
        }
        Said::Metadata(value) => {
            put("metadata", value.clone());
            return Value::Object(fields);
        }
        Said::Unknown(why) => {
            put("not_understood", json!(why));
        }
        Said::Nothing => {}
    }
    text::put(&mut fields, "key", record.key);
    text::put(&mut fields, "value", record.value);
    let headers = record.headers.map(|one| {
        let mut fields = Map::new();
        text::put(&mut fields, "name", Some(one.name));
        text::put(&mut fields, "value", one.value);
        Value::Object(fields)
    });
    fields.insert("headers".to_owned(), headers.collect());
    Value::Object(fields)
}
