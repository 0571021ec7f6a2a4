//! Records of the internal topics that coordinators keep their state in, and the versions in front of them.
//!
//! Decides their bytes; never what they do to the state of a group, a transaction or a share
//! partition. Key and value begin with a number of two bytes: that of the key says which type of
//! record it is, that of the value in which version it is written. A key without a value, a
//! tombstone, says that what the key names is gone:
//!
//! ```text
//! key    type of the record (int16) | key in version 0
//! value  version (int16)            | value in that version
//! ```

use crate::{
    message::Message,
    primitives::{DecodeError, Reader},
};

/// The key of a record of an internal topic.
pub trait Key: Message {
    /// The type of the record, unique in its topic.
    const NUMBER: i16;
}

/// The value of a record of an internal topic.
pub trait Value: Message {
    /// The type of the record.
    const NUMBER: i16;
}

/// The version of every key: the number in front of one names its type instead.
const KEY_VERSION: i16 = 0;

/// Reads a version and what stands behind it in that version, which must be all there is.
fn versioned<M: Message>(mut reader: Reader<'_>) -> Result<M, DecodeError> {
    let version = reader.i16()?;
    M::decode_all(reader, version)
}

/// Declares the records of a topic, a line each: number, name, key, value, and the file if it is another one.
macro_rules! coordinator_records {
    (
        $topic:literal, $(#[$record_doc:meta])* $record:ident, $(#[$type_doc:meta])* $type:ident:
        $($number:literal $kind:ident($key:ident, $value:ident) $(in $file:ident)?;)*
    ) => {
        $($(pub use $file::{$key, $value};)?)*

        $(#[$type_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $type {
            $(
                #[doc = concat!("Type ", stringify!($number), ".")]
                $kind,
            )*
        }

        impl $type {
            /// The topic.
            pub const TOPIC: &'static str = $topic;

            /// Every type, by ascending number.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// Reads the type that a key begins with, and leaves its fields in the reader. A type
            /// of later versions is an error of its own: whoever loads a topic passes over it.
            pub fn of_key(key: &mut $crate::Reader<'_>) -> Result<Self, $crate::DecodeError> {
                match key.i16()? {
                    $($number => Ok(Self::$kind),)*
                    number => {
                        Err($crate::DecodeError::UnknownRecordType { topic: Self::TOPIC, number })
                    }
                }
            }

            /// Its number, which a key begins with.
            pub const fn number(self) -> i16 {
                match self {
                    $(Self::$kind => $number,)*
                }
            }

            /// Kafka's name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => stringify!($kind),)*
                }
            }

            /// The versions of its value that exist.
            pub const fn versions(self) -> $crate::layout::Versions {
                match self {
                    $(Self::$kind => <$value as $crate::Message>::VERSIONS,)*
                }
            }

            /// The layout of its key, and how it lies in the bytes: for those who print it.
            pub fn key_form(self) -> (&'static $crate::layout::Layout, $crate::primitives::At) {
                let version = $crate::coordinator::KEY_VERSION;
                match self {
                    $(Self::$kind => (
                        <$key as $crate::Message>::LAYOUT,
                        <$key as $crate::Message>::at(version),
                    ),)*
                }
            }

            /// The layout of its value, and how that version of it lies in the bytes.
            pub fn value_form(
                self,
                version: i16,
            ) -> (&'static $crate::layout::Layout, $crate::primitives::At) {
                match self {
                    $(Self::$kind => (
                        <$value as $crate::Message>::LAYOUT,
                        <$value as $crate::Message>::at(version),
                    ),)*
                }
            }
        }

        /// `OffsetCommit(1)`.
        impl core::fmt::Display for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "{}({})", self.name(), self.number())
            }
        }

        $(#[$record_doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $record {
            $(
                #[doc = concat!("Type ", stringify!($number), ": its key, and its value if it is no tombstone.")]
                $kind($key, Option<$value>),
            )*
        }

        impl $record {
            /// Its type.
            pub const fn kind(&self) -> $type {
                match self {
                    $(Self::$kind(..) => $type::$kind,)*
                }
            }

            /// Whether it says that what its key names is gone.
            pub const fn is_tombstone(&self) -> bool {
                match self {
                    $(Self::$kind(_, value) => value.is_none(),)*
                }
            }

            /// Reads key and value of a record, which must hold nothing else; one without a value
            /// is a tombstone.
            pub fn decode(
                mut key: $crate::Reader<'_>,
                value: Option<$crate::Reader<'_>>,
            ) -> Result<Self, $crate::DecodeError> {
                match $type::of_key(&mut key)? {
                    $($type::$kind => Ok(Self::$kind(
                        $crate::Message::decode_all(key, $crate::coordinator::KEY_VERSION)?,
                        value.map($crate::coordinator::versioned).transpose()?,
                    )),)*
                }
            }

            /// Writes its key.
            pub fn encode_key(
                &self,
                writer: &mut $crate::Writer,
            ) -> Result<(), $crate::EncodeError> {
                writer.i16(self.kind().number());
                match self {
                    $(Self::$kind(key, _) => {
                        $crate::Message::encode(key, writer, $crate::coordinator::KEY_VERSION)
                    })*
                }
            }

            /// Writes its value in a version, and says whether there is one: a tombstone writes
            /// nothing.
            pub fn encode_value(
                &self,
                writer: &mut $crate::Writer,
                version: i16,
            ) -> Result<bool, $crate::EncodeError> {
                if self.is_tombstone() {
                    return Ok(false);
                }
                writer.i16(version);
                match self {
                    $(Self::$kind(_, value) => {
                        value.iter().try_for_each(|value| $crate::Message::encode(value, writer, version))
                    })*
                }
                .map(|()| true)
            }
        }

        /// The topic and all its records, for tests.
        #[cfg(any(test, feature = "random"))]
        pub(crate) const IN_TESTS: $crate::registry::InternalTopic = $crate::registry::InternalTopic {
            name: $topic,
            records: &[$(
                (
                    $crate::registry::Entry::of::<$key>(
                        $crate::registry::Kind::CoordinatorKey($number),
                    ),
                    $crate::registry::Entry::of::<$value>(
                        $crate::registry::Kind::CoordinatorValue($number),
                    ),
                ),
            )*],
            recode: |key, value| {
                let of = $crate::Reader::of;
                let record = $record::decode(of(key), value.map(of))?;
                let version = value.and_then(|value| of(value).i16().ok());
                let mut writer = $crate::Writer::new();
                record.encode_key(&mut writer).expect("the key that was read");
                let key = writer.finish().into_bytes();
                let written = record.encode_value(&mut writer, version.unwrap_or_default());
                let written = written.expect("the value that was read, in its version");
                Ok((key, written.then(|| writer.finish().into_bytes())))
            },
        };

        // The table and the declarations agree.
        $(const _: () = {
            assert!(<$value as $crate::coordinator::Value>::NUMBER == $number);
            assert!(<$key as $crate::coordinator::Key>::NUMBER == $number);
        };)*
    };
}

pub mod group;
pub mod share;
pub mod transaction;

pub use group::{GroupRecord, GroupRecordType};
pub use share::{ShareRecord, ShareRecordType};
pub use transaction::{TransactionRecord, TransactionRecordType};

/// Every internal topic, for tests.
#[cfg(any(test, feature = "random"))]
pub(crate) const IN_TESTS: &[crate::registry::InternalTopic] =
    &[group::IN_TESTS, transaction::IN_TESTS, share::IN_TESTS];

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::group::consumer::ClassicMemberMetadata;
    use super::group::{ConsumerGroupMemberMetadataValue, OffsetCommitKey, OffsetCommitValue};
    use super::*;
    use crate::Writer;

    fn key() -> OffsetCommitKey {
        OffsetCommitKey {
            group: "g".into(),
            topic: "t".into(),
            partition: 3,
            ..Default::default()
        }
    }

    fn written(record: &GroupRecord, version: i16) -> (Bytes, Option<Bytes>) {
        let mut writer = Writer::new();
        record.encode_key(&mut writer).unwrap();
        let key = writer.finish().into_bytes();
        let is_value = record.encode_value(&mut writer, version).unwrap();
        (key, is_value.then(|| writer.finish().into_bytes()))
    }

    fn read(key: &[u8], value: Option<&[u8]>) -> Result<GroupRecord, DecodeError> {
        GroupRecord::decode(Reader::new(key), value.map(Reader::new))
    }

    #[test]
    fn a_key_is_type_and_key_and_a_value_is_version_and_value() {
        let value = OffsetCommitValue {
            offset: 9,
            leader_epoch: 2,
            commit_timestamp: 5,
            ..Default::default()
        };
        let record = GroupRecord::OffsetCommit(key(), Some(value));
        let (key, value) = written(&record, 3);
        assert_eq!(key, &b"\0\x01\0\x01g\0\x01t\0\0\0\x03"[..]);
        let value = value.unwrap();
        assert_eq!(
            value,
            &b"\0\x03\0\0\0\0\0\0\0\x09\0\0\0\x02\0\0\0\0\0\0\0\0\0\x05"[..]
        );
        assert_eq!(read(&key, Some(&value)), Ok(record));
    }

    /// The bytes are those that Kafka's class writes.
    #[test]
    fn a_structure_in_a_tagged_field_and_its_null_lie_as_in_kafka() {
        let ends_with = |metadata: Option<ClassicMemberMetadata>, end: &[u8]| {
            let value = ConsumerGroupMemberMetadataValue {
                classic_member_metadata: metadata,
                ..Default::default()
            };
            let mut writer = Writer::new();
            value.encode(&mut writer, 0).unwrap();
            let bytes = writer.finish().into_bytes();
            assert_eq!(bytes.get(11..), Some(end));
            let read = Message::decode_all(Reader::of(&bytes), 0);
            assert_eq!(read, Ok(value));
        };
        ends_with(Some(ClassicMemberMetadata::default()), &[0]);
        ends_with(None, &[1, 0, 1, 0]);
        let silent = ClassicMemberMetadata {
            session_timeout_ms: 7,
            ..Default::default()
        };
        ends_with(Some(silent), &[1, 0, 7, 1, 0, 0, 0, 7, 1, 0]);
    }

    #[test]
    fn a_key_without_a_value_is_a_tombstone() {
        let record = GroupRecord::OffsetCommit(key(), None);
        assert!(record.is_tombstone());
        let (key, value) = written(&record, 3);
        assert_eq!(value, None);
        assert_eq!(read(&key, None), Ok(record));
    }

    #[test]
    fn the_type_of_a_key_is_known_by_its_number_and_another_is_an_error_of_its_own() {
        for &kind in GroupRecordType::ALL {
            let mut reader = kind.number().to_be_bytes().to_vec();
            reader.push(7);
            let mut reader = Reader::new(&reader);
            assert_eq!(GroupRecordType::of_key(&mut reader), Ok(kind));
            assert_eq!(reader.rest(), [7]);
        }
        for number in [-1, 9, 18, 24, i16::MAX, i16::MIN] {
            let topic = "__consumer_offsets";
            let unknown = DecodeError::UnknownRecordType { topic, number };
            assert_eq!(read(&number.to_be_bytes(), None), Err(unknown));
        }
        assert_eq!(read(&[0], None), Err(DecodeError::Truncated));
        assert_eq!(GroupRecordType::OffsetCommit.to_string(), "OffsetCommit(1)");
    }

    #[test]
    fn an_unknown_version_and_bytes_too_few_or_too_many_are_refused() {
        let (key, value) = written(
            &GroupRecord::OffsetCommit(key(), Some(Default::default())),
            0,
        );
        let value = value.unwrap();
        for version in [-1_i16, 5] {
            let mut other = value.to_vec();
            other.splice(..2, version.to_be_bytes());
            let message = "OffsetCommitValue";
            assert_eq!(
                read(&key, Some(&other)),
                Err(DecodeError::UnsupportedVersion { message, version })
            );
        }
        for cut in 0..key.len() {
            assert_eq!(read(&key[..cut], None), Err(DecodeError::Truncated));
        }
        for cut in 0..value.len() {
            let read = read(&key, Some(&value[..cut]));
            assert_eq!(read, Err(DecodeError::Truncated));
        }
        let long = |bytes: &[u8]| [bytes, &[0]].concat();
        let left = Err(DecodeError::TrailingBytes { left: 1 });
        assert_eq!(read(&long(&key), None), left);
        assert_eq!(read(&key, Some(&long(&value))), left);
    }
}
