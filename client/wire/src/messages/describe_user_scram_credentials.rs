//! Key 50, DescribeUserScramCredentials: lists SCRAM credentials, without secrets.
//!
//! Version 0, flexible from 0. KIP-554.

use crate::ErrorCode;

message! {
    /// The users.
    pub struct DescribeUserScramCredentialsRequest:
    request DescribeUserScramCredentials -> DescribeUserScramCredentialsResponse,
    versions 0..=0, flexible 0.. {
        /// The users, or null for all.
        users: Option<Vec<UserName>> [0.., null 0..],
    }
}

part! {
    /// One of [`DescribeUserScramCredentialsRequest::users`].
    pub struct UserName {
        /// Its name.
        name: String [0..],
    }
}

message! {
    /// Their credentials.
    pub struct DescribeUserScramCredentialsResponse: response, versions 0..=0, flexible 0.. {
        /// For how long the client is throttled, in milliseconds.
        throttle_time_ms: i32 [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// What became of each.
        results: Vec<DescribeUserScramCredentialsResult> [0..],
    }
}

part! {
    /// A result: one of [`DescribeUserScramCredentialsResponse::results`].
    pub struct DescribeUserScramCredentialsResult {
        /// The user.
        user: String [0..],
        /// What went wrong, if anything.
        error_code: ErrorCode [0..],
        /// What went wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// The credentials.
        credential_infos: Vec<CredentialInfo> [0..],
    }
}

part! {
    /// One of [`DescribeUserScramCredentialsResult::credential_infos`].
    pub struct CredentialInfo {
        /// The mechanism.
        mechanism: i8 [0..],
        /// The number of iterations.
        iterations: i32 [0..],
    }
}
