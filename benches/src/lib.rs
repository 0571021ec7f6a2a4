//! Load on any broker that speaks Kafka's protocol, and comparisons of one broker with another on the same machine in the
//! same minute. Decides what counts as a result; knows nothing of how Sawlog works inside.

pub mod batch;
pub mod bytes;
pub mod control;
pub mod figures;
pub mod frame;
pub mod host;
pub mod link;
pub mod load;
pub mod verify;
