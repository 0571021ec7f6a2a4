//! What stands in front of every request and response, and which form of it.
//!
//! Decides header versions from key and version alone; never looks into a body. Written by hand:
//! the client id keeps its classic form in a flexible header, and the answer to ApiVersions keeps
//! header version 0, because its reader does not know yet what the sender can read (KIP-511).

use crate::{
    messages::ApiKey,
    primitives::{At, DecodeError, EncodeError, Reader, Tags, Writer},
};

const CLASSIC: At = At {
    version: 1,
    flexible: false,
};

/// The header of a request, borrowed from its frame.
///
/// Key and version are numbers here, since a client may send ones that nobody knows: such a header
/// is still read as far as it can be, for the answer or the line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader<'a> {
    /// The API key.
    pub key: i16,
    /// The version of the request.
    pub version: i16,
    /// The number that the answer carries back.
    pub correlation_id: i32,
    /// The client's name for itself.
    pub client_id: Option<&'a str>,
}

impl<'a> RequestHeader<'a> {
    /// Reads a header of version 1 or 2. Tagged fields in it are skipped: Kafka has none.
    #[inline]
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (key, version, correlation_id) = (reader.i16()?, reader.i16()?, reader.i32()?);
        let client_id = match reader.text_length(CLASSIC)? {
            Some(length) => Some(reader.text(length)?),
            None => None,
        };
        if flexible(key, version) {
            Tags::skip(reader)?;
        }
        Ok(Self {
            key,
            version,
            correlation_id,
            client_id,
        })
    }

    /// Writes it in the form that its key and version ask for.
    #[inline]
    pub fn encode(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.i16(self.key);
        writer.i16(self.version);
        writer.i32(self.correlation_id);
        writer.text_length(self.client_id.map(str::len), CLASSIC)?;
        writer.slice(self.client_id.unwrap_or_default().as_bytes());
        if flexible(self.key, self.version) {
            writer.uvarint(0);
        }
        Ok(())
    }

    /// The key, if this crate has messages for it.
    #[inline]
    pub const fn api_key(&self) -> Option<ApiKey> {
        ApiKey::from_number(self.key)
    }
}

/// The header of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseHeader {
    /// The number that the request carried.
    pub correlation_id: i32,
}

impl ResponseHeader {
    /// Reads the header of the answer to a request of this key and version.
    #[inline]
    pub fn decode(reader: &mut Reader<'_>, key: ApiKey, version: i16) -> Result<Self, DecodeError> {
        let correlation_id = reader.i32()?;
        if flexible_response(key, version) {
            Tags::skip(reader)?;
        }
        Ok(Self { correlation_id })
    }

    /// Writes it in front of the answer to a request of this key and version.
    #[inline]
    pub fn encode(self, writer: &mut Writer, key: ApiKey, version: i16) {
        writer.i32(self.correlation_id);
        if flexible_response(key, version) {
            writer.uvarint(0);
        }
    }
}

/// Whether a request has header version 2.
#[inline]
fn flexible(key: i16, version: i16) -> bool {
    ApiKey::from_number(key).is_some_and(|key| key.flexible().contains(version))
}

/// Whether a response has header version 1: never that of ApiVersions.
#[inline]
fn flexible_response(key: ApiKey, version: i16) -> bool {
    key != ApiKey::ApiVersions && key.flexible().contains(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(key: i16, version: i16) -> RequestHeader<'static> {
        RequestHeader {
            key,
            version,
            correlation_id: 7,
            client_id: Some("me"),
        }
    }

    #[test]
    fn a_request_header_is_flexible_from_the_first_flexible_version_of_its_key_on() {
        for (key, version, tail) in [(0, 8, 0), (0, 9, 1), (18, 2, 0), (18, 3, 1), (999, 9, 0)] {
            let mut writer = Writer::new();
            header(key, version).encode(&mut writer).unwrap();
            let bytes = writer.finish().into_bytes();
            assert_eq!(bytes.len(), 8 + 2 + 2 + tail, "key {key} version {version}");
            let mut reader = Reader::new(&bytes);
            assert_eq!(RequestHeader::decode(&mut reader), Ok(header(key, version)));
            assert_eq!(reader.left(), 0);
        }
    }

    #[test]
    fn the_answer_to_api_versions_never_has_a_flexible_header() {
        for (key, version, length) in [
            (ApiKey::ApiVersions, 3, 4),
            (ApiKey::Fetch, 11, 4),
            (ApiKey::Fetch, 12, 5),
        ] {
            let mut writer = Writer::new();
            ResponseHeader { correlation_id: -1 }.encode(&mut writer, key, version);
            let bytes = writer.finish().into_bytes();
            assert_eq!(bytes.len(), length);
            let read = ResponseHeader::decode(&mut Reader::new(&bytes), key, version);
            assert_eq!(read, Ok(ResponseHeader { correlation_id: -1 }));
        }
    }

    #[test]
    fn tags_in_a_header_are_skipped_and_a_frame_of_a_few_bytes_is_truncated() {
        let bytes = [0, 18, 0, 3, 0, 0, 0, 7, 0xff, 0xff, 1, 5, 2, 1, 2, 99];
        let mut reader = Reader::new(&bytes);
        let read = RequestHeader::decode(&mut reader).unwrap();
        assert_eq!((read.client_id, reader.rest()), (None, &[99][..]));
        for length in 0..10 {
            let cut = RequestHeader::decode(&mut Reader::new(&bytes[..length]));
            assert_eq!(cut, Err(DecodeError::Truncated), "{length} bytes");
        }
    }
}
