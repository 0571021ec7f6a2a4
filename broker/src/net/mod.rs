//! Sockets: accepting, cutting frames, writing replies. Decides nothing that a client could see but the pace.

pub mod connection;
pub mod listen;
