//! One partition's row in the answer to a Fetch, in the words of a version: records as they lie in the log, an error, or who
//! leads now (KIP-951). Decides what an old version cannot be told (KIP-110); never what is read (`fetch`).

use alloc::vec::Vec;

use sawlog_wire::messages::FetchResponse;
use sawlog_wire::messages::fetch::{EpochEndOffset, LeaderIdAndEpoch, NodeEndpoint, PartitionData};
use sawlog_wire::records::{Batches, Codec};
use sawlog_wire::{Code, Pieces};

use super::hints;
use super::job::Call;
use crate::answer::{FetchAnswer, Isolation};
use crate::ids::{LeaderEpoch, LogId, Offset};

/// A partition of which nothing is known, or nothing is told.
pub(super) fn nothing(index: i32, code: Option<Code>) -> PartitionData {
    PartitionData {
        partition_index: index,
        error_code: code.unwrap_or(Code::None).into(),
        high_watermark: -1,
        aborted_transactions: Some(Vec::new()),
        records: Some(Pieces::new()),
        ..PartitionData::default()
    }
}

/// What a log answered, in the words of a version.
pub(super) fn told(
    index: i32,
    answer: FetchAnswer,
    isolation: Isolation,
    version: i16,
) -> PartitionData {
    if answer.code != Code::None {
        return nothing(index, Some(answer.code));
    }
    let marks = PartitionData {
        partition_index: index,
        high_watermark: answer.hw.0,
        last_stable_offset: answer.stable.0,
        log_start_offset: answer.start.0,
        // Sorted by first offset, and there are no transactions yet (gotcha 14).
        aborted_transactions: (isolation == Isolation::ReadCommitted).then(Vec::new),
        ..PartitionData::default()
    };
    if let Some((LeaderEpoch(epoch), Offset(end_offset))) = answer.diverging {
        let diverging_epoch = EpochEndOffset {
            epoch,
            end_offset,
            ..EpochEndOffset::default()
        };
        return PartitionData {
            diverging_epoch,
            records: Some(Pieces::new()),
            ..marks
        };
    }
    if version >= 10 {
        return PartitionData {
            records: Some(answer.records.into_iter().collect()),
            ..marks
        };
    }
    // KIP-110: a reader that old cannot read zstd. It gets what stands before, and the error when that is nothing.
    let mut readable = Pieces::new();
    for bytes in answer.records {
        let plain: usize = Batches::new(&bytes)
            .map_while(Result::ok)
            .take_while(|batch| {
                !batch
                    .header
                    .attributes()
                    .is_ok_and(|attributes| attributes.codec == Codec::Zstd)
            })
            .map(|batch| batch.bytes.len())
            .sum();
        let whole = plain == bytes.len();
        readable.push(bytes.slice(..plain.min(bytes.len())));
        if !whole {
            let none = readable.is_empty();
            let code = if none {
                Code::UnsupportedCompressionType
            } else {
                Code::None
            };
            return PartitionData {
                error_code: code.into(),
                records: Some(readable),
                ..marks
            };
        }
    }
    PartitionData {
        records: Some(readable),
        ..marks
    }
}

/// Says who leads now, if that is known (KIP-951).
pub(super) fn point(
    response: &mut FetchResponse,
    call: &Call<'_, '_>,
    (topic, partition): (usize, usize),
    log: LogId,
) {
    let Some(leads) = hints::leader(call.host.image, call.door, log) else {
        return;
    };
    let row = response
        .responses
        .get_mut(topic)
        .and_then(|topic| topic.partitions.get_mut(partition));
    if let Some(row) = row {
        row.current_leader = LeaderIdAndEpoch {
            leader_id: leads.broker.0,
            leader_epoch: leads.epoch.0,
            ..LeaderIdAndEpoch::default()
        };
    }
    let known = response
        .node_endpoints
        .iter()
        .any(|node| node.node_id == leads.broker.0);
    if let Some((endpoint, broker)) = leads.at
        && !known
    {
        response.node_endpoints.push(NodeEndpoint {
            node_id: leads.broker.0,
            host: endpoint.host.clone(),
            port: i32::from(endpoint.port),
            rack: broker.rack.clone(),
            ..NodeEndpoint::default()
        });
    }
}
