//! Key 35, DescribeLogDirs 1-5 (KIP-113, KIP-827, KIP-1066): how much each partition takes, and how much space is left.
//! Decides which partitions are told; each shard knows the sizes of its own. There is one directory.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use sawlog_wire::message::Message;
use sawlog_wire::messages::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use sawlog_wire::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use sawlog_wire::primitives::DecodeError;
use sawlog_wire::{Code, Reader};

use super::job::{Begun, Call, Job as AnyJob, bounded};
use crate::answer::Part;
use crate::file::Free;
use crate::ids::{LogId, ShardId};
use crate::map::{Map, Set};

/// Waits for all shards.
pub(super) struct Job {
    pub(super) response: DescribeLogDirsResponse,
    /// None asks for every partition.
    wanted: Option<Map<String, Set<i32>>>,
    told: Map<Arc<str>, Vec<DescribeLogDirsPartition>>,
    code: Code,
    space: Free,
    pub(super) left: usize,
}

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let bytes = body.left();
    let request = DescribeLogDirsRequest::decode(body, call.version)?;
    bounded(bytes, || {
        let topics = request.topics.iter().flatten();
        topics.map(|topic| 1 + topic.partitions.len()).sum()
    })?;
    let wanted = request.topics.map(|topics| {
        let mut wanted: Map<String, Set<i32>> = Map::new();
        for DescribableLogDirTopic {
            topic, partitions, ..
        } in topics
        {
            wanted.entry(topic).or_default().extend(partitions);
        }
        wanted
    });
    let shards = call.host.shards;
    for shard in 0..shards {
        call.ask_shard(ShardId(shard), u32::from(shard), Part::Sizes);
    }
    let job = Job {
        response: DescribeLogDirsResponse::default(),
        wanted,
        told: Map::new(),
        code: Code::None,
        space: Free::default(),
        left: usize::from(shards),
    };
    Ok(Begun::Job(AnyJob::DescribeLogDirs(Box::new(job))))
}

impl Job {
    pub(super) fn hear(
        &mut self,
        call: &Call<'_, '_>,
        code: Code,
        logs: &[(LogId, u64)],
        space: Free,
    ) {
        self.left -= 1;
        if code != Code::None {
            self.code = code;
        }
        if space.total > 0 {
            self.space = space;
        }
        for (log, size) in logs {
            let Some(topic) = call.host.image.topic_by_id(log.topic) else {
                continue;
            };
            let asked = |wanted: &Map<String, Set<i32>>| {
                let partitions = wanted.get(&*topic.name);
                partitions.is_some_and(|partitions| partitions.contains(&log.partition.0))
            };
            if !self.wanted.as_ref().is_none_or(asked) {
                continue;
            }
            let row = DescribeLogDirsPartition {
                partition_index: log.partition.0,
                partition_size: i64::try_from(*size).unwrap_or(i64::MAX),
                ..DescribeLogDirsPartition::default()
            };
            self.told.entry(topic.name.clone()).or_default().push(row);
        }
        if self.left == 0 {
            self.tell(call);
        }
    }

    fn tell(&mut self, call: &Call<'_, '_>) {
        let topics = core::mem::take(&mut self.told);
        let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        let row = |(name, mut partitions): (Arc<str>, Vec<DescribeLogDirsPartition>)| {
            partitions.sort_by_key(|partition| partition.partition_index);
            DescribeLogDirsTopic {
                name: name.to_string(),
                partitions,
                ..DescribeLogDirsTopic::default()
            }
        };
        self.response.results = Vec::from([DescribeLogDirsResult {
            error_code: self.code.into(),
            log_dir: call.host.config.log_dir.clone(),
            topics: topics.into_iter().map(row).collect(),
            total_bytes: bytes(self.space.total),
            usable_bytes: bytes(self.space.free),
            ..DescribeLogDirsResult::default()
        }]);
    }

    pub(super) fn rows(&self) -> usize {
        let wanted = self.wanted.iter().flatten();
        wanted.map(|(_, partitions)| 1 + partitions.len()).sum()
    }
}
