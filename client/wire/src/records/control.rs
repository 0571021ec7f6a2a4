//! Control records: what the key of a record in a control batch means, and the two markers that end
//! a transaction (KIP-98). Decides their bytes; the messages inside the quorum's control records are
//! declared with the other messages.

/// The kind of a control record: the second field of its key, after a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ControlKind {
    /// A transaction was aborted.
    Abort,
    /// A transaction was committed.
    Commit,
    /// A leader of the metadata quorum was elected (KIP-595).
    LeaderChange,
    /// First record of a snapshot (KIP-630).
    SnapshotHeader,
    /// Last record of a snapshot (KIP-630).
    SnapshotFooter,
    /// The version of the quorum's protocol (KIP-853).
    KRaftVersion,
    /// The set of voters (KIP-853).
    KRaftVoters,
}

impl ControlKind {
    /// Every kind, in the order of its number.
    pub const ALL: [ControlKind; 7] = [
        ControlKind::Abort,
        ControlKind::Commit,
        ControlKind::LeaderChange,
        ControlKind::SnapshotHeader,
        ControlKind::SnapshotFooter,
        ControlKind::KRaftVersion,
        ControlKind::KRaftVoters,
    ];

    const KEY_VERSION: i16 = 0;

    /// Its number.
    pub fn number(self) -> i16 {
        match self {
            ControlKind::Abort => 0,
            ControlKind::Commit => 1,
            ControlKind::LeaderChange => 2,
            ControlKind::SnapshotHeader => 3,
            ControlKind::SnapshotFooter => 4,
            ControlKind::KRaftVersion => 5,
            ControlKind::KRaftVoters => 6,
        }
    }

    /// The key of a control record of this kind.
    pub fn key(self) -> [u8; 4] {
        let [a, b] = Self::KEY_VERSION.to_be_bytes();
        let [c, d] = self.number().to_be_bytes();
        [a, b, c, d]
    }

    /// The kind that a key tells. `None` for a kind of later versions, which is to be left out, and
    /// for a key that is none. A later version of the key is read like version 0, as in Kafka.
    pub fn of_key(key: &[u8]) -> Option<ControlKind> {
        let (version, rest) = key.split_first_chunk::<2>()?;
        let (number, _) = rest.split_first_chunk::<2>()?;
        if i16::from_be_bytes(*version) < Self::KEY_VERSION {
            return None;
        }
        let number = usize::try_from(i16::from_be_bytes(*number)).ok()?;
        Self::ALL.get(number).copied()
    }
}

/// The value of an [`ControlKind::Abort`] or [`ControlKind::Commit`] record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndMarker {
    /// Epoch of the transaction coordinator that ended the transaction.
    pub coordinator_epoch: i32,
}

impl EndMarker {
    const VERSION: i16 = 0;

    /// Its bytes.
    pub fn value(self) -> [u8; 6] {
        let [a, b] = Self::VERSION.to_be_bytes();
        let [c, d, e, f] = self.coordinator_epoch.to_be_bytes();
        [a, b, c, d, e, f]
    }

    /// Reads a value; later versions begin with the same fields.
    pub fn of_value(value: &[u8]) -> Option<EndMarker> {
        let (version, rest) = value.split_first_chunk::<2>()?;
        let (epoch, _) = rest.split_first_chunk::<4>()?;
        (i16::from_be_bytes(*version) >= Self::VERSION).then(|| EndMarker {
            coordinator_epoch: i32::from_be_bytes(*epoch),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_every_kind_tells_that_kind() {
        for kind in ControlKind::ALL {
            assert_eq!(ControlKind::of_key(&kind.key()), Some(kind));
        }
        assert_eq!(ControlKind::Commit.key(), [0, 0, 0, 1]);
    }

    #[test]
    fn keys_of_later_versions_and_kinds_and_of_too_few_bytes_do_no_harm() {
        assert_eq!(
            ControlKind::of_key(&[0, 1, 0, 1, 9]),
            Some(ControlKind::Commit)
        );
        assert_eq!(ControlKind::of_key(&[0, 0, 0, 7]), None);
        assert_eq!(ControlKind::of_key(&[0xff, 0xff, 0, 1]), None);
        assert_eq!(ControlKind::of_key(&[0, 0, 0xff, 0xff]), None);
        assert_eq!(ControlKind::of_key(&[0, 0, 0]), None);
    }

    #[test]
    fn an_end_marker_comes_back() {
        let marker = EndMarker {
            coordinator_epoch: -7,
        };
        assert_eq!(EndMarker::of_value(&marker.value()), Some(marker));
        assert_eq!(EndMarker::of_value(&marker.value()[..5]), None);
    }
}
