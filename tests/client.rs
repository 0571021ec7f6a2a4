//! A small blocking client that says exactly what a story wants said: requests, batches, and nothing by itself.
//! Decides versions and encodings; never retries, and never hides an error from the story.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use sawlog_wire::messages::create_topics::{CreatableTopic, CreatableTopicConfig};
use sawlog_wire::messages::fetch::{FetchPartition, FetchTopic};
use sawlog_wire::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use sawlog_wire::messages::produce::{PartitionProduceData, TopicProduceData};
use sawlog_wire::messages::{
    CreateTopicsRequest, DeleteTopicsRequest, FetchRequest, InitProducerIdRequest,
    ListOffsetsRequest, ProduceRequest,
};
use sawlog_wire::records::{BatchBuilder, Batches, Codec, NewRecord, Records};
use sawlog_wire::{ErrorCode, Message, Reader, Request, ResponseHeader, Writer, frame};

use crate::broker::PATIENCE;

const CREATE: i16 = 7;
const DELETE: i16 = 5;
const INIT: i16 = 4;
/// The latest that names topics, not ids.
const PRODUCE: i16 = 12;
const FETCH: i16 = 12;
const OFFSETS: i16 = 7;
/// No answer of these stories is longer.
const FRAME_MAX: usize = 64 << 20;
/// What one Fetch may bring.
const FETCH_BYTES: i32 = 4 << 20;

/// One connection; requests may be sent ahead of their answers.
#[derive(Debug)]
pub struct Connection {
    socket: TcpStream,
    next: i32,
    owed: VecDeque<i32>,
}

/// A partition of a topic.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Place {
    /// The topic's name.
    pub topic: String,
    /// The partition's index.
    pub partition: i32,
}

impl Place {
    /// The first partition of a topic, and most often the only one.
    pub fn first(topic: &str) -> Place {
        Place {
            topic: topic.to_owned(),
            partition: 0,
        }
    }
}

/// What an idempotent producer is known by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Its id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i16,
}

/// The answer to a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    /// What went wrong, if anything.
    pub error: ErrorCode,
    /// Where its first record lies.
    pub base: i64,
}

/// A record as it was read back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Its offset.
    pub offset: i64,
    /// Its value.
    pub value: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> Result<Connection> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Connection {
            socket,
            next: 0,
            owed: VecDeque::new(),
        })
    }

    /// Sends a request and does not wait.
    pub fn send<R: Request>(&mut self, version: i16, request: &R) -> Result<()> {
        let mut writer = Writer::new();
        self.next += 1;
        frame::request(&mut writer, version, self.next, Some("it"), request)?;
        self.owed.push_back(self.next);
        self.socket.write_all(&writer.finish().into_bytes())?;
        Ok(())
    }

    /// The answer to the oldest request that has none.
    pub fn receive<R: Request>(&mut self, version: i16) -> Result<R::Response> {
        let expected = self.owed.front().copied().context("nothing was asked")?;
        let mut prefix = [0; frame::PREFIX];
        self.socket.read_exact(&mut prefix)?;
        let mut body = vec![0; frame::length(prefix, FRAME_MAX)?];
        self.socket.read_exact(&mut body)?;
        let body = Bytes::from(body);
        let mut reader = Reader::of(&body);
        let header = ResponseHeader::decode(&mut reader, R::KEY, version)?;
        ensure!(
            header.correlation_id == expected,
            "an answer to request {} where that to {expected} was due",
            header.correlation_id
        );
        self.owed.pop_front();
        Ok(R::Response::decode_all(reader, version)?)
    }

    /// Requests without an answer.
    pub fn owed(&self) -> usize {
        self.owed.len()
    }

    fn ask<R: Request>(&mut self, version: i16, request: &R) -> Result<R::Response> {
        self.send(version, request)?;
        self.receive::<R>(version)
    }

    /// Creates a topic with one replica and these settings.
    pub fn create_topic(
        &mut self,
        name: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Result<()> {
        let configs = settings
            .iter()
            .map(|(key, value)| CreatableTopicConfig {
                name: (*key).to_owned(),
                value: Some((*value).to_owned()),
                ..Default::default()
            })
            .collect();
        let topic = CreatableTopic {
            name: name.to_owned(),
            num_partitions: partitions,
            replication_factor: 1,
            configs,
            ..Default::default()
        };
        let request = CreateTopicsRequest {
            topics: vec![topic],
            ..Default::default()
        };
        for result in self.ask(CREATE, &request)?.topics {
            let (error, why) = (result.error_code, result.error_message);
            ensure!(error.is_none(), "create {name}: {error:?} {why:?}");
        }
        Ok(())
    }

    /// Deletes a topic.
    pub fn delete_topic(&mut self, name: &str) -> Result<()> {
        let request = DeleteTopicsRequest {
            topic_names: vec![name.to_owned()],
            timeout_ms: 30_000,
            ..Default::default()
        };
        for result in self.ask(DELETE, &request)?.responses {
            let error = result.error_code;
            ensure!(error.is_none(), "delete {name}: {error:?}");
        }
        Ok(())
    }

    /// A producer id.
    pub fn identity(&mut self) -> Result<Identity> {
        let answer = self.ask(INIT, &InitProducerIdRequest::default())?;
        let error = answer.error_code;
        ensure!(error.is_none(), "InitProducerId: {error:?}");
        Ok(Identity {
            id: answer.producer_id,
            epoch: answer.producer_epoch,
        })
    }

    /// Sends a batch with `acks=all` and does not wait.
    pub fn send_batch(&mut self, place: &Place, batch: Bytes) -> Result<()> {
        let data = PartitionProduceData {
            index: place.partition,
            records: Some(batch.into()),
            ..Default::default()
        };
        let topic = TopicProduceData {
            name: place.topic.clone(),
            partition_data: vec![data],
            ..Default::default()
        };
        let request = ProduceRequest {
            acks: -1,
            timeout_ms: 30_000,
            topic_data: vec![topic],
            ..Default::default()
        };
        self.send(PRODUCE, &request)
    }

    /// The answer to the oldest batch that has none.
    pub fn answer(&mut self) -> Result<Answer> {
        let answer = self.receive::<ProduceRequest>(PRODUCE)?;
        let partition = answer
            .responses
            .first()
            .and_then(|topic| topic.partition_responses.first())
            .context("an answer about no partition")?;
        Ok(Answer {
            error: partition.error_code,
            base: partition.base_offset,
        })
    }

    /// Appends records as one batch without a producer id; where the first one lies.
    pub fn append(&mut self, place: &Place, values: &[&[u8]]) -> Result<i64> {
        self.send_batch(place, batch(None, 0, values)?)?;
        let Answer { error, base } = self.answer()?;
        ensure!(error.is_none(), "{place:?}: {error:?}");
        Ok(base)
    }

    /// The offset after the last record.
    pub fn end(&mut self, place: &Place) -> Result<i64> {
        let partition = ListOffsetsPartition {
            partition_index: place.partition,
            timestamp: -1,
            ..Default::default()
        };
        let topic = ListOffsetsTopic {
            name: place.topic.clone(),
            partitions: vec![partition],
            ..Default::default()
        };
        let request = ListOffsetsRequest {
            replica_id: -1,
            topics: vec![topic],
            ..Default::default()
        };
        let answer = self.ask(OFFSETS, &request)?;
        let partition = answer
            .topics
            .first()
            .and_then(|topic| topic.partitions.first())
            .context("an answer about no partition")?;
        let error = partition.error_code;
        ensure!(error.is_none(), "{place:?}: {error:?}");
        Ok(partition.offset)
    }

    /// What one Fetch from an offset brings: its error, and whole batches only.
    pub fn fetch(&mut self, place: &Place, from: i64) -> Result<(ErrorCode, Bytes)> {
        let partition = FetchPartition {
            partition: place.partition,
            fetch_offset: from,
            partition_max_bytes: FETCH_BYTES,
            ..Default::default()
        };
        let topic = FetchTopic {
            topic: place.topic.clone(),
            partitions: vec![partition],
            ..Default::default()
        };
        let request = FetchRequest {
            min_bytes: 0,
            max_bytes: FETCH_BYTES,
            topics: vec![topic],
            ..Default::default()
        };
        let answer = self.ask(FETCH, &request)?;
        ensure!(
            answer.error_code.is_none(),
            "Fetch: {:?}",
            answer.error_code
        );
        let partition = answer
            .responses
            .into_iter()
            .next()
            .and_then(|topic| topic.partitions.into_iter().next())
            .context("an answer about no partition")?;
        let records = partition
            .records
            .map_or_else(Bytes::new, |all| all.into_bytes());
        Ok((partition.error_code, records))
    }

    /// Every record of a partition, with the CRC of each batch checked and no offset left out.
    pub fn read_all(&mut self, place: &Place) -> Result<Vec<Stored>> {
        let end = self.end(place)?;
        let mut stored = Vec::new();
        let mut next = 0;
        while next < end {
            let (error, bytes) = self.fetch(place, next)?;
            ensure!(error.is_none(), "{place:?} from {next}: {error:?}");
            let before = next;
            for batch in Batches::new(&bytes) {
                let batch = batch?;
                let header = batch.header;
                batch.check_crc()?;
                if header.next_offset() <= next {
                    continue;
                }
                ensure!(
                    header.base_offset == next,
                    "{place:?}: offset {} follows {next}",
                    header.base_offset
                );
                for record in Records::new(batch.payload()) {
                    let record = record?;
                    stored.push(Stored {
                        offset: record.offset(&header),
                        value: record.value.unwrap_or_default().to_vec(),
                    });
                }
                next = header.next_offset();
            }
            if next == before {
                bail!("{place:?}: nothing at offset {next}, although the end is {end}");
            }
        }
        Ok(stored)
    }
}

/// A batch of these values, of a producer if one is named.
pub fn batch(producer: Option<Identity>, sequence: i32, values: &[&[u8]]) -> Result<Bytes> {
    let mut builder = BatchBuilder::new(Codec::None);
    if let Some(Identity { id, epoch }) = producer {
        builder = builder.producer(id, epoch, sequence);
    }
    for value in values {
        builder.push(NewRecord {
            timestamp: 1_700_000_000_000,
            value: Some(value),
            ..Default::default()
        })?;
    }
    Ok(builder.build()?.into())
}
