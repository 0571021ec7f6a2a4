//! All messages in one list, for tests that hold for every one of them (feature `random`).
//!
//! Decides nothing about a message; never used outside tests.

use core::fmt;

use bytes::Bytes;

use crate::{
    layout::{Layout, Versions},
    message::{Message, Request},
    primitives::{At, DecodeError, Reader, Writer},
    random::Dice,
};

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A request with this API key.
    Request(i16),
    /// A response with this API key.
    Response(i16),
    /// A record of the metadata log with this number.
    Metadata(u16),
    /// The key of a record of an internal topic, with its type.
    CoordinatorKey(i16),
    /// The value of a record of an internal topic, with its type.
    CoordinatorValue(i16),
    /// Anything else.
    Data,
}

/// A message without its type.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Kafka's name.
    pub name: &'static str,
    /// What it is for.
    pub kind: Kind,
    /// The versions that exist.
    pub versions: Versions,
    /// The latest stable one.
    pub stable: i16,
    /// The flexible ones.
    pub flexible: Versions,
    /// Its fields.
    pub layout: &'static Layout,
    /// A random value in a version's bytes, from which it comes back equal: else a panic.
    pub sample: fn(&mut Dice, i16) -> Bytes,
    /// Reads a version's bytes and writes them again.
    pub recode: fn(&Bytes, i16) -> Result<Bytes, DecodeError>,
    /// Reads a version's bytes and drops the value.
    pub read: fn(&Bytes, i16) -> Result<(), DecodeError>,
}

impl Entry {
    /// A message that is neither request nor response.
    pub const fn of<M: Message>(kind: Kind) -> Self {
        Self {
            name: M::NAME,
            kind,
            versions: M::VERSIONS,
            stable: M::STABLE,
            flexible: M::FLEXIBLE,
            layout: M::LAYOUT,
            sample: |dice, version| {
                let value = M::random(dice, M::at(version));
                let bytes = encode(&value, version);
                let read = M::decode_all(Reader::of(&bytes), version);
                assert_eq!(read, Ok(value), "{} version {version}", M::NAME);
                bytes
            },
            recode: |bytes, version| {
                Ok(encode(&M::decode_all(Reader::of(bytes), version)?, version))
            },
            read: |bytes, version| M::decode_all(Reader::of(bytes), version).map(drop),
        }
    }

    /// The form of a version.
    pub const fn at(&self, version: i16) -> At {
        At {
            version,
            flexible: self.flexible.contains(version),
        }
    }

    /// A request.
    pub const fn request<R: Request>() -> Self {
        Self::of::<R>(Kind::Request(R::KEY.number()))
    }

    /// What answers a request.
    pub const fn response<R: Request>() -> Self {
        Self::of::<R::Response>(Kind::Response(R::KEY.number()))
    }
}

fn encode<M: Message>(value: &M, version: i16) -> Bytes {
    let mut writer = Writer::new();
    match value.encode(&mut writer, version) {
        Ok(()) => writer.finish().into_bytes(),
        Err(error) => panic!("{} version {version}: {error}", M::NAME),
    }
}

/// The print that `layout.snap` holds: a head line, then the fields.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Request(key) => write!(f, "request {key} "),
            Kind::Response(key) => write!(f, "response {key} "),
            Kind::Metadata(number) => write!(f, "metadata {number} "),
            Kind::CoordinatorKey(number) => write!(f, "coordinator-key {number} "),
            Kind::CoordinatorValue(number) => write!(f, "coordinator-value {number} "),
            Kind::Data => f.write_str("data "),
        }?;
        write!(
            f,
            "{}  valid {}  flexible {}",
            self.name, self.versions, self.flexible
        )?;
        let unstable = self.stable < self.versions.to;
        writeln!(f, "{}", if unstable { "  latest-unstable" } else { "" })?;
        write!(f, "{}", self.layout)
    }
}

/// An internal topic with its records.
#[derive(Clone, Copy, Debug)]
pub struct InternalTopic {
    /// Its name.
    pub name: &'static str,
    /// Key and value of each type of record.
    pub records: &'static [(Entry, Entry)],
    /// Reads a record, key and value with the numbers in front of them, and writes it again.
    pub recode: Recode,
}

/// Key and value, or none of a tombstone, read and written again.
pub type Recode = fn(&Bytes, Option<&Bytes>) -> Result<(Bytes, Option<Bytes>), DecodeError>;

impl InternalTopic {
    /// A random record: key and value with the numbers in front of them, or a tombstone.
    pub fn sample(&self, dice: &mut Dice) -> (Bytes, Option<Bytes>) {
        let place = dice.below(self.records.len() as u64) as usize;
        let Some((key, value)) = self.records.get(place) else {
            return (Bytes::new(), None);
        };
        let numbered = |number: i16, bytes: &Bytes| {
            let mut writer = Writer::new();
            writer.i16(number);
            writer.slice(bytes);
            writer.finish().into_bytes()
        };
        let Kind::CoordinatorKey(number) = key.kind else {
            return (Bytes::new(), None);
        };
        let key = numbered(number, &(key.sample)(dice, 0));
        let versions = value.versions;
        let version = versions.from + dice.below((versions.to - versions.from + 1) as u64) as i16;
        let written = !dice.one_in(4);
        (
            key,
            written.then(|| numbered(version, &(value.sample)(dice, version))),
        )
    }
}

/// Every internal topic.
pub fn internal_topics() -> &'static [InternalTopic] {
    crate::coordinator::IN_TESTS
}

/// Every message of this crate.
pub fn all() -> impl Iterator<Item = Entry> {
    let lists = [
        crate::messages::ENTRIES,
        crate::metadata::ENTRIES,
        crate::control::ENTRIES,
        crate::consumer_protocol::ENTRIES,
        crate::versioned::ENTRIES,
    ];
    let topics = internal_topics().iter().flat_map(|topic| topic.records);
    let pairs = topics.flat_map(|&(key, value)| [key, value]);
    lists.into_iter().flatten().copied().chain(pairs)
}
