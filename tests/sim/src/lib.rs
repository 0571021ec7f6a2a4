//! The deterministic simulator of Sawlog and the crash enumerator of its storage engine.
//!
//! Both drive the very code that is shipped (`sawlog-core`) on a disk, a net and a clock that can misbehave in every
//! way of the fault model and in no other, from one random stream. Nothing here is part of the product.

#![forbid(unsafe_code)]

pub mod blocks;
pub mod checks;
pub mod client;
pub mod disk;
pub mod enumerate;
pub mod faults;
pub mod gate;
pub mod history;
pub mod mutants;
pub mod process;
pub mod rng;
pub mod run;
pub mod world;
