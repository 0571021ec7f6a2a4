//! One file per command, one folder where a command has parts.
//! Decides nothing: each command reads its words and asks for itself; what several share stands beside this folder.

pub(crate) mod api;
pub(crate) mod bench;
pub(crate) mod broker;
pub(crate) mod cluster;
pub(crate) mod completion;
pub(crate) mod config;
pub(crate) mod consume;
pub(crate) mod log;
pub(crate) mod man;
pub(crate) mod mock;
pub(crate) mod produce;
pub(crate) mod topic;
