//! Records of `__consumer_offsets`: committed offsets, and groups of every kind.
//!
//! Decides which numbers they have; their fields are declared in the files of this folder, and what
//! a group does with them is not known here.

pub mod classic;
pub mod consumer;
pub mod offsets;
pub mod share;
pub mod streams;

coordinator_records! {
    "__consumer_offsets",
    /// Any record of `__consumer_offsets`.
    GroupRecord,
    /// The type of a record of `__consumer_offsets`.
    GroupRecordType:
    0 LegacyOffsetCommit(LegacyOffsetCommitKey, LegacyOffsetCommitValue) in offsets;
    1 OffsetCommit(OffsetCommitKey, OffsetCommitValue) in offsets;
    2 GroupMetadata(GroupMetadataKey, GroupMetadataValue) in classic;
    3 ConsumerGroupMetadata(ConsumerGroupMetadataKey, ConsumerGroupMetadataValue) in consumer;
    4 ConsumerGroupPartitionMetadata(ConsumerGroupPartitionMetadataKey, ConsumerGroupPartitionMetadataValue) in consumer;
    5 ConsumerGroupMemberMetadata(ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue) in consumer;
    6 ConsumerGroupTargetAssignmentMetadata(ConsumerGroupTargetAssignmentMetadataKey, ConsumerGroupTargetAssignmentMetadataValue) in consumer;
    7 ConsumerGroupTargetAssignmentMember(ConsumerGroupTargetAssignmentMemberKey, ConsumerGroupTargetAssignmentMemberValue) in consumer;
    8 ConsumerGroupCurrentMemberAssignment(ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue) in consumer;
    10 ShareGroupMemberMetadata(ShareGroupMemberMetadataKey, ShareGroupMemberMetadataValue) in share;
    11 ShareGroupMetadata(ShareGroupMetadataKey, ShareGroupMetadataValue) in share;
    12 ShareGroupTargetAssignmentMetadata(ShareGroupTargetAssignmentMetadataKey, ShareGroupTargetAssignmentMetadataValue) in share;
    13 ShareGroupTargetAssignmentMember(ShareGroupTargetAssignmentMemberKey, ShareGroupTargetAssignmentMemberValue) in share;
    14 ShareGroupCurrentMemberAssignment(ShareGroupCurrentMemberAssignmentKey, ShareGroupCurrentMemberAssignmentValue) in share;
    15 ShareGroupStatePartitionMetadata(ShareGroupStatePartitionMetadataKey, ShareGroupStatePartitionMetadataValue) in share;
    16 ConsumerGroupRegularExpression(ConsumerGroupRegularExpressionKey, ConsumerGroupRegularExpressionValue) in consumer;
    17 StreamsGroupMetadata(StreamsGroupMetadataKey, StreamsGroupMetadataValue) in streams;
    19 StreamsGroupMemberMetadata(StreamsGroupMemberMetadataKey, StreamsGroupMemberMetadataValue) in streams;
    20 StreamsGroupTargetAssignmentMetadata(StreamsGroupTargetAssignmentMetadataKey, StreamsGroupTargetAssignmentMetadataValue) in streams;
    21 StreamsGroupTargetAssignmentMember(StreamsGroupTargetAssignmentMemberKey, StreamsGroupTargetAssignmentMemberValue) in streams;
    22 StreamsGroupCurrentMemberAssignment(StreamsGroupCurrentMemberAssignmentKey, StreamsGroupCurrentMemberAssignmentValue) in streams;
    23 StreamsGroupTopology(StreamsGroupTopologyKey, StreamsGroupTopologyValue) in streams;
}
