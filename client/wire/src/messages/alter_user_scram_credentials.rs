//! Key 51, AlterUserScramCredentials: sets and removes SCRAM credentials.
//!
//! Version 0, flexible from 0. KIP-554.

use bytes::Bytes;

use crate::ErrorCode;

message! {
    /// What to remove and to set.
    pub struct AlterUserScramCredentialsRequest:
    request AlterUserScramCredentials -> AlterUserScramCredentialsResponse,
    versions 0..=0, flexible 0.. {
        /// The credentials to remove.
        deletions: Vec<ScramCredentialDeletion> [0..],
        /// The credentials to set.
        upsertions: Vec<ScramCredentialUpsertion> [0..],
    }
}

part! {
    /// One of [`AlterUserScramCredentialsRequest::deletions`].
    pub struct ScramCredentialDeletion {
        /// Its name.
        name: String [0..],
        /// The mechanism.
        mechanism: i8 [0..],
    }
}

part! {
    /// One of [`AlterUserScramCredentialsRequest::upsertions`].
    pub struct ScramCredentialUpsertion {
        /// Its name.
        name: String [0..],
        /// The mechanism.
        mechanism: i8 [0..],
        /// The number of iterations.
        iterations: i32 [0..],
        /// The salt.
        salt: Bytes [0..],
        /// The salted password.
        salted_password: Bytes [0..],
    }
}

message! {
    /// What became of each user.
    pub struct AlterUserScramCredentialsResponse: response, versions 0..=0, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What became of each.
        results: Vec<AlterUserScramCredentialsResult> [0..],
    }
}

part! {
    /// A result: one of [`AlterUserScramCredentialsResponse::results`].
    pub struct AlterUserScramCredentialsResult {
        /// The user.
        user: String [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
    }
}
