//! The same node in one process, for tests and embedding: core, connections and listeners are those of `sawlog broker`; only
//! its log directory is memory, its clock can be stopped, and requests meet the faults that a test asks for.
//!
//! Decides what a node needs beyond that: how much memory, which port, when it ends. Nothing here answers a request.
//!
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! use sawlog_broker::memory::Node;
//!
//! let node = Node::start().await?; // on a free port of 127.0.0.1
//! let kafka = sawlog_client::Client::connect(&node.brokers()).await?; // or any other client, of any language
//! kafka.create_topics(vec![sawlog_client::NewTopic::new("orders")]).await?;
//! let producer = kafka.producer().await?;
//! let at = producer.send(sawlog_client::Record::to("orders").value("paid")).await?;
//! assert_eq!(at.offset, 0);
//! # Ok(()) } // dropped, the node is gone with all it had
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
//! ```

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sawlog_core::complaint::Complaint;
use sawlog_core::config::{self, BrokerConfig};
use sawlog_core::file::Free;

use crate::clock;
use crate::disk::memory::Memory;

pub use self::clock_handle::Clock;
pub use self::fault::{Fault, Requests};
pub use self::faults::Given;
pub use sawlog_wire::Code;
pub use sawlog_wire::messages::ApiKey;

use self::faults::Faults;
use self::running::{Plan, Running};

#[path = "memory/clock.rs"]
mod clock_handle;
mod fault;
pub(crate) mod faults;
pub(crate) mod late;
mod refusal;
mod reply;
mod running;
pub(crate) mod trap;

/// What the files of a node come to at most where nothing else is said: 256 MiB.
pub const MEMORY_MAX: u64 = 256 << 20;
/// The least that a node can work with: 64 MiB. Most of it is never touched.
pub const MEMORY_LEAST: u64 = 64 << 20;

/// A node in this process. Dropped, it ends as a process that is killed, its port is free and its memory given back.
///
/// It has threads of its own, so that it does not matter which runtime a test has, or whether it has any. Nothing that it
/// says leaves the process: warnings go to `tracing`.
#[derive(Debug)]
pub struct Node {
    plan: Plan,
    running: Option<Running>,
    clock: Clock,
}

/// A node to be started.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `start`"]
pub struct Builder {
    settings: Vec<(String, String)>,
    memory_max: u64,
    running: bool,
    latency: Duration,
}

impl Builder {
    /// A setting of the broker by Kafka's name, as `sawlog broker -X` takes it: `num.partitions`, `log.retention.ms`.
    pub fn set(mut self, key: &str, value: &str) -> Builder {
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Where to listen: `HOST:PORT`, port 0 for any that is free. Default: `127.0.0.1:0`.
    pub fn listen(self, address: &str) -> Builder {
        self.set("listeners", &format!("PLAINTEXT://{address}"))
    }

    /// Bytes that all files of the node may come to: [`MEMORY_MAX`] by default, no less than [`MEMORY_LEAST`]. Where they
    /// are used up the node does what it does on a full disk: it refuses records, and serves and deletes on. A batch may
    /// be as long as a 128th of it, 2 MiB at least.
    pub fn memory_max(mut self, bytes: u64) -> Builder {
        self.memory_max = bytes.max(MEMORY_LEAST);
        self
    }

    /// Every answer leaves so much later than it is ready, by the node's clock: a network that is as long. Requests behind
    /// it are worked on meanwhile.
    pub fn latency(mut self, latency: Duration) -> Builder {
        self.latency = latency;
        self
    }

    /// Its clock stands from the beginning, at what the machine's shows now: see [`Clock`].
    pub fn paused(mut self) -> Builder {
        self.running = false;
        self
    }

    /// Starts it, and returns when it serves. An error names the setting that cannot be, the address that cannot be had, or
    /// the thread that the system does not give.
    pub async fn start(self) -> Result<Node, Complaint> {
        let pairs = self.settings.iter();
        let config = config::broker(pairs.map(|(key, value)| (key.as_str(), value.as_str())));
        let config = config.map_err(|complaints| unusable(&complaints))?;
        let mut plan = Plan {
            config: Arc::new(config),
            store: Arc::new(Mutex::new(Memory::bounded(self.memory_max))),
            clock: clock::Clock::with_hand(clock::since_1970(), self.running),
            faults: Faults::new(self.latency),
        };
        let running = Running::start(&mut plan).await?;
        let clock = Clock::of(plan.clock.clone(), running.posts());
        Ok(Node {
            plan,
            running: Some(running),
            clock,
        })
    }
}

impl Default for Builder {
    fn default() -> Builder {
        let settings = [
            ("listeners", "PLAINTEXT://127.0.0.1:0"),
            ("log.dirs", "memory"),
            ("sawlog.shards", "1"),
        ];
        Builder {
            settings: settings
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            memory_max: MEMORY_MAX,
            running: true,
            latency: Duration::ZERO,
        }
    }
}

impl Node {
    /// A node with default settings, on a free port of 127.0.0.1. See [`Builder::start`].
    pub async fn start() -> Result<Node, Complaint> {
        Node::builder().start().await
    }

    /// A node to be started.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// `HOST:PORT`: what clients call `bootstrap.servers`.
    pub fn brokers(&self) -> String {
        self.address().to_string()
    }

    /// Where it listens; the first address if it has several.
    pub fn address(&self) -> SocketAddr {
        self.plan.address()
    }

    /// Its settings.
    pub fn config(&self) -> &BrokerConfig {
        &self.plan.config
    }

    /// Its clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Has something go wrong from now on. Of faults that mean the same request the one that was asked for first meets it.
    pub fn fail(&self, fault: Fault) -> Given {
        self.plan.faults.give(fault)
    }

    /// Lifts all faults. One that has met a request already takes its course.
    pub fn heal(&self) {
        self.plan.faults.lift_all();
    }

    /// How many requests of a kind have come since the node was first started, those included that met a fault.
    pub fn requests(&self, key: ApiKey) -> u64 {
        self.plan.faults.came(key)
    }

    /// How many bytes its files may come to, and how many of them are free.
    pub fn space(&self) -> Free {
        self.plan.space()
    }

    /// Ends it as `kill -9` ends a process: its connections break, its port is closed, and what it had acknowledged is there
    /// when it is started again. Kafka's clients see a broker that is down.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// Starts it again on the same port with what it had, after a kill if it still runs. An error as of
    /// [`Builder::start`]; the node is down then.
    pub async fn restart(&mut self) -> Result<(), Complaint> {
        self.kill();
        let running = Running::start(&mut self.plan).await?;
        self.clock.moves(running.posts());
        self.running = Some(running);
        Ok(())
    }
}

fn unusable(complaints: &[Complaint]) -> Complaint {
    let why: Vec<String> = complaints.iter().map(ToString::to_string).collect();
    Complaint {
        what: "these settings cannot be used".to_owned(),
        why: why.join("; "),
        attempt: "`sawlog config explain KEY` tells what one takes".to_owned(),
        code: None,
    }
}

#[cfg(test)]
mod tests;
