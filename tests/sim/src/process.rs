//! One broker process: the real shards and the real connections, with nothing of the real shell around them.
//! Decides nothing that `sawlog-broker` does not decide too; whatever takes time is handed out to the world.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use sawlog_core::answer::{FetchAnswer, Response};
use sawlog_core::api::table::Audience;
use sawlog_core::api::{Conn, Door, FetchSessions, FetchWaits, Host, Outbox};
use sawlog_core::cluster::image::Image;
use sawlog_core::effect::{Effect, Line};
use sawlog_core::event::{Event, Found, Step};
use sawlog_core::file::{FileOp, ReadPlan};
use sawlog_core::ids::{ConnId, ShardId, Ticket, Waiter};
use sawlog_core::node::Shard;
use sawlog_core::now::{Deadline, Dice, Now};
use sawlog_core::proof;
use sawlog_core::timers::Alarms;
use sawlog_wire::records::{Inflater, Pool};

use crate::rng::Rng;

/// Longest frame that is read.
const FRAME_MAX: usize = 8 << 20;

/// What a process wants of the world.
#[derive(Debug)]
pub enum Wish {
    /// A file operation of a shard.
    File(ShardId, Ticket, FileOp),
    /// Bytes for a waiter, from the files.
    Serve(ShardId, Waiter, ReadPlan, FetchAnswer),
    /// An event for a shard, after a hop between threads.
    Pass(ShardId, Event),
    /// A reply for a connection on another shard's thread.
    Reply(Waiter, Response),
    /// Bytes for a client.
    Send(u64, Bytes),
    /// The end of a connection.
    Close(u64),
    /// How much space is there?
    Space(ShardId),
    /// Something was said to people.
    Say(Line),
}

/// A connection as the process sees it.
struct Member {
    conn: Conn,
    buffer: BytesMut,
    closing: bool,
}

/// A running broker.
pub struct Process {
    shards: Vec<Shard>,
    inbox: Vec<VecDeque<Event>>,
    members: BTreeMap<u64, Member>,
    image: Arc<Image>,
    found: Found,
    alarms: Alarms,
    out: Outbox,
    /// Of all its threads, as if they were one.
    sessions: FetchSessions,
    waits: Arc<FetchWaits>,
    inflater: Inflater,
    pool: Arc<Pool>,
    hold: bool,
    /// Whether it accepts connections.
    pub ready: bool,
}

impl Process {
    /// A process that has just been started.
    pub fn new(found: Found) -> Process {
        let shards = found.shards;
        let first = Event::Start(Box::new(found.clone()));
        let sessions = FetchSessions::new(&found.config, ShardId(0), 1);
        let mut inbox: Vec<VecDeque<Event>> = (0..shards).map(|_| VecDeque::new()).collect();
        if let Some(zero) = inbox.first_mut() {
            zero.push_back(first);
        }
        Process {
            shards: (0..shards)
                .map(|id| Shard::new(ShardId(id), shards))
                .collect(),
            inbox,
            members: BTreeMap::new(),
            image: Arc::default(),
            found,
            alarms: Alarms::default(),
            out: Outbox::default(),
            sessions,
            waits: Arc::default(),
            inflater: Inflater::new(),
            pool: Arc::new(Pool::new(64 << 20)),
            hold: false,
            ready: false,
        }
    }

    /// Something happened to a shard.
    pub fn post(&mut self, shard: ShardId, event: Event) {
        if let Some(inbox) = self.inbox.get_mut(usize::from(shard.0)) {
            inbox.push_back(event);
        }
    }

    /// Everybody is told to stop.
    pub fn stop(&mut self) {
        for inbox in &mut self.inbox {
            inbox.push_back(Event::Stop);
        }
    }

    /// A client's connection arrives.
    pub fn accept(&mut self, number: u64) {
        let id = self.id_of(number);
        let conn = Conn::new(id, Door::of("PLAINTEXT"), Audience::Clients, None);
        self.members.insert(
            number,
            Member {
                conn,
                buffer: BytesMut::new(),
                closing: false,
            },
        );
    }

    /// A client's connection is gone.
    pub fn gone(&mut self, number: u64) {
        let id = self.id_of(number);
        self.sessions.end(id);
        if self.members.remove(&number).is_some() {
            for inbox in &mut self.inbox {
                inbox.push_back(Event::Gone(id));
            }
        }
    }

    fn id_of(&self, number: u64) -> ConnId {
        let shard = number % self.shards.len().max(1) as u64;
        ConnId {
            shard: ShardId(u16::try_from(shard).unwrap_or(0)),
            number,
        }
    }

    /// Bytes of a client arrive.
    pub fn bytes(&mut self, now: Now, number: u64, bytes: &[u8], wishes: &mut Vec<Wish>) {
        if let Some(member) = self.members.get_mut(&number) {
            member.buffer.extend_from_slice(bytes);
        }
        self.frames(now, number, wishes);
    }

    /// Reads whole frames as long as the connection has room and the node does not hold.
    fn frames(&mut self, now: Now, number: u64, wishes: &mut Vec<Wish>) {
        loop {
            if self.hold {
                return;
            }
            let Some(member) = self.members.get_mut(&number) else {
                return;
            };
            if member.closing || !member.conn.room() {
                return;
            }
            let Some(prefix) = member.buffer.first_chunk::<4>() else {
                return;
            };
            let length = usize::try_from(i32::from_be_bytes(*prefix)).unwrap_or(usize::MAX);
            if length > FRAME_MAX {
                member.closing = true;
                wishes.push(Wish::Close(number));
                return;
            }
            if member.buffer.len() < 4 + length {
                return;
            }
            member.buffer.advance(4);
            let frame = member.buffer.split_to(length).freeze();
            self.on_conn(now, number, wishes, |conn, host, out| {
                conn.frame(host, frame, out)
            });
        }
    }

    /// A reply reaches the thread of its connection.
    pub fn reply(&mut self, now: Now, waiter: Waiter, response: Response, wishes: &mut Vec<Wish>) {
        let number = waiter.conn.number;
        self.on_conn(now, number, wishes, |conn, host, out| {
            conn.reply(host, waiter, response, out)
        });
        self.frames(now, number, wishes);
    }

    fn on_conn(
        &mut self,
        now: Now,
        number: u64,
        wishes: &mut Vec<Wish>,
        act: impl FnOnce(&mut Conn, &mut Host<'_>, &mut Outbox),
    ) {
        let own = self.id_of(number).shard;
        let Some(member) = self.members.get_mut(&number) else {
            return;
        };
        let mut host = Host {
            now,
            image: &self.image,
            config: &self.found.config,
            shards: self.found.shards,
            sessions: &mut self.sessions,
            waits: &self.waits,
            inflater: &mut self.inflater,
            pool: &self.pool,
        };
        act(&mut member.conn, &mut host, &mut self.out);
        let wire = self.out.take_wire().into_bytes();
        if !wire.is_empty() {
            wishes.push(Wish::Send(number, wire));
        }
        if self.out.close.take().is_some() {
            member.closing = true;
            wishes.push(Wish::Close(number));
        }
        self.out.warn.clear();
        for (shard, waiter, part) in std::mem::take(&mut self.out.asks) {
            let event = Event::Ask(waiter, part);
            if shard == own {
                self.post(shard, event);
            } else {
                wishes.push(Wish::Pass(shard, event));
            }
        }
    }

    /// When the next alarm or long poll is due.
    pub fn next_alarm(&self) -> Option<Deadline> {
        let polls = self
            .members
            .values()
            .filter_map(|member| member.conn.deadline())
            .min();
        self.alarms.next().into_iter().chain(polls).min()
    }

    /// Rings what is due.
    pub fn ring(&mut self, now: Now, wishes: &mut Vec<Wish>) {
        while let Some((shard, key)) = self.alarms.due(now) {
            self.post(shard, Event::Alarm(key));
        }
        let late = |member: &Member| {
            member
                .conn
                .deadline()
                .is_some_and(|deadline| deadline.passed(now))
        };
        let late: Vec<u64> = self
            .members
            .iter()
            .filter(|(_, member)| late(member))
            .map(|(number, _)| *number)
            .collect();
        for number in late {
            self.on_conn(now, number, wishes, |conn, host, out| conn.tick(host, out));
            self.frames(now, number, wishes);
        }
    }

    /// Whether a shard has something to do.
    pub fn busy(&self) -> bool {
        self.inbox.iter().any(|inbox| !inbox.is_empty())
    }

    /// Lets each shard take what is in its inbox, or a drawn part of it, and flush. `trace` sees every effect.
    pub fn turn(
        &mut self,
        now: Now,
        rng: &mut Rng,
        wishes: &mut Vec<Wish>,
        trace: &mut dyn FnMut(ShardId, &Effect),
    ) {
        for index in 0..self.shards.len() {
            let id = ShardId(u16::try_from(index).unwrap_or(0));
            let waiting = self.inbox.get(index).map_or(0, VecDeque::len) as u64;
            if waiting == 0 {
                continue;
            }
            let batch = if rng.chance(200) {
                rng.between(1, waiting)
            } else {
                waiting
            };
            let mut effects = Vec::new();
            for _ in 0..batch {
                let Some(event) = self.inbox.get_mut(index).and_then(VecDeque::pop_front) else {
                    break;
                };
                let Some(shard) = self.shards.get_mut(index) else {
                    break;
                };
                shard.step(
                    Step {
                        now,
                        dice: Dice(rng.dice()),
                        event,
                    },
                    &mut effects,
                );
            }
            if let Some(shard) = self.shards.get_mut(index) {
                shard.flush(now, &mut effects);
            }
            for effect in effects {
                trace(id, &effect);
                self.carry_out(now, id, effect, wishes);
            }
        }
    }

    fn carry_out(&mut self, now: Now, shard: ShardId, effect: Effect, wishes: &mut Vec<Wish>) {
        match effect {
            Effect::File(ticket, op) => wishes.push(Wish::File(shard, ticket, op)),
            Effect::Serve(waiter, plan, answer) => {
                wishes.push(Wish::Serve(shard, waiter, plan, answer))
            }
            Effect::Reply(waiter, response) if waiter.conn.shard == shard => {
                self.reply(now, waiter, response, wishes);
            }
            Effect::Reply(waiter, response) => wishes.push(Wish::Reply(waiter, response)),
            Effect::Image(image) => {
                self.image = image.clone();
                for index in 0..self.inbox.len() {
                    let to = ShardId(u16::try_from(index).unwrap_or(0));
                    if to == shard {
                        self.post(to, Event::Image(image.clone()));
                    } else {
                        wishes.push(Wish::Pass(to, Event::Image(image.clone())));
                    }
                }
            }
            Effect::Wake(key, deadline) => self.alarms.set(shard, key, deadline),
            Effect::Pass(to, event) if to == shard => self.post(to, event),
            Effect::Pass(to, event) => {
                proof::sometimes("work-passed-to-another-shard");
                wishes.push(Wish::Pass(to, event));
            }
            Effect::Hold(hold) => {
                self.hold = hold;
                if !hold {
                    for number in self.members.keys().copied().collect::<Vec<_>>() {
                        self.frames(now, number, wishes);
                    }
                }
            }
            Effect::AskSpace => wishes.push(Wish::Space(shard)),
            Effect::Tell(line) => {
                if matches!(line, Line::Ready { .. }) {
                    self.ready = true;
                }
                wishes.push(Wish::Say(line));
            }
        }
    }
}
