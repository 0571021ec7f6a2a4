//! Brings a node up and down: data directory, lock, listeners, one thread per shard, signals.
//! Decides the order of these, and the exit code; what is in the directory is the core's affair.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sawlog_core::api::{Door, FetchWaits};
use sawlog_core::complaint::Complaint;
use sawlog_core::config::{BrokerConfig, Told};
use sawlog_core::effect::Line;
use sawlog_core::event::{Event, Found};
use sawlog_core::ids::{BootId, Endpoint, ShardId};
use sawlog_core::log::EngineConf;
use sawlog_core::node::identity;
use sawlog_wire::code::Code;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::disk::buffer::Pool;
use crate::disk::files::{DESCRIPTORS_MAX, Files};
use crate::disk::store::Store;
use crate::lock::{Lock, unusable};
use crate::memory::faults::Faults;
use crate::net::allowance::Allowance;
use crate::net::gauge::Gauge;
use crate::net::listen::{Bound, bind};
use crate::net::seats::Seats;
use crate::net::seldom::Seldom;
use crate::shard_loop::{self, Mail, Parts, Post};

/// Memory that decompression may take at one time, on all shards together (#130).
const DECOMPRESSION_MAX: usize = 256 << 20;
/// Memory of frames and file operations that is kept for the next ones though nobody used it for a while, for each shard.
const BUFFERS_IDLE: usize = 4 << 20;

/// Descriptors of a shard beside those of its files: its ring's, and what its threads and its runtime have.
const DESCRIPTORS_PER_SHARD: u64 = 256;

/// What readers may make the node hold: records that are being read for them, or that they have not taken (#131, #132).
const ANSWERS_MAX: usize = 256 << 20;

/// What a node needs beyond its settings.
#[derive(Debug)]
pub struct Options {
    /// The settings, checked.
    pub config: BrokerConfig,
    /// The cluster that it must belong to, if it was said ([`cluster_id`]).
    pub cluster_id: Option<Arc<str>>,
    /// Called once with the ready line.
    pub ready: fn(&str),
}

/// What the environment says of the cluster, as Kafka's image takes it.
pub fn cluster_id() -> Result<Option<Arc<str>>, Complaint> {
    let said = std::env::var_os("CLUSTER_ID").unwrap_or_default();
    // What is no text has a character that none may have, and is refused for that.
    Ok(identity::cluster_id(&said.to_string_lossy())?.map(Into::into))
}

/// Runs a node until it is told to stop; the error is for people and means a non-zero exit code.
pub fn run(options: Options) -> Result<(), Complaint> {
    let clock = Clock::start();
    let config = Arc::new(options.config);
    let shards = config.shards.unwrap_or_else(shards_of_machine).max(1);
    let seats = seats(&config, shards);
    let dir = PathBuf::from(&*config.log_dir);
    let lock = Lock::of(&dir)?;
    let founded = (options.cluster_id, config);
    let result = serve(options.ready, &dir, founded, shards, seats, clock);
    if result.is_err() {
        lock.undo(&dir);
    }
    result
}

fn serve(
    ready: fn(&str),
    dir: &Path,
    (cluster_id, config): (Option<Arc<str>>, Arc<BrokerConfig>),
    shards: u16,
    seats: Seats,
    clock: Clock,
) -> Result<(), Complaint> {
    let pool = Pool::new(BUFFERS_IDLE * usize::from(shards));
    let files = Arc::new(Files::open(dir, pool).map_err(|error| unusable(dir, &error))?);
    let bound = listen(&config)?;
    let found = Found {
        boot: boot_id(),
        shards,
        space: files.space().map_err(|error| unusable(dir, &error))?,
        config: config.clone(),
        endpoints: endpoints(&config, &bound).into(),
        engine: EngineConf {
            doubt: config.doubt,
            behind_max: config.cache_bytes / u64::from(shards) / 2,
            direct_within: config.direct_within,
            ..EngineConf::default()
        },
        cluster_id,
    };
    tracing::info!(directory = %dir.display(), durable_writes = %files.way(), shards, "starting");
    let (lines, said) = mpsc::unbounded_channel();
    let tell: shard_loop::Tell = Arc::new(move |line| {
        let _ = lines.send(line);
    });
    let store = Store::Files(files);
    let (posts, _) = start_threads(shards, &store, (&config, &seats, &clock), None, &tell)?;
    send(&posts, 0, Mail::Event(Event::Start(Box::new(found))));
    let runtime = runtime().map_err(|error| no_thread("start the runtime", &error))?;
    let announce = |addresses: &str, text: &str| {
        let took = clock.now().mono.0 / 1_000;
        let millis = format!("{}.{:03}", took / 1_000, took % 1_000);
        let data = dir.display();
        ready(&format!(
            "sawlog ready on {addresses}, data in {data}, {millis} ms ({text})"
        ));
    };
    let local = tokio::task::LocalSet::new();
    runtime.block_on(local.run_until(drive(
        bound,
        (&config, seats, clock.clone()),
        posts,
        said,
        announce,
    )))
}

/// The inboxes of all shards, and their threads.
pub(crate) type Threads = (Arc<[Post]>, Vec<JoinHandle<()>>);

/// One thread per shard; each waits in its inbox for its start.
pub(crate) fn start_threads(
    shards: u16,
    store: &Store,
    (config, seats, clock): (&Arc<BrokerConfig>, &Seats, &Clock),
    faults: Option<&Faults>,
    tell: &shard_loop::Tell,
) -> Result<Threads, Complaint> {
    let (posts, inboxes): (Vec<Post>, Vec<_>) =
        (0..shards).map(|_| mpsc::unbounded_channel()).unzip();
    let posts: Arc<[Post]> = posts.into();
    let decompression = Arc::new(sawlog_wire::records::Pool::new(DECOMPRESSION_MAX));
    let memory = Allowance::new(usize::try_from(config.frames_max_bytes).unwrap_or(usize::MAX));
    let answers = Gauge::new(ANSWERS_MAX);
    let waits = Arc::new(FetchWaits::default());
    let mut threads = Vec::new();
    for (shard, inbox) in (0..shards).zip(inboxes) {
        let parts = Parts {
            id: ShardId(shard),
            posts: posts.clone(),
            store: store.clone(),
            config: config.clone(),
            seats: seats.clone(),
            clock: clock.clone(),
            tell: tell.clone(),
            pool: decompression.clone(),
            answers: answers.clone(),
            waits: waits.clone(),
            memory: memory.clone(),
            faults: faults.cloned(),
        };
        let thread = std::thread::Builder::new()
            .name(format!("shard-{shard}"))
            .spawn(move || on_thread(parts, inbox))
            .map_err(|error| no_thread("start a thread", &error))?;
        threads.push(thread);
    }
    Ok((posts, threads))
}

/// From the start to the end: hands signals to the shards, and what they say to people.
async fn drive(
    bound: Vec<Bound>,
    (config, seats, clock): (&BrokerConfig, Seats, Clock),
    posts: Arc<[Post]>,
    mut said: mpsc::UnboundedReceiver<Line>,
    announce: impl Fn(&str, &str),
) -> Result<(), Complaint> {
    let mut bound = Some(bound);
    let listen = |kind| signal(kind).map_err(|error| no_thread("listen to signals", &error));
    let mut term = listen(SignalKind::terminate())?;
    let mut int = listen(SignalKind::interrupt())?;
    loop {
        let line = tokio::select! {
            line = said.recv() => line,
            _ = term.recv() => { stop(&posts); continue }
            _ = int.recv() => { stop(&posts); continue }
        };
        match line {
            Some(Line::Ready { text }) => {
                let Some(bound) = bound.take() else { continue };
                let addresses: Vec<String> =
                    bound.iter().map(|one| one.address.to_string()).collect();
                accept(bound, config, &seats, &clock, &posts)?;
                announce(&addresses.join(", "), &text);
            }
            Some(Line::Info(text)) => tracing::info!("{text}"),
            Some(Line::Warn(text)) => tracing::warn!("{text}"),
            Some(Line::Stopped) | None => return Ok(()),
            Some(Line::Fatal(complaint)) => return Err(complaint),
        }
    }
}

fn on_thread(parts: Parts, inbox: mpsc::UnboundedReceiver<Mail>) {
    let tell = parts.tell.clone();
    match runtime() {
        Ok(runtime) => {
            tokio::task::LocalSet::new().block_on(&runtime, shard_loop::run(parts, inbox))
        }
        Err(error) => tell(Line::Fatal(no_thread("start the runtime", &error))),
    }
}

pub(crate) fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .event_interval(31)
        .build()
}

pub(crate) fn send(posts: &[Post], shard: usize, mail: Mail) {
    if let Some(post) = posts.get(shard) {
        // A shard that is gone has said why, and that ends the process.
        let _ = post.send(mail);
    }
}

pub(crate) fn stop(posts: &[Post]) {
    tracing::info!("stopping: everything is being put in order");
    for post in posts {
        let _ = post.send(Mail::Event(Event::Stop));
    }
}

/// One shard up to four cores: a hop between threads costs more than the whole rest of a small request.
fn shards_of_machine() -> u16 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u16::try_from(cores.div_ceil(4)).unwrap_or(u16::MAX)
}

/// Raises the limit on open files as far as it goes, and leaves of it to connections what files do not need.
pub(crate) fn seats(config: &BrokerConfig, shards: u16) -> Seats {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // One that may not be raised stays as it is.
    let _ = setrlimit(Resource::Nofile, raised);
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let files = DESCRIPTORS_MAX + DESCRIPTORS_PER_SHARD * u64::from(shards);
    let left = descriptors - files.min(descriptors / 2);
    tracing::debug!(descriptors, connections = left, "limits");
    let most = usize::try_from(left).unwrap_or(usize::MAX);
    Seats::new(most, config.connections.clone())
}

/// Deals connections out to the shards in turn.
pub(crate) fn accept(
    bound: Vec<Bound>,
    config: &BrokerConfig,
    seats: &Seats,
    clock: &Clock,
    posts: &Arc<[Post]>,
) -> Result<(), Complaint> {
    for one in bound {
        let entrance = Entrance::of(config, &one.name);
        let listener = tokio::net::TcpListener::from_std(one.socket);
        let listener = listener.map_err(|error| no_thread("accept connections", &error))?;
        let (posts, seats, clock) = (posts.clone(), seats.clone(), clock.clone());
        let mut refused = Seldom::default();
        tokio::task::spawn_local(async move {
            let mut next = 0;
            loop {
                match listener
                    .accept()
                    .await
                    .and_then(|(socket, from)| Ok((socket.into_std()?, from.ip())))
                {
                    Ok((socket, from)) => match seats.take(from) {
                        Ok(seat) => {
                            let door = entrance.door(&socket);
                            send(&posts, next, Mail::Socket(door, socket, seat));
                            next = (next + 1) % posts.len();
                        }
                        Err(full) => {
                            let line = format!("a connection from {from} is closed: {full}");
                            refused.warn(clock.now(), &line);
                        }
                    },
                    Err(error) => {
                        // Out of descriptors, most often: others will close theirs.
                        tracing::warn!("a connection was not accepted: {error}");
                        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    }
                }
            }
        });
    }
    Ok(())
}

pub(crate) fn listen(config: &BrokerConfig) -> Result<Vec<Bound>, Complaint> {
    let mut bound = Vec::new();
    for listener in &config.listeners {
        bound.extend(
            bind(
                &listener.listener,
                &listener.host,
                listener.port,
                &config.sockets,
            )
            .map_err(|error| cannot_listen(listener, &error))?,
        );
    }
    for one in &bound {
        if !one.address.ip().is_loopback() {
            tracing::warn!(
                "listener {} on {} is reachable from other machines, and whoever connects may do anything: there is no \
                 authentication yet. Keep it behind a firewall, or listen on localhost only",
                one.name,
                one.address
            );
        }
    }
    Ok(bound)
}

fn cannot_listen(listener: &Endpoint, error: &io::Error) -> Complaint {
    let Endpoint {
        listener,
        host,
        port,
    } = listener;
    let attempt = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "Another process has this port: stop it, or choose another with -X listeners=PLAINTEXT://localhost:PORT"
        }
        _ => "Name an address of this machine in `listeners`",
    };
    Complaint {
        what: format!("cannot listen on {listener}://{host}:{port}"),
        why: error.to_string(),
        attempt: attempt.to_owned(),
        code: Some(Code::InvalidConfig),
    }
}

/// Whom the clients of one listener are told this node to be.
enum Entrance {
    /// All the same.
    One(Arc<Door>),
    /// Each the address that it reached, at this port or the one that it reached.
    Reached(String, Option<u16>),
}

impl Entrance {
    fn of(config: &BrokerConfig, name: &str) -> Entrance {
        let listener = config.listeners.iter().find(|at| at.listener == name);
        match listener.map(|at| config.told(at)) {
            Some(Told::AsReached(port)) => Entrance::Reached(name.to_owned(), port),
            _ => Entrance::One(Door::of(name)),
        }
    }

    fn door(&self, socket: &std::net::TcpStream) -> Arc<Door> {
        let (name, port) = match self {
            Entrance::One(door) => return door.clone(),
            Entrance::Reached(name, port) => (name, port),
        };
        // A socket that cannot say where it ends is about to end itself.
        let Ok(reached) = socket.local_addr() else {
            return Door::of(name);
        };
        Arc::new(Door {
            listener: name.clone(),
            reached: Some(Endpoint {
                listener: name.clone(),
                // An IPv4 client of a socket of both versions must not be told an address of version 6.
                host: reached.ip().to_canonical().to_string(),
                port: port.unwrap_or(reached.port()),
            }),
        })
    }
}

/// How this node is registered: `advertised.listeners`, else each listener's own address.
pub(crate) fn endpoints(config: &BrokerConfig, bound: &[Bound]) -> Vec<Endpoint> {
    let port_of = |name: &str| {
        bound
            .iter()
            .find(|one| one.name == name)
            .map(|one| one.address)
    };
    let mut endpoints = Vec::new();
    for listener in &config.listeners {
        let Some(address) = port_of(&listener.listener) else {
            continue;
        };
        let (host, port) = match config.told(listener) {
            Told::Here(one) => (one.host.clone(), one.port),
            Told::AsBound => (listener.host.clone(), address.port()),
            Told::AsReached(port) => (own_name(address), port.unwrap_or(address.port())),
        };
        endpoints.push(Endpoint {
            listener: listener.listener.clone(),
            host,
            port,
        });
    }
    endpoints
}

/// By what name this node is registered for a listener whose clients are each told the address that they reached: other
/// nodes' clients have reached none of its addresses yet.
fn own_name(address: SocketAddr) -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = match name.trim() {
        "" => address.ip().to_string(),
        name => name.to_owned(),
    };
    tracing::info!(
        "clients of the listener on {address} are each told the address that they reached; behind NAT or a mapped port, \
         name another with advertised.listeners"
    );
    name
}

/// What a process gets from the system besides files: threads, descriptors.
pub(crate) fn no_thread(what: &str, error: &io::Error) -> Complaint {
    Complaint {
        what: format!("cannot {what}"),
        why: error.to_string(),
        attempt:
            "Raise the limits of this process on threads and open files (ulimit -u, ulimit -n)"
                .to_owned(),
        code: None,
    }
}

/// The kernel's boot id. Where there is none to read, every start counts as one after a power cut: the careful side.
pub(crate) fn boot_id() -> BootId {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    match u128::from_str_radix(&digits, 16) {
        Ok(id) => BootId(id.to_be_bytes()),
        Err(_) => BootId(crate::clock::Chance::new().roll().0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sawlog_core::config;

    /// What clients are told by a node of these settings whose one listener is bound to a port of the system's choice.
    fn told(settings: &[(&str, &str)]) -> (String, bool) {
        let config = config::broker(settings.iter().copied()).unwrap();
        let bound = bind("PLAINTEXT", "127.0.0.1", 0, &config.sockets).unwrap();
        let port = bound.first().unwrap().address.port();
        let told = endpoints(&config, &bound);
        let [one] = told.as_slice() else {
            panic!("{told:?}")
        };
        assert_eq!(one.listener, "PLAINTEXT");
        (one.host.clone(), one.port == port)
    }

    #[test]
    fn a_listener_on_every_address_is_registered_by_the_name_of_the_machine() {
        let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        let nameless = ("listeners", "PLAINTEXT://:0");
        assert_eq!(told(&[nameless]), (machine.trim().to_owned(), true));
        let named = ("listeners", "PLAINTEXT://localhost:0");
        assert_eq!(told(&[named]), ("localhost".to_owned(), true));
        for listener in [nameless, named] {
            let advertised = ("advertised.listeners", "PLAINTEXT://broker.example:19092");
            let expected = ("broker.example".to_owned(), false);
            assert_eq!(told(&[listener, advertised]), expected);
        }
    }

    #[test]
    fn each_client_of_a_listener_on_every_address_is_told_the_one_that_it_reached() {
        let bound = bind("PLAINTEXT", "", 0, &config::Sockets::default()).unwrap();
        let listener = &bound.first().unwrap().socket;
        let port = listener.local_addr().unwrap().port();
        let reached = |settings: &[(&str, &str)], address: &str| {
            let config = config::broker(settings.iter().copied()).unwrap();
            let _client = std::net::TcpStream::connect((address, port)).unwrap();
            let (socket, _) = loop {
                match listener.accept() {
                    Ok(accepted) => break accepted,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => panic!("{error}"),
                }
            };
            let door = Entrance::of(&config, "PLAINTEXT").door(&socket);
            assert_eq!(door.listener, "PLAINTEXT");
            let reached = door.reached.clone();
            reached.map(|at| (at.host, at.port == port, at.port == 7))
        };
        let every = ("listeners", "PLAINTEXT://:9092");
        for address in ["127.0.0.1", "127.0.0.2", "::1"] {
            let expected = Some((address.to_owned(), true, false));
            assert_eq!(reached(&[every], address), expected);
        }
        let auto = ("advertised.listeners", "PLAINTEXT://auto:7");
        let expected = Some(("127.0.0.1".to_owned(), false, true));
        assert_eq!(reached(&[every, auto], "127.0.0.1"), expected);
        let named = ("advertised.listeners", "PLAINTEXT://broker.example:1");
        assert_eq!(reached(&[every, named], "127.0.0.1"), None);
    }
}
