//! The features of this build and the levels of each that it can run at (KIP-584).
//! Decides what nodes register and ApiVersions offers; which level is in force, the metadata log says (#46).

/// Name, lowest level, highest level. Features of what is not served yet (groups, transactions, share groups, streams) are
/// left out, so that no client believes in them.
pub const SUPPORTED: [(&str, i16, i16); 2] = [("kraft.version", 0, 1), ("metadata.version", 7, 33)];
