//! One binary for all stories with real processes.
//! Decides nothing: each file is one story, and says itself what must hold.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a story that cannot be told says so by panicking"
)]

mod client;
mod connections;
mod damage;
mod ends;
mod examples;
mod faults;
mod full;
mod hostile;
mod kill;
mod log;
mod memory;
mod network;
mod power;
mod producer;
mod ring;
mod start;
mod state;
mod strangers;
mod tools;
