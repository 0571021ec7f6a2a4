//! Bytes that lie in several places and go out one behind the other.
//!
//! Decides how spliced payloads are held; never copies them unless it is asked to join.

use bytes::{Bytes, BytesMut};

/// Bytes in one or more pieces: an encoded frame, or the batches of a Fetch answer.
///
/// Two are equal when their bytes are, however they are cut.
#[derive(Clone, Default)]
pub struct Pieces {
    head: Bytes,
    tail: Vec<Bytes>,
}

impl Pieces {
    /// No bytes.
    pub const fn new() -> Self {
        Self {
            head: Bytes::new(),
            tail: Vec::new(),
        }
    }

    /// How many bytes there are in all pieces together.
    pub fn len(&self) -> usize {
        self.iter().map(Bytes::len).sum()
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.head.is_empty() && self.tail.iter().all(Bytes::is_empty)
    }

    /// Puts a piece behind the others.
    pub fn push(&mut self, piece: Bytes) {
        if self.is_empty() {
            self.head = piece;
        } else if !piece.is_empty() {
            self.tail.push(piece);
        }
    }

    /// The pieces in order.
    pub fn iter(&self) -> impl Iterator<Item = &Bytes> {
        core::iter::once(&self.head)
            .chain(&self.tail)
            .filter(|piece| !piece.is_empty())
    }

    /// All bytes as one piece: free when there is only one, else a copy.
    pub fn into_bytes(self) -> Bytes {
        if self.tail.is_empty() {
            return self.head;
        }
        let mut joined = BytesMut::with_capacity(self.len());
        self.iter()
            .for_each(|piece| joined.extend_from_slice(piece));
        joined.freeze()
    }
}

impl From<Bytes> for Pieces {
    fn from(head: Bytes) -> Self {
        Self {
            head,
            tail: Vec::new(),
        }
    }
}

impl From<&'static [u8]> for Pieces {
    fn from(bytes: &'static [u8]) -> Self {
        Bytes::from_static(bytes).into()
    }
}

impl From<Vec<u8>> for Pieces {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl FromIterator<Bytes> for Pieces {
    fn from_iter<I: IntoIterator<Item = Bytes>>(pieces: I) -> Self {
        let mut all = Self::new();
        pieces.into_iter().for_each(|piece| all.push(piece));
        all
    }
}

impl PartialEq for Pieces {
    fn eq(&self, other: &Self) -> bool {
        if self.tail.is_empty() && other.tail.is_empty() {
            return self.head == other.head;
        }
        self.len() == other.len() && self.iter().flatten().eq(other.iter().flatten())
    }
}

impl Eq for Pieces {}

impl core::fmt::Debug for Pieces {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Pieces({} bytes in {})", self.len(), self.iter().count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_equal_when_their_bytes_are() {
        let cut: Pieces = [&b"ab"[..], b"", b"c"]
            .into_iter()
            .map(Bytes::from_static)
            .collect();
        let whole = Pieces::from(&b"abc"[..]);
        assert_eq!(cut, whole);
        assert_eq!((cut.len(), cut.iter().count()), (3, 2));
        assert_eq!(cut.into_bytes(), whole.into_bytes());
        assert_ne!(Pieces::from(&b"abd"[..]), Pieces::from(&b"abc"[..]));
    }
}
