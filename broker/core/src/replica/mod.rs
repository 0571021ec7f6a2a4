//! The role that a replica of a partition plays: leading it, and (with the cluster) following its leader.
//! Decides what counts as replicated; never where bytes lie (`log`), nor who is told (`node`).

pub mod leader;

pub use leader::{Leader, Refusal};
