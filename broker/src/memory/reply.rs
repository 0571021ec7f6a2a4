//! Answers that a connection gives by itself, out of what it knows of the cluster: no shard is asked, so that a fault changes
//! what was written. Decides where the error stands in each; everything else is answered by parts (`refusal`).

use bytes::Bytes;
use sawlog_wire::header::ResponseHeader;
use sawlog_wire::message::Message;
use sawlog_wire::messages::{
    ApiKey, ApiVersionsResponse, DescribeClusterResponse, DescribeConfigsResponse,
    DescribeQuorumResponse, DescribeTopicPartitionsResponse, FindCoordinatorResponse,
    ListConfigResourcesResponse, MetadataResponse,
};
use sawlog_wire::{Code, ErrorCode, Reader, Writer, frame};

use super::refusal::MESSAGE;

/// `ConfigResource.Type` of a topic.
const TOPIC: i8 = 2;

/// Such an answer.
#[derive(Debug)]
pub(super) struct Reply {
    correlation: i32,
    body: Body,
}

/// One line for each of them.
macro_rules! bodies {
    ($($key:ident $response:ident;)*) => {
        #[derive(Debug)]
        enum Body {
            $($key(Box<$response>),)*
        }

        fn is_read(key: ApiKey) -> bool {
            matches!(key, $(ApiKey::$key)|*)
        }

        fn read(key: ApiKey, version: i16, reader: Reader<'_>) -> Option<Body> {
            match key {
                $(ApiKey::$key => {
                    let body = $response::decode_all(reader, version).ok()?;
                    Some(Body::$key(Box::new(body)))
                })*
                _ => None,
            }
        }

        fn write(body: &Body, key: ApiKey, version: i16, correlation: i32) -> Option<Bytes> {
            let mut writer = Writer::new();
            match body {
                $(Body::$key(body) => {
                    frame::response(&mut writer, key, version, correlation, &**body).ok()?;
                })*
            }
            Some(writer.finish().into_bytes())
        }
    };
}

bodies! {
    Metadata MetadataResponse;
    FindCoordinator FindCoordinatorResponse;
    ApiVersions ApiVersionsResponse;
    DescribeConfigs DescribeConfigsResponse;
    DescribeCluster DescribeClusterResponse;
    DescribeTopicPartitions DescribeTopicPartitionsResponse;
    DescribeQuorum DescribeQuorumResponse;
    ListConfigResources ListConfigResourcesResponse;
}

impl Reply {
    /// Reads what was written, a whole frame; none of another kind, or if there is nothing.
    pub(super) fn read(key: ApiKey, version: i16, written: &[Bytes]) -> Option<Reply> {
        if !is_read(key) {
            return None;
        }
        let whole = written.concat();
        let mut reader = Reader::new(whole.get(frame::PREFIX..)?);
        let header = ResponseHeader::decode(&mut reader, key, version).ok()?;
        Some(Reply {
            correlation: header.correlation_id,
            body: read(key, version, reader)?,
        })
    }

    /// Writes it again.
    pub(super) fn write(&self, key: ApiKey, version: i16) -> Option<Bytes> {
        write(&self.body, key, version, self.correlation)
    }

    /// The topics that it tells of.
    pub(super) fn topics(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match &self.body {
            Body::Metadata(answer) => {
                Box::new(answer.topics.iter().filter_map(|row| row.name.as_deref()))
            }
            Body::DescribeTopicPartitions(answer) => {
                Box::new(answer.topics.iter().filter_map(|row| row.name.as_deref()))
            }
            Body::DescribeConfigs(answer) => {
                let topics = answer
                    .results
                    .iter()
                    .filter(|row| row.resource_type == TOPIC);
                Box::new(topics.map(|row| row.resource_name.as_str()))
            }
            _ => Box::new(std::iter::empty()),
        }
    }

    /// Says that it failed: of these topics, and of all there is if `whole`.
    pub(super) fn fail(&mut self, code: Code, means: impl Fn(&str) -> bool, whole: bool) {
        let (error, said) = (ErrorCode::from(code), Some(MESSAGE.to_owned()));
        match &mut self.body {
            Body::Metadata(answer) => {
                if whole {
                    answer.error_code = error;
                }
                for row in &mut answer.topics {
                    if row.name.as_deref().is_none_or(&means) {
                        row.error_code = error;
                        row.partitions.clear();
                    }
                }
            }
            Body::DescribeTopicPartitions(answer) => {
                for row in &mut answer.topics {
                    if row.name.as_deref().is_none_or(&means) {
                        row.error_code = error;
                        row.partitions.clear();
                    }
                }
            }
            Body::DescribeConfigs(answer) => {
                for row in &mut answer.results {
                    if whole || row.resource_type == TOPIC && means(&row.resource_name) {
                        (row.error_code, row.error_message) = (error, said.clone());
                        row.configs.clear();
                    }
                }
            }
            Body::FindCoordinator(answer) => {
                // Versions that have rows have no other place for it.
                if answer.coordinators.is_empty() {
                    (answer.error_code, answer.error_message) = (error, said.clone());
                }
                for row in &mut answer.coordinators {
                    (row.error_code, row.error_message) = (error, said.clone());
                }
            }
            Body::ApiVersions(answer) => answer.error_code = error,
            Body::DescribeCluster(answer) => {
                (answer.error_code, answer.error_message) = (error, said);
                answer.brokers.clear();
            }
            Body::DescribeQuorum(answer) => {
                (answer.error_code, answer.error_message) = (error, said);
                answer.topics.clear();
            }
            Body::ListConfigResources(answer) => {
                answer.error_code = error;
                answer.config_resources.clear();
            }
        }
    }
}
