//! Starts real brokers and drives them from outside: what every story in `it/` shares.
//! Decides nothing about what is right; that is each story's own claim.

#![forbid(unsafe_code)]

pub mod broker;
pub mod client;
pub mod host;
pub mod strace;
