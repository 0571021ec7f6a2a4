//! The handle that everything comes from: bootstrap addresses, one connection per broker, what is known of the cluster.
//! Decides which broker is asked and when to try again; never what is asked.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use sawlog_engine::backoff::Backoff;
use sawlog_engine::connection::Settings;
use sawlog_engine::metadata::{BrokerId, Metadata};
use sawlog_engine::time::Mono;
use sawlog_wire::messages::MetadataRequest;
use sawlog_wire::messages::metadata::MetadataRequestTopic;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::conn::Conn;
use crate::error::{Error, Kind};
use crate::partition::Partition;

/// How a client is made.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `connect`"]
pub struct Builder {
    bootstrap: Vec<String>,
    settings: Settings,
    /// `default.api.timeout.ms`: a call, with all its attempts.
    limit: Duration,
}

impl Builder {
    /// `client.id`: what brokers call this client in their logs.
    pub fn client_id(mut self, id: &str) -> Builder {
        self.settings.client_id = id.to_owned();
        self
    }

    /// `request.timeout.ms`: one request and its answer.
    pub fn request_timeout(mut self, limit: Duration) -> Builder {
        self.settings.request_timeout = limit;
        self
    }

    /// `default.api.timeout.ms`: a call, with all its attempts.
    pub fn call_timeout(mut self, limit: Duration) -> Builder {
        self.limit = limit;
        self
    }

    /// Connects to the first address that answers, and asks it about the cluster. Errors: [`Kind::Invalid`] for an address
    /// that is none, [`Kind::Unreachable`] when none answered in time.
    pub async fn connect(self) -> Result<Client, Error> {
        let well_formed = |address: &String| {
            address
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        };
        if let Some(bad) = self.bootstrap.iter().find(|address| !well_formed(address)) {
            return Err(Error::new(
                Kind::Invalid,
                format!("{bad:?} is no HOST:PORT"),
            ));
        }
        if self.bootstrap.is_empty() {
            return Err(Error::new(Kind::Invalid, "no broker is named"));
        }
        let client = Client {
            inner: Arc::new(Inner {
                builder: self,
                began: Instant::now(),
                known: Mutex::default(),
            }),
        };
        client.refresh(Some(&[])).await?;
        Ok(client)
    }
}

/// A client of one cluster. Cheap to clone: all clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    builder: Builder,
    began: Instant,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// By address: a broker that moved is another address.
    conns: HashMap<String, Conn>,
    metadata: Metadata,
}

impl Client {
    /// Connects with default settings: `HOST:PORT`, several with commas between.
    pub async fn connect(bootstrap: &str) -> Result<Client, Error> {
        Client::builder(bootstrap).connect().await
    }

    /// A client to be made: `HOST:PORT`, several with commas between.
    pub fn builder(bootstrap: &str) -> Builder {
        let addresses = bootstrap
            .split(',')
            .map(str::trim)
            .filter(|address| !address.is_empty());
        Builder {
            bootstrap: addresses.map(str::to_owned).collect(),
            settings: Settings::default(),
            limit: Duration::from_secs(60),
        }
    }

    /// Asks about the cluster and these topics, or all of them, and gives what is known then. Kafka: Metadata, without
    /// creating topics. Cancel safe.
    pub async fn metadata(&self, topics: Option<&[&str]>) -> Result<Metadata, Error> {
        self.refresh(topics).await?;
        Ok(self.inner.known.lock().await.metadata.clone())
    }

    /// A partition to append to and read from. Nothing is asked yet.
    pub fn partition(&self, topic: &str, partition: i32) -> Partition {
        Partition::new(self.clone(), topic, partition)
    }

    pub(crate) async fn refresh(&self, topics: Option<&[&str]>) -> Result<(), Error> {
        let named = |name: &&str| MetadataRequestTopic {
            name: Some((*name).to_owned()),
            ..Default::default()
        };
        let request = MetadataRequest {
            topics: topics.map(|topics| topics.iter().map(named).collect()),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let answer = self.any().await?.ask(request, i16::MAX).await?;
        if !answer.error_code.is_none() {
            return Err(Error::refused("Metadata", answer.error_code, None));
        }
        let now = Mono::default().after(self.inner.began.elapsed());
        self.inner
            .known
            .lock()
            .await
            .metadata
            .learn(&answer, topics.is_none(), now);
        Ok(())
    }

    /// The leader of a partition, after asking who it is if nobody is known.
    pub(crate) async fn leader(&self, topic: &str, partition: i32) -> Result<Conn, Error> {
        if self.known_leader(topic, partition).await.is_none() {
            self.refresh(Some(&[topic])).await?;
        }
        if let Some(address) = self.known_leader(topic, partition).await {
            return self.conn(&[address]).await;
        }
        let known = self.inner.known.lock().await;
        let place = format!("{topic} partition {partition}");
        Err(match known.metadata.errors.get(topic) {
            Some(error) => Error::refused(&place, *error, None),
            None if known
                .metadata
                .topics
                .get(topic)
                .is_some_and(|topic| topic.partitions.contains_key(&partition)) =>
            {
                Error::refused(&place, sawlog_wire::Code::LeaderNotAvailable.into(), None)
            }
            None => Error::refused(
                &place,
                sawlog_wire::Code::UnknownTopicOrPartition.into(),
                None,
            ),
        })
    }

    async fn known_leader(&self, topic: &str, partition: i32) -> Option<String> {
        let known = self.inner.known.lock().await;
        let (id, _) = known.metadata.leader(topic, partition)?;
        address(&known.metadata, id)
    }

    /// A leader turned out not to be one: the next call asks who is.
    pub(crate) async fn forget(&self, topic: &str) {
        self.inner.known.lock().await.metadata.topics.remove(topic);
    }

    /// Any broker: the ones known from the last answer behind those named at first.
    pub(crate) async fn any(&self) -> Result<Conn, Error> {
        let mut addresses = self.inner.builder.bootstrap.clone();
        {
            let known = self.inner.known.lock().await;
            let more = known
                .metadata
                .brokers
                .keys()
                .filter_map(|id| address(&known.metadata, *id));
            addresses.extend(more);
        }
        self.conn(&addresses).await
    }

    /// A connection to one of these: an open one, else the first that answers before the call's limit.
    async fn conn(&self, addresses: &[String]) -> Result<Conn, Error> {
        let Builder {
            settings, limit, ..
        } = &self.inner.builder;
        let (begun, mut backoff) = (Instant::now(), Backoff::default());
        loop {
            let mut last = None;
            for address in addresses {
                // Held while connecting, so that two callers open one connection.
                let mut known = self.inner.known.lock().await;
                match known.conns.get(address) {
                    Some(conn) if !conn.is_over() => return Ok(conn.clone()),
                    _ => {}
                }
                let left = limit
                    .saturating_sub(begun.elapsed())
                    .min(settings.request_timeout);
                match Conn::open(address, settings.clone(), left).await {
                    Ok(conn) => {
                        known.conns.insert(address.clone(), conn.clone());
                        return Ok(conn);
                    }
                    Err(error) => last = Some(error),
                }
            }
            let wait = backoff.failed(roll());
            if begun.elapsed() + wait >= *limit {
                return Err(
                    last.unwrap_or_else(|| Error::new(Kind::Unreachable, "no broker is known"))
                );
            }
            sleep(wait).await;
        }
    }
}

fn address(metadata: &Metadata, id: BrokerId) -> Option<String> {
    let broker = metadata.brokers.get(&id)?;
    Some(if broker.host.contains(':') {
        format!("[{}]:{}", broker.host, broker.port)
    } else {
        format!("{}:{}", broker.host, broker.port)
    })
}

/// Any number: every `RandomState` has keys of its own.
fn roll() -> u64 {
    RandomState::new().build_hasher().finish()
}
