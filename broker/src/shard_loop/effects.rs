//! What the core wishes, done: file operations to the lane, replies to connections, mail to other shards; and what the
//! threads around it have to know of an event before it is stepped. Decides nothing: each effect has one way to go.

use sawlog_core::answer::{Part, Response};
use sawlog_core::effect::Effect;
use sawlog_core::event::Event;
use sawlog_core::file::Served;
use sawlog_core::ids::{ShardId, Waiter};

use super::{Inner, Mail};
use crate::disk::ahead::{AtHand, Came};
use crate::disk::reading::Reading;

impl Inner {
    /// What the last step wished for, in order.
    pub(super) fn carry_out(&mut self) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            tracing::trace!(shard = self.id.0, ?effect);
            match effect {
                Effect::File(ticket, op) => {
                    let outcome = self.lane.submit(ticket, op);
                    self.tell_copied();
                    if let Some(outcome) = outcome {
                        self.events.push_back(Event::Done(ticket, outcome));
                    }
                }
                Effect::Serve(waiter, plan, answer) => {
                    let reading = self.serving.begin(waiter, plan, answer);
                    self.serve(reading);
                }
                Effect::Reply(waiter, response) => self.reply(waiter, response),
                Effect::Image(image) => {
                    self.seats.bound(&image.connections);
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
                Effect::AskSpace => match self.store.space() {
                    Ok(free) => self.events.push_back(Event::Space(free)),
                    Err(error) => tracing::warn!("how much space is left cannot be asked: {error}"),
                },
                Effect::Tell(line) => (self.tell)(line),
            }
        }
        effects.append(&mut self.effects);
        self.effects = effects;
    }

    /// What the core kept for writes that are under way may go.
    pub(super) fn tell_copied(&mut self) {
        for (ticket, bytes) in self.lane.copied() {
            self.events.push_back(Event::Copied(ticket, bytes));
        }
    }

    /// What the threads around the core have to do with an event before it is stepped.
    pub(super) fn notice(&mut self, event: &mut Event) {
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

    /// Serves a plan from memory, or has it read.
    fn serve(&mut self, mut reading: Box<Reading>) {
        match self.lane.at_hand(&mut reading) {
            AtHand::All => self.served(*reading, Served::Whole),
            AtHand::Soon => self.serving.wait_ahead(reading),
            AtHand::Nothing => {
                self.serving.wait(reading);
                self.read_on();
            }
        }
    }

    /// Something was read ahead: perhaps what somebody waits for.
    pub(super) fn came_ahead(&mut self, came: Came) {
        self.lane.came_ahead(came);
        for reading in self.serving.take_ahead() {
            self.serve(reading);
        }
    }

    /// A plan was read, or could not be.
    pub(super) fn served(&mut self, reading: Reading, served: Served) {
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
    pub(super) fn read_on(&mut self) {
        while let Some(reading) = self.serving.start() {
            self.lane.read(reading);
        }
    }

    /// A shard asks that no socket be read, or no longer: those that waited look again.
    pub(super) fn set_hold(&mut self, shard: ShardId, hold: bool) {
        self.holds.set(shard, hold);
        if self.holds.is_open() {
            for member in self.conns.values() {
                member.link.wake.notify_one();
            }
        }
    }

    /// An answer, here or on the shard where its connection lives.
    pub(super) fn reply(&mut self, waiter: Waiter, mut response: Response) {
        if waiter.conn.shard != self.id {
            if let Some(post) = self.posts.get(usize::from(waiter.conn.shard.0)) {
                let _ = post.send(Mail::Reply(waiter, response));
            }
            return;
        }
        let member = self.conns.get_mut(&waiter.conn.number);
        if let Some(trap) = member.and_then(|member| member.trap.as_mut()) {
            trap.heard(waiter, &mut response);
        }
        let now = self.clock.now();
        self.on_conn(waiter.conn.number, now, |conn, host, out| {
            conn.reply(host, waiter, response, out)
        });
    }

    /// An event for a shard, perhaps this one.
    pub(super) fn send(&mut self, shard: ShardId, event: Event) {
        if shard == self.id {
            self.events.push_back(event);
        } else if let Some(post) = self.posts.get(usize::from(shard.0)) {
            let _ = post.send(Mail::Event(event));
        }
    }

    /// The same mail to every other shard.
    pub(super) fn others(&self, mail: impl Fn() -> Mail) {
        for (shard, post) in self.posts.iter().enumerate() {
            if shard != usize::from(self.id.0) {
                let _ = post.send(mail());
            }
        }
    }
}
