//! In which version each record of the metadata log is written, so that every node allowed in the cluster reads it (#46).
//! Decides versions; never what a record changes (`apply`), nor when it is written (`controller`).

use bytes::Bytes;
use sawlog_wire::Writer;
pub use sawlog_wire::metadata::MetadataRecord as Record;

/// The version of a record at `metadata.version` 30 (4.3-IV0), the level that a new cluster is finalized at.
fn version(record: &Record) -> i16 {
    match record {
        Record::RegisterBroker(_) => 4,
        Record::Partition(_) | Record::PartitionChange(_) => 2,
        Record::BrokerRegistrationChange(_) => 3,
        _ => 0,
    }
}

/// The value of a record, as it lies in a batch.
pub fn encode(record: &Record) -> Bytes {
    let mut writer = Writer::new();
    let done = record.encode(&mut writer, version(record));
    assert!(
        done.is_ok(),
        "a record that its own version cannot carry: {done:?} {record:?}"
    );
    writer.finish().into_bytes()
}
