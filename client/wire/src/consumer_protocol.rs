//! The classic consumer protocol: what consumers say to each other through JoinGroup and SyncGroup (KIP-429, KIP-792, KIP-881).
//!
//! Decides the bytes of subscription and assignment; brokers pass both on and look into them only
//! where they must. Each begins with a version of two bytes. One later than the latest known is read
//! like that, and what it has put behind is left out, as in Kafka.

use bytes::Bytes;

message! {
    /// What a consumer says on joining: the metadata of a protocol in JoinGroup.
    pub struct ConsumerProtocolSubscription: data, versions 0..=3, flexible never {
        /// The topics subscribed to.
        topics: Vec<String> [0..],
        /// The assignor's own data, or null.
        user_data: Option<Bytes> [0.., null 0..],
        /// The partitions that the member owns.
        owned_partitions: Vec<OwnedPartitions> [1.., ignorable],
        /// The generation in which it came to own them, or -1.
        generation_id: i32 [2.., ignorable, = -1],
        /// The rack, or null.
        rack_id: Option<String> [3.., null 3.., ignorable],
    }
}

part! {
    /// Partitions of a topic: one of [`ConsumerProtocolSubscription::owned_partitions`].
    pub struct OwnedPartitions {
        /// The topic's name.
        topic: String [1..],
        /// The partitions.
        partitions: Vec<i32> [1..],
    }
}

message! {
    /// What a consumer is assigned: the assignment in SyncGroup.
    pub struct ConsumerProtocolAssignment: data, versions 0..=3, flexible never {
        /// The partitions assigned.
        assigned_partitions: Vec<AssignedPartitions> [0..],
        /// The assignor's own data, or null.
        user_data: Option<Bytes> [0.., null 0..],
    }
}

part! {
    /// Partitions of a topic: one of [`ConsumerProtocolAssignment::assigned_partitions`].
    pub struct AssignedPartitions {
        /// The topic's name.
        topic: String [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }
}

versioned!(
    ConsumerProtocolSubscription,
    "subscription",
    later_as_latest
);
versioned!(ConsumerProtocolAssignment, "assignment", later_as_latest);

/// All of them, for tests.
#[cfg(any(test, feature = "random"))]
pub(crate) const ENTRIES: &[crate::registry::Entry] = {
    use crate::registry::{Entry, Kind::Data};
    &[
        Entry::of::<ConsumerProtocolSubscription>(Data),
        Entry::of::<ConsumerProtocolAssignment>(Data),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DecodeError, Message, Reader, Writer};

    #[test]
    fn a_later_version_is_read_as_far_as_known_and_a_negative_one_is_refused() {
        let said = ConsumerProtocolSubscription {
            topics: vec!["t".into()],
            rack_id: Some("r".into()),
            ..Default::default()
        };
        let mut writer = Writer::new();
        said.write_versioned(&mut writer, 3).unwrap();
        let bytes = writer.finish().into_bytes();
        let read =
            |bytes: &[u8]| ConsumerProtocolSubscription::read_versioned(&mut Reader::new(bytes));
        assert_eq!(read(&bytes), Ok(said.clone()));
        let mut later = bytes.to_vec();
        later.splice(..2, [0, 9]);
        later.extend([1, 2, 3]);
        assert_eq!(read(&later), Ok(said));
        let message = "ConsumerProtocolSubscription";
        let version = -1;
        later.splice(..2, [0xff, 0xff]);
        assert_eq!(
            read(&later),
            Err(DecodeError::UnsupportedVersion { message, version })
        );
        for cut in 0..bytes.len() {
            assert_eq!(read(&bytes[..cut]), Err(DecodeError::Truncated));
        }
    }

    #[test]
    fn an_assignment_comes_back_from_every_version() {
        let assigned = ConsumerProtocolAssignment {
            assigned_partitions: vec![AssignedPartitions {
                topic: "t".into(),
                partitions: vec![0, 7],
                ..Default::default()
            }],
            user_data: Some(Bytes::from_static(b"own")),
            ..Default::default()
        };
        for version in ConsumerProtocolAssignment::VERSIONS.iter() {
            let mut writer = Writer::new();
            assigned.write_versioned(&mut writer, version).unwrap();
            let bytes = writer.finish().into_bytes();
            let mut reader = Reader::of(&bytes);
            let read = ConsumerProtocolAssignment::read_versioned(&mut reader);
            assert_eq!(read, Ok(assigned.clone()));
            assert_eq!(reader.left(), 0);
        }
    }
}
