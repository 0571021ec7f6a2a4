//! Record batches, magic 2 (KIP-98): the bytes that producers send, that lie on disk, and that
//! consumers fetch.
//!
//! Decides what a batch means and whether a client's batch may be stored; never assigns an offset,
//! keeps a batch or knows a log. A stored batch stays byte for byte as it was sent unless its topic
//! wants it otherwise ([`rewrite`]), so nearly everything here borrows: [`validate()`] walks a batch and tells its [`BatchFacts`] or the one
//! [`BatchFault`]; [`BatchHeader`] reads and stamps the header; [`Records`] reads records;
//! [`BatchBuilder`] makes batches. Holds #27, #114, #118, #128 and #130 for record bytes.

mod alike;
pub mod batch;
pub mod build;
pub mod compress;
pub mod control;
pub mod fault;
pub mod inflate;
pub mod lookup;
mod lz4;
pub mod pool;
pub mod record;
pub mod rewrite;
mod snappy;
pub mod validate;
mod varint;
mod walk;
mod zstd_frames;

pub use batch::{Attributes, Batch, BatchHeader, Batches, Codec, TimestampType};
pub use build::{BatchBuilder, BuildFault, NewRecord};
pub use control::{ControlKind, EndMarker};
pub use fault::{BatchFault, InflateFault, RecordFault};
pub use inflate::{Caps, Inflater};
pub use pool::{Grant, Hold, Pool};
pub use record::{Header, Headers, Record, Records};
pub use validate::{BatchFacts, Producer, Rules, validate};
