//! One partition: appending to it, reading from it, asking for its offsets. Decides versions and what an error of the
//! leader means; never retries what may have been carried out.

use bytes::Bytes;
use sawlog_wire::ErrorCode;
use sawlog_wire::messages::fetch::{FetchPartition, FetchTopic};
use sawlog_wire::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use sawlog_wire::messages::produce::{PartitionProduceData, TopicProduceData};
use sawlog_wire::messages::{FetchRequest, ListOffsetsRequest, ProduceRequest};

use crate::client::Client;
use crate::error::{Error, Kind};
use crate::record::{self, Record, Stored};

/// The latest versions that name topics, not ids.
const BY_NAME: i16 = 12;
/// `fetch.max.wait.ms`.
const WAIT: i32 = 500;
/// `max.partition.fetch.bytes`.
const BYTES: i32 = 8 << 20;
/// How long a broker may take to gather acknowledgements.
const ACKS_WAIT: i32 = 30_000;

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

/// What one fetch brought.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Fetched {
    /// The records, in order; none if none came in time.
    pub records: Vec<Stored>,
    /// The offset to go on from.
    pub next: i64,
    /// The end of what readers may see.
    pub high_watermark: i64,
}

/// A partition of a topic.
#[derive(Clone, Debug)]
pub struct Partition {
    client: Client,
    topic: String,
    partition: i32,
}

impl Partition {
    pub(crate) fn new(client: Client, topic: &str, partition: i32) -> Partition {
        Partition {
            client,
            topic: topic.to_owned(),
            partition,
        }
    }

    fn name(&self) -> String {
        format!("{} partition {}", self.topic, self.partition)
    }

    /// What the leader says of the partition; one that is none is forgotten, so that the next call asks who is.
    async fn judge(&self, error: ErrorCode, said: Option<&str>) -> Result<(), Error> {
        if error.is_none() {
            return Ok(());
        }
        let refused = Error::refused(&self.name(), error, said);
        if refused.is_retriable() {
            self.client.forget(&self.topic).await;
        }
        Err(refused)
    }

    /// Appends records as one batch, with `acks=all`, and gives the offset of the first. Kafka: Produce. When dropped, or
    /// on an error whose outcome is unknown, the records may be there all the same.
    pub async fn append(&self, records: Vec<Record>) -> Result<i64, Error> {
        let batch = record::batch(&records)?;
        let data = PartitionProduceData {
            index: self.partition,
            records: Some(batch.into()),
            ..Default::default()
        };
        let topic = TopicProduceData {
            name: self.topic.clone(),
            partition_data: vec![data],
            ..Default::default()
        };
        let request = ProduceRequest {
            acks: -1,
            timeout_ms: ACKS_WAIT,
            topic_data: vec![topic],
            ..Default::default()
        };
        let leader = self.client.leader(&self.topic, self.partition).await?;
        let answer = leader.ask(request, BY_NAME).await?;
        let answer = answer
            .responses
            .into_iter()
            .next()
            .and_then(|topic| topic.partition_responses.into_iter().next());
        let answer = answer.ok_or_else(|| self.silent("Produce"))?;
        self.judge(answer.error_code, answer.error_message.as_deref())
            .await?;
        Ok(answer.base_offset)
    }

    /// Reads from an offset on, waiting half a second at most for the first record. Kafka: Fetch. Cancel safe.
    pub async fn fetch(&self, from: i64) -> Result<Fetched, Error> {
        let partition = FetchPartition {
            partition: self.partition,
            fetch_offset: from,
            partition_max_bytes: BYTES,
            ..Default::default()
        };
        let topic = FetchTopic {
            topic: self.topic.clone(),
            partitions: vec![partition],
            ..Default::default()
        };
        let request = FetchRequest {
            max_wait_ms: WAIT,
            min_bytes: 1,
            max_bytes: BYTES,
            topics: vec![topic],
            ..Default::default()
        };
        let leader = self.client.leader(&self.topic, self.partition).await?;
        let answer = leader.ask(request, BY_NAME).await?;
        self.judge(answer.error_code, None).await?;
        let answer = answer
            .responses
            .into_iter()
            .next()
            .and_then(|topic| topic.partitions.into_iter().next());
        let answer = answer.ok_or_else(|| self.silent("Fetch"))?;
        self.judge(answer.error_code, None).await?;
        let bytes = answer
            .records
            .map_or_else(Bytes::new, |all| all.into_bytes());
        let (records, next) = record::unpack(&bytes, from)?;
        Ok(Fetched {
            records,
            next,
            high_watermark: answer.high_watermark,
        })
    }

    /// The offset of a place. Kafka: ListOffsets. Cancel safe.
    pub async fn offset(&self, at: At) -> Result<i64, Error> {
        let timestamp = match at {
            At::Earliest => -2,
            At::Latest => -1,
            At::Time(time) => time,
        };
        let found = self.list(timestamp).await?;
        if found < 0 {
            self.list(-1).await
        } else {
            Ok(found)
        }
    }

    async fn list(&self, timestamp: i64) -> Result<i64, Error> {
        let partition = ListOffsetsPartition {
            partition_index: self.partition,
            timestamp,
            ..Default::default()
        };
        let topic = ListOffsetsTopic {
            name: self.topic.clone(),
            partitions: vec![partition],
            ..Default::default()
        };
        let request = ListOffsetsRequest {
            replica_id: -1,
            topics: vec![topic],
            ..Default::default()
        };
        let leader = self.client.leader(&self.topic, self.partition).await?;
        let answer = leader.ask(request, i16::MAX).await?;
        let answer = answer
            .topics
            .into_iter()
            .next()
            .and_then(|topic| topic.partitions.into_iter().next());
        let answer = answer.ok_or_else(|| self.silent("ListOffsets"))?;
        self.judge(answer.error_code, None).await?;
        Ok(answer.offset)
    }

    fn silent(&self, key: &str) -> Error {
        Error::new(
            Kind::Protocol,
            format!(
                "{}: the answer to {key} leaves the partition out",
                self.name()
            ),
        )
    }
}
