//! Records of `__transaction_state`: what transactional ids are at (KIP-98, KIP-360, KIP-890).
//!
//! Decides their numbers and their fields in each version; what a transaction does is not known here.

coordinator_records! {
    "__transaction_state",
    /// Any record of `__transaction_state`.
    TransactionRecord,
    /// The type of a record of `__transaction_state`.
    TransactionRecordType:
    0 TransactionLog(TransactionLogKey, TransactionLogValue);
}

message! {
    /// The key of a transactional id.
    pub struct TransactionLogKey: coordinator_key 0, versions 0..=0, flexible never {
        /// The transactional id.
        transactional_id: String [0..=0],
    }
}

message! {
    /// The state of a transactional id and its transaction.
    pub struct TransactionLogValue: coordinator_value 0, versions 0..=1, flexible 1.. {
        /// The producer id in use.
        producer_id: i64 [0..],
        /// The epoch of the producer id.
        producer_epoch: i16 [0..],
        /// How long a transaction may take, in milliseconds.
        transaction_timeout_ms: i32 [0..],
        /// The state of the transaction.
        transaction_status: i8 [0..],
        /// The partitions in the transaction, or null.
        transaction_partitions: Option<Vec<PartitionsSchema>> [0.., null 0..],
        /// When the state last changed, in milliseconds since 1970.
        transaction_last_update_timestamp_ms: i64 [0..],
        /// When the transaction began, in milliseconds since 1970.
        transaction_start_timestamp_ms: i64 [0..],
        /// The producer id before it, or -1.
        previous_producer_id: i64 [1.., tag 0, = -1],
        /// The producer id after the transaction ends, or -1.
        next_producer_id: i64 [1.., tag 1, = -1],
        /// The version of the protocol that the client uses.
        client_transaction_version: i16 [1.., tag 2],
        /// The epoch after the transaction ends, or -1.
        next_producer_epoch: i16 [1.., tag 3, = -1],
    }
}

part! {
    /// Partitions of a topic: one of [`TransactionLogValue::transaction_partitions`].
    pub struct PartitionsSchema {
        /// The topic's name.
        topic: String [0..],
        /// The partitions.
        partition_ids: Vec<i32> [0..],
    }
}
