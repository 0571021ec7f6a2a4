//! The handle that everything comes from: bootstrap addresses, one connection per broker, what is known of the cluster.
//! Decides which broker is asked and when to try again; never what is asked.

use std::collections::HashMap;
use std::ffi::OsString;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use sawlog_engine::backoff::Backoff;
use sawlog_engine::connection::Settings;
use sawlog_engine::metadata::{BrokerId, Metadata};
use sawlog_engine::time::Mono;
use sawlog_wire::messages::MetadataRequest;
use sawlog_wire::messages::metadata::MetadataRequestTopic;
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};
use tokio::time::{Instant, sleep};

use crate::conn::Conn;
use crate::consumer::{Assignment, ConsumerBuilder};
use crate::error::{Error, Kind};
use crate::metrics::{Counts, Metrics};
use crate::producer::ProducerBuilder;

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
        let client = Client::of(self);
        drop(client.refresh(Some(&[])).await?);
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
    counts: Arc<Counts>,
}

/// What a connection is for. A request waits for the answers of those before it: one that the broker holds back, as a
/// Fetch, has its connection to itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Lane {
    Calls,
    Produce,
    Fetch,
}

#[derive(Debug, Default)]
struct Known {
    /// By address: a broker that moved is another address.
    conns: HashMap<(Lane, String), Conn>,
    metadata: Metadata,
}

impl Client {
    /// Connects with default settings: `HOST:PORT`, several with commas between.
    pub async fn connect(bootstrap: &str) -> Result<Client, Error> {
        Client::builder(bootstrap).connect().await
    }

    /// A client to be made by the environment, as the tools are: `SAWLOG_BROKERS` names the brokers (`localhost:9092` if it is
    /// not set, or empty), `SAWLOG_TIMEOUT` how many seconds a call may take. Errors: [`Kind::Invalid`] for what is no number of
    /// seconds above 0, and no text.
    pub fn from_env() -> Result<Builder, Error> {
        Client::by(|name| std::env::var_os(name))
    }

    fn by(variable: impl Fn(&str) -> Option<OsString>) -> Result<Builder, Error> {
        let said = |name: &str| {
            let value = variable(name).unwrap_or_default();
            value
                .into_string()
                .map_err(|value| Error::new(Kind::Invalid, format!("{name}={value:?} is no text")))
        };
        let brokers = match said("SAWLOG_BROKERS")? {
            none if none.is_empty() => "localhost:9092".to_owned(),
            brokers => brokers,
        };
        let builder = Client::builder(&brokers);
        let limit = said("SAWLOG_TIMEOUT")?;
        if limit.is_empty() {
            return Ok(builder);
        }
        let seconds = limit.parse::<u32>().ok().filter(|seconds| *seconds > 0);
        let why = || format!("SAWLOG_TIMEOUT={limit:?} is no number of seconds above 0");
        let seconds = seconds.ok_or_else(|| Error::new(Kind::Invalid, why()))?;
        let limit = Duration::from_secs(seconds.into());
        Ok(builder.request_timeout(limit).call_timeout(limit))
    }

    fn of(builder: Builder) -> Client {
        Client {
            inner: Arc::new(Inner {
                builder,
                began: Instant::now(),
                known: Mutex::default(),
                counts: Arc::default(),
            }),
        }
    }

    /// One that nobody answers.
    #[cfg(all(test, not(feature = "zstd")))]
    pub(crate) fn unconnected() -> Client {
        Client::of(Client::builder("localhost:0"))
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
        Ok(self.refresh(topics).await?.clone())
    }

    /// What is known of the cluster by now, without asking.
    pub async fn known(&self) -> Metadata {
        self.inner.known.lock().await.metadata.clone()
    }

    /// What this client and its clones have done so far: connections, requests, and how long their answers took.
    pub fn metrics(&self) -> Metrics {
        self.inner.counts.now()
    }

    /// A producer to be made.
    pub fn producer(&self) -> ProducerBuilder {
        ProducerBuilder::new(self.clone())
    }

    /// A consumer of these partitions to be made: no group, nothing is committed.
    pub fn assign(&self, partitions: impl IntoIterator<Item = Assignment>) -> ConsumerBuilder {
        ConsumerBuilder::new(self.clone(), partitions.into_iter().collect())
    }

    /// `request.timeout.ms`.
    pub(crate) fn request_timeout(&self) -> Duration {
        self.inner.builder.settings.request_timeout
    }

    /// `default.api.timeout.ms`.
    pub(crate) fn limit(&self) -> Duration {
        self.inner.builder.limit
    }

    /// Asks about the cluster and these topics, or all of them. What is known then is held until it is dropped: another
    /// answer may say less of these.
    pub(crate) async fn refresh(
        &self,
        topics: Option<&[&str]>,
    ) -> Result<MappedMutexGuard<'_, Metadata>, Error> {
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
        let now = self.now();
        let known = self.inner.known.lock().await;
        let mut known = MutexGuard::map(known, |known| &mut known.metadata);
        known.learn(&answer, topics.is_none(), now);
        Ok(known)
    }

    /// The time, as the engine has it.
    pub(crate) fn now(&self) -> Mono {
        Mono::default().after(self.inner.began.elapsed())
    }

    /// Looks at what is known.
    pub(crate) async fn look<T>(&self, look: impl FnOnce(&Metadata) -> T) -> T {
        look(&self.inner.known.lock().await.metadata)
    }

    /// Changes what is known.
    pub(crate) async fn change(&self, change: impl FnOnce(&mut Metadata)) {
        change(&mut self.inner.known.lock().await.metadata);
    }

    /// A connection to a broker, tried once.
    pub(crate) async fn broker(&self, id: BrokerId, lane: Lane) -> Result<Conn, Error> {
        let address = {
            let known = self.inner.known.lock().await;
            address(&known.metadata, id)
        };
        let nowhere = || {
            Error::new(
                Kind::Unreachable,
                format!("nobody says where broker {} is", id.0),
            )
        };
        let address = address.ok_or_else(nowhere)?;
        self.open(&address, lane, self.request_timeout()).await
    }

    /// The open connection to an address, or a new one.
    async fn open(&self, address: &str, lane: Lane, limit: Duration) -> Result<Conn, Error> {
        // Held while connecting, so that two callers open one connection.
        let mut known = self.inner.known.lock().await;
        let key = (lane, address.to_owned());
        match known.conns.get(&key) {
            Some(conn) if !conn.is_over() => return Ok(conn.clone()),
            _ => {}
        }
        let settings = self.inner.builder.settings.clone();
        let conn = Conn::open(address, settings, limit, self.inner.counts.clone()).await?;
        known.conns.insert(key, conn.clone());
        Ok(conn)
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
                let left = limit
                    .saturating_sub(begun.elapsed())
                    .min(settings.request_timeout);
                match self.open(address, Lane::Calls, left).await {
                    Ok(conn) => return Ok(conn),
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
pub(crate) fn roll() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_environment_says_of_a_client_counts_and_what_is_empty_says_nothing() {
        let of = |brokers: &str, seconds: &str| {
            let variable = |name: &str| {
                let value = match name {
                    "SAWLOG_BROKERS" => brokers,
                    "SAWLOG_TIMEOUT" => seconds,
                    other => panic!("{other} is no variable of a client"),
                };
                (value != "unset").then(|| OsString::from(value))
            };
            Client::by(variable).map(|builder| (builder.bootstrap, builder.limit.as_secs()))
        };
        let here = vec!["localhost:9092".to_owned()];
        assert_eq!(of("unset", "unset").unwrap(), (here.clone(), 60));
        assert_eq!(of("", "").unwrap(), (here, 60));
        let both = vec!["a:1".to_owned(), "b:2".to_owned()];
        assert_eq!(of("a:1, b:2", "7").unwrap(), (both, 7));
        for bad in ["0", "-1", "1s", "1.5"] {
            let error = of("a:1", bad).unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid, "{bad}");
            assert!(error.to_string().contains("SAWLOG_TIMEOUT"), "{error}");
        }
    }
}
