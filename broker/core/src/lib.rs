//! The Sawlog broker as a function: `(state, now, event) -> effects`.
//!
//! Everything that a broker decides is decided here: what lies on disk and in which order, who is answered what and
//! when, what the cluster's metadata says. Nothing here reads a clock, a file, a socket or a random number: time,
//! bytes and chance come in as [`event::Event`]s, wishes go out as [`effect::Effect`]s. The server (`sawlog-broker`)
//! and the simulator (`sawlog-sim`) are two drivers of the same [`node::Shard`].
//!
//! Which module may import which is written in `layers.txt` and held by the tidy test.

#![forbid(unsafe_code)]
#![cfg_attr(not(any(test, feature = "mutants")), no_std)]

extern crate alloc;

pub mod answer;
pub mod api;
pub mod cluster;
pub mod complaint;
pub mod config;
pub mod controller;
pub mod effect;
pub mod event;
pub mod file;
pub mod ids;
pub mod log;
pub mod machine;
pub mod map;
pub mod marks;
pub mod node;
pub mod now;
pub mod parked;
pub mod proof;
pub mod quorum;
pub mod replica;
pub mod timers;
