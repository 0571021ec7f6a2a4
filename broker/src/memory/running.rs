//! One life of a node in memory: its sockets, its threads, its end. Decides the order of these, as `boot` does for a process;
//! without a directory to lock, signals to hear, or limits of the process to raise.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use sawlog_core::complaint::Complaint;
use sawlog_core::config::BrokerConfig;
use sawlog_core::effect::Line;
use sawlog_core::event::{Event, Found};
use sawlog_core::file::Free;
use sawlog_core::log::EngineConf;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use super::faults::Faults;
use crate::boot;
use crate::clock::Clock;
use crate::disk::memory::Memory;
use crate::disk::store::Store;
use crate::net::listen::Bound;
use crate::net::seats::Seats;
use crate::shard_loop::{Mail, Post, Tell};

/// A ring file of a node in memory: a batch may be a quarter of it.
const RING_FILE_LEAST: u64 = 8 << 20;

/// What outlives a life.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The settings; after the first start with the ports that the system chose.
    pub(super) config: Arc<BrokerConfig>,
    /// The log directory.
    pub(super) store: Arc<Mutex<Memory>>,
    /// The clock.
    pub(super) clock: Clock,
    /// What goes wrong.
    pub(super) faults: Faults,
}

impl Plan {
    /// How many bytes there may be, and how many of them are free.
    pub(super) fn space(&self) -> Free {
        let store = self.store.lock();
        store.unwrap_or_else(PoisonError::into_inner).space()
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        let bound = self.config.listeners.first();
        let bound = bound.and_then(|one| format!("{}:{}", one.host, one.port).parse().ok());
        bound.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
    }
}

/// A node that serves, until it is dropped.
#[derive(Debug)]
pub(super) struct Running {
    posts: Arc<[Post]>,
    /// Dropped, the thread ends.
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Binds the sockets and starts the threads; returns when the node serves.
    pub(super) async fn start(plan: &mut Plan) -> Result<Running, Complaint> {
        let bound = boot::listen(&plan.config)?;
        plan.config = Arc::new(fixed(&plan.config, &bound));
        let config = plan.config.clone();
        let shards = config.shards.unwrap_or(1).max(1);
        let store = Store::Memory(plan.store.clone());
        let space = plan.space();
        let found = Found {
            boot: boot::boot_id(),
            shards,
            space,
            endpoints: boot::endpoints(&config, &bound).into(),
            engine: EngineConf {
                doubt: config.doubt,
                direct_within: config.direct_within,
                ring_file: Some(ring_file(space.total)),
                // There is nobody who could make room while the reserve lasts.
                ballast: false,
                ..EngineConf::default()
            },
            config: config.clone(),
            cluster_id: None,
        };
        let (lines, said) = mpsc::unbounded_channel();
        let tell: Tell = Arc::new(move |line| {
            let _ = lines.send(line);
        });
        let seats = Seats::new(usize::MAX, config.connections.clone());
        let (posts, shards) = boot::start_threads(
            shards,
            &store,
            (&config, &seats, &plan.clock),
            Some(&plan.faults),
            &tell,
        )?;
        boot::send(&posts, 0, Mail::Event(Event::Start(Box::new(found))));
        let (ready, served) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let life = Life {
            bound: Some(bound),
            config,
            seats,
            clock: plan.clock.clone(),
            posts: posts.clone(),
            ready: Some(ready),
        };
        let thread = std::thread::Builder::new()
            .name("node".to_owned())
            .spawn(move || life.live(said, ended, shards))
            .map_err(|error| boot::no_thread("start a thread", &error))?;
        let running = Running {
            posts,
            end: Some(end),
            thread: Some(thread),
        };
        match served.await {
            Ok(served) => served.map(|()| running),
            Err(_) => Err(died()),
        }
    }

    /// The inboxes of its shards.
    pub(super) fn posts(&self) -> Arc<[Post]> {
        self.posts.clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// What the node's own thread has: it accepts connections and hears what the shards say.
struct Life {
    bound: Option<Vec<Bound>>,
    config: Arc<BrokerConfig>,
    seats: Seats,
    clock: Clock,
    posts: Arc<[Post]>,
    ready: Option<oneshot::Sender<Result<(), Complaint>>>,
}

impl Life {
    fn live(
        mut self,
        said: mpsc::UnboundedReceiver<Line>,
        ended: oneshot::Receiver<()>,
        shards: Vec<JoinHandle<()>>,
    ) {
        let lived = match boot::runtime() {
            Ok(runtime) => LocalSet::new().block_on(&runtime, self.hear(said, ended)),
            Err(error) => Err(boot::no_thread("start the runtime", &error)),
        };
        for post in &*self.posts {
            let _ = post.send(Mail::End);
        }
        for shard in shards {
            let _ = shard.join();
        }
        if let Err(complaint) = lived {
            match self.ready.take() {
                Some(ready) => drop(ready.send(Err(complaint))),
                None => tracing::error!("a node in memory is over: {complaint}"),
            }
        }
    }

    async fn hear(
        &mut self,
        mut said: mpsc::UnboundedReceiver<Line>,
        mut ended: oneshot::Receiver<()>,
    ) -> Result<(), Complaint> {
        loop {
            let line = tokio::select! {
                line = said.recv() => line,
                _ = &mut ended => return Ok(()),
            };
            match line {
                Some(Line::Ready { .. }) => self.open()?,
                Some(Line::Info(text)) => tracing::debug!("{text}"),
                Some(Line::Warn(text)) => tracing::warn!("{text}"),
                Some(Line::Fatal(complaint)) => return Err(complaint),
                Some(Line::Stopped) | None => return Err(died()),
            }
        }
    }

    /// Lets clients in.
    fn open(&mut self) -> Result<(), Complaint> {
        let Some(bound) = self.bound.take() else {
            return Ok(());
        };
        boot::accept(bound, &self.config, &self.seats, &self.clock, &self.posts)?;
        if let Some(ready) = self.ready.take() {
            // Who started it may have given up waiting; then it is dropped.
            let _ = ready.send(Ok(()));
        }
        Ok(())
    }
}

/// The same settings, with the ports that the system chose: the next life has them too.
fn fixed(config: &BrokerConfig, bound: &[Bound]) -> BrokerConfig {
    let mut config = config.clone();
    for listener in &mut config.listeners {
        if let Some(one) = bound.iter().find(|one| one.name == listener.listener) {
            listener.port = one.address.port();
        }
    }
    config
}

fn ring_file(total: u64) -> u32 {
    let bytes = (total / 32).clamp(RING_FILE_LEAST, 64 << 20);
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn died() -> Complaint {
    Complaint {
        what: "a node in memory does not serve".to_owned(),
        why: "one of its threads ended".to_owned(),
        attempt: "What it said before that has the reason".to_owned(),
        code: None,
    }
}
