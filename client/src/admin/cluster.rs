//! The cluster: who is in it, and what each broker speaks.
//! Decides nothing but the shape of the calls: brokers come sorted by id, and no answer is kept.

use sawlog_engine::metadata::BrokerId;
use sawlog_engine::versions::Versions;
use sawlog_wire::messages::DescribeClusterRequest;

use super::result;
use crate::client::{Client, Lane};
use crate::error::Error;

/// A broker.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Broker {
    /// Its id.
    pub id: i32,
    /// Where it listens.
    pub host: String,
    /// And at which port.
    pub port: i32,
    /// Its rack, if it has one.
    pub rack: Option<String>,
}

/// A cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Cluster {
    /// Its id.
    pub id: String,
    /// Who takes requests for the controller, if anybody does.
    pub controller: Option<i32>,
    /// Its brokers, by id.
    pub brokers: Vec<Broker>,
}

impl Client {
    /// Who is in the cluster. Kafka: DescribeCluster. Cancel safe.
    pub async fn describe_cluster(&self) -> Result<Cluster, Error> {
        let request = DescribeClusterRequest::default();
        let answer = self.any().await?.ask(request, i16::MAX).await?;
        result(
            "DescribeCluster",
            answer.error_code,
            answer.error_message.as_deref(),
        )?;
        let broker =
            |told: sawlog_wire::messages::describe_cluster::DescribeClusterBroker| Broker {
                id: told.broker_id,
                host: told.host,
                port: told.port,
                rack: told.rack,
            };
        let mut brokers: Vec<Broker> = answer.brokers.into_iter().map(broker).collect();
        brokers.sort_by_key(|broker| broker.id);
        Ok(Cluster {
            id: answer.cluster_id,
            controller: (answer.controller_id >= 0).then_some(answer.controller_id),
            brokers,
        })
    }

    /// The API keys that a broker serves, and in which versions. Kafka: ApiVersions.
    pub async fn versions(&self, broker: i32) -> Result<Versions, Error> {
        let conn = self.broker(BrokerId(broker), Lane::Calls).await?;
        Ok(conn.versions().clone())
    }
}
