//! The requests that clients send, from frame to parts and from answers to frame: everything between a socket and a shard.
//! Decides what each version of each key means; never what is stored, who leads or what exists (`node` answers that).
//!
//! `table` has a row for every key. `conn` cuts a connection's frames into requests and keeps their order; each key has a
//! file of its own with `split` (request to parts) and a job that hears the answers and becomes the response.

mod alter_configs;
mod api_versions;
mod command;
mod conn;
mod create_partitions;
mod create_topics;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_log_dirs;
mod describe_producers;
mod describe_quorum;
mod describe_topic_partitions;
mod door;
mod fetch;
mod fetch_rows;
mod fetch_sessions;
mod fields;
mod find_coordinator;
mod hints;
mod host;
mod incremental_alter_configs;
mod init_producer_id;
mod job;
mod list_config_resources;
mod list_offsets;
mod metadata;
mod offset_for_leader_epoch;
mod outbox;
mod places;
mod produce;
mod session_cache;
mod settings;
pub mod table;
mod waits;

#[cfg(test)]
mod tests;

pub use conn::{BRINGS_MAX, Conn, OPEN_MAX};
pub use door::Door;
pub use host::Host;
pub use outbox::Outbox;
pub use produce::first_batch;
pub use session_cache::FetchSessions;
pub use waits::FetchWaits;
