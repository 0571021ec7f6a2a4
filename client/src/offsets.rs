//! Offsets by mark and by time, of many partitions at once, each asked of its leader. Decides how partitions are grouped
//! into requests, what is asked again and what stands for a place that has no record; one result per partition.

use std::collections::BTreeMap;
use std::sync::Arc;

use sawlog_engine::backoff::Backoff;
use sawlog_engine::metadata::BrokerId;
use sawlog_wire::Code;
use sawlog_wire::messages::ListOffsetsRequest;
use sawlog_wire::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use tokio::time::{Instant, sleep};

use crate::client::{Client, Lane, roll};
use crate::error::{Error, Kind};

/// A place in a partition that is not a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum At {
    /// The first record that is still there.
    Earliest,
    /// Behind the last record.
    Latest,
    /// The first record of this time or later, in milliseconds since 1970; behind the last one if there is none.
    Time(i64),
}

impl At {
    fn timestamp(self) -> i64 {
        match self {
            At::Earliest => -2,
            At::Latest => -1,
            At::Time(time) => time.max(0),
        }
    }
}

/// A partition of a topic, by name.
pub type Place = (Arc<str>, i32);

impl Client {
    /// The offset of a place in a partition. Kafka: ListOffsets. Cancel safe.
    pub async fn offset(&self, topic: &str, partition: i32, at: At) -> Result<i64, Error> {
        let place: Place = (topic.into(), partition);
        let mut found = self.offsets(&[(place.clone(), at)]).await;
        found.remove(&place).unwrap_or_else(|| Err(silent(&place)))
    }

    /// The offsets of places in many partitions: a result for each. What may be answered later, as where nobody leads at the
    /// moment, is asked again for as long as a call may take. Kafka: ListOffsets. Cancel safe.
    pub async fn offsets(&self, wanted: &[(Place, At)]) -> BTreeMap<Place, Result<i64, Error>> {
        let mut results = self.list_offsets(wanted.iter().cloned()).await;
        // Behind the last record, where none is that young.
        let behind = |(place, _): &&(Place, At)| matches!(results.get(place), Some(Ok(offset)) if *offset < 0);
        let young: Vec<_> = wanted
            .iter()
            .filter(behind)
            .map(|(place, _)| (place.clone(), At::Latest))
            .collect();
        if !young.is_empty() {
            results.extend(self.list_offsets(young.into_iter()).await);
        }
        results
    }

    async fn list_offsets(
        &self,
        wanted: impl Iterator<Item = (Place, At)>,
    ) -> BTreeMap<Place, Result<i64, Error>> {
        let (begun, mut backoff) = (Instant::now(), Backoff::default());
        let mut results = BTreeMap::new();
        let mut left: Vec<(Place, At)> = wanted.collect();
        loop {
            left = self.list_offsets_once(left, &mut results).await;
            let wait = backoff.failed(roll());
            if left.is_empty() || begun.elapsed() + wait >= self.limit() {
                return results;
            }
            sleep(wait).await;
        }
    }

    /// Asks once. What may have another answer later is given back; its answer so far is among the results too.
    async fn list_offsets_once(
        &self,
        wanted: Vec<(Place, At)>,
        results: &mut BTreeMap<Place, Result<i64, Error>>,
    ) -> Vec<(Place, At)> {
        let mut again = Vec::new();
        let mut by_leader: BTreeMap<BrokerId, Vec<(Place, At)>> = BTreeMap::new();
        let places: Vec<&Place> = wanted.iter().map(|(place, _)| place).collect();
        let leaders = self.leaders(&places).await;
        for (place, at) in wanted {
            match leaders
                .get(&place)
                .cloned()
                .unwrap_or_else(|| Err(silent(&place)))
            {
                Ok(leader) => by_leader.entry(leader).or_default().push((place, at)),
                Err(error) => {
                    // Any other error was tried again already for as long as it may be.
                    if error.code() == Some(Code::LeaderNotAvailable) {
                        self.forget(&place.0).await;
                        again.push((place.clone(), at));
                    }
                    results.insert(place, Err(error));
                }
            }
        }
        for (leader, wanted) in by_leader {
            let answered = self.list_offsets_of(leader, &wanted).await;
            for (place, at) in wanted {
                let result = match &answered {
                    Ok(answered) => answered
                        .get(&place)
                        .cloned()
                        .unwrap_or_else(|| Err(silent(&place))),
                    Err(error) => Err(error.clone()),
                };
                if result.as_ref().is_err_and(Error::is_retriable) {
                    self.forget(&place.0).await;
                    again.push((place.clone(), at));
                }
                results.insert(place, result);
            }
        }
        again
    }

    async fn list_offsets_of(
        &self,
        leader: BrokerId,
        wanted: &[(Place, At)],
    ) -> Result<BTreeMap<Place, Result<i64, Error>>, Error> {
        let mut topics: BTreeMap<&str, Vec<ListOffsetsPartition>> = BTreeMap::new();
        for ((topic, partition), at) in wanted {
            topics.entry(topic).or_default().push(ListOffsetsPartition {
                partition_index: *partition,
                timestamp: at.timestamp(),
                ..Default::default()
            });
        }
        let topic = |(name, partitions): (&str, _)| ListOffsetsTopic {
            name: name.to_owned(),
            partitions,
            ..Default::default()
        };
        let request = ListOffsetsRequest {
            replica_id: -1,
            topics: topics.into_iter().map(topic).collect(),
            timeout_ms: i32::try_from(self.request_timeout().as_millis()).unwrap_or(i32::MAX),
            ..Default::default()
        };
        let answer = self
            .broker(leader, Lane::Calls)
            .await?
            .ask(request, i16::MAX)
            .await?;
        let mut results = BTreeMap::new();
        for topic in answer.topics {
            let name: Arc<str> = topic.name.into();
            for told in topic.partitions {
                let place = (name.clone(), told.partition_index);
                let result = match told.error_code.is_none() {
                    true => Ok(told.offset),
                    false => Err(Error::refused(&said(&place), told.error_code, None)),
                };
                results.insert(place, result);
            }
        }
        Ok(results)
    }
}

pub(crate) fn said((topic, partition): &Place) -> String {
    format!("{topic} partition {partition}")
}

fn silent(place: &Place) -> Error {
    let text = format!("{}: the answer leaves the partition out", said(place));
    Error::new(Kind::Protocol, text)
}
