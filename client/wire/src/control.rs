//! Control records: what a log says about itself, in batches marked as such.
//!
//! Decides the bytes of their keys and values: transaction markers (KIP-98), and those of the
//! metadata log (KIP-595, KIP-630, KIP-853). Never decides when one is written.

use bytes::Bytes;

use crate::{
    Uuid,
    message::Message,
    primitives::{DecodeError, EncodeError, Reader, Writer},
};

/// What a control record says.
#[derive(Clone, Debug, PartialEq)]
pub enum ControlRecord {
    /// A transaction is undone.
    Abort(EndTxnMarker),
    /// A transaction stands.
    Commit(EndTxnMarker),
    /// A leader has begun.
    LeaderChange(LeaderChangeMessage),
    /// A snapshot starts.
    SnapshotHeader(SnapshotHeaderRecord),
    /// A snapshot is complete.
    SnapshotFooter(SnapshotFooterRecord),
    /// The quorum's protocol is at a version.
    KRaftVersion(KRaftVersionRecord),
    /// The quorum has these voters.
    Voters(VotersRecord),
}

/// The version of every key, and of the transaction markers, which carry theirs in front.
const VERSION: i16 = 0;
const UNKNOWN: DecodeError = DecodeError::Malformed {
    what: "a control record of unknown kind",
};

impl ControlRecord {
    /// The number in the key.
    pub const fn number(&self) -> i16 {
        match self {
            Self::Abort(_) => 0,
            Self::Commit(_) => 1,
            Self::LeaderChange(_) => 2,
            Self::SnapshotHeader(_) => 3,
            Self::SnapshotFooter(_) => 4,
            Self::KRaftVersion(_) => 5,
            Self::Voters(_) => 6,
        }
    }

    /// The number in a key; it may be one that nobody knows.
    ///
    /// A reader of a log skips those: [`ControlRecord::decode`] calls them malformed.
    pub fn number_in(key: &[u8]) -> Result<i16, DecodeError> {
        let mut reader = Reader::new(key);
        if reader.i16()? < VERSION {
            return Err(DecodeError::Malformed {
                what: "a control record of negative version",
            });
        }
        reader.i16()
    }

    /// Reads a control record from the key and value of a record.
    ///
    /// A later version of a marker is read as far as this one goes, as Kafka does.
    pub fn decode(key: &[u8], value: &Bytes) -> Result<Self, DecodeError> {
        let number = Self::number_in(key)?;
        let mut reader = Reader::of(value);
        Ok(match number {
            0 => Self::Abort(decode_marker(&mut reader)?),
            1 => Self::Commit(decode_marker(&mut reader)?),
            // Its version is its first field: whoever wrote a later one says so there.
            2 => {
                let version = reader.clone().i16()?.min(LeaderChangeMessage::VERSIONS.to);
                Self::LeaderChange(LeaderChangeMessage::decode(&mut reader, version)?)
            }
            3 => Self::SnapshotHeader(SnapshotHeaderRecord::decode(&mut reader, VERSION)?),
            4 => Self::SnapshotFooter(SnapshotFooterRecord::decode(&mut reader, VERSION)?),
            5 => Self::KRaftVersion(KRaftVersionRecord::decode(&mut reader, VERSION)?),
            6 => Self::Voters(VotersRecord::decode(&mut reader, VERSION)?),
            _ => return Err(UNKNOWN),
        })
    }

    /// The key of the record.
    pub fn key(&self) -> [u8; 4] {
        let ([a, b], [c, d]) = (VERSION.to_be_bytes(), self.number().to_be_bytes());
        [a, b, c, d]
    }

    /// Writes the value of the record.
    pub fn encode(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        match self {
            Self::Abort(marker) | Self::Commit(marker) => {
                writer.i16(VERSION);
                marker.encode(writer, VERSION)
            }
            Self::LeaderChange(change) => change.encode(writer, change.version),
            Self::SnapshotHeader(header) => header.encode(writer, VERSION),
            Self::SnapshotFooter(footer) => footer.encode(writer, VERSION),
            Self::KRaftVersion(version) => version.encode(writer, VERSION),
            Self::Voters(voters) => voters.encode(writer, VERSION),
        }
    }
}

fn decode_marker(reader: &mut Reader<'_>) -> Result<EndTxnMarker, DecodeError> {
    if reader.i16()? < VERSION {
        return Err(DecodeError::Malformed {
            what: "a transaction marker of negative version",
        });
    }
    EndTxnMarker::decode(reader, VERSION)
}

message! {
    /// The end of a transaction.
    pub struct EndTxnMarker: data, versions 0..=0, flexible never {
        /// The epoch of the coordinator that decided it.
        coordinator_epoch: i32 [0..],
    }
}

message! {
    /// A leader has begun. Kafka 4.4 writes version 0, and reads every one as such.
    pub struct LeaderChangeMessage: data, versions 0..=1, flexible 0.. {
        /// The version of the layout.
        version: i16 [0..],
        /// The node that leads.
        leader_id: i32 [0..],
        /// The voters.
        voters: Vec<Voter> [0..],
        /// The voters that elected the leader.
        granting_voters: Vec<Voter> [0..],
    }
}

part! {
    /// A voter: one of [`LeaderChangeMessage::voters`].
    pub struct Voter {
        /// The voter's id.
        voter_id: i32 [0..],
        /// The voter's directory id.
        voter_directory_id: Uuid [1..],
    }
}

message! {
    /// The start of a snapshot.
    pub struct SnapshotHeaderRecord: data, versions 0..=0, flexible 0.. {
        /// The version of the layout.
        version: i16 [0..],
        /// The time of the last record in the snapshot, in milliseconds since 1970.
        last_contained_log_timestamp: i64 [0..],
    }
}

message! {
    /// The end of a snapshot: without it the snapshot is not complete.
    pub struct SnapshotFooterRecord: data, versions 0..=0, flexible 0.. {
        /// The version of the layout.
        version: i16 [0..],
    }
}

message! {
    /// The version of the quorum's protocol.
    pub struct KRaftVersionRecord: data, versions 0..=0, flexible 0.. {
        /// The version of the layout.
        version: i16 [0..],
        /// The version of the quorum's protocol.
        kraft_version: i16 [0..],
    }
}

message! {
    /// The voters of the quorum.
    pub struct VotersRecord: data, versions 0..=0, flexible 0.. {
        /// The version of the layout.
        version: i16 [0..],
        /// The voters.
        voters: Vec<RegisteredVoter> [0..],
    }
}

part! {
    /// A voter: one of [`VotersRecord::voters`].
    pub struct RegisteredVoter {
        /// The voter's id.
        voter_id: i32 [0..],
        /// The voter's directory id.
        voter_directory_id: Uuid [0..],
        /// Where the voter listens.
        endpoints: Vec<Endpoint> [0..],
        /// The versions of the quorum's protocol supported.
        kraft_version_feature: KRaftVersionFeature [0..],
    }
}

part! {
    /// A listener: one of [`RegisteredVoter::endpoints`].
    pub struct Endpoint {
        /// Its name.
        name: String [0..],
        /// The host to connect to.
        host: String [0..],
        /// The port to connect to.
        port: u16 [0..],
    }
}

part! {
    /// The value of [`RegisteredVoter::kraft_version_feature`].
    pub struct KRaftVersionFeature {
        /// The lowest version supported.
        min_supported_version: i16 [0..],
        /// The highest version supported.
        max_supported_version: i16 [0..],
    }
}

/// All of them, for tests.
#[cfg(any(test, feature = "random"))]
pub(crate) const ENTRIES: &[crate::registry::Entry] = {
    use crate::registry::{Entry, Kind::Data};
    &[
        Entry::of::<EndTxnMarker>(Data),
        Entry::of::<LeaderChangeMessage>(Data),
        Entry::of::<SnapshotHeaderRecord>(Data),
        Entry::of::<SnapshotFooterRecord>(Data),
        Entry::of::<KRaftVersionRecord>(Data),
        Entry::of::<VotersRecord>(Data),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    fn value(record: &ControlRecord) -> Bytes {
        let mut writer = Writer::new();
        record.encode(&mut writer).unwrap();
        writer.finish().into_bytes()
    }

    #[test]
    fn a_transaction_marker_is_six_bytes_with_its_version_in_front() {
        let marker = EndTxnMarker {
            coordinator_epoch: 7,
            ..Default::default()
        };
        let commit = ControlRecord::Commit(marker);
        assert_eq!(commit.key(), [0, 0, 0, 1]);
        assert_eq!(value(&commit), [0, 0, 0, 0, 0, 7][..]);
        assert_eq!(
            ControlRecord::decode(&commit.key(), &value(&commit)),
            Ok(commit)
        );
        let later = Bytes::from_static(&[0, 3, 0, 0, 0, 7, 1, 2]);
        let abort = ControlRecord::decode(&[0, 1, 0, 0, 9], &later);
        let marker = EndTxnMarker {
            coordinator_epoch: 7,
            ..Default::default()
        };
        assert_eq!(abort, Ok(ControlRecord::Abort(marker)));
    }

    #[test]
    fn every_control_record_of_the_metadata_log_comes_back() {
        let voter = Voter {
            voter_id: 1,
            ..Default::default()
        };
        let change = |version, voter: &Voter| {
            ControlRecord::LeaderChange(LeaderChangeMessage {
                version,
                leader_id: 1,
                voters: vec![voter.clone()],
                ..Default::default()
            })
        };
        let with_directory = Voter {
            voter_directory_id: Uuid::ONE,
            ..voter.clone()
        };
        let records = [
            change(0, &voter),
            change(1, &with_directory),
            ControlRecord::SnapshotHeader(SnapshotHeaderRecord::default()),
            ControlRecord::SnapshotFooter(SnapshotFooterRecord::default()),
            ControlRecord::KRaftVersion(KRaftVersionRecord {
                kraft_version: 1,
                ..Default::default()
            }),
            ControlRecord::Voters(VotersRecord {
                voters: vec![RegisteredVoter {
                    voter_id: 1,
                    ..Default::default()
                }],
                ..Default::default()
            }),
        ];
        for record in records {
            assert_eq!(
                ControlRecord::decode(&record.key(), &value(&record)),
                Ok(record)
            );
        }
    }

    #[test]
    fn an_unknown_kind_is_told_apart_from_damage() {
        assert_eq!(ControlRecord::number_in(&[0, 0, 0, 9]), Ok(9));
        assert_eq!(
            ControlRecord::decode(&[0, 0, 0, 9], &Bytes::new()),
            Err(UNKNOWN)
        );
        assert_eq!(
            ControlRecord::number_in(&[0, 0, 0]),
            Err(DecodeError::Truncated)
        );
        let error = ControlRecord::decode(&[0, 0, 0, 2], &Bytes::new());
        assert_eq!(error, Err(DecodeError::Truncated));
    }
}
