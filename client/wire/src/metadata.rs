//! Records of the metadata log (KIP-631), and the frame that says which one a value holds.
//!
//! Decides their bytes; never what they do to the state of a cluster. A value is three unsigned
//! varints, then the record in its version:
//!
//! ```text
//! frame version (1) | record number | record version | record
//! ```

use core::fmt;

use crate::{
    layout::{Layout, Versions},
    message::Message,
    primitives::{At, DecodeError, EncodeError, Reader, Writer},
};

/// A record of the metadata log.
pub trait Record: Message {
    /// Its number in the frame.
    const NUMBER: u16;
}

const FRAME_VERSION: u32 = 1;

/// One line per record: number, name, type and file.
macro_rules! records {
    ($($number:literal $kind:ident($record:ident) in $file:ident;)*) => {
        $(pub use $file::$record;)*

        /// Any record of the metadata log.
        #[derive(Clone, Debug, PartialEq)]
        pub enum MetadataRecord {
            $(
                #[doc = concat!("Record ", stringify!($number), ".")]
                $kind($record),
            )*
        }

        impl MetadataRecord {
            /// Its number in the frame.
            pub const fn number(&self) -> u16 {
                match self {
                    $(Self::$kind(_) => <$record as Record>::NUMBER,)*
                }
            }

            /// Kafka's name of its kind.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => <$record as Message>::NAME,)*
                }
            }

            /// The versions of its kind that exist.
            pub const fn versions(&self) -> Versions {
                match self {
                    $(Self::$kind(_) => <$record as Message>::VERSIONS,)*
                }
            }

            /// The layout of its kind, and how that version of it lies in the bytes: for those who print it.
            pub fn form(&self, version: i16) -> (&'static Layout, At) {
                match self {
                    $(Self::$kind(_) => (<$record as Message>::LAYOUT, <$record as Message>::at(version)),)*
                }
            }

            /// Reads the value of a record in the metadata log, which must hold nothing else.
            pub fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
                let (number, version) = decode_frame(&mut reader)?;
                match number {
                    $($number => $record::decode_all(reader, version).map(Self::$kind),)*
                    _ => Err(DecodeError::Malformed { what: "a metadata record of unknown kind" }),
                }
            }

            /// Writes the value of a record in the metadata log.
            pub fn encode(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError> {
                writer.uvarint(FRAME_VERSION);
                writer.uvarint(u32::from(self.number()));
                writer.uvarint(version as u32);
                match self {
                    $(Self::$kind(record) => record.encode(writer, version),)*
                }
            }
        }

        $(impl From<$record> for MetadataRecord {
            fn from(record: $record) -> Self {
                Self::$kind(record)
            }
        })*

        /// All records, for tests.
        #[cfg(any(test, feature = "random"))]
        pub(crate) const ENTRIES: &[crate::registry::Entry] = &[
            $(crate::registry::Entry::of::<$record>(
                crate::registry::Kind::Metadata(<$record as Record>::NUMBER),
            ),)*
        ];

        // The table and the declarations agree.
        $(const _: () = assert!(<$record as Record>::NUMBER == $number);)*
    };
}

pub mod brokers;
pub mod controllers;
pub mod log;
pub mod security;
pub mod settings;
pub mod topics;

records! {
    0 RegisterBroker(RegisterBrokerRecord) in brokers;
    1 UnregisterBroker(UnregisterBrokerRecord) in brokers;
    2 Topic(TopicRecord) in topics;
    3 Partition(PartitionRecord) in topics;
    4 Config(ConfigRecord) in settings;
    5 PartitionChange(PartitionChangeRecord) in topics;
    7 FenceBroker(FenceBrokerRecord) in brokers;
    8 UnfenceBroker(UnfenceBrokerRecord) in brokers;
    9 RemoveTopic(RemoveTopicRecord) in topics;
    10 DelegationToken(DelegationTokenRecord) in security;
    11 UserScramCredential(UserScramCredentialRecord) in security;
    12 FeatureLevel(FeatureLevelRecord) in settings;
    14 ClientQuota(ClientQuotaRecord) in settings;
    15 ProducerIds(ProducerIdsRecord) in log;
    17 BrokerRegistrationChange(BrokerRegistrationChangeRecord) in brokers;
    18 AccessControlEntry(AccessControlEntryRecord) in security;
    19 RemoveAccessControlEntry(RemoveAccessControlEntryRecord) in security;
    20 NoOp(NoOpRecord) in log;
    21 ZkMigrationState(ZkMigrationStateRecord) in controllers;
    22 RemoveUserScramCredential(RemoveUserScramCredentialRecord) in security;
    23 BeginTransaction(BeginTransactionRecord) in log;
    24 EndTransaction(EndTransactionRecord) in log;
    25 AbortTransaction(AbortTransactionRecord) in log;
    26 RemoveDelegationToken(RemoveDelegationTokenRecord) in security;
    27 RegisterController(RegisterControllerRecord) in controllers;
    28 ClearElr(ClearElrRecord) in topics;
    29 UnregisterController(UnregisterControllerRecord) in controllers;
}

/// Reads what stands before the record: its number and its version.
pub fn decode_frame(reader: &mut Reader<'_>) -> Result<(u32, i16), DecodeError> {
    if reader.uvarint()? != FRAME_VERSION {
        return Err(DecodeError::Malformed {
            what: "a metadata record in an unknown frame",
        });
    }
    let number = reader.uvarint()?;
    let version = i16::try_from(reader.uvarint()?).map_err(|_| DecodeError::Malformed {
        what: "a metadata record of no version",
    })?;
    Ok((number, version))
}

/// `TopicRecord(2)`.
impl fmt::Display for MetadataRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_frame_number_version_record() {
        let record = MetadataRecord::from(FeatureLevelRecord {
            name: "metadata.version".into(),
            feature_level: 30,
            ..Default::default()
        });
        let mut writer = Writer::new();
        record.encode(&mut writer, 0).unwrap();
        let bytes = writer.finish().into_bytes();
        assert_eq!(bytes, &b"\x01\x0c\x00\x11metadata.version\x00\x1e\x00"[..]);
        assert_eq!(MetadataRecord::decode(Reader::of(&bytes)), Ok(record));
    }

    #[test]
    fn an_unknown_frame_kind_or_version_is_refused() {
        let refused = |bytes: &[u8]| MetadataRecord::decode(Reader::new(bytes)).unwrap_err();
        let malformed = |what| DecodeError::Malformed { what };
        assert_eq!(
            refused(&[2, 20, 0, 0]),
            malformed("a metadata record in an unknown frame")
        );
        assert_eq!(
            refused(&[1, 6, 0, 0]),
            malformed("a metadata record of unknown kind")
        );
        let message = "NoOpRecord";
        assert_eq!(
            refused(&[1, 20, 1, 0]),
            DecodeError::UnsupportedVersion {
                message,
                version: 1
            }
        );
        assert_eq!(
            refused(&[1, 20, 0, 0, 9]),
            DecodeError::TrailingBytes { left: 1 }
        );
        assert_eq!(refused(&[1, 20, 0]), DecodeError::Truncated);
    }
}
