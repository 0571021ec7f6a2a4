//! Every request and response of the protocol, one file per API key.
//!
//! Decides which API keys there are and which messages belong to them; the layouts stand in the
//! files, and what a broker does with a message is not known here.

use core::fmt;

use crate::{
    layout::Versions,
    message::{Message, Request},
};

/// One line per API key: number, name, file, request and response.
macro_rules! apis {
    ($($number:literal $key:ident: $file:ident, $request:ident, $response:ident;)*) => {
        $(pub mod $file;)*

        $(pub use $file::{$request, $response};)*

        /// An API key that this crate has messages for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        pub enum ApiKey {
            $(
                #[doc = concat!("Key ", stringify!($number), ": [`", stringify!($file), "`].")]
                $key = $number,
            )*
        }

        impl ApiKey {
            /// Every key, by number.
            pub const ALL: &'static [Self] = &[$(Self::$key),*];

            /// The key with this number.
            #[inline]
            pub const fn from_number(number: i16) -> Option<Self> {
                match number {
                    $($number => Some(Self::$key),)*
                    _ => None,
                }
            }

            /// Kafka's name: `ApiVersions`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$key => stringify!($key),)*
                }
            }

            /// The versions that exist: what this crate can read and write, not what a broker serves.
            #[inline]
            pub const fn versions(self) -> Versions {
                match self {
                    $(Self::$key => <$request as Message>::VERSIONS,)*
                }
            }

            /// The versions with compact lengths and tagged fields.
            #[inline]
            pub const fn flexible(self) -> Versions {
                match self {
                    $(Self::$key => <$request as Message>::FLEXIBLE,)*
                }
            }
        }

        /// The messages of all keys, for tests.
        #[cfg(any(test, feature = "random"))]
        pub(crate) const ENTRIES: &[crate::registry::Entry] = &[
            $(
                crate::registry::Entry::request::<$request>(),
                crate::registry::Entry::response::<$request>(),
            )*
        ];

        // The table and the declarations agree.
        $(const _: () = {
            assert!(<$request as Request>::KEY as i16 == $number);
            let _: fn(<$request as Request>::Response) -> $response = |response| response;
        };)*
    };
}

apis! {
    0 Produce: produce, ProduceRequest, ProduceResponse;
    1 Fetch: fetch, FetchRequest, FetchResponse;
    2 ListOffsets: list_offsets, ListOffsetsRequest, ListOffsetsResponse;
    3 Metadata: metadata, MetadataRequest, MetadataResponse;
    8 OffsetCommit: offset_commit, OffsetCommitRequest, OffsetCommitResponse;
    9 OffsetFetch: offset_fetch, OffsetFetchRequest, OffsetFetchResponse;
    10 FindCoordinator: find_coordinator, FindCoordinatorRequest, FindCoordinatorResponse;
    11 JoinGroup: join_group, JoinGroupRequest, JoinGroupResponse;
    12 Heartbeat: heartbeat, HeartbeatRequest, HeartbeatResponse;
    13 LeaveGroup: leave_group, LeaveGroupRequest, LeaveGroupResponse;
    14 SyncGroup: sync_group, SyncGroupRequest, SyncGroupResponse;
    15 DescribeGroups: describe_groups, DescribeGroupsRequest, DescribeGroupsResponse;
    16 ListGroups: list_groups, ListGroupsRequest, ListGroupsResponse;
    17 SaslHandshake: sasl_handshake, SaslHandshakeRequest, SaslHandshakeResponse;
    18 ApiVersions: api_versions, ApiVersionsRequest, ApiVersionsResponse;
    19 CreateTopics: create_topics, CreateTopicsRequest, CreateTopicsResponse;
    20 DeleteTopics: delete_topics, DeleteTopicsRequest, DeleteTopicsResponse;
    21 DeleteRecords: delete_records, DeleteRecordsRequest, DeleteRecordsResponse;
    22 InitProducerId: init_producer_id, InitProducerIdRequest, InitProducerIdResponse;
    23 OffsetForLeaderEpoch: offset_for_leader_epoch,
        OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse;
    24 AddPartitionsToTxn: add_partitions_to_txn,
        AddPartitionsToTxnRequest, AddPartitionsToTxnResponse;
    25 AddOffsetsToTxn: add_offsets_to_txn, AddOffsetsToTxnRequest, AddOffsetsToTxnResponse;
    26 EndTxn: end_txn, EndTxnRequest, EndTxnResponse;
    27 WriteTxnMarkers: write_txn_markers, WriteTxnMarkersRequest, WriteTxnMarkersResponse;
    28 TxnOffsetCommit: txn_offset_commit, TxnOffsetCommitRequest, TxnOffsetCommitResponse;
    29 DescribeAcls: describe_acls, DescribeAclsRequest, DescribeAclsResponse;
    30 CreateAcls: create_acls, CreateAclsRequest, CreateAclsResponse;
    31 DeleteAcls: delete_acls, DeleteAclsRequest, DeleteAclsResponse;
    32 DescribeConfigs: describe_configs, DescribeConfigsRequest, DescribeConfigsResponse;
    33 AlterConfigs: alter_configs, AlterConfigsRequest, AlterConfigsResponse;
    34 AlterReplicaLogDirs: alter_replica_log_dirs,
        AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse;
    35 DescribeLogDirs: describe_log_dirs, DescribeLogDirsRequest, DescribeLogDirsResponse;
    36 SaslAuthenticate: sasl_authenticate, SaslAuthenticateRequest, SaslAuthenticateResponse;
    37 CreatePartitions: create_partitions, CreatePartitionsRequest, CreatePartitionsResponse;
    38 CreateDelegationToken: create_delegation_token,
        CreateDelegationTokenRequest, CreateDelegationTokenResponse;
    39 RenewDelegationToken: renew_delegation_token,
        RenewDelegationTokenRequest, RenewDelegationTokenResponse;
    40 ExpireDelegationToken: expire_delegation_token,
        ExpireDelegationTokenRequest, ExpireDelegationTokenResponse;
    41 DescribeDelegationToken: describe_delegation_token,
        DescribeDelegationTokenRequest, DescribeDelegationTokenResponse;
    42 DeleteGroups: delete_groups, DeleteGroupsRequest, DeleteGroupsResponse;
    43 ElectLeaders: elect_leaders, ElectLeadersRequest, ElectLeadersResponse;
    44 IncrementalAlterConfigs: incremental_alter_configs,
        IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse;
    45 AlterPartitionReassignments: alter_partition_reassignments,
        AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse;
    46 ListPartitionReassignments: list_partition_reassignments,
        ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse;
    47 OffsetDelete: offset_delete, OffsetDeleteRequest, OffsetDeleteResponse;
    48 DescribeClientQuotas: describe_client_quotas,
        DescribeClientQuotasRequest, DescribeClientQuotasResponse;
    49 AlterClientQuotas: alter_client_quotas, AlterClientQuotasRequest, AlterClientQuotasResponse;
    50 DescribeUserScramCredentials: describe_user_scram_credentials,
        DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse;
    51 AlterUserScramCredentials: alter_user_scram_credentials,
        AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse;
    52 Vote: vote, VoteRequest, VoteResponse;
    53 BeginQuorumEpoch: begin_quorum_epoch, BeginQuorumEpochRequest, BeginQuorumEpochResponse;
    54 EndQuorumEpoch: end_quorum_epoch, EndQuorumEpochRequest, EndQuorumEpochResponse;
    55 DescribeQuorum: describe_quorum, DescribeQuorumRequest, DescribeQuorumResponse;
    56 AlterPartition: alter_partition, AlterPartitionRequest, AlterPartitionResponse;
    57 UpdateFeatures: update_features, UpdateFeaturesRequest, UpdateFeaturesResponse;
    58 Envelope: envelope, EnvelopeRequest, EnvelopeResponse;
    59 FetchSnapshot: fetch_snapshot, FetchSnapshotRequest, FetchSnapshotResponse;
    60 DescribeCluster: describe_cluster, DescribeClusterRequest, DescribeClusterResponse;
    61 DescribeProducers: describe_producers, DescribeProducersRequest, DescribeProducersResponse;
    62 BrokerRegistration: broker_registration,
        BrokerRegistrationRequest, BrokerRegistrationResponse;
    63 BrokerHeartbeat: broker_heartbeat, BrokerHeartbeatRequest, BrokerHeartbeatResponse;
    64 UnregisterBroker: unregister_broker, UnregisterBrokerRequest, UnregisterBrokerResponse;
    65 DescribeTransactions: describe_transactions,
        DescribeTransactionsRequest, DescribeTransactionsResponse;
    66 ListTransactions: list_transactions, ListTransactionsRequest, ListTransactionsResponse;
    67 AllocateProducerIds: allocate_producer_ids,
        AllocateProducerIdsRequest, AllocateProducerIdsResponse;
    68 ConsumerGroupHeartbeat: consumer_group_heartbeat,
        ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse;
    69 ConsumerGroupDescribe: consumer_group_describe,
        ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse;
    70 ControllerRegistration: controller_registration,
        ControllerRegistrationRequest, ControllerRegistrationResponse;
    71 GetTelemetrySubscriptions: get_telemetry_subscriptions,
        GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse;
    72 PushTelemetry: push_telemetry, PushTelemetryRequest, PushTelemetryResponse;
    73 AssignReplicasToDirs: assign_replicas_to_dirs,
        AssignReplicasToDirsRequest, AssignReplicasToDirsResponse;
    74 ListConfigResources: list_config_resources,
        ListConfigResourcesRequest, ListConfigResourcesResponse;
    75 DescribeTopicPartitions: describe_topic_partitions,
        DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse;
    76 ShareGroupHeartbeat: share_group_heartbeat,
        ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse;
    77 ShareGroupDescribe: share_group_describe,
        ShareGroupDescribeRequest, ShareGroupDescribeResponse;
    78 ShareFetch: share_fetch, ShareFetchRequest, ShareFetchResponse;
    79 ShareAcknowledge: share_acknowledge, ShareAcknowledgeRequest, ShareAcknowledgeResponse;
    80 AddRaftVoter: add_raft_voter, AddRaftVoterRequest, AddRaftVoterResponse;
    81 RemoveRaftVoter: remove_raft_voter, RemoveRaftVoterRequest, RemoveRaftVoterResponse;
    82 UpdateRaftVoter: update_raft_voter, UpdateRaftVoterRequest, UpdateRaftVoterResponse;
    83 InitializeShareGroupState: initialize_share_group_state,
        InitializeShareGroupStateRequest, InitializeShareGroupStateResponse;
    84 ReadShareGroupState: read_share_group_state,
        ReadShareGroupStateRequest, ReadShareGroupStateResponse;
    85 WriteShareGroupState: write_share_group_state,
        WriteShareGroupStateRequest, WriteShareGroupStateResponse;
    86 DeleteShareGroupState: delete_share_group_state,
        DeleteShareGroupStateRequest, DeleteShareGroupStateResponse;
    87 ReadShareGroupStateSummary: read_share_group_state_summary,
        ReadShareGroupStateSummaryRequest, ReadShareGroupStateSummaryResponse;
    88 StreamsGroupHeartbeat: streams_group_heartbeat,
        StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse;
    89 StreamsGroupDescribe: streams_group_describe,
        StreamsGroupDescribeRequest, StreamsGroupDescribeResponse;
    90 DescribeShareGroupOffsets: describe_share_group_offsets,
        DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse;
    91 AlterShareGroupOffsets: alter_share_group_offsets,
        AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse;
    92 DeleteShareGroupOffsets: delete_share_group_offsets,
        DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse;
    93 StreamsGroupTopologyDescriptionUpdate: streams_group_topology_description_update,
        StreamsGroupTopologyDescriptionUpdateRequest, StreamsGroupTopologyDescriptionUpdateResponse;
    94 UnregisterController: unregister_controller,
        UnregisterControllerRequest, UnregisterControllerResponse;
}

impl ApiKey {
    /// The number on the wire.
    #[inline]
    pub const fn number(self) -> i16 {
        self as i16
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
