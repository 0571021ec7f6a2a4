//! The error codes of the protocol: number, Kafka's name, what a client may do, what it says.
//!
//! Decides the meaning of a number; never when one is sent. Every code of Kafka 4.4 is here.

use core::fmt;

/// What a client may do after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Trying again cannot help.
    Never,
    /// Trying again may succeed.
    Again,
    /// Trying again may succeed once the metadata has been refreshed.
    Refreshed,
}

macro_rules! codes {
    ($($number:literal $code:ident $name:ident $retry:ident $text:literal;)*) => {
        /// An error code of the protocol, [`Code::None`] included.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        pub enum Code {
            $(
                #[doc = concat!("`", stringify!($name), "`, ", stringify!($number), ": ", $text, ".")]
                $code = $number,
            )*
        }

        impl Code {
            /// Every code, in Kafka's order.
            pub const ALL: &'static [Self] = &[$(Self::$code),*];

            /// The code with this number, if Kafka 4.4 has one.
            #[inline]
            pub const fn from_number(number: i16) -> Option<Self> {
                match number {
                    $($number => Some(Self::$code),)*
                    _ => None,
                }
            }

            /// Kafka's name: `NOT_LEADER_OR_FOLLOWER`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$code => stringify!($name),)*
                }
            }

            /// What it says, in a short phrase.
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$code => $text,)*
                }
            }

            /// What a client may do.
            pub const fn retry(self) -> Retry {
                match self {
                    $(Self::$code => Retry::$retry,)*
                }
            }
        }
    };
}

codes! {
      0 None NONE Never "no error";
     -1 UnknownServerError UNKNOWN_SERVER_ERROR Never "the server failed in a way it has no name for";
      1 OffsetOutOfRange OFFSET_OUT_OF_RANGE Never "the offset lies outside the log";
      2 CorruptMessage CORRUPT_MESSAGE Again "the records are damaged, or break a rule of their format";
      3 UnknownTopicOrPartition UNKNOWN_TOPIC_OR_PARTITION Refreshed "the topic or partition is not known here";
      4 InvalidFetchSize INVALID_FETCH_SIZE Never "the fetch size is invalid";
      5 LeaderNotAvailable LEADER_NOT_AVAILABLE Refreshed "the partition has no leader at the moment";
      6 NotLeaderOrFollower NOT_LEADER_OR_FOLLOWER Refreshed "this broker does not lead, or does not follow, the partition";
      7 RequestTimedOut REQUEST_TIMED_OUT Again "the request was not done in time";
      8 BrokerNotAvailable BROKER_NOT_AVAILABLE Never "the broker is not available";
      9 ReplicaNotAvailable REPLICA_NOT_AVAILABLE Refreshed "the replica is not available";
     10 MessageTooLarge MESSAGE_TOO_LARGE Never "the batch is larger than the topic takes";
     11 StaleControllerEpoch STALE_CONTROLLER_EPOCH Never "the controller has been replaced by a later one";
     12 OffsetMetadataTooLarge OFFSET_METADATA_TOO_LARGE Never "the metadata stored with the offset is too long";
     13 NetworkException NETWORK_EXCEPTION Refreshed "the connection broke before the answer came";
     14 CoordinatorLoadInProgress COORDINATOR_LOAD_IN_PROGRESS Again "the coordinator is still loading its state";
     15 CoordinatorNotAvailable COORDINATOR_NOT_AVAILABLE Again "no coordinator is available yet";
     16 NotCoordinator NOT_COORDINATOR Again "this broker is not the coordinator";
     17 InvalidTopicException INVALID_TOPIC_EXCEPTION Never "the topic name is not allowed";
     18 RecordListTooLarge RECORD_LIST_TOO_LARGE Never "the records are more than a segment holds";
     19 NotEnoughReplicas NOT_ENOUGH_REPLICAS Again "fewer replicas in sync than min.insync.replicas asks";
     20 NotEnoughReplicasAfterAppend NOT_ENOUGH_REPLICAS_AFTER_APPEND Again "the records are written, but on fewer replicas in sync than asked";
     21 InvalidRequiredAcks INVALID_REQUIRED_ACKS Never "acks is none of -1, 0, 1";
     22 IllegalGeneration ILLEGAL_GENERATION Never "the generation of the group has passed";
     23 InconsistentGroupProtocol INCONSISTENT_GROUP_PROTOCOL Never "the member shares no protocol with its group";
     24 InvalidGroupId INVALID_GROUP_ID Never "the group id is empty or not allowed";
     25 UnknownMemberId UNKNOWN_MEMBER_ID Never "the group does not know this member";
     26 InvalidSessionTimeout INVALID_SESSION_TIMEOUT Never "the session timeout lies outside the broker's bounds";
     27 RebalanceInProgress REBALANCE_IN_PROGRESS Never "the group is rebalancing, so join again";
     28 InvalidCommitOffsetSize INVALID_COMMIT_OFFSET_SIZE Never "the commit holds too much";
     29 TopicAuthorizationFailed TOPIC_AUTHORIZATION_FAILED Never "not authorized for the topic";
     30 GroupAuthorizationFailed GROUP_AUTHORIZATION_FAILED Never "not authorized for the group";
     31 ClusterAuthorizationFailed CLUSTER_AUTHORIZATION_FAILED Never "not authorized for the cluster";
     32 InvalidTimestamp INVALID_TIMESTAMP Never "the timestamp lies outside what the topic allows";
     33 UnsupportedSaslMechanism UNSUPPORTED_SASL_MECHANISM Never "the server does not offer this SASL mechanism";
     34 IllegalSaslState ILLEGAL_SASL_STATE Never "the request does not fit the state of the SASL dialogue";
     35 UnsupportedVersion UNSUPPORTED_VERSION Never "the version of the request is not supported";
     36 TopicAlreadyExists TOPIC_ALREADY_EXISTS Never "the topic exists already";
     37 InvalidPartitions INVALID_PARTITIONS Never "the number of partitions is not allowed";
     38 InvalidReplicationFactor INVALID_REPLICATION_FACTOR Never "the replication factor is not allowed, or there are too few brokers";
     39 InvalidReplicaAssignment INVALID_REPLICA_ASSIGNMENT Never "the assignment of replicas is not allowed";
     40 InvalidConfig INVALID_CONFIG Never "a configuration value is not allowed";
     41 NotController NOT_CONTROLLER Again "this node is not the active controller";
     42 InvalidRequest INVALID_REQUEST Never "the request contradicts itself or the protocol";
     43 UnsupportedForMessageFormat UNSUPPORTED_FOR_MESSAGE_FORMAT Never "the message format on this broker lacks the operation";
     44 PolicyViolation POLICY_VIOLATION Never "a policy of the cluster forbids it";
     45 OutOfOrderSequenceNumber OUT_OF_ORDER_SEQUENCE_NUMBER Never "a sequence number is missing or out of order";
     46 DuplicateSequenceNumber DUPLICATE_SEQUENCE_NUMBER Never "the sequence number has been seen before";
     47 InvalidProducerEpoch INVALID_PRODUCER_EPOCH Never "the producer's epoch is older than its latest one";
     48 InvalidTxnState INVALID_TXN_STATE Never "the transaction is not in a state that allows it";
     49 InvalidProducerIdMapping INVALID_PRODUCER_ID_MAPPING Never "the transactional id does not own this producer id";
     50 InvalidTransactionTimeout INVALID_TRANSACTION_TIMEOUT Never "the transaction timeout is larger than the broker allows";
     51 ConcurrentTransactions CONCURRENT_TRANSACTIONS Again "another change of the same transaction is still going on";
     52 TransactionCoordinatorFenced TRANSACTION_COORDINATOR_FENCED Never "the transaction coordinator has been replaced by a later one";
     53 TransactionalIdAuthorizationFailed TRANSACTIONAL_ID_AUTHORIZATION_FAILED Never "not authorized for the transactional id";
     54 SecurityDisabled SECURITY_DISABLED Never "security features are switched off";
     55 OperationNotAttempted OPERATION_NOT_ATTEMPTED Never "not tried, because another part of the request failed";
     56 KafkaStorageError KAFKA_STORAGE_ERROR Refreshed "the broker's disk failed under the log";
     57 LogDirNotFound LOG_DIR_NOT_FOUND Never "the log directory is not known here";
     58 SaslAuthenticationFailed SASL_AUTHENTICATION_FAILED Never "authentication failed";
     59 UnknownProducerId UNKNOWN_PRODUCER_ID Never "the producer id is unknown: its state has expired";
     60 ReassignmentInProgress REASSIGNMENT_IN_PROGRESS Never "the partition is being reassigned";
     61 DelegationTokenAuthDisabled DELEGATION_TOKEN_AUTH_DISABLED Never "delegation tokens are switched off";
     62 DelegationTokenNotFound DELEGATION_TOKEN_NOT_FOUND Never "the delegation token does not exist";
     63 DelegationTokenOwnerMismatch DELEGATION_TOKEN_OWNER_MISMATCH Never "the token belongs to another principal";
     64 DelegationTokenRequestNotAllowed DELEGATION_TOKEN_REQUEST_NOT_ALLOWED Never "delegation tokens cannot be asked for on this connection";
     65 DelegationTokenAuthorizationFailed DELEGATION_TOKEN_AUTHORIZATION_FAILED Never "not authorized for the delegation token";
     66 DelegationTokenExpired DELEGATION_TOKEN_EXPIRED Never "the delegation token has expired";
     67 InvalidPrincipalType INVALID_PRINCIPAL_TYPE Never "the type of the principal is not supported";
     68 NonEmptyGroup NON_EMPTY_GROUP Never "the group still has members";
     69 GroupIdNotFound GROUP_ID_NOT_FOUND Never "the group does not exist";
     70 FetchSessionIdNotFound FETCH_SESSION_ID_NOT_FOUND Again "the fetch session does not exist";
     71 InvalidFetchSessionEpoch INVALID_FETCH_SESSION_EPOCH Again "the fetch session is at another epoch";
     72 ListenerNotFound LISTENER_NOT_FOUND Refreshed "the leader has no listener of the kind the request came by";
     73 TopicDeletionDisabled TOPIC_DELETION_DISABLED Never "deleting topics is switched off";
     74 FencedLeaderEpoch FENCED_LEADER_EPOCH Refreshed "the leader epoch is older than the broker's";
     75 UnknownLeaderEpoch UNKNOWN_LEADER_EPOCH Again "the leader epoch is newer than the broker's";
     76 UnsupportedCompressionType UNSUPPORTED_COMPRESSION_TYPE Never "this version cannot carry the compression of the records";
     77 StaleBrokerEpoch STALE_BROKER_EPOCH Never "the broker has registered anew since";
     78 OffsetNotAvailable OFFSET_NOT_AVAILABLE Again "the new leader does not know its high watermark yet";
     79 MemberIdRequired MEMBER_ID_REQUIRED Never "join again with the member id given";
     80 PreferredLeaderNotAvailable PREFERRED_LEADER_NOT_AVAILABLE Refreshed "the preferred leader is not available";
     81 GroupMaxSizeReached GROUP_MAX_SIZE_REACHED Never "the group is full";
     82 FencedInstanceId FENCED_INSTANCE_ID Never "another member has taken over this instance id";
     83 EligibleLeadersNotAvailable ELIGIBLE_LEADERS_NOT_AVAILABLE Refreshed "no replica that may lead is available";
     84 ElectionNotNeeded ELECTION_NOT_NEEDED Refreshed "the partition has the right leader already";
     85 NoReassignmentInProgress NO_REASSIGNMENT_IN_PROGRESS Never "the partition is not being reassigned";
     86 GroupSubscribedToTopic GROUP_SUBSCRIBED_TO_TOPIC Never "the group is subscribed to the topic";
     87 InvalidRecord INVALID_RECORD Never "a record breaks a rule of the topic";
     88 UnstableOffsetCommit UNSTABLE_OFFSET_COMMIT Again "a transaction with offsets of the group is still open";
     89 ThrottlingQuotaExceeded THROTTLING_QUOTA_EXCEEDED Again "a quota is used up for now";
     90 ProducerFenced PRODUCER_FENCED Never "a newer producer has taken over the transactional id";
     91 ResourceNotFound RESOURCE_NOT_FOUND Never "what was asked for does not exist";
     92 DuplicateResource DUPLICATE_RESOURCE Never "the name appears twice, or exists already";
     93 UnacceptableCredential UNACCEPTABLE_CREDENTIAL Never "the credential does not fulfil the rules";
     94 InconsistentVoterSet INCONSISTENT_VOTER_SET Never "the sender has another set of voters";
     95 InvalidUpdateVersion INVALID_UPDATE_VERSION Never "the update names a version that it must not";
     96 FeatureUpdateFailed FEATURE_UPDATE_FAILED Never "the feature cannot be updated";
     97 PrincipalDeserializationFailure PRINCIPAL_DESERIALIZATION_FAILURE Never "the forwarded principal cannot be read";
     98 SnapshotNotFound SNAPSHOT_NOT_FOUND Never "the snapshot does not exist";
     99 PositionOutOfRange POSITION_OUT_OF_RANGE Never "the position lies outside the snapshot";
    100 UnknownTopicId UNKNOWN_TOPIC_ID Refreshed "the topic id is not known here";
    101 DuplicateBrokerRegistration DUPLICATE_BROKER_REGISTRATION Never "a broker of this id is registered and alive";
    102 BrokerIdNotRegistered BROKER_ID_NOT_REGISTERED Never "no broker of this id is registered";
    103 InconsistentTopicId INCONSISTENT_TOPIC_ID Refreshed "the topic id does not fit the topic's name";
    104 InconsistentClusterId INCONSISTENT_CLUSTER_ID Never "the sender belongs to another cluster";
    105 TransactionalIdNotFound TRANSACTIONAL_ID_NOT_FOUND Never "the transactional id does not exist";
    106 FetchSessionTopicIdError FETCH_SESSION_TOPIC_ID_ERROR Again "the fetch session mixes topic ids and names";
    107 IneligibleReplica INELIGIBLE_REPLICA Never "a replica may not join the in-sync set";
    108 NewLeaderElected NEW_LEADER_ELECTED Never "a new leader was chosen by this change";
    109 OffsetMovedToTieredStorage OFFSET_MOVED_TO_TIERED_STORAGE Never "the offset has moved to tiered storage";
    110 FencedMemberEpoch FENCED_MEMBER_EPOCH Never "the member's epoch is older than the group's";
    111 UnreleasedInstanceId UNRELEASED_INSTANCE_ID Never "the instance id is still held by another member";
    112 UnsupportedAssignor UNSUPPORTED_ASSIGNOR Never "the group knows none of the assignors";
    113 StaleMemberEpoch STALE_MEMBER_EPOCH Never "the member's epoch has passed, so refresh it";
    114 MismatchedEndpointType MISMATCHED_ENDPOINT_TYPE Never "the endpoint is of another kind than asked for";
    115 UnsupportedEndpointType UNSUPPORTED_ENDPOINT_TYPE Never "this kind of endpoint is not known";
    116 UnknownControllerId UNKNOWN_CONTROLLER_ID Never "the controller id is not known";
    117 UnknownSubscriptionId UNKNOWN_SUBSCRIPTION_ID Never "the telemetry subscription is not known";
    118 TelemetryTooLarge TELEMETRY_TOO_LARGE Never "the telemetry is larger than allowed";
    119 InvalidRegistration INVALID_REGISTRATION Never "the registration is not valid";
    120 TransactionAbortable TRANSACTION_ABORTABLE Never "the transaction must be aborted";
    121 InvalidRecordState INVALID_RECORD_STATE Never "the record is not in a state that allows it";
    122 ShareSessionNotFound SHARE_SESSION_NOT_FOUND Again "the share session does not exist";
    123 InvalidShareSessionEpoch INVALID_SHARE_SESSION_EPOCH Again "the share session is at another epoch";
    124 FencedStateEpoch FENCED_STATE_EPOCH Never "the epoch of the share state has passed";
    125 InvalidVoterKey INVALID_VOTER_KEY Never "the voter's id and directory id do not fit";
    126 DuplicateVoter DUPLICATE_VOTER Never "the voter is in the set already";
    127 VoterNotFound VOTER_NOT_FOUND Never "the voter is not in the set";
    128 InvalidRegularExpression INVALID_REGULAR_EXPRESSION Never "the regular expression is not valid";
    129 RebootstrapRequired REBOOTSTRAP_REQUIRED Never "the client must start from its bootstrap addresses again";
    130 StreamsInvalidTopology STREAMS_INVALID_TOPOLOGY Never "the Streams topology is not valid";
    131 StreamsInvalidTopologyEpoch STREAMS_INVALID_TOPOLOGY_EPOCH Never "the epoch of the Streams topology is not valid";
    132 StreamsTopologyFenced STREAMS_TOPOLOGY_FENCED Never "the Streams topology has been replaced by a later one";
    133 ShareSessionLimitReached SHARE_SESSION_LIMIT_REACHED Again "too many share sessions are open";
    134 GroupDeletionFailed GROUP_DELETION_FAILED Never "the group could not be deleted";
    135 StreamsTopologyDescriptionUpdateFailed STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED Never "the topology description could not be stored";
    136 ControllerIdNotRegistered CONTROLLER_ID_NOT_REGISTERED Never "no controller of this id is registered";
}

impl Code {
    /// The number on the wire.
    #[inline]
    pub const fn number(self) -> i16 {
        self as i16
    }

    /// Whether trying again may succeed.
    pub const fn retriable(self) -> bool {
        !matches!(self.retry(), Retry::Never)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.name(), self.number(), self.text())
    }
}

impl core::error::Error for Code {}

/// The number in an error field: a [`Code`], or one that a newer peer knows and we do not.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub i16);

impl ErrorCode {
    /// No error.
    pub const NONE: Self = Self(0);

    /// Its meaning, if we know it.
    #[inline]
    pub const fn code(self) -> Option<Code> {
        Code::from_number(self.0)
    }

    /// Whether it says that all is well.
    #[inline]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

impl From<Code> for ErrorCode {
    #[inline]
    fn from(code: Code) -> Self {
        Self(code.number())
    }
}

impl PartialEq<Code> for ErrorCode {
    #[inline]
    fn eq(&self, code: &Code) -> bool {
        self.0 == code.number()
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code() {
            Some(code) => f.write_str(code.name()),
            None => write!(f, "ErrorCode({})", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_run_from_minus_one_without_a_gap_and_come_back() {
        for number in -1..=136 {
            let code = Code::from_number(number).expect("every number is taken");
            assert_eq!(code.number(), number);
        }
        assert_eq!(Code::ALL.len(), 138);
        assert_eq!(
            (Code::from_number(-2), Code::from_number(137)),
            (None, None)
        );
    }

    #[test]
    fn a_number_we_do_not_know_is_kept() {
        assert_eq!(format!("{:?}", ErrorCode(999)), "ErrorCode(999)");
        assert_eq!(
            format!("{:?}", ErrorCode::from(Code::NotController)),
            "NOT_CONTROLLER"
        );
        assert_eq!(ErrorCode(41), Code::NotController);
    }
}
