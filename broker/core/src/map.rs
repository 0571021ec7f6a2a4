//! Maps whose iteration order is a function of their content, so that the same seed gives the same trace (#143).
//! Decides nothing else: a name for the only maps the core may use.

pub use alloc::collections::{BTreeMap as Map, BTreeSet as Set};
