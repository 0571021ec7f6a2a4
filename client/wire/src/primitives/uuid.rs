//! Topic ids, directory ids and incarnation ids: sixteen bytes, printed as Kafka prints them.
//!
//! Decides their text form (URL-safe base64 without padding); never makes one up.

use core::{fmt, str::FromStr};

/// Sixteen bytes that name a topic, a log directory or a process.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// No id. On the wire, "unknown".
    pub const ZERO: Self = Self([0; 16]);
    /// Reserved: the metadata topic `__cluster_metadata`.
    pub const METADATA_TOPIC: Self = Self::from_u128(1);
    /// The reserved one.
    pub const ONE: Self = Self::METADATA_TOPIC;

    /// The id with this big-endian number.
    pub const fn from_u128(number: u128) -> Self {
        Self(number.to_be_bytes())
    }

    /// The bytes as one big-endian number.
    pub const fn as_u128(self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    /// Whether it is [`Uuid::ZERO`].
    pub const fn is_zero(self) -> bool {
        self.as_u128() == 0
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.as_u128();
        // 22 digits of six bits; the last one holds the final two bits and four zero bits.
        let mut text = ['A'; 22];
        for (place, letter) in text.iter_mut().enumerate() {
            let digit = if place == 21 {
                number << 4
            } else {
                number >> (122 - 6 * place)
            };
            if let Some(&byte) = ALPHABET.get((digit & 63) as usize) {
                *letter = char::from(byte);
            }
        }
        f.pad(&text.iter().collect::<String>())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not a [`Uuid`]: not 22 characters, a foreign one, or bits beyond the sixteenth byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadUuid;

impl fmt::Display for BadUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an id: 22 characters of URL-safe base64 are needed")
    }
}

impl core::error::Error for BadUuid {}

impl FromStr for Uuid {
    type Err = BadUuid;

    /// Reads 22 characters; the two `=` of padded base64 may follow, as Kafka allows.
    fn from_str(text: &str) -> Result<Self, BadUuid> {
        let digits = text.strip_suffix("==").unwrap_or(text).as_bytes();
        if digits.len() != 22 {
            return Err(BadUuid);
        }
        let mut number = 0u128;
        for (place, letter) in digits.iter().enumerate() {
            let digit = ALPHABET
                .iter()
                .position(|known| known == letter)
                .ok_or(BadUuid)? as u128;
            if place < 21 {
                number = number << 6 | digit;
            } else if digit & 15 == 0 {
                number = number << 2 | digit >> 4;
            } else {
                return Err(BadUuid);
            }
        }
        Ok(Self::from_u128(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_as_kafka_prints_them_and_read_back() {
        // Texts as any tool for URL-safe base64 makes them.
        let known = [
            (Uuid::ZERO, "AAAAAAAAAAAAAAAAAAAAAA"),
            (Uuid::ONE, "AAAAAAAAAAAAAAAAAAAAAQ"),
            (Uuid::from_u128(u128::MAX), "_____________________w"),
            (
                Uuid::from_u128(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210),
                "ASNFZ4mrze_-3LqYdlQyEA",
            ),
        ];
        for (id, text) in known {
            assert_eq!(id.to_string(), text);
            assert_eq!(text.parse(), Ok(id));
            assert_eq!(format!("{text}==").parse(), Ok(id));
        }
    }

    #[test]
    fn a_text_that_is_no_id_is_refused() {
        for text in [
            "",
            "AAAA",
            "AAAAAAAAAAAAAAAAAAAAAB",
            "AAAAAAAAAAAAAAAAAAAA+A",
            "ÄAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert_eq!(text.parse::<Uuid>(), Err(BadUuid), "{text}");
        }
    }
}
