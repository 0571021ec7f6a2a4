//! What can be wrong with bytes, and what can be wrong with a value that is to become bytes.
//!
//! Decides only names and texts: facts for the caller, who decides whether to answer or to close.

use core::fmt;

/// Why bytes are not the value they claim to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes end before the value does.
    Truncated,
    /// The value would take more memory than its frame may claim (#128).
    OverBudget,
    /// The bytes break a rule of the protocol.
    Malformed {
        /// The rule, as a phrase: "a string that is not UTF-8".
        what: &'static str,
    },
    /// The message has no such version.
    UnsupportedVersion {
        /// The message.
        message: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// The topic has no type of record with this number: a later version may have written it.
    UnknownRecordType {
        /// The internal topic.
        topic: &'static str,
        /// The number that the key begins with.
        number: i16,
    },
    /// Bytes are left over behind the value.
    TrailingBytes {
        /// How many.
        left: usize,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the bytes end before the value does"),
            Self::OverBudget => f.write_str("the value needs more memory than its frame may claim"),
            Self::Malformed { what } => write!(f, "malformed: {what}"),
            Self::UnsupportedVersion { message, version } => {
                write!(f, "{message} has no version {version}")
            }
            Self::UnknownRecordType { topic, number } => {
                write!(f, "{topic} has no record of type {number}")
            }
            Self::TrailingBytes { left } => write!(f, "{left} bytes left over behind the value"),
        }
    }
}

impl core::error::Error for DecodeError {}

/// Why a value cannot be written in a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// The message has no such version.
    UnsupportedVersion {
        /// The message.
        message: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// The version lacks a field that is set and must not be lost silently.
    FieldNotInVersion {
        /// The field.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// The field is null where the version has no null.
    NullNotAllowed {
        /// The field.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A string, list or blob is longer than its length field can say.
    TooLong,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnsupportedVersion { message, version } => {
                write!(f, "{message} has no version {version}")
            }
            Self::FieldNotInVersion { field, version } => {
                write!(f, "version {version} cannot carry {field}, which is set")
            }
            Self::NullNotAllowed { field, version } => {
                write!(f, "{field} is null, which version {version} does not allow")
            }
            Self::TooLong => f.write_str("longer than its length field can say"),
        }
    }
}

impl core::error::Error for EncodeError {}
