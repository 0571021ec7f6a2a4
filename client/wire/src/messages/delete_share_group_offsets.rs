//! Key 92, DeleteShareGroupOffsets: deletes where a share group starts to read.
//!
//! Version 0, flexible from 0. KIP-932.

use crate::{ErrorCode, Uuid};

message! {
    /// The group and the topics.
    pub struct DeleteShareGroupOffsetsRequest:
    request DeleteShareGroupOffsets -> DeleteShareGroupOffsetsResponse,
    versions 0..=0, flexible 0.. {
        /// The group.
        group_id: String [0..],
        /// The topics.
        topics: Vec<DeleteShareGroupOffsetsRequestTopic> [0..],
    }
}

part! {
    /// A topic: one of [`DeleteShareGroupOffsetsRequest::topics`].
    pub struct DeleteShareGroupOffsetsRequestTopic {
        /// The topic's name.
        topic_name: String [0..],
    }
}

message! {
    /// What became of each topic.
    pub struct DeleteShareGroupOffsetsResponse: response, versions 0..=0, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// What became of each.
        responses: Vec<DeleteShareGroupOffsetsResponseTopic> [0..],
    }
}

part! {
    /// A result: one of [`DeleteShareGroupOffsetsResponse::responses`].
    pub struct DeleteShareGroupOffsetsResponseTopic {
        /// The topic's name.
        topic_name: String [0..],
        /// The topic's id.
        topic_id: Uuid [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
    }
}
