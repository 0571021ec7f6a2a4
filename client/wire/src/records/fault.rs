//! Why a batch is refused, and which Kafka error says so. Decides the error code of every fault in
//! record bytes; never finds one itself. A refusal is definite: nothing was stored (#114).
//!
//! CORRUPT_MESSAGE is retriable, so it is kept for bytes that a wire or a disk may have changed
//! (CRC, length, magic). What a client made wrong is wrong again when sent again: those get an
//! error that is not retriable.

use std::fmt;

use super::batch::Codec;
use crate::Code;

/// A batch that may not be stored, or cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchFault {
    /// No batch where one must be.
    Empty,
    /// Fewer bytes than the header, or the header's length, asks for.
    Cut {
        /// Bytes that must be there.
        need: usize,
        /// Bytes that are.
        have: usize,
    },
    /// A length that cannot even hold the header.
    Length {
        /// As written.
        length: i32,
    },
    /// Message formats v0 and v1, gone with Kafka 4.0 (KIP-724).
    OldMagic {
        /// 0 or 1.
        magic: i8,
    },
    /// A magic of no Kafka version.
    UnknownMagic {
        /// As written.
        magic: i8,
    },
    /// Bytes after the one batch that a partition may send.
    MoreThanOne {
        /// How many.
        bytes: usize,
    },
    /// Larger than `max.message.bytes`.
    TooLarge {
        /// Bytes of the batch.
        size: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// The checksum does not match.
    Crc {
        /// In the header.
        stored: u32,
        /// Over the bytes.
        computed: u32,
    },
    /// A producer sends base offset 0.
    BaseOffset {
        /// As written.
        base_offset: i64,
    },
    /// A compression codec that Kafka does not define.
    Codec {
        /// Its number.
        number: u8,
    },
    /// zstd in a Produce request before version 7 (KIP-110).
    ZstdTooEarly,
    /// Attribute bits that Kafka does not define.
    Attributes {
        /// As written.
        raw: i16,
    },
    /// Only the broker sets log append time.
    LogAppendTime,
    /// Only the broker writes control batches (#118).
    Control,
    /// Only compaction sets a delete horizon.
    DeleteHorizon,
    /// A count of records of zero or less.
    Count {
        /// As written.
        count: i32,
    },
    /// More records than the limit.
    TooMany {
        /// As written.
        count: i32,
        /// Records allowed.
        max: u32,
    },
    /// The last offset delta is not the count less one.
    LastOffsetDelta {
        /// As written.
        delta: i32,
        /// As written.
        count: i32,
    },
    /// A producer id below -1.
    ProducerId {
        /// As written.
        id: i64,
    },
    /// A producer id without a producer epoch.
    ProducerEpoch {
        /// As written.
        epoch: i16,
    },
    /// A producer id without a base sequence.
    BaseSequence {
        /// As written.
        sequence: i32,
    },
    /// Transactional, but of no producer.
    TransactionWithoutProducer,
    /// A record that is not one.
    Record {
        /// Its index in the batch.
        index: u32,
        /// What is wrong.
        fault: RecordFault,
    },
    /// A record whose offset delta is not its index.
    OffsetDelta {
        /// Its index in the batch.
        index: u32,
        /// As written.
        delta: i32,
    },
    /// A record whose timestamp does not fit in 64 bits.
    Timestamp {
        /// Its index in the batch.
        index: u32,
    },
    /// Fewer records than counted.
    Fewer {
        /// Records there.
        found: u32,
        /// Records counted.
        count: i32,
    },
    /// Bytes after the last record counted.
    More {
        /// Records counted.
        count: i32,
    },
    /// The max timestamp is later than every record.
    MaxTimestamp {
        /// As written.
        declared: i64,
        /// The largest there is.
        found: i64,
    },
    /// The compressed records cannot be read.
    Inflate(InflateFault),
}

/// What is wrong inside one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// A varint of more bytes than its type can need.
    Varint,
    /// The record says it is longer than what is left.
    Cut,
    /// A length below zero, or below the -1 that means null.
    Length {
        /// As written.
        length: i32,
    },
    /// More headers than the rest of the record could hold, or fewer than none.
    Headers {
        /// As written.
        count: i32,
    },
    /// Bytes of the record after its last header.
    Slack {
        /// How many.
        bytes: usize,
    },
}

/// Why compressed records cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InflateFault {
    /// The stream ends before it is complete.
    Cut {
        /// The codec of the stream.
        codec: Codec,
    },
    /// Not a stream of this codec, or one that Kafka's clients could not read.
    Malformed {
        /// The codec of the stream.
        codec: Codec,
        /// What is wrong, in a few words.
        why: &'static str,
    },
    /// A compression window larger than the limit (#130).
    Window {
        /// Bytes that the stream asks for.
        window: u64,
        /// Bytes allowed.
        max: usize,
    },
    /// More output than the limit (#130).
    Output {
        /// Bytes allowed.
        max: usize,
    },
    /// The pool for decompression has no room now (#131).
    NoRoom,
    /// Who built this program left the codec out.
    NotCompiledIn {
        /// The codec.
        codec: Codec,
    },
}

impl From<InflateFault> for BatchFault {
    fn from(fault: InflateFault) -> BatchFault {
        BatchFault::Inflate(fault)
    }
}

impl BatchFault {
    /// The error that tells a client about it.
    pub fn code(&self) -> Code {
        match self {
            Self::Length { .. } | Self::UnknownMagic { .. } | Self::Crc { .. } => {
                Code::CorruptMessage
            }
            Self::TooLarge { .. } | Self::TooMany { .. } => Code::MessageTooLarge,
            Self::Codec { .. } | Self::ZstdTooEarly => Code::UnsupportedCompressionType,
            Self::LogAppendTime | Self::Timestamp { .. } | Self::MaxTimestamp { .. } => {
                Code::InvalidTimestamp
            }
            // As Kafka answers a transactional batch in a request that names no transactional id.
            Self::TransactionWithoutProducer => Code::TransactionalIdAuthorizationFailed,
            Self::Inflate(fault) => fault.code(),
            Self::Empty
            | Self::Cut { .. }
            | Self::OldMagic { .. }
            | Self::MoreThanOne { .. }
            | Self::BaseOffset { .. }
            | Self::Attributes { .. }
            | Self::Control
            | Self::DeleteHorizon
            | Self::Count { .. }
            | Self::LastOffsetDelta { .. }
            | Self::ProducerId { .. }
            | Self::ProducerEpoch { .. }
            | Self::BaseSequence { .. }
            | Self::Record { .. }
            | Self::OffsetDelta { .. }
            | Self::Fewer { .. }
            | Self::More { .. } => Code::InvalidRecord,
        }
    }

    /// The index of the record at fault, for `record_errors` of a Produce response (KIP-467).
    pub fn record(&self) -> Option<u32> {
        match self {
            Self::Record { index, .. }
            | Self::OffsetDelta { index, .. }
            | Self::Timestamp { index } => Some(*index),
            _ => None,
        }
    }
}

impl InflateFault {
    /// The error that tells a client about it.
    pub fn code(&self) -> Code {
        match self {
            // The CRC held, so the client compressed it like this: sending it again cannot help.
            Self::Cut { .. } | Self::Malformed { .. } => Code::InvalidRecord,
            Self::Window { .. } | Self::NotCompiledIn { .. } => Code::UnsupportedCompressionType,
            // Java's producer splits a batch on this error, so an honest one gets through.
            Self::Output { .. } => Code::MessageTooLarge,
            // Nothing was stored, and later there is room: the one fault of ours, not of the client.
            Self::NoRoom => Code::RequestTimedOut,
        }
    }
}

impl fmt::Display for BatchFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => f.write_str("no record batch where exactly one must be"),
            Self::Cut { need, have } => {
                write!(f, "record batch of {need} bytes is cut after {have}")
            }
            Self::Length { length } => {
                write!(f, "record batch length {length} cannot hold its header")
            }
            Self::OldMagic { magic } => {
                write!(
                    f,
                    "message format v{magic} is no longer supported, only record batches v2 are"
                )
            }
            Self::UnknownMagic { magic } => write!(f, "unknown record batch magic {magic}"),
            Self::MoreThanOne { bytes } => {
                write!(
                    f,
                    "exactly one record batch per partition is allowed, {bytes} bytes follow it"
                )
            }
            Self::TooLarge { size, max } => {
                write!(
                    f,
                    "record batch of {size} bytes is larger than max.message.bytes = {max}"
                )
            }
            Self::Crc { stored, computed } => {
                write!(
                    f,
                    "record batch CRC is {stored:08x}, its bytes give {computed:08x}"
                )
            }
            Self::BaseOffset { base_offset } => {
                write!(
                    f,
                    "base offset of a produced batch must be 0, not {base_offset}"
                )
            }
            Self::Codec { number } => write!(f, "unknown compression codec {number}"),
            Self::ZstdTooEarly => f.write_str("zstd needs Produce version 7 or later"),
            Self::Attributes { raw } => write!(f, "unknown attribute bits in {raw:#06x}"),
            Self::LogAppendTime => {
                f.write_str("a producer may not set the timestamp type LogAppendTime")
            }
            Self::Control => f.write_str("clients may not write control records"),
            Self::DeleteHorizon => f.write_str("clients may not set a delete horizon"),
            Self::Count { count } => write!(f, "record batch says it holds {count} records"),
            Self::TooMany { count, max } => {
                write!(
                    f,
                    "record batch of {count} records, at most {max} are allowed"
                )
            }
            Self::LastOffsetDelta { delta, count } => {
                write!(
                    f,
                    "last offset delta {delta} does not fit a count of {count} records"
                )
            }
            Self::ProducerId { id } => write!(f, "invalid producer id {id}"),
            Self::ProducerEpoch { epoch } => {
                write!(f, "producer id with invalid producer epoch {epoch}")
            }
            Self::BaseSequence { sequence } => {
                write!(f, "producer id with invalid base sequence {sequence}")
            }
            Self::TransactionWithoutProducer => {
                f.write_str("transactional record batch without a producer id")
            }
            Self::Record { index, fault } => write!(f, "record {index}: {fault}"),
            Self::OffsetDelta { index, delta } => {
                write!(f, "record {index} has offset delta {delta}")
            }
            Self::Timestamp { index } => write!(f, "record {index}: timestamp out of range"),
            Self::Fewer { found, count } => {
                write!(f, "record batch counts {count} records and holds {found}")
            }
            Self::More { count } => write!(f, "bytes left after the {count} records counted"),
            Self::MaxTimestamp { declared, found } => {
                write!(
                    f,
                    "max timestamp {declared} is later than every record's, {found} at most"
                )
            }
            Self::Inflate(fault) => fault.fmt(f),
        }
    }
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Varint => f.write_str("malformed varint"),
            Self::Cut => f.write_str("longer than the bytes there are"),
            Self::Length { length } => write!(f, "invalid length {length}"),
            Self::Headers { count } => write!(f, "invalid number of headers {count}"),
            Self::Slack { bytes } => write!(f, "{bytes} bytes after its last header"),
        }
    }
}

impl fmt::Display for InflateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Cut { codec } => write!(f, "{codec} stream ends too early"),
            Self::Malformed { codec, why } => write!(f, "invalid {codec} stream: {why}"),
            Self::Window { window, max } => {
                write!(
                    f,
                    "zstd window of {window} bytes is larger than the limit of {max}"
                )
            }
            Self::Output { max } => write!(f, "records decompress to more than {max} bytes"),
            Self::NoRoom => f.write_str("no memory left for decompression, try again"),
            Self::NotCompiledIn { codec } => write!(
                f,
                "{codec} is not compiled in: build with the cargo feature \"zstd-decode\" or \"zstd\""
            ),
        }
    }
}

impl std::error::Error for BatchFault {}
impl std::error::Error for RecordFault {}
impl std::error::Error for InflateFault {}
