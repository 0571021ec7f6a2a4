//! Batches of metadata: records of the cluster, and control records of the quorum that replicates them.
//! Decides how they lie in a record batch and what a batch must be to be believed; never what they mean (#39, #41).

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;
use sawlog_wire::control::ControlRecord;
use sawlog_wire::records::{
    Batch, BatchBuilder, BatchHeader, Codec, ControlKind, NewRecord, Records,
};
use sawlog_wire::{Reader, Writer};

use crate::cluster::record::{self, Record};
use crate::now::Wall;

/// One record of a batch of the metadata log or of a snapshot.
#[derive(Clone, PartialEq, Debug)]
pub enum Item {
    /// Of the cluster.
    Record(Record),
    /// Of the quorum. Kinds that this build does not know are left out, as in Kafka.
    Control(ControlRecord),
}

/// A batch of records of the cluster, applied together or not at all.
pub fn data(now: Wall, records: &[Record]) -> Bytes {
    let mut batch = BatchBuilder::new(Codec::None);
    for record in records {
        let value = record::encode(record);
        let pushed = batch.push(NewRecord {
            timestamp: now.0,
            key: None,
            value: Some(&value),
            headers: &[],
        });
        assert!(
            pushed.is_ok(),
            "a batch of metadata out of bounds: {pushed:?}"
        );
    }
    build(&batch)
}

/// A batch of control records of the quorum.
pub fn control(now: Wall, records: &[ControlRecord]) -> Bytes {
    let mut batch = BatchBuilder::control();
    for record in records {
        let mut value = Writer::new();
        let done = record.encode(&mut value);
        assert!(
            done.is_ok(),
            "a control record that its own version cannot carry: {done:?}"
        );
        let (key, value) = (record.kind().key(), value.finish().into_bytes());
        let pushed = batch.push(NewRecord {
            timestamp: now.0,
            key: Some(&key),
            value: Some(&value),
            headers: &[],
        });
        assert!(
            pushed.is_ok(),
            "a batch of control records out of bounds: {pushed:?}"
        );
    }
    build(&batch)
}

fn build(batch: &BatchBuilder) -> Bytes {
    match batch.build() {
        Ok(bytes) => Bytes::from(bytes),
        Err(fault) => unreachable!("bounded by the callers, and never empty: {fault}"),
    }
}

/// The first batch in `bytes` with what it holds; its CRC is checked. The text says what is wrong with it.
pub fn read(bytes: &[u8]) -> Result<(BatchHeader, usize, Vec<Item>), String> {
    let batch = Batch::first(bytes).map_err(|fault| fault.to_string())?;
    batch.check_crc().map_err(|fault| fault.to_string())?;
    let attributes = batch
        .header
        .attributes()
        .map_err(|fault| fault.to_string())?;
    if attributes.codec != Codec::None {
        return Err(String::from("a batch of metadata is compressed"));
    }
    let mut items = Vec::new();
    let mut count = 0i32;
    for record in Records::new(batch.payload()) {
        let record = record.map_err(|fault| fault.to_string())?;
        if record.offset_delta != count {
            return Err(String::from(
                "the offsets inside a batch of metadata have a gap",
            ));
        }
        count = count.saturating_add(1);
        let value = record
            .value
            .ok_or_else(|| String::from("a record of metadata without a value"))?;
        if attributes.control {
            if let Some(kind) = record.key.and_then(ControlKind::of_key) {
                let value = Bytes::copy_from_slice(value);
                items.push(Item::Control(
                    ControlRecord::decode(kind, &value).map_err(|fault| fault.to_string())?,
                ));
            }
        } else {
            items.push(Item::Record(
                Record::decode(Reader::new(value)).map_err(|fault| fault.to_string())?,
            ));
        }
    }
    if count != batch.header.count || batch.header.last_offset_delta != count.saturating_sub(1) {
        return Err(String::from(
            "a batch of metadata holds another number of records than it says",
        ));
    }
    Ok((batch.header, batch.bytes.len(), items))
}
