//! The cluster's metadata as every node sees it: a fold over the committed metadata log.
//! Decides what each record changes; never which records are written (`controller`), nor who acts on them (`node`).

pub mod apply;
pub mod batch;
pub mod dump;
pub mod features;
pub mod image;
pub mod names;
pub mod record;
