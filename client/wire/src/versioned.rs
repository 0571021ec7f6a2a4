//! What Kafka puts with its version in front where a message or a file has room for any bytes: the principal of a forwarded
//! request (KIP-590), the entries of a transaction index (KIP-98).
//!
//! Decides their bytes. Unlike in the consumer protocol a version that is not known is refused, as in Kafka: what a principal
//! may do, and what a reader must leave out, is not to be guessed.

message! {
    /// For whom a request is forwarded: [`EnvelopeRequest::request_principal`](crate::messages::EnvelopeRequest).
    pub struct DefaultPrincipalData: data, versions 0..=0, flexible 0.. {
        /// Its type, `User` most often.
        r#type: String [0..],
        /// Its name.
        name: String [0..],
        /// Whether a delegation token stood for it.
        token_authenticated: bool [0..],
    }
}

message! {
    /// An entry of a segment's `.txnindex`: a transaction that was undone.
    pub struct AbortedTxn: data, versions 0..=0, flexible never {
        /// Of this producer.
        producer_id: i64 [0..],
        /// Its first record.
        first_offset: i64 [0..],
        /// The marker that undoes it.
        last_offset: i64 [0..],
        /// The end of what was decided then.
        last_stable_offset: i64 [0..],
    }
}

versioned!(DefaultPrincipalData, "principal");
versioned!(AbortedTxn, "entry");

/// All of them, for tests.
#[cfg(any(test, feature = "random"))]
pub(crate) const ENTRIES: &[crate::registry::Entry] = {
    use crate::registry::{Entry, Kind::Data};
    &[
        Entry::of::<DefaultPrincipalData>(Data),
        Entry::of::<AbortedTxn>(Data),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DecodeError, Reader, Writer};

    #[test]
    fn a_principal_comes_back_and_a_version_that_is_not_known_is_refused() {
        let said = DefaultPrincipalData {
            r#type: "User".into(),
            name: "a".into(),
            token_authenticated: true,
            ..Default::default()
        };
        let mut writer = Writer::new();
        said.write_versioned(&mut writer, 0).unwrap();
        let mut bytes = writer.finish().into_bytes().to_vec();
        assert_eq!(bytes, [0, 0, 5, b'U', b's', b'e', b'r', 2, b'a', 1, 0]);
        let read = |bytes: &[u8]| DefaultPrincipalData::read_versioned(&mut Reader::new(bytes));
        assert_eq!(read(&bytes), Ok(said));
        for version in [1, -1_i16] {
            bytes.splice(..2, version.to_be_bytes());
            let message = "DefaultPrincipalData";
            let refused = DecodeError::UnsupportedVersion { message, version };
            assert_eq!(read(&bytes), Err(refused));
        }
    }

    #[test]
    fn an_entry_of_a_transaction_index_has_34_bytes() {
        let entry = AbortedTxn {
            producer_id: 1,
            first_offset: 2,
            last_offset: 3,
            last_stable_offset: 4,
            ..Default::default()
        };
        let mut writer = Writer::new();
        entry.write_versioned(&mut writer, 0).unwrap();
        let bytes = writer.finish().into_bytes();
        assert_eq!(bytes.len(), 34);
        let mut reader = Reader::of(&bytes);
        assert_eq!(AbortedTxn::read_versioned(&mut reader), Ok(entry));
        assert_eq!(reader.left(), 0);
        for cut in 0..bytes.len() {
            let mut reader = Reader::new(&bytes[..cut]);
            assert_eq!(
                AbortedTxn::read_versioned(&mut reader),
                Err(DecodeError::Truncated)
            );
        }
    }
}
