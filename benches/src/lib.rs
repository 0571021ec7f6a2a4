//! Load on any broker that speaks Kafka's protocol, and comparisons of one broker with another on the same machine in the
//! same minute. Decides what counts as a result; knows nothing of how Sawlog works inside.

#![forbid(unsafe_code)]

pub mod batch;
pub mod bytes;
pub mod cell;
pub mod cells;
pub mod control;
pub mod fetching;
pub mod figures;
pub mod frame;
pub mod host;
pub mod link;
pub mod load;
pub mod micro;
pub mod napkin;
pub mod peer;
pub mod record;
pub mod regime;
pub mod report;
pub mod side;
pub mod stats;
pub mod suite;
pub mod trials;
pub mod verify;
pub mod wide;
