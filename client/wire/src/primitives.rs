//! The primitive types of the protocol and the two cursors that read and write them.
//!
//! Decides how a number, a string, a list or a tagged field looks in bytes, and how much memory
//! bytes may claim; never which field comes when. Holds #128 and #129: the one place that
//! reserves memory for a wire count is [`Reader::list`].

mod error;
mod field;
mod pieces;
mod reader;
mod tags;
mod uuid;
mod varint;
mod writer;

pub use error::{DecodeError, EncodeError};
pub use field::{At, Field, Nullable, Type};
pub use pieces::Pieces;
pub use reader::{Budget, Reader};
pub use tags::{Tag, Tags};
pub use uuid::{BadUuid, Uuid};
pub use varint::{uvarint_len, varint_len, varlong_len};
pub use writer::Writer;
