//! `quorum-state`: what a voter must never forget, in Kafka's own file format (one line of JSON, data version 1).
//! Decides what the bytes mean and whether they are whole; never whom to vote for. Holds #33 and #102.
//!
//! ```text
//! {"leaderId":1,"leaderEpoch":4,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1,"crc32c":305419896}
//! ```
//! The last field is ours, over all bytes before it; Kafka skips names it does not know, and so a file without it is
//! taken as Kafka wrote it.

use alloc::format;
use alloc::string::String;

use crate::ids::{BrokerId, Term, Uuid};

/// What a voter knows of the latest term it took part in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuorumState {
    /// Who leads that term, if known.
    pub leader: Option<BrokerId>,
    /// The term.
    pub term: Term,
    /// Whom this voter gave its vote in it: id and log directory.
    pub voted: Option<(BrokerId, Uuid)>,
}

/// Why a file is not a quorum state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unreadable {
    /// It is not one flat JSON object of numbers and strings.
    Form,
    /// It lacks this field, or the field holds something else.
    Field(&'static str),
    /// Its bytes are not those that were written.
    Checksum,
    /// It is of a data version that this build does not know.
    Version(i64),
}

impl core::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Unreadable::Form => f.write_str("it is not a JSON object as Kafka writes it"),
            Unreadable::Field(name) => write!(f, "the field {name} is missing or wrong"),
            Unreadable::Checksum => f.write_str("its checksum does not match"),
            Unreadable::Version(version) => write!(f, "its data version is {version}, known is 1"),
        }
    }
}

const CHECKSUM: &str = ",\"crc32c\":";

impl QuorumState {
    /// The bytes of the file.
    pub fn encode(&self) -> String {
        let leader = self.leader.map_or(-1, |id| id.0);
        let (voted, directory) = self
            .voted
            .map_or((-1, Uuid::ZERO), |(id, directory)| (id.0, directory));
        let mut text = format!(
            "{{\"leaderId\":{leader},\"leaderEpoch\":{},\"votedId\":{voted},\"votedDirectoryId\":\"{directory}\",\"data_version\":1",
            self.term
        );
        let sum = crc32c::crc32c(text.as_bytes());
        text.push_str(&format!("{CHECKSUM}{sum}}}"));
        text
    }

    /// Reads the bytes of the file.
    pub fn decode(bytes: &[u8]) -> Result<QuorumState, Unreadable> {
        let text = core::str::from_utf8(bytes).map_err(|_| Unreadable::Form)?;
        let fields = Flat::parse(text)?;
        if let Some((covered, _)) = text.split_once(CHECKSUM)
            && fields.number("crc32c") != Some(i64::from(crc32c::crc32c(covered.as_bytes())))
        {
            return Err(Unreadable::Checksum);
        }
        match fields
            .number("data_version")
            .ok_or(Unreadable::Field("data_version"))?
        {
            1 => {}
            version => return Err(Unreadable::Version(version)),
        }
        let id = |name: &'static str| -> Result<Option<BrokerId>, Unreadable> {
            let number = fields.number(name).ok_or(Unreadable::Field(name))?;
            match i32::try_from(number).map_err(|_| Unreadable::Field(name))? {
                -1 => Ok(None),
                id if id >= 0 => Ok(Some(BrokerId(id))),
                _ => Err(Unreadable::Field(name)),
            }
        };
        let term = fields
            .number("leaderEpoch")
            .ok_or(Unreadable::Field("leaderEpoch"))?;
        let term = i32::try_from(term)
            .ok()
            .filter(|term| *term >= 0)
            .ok_or(Unreadable::Field("leaderEpoch"))?;
        let directory = fields
            .string("votedDirectoryId")
            .and_then(|text| text.parse::<Uuid>().ok());
        let directory = directory.ok_or(Unreadable::Field("votedDirectoryId"))?;
        Ok(QuorumState {
            leader: id("leaderId")?,
            term: Term(term),
            voted: id("votedId")?.map(|voted| (voted, directory)),
        })
    }
}

/// The text of a flat JSON object: names with numbers or plain strings, nothing nested, nothing escaped.
struct Flat<'a>(&'a str);

impl<'a> Flat<'a> {
    fn parse(text: &'a str) -> Result<Flat<'a>, Unreadable> {
        let text = text
            .trim()
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'))
            .ok_or(Unreadable::Form)?;
        if text.contains(['{', '}', '[', '\\']) {
            return Err(Unreadable::Form);
        }
        Ok(Flat(text))
    }

    fn value(&self, name: &str) -> Option<&'a str> {
        self.0.split(',').find_map(|field| {
            let (key, value) = field.split_once(':')?;
            let key = key.trim().strip_prefix('"')?.strip_suffix('"')?;
            (key == name).then_some(value.trim())
        })
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.value(name)?.parse().ok()
    }

    fn string(&self, name: &str) -> Option<&'a str> {
        self.value(name)?.strip_prefix('"')?.strip_suffix('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Apache Kafka 4.3.1 left it after the first start of one node with dynamic voters.
    const KAFKAS: &str = r#"{"leaderId":1,"leaderEpoch":1,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#;

    fn state(term: i32) -> QuorumState {
        QuorumState {
            leader: Some(BrokerId(1)),
            term: Term(term),
            voted: Some((BrokerId(1), Uuid::from_u128(77))),
        }
    }

    #[test]
    fn a_file_that_kafka_wrote_is_read() {
        let expected = QuorumState {
            leader: Some(BrokerId(1)),
            term: Term(1),
            voted: None,
        };
        assert_eq!(QuorumState::decode(KAFKAS.as_bytes()), Ok(expected));
    }

    #[test]
    fn what_is_written_is_read_back() {
        for state in [
            state(0),
            state(i32::MAX),
            QuorumState {
                leader: None,
                term: Term(9),
                voted: None,
            },
        ] {
            assert_eq!(QuorumState::decode(state.encode().as_bytes()), Ok(state));
        }
    }

    #[test]
    fn no_byte_can_change_unnoticed_and_no_cut_passes() {
        let whole = state(41).encode();
        for at in 0..whole.len() {
            assert!(
                QuorumState::decode(&whole.as_bytes()[..at]).is_err(),
                "#102: cut at {at}"
            );
            for bit in 0..8 {
                let mut bytes = whole.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let read = QuorumState::decode(&bytes);
                // The field's own name may rot into one that is skipped; the values are then as they were.
                assert!(
                    read.is_err() || read == Ok(state(41)),
                    "#102: byte {at} bit {bit}: {read:?}"
                );
            }
        }
    }
}
