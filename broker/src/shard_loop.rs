//! The thread of one shard: hands events to the core in bounded batches, carries out its effects, talks to sockets.
//! Decides nothing about data; whatever it does was an effect. One current-thread runtime per shard, no lock around it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sawlog_core::answer::{Part, Response};
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
use crate::disk::reading::Reading;
use crate::holds::Holds;
use crate::memory::Memory;
use crate::net::connection::{self, Ended, Link};
use crate::net::gauge::Gauge;
use crate::net::member::{Member, Wants};
use crate::net::seldom::Seldom;
use crate::serving::Serving;

/// Memory of frames that is kept for the next ones.
const FRAMES_IDLE: usize = 16 << 20;
/// How often readers that take nothing are looked for, while memory for answers is short.
const SWEEP: Duration = Duration::from_secs(1);
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
    /// The commit log of this shard is full, or no longer.
    Hold(ShardId, bool),
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
    serving: Serving,
    files: Arc<Files>,
    posts: Arc<[Post]>,
    tell: Tell,
    clock: Clock,
    chance: Chance,
    alarms: Alarms,
    image: Arc<Image>,
    config: Arc<BrokerConfig>,
    conns: BTreeMap<u64, Member>,
    answers: Arc<Gauge>,
    next_conn: u64,
    /// When which connection's long poll ends.
    polls: BTreeSet<(Deadline, u64)>,
    /// When to look for readers that take nothing, while memory for answers is short.
    sweep: Option<Deadline>,
    holds: Holds,
    events: VecDeque<Event>,
    effects: Vec<Effect>,
    touched: Vec<u64>,
    /// By [`Warning`].
    seldom: [Seldom; 4],
    /// Used again by every call of a connection's pure half.
    out: Outbox,
    inflater: Inflater,
    pool: Arc<Pool>,
}

/// Kinds of lines at WARN that clients can cause.
#[derive(Clone, Copy, Debug)]
enum Warning {
    Frame,
    Request,
    Slow,
    Note,
}

fn slot(seldom: &mut [Seldom; 4], kind: Warning) -> &mut Seldom {
    let [frame, request, slow, note] = seldom;
    match kind {
        Warning::Frame => frame,
        Warning::Request => request,
        Warning::Slow => slow,
        Warning::Note => note,
    }
}

fn closed(number: u64, why: &str) -> String {
    format!("connection {number} is closed: {why}")
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
    /// What readers make the node hold, on all shards.
    pub answers: Arc<Gauge>,
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
            files,
            config,
            clock,
            tell,
            pool,
            memory,
            answers,
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
            serving: Serving::new(answers.clone()),
            files,
            posts,
            tell,
            clock,
            chance: Chance::new(),
            alarms: Alarms::default(),
            image: Arc::default(),
            conns: BTreeMap::new(),
            answers,
            next_conn: 0,
            polls: BTreeSet::new(),
            sweep: None,
            holds: Holds::default(),
            events: VecDeque::new(),
            effects: Vec::new(),
            touched: Vec::new(),
            seldom: Default::default(),
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
        let member = Member::new(conn, link, &inner.answers);
        inner.conns.insert(id.number, member);
        id
    }

    /// A connection is over.
    pub fn leave(&self, id: ConnId, ending: connection::Ending) {
        let mut inner = self.inner.borrow_mut();
        match ending {
            Ok(()) => {}
            Err(Ended::Refused(why)) => inner.warn(Warning::Frame, &closed(id.number, &why)),
            Err(why) => tracing::debug!(connection = id.number, "closed: {why}"),
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
        let open = inner.holds.is_open();
        let Some(member) = inner.conns.get_mut(&id.number) else {
            return Err("forgotten".to_owned());
        };
        member.wants(open)
    }

    /// A whole frame came.
    pub fn frame(&self, id: ConnId, frame: Bytes) {
        let mut inner = self.inner.borrow_mut();
        let now = inner.clock.now();
        if let Some(member) = inner.conns.get_mut(&id.number) {
            member.opened(frame.len());
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
        let now = inner.clock.now();
        let Some(member) = inner.conns.get_mut(&id.number) else {
            return Ok(());
        };
        member.flush(now).map_err(|error| error.to_string())
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
                inner.events.push_back(Event::Done(ticket, outcome));
            }
            Mail::Back(Back::Read(reading, served)) => {
                if let Some((reading, served)) = inner.serving.came(reading, served) {
                    inner.served(*reading, served);
                }
                inner.read_on();
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
            Mail::Hold(shard, hold) => inner.set_hold(shard, hold),
        }
    }

    /// Rings whatever is due, also where mail never ends, and settles everything that is queued.
    fn turn(&self) {
        self.ring();
        self.work();
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
        inner.answer(now);
    }
}

impl Inner {
    fn warn(&mut self, kind: Warning, line: &str) {
        let now = self.clock.now();
        slot(&mut self.seldom, kind).say(now, line, |line| tracing::warn!("{line}"));
    }

    /// What the threads around the core have to do with an event before it is stepped.
    fn notice(&mut self, event: &mut Event) {
        match event {
            Event::Ask(_, Part::Fetch(part)) => self.serving.limit(part),
            Event::Gone(conn) => {
                for reading in self.serving.gone(*conn) {
                    let Reading { waiter, plan, .. } = *reading;
                    let dropped = Event::Served(waiter, plan, Served::Dropped);
                    self.events.push_back(dropped);
                }
            }
            _ => {}
        }
    }

    /// A plan was read, or could not be.
    fn served(&mut self, reading: Reading, served: Served) {
        let Reading {
            waiter,
            plan,
            answer,
            ..
        } = reading;
        if served == Served::Whole {
            self.reply(waiter, Response::Fetch(answer));
        }
        self.events.push_back(Event::Served(waiter, plan, served));
    }

    /// Keeps the reader busy.
    fn read_on(&mut self) {
        while let Some(reading) = self.serving.start() {
            self.lane.read(reading);
        }
    }

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
                    let mut reading = self.serving.begin(waiter, plan, answer);
                    if self.lane.remembers(&mut reading) {
                        self.served(*reading, Served::Whole);
                    } else {
                        self.serving.wait(reading);
                        self.read_on();
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
                    let id = self.id;
                    self.others(|| Mail::Hold(id, hold));
                    self.set_hold(id, hold);
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
        member.closed();
        for piece in self.out.take_wire().iter() {
            member.push(piece.clone());
        }
        if let Some(why) = self.out.close.take() {
            let line = closed(number, &why);
            let seldom = slot(&mut self.seldom, Warning::Request);
            seldom.say(now, &line, |line| tracing::warn!("{line}"));
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
            let seldom = slot(&mut self.seldom, Warning::Note);
            seldom.say(now, &warning, |line| tracing::warn!("{line}"));
        }
        let mut asks = std::mem::take(&mut self.out.asks);
        for (shard, waiter, part) in asks.drain(..) {
            self.send(shard, Event::Ask(waiter, part));
        }
        self.out.asks = asks;
    }

    /// While memory for answers is short, readers that took nothing for long are given up: others need it (#131).
    fn cut_stuck(&mut self, now: Now) {
        if !self.answers.is_short() {
            self.sweep = None;
            return;
        }
        if self.sweep.is_some_and(|sweep| !sweep.passed(now)) {
            return;
        }
        self.sweep = Some(now.after(SWEEP));
        for (number, member) in &mut self.conns {
            if member.is_stuck(now) {
                let why = "its client takes nothing, and others need the memory of its answers";
                let seldom = slot(&mut self.seldom, Warning::Slow);
                seldom.say(now, &closed(*number, why), |line| tracing::warn!("{line}"));
                member.give_up(why.to_owned());
                member.link.wake.notify_one();
            }
        }
    }

    fn set_hold(&mut self, shard: ShardId, hold: bool) {
        self.holds.set(shard, hold);
        if self.holds.is_open() {
            for member in self.conns.values() {
                member.link.wake.notify_one();
            }
        }
    }

    /// Writes what was answered in this turn, one call per connection.
    fn answer(&mut self, now: Now) {
        for number in std::mem::take(&mut self.touched) {
            let Some(member) = self.conns.get_mut(&number) else {
                continue;
            };
            member.queued = false;
            if let Err(error) = member.flush(now) {
                member.give_up(error.to_string());
            }
            if member.must_wake() {
                member.link.wake.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sawlog_core::now::Mono;
    use sawlog_core::timers::AlarmKey;

    /// A shard's thread with an empty directory, and nobody who sends it anything.
    fn local(name: &str) -> Local {
        let dir = std::env::temp_dir().join(format!("sawlog-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let files = Arc::new(Files::open(&dir, buffer::Pool::new(0)).unwrap());
        // The directory stays open, and goes with the test.
        std::fs::remove_dir_all(&dir).unwrap();
        let (post, _) = mpsc::unbounded_channel();
        Local::new(Parts {
            id: ShardId(0),
            posts: [post].into(),
            files,
            config: Arc::default(),
            clock: Clock::start(),
            tell: Arc::new(|_| {}),
            pool: Arc::new(Pool::new(0)),
            answers: Gauge::new(1 << 20),
            memory: Memory::new(1 << 20),
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
