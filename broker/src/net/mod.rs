//! Sockets: accepting, cutting frames, writing replies. Decides nothing that a client could see but the pace,
//! and who is cut off or not let in when there is no room; what a frame means is `sawlog-core`'s.

pub mod allowance;
pub mod connection;
pub mod gauge;
pub mod listen;
pub mod member;
pub mod rate;
pub mod seats;
pub mod seldom;
pub mod stranger;
pub mod turns;
