//! Records about the metadata log itself: transactions, producer id blocks, nothing at all.
//! Decides their fields in each version; what they do to the state of a cluster is not known here.

message! {
    /// Nothing; keeps the log moving.
    pub struct NoOpRecord: metadata 20, versions 0..=0, flexible 0.. {
    }
}

message! {
    /// A transaction begins: what follows counts only once it ends.
    pub struct BeginTransactionRecord: metadata 23, versions 0..=0, flexible 0.. {
        /// What it is, for people.
        name: Option<String> [0.., null 0.., tag 0],
    }
}

message! {
    /// A transaction ends.
    pub struct EndTransactionRecord: metadata 24, versions 0..=0, flexible 0.. {
    }
}

message! {
    /// A transaction is undone.
    pub struct AbortTransactionRecord: metadata 25, versions 0..=0, flexible 0.. {
        /// Why, for people.
        reason: Option<String> [0.., null 0.., tag 0],
    }
}

message! {
    /// A block of producer ids has been given out.
    pub struct ProducerIdsRecord: metadata 15, versions 0..=0, flexible 0.. {
        /// The broker that got the block.
        broker_id: i32 [0..],
        /// The epoch of that broker's registration.
        broker_epoch: i64 [0.., = -1],
        /// The first id that has not been given out.
        next_producer_id: i64 [0..],
    }
}
