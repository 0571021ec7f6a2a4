//! Control records: what a log says about itself, in batches marked as such.
//!
//! Decides the bytes of their values: transaction markers (KIP-98), and those of the metadata log
//! (KIP-595, KIP-630, KIP-853). Keys are [`ControlKind`]'s; when one is written is not known here.

use bytes::Bytes;

use crate::{
    Uuid,
    message::Message,
    primitives::{DecodeError, EncodeError, Reader, Writer},
    records::{ControlKind, EndMarker},
};

/// What a control record says.
#[derive(Clone, Debug, PartialEq)]
pub enum ControlRecord {
    /// A transaction is undone.
    Abort(EndMarker),
    /// A transaction stands.
    Commit(EndMarker),
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

/// The version of all values but that of LeaderChange.
const VERSION: i16 = 0;

impl ControlRecord {
    /// What its key says: [`ControlKind::key`].
    pub const fn kind(&self) -> ControlKind {
        match self {
            Self::Abort(_) => ControlKind::Abort,
            Self::Commit(_) => ControlKind::Commit,
            Self::LeaderChange(_) => ControlKind::LeaderChange,
            Self::SnapshotHeader(_) => ControlKind::SnapshotHeader,
            Self::SnapshotFooter(_) => ControlKind::SnapshotFooter,
            Self::KRaftVersion(_) => ControlKind::KRaftVersion,
            Self::Voters(_) => ControlKind::KRaftVoters,
        }
    }

    /// Reads the value of a record whose key says that it is of this kind. What a later version
    /// has put behind it is left out.
    pub fn decode(kind: ControlKind, value: &Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::of(value);
        let marker = || EndMarker::of_value(value).ok_or(DecodeError::Truncated);
        Ok(match kind {
            ControlKind::Abort => Self::Abort(marker()?),
            ControlKind::Commit => Self::Commit(marker()?),
            // Its version is its first field: whoever wrote a later one says so there.
            ControlKind::LeaderChange => {
                let version = reader.clone().i16()?.min(LeaderChangeMessage::VERSIONS.to);
                Self::LeaderChange(Message::decode(&mut reader, version)?)
            }
            ControlKind::SnapshotHeader => {
                Self::SnapshotHeader(Message::decode(&mut reader, VERSION)?)
            }
            ControlKind::SnapshotFooter => {
                Self::SnapshotFooter(Message::decode(&mut reader, VERSION)?)
            }
            ControlKind::KRaftVersion => Self::KRaftVersion(Message::decode(&mut reader, VERSION)?),
            ControlKind::KRaftVoters => Self::Voters(Message::decode(&mut reader, VERSION)?),
        })
    }

    /// Writes the value of the record.
    pub fn encode(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        match self {
            Self::Abort(marker) | Self::Commit(marker) => {
                writer.slice(&marker.value());
                Ok(())
            }
            Self::LeaderChange(change) => change.encode(writer, change.version),
            Self::SnapshotHeader(header) => header.encode(writer, VERSION),
            Self::SnapshotFooter(footer) => footer.encode(writer, VERSION),
            Self::KRaftVersion(version) => version.encode(writer, VERSION),
            Self::Voters(voters) => voters.encode(writer, VERSION),
        }
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
    fn every_control_record_comes_back() {
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
            ControlRecord::Abort(EndMarker {
                coordinator_epoch: 7,
            }),
            ControlRecord::Commit(EndMarker {
                coordinator_epoch: -1,
            }),
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
                ControlRecord::decode(record.kind(), &value(&record)),
                Ok(record)
            );
        }
    }

    #[test]
    fn a_value_cut_short_is_refused_and_a_longer_one_read_as_far_as_known() {
        for kind in ControlKind::ALL {
            assert_eq!(
                ControlRecord::decode(kind, &Bytes::new()),
                Err(DecodeError::Truncated)
            );
        }
        let later = Bytes::from_static(&[0, 3, 0, 0, 0, 7, 1, 2]);
        let marker = EndMarker {
            coordinator_epoch: 7,
        };
        let read = ControlRecord::decode(ControlKind::Commit, &later);
        assert_eq!(read, Ok(ControlRecord::Commit(marker)));
    }
}
