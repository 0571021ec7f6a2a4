//! Frames: four bytes of length, a header, a body.
//!
//! Decides how a whole request or response looks on a connection, and that a length is judged
//! before anything is reserved for it (#129). Never reads from or writes to a socket.

use crate::{
    header::{RequestHeader, ResponseHeader},
    message::{Message, Request},
    messages::ApiKey,
    primitives::{DecodeError, EncodeError, Writer},
};

/// Bytes of the length in front of a frame.
pub const PREFIX: usize = 4;

/// How long the frame behind a length is: never more than `limit`, never negative.
#[inline]
pub fn length(prefix: [u8; PREFIX], limit: usize) -> Result<usize, DecodeError> {
    let length =
        usize::try_from(i32::from_be_bytes(prefix)).map_err(|_| DecodeError::Malformed {
            what: "a frame of negative length",
        })?;
    if length > limit {
        Err(DecodeError::OverBudget)
    } else {
        Ok(length)
    }
}

/// Writes the frame of a request.
pub fn request<R: Request>(
    writer: &mut Writer,
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
    body: &R,
) -> Result<(), EncodeError> {
    let header = RequestHeader {
        key: R::KEY.number(),
        version,
        correlation_id,
        client_id,
    };
    writer.framed(|writer| {
        header.encode(writer)?;
        body.encode(writer, version)
    })
}

/// Writes the frame of the answer to a request of this key and version.
pub fn response<M: Message>(
    writer: &mut Writer,
    key: ApiKey,
    version: i16,
    correlation_id: i32,
    body: &M,
) -> Result<(), EncodeError> {
    writer.framed(|writer| {
        ResponseHeader { correlation_id }.encode(writer, key, version);
        body.encode(writer, version)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{ApiVersionsRequest, ApiVersionsResponse};
    use crate::primitives::Reader;

    #[test]
    fn a_length_is_judged_before_it_is_believed() {
        assert_eq!(length([0, 0, 1, 0], 256), Ok(256));
        assert_eq!(length([0, 0, 1, 1], 256), Err(DecodeError::OverBudget));
        assert_eq!(
            length([0x7f, 0xff, 0xff, 0xff], 1 << 20),
            Err(DecodeError::OverBudget)
        );
        let negative = DecodeError::Malformed {
            what: "a frame of negative length",
        };
        assert_eq!(length([0xff; 4], usize::MAX), Err(negative));
    }

    #[test]
    fn a_frame_is_length_header_body() {
        let body = ApiVersionsRequest {
            client_software_name: "me".into(),
            ..Default::default()
        };
        let mut writer = Writer::new();
        request(&mut writer, 3, 9, Some("id"), &body).unwrap();
        let frame = writer.finish().into_bytes();
        let prefix = *frame.first_chunk().unwrap();
        assert_eq!(length(prefix, 100), Ok(frame.len() - PREFIX));
        let mut reader = Reader::new(&frame[PREFIX..]);
        let header = RequestHeader::decode(&mut reader).unwrap();
        assert_eq!(
            (header.api_key(), header.correlation_id),
            (Some(ApiKey::ApiVersions), 9)
        );
        assert_eq!(ApiVersionsRequest::decode_all(reader, 3), Ok(body));
    }

    #[test]
    fn a_frame_that_cannot_be_encoded_says_why() {
        let mut writer = Writer::new();
        let answer = ApiVersionsResponse::default();
        let error = response(&mut writer, ApiKey::ApiVersions, 99, 1, &answer);
        let message = "ApiVersionsResponse";
        assert_eq!(
            error,
            Err(EncodeError::UnsupportedVersion {
                message,
                version: 99
            })
        );
    }
}
