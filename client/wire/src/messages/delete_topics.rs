//! Key 20, DeleteTopics: deletes topics.
//!
//! Versions 1-6, flexible from 4. KIP-4, KIP-599 (v5), KIP-516 (v6).

use crate::{ErrorCode, Uuid};

message! {
    /// The topics to delete.
    pub struct DeleteTopicsRequest: request DeleteTopics -> DeleteTopicsResponse,
    versions 1..=6, flexible 4.. {
        /// The topics.
        topics: Vec<DeleteTopicState> [6..],
        /// The topics' names.
        topic_names: Vec<String> [0..=5, ignorable],
        /// How long the server may take, in milliseconds.
        timeout_ms: i32 [0..],
    }
}

part! {
    /// A topic: one of [`DeleteTopicsRequest::topics`].
    pub struct DeleteTopicState {
        /// Its name.
        name: Option<String> [6.., null 6..],
        /// The topic's id.
        topic_id: Uuid [6..],
    }
}

message! {
    /// What became of each.
    pub struct DeleteTopicsResponse: response, versions 1..=6, flexible 4.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [1.., ignorable],
        /// What became of each.
        responses: Vec<DeletableTopicResult> [0..],
    }
}

part! {
    /// A result: one of [`DeleteTopicsResponse::responses`].
    pub struct DeletableTopicResult {
        /// Its name.
        name: Option<String> [0.., null 6..],
        /// The topic's id.
        topic_id: Uuid [6.., ignorable],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [5.., null 5.., ignorable],
    }
}
