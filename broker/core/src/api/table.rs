//! One row for every API key that is served: versions, listeners, and who splits its requests.
//! Decides what is offered and what is refused; ApiVersions, dispatch and the reference are read from here.

use sawlog_wire::Reader;
use sawlog_wire::layout::Versions;
use sawlog_wire::messages::ApiKey;
use sawlog_wire::primitives::DecodeError;

use super::job::{Begun, Call};
use super::{
    alter_configs, api_versions, create_partitions, create_topics, delete_records, delete_topics,
    describe_cluster, describe_configs, describe_log_dirs, describe_producers, describe_quorum,
    describe_topic_partitions, fetch, find_coordinator, incremental_alter_configs,
    init_producer_id, list_config_resources, list_offsets, metadata, offset_for_leader_epoch,
    produce,
};

/// For whom a listener is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Audience {
    /// Clients.
    Clients,
    /// Controllers, and tools that ask them.
    Controllers,
}

/// What is known of one API key.
pub struct Row {
    /// Which.
    pub key: ApiKey,
    /// The versions that are answered.
    pub served: Versions,
    /// The versions that ApiVersions lists: wider than `served` where clients decide by versions they never send.
    pub listed: Versions,
    /// The listeners on which it is.
    pub audiences: &'static [Audience],
    pub(super) split: Split,
}

/// Reads a request's body, asks its parts, and returns what waits for the answers.
pub(super) type Split = fn(&mut Call<'_, '_>, &mut Reader<'_>) -> Result<Begun, DecodeError>;

const CLIENTS: &[Audience] = &[Audience::Clients];
const BOTH: &[Audience] = &[Audience::Clients, Audience::Controllers];

const fn row(key: ApiKey, from: i16, to: i16, split: Split) -> Row {
    let served = Versions { from, to };
    Row {
        key,
        served,
        listed: served,
        audiences: CLIENTS,
        split,
    }
}

const fn listed_from(from: i16, mut row: Row) -> Row {
    row.listed.from = from;
    row
}

/// Also for tools that ask the quorum where its controllers listen (KIP-919).
const fn anywhere(mut row: Row) -> Row {
    row.audiences = BOTH;
    row
}

/// Every key that is served, by number.
pub const ROWS: &[Row] = &[
    // librdkafka before 2.11.1 stops compressing where Produce 0 is not in the range (KAFKA-18659, gotcha 3).
    listed_from(0, row(ApiKey::Produce, 3, 13, produce::split)),
    row(ApiKey::Fetch, 4, 18, fetch::split),
    row(ApiKey::ListOffsets, 1, 11, list_offsets::split),
    row(ApiKey::Metadata, 0, 13, metadata::split),
    // Offered before there are groups: librdkafka uses LZ4 only where FindCoordinator 0 is in the range (gotcha 3).
    row(ApiKey::FindCoordinator, 0, 6, find_coordinator::split),
    anywhere(row(ApiKey::ApiVersions, 0, 5, api_versions::split)),
    anywhere(row(ApiKey::CreateTopics, 2, 7, create_topics::split)),
    anywhere(row(ApiKey::DeleteTopics, 1, 6, delete_topics::split)),
    row(ApiKey::DeleteRecords, 0, 2, delete_records::split),
    row(ApiKey::InitProducerId, 0, 5, init_producer_id::split),
    row(
        ApiKey::OffsetForLeaderEpoch,
        2,
        4,
        offset_for_leader_epoch::split,
    ),
    anywhere(row(ApiKey::DescribeConfigs, 1, 4, describe_configs::split)),
    anywhere(row(ApiKey::AlterConfigs, 0, 2, alter_configs::split)),
    row(ApiKey::DescribeLogDirs, 1, 5, describe_log_dirs::split),
    anywhere(row(
        ApiKey::CreatePartitions,
        0,
        3,
        create_partitions::split,
    )),
    anywhere(row(
        ApiKey::IncrementalAlterConfigs,
        0,
        1,
        incremental_alter_configs::split,
    )),
    anywhere(row(ApiKey::DescribeQuorum, 0, 2, describe_quorum::split)),
    anywhere(row(ApiKey::DescribeCluster, 0, 2, describe_cluster::split)),
    row(ApiKey::DescribeProducers, 0, 0, describe_producers::split),
    row(
        ApiKey::ListConfigResources,
        0,
        1,
        list_config_resources::split,
    ),
    row(
        ApiKey::DescribeTopicPartitions,
        0,
        0,
        describe_topic_partitions::split,
    ),
];

/// The row of a key on a listener.
pub fn find(number: i16, audience: Audience) -> Option<&'static Row> {
    ROWS.iter()
        .find(|row| row.key.number() == number && row.audiences.contains(&audience))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_by_number_and_serve_only_versions_that_exist() {
        assert!(ROWS.is_sorted_by_key(|row| row.key.number()));
        for row in ROWS {
            let exist = row.key.versions();
            assert!(
                exist.contains(row.served.from) && exist.contains(row.served.to),
                "{}",
                row.key
            );
            assert!(
                row.listed.from <= row.served.from && row.listed.to == row.served.to,
                "{}",
                row.key
            );
        }
    }

    #[test]
    fn gotcha_03_ranges_hold_the_versions_by_which_librdkafka_judges_a_broker() {
        let listed = |key: ApiKey| find(key.number(), Audience::Clients).unwrap().listed;
        for (key, versions) in [
            (ApiKey::Produce, &[0, 3, 7, 13][..]),
            (ApiKey::Fetch, &[4, 10]),
            (ApiKey::ListOffsets, &[1]),
            (ApiKey::Metadata, &[0, 3]),
            (ApiKey::FindCoordinator, &[0, 6]),
            (ApiKey::ApiVersions, &[0, 3]),
            (ApiKey::InitProducerId, &[0]),
        ] {
            for version in versions {
                assert!(listed(key).contains(*version), "{key} {version}");
            }
        }
        assert_eq!(find(0, Audience::Clients).unwrap().served.from, 3);
    }
}
