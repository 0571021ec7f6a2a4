//! Snapshots of the metadata log, in Kafka's format (KIP-630): how one is written, and when the bytes of one are whole.
//! Decides names and bytes; never when one is due, nor in which order it reaches the disk (`node`). Holds #39.
//!
//! ```text
//! OFFSET-EPOCH.checkpoint   OFFSET: first offset that is not in it, 20 digits; EPOCH: of the last record in it, 10 digits
//! batch 0     control   SnapshotHeader, KRaftVersion, KRaftVoters
//! batch 1..n  data      the records that make the image again
//! batch n+1   control   SnapshotFooter
//! ```
//! Offsets inside run from 0 without a gap, and every batch carries EPOCH: Kafka's CRC covers neither, so both are compared.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use sawlog_wire::control::{ControlRecord, SnapshotFooterRecord, SnapshotHeaderRecord};
use sawlog_wire::records::batch::stamp;

use crate::cluster::batch::{self, Item};
use crate::cluster::record::Record;
use crate::ids::{Offset, Term};
use crate::now::Wall;
use crate::quorum::control::{self, Voter};

/// Records per batch: a batch of metadata has at most some 100 bytes per record.
const BATCH_RECORDS: usize = 8192;

/// Which snapshot: the end of the log that it stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct SnapshotId {
    /// First offset that is not in it.
    pub offset: Offset,
    /// Term of the last record in it.
    pub term: Term,
}

/// What a snapshot holds.
#[derive(Clone, PartialEq, Debug)]
pub struct Snapshot {
    /// Which it is.
    pub id: SnapshotId,
    /// Who votes.
    pub voters: Vec<Voter>,
    /// The records that make the image again.
    pub records: Vec<Record>,
}

impl SnapshotId {
    /// Its file's name.
    pub fn name(self) -> String {
        format!("{:020}-{:010}.checkpoint", self.offset.0, self.term.0)
    }

    /// The snapshot that a file's name stands for.
    pub fn of_name(name: &str) -> Option<SnapshotId> {
        let (offset, term) = name.strip_suffix(".checkpoint")?.split_once('-')?;
        if offset.len() != 20
            || term.len() != 10
            || !name.bytes().take(20).all(|b| b.is_ascii_digit())
        {
            return None;
        }
        let id = SnapshotId {
            offset: Offset(offset.parse().ok()?),
            term: Term(term.parse().ok()?),
        };
        (id.name() == name).then_some(id)
    }
}

impl Snapshot {
    /// The bytes of the file, batch by batch. `last` is the timestamp of the last record that it stands for.
    pub fn encode(&self, now: Wall, last: Wall) -> Vec<Bytes> {
        let header = SnapshotHeaderRecord {
            last_contained_log_timestamp: last.0,
            ..Default::default()
        };
        let head = [
            ControlRecord::SnapshotHeader(header),
            control::kraft_version(),
            control::voters(&self.voters),
        ];
        let foot = [ControlRecord::SnapshotFooter(
            SnapshotFooterRecord::default(),
        )];
        let mut batches = Vec::from([(head.len(), batch::control(now, &head))]);
        batches.extend(
            self.records
                .chunks(BATCH_RECORDS)
                .map(|some| (some.len(), batch::data(now, some))),
        );
        batches.push((foot.len(), batch::control(now, &foot)));

        let mut next = 0i64;
        let place = |(count, bytes): (usize, Bytes)| {
            let mut bytes = Vec::from(bytes);
            stamp(&mut bytes, next, self.id.term.0);
            next = next.saturating_add(i64::try_from(count).unwrap_or(i64::MAX));
            Bytes::from(bytes)
        };
        batches.into_iter().map(place).collect()
    }

    /// Reads the bytes of a file. Whole means: every CRC right, no gap, header first, footer last, nothing behind it.
    pub fn decode(id: SnapshotId, mut bytes: &[u8]) -> Result<Snapshot, String> {
        let mut snapshot = Snapshot {
            id,
            voters: Vec::new(),
            records: Vec::new(),
        };
        let (mut next, mut begun, mut ended) = (0i64, false, false);
        while !bytes.is_empty() {
            if ended {
                return Err(String::from("bytes follow its footer"));
            }
            let (header, len, items) = batch::read(bytes)?;
            if header.base_offset != next {
                return Err(format!(
                    "a batch has offset {} where {next} belongs",
                    header.base_offset
                ));
            }
            if header.leader_epoch != id.term.0 {
                return Err(format!(
                    "a batch has epoch {} where {} belongs",
                    header.leader_epoch, id.term
                ));
            }
            next = header.next_offset();
            for item in items {
                match item {
                    Item::Record(_) if !begun => return Err(String::from("it has no header")),
                    Item::Record(record) => snapshot.records.push(record),
                    Item::Control(ControlRecord::SnapshotHeader(_)) => begun = true,
                    Item::Control(ControlRecord::SnapshotFooter(_)) => ended = true,
                    Item::Control(ControlRecord::Voters(record)) => {
                        snapshot.voters = control::named(&record)
                    }
                    Item::Control(ControlRecord::KRaftVersion(record)) => {
                        if record.kraft_version != control::KRAFT_VERSION {
                            return Err(format!(
                                "its kraft.version is {}, known is 1",
                                record.kraft_version
                            ));
                        }
                    }
                    Item::Control(_) => {
                        return Err(String::from(
                            "it holds a control record that belongs to a log",
                        ));
                    }
                }
            }
            bytes = bytes.get(len..).unwrap_or_default();
        }
        if !begun || !ended {
            return Err(String::from("it ends before its footer"));
        }
        Ok(snapshot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{BrokerId, Endpoint, Uuid};
    use sawlog_wire::metadata::{FeatureLevelRecord, TopicRecord};

    fn snapshot() -> Snapshot {
        let voter = Voter {
            id: BrokerId(1),
            directory: Uuid::from_u128(0x2a1e_e70b_7649_979a_68b3),
            endpoints: vec![Endpoint {
                listener: "CONTROLLER".into(),
                host: "127.0.0.1".into(),
                port: 19593,
            }],
        };
        let feature = FeatureLevelRecord {
            name: "metadata.version".into(),
            feature_level: 30,
            ..Default::default()
        };
        let topic = TopicRecord {
            name: "a".into(),
            topic_id: Uuid::from_u128(999),
            ..Default::default()
        };
        Snapshot {
            id: SnapshotId {
                offset: Offset(17),
                term: Term(3),
            },
            voters: vec![voter],
            records: vec![feature.into(), topic.into()],
        }
    }

    fn bytes() -> Vec<u8> {
        snapshot()
            .encode(Wall(1_795_267_481_038), Wall(1_795_267_481_021))
            .concat()
    }

    #[test]
    fn a_snapshot_is_read_back() {
        assert_eq!(Snapshot::decode(snapshot().id, &bytes()), Ok(snapshot()));
    }

    #[test]
    fn no_byte_of_a_snapshot_can_rot_unnoticed_and_no_cut_passes() {
        let whole = bytes();
        for at in 0..whole.len() {
            let cut = Snapshot::decode(snapshot().id, &whole[..at]);
            assert!(cut.is_err(), "#39: cut at {at} passes");
            let mut rotten = whole.clone();
            rotten[at] ^= 0x10;
            let read = Snapshot::decode(snapshot().id, &rotten);
            assert!(read.is_err(), "#39: rot at {at} passes: {read:?}");
        }
    }

    #[test]
    fn a_snapshot_under_another_name_is_refused() {
        let other = SnapshotId {
            offset: Offset(17),
            term: Term(4),
        };
        assert!(Snapshot::decode(other, &bytes()).is_err(), "#39");
    }

    #[test]
    fn names_are_kafkas() {
        let id = SnapshotId {
            offset: Offset(0),
            term: Term(0),
        };
        assert_eq!(id.name(), "00000000000000000000-0000000000.checkpoint");
        assert_eq!(SnapshotId::of_name(&id.name()), Some(id));
        for name in [
            "x.checkpoint",
            "0-0.checkpoint",
            "00000000000000000000-0000000000.checkpoint.part",
            "",
        ] {
            assert_eq!(SnapshotId::of_name(name), None, "{name}");
        }
    }
}
