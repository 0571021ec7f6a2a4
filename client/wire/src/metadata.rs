//! Records of the metadata log.

/// A record.
pub trait Record: crate::message::Message {
    /// Its number.
    const NUMBER: u16;
}
