//! The thread of one shard: mail and alarms become events, the core is stepped through them, and what it wishes is done.
//! Decides how much is taken in one turn; nothing about data. One current-thread runtime per shard, no lock around it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use sawlog_core::answer::Response;
use sawlog_core::api::{Door, FetchSessions, FetchWaits, Outbox};
use sawlog_core::cluster::image::Image;
use sawlog_core::config::BrokerConfig;
use sawlog_core::effect::{Effect, Line};
use sawlog_core::event::{Event, Step};
use sawlog_core::file::Served;
use sawlog_core::ids::{ShardId, Waiter};
use sawlog_core::node::Shard;
use sawlog_core::now::Deadline;
use sawlog_core::timers::Alarms;
use sawlog_wire::records::{Inflater, Pool};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::clock::{Chance, Clock};
use crate::disk::buffer;
use crate::disk::lane::Back;
use crate::disk::store::{Lane, Store};
use crate::eager::Eager;
use crate::holds::Holds;
use crate::memory::faults::Faults;
use crate::net::allowance::Allowance;
use crate::net::connection;
use crate::net::gauge::Gauge;
use crate::net::member::Member;
use crate::net::seats::{Seat, Seats};
use crate::serving::Serving;

mod connections;
mod effects;

use connections::Warnings;

/// Events taken from the inbox in one batch.
const BATCH: usize = 1024;
/// The shortest time between two looks at silent connections.
const PATROL_LEAST: Duration = Duration::from_millis(100);

/// What other threads put into a shard's inbox.
pub enum Mail {
    /// Something happened.
    Event(Event),
    /// An answer for a connection that lives here.
    Reply(Waiter, Response),
    /// New metadata, for the shard and for the connections.
    Image(Arc<Image>),
    /// The disk's threads are done with something.
    Back(Back),
    /// A new connection, the door that it came through, and its seat.
    Socket(Arc<Door>, std::net::TcpStream, Seat),
    /// The commit log of this shard is full, or no longer.
    Hold(ShardId, bool),
    /// Answered when the turn that took it is over: alarms that were due have rung, what followed was settled, and who was
    /// idle is gone.
    Settled(oneshot::Sender<()>),
    /// The node is over, and its process is not.
    End,
}

/// Where mail for a shard goes.
pub type Post = mpsc::UnboundedSender<Mail>;

/// Called with whatever a shard says to people.
pub type Tell = Arc<dyn Fn(Line) + Send + Sync>;

/// One shard's thread, shared by the tasks that run on it.
#[derive(Clone)]
pub struct Local {
    inner: Rc<RefCell<Inner>>,
    /// Told when work was queued that the next turn of the loop must settle.
    dirty: Rc<Notify>,
    frame_max: usize,
    frames: buffer::Pool,
    memory: Allowance,
}

struct Inner {
    id: ShardId,
    shard: Shard,
    shards: u16,
    lane: Lane,
    serving: Serving,
    store: Store,
    posts: Arc<[Post]>,
    tell: Tell,
    clock: Clock,
    chance: Chance,
    alarms: Alarms,
    image: Arc<Image>,
    config: Arc<BrokerConfig>,
    seats: Seats,
    /// Each in memory of its own: leaves of a map that only grows at its end are half empty.
    conns: BTreeMap<u64, Box<Member>>,
    answers: Arc<Gauge>,
    faults: Option<Faults>,
    next_conn: u64,
    /// When which connection's long poll ends.
    polls: BTreeSet<(Deadline, u64)>,
    /// When to look for readers that take nothing, while memory for answers is short.
    sweep: Option<Deadline>,
    holds: Holds,
    eager: Eager,
    events: VecDeque<Event>,
    effects: Vec<Effect>,
    touched: Vec<u64>,
    warnings: Warnings,
    /// Who waits for the end of this turn.
    settled: Vec<oneshot::Sender<()>>,
    ended: bool,
    /// Used again by every call of a connection's pure half.
    out: Outbox,
    sessions: FetchSessions,
    waits: Arc<FetchWaits>,
    inflater: Inflater,
    pool: Arc<Pool>,
}
/// What a shard's thread is made of.
pub struct Parts {
    /// Which shard.
    pub id: ShardId,
    /// All inboxes, by shard.
    pub posts: Arc<[Post]>,
    /// The open log directory.
    pub store: Store,
    /// The settings.
    pub config: Arc<BrokerConfig>,
    /// The connections of all shards: shard 0 tells how many there may be.
    pub seats: Seats,
    /// The node's clock.
    pub clock: Clock,
    /// Where lines for people go.
    pub tell: Tell,
    /// Memory for decompression, shared by all shards (#130).
    pub pool: Arc<Pool>,
    /// What long frames of all shards may take (#131).
    pub memory: Allowance,
    /// What readers make the node hold, on all shards.
    pub answers: Arc<Gauge>,
    /// What the open Fetches hold, on all shards.
    pub waits: Arc<FetchWaits>,
    /// What goes wrong because a test asked for it; none in a broker.
    pub faults: Option<Faults>,
}

/// Runs one shard until the process ends, or its node.
pub async fn run(parts: Parts, mut mail: mpsc::UnboundedReceiver<Mail>) {
    let clock = parts.clock.clone();
    let local = Local::new(parts);
    let mut patrol = tokio::time::interval(local.patrol_every());
    loop {
        let due = local.next_alarm();
        let alarm = async {
            match due {
                Some(deadline) => clock.until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            first = mail.recv() => {
                let Some(first) = first else { return };
                local.take(first);
                for _ in 1..BATCH {
                    match mail.try_recv() {
                        Ok(next) => local.take(next),
                        Err(_) => break,
                    }
                }
                if local.inner.borrow().ended {
                    return;
                }
            }
            () = local.dirty.notified() => {
                // Whoever else has something to say in this turn says it before the commit is cut.
                tokio::task::yield_now().await;
            }
            () = alarm => {}
            _ = patrol.tick() => local.patrol(),
        }
        local.turn();
    }
}

impl Local {
    fn new(parts: Parts) -> Local {
        let Parts {
            id,
            posts,
            store,
            config,
            seats,
            clock,
            tell,
            pool,
            memory,
            answers,
            waits,
            faults,
        } = parts;
        let shards = u16::try_from(posts.len()).unwrap_or(u16::MAX);
        let post = posts.get(usize::from(id.0)).cloned();
        let inbox = Arc::new(move |back| {
            if let Some(post) = &post {
                // A thread of the disk may outlive the loop at the very end.
                let _ = post.send(Mail::Back(back));
            }
        });
        let frames = store.pool();
        let share = config.cache_bytes / u64::from(shards.max(1));
        let inner = Inner {
            id,
            shard: Shard::new(id, shards),
            shards,
            lane: store.lane(share, inbox),
            serving: Serving::new(answers.clone()),
            store,
            posts,
            tell,
            clock,
            chance: Chance::new(),
            alarms: Alarms::default(),
            image: Arc::default(),
            seats,
            conns: BTreeMap::new(),
            answers,
            faults,
            next_conn: 0,
            polls: BTreeSet::new(),
            sweep: None,
            holds: Holds::default(),
            eager: Eager::default(),
            events: VecDeque::new(),
            effects: Vec::new(),
            touched: Vec::new(),
            warnings: Warnings::default(),
            settled: Vec::new(),
            ended: false,
            out: Outbox::default(),
            sessions: FetchSessions::new(&config, id, shards),
            waits,
            inflater: Inflater::new(),
            pool,
            config,
        };
        let frame_max = usize::try_from(inner.config.frame_max_bytes).unwrap_or(usize::MAX);
        Local {
            inner: Rc::new(RefCell::new(inner)),
            dirty: Rc::new(Notify::new()),
            frame_max,
            frames,
            memory,
        }
    }

    /// How often somebody looks at the connections that are silent: those do not wake by themselves.
    fn patrol_every(&self) -> Duration {
        let idle = self.inner.borrow().config.idle_max;
        let often = idle.map_or(connection::PACE, |idle| idle / 4);
        often.clamp(PATROL_LEAST, connection::PACE)
    }

    /// Ends those that are silent or slow for too long. While somebody waits for memory each looks whether it keeps its pace
    /// (#133).
    fn patrol(&self) {
        let mut inner = self.inner.borrow_mut();
        let now = inner.clock.now();
        inner.patrol(now);
        inner.lane.tidy();
        // All shards share it.
        if inner.id == ShardId(0) {
            self.frames.tidy();
        }
        if self.memory.is_wanted() {
            for member in inner.conns.values() {
                member.link.wake.notify_one();
            }
        }
    }

    fn next_alarm(&self) -> Option<Deadline> {
        let inner = self.inner.borrow();
        let polls = inner.polls.first().map(|(deadline, _)| *deadline);
        let all = [inner.alarms.next(), polls, inner.sweep];
        all.into_iter().flatten().min()
    }

    fn ring(&self) {
        let mut inner = self.inner.borrow_mut();
        let now = inner.clock.now();
        while let Some((_, key)) = inner.alarms.due(now) {
            inner.events.push_back(Event::Alarm(key));
        }
        let late: Vec<u64> = inner
            .polls
            .iter()
            .take_while(|(deadline, _)| deadline.passed(now))
            .map(|(_, number)| *number)
            .collect();
        for number in late {
            inner.on_conn(number, now, |conn, host, out| conn.tick(host, out));
        }
        inner.cut_stuck(now);
    }

    fn take(&self, mail: Mail) {
        let mut inner = self.inner.borrow_mut();
        match mail {
            Mail::Event(event) => inner.events.push_back(event),
            Mail::Reply(waiter, response) => inner.reply(waiter, response),
            Mail::Image(image) => {
                inner.image = image.clone();
                inner.events.push_back(Event::Image(image));
            }
            Mail::Back(Back::Done(ticket, outcome, landed)) => {
                inner.lane.landed(landed);
                inner.tell_copied();
                inner.events.push_back(Event::Done(ticket, outcome));
            }
            Mail::Back(Back::Read(reading, served)) => {
                if let Some((reading, served)) = inner.serving.came(reading, served) {
                    if served == Served::Whole {
                        inner.lane.was_read(&reading);
                    }
                    inner.served(*reading, served);
                }
                inner.read_on();
            }
            Mail::Back(Back::Ahead(came)) => inner.came_ahead(came),
            Mail::Socket(door, socket, seat) => {
                drop(inner);
                match TcpStream::from_std(socket) {
                    Ok(socket) => {
                        let local = self.clone();
                        tokio::task::spawn_local(connection::serve(local, door, socket, seat));
                    }
                    Err(error) => tracing::warn!("a new connection was lost: {error}"),
                }
            }
            Mail::Hold(shard, hold) => inner.set_hold(shard, hold),
            Mail::Settled(told) => {
                let now = inner.clock.now();
                inner.patrol(now);
                inner.settled.push(told);
            }
            Mail::End => inner.ended = true,
        }
    }

    /// Rings whatever is due, also where mail never ends, and settles everything that is queued.
    fn turn(&self) {
        self.ring();
        self.work();
        let mut inner = self.inner.borrow_mut();
        let now = inner.clock.now();
        inner.eager.turned(now.mono);
        // Each that ends has another turn follow.
        if inner.settled.is_empty() || inner.is_ending_idle() {
            return;
        }
        for told in inner.settled.drain(..) {
            // Who asked may have gone.
            let _ = told.send(());
        }
    }

    /// Steps the core through everything that is queued, commits what came of it, and answers.
    fn work(&self) {
        let mut inner = self.inner.borrow_mut();
        let now = inner.clock.now();
        loop {
            while let Some(mut event) = inner.events.pop_front() {
                tracing::trace!(shard = inner.id.0, ?event);
                inner.notice(&mut event);
                let dice = inner.chance.roll();
                let Inner { shard, effects, .. } = &mut *inner;
                shard.step(Step { now, dice, event }, effects);
                inner.carry_out();
            }
            let Inner { shard, effects, .. } = &mut *inner;
            shard.flush(now, effects);
            inner.carry_out();
            if inner.events.is_empty() {
                break;
            }
        }
        let behind = inner.shard.behind();
        inner.lane.owe(behind);
        inner.answer(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::files::Files;
    use sawlog_core::config::Connections;
    use sawlog_core::now::Mono;
    use sawlog_core::timers::AlarmKey;

    /// A shard's thread with an empty directory, and nobody who sends it anything.
    fn local(name: &str) -> Local {
        let dir = std::env::temp_dir().join(format!("sawlog-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let files = Files::open(&dir, buffer::Pool::new(0)).unwrap();
        // The directory stays open, and goes with the test.
        std::fs::remove_dir_all(&dir).unwrap();
        let (post, _) = mpsc::unbounded_channel();
        Local::new(Parts {
            id: ShardId(0),
            posts: [post].into(),
            store: Store::Files(Arc::new(files)),
            config: Arc::default(),
            seats: Seats::new(0, Connections::default()),
            clock: Clock::start(),
            tell: Arc::new(|_| {}),
            pool: Arc::new(Pool::new(0)),
            answers: Gauge::new(1 << 20),
            waits: Arc::default(),
            memory: Allowance::new(1 << 20),
            faults: None,
        })
    }

    #[test]
    fn an_alarm_that_is_due_rings_in_every_turn_though_mail_never_ends() {
        let local = local("alarms");
        let due = Deadline(Mono(1));
        for _ in 0..3 {
            let mut inner = local.inner.borrow_mut();
            inner.alarms.set(ShardId(0), AlarmKey::Flush, due);
            drop(inner);
            local.take(Mail::Hold(ShardId(0), false));
            local.turn();
            assert_ne!(
                local.next_alarm(),
                Some(due),
                "the alarm waits for a quiet moment"
            );
        }
    }
}
