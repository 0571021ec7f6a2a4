//! The thread of one shard: hands events to the core in bounded batches, carries out its effects, talks to sockets.
//! Decides nothing about data; whatever it does was an effect. One current-thread runtime per shard, no lock around it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use sawlog_core::answer::Response;
use sawlog_core::api::table::Audience;
use sawlog_core::api::{Conn, Host, Outbox};
use sawlog_core::cluster::image::Image;
use sawlog_core::config::BrokerConfig;
use sawlog_core::effect::{Effect, Line};
use sawlog_core::event::{Event, Step};
use sawlog_core::file::Served;
use sawlog_core::ids::{ConnId, ShardId, Waiter};
use sawlog_core::node::Shard;
use sawlog_core::now::{Deadline, Now};
use sawlog_core::timers::Alarms;
use sawlog_wire::records::{Inflater, Pool};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};

use crate::clock::{Chance, Clock};
use crate::disk::buffer;
use crate::disk::files::Files;
use crate::disk::lane::{Back, Lane};
use crate::memory::Memory;
use crate::net::connection::{self, Link};

/// Bytes that may wait for a slow reader before his requests are no longer read (#131, #132).
const UNSENT_MAX: usize = 4 << 20;
/// Bytes of one connection's requests without a reply beyond which its socket is not read (#131): twice what is on its
/// way to the disk at most.
const OPEN_BYTES_MAX: usize = 16 << 20;
/// Memory of frames that is kept for the next ones.
const FRAMES_IDLE: usize = 16 << 20;
/// Events taken from the inbox in one batch.
const BATCH: usize = 1024;

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
    /// A new connection.
    Socket(Arc<str>, std::net::TcpStream),
    /// Commit log full, or no longer.
    Hold(bool),
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
    memory: Memory,
}

struct Inner {
    id: ShardId,
    shard: Shard,
    shards: u16,
    lane: Lane,
    files: Arc<Files>,
    posts: Arc<[Post]>,
    tell: Tell,
    clock: Clock,
    chance: Chance,
    alarms: Alarms,
    image: Arc<Image>,
    config: Arc<BrokerConfig>,
    conns: BTreeMap<u64, Member>,
    next_conn: u64,
    /// When which connection's long poll ends.
    polls: BTreeSet<(Deadline, u64)>,
    hold: bool,
    events: VecDeque<Event>,
    effects: Vec<Effect>,
    touched: Vec<u64>,
    /// Used again by every call of a connection's pure half.
    out: Outbox,
    inflater: Inflater,
    pool: Arc<Pool>,
}

struct Member {
    conn: Conn,
    link: Rc<Link>,
    /// Sizes of the requests without a reply, oldest first, and their sum.
    open: VecDeque<usize>,
    open_bytes: usize,
    /// What the socket has not taken yet.
    unsent: VecDeque<Bytes>,
    unsent_bytes: usize,
    /// It is to end when everything is sent: why.
    close: Option<String>,
    /// Already in `touched`.
    queued: bool,
    blocked: bool,
    /// Whether the task last saw that it may not read.
    muted: bool,
    /// Its entry in `polls`.
    deadline: Option<Deadline>,
}

/// What a connection's task should wait for.
#[derive(Clone, Copy, Debug)]
pub struct Wants {
    /// It may read more requests.
    pub read: bool,
    /// There are bytes the socket did not take.
    pub write: bool,
}

/// What a shard's thread is made of.
pub struct Parts {
    /// Which shard.
    pub id: ShardId,
    /// All inboxes, by shard.
    pub posts: Arc<[Post]>,
    /// The open log directory.
    pub files: Arc<Files>,
    /// The settings.
    pub config: Arc<BrokerConfig>,
    /// The node's clock.
    pub clock: Clock,
    /// Where lines for people go.
    pub tell: Tell,
    /// Memory for decompression, shared by all shards (#130).
    pub pool: Arc<Pool>,
    /// What long frames of all shards may take (#131).
    pub memory: Memory,
}

/// Runs one shard until the process ends.
pub async fn run(parts: Parts, mut mail: mpsc::UnboundedReceiver<Mail>) {
    let clock = parts.clock;
    let local = Local::new(parts);
    let mut patrol = tokio::time::interval(connection::PACE);
    loop {
        let due = local.next_alarm();
        let alarm = async {
            match due {
                Some(deadline) => tokio::time::sleep_until(clock.instant(deadline).into()).await,
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
            }
            () = local.dirty.notified() => {
                // Whoever else has something to say in this turn says it before the commit is cut.
                tokio::task::yield_now().await;
            }
            () = alarm => local.ring(),
            _ = patrol.tick() => local.patrol(),
        }
        local.work();
    }
}

impl Local {
    fn new(parts: Parts) -> Local {
        let Parts {
            id,
            posts,
            files,
            config,
            clock,
            tell,
            pool,
            memory,
        } = parts;
        let shards = u16::try_from(posts.len()).unwrap_or(u16::MAX);
        let post = posts.get(usize::from(id.0)).cloned();
        let inbox = Arc::new(move |back| {
            if let Some(post) = &post {
                // A thread of the disk may outlive the loop at the very end.
                let _ = post.send(Mail::Back(back));
            }
        });
        let share = config.cache_bytes / u64::from(shards.max(1));
        let inner = Inner {
            id,
            shard: Shard::new(id, shards),
            shards,
            lane: Lane::new(files.clone(), share, inbox),
            files,
            posts,
            tell,
            clock,
            chance: Chance::new(),
            alarms: Alarms::default(),
            image: Arc::default(),
            conns: BTreeMap::new(),
            next_conn: 0,
            polls: BTreeSet::new(),
            hold: false,
            events: VecDeque::new(),
            effects: Vec::new(),
            touched: Vec::new(),
            out: Outbox::default(),
            inflater: Inflater::new(),
            pool,
            config,
        };
        let frame_max = usize::try_from(inner.config.frame_max_bytes).unwrap_or(usize::MAX);
        Local {
            inner: Rc::new(RefCell::new(inner)),
            dirty: Rc::new(Notify::new()),
            frame_max,
            frames: buffer::Pool::new(FRAMES_IDLE),
            memory,
        }
    }

    /// What long frames share.
    pub fn memory(&self) -> Memory {
        self.memory.clone()
    }

    /// While somebody waits for memory every connection looks whether it keeps its pace: one that is silent would not
    /// wake by itself (#133).
    fn patrol(&self) {
        if self.memory.is_wanted() {
            for member in self.inner.borrow().conns.values() {
                member.link.wake.notify_one();
            }
        }
    }

    /// The longest frame that is read.
    pub fn frame_max(&self) -> usize {
        self.frame_max
    }

    /// Memory for frames.
    pub fn frames(&self) -> buffer::Pool {
        self.frames.clone()
    }

    /// A connection begins to live here; `listener` is the name of the one it came by.
    pub fn join(&self, listener: Arc<str>, link: Rc<Link>) -> ConnId {
        let mut inner = self.inner.borrow_mut();
        let id = ConnId {
            shard: inner.id,
            number: inner.next_conn,
        };
        inner.next_conn += 1;
        let conn = Conn::new(id, listener, Audience::Clients);
        let (unsent, unsent_bytes, close) = (VecDeque::new(), 0, None);
        let member = Member {
            conn,
            link,
            open: VecDeque::new(),
            open_bytes: 0,
            unsent,
            unsent_bytes,
            close,
            queued: false,
            blocked: false,
            muted: false,
            deadline: None,
        };
        inner.conns.insert(id.number, member);
        id
    }

    /// A connection is over.
    pub fn leave(&self, id: ConnId, ending: connection::Ending) {
        let mut inner = self.inner.borrow_mut();
        if let Err(why) = ending {
            tracing::debug!(connection = id.number, "closed: {why}");
        }
        if let Some(deadline) = inner
            .conns
            .remove(&id.number)
            .and_then(|member| member.deadline)
        {
            inner.polls.remove(&(deadline, id.number));
        }
        for shard in 0..inner.shards {
            inner.send(ShardId(shard), Event::Gone(id));
        }
        drop(inner);
        self.settle();
    }

    /// What its task should wait for; an error ends it.
    pub fn wants(&self, id: ConnId) -> Result<Wants, String> {
        let mut inner = self.inner.borrow_mut();
        let hold = inner.hold;
        let Some(member) = inner.conns.get_mut(&id.number) else {
            return Err("forgotten".to_owned());
        };
        let write = member.unsent_bytes > 0;
        if let Some(why) = &member.close
            && !write
        {
            return Err(why.clone());
        }
        let closing = member.close.is_some();
        let read = member.conn.room()
            && !hold
            && !closing
            && member.unsent_bytes < UNSENT_MAX
            && member.open_bytes < OPEN_BYTES_MAX;
        member.muted = !read;
        Ok(Wants {
            read,
            write: write && member.blocked,
        })
    }

    /// A whole frame came.
    pub fn frame(&self, id: ConnId, frame: Bytes) {
        let mut inner = self.inner.borrow_mut();
        let now = inner.clock.now();
        if let Some(member) = inner.conns.get_mut(&id.number) {
            member.open.push_back(frame.len());
            member.open_bytes += frame.len();
        }
        inner.on_conn(id.number, now, |conn, host, out| {
            conn.frame(host, frame, out)
        });
    }

    /// Tells the loop that there is something to settle in this turn.
    pub fn settle(&self) {
        self.dirty.notify_one();
    }

    /// The socket takes bytes again.
    pub fn write(&self, id: ConnId) -> Result<(), String> {
        let mut inner = self.inner.borrow_mut();
        let Some(member) = inner.conns.get_mut(&id.number) else {
            return Ok(());
        };
        member.flush().map_err(|error| error.to_string())
    }

    fn next_alarm(&self) -> Option<Deadline> {
        let inner = self.inner.borrow();
        let polls = inner.polls.first().map(|(deadline, _)| *deadline);
        inner.alarms.next().into_iter().chain(polls).min()
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
                inner.events.push_back(Event::Done(ticket, outcome));
            }
            Mail::Back(Back::Read(waiter, plan, answer, served)) => {
                if served == Served::Whole {
                    inner.reply(waiter, Response::Fetch(answer));
                }
                inner.events.push_back(Event::Served(waiter, plan, served));
            }
            Mail::Socket(listener, socket) => {
                drop(inner);
                match TcpStream::from_std(socket) {
                    Ok(socket) => {
                        tokio::task::spawn_local(connection::serve(self.clone(), listener, socket));
                    }
                    Err(error) => tracing::warn!("a new connection was lost: {error}"),
                }
            }
            Mail::Hold(hold) => inner.set_hold(hold),
        }
    }

    /// Steps the core through everything that is queued, commits what came of it, and answers.
    fn work(&self) {
        let mut inner = self.inner.borrow_mut();
        let now = inner.clock.now();
        loop {
            while let Some(event) = inner.events.pop_front() {
                tracing::trace!(shard = inner.id.0, ?event);
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
        inner.answer();
    }
}

impl Inner {
    fn carry_out(&mut self) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            tracing::trace!(shard = self.id.0, ?effect);
            match effect {
                Effect::File(ticket, op) => {
                    if let Some(outcome) = self.lane.submit(ticket, op) {
                        self.events.push_back(Event::Done(ticket, outcome));
                    }
                }
                Effect::Serve(waiter, plan, answer) => {
                    if let Some((waiter, plan, answer)) = self.lane.serve(waiter, plan, answer) {
                        self.reply(waiter, Response::Fetch(answer));
                        self.events
                            .push_back(Event::Served(waiter, plan, Served::Whole));
                    }
                }
                Effect::Reply(waiter, response) => self.reply(waiter, response),
                Effect::Image(image) => {
                    self.image = image.clone();
                    self.others(|| Mail::Image(image.clone()));
                    self.events.push_back(Event::Image(image));
                }
                Effect::Wake(key, deadline) => self.alarms.set(self.id, key, deadline),
                Effect::Pass(shard, event) => self.send(shard, event),
                Effect::Hold(hold) => {
                    self.others(|| Mail::Hold(hold));
                    self.set_hold(hold);
                }
                Effect::AskSpace => match self.files.space() {
                    Ok(free) => self.events.push_back(Event::Space(free)),
                    Err(error) => tracing::warn!("how much space is left cannot be asked: {error}"),
                },
                Effect::Tell(line) => (self.tell)(line),
            }
        }
        effects.append(&mut self.effects);
        self.effects = effects;
    }

    fn others(&self, mail: impl Fn() -> Mail) {
        for (shard, post) in self.posts.iter().enumerate() {
            if shard != usize::from(self.id.0) {
                let _ = post.send(mail());
            }
        }
    }

    fn send(&mut self, shard: ShardId, event: Event) {
        if shard == self.id {
            self.events.push_back(event);
        } else if let Some(post) = self.posts.get(usize::from(shard.0)) {
            let _ = post.send(Mail::Event(event));
        }
    }

    fn reply(&mut self, waiter: Waiter, response: Response) {
        if waiter.conn.shard != self.id {
            if let Some(post) = self.posts.get(usize::from(waiter.conn.shard.0)) {
                let _ = post.send(Mail::Reply(waiter, response));
            }
            return;
        }
        let now = self.clock.now();
        self.on_conn(waiter.conn.number, now, |conn, host, out| {
            conn.reply(host, waiter, response, out)
        });
    }

    /// Lets a connection's pure half act, and passes on what it asks for.
    fn on_conn(
        &mut self,
        number: u64,
        now: Now,
        act: impl FnOnce(&mut Conn, &mut Host<'_>, &mut Outbox),
    ) {
        let Some(member) = self.conns.get_mut(&number) else {
            return;
        };
        let (image, config, shards) = (&self.image, &*self.config, self.shards);
        let (inflater, pool) = (&mut self.inflater, &self.pool);
        let mut host = Host {
            now,
            image,
            config,
            shards,
            inflater,
            pool,
        };
        act(&mut member.conn, &mut host, &mut self.out);
        // Replies leave in the order of their requests, so the newest sizes belong to what is open (a request without a
        // reply among them only shifts sizes, and the sum comes back to zero with the last one).
        while member.open.len() > member.conn.open() {
            member.open_bytes -= member.open.pop_front().unwrap_or(0);
        }
        for piece in self.out.take_wire().iter() {
            member.unsent_bytes += piece.len();
            member.unsent.push_back(piece.clone());
        }
        if let Some(why) = self.out.close.take() {
            tracing::warn!("connection {number} is closed: {why}");
            member.close = Some(why);
        }
        let deadline = member.conn.deadline();
        if deadline != member.deadline {
            if let Some(old) = member.deadline {
                self.polls.remove(&(old, number));
            }
            if let Some(new) = deadline {
                self.polls.insert((new, number));
            }
            member.deadline = deadline;
        }
        if !member.queued {
            member.queued = true;
            self.touched.push(number);
        }
        for warning in self.out.warn.drain(..) {
            tracing::warn!("{warning}");
        }
        let mut asks = std::mem::take(&mut self.out.asks);
        for (shard, waiter, part) in asks.drain(..) {
            self.send(shard, Event::Ask(waiter, part));
        }
        self.out.asks = asks;
    }

    fn set_hold(&mut self, hold: bool) {
        self.hold = hold;
        if !hold {
            for member in self.conns.values() {
                member.link.wake.notify_one();
            }
        }
    }

    /// Writes what was answered in this turn, one call per connection.
    fn answer(&mut self) {
        for number in std::mem::take(&mut self.touched) {
            let Some(member) = self.conns.get_mut(&number) else {
                continue;
            };
            member.queued = false;
            if let Err(error) = member.flush() {
                member.close.get_or_insert_with(|| error.to_string());
                member.unsent.clear();
                member.unsent_bytes = 0;
            }
            if member.blocked || member.muted || member.close.is_some() {
                member.link.wake.notify_one();
            }
        }
    }
}

impl Member {
    fn flush(&mut self) -> std::io::Result<()> {
        self.blocked = false;
        while self.unsent_bytes > 0 {
            let mut written = connection::write(&self.link, self.unsent.iter())?;
            if written == 0 {
                self.blocked = true;
                break;
            }
            self.unsent_bytes -= written;
            while let Some(first) = self.unsent.front_mut() {
                if written < first.len() {
                    first.advance(written);
                    break;
                }
                written -= first.len();
                self.unsent.pop_front();
            }
        }
        Ok(())
    }
}
