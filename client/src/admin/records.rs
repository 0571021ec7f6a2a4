//! What lies in partitions: records trimmed away from the front, and bytes on disk. Decides how partitions are grouped into
//! requests; one result per partition.

use std::collections::BTreeMap;
use std::sync::Arc;

use sawlog_engine::metadata::BrokerId;
use sawlog_wire::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsTopic};
use sawlog_wire::messages::{DeleteRecordsRequest, DescribeLogDirsRequest};

use crate::client::{Client, Lane};
use crate::error::Error;
use crate::offsets::{Place, said};

/// A replica in a log directory.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct DirPartition {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Bytes on disk.
    pub bytes: i64,
}

/// A log directory of a broker.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LogDir {
    /// Whose.
    pub broker: i32,
    /// Where.
    pub path: String,
    /// Of its file system; `None` from a broker too old to say.
    pub total_bytes: Option<i64>,
    /// Free there.
    pub usable_bytes: Option<i64>,
    /// What lies there.
    pub partitions: Vec<DirPartition>,
}

impl Client {
    /// Deletes the records before these offsets; -1 means all. The first offset that is left, for each. Kafka:
    /// DeleteRecords. When dropped, they may be deleted all the same.
    pub async fn delete_records(
        &self,
        before: &[(Place, i64)],
    ) -> BTreeMap<Place, Result<i64, Error>> {
        let mut results = BTreeMap::new();
        let mut by_leader: BTreeMap<BrokerId, BTreeMap<Arc<str>, Vec<DeleteRecordsPartition>>> =
            BTreeMap::new();
        let places: Vec<&Place> = before.iter().map(|(place, _)| place).collect();
        let leaders = self.leaders(&places).await;
        for (place, offset) in before {
            match leaders.get(place) {
                Some(Ok(leader)) => by_leader
                    .entry(*leader)
                    .or_default()
                    .entry(place.0.clone())
                    .or_default()
                    .push(DeleteRecordsPartition {
                        partition_index: place.1,
                        offset: *offset,
                        ..Default::default()
                    }),
                Some(Err(error)) => drop(results.insert(place.clone(), Err(error.clone()))),
                None => {}
            }
        }
        for (leader, topics) in by_leader {
            let places: Vec<Place> = topics
                .iter()
                .flat_map(|(topic, partitions)| {
                    partitions
                        .iter()
                        .map(|part| (topic.clone(), part.partition_index))
                })
                .collect();
            let topic = |(name, partitions): (Arc<str>, _)| DeleteRecordsTopic {
                name: name.to_string(),
                partitions,
                ..Default::default()
            };
            let request = DeleteRecordsRequest {
                topics: topics.into_iter().map(topic).collect(),
                timeout_ms: i32::try_from(self.request_timeout().as_millis()).unwrap_or(i32::MAX),
                ..Default::default()
            };
            let asked = async {
                self.broker(leader, Lane::Calls)
                    .await?
                    .ask(request, i16::MAX)
                    .await
            };
            match asked.await {
                Ok(answer) => {
                    for topic in answer.topics {
                        let name: Arc<str> = topic.name.into();
                        for told in topic.partitions {
                            let place = (name.clone(), told.partition_index);
                            let result = match told.error_code.is_none() {
                                true => Ok(told.low_watermark),
                                false => Err(Error::refused(&said(&place), told.error_code, None)),
                            };
                            results.insert(place, result);
                        }
                    }
                }
                Err(error) => {
                    results.extend(places.into_iter().map(|place| (place, Err(error.clone()))))
                }
            }
        }
        results
    }

    /// The log directories of all brokers and what lies in them: of these topics, or of all. Kafka: DescribeLogDirs.
    /// Cancel safe.
    pub async fn log_dirs(&self, topics: Option<&[&str]>) -> Result<Vec<LogDir>, Error> {
        let known = self.metadata(topics).await?;
        let mut dirs = Vec::new();
        for id in known.brokers.keys() {
            let request = DescribeLogDirsRequest::default();
            let answer = self
                .broker(*id, Lane::Calls)
                .await?
                .ask(request, i16::MAX)
                .await?;
            let named = |name: &str| topics.is_none_or(|topics| topics.contains(&name));
            for told in answer.results {
                if !told.error_code.is_none() {
                    return Err(Error::refused(&told.log_dir, told.error_code, None));
                }
                let mut partitions = Vec::new();
                for topic in told.topics.into_iter().filter(|topic| named(&topic.name)) {
                    partitions.extend(topic.partitions.iter().map(|part| DirPartition {
                        topic: topic.name.clone(),
                        partition: part.partition_index,
                        bytes: part.partition_size,
                    }));
                }
                let known = |bytes: i64| (bytes >= 0).then_some(bytes);
                dirs.push(LogDir {
                    broker: id.0,
                    path: told.log_dir,
                    total_bytes: known(told.total_bytes),
                    usable_bytes: known(told.usable_bytes),
                    partitions,
                });
            }
        }
        Ok(dirs)
    }
}
