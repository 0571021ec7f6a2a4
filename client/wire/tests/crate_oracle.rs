//! Where the crate `kafka-protocol` knows a message and its version, it reads our bytes and writes
//! the same ones: an oracle in process, made from Kafka 4.1. It is never given hostile bytes, which
//! it does not bear.

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    messages,
    protocol::{Decodable, Encodable, Message},
};
use sawlog_wire::{random::Dice, registry};

/// Random values per message and version.
const TIMES: usize = 1_000;

struct Theirs {
    name: &'static str,
    versions: (i16, i16),
    recode: fn(&mut Bytes, i16) -> Result<BytesMut, String>,
}

fn theirs<M: Message + Decodable + Encodable>(name: &'static str) -> Theirs {
    Theirs {
        name,
        versions: (M::VERSIONS.min, M::VERSIONS.max),
        recode: |bytes, version| {
            let message = M::decode(bytes, version).map_err(|error| error.to_string())?;
            let mut written = BytesMut::new();
            message
                .encode(&mut written, version)
                .map_err(|error| error.to_string())?;
            Ok(written)
        },
    }
}

macro_rules! known {
    ($($name:ident),* $(,)?) => {
        &[$(|| theirs::<messages::$name>(stringify!($name))),*]
    };
}

/// All its requests and responses, and the consumer protocol; of our keys it lacks 88, 89, 93 and 94.
#[rustfmt::skip]
const KNOWN: &[fn() -> Theirs] = known![
    ProduceRequest, ProduceResponse, FetchRequest, FetchResponse, ListOffsetsRequest,
    ListOffsetsResponse, MetadataRequest, MetadataResponse, OffsetCommitRequest,
    OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse, FindCoordinatorRequest,
    FindCoordinatorResponse, JoinGroupRequest, JoinGroupResponse, HeartbeatRequest,
    HeartbeatResponse, LeaveGroupRequest, LeaveGroupResponse, SyncGroupRequest,
    SyncGroupResponse, DescribeGroupsRequest, DescribeGroupsResponse, ListGroupsRequest,
    ListGroupsResponse, SaslHandshakeRequest, SaslHandshakeResponse, ApiVersionsRequest,
    ApiVersionsResponse, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest,
    DeleteTopicsResponse, DeleteRecordsRequest, DeleteRecordsResponse, InitProducerIdRequest,
    InitProducerIdResponse, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, AddOffsetsToTxnRequest,
    AddOffsetsToTxnResponse, EndTxnRequest, EndTxnResponse, WriteTxnMarkersRequest,
    WriteTxnMarkersResponse, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
    DescribeAclsRequest, DescribeAclsResponse, CreateAclsRequest, CreateAclsResponse,
    DeleteAclsRequest, DeleteAclsResponse, DescribeConfigsRequest, DescribeConfigsResponse,
    AlterConfigsRequest, AlterConfigsResponse, AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse, DescribeLogDirsRequest, DescribeLogDirsResponse,
    SaslAuthenticateRequest, SaslAuthenticateResponse, CreatePartitionsRequest,
    CreatePartitionsResponse, CreateDelegationTokenRequest, CreateDelegationTokenResponse,
    RenewDelegationTokenRequest, RenewDelegationTokenResponse, ExpireDelegationTokenRequest,
    ExpireDelegationTokenResponse, DescribeDelegationTokenRequest,
    DescribeDelegationTokenResponse, DeleteGroupsRequest, DeleteGroupsResponse,
    ElectLeadersRequest, ElectLeadersResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse, ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse, OffsetDeleteRequest, OffsetDeleteResponse,
    DescribeClientQuotasRequest, DescribeClientQuotasResponse, AlterClientQuotasRequest,
    AlterClientQuotasResponse, DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse, AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse, VoteRequest, VoteResponse, BeginQuorumEpochRequest,
    BeginQuorumEpochResponse, EndQuorumEpochRequest, EndQuorumEpochResponse,
    DescribeQuorumRequest, DescribeQuorumResponse, AlterPartitionRequest,
    AlterPartitionResponse, UpdateFeaturesRequest, UpdateFeaturesResponse, EnvelopeRequest,
    EnvelopeResponse, FetchSnapshotRequest, FetchSnapshotResponse, DescribeClusterRequest,
    DescribeClusterResponse, DescribeProducersRequest, DescribeProducersResponse,
    BrokerRegistrationRequest, BrokerRegistrationResponse, BrokerHeartbeatRequest,
    BrokerHeartbeatResponse, UnregisterBrokerRequest, UnregisterBrokerResponse,
    DescribeTransactionsRequest, DescribeTransactionsResponse, ListTransactionsRequest,
    ListTransactionsResponse, AllocateProducerIdsRequest, AllocateProducerIdsResponse,
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse, ControllerRegistrationRequest,
    ControllerRegistrationResponse, GetTelemetrySubscriptionsRequest,
    GetTelemetrySubscriptionsResponse, PushTelemetryRequest, PushTelemetryResponse,
    AssignReplicasToDirsRequest, AssignReplicasToDirsResponse, ListConfigResourcesRequest,
    ListConfigResourcesResponse, DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse, ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse,
    ShareGroupDescribeRequest, ShareGroupDescribeResponse, ShareFetchRequest,
    ShareFetchResponse, ShareAcknowledgeRequest, ShareAcknowledgeResponse, AddRaftVoterRequest,
    AddRaftVoterResponse, RemoveRaftVoterRequest, RemoveRaftVoterResponse,
    UpdateRaftVoterRequest, UpdateRaftVoterResponse, InitializeShareGroupStateRequest,
    InitializeShareGroupStateResponse, ReadShareGroupStateRequest, ReadShareGroupStateResponse,
    WriteShareGroupStateRequest, WriteShareGroupStateResponse, DeleteShareGroupStateRequest,
    DeleteShareGroupStateResponse, ReadShareGroupStateSummaryRequest,
    ReadShareGroupStateSummaryResponse, DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsResponse, AlterShareGroupOffsetsRequest,
    AlterShareGroupOffsetsResponse, DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsResponse, ConsumerProtocolSubscription, ConsumerProtocolAssignment,
];

#[test]
fn the_crate_oracle_reads_and_writes_what_it_knows_as_we_do() {
    let mut dice = Dice::new(18);
    let mut judged = 0;
    for theirs in KNOWN.iter().map(|make| make()) {
        let ours = registry::all().find(|entry| entry.name == theirs.name);
        let ours = ours.unwrap_or_else(|| panic!("we lack {}", theirs.name));
        let (from, to) = theirs.versions;
        for version in ours
            .versions
            .iter()
            .filter(|version| (from..=to).contains(version))
        {
            for _ in 0..TIMES {
                let bytes = (ours.sample)(&mut dice, version);
                let mut rest = bytes.clone();
                let written = (theirs.recode)(&mut rest, version);
                let what = format!("{} version {version}: {bytes:02x?}", theirs.name);
                assert_eq!(written.as_deref(), Ok(&bytes[..]), "{what}");
                assert!(rest.is_empty(), "{what}");
                judged += 1;
            }
        }
    }
    assert!(judged > 50_000, "only {judged} values judged");
}
