//! The connections that live on a shard's thread: from their sockets to their pure halves and back.
//! Decides which sockets are woken, and when a reader that takes nothing is given up (#131, #133); never what a request means.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sawlog_core::answer::Part;
use sawlog_core::api::table::Audience;
use sawlog_core::api::{Conn, Door, Host, Outbox};
use sawlog_core::event::Event;
use sawlog_core::ids::{ConnId, LogId, ShardId};
use sawlog_core::now::Now;

use super::{Inner, Local};
use crate::clock::Clock;
use crate::disk::buffer::{self, PAGE};
use crate::memory::late::Late;
use crate::memory::trap::Trap;
use crate::net::allowance::Allowance;
use crate::net::connection::{self, Ended, Link};
use crate::net::member::{Member, Wants};
use crate::net::seldom::Seldom;

/// How often readers that take nothing are looked for, while memory for answers is short ...
const SWEEP: Duration = Duration::from_secs(1);
/// ... and while there is none, and no request is read for that.
const SWEEP_FULL: Duration = Duration::from_millis(100);

/// Lines at WARN that clients can cause, by their kind.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    /// What was sent is no frame.
    frame: Seldom,
    /// A request is beyond help.
    request: Seldom,
    /// A reader takes nothing.
    slow: Seldom,
    /// Whatever a key's code says.
    note: Seldom,
}

fn closed(number: u64, why: &str) -> String {
    format!("connection {number} is closed: {why}")
}

impl Local {
    /// A connection that came through this door, from this address, begins to live here.
    pub fn join(&self, door: Arc<Door>, from: IpAddr, link: Rc<Link>) -> ConnId {
        let mut inner = self.inner.borrow_mut();
        let id = ConnId {
            shard: inner.id,
            number: inner.next_conn,
        };
        inner.next_conn += 1;
        let audience = match inner.config.controller_listeners.contains(&door.listener) {
            true => Audience::Controllers,
            false => Audience::Clients,
        };
        let conn = Conn::new(id, door, audience, Some(from));
        let now = inner.clock.now();
        let mut member = Member::new(conn, link, &inner.answers, now);
        member.late = inner
            .faults
            .as_ref()
            .and_then(|faults| Late::of(faults, self, id));
        inner.conns.insert(id.number, Box::new(member));
        id
    }

    /// A whole frame came; it is settled with the turn, or at once.
    pub fn frame(&self, id: ConnId, frame: Bytes) {
        let mut inner = self.inner.borrow_mut();
        let now = inner.clock.now();
        let cheap = inner.lane.is_cheap();
        let at_once = inner.eager.frame(id.number, now.mono, cheap);
        if let Some(member) = inner.conns.get_mut(&id.number) {
            member.opened(frame.len());
        }
        inner.on_conn(id.number, now, |conn, host, out| {
            conn.frame(host, frame, out)
        });
        drop(inner);
        if at_once {
            self.work();
        }
    }

    /// How far behind the beginning of a page a frame that begins so is to begin, four bytes of length before it, so that
    /// its first batch lies in memory as it will lie in its file: then it need not be copied. A guess, and right unless
    /// somebody else writes to the same log, or a segment ends.
    pub fn skew(&self, frame: &[u8]) -> usize {
        let inner = self.inner.borrow();
        let found = sawlog_core::api::first_batch(&inner.image, frame);
        let Some((log, before)) = found.filter(|(log, _)| log.owner(inner.shards) == inner.id)
        else {
            return 0;
        };
        let Some(next) = inner.shard.next_direct(log) else {
            return 0;
        };
        let ahead: usize = inner.events.iter().map(|event| appends(event, log)).sum();
        let lies = usize::try_from(next % PAGE as u64).unwrap_or(0) + ahead % PAGE;
        (lies + 2 * PAGE - (4 + before) % PAGE) % PAGE
    }

    /// Tells the loop that there is something to settle in this turn.
    pub fn settle(&self) {
        self.dirty.notify_one();
    }

    /// What its task should wait for; an error ends it.
    pub fn wants(&self, id: ConnId) -> Result<Wants, String> {
        let mut inner = self.inner.borrow_mut();
        let full = inner.is_full();
        if full && inner.sweep.is_none() {
            inner.sweep = Some(inner.clock.now().after(SWEEP_FULL));
            // The loop has to know that there is something to wait for.
            self.settle();
        }
        let open = inner.holds.is_open() && !full;
        let Some(member) = inner.conns.get_mut(&id.number) else {
            return Err("forgotten".to_owned());
        };
        member.wants(open)
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

    /// What waits for this frame, if a fault may meet it. In a broker there is none.
    pub fn trap(&self, frame: &[u8]) -> Option<Box<Trap>> {
        let inner = self.inner.borrow();
        inner.faults.as_ref()?.trap(frame, inner.clock.now())
    }

    /// The next request of a connection is the one that this waits for.
    pub fn set_trap(&self, id: ConnId, trap: Box<Trap>) {
        if let Some(member) = self.inner.borrow_mut().conns.get_mut(&id.number) {
            member.trap = Some(trap);
        }
    }

    /// That request is over, and its answer is held back until it is let go.
    pub fn take_trap(&self, id: ConnId) -> Option<Box<Trap>> {
        let mut inner = self.inner.borrow_mut();
        let member = inner.conns.get_mut(&id.number)?;
        let trap = member.trap.take()?;
        member.held_back += 1;
        Some(trap)
    }

    /// That answer is held back no longer.
    pub fn let_go(&self, id: ConnId) {
        if let Some(member) = self.inner.borrow_mut().conns.get_mut(&id.number) {
            member.held_back -= 1;
        }
    }

    /// Whether a connection owes any answer; then also whether its socket did not take all there is. Its task is woken with
    /// every answer. An error ends it.
    pub fn owes(&self, id: ConnId) -> Result<Option<bool>, String> {
        let mut inner = self.inner.borrow_mut();
        let Some(member) = inner.conns.get_mut(&id.number) else {
            return Err("forgotten".to_owned());
        };
        let wants = member.wants(false)?;
        Ok((member.conn.open() > 0).then_some(wants.write))
    }

    /// Sends what is ready.
    pub fn send(&self, id: ConnId, pieces: Vec<Bytes>) {
        let mut inner = self.inner.borrow_mut();
        let now = inner.clock.now();
        let Some(member) = inner.conns.get_mut(&id.number) else {
            return;
        };
        for piece in pieces {
            member.push(piece, now);
        }
        inner.flush(id, now);
    }

    /// Sends what was late.
    pub fn send_late(&self, id: ConnId, piece: Bytes) {
        let mut inner = self.inner.borrow_mut();
        let now = inner.clock.now();
        let Some(member) = inner.conns.get_mut(&id.number) else {
            return;
        };
        member.held_back -= 1;
        member.send(piece);
        inner.flush(id, now);
    }

    /// The time.
    pub fn now(&self) -> Now {
        self.inner.borrow().clock.now()
    }

    /// The node's clock.
    pub fn clock(&self) -> Clock {
        self.inner.borrow().clock.clone()
    }

    /// A connection is over.
    pub fn leave(&self, id: ConnId, ending: connection::Ending) {
        let mut inner = self.inner.borrow_mut();
        match ending {
            Ok(()) => {}
            Err(Ended::Refused(why)) => {
                let now = inner.clock.now();
                inner.warnings.frame.warn(now, &closed(id.number, &why));
            }
            Err(why) => tracing::debug!(connection = id.number, "closed: {why}"),
        }
        if let Some(deadline) = inner
            .conns
            .remove(&id.number)
            .and_then(|member| member.deadline)
        {
            inner.polls.remove(&(deadline, id.number));
        }
        inner.sessions.end(id);
        for shard in 0..inner.shards {
            inner.send(ShardId(shard), Event::Gone(id));
        }
        drop(inner);
        self.settle();
    }

    /// The longest frame that is read.
    pub fn frame_max(&self) -> usize {
        self.frame_max
    }

    /// Memory for frames.
    pub fn frames(&self) -> buffer::Pool {
        self.frames.clone()
    }

    /// What long frames share.
    pub fn memory(&self) -> Allowance {
        self.memory.clone()
    }
}

/// Bytes that an event is to append to a log.
fn appends(event: &Event, log: LogId) -> usize {
    match event {
        Event::Ask(_, Part::Append(append)) if append.log == log => append.bytes.len(),
        _ => 0,
    }
}

fn flush(member: &mut Member, now: Now) {
    if let Err(error) = member.flush(now) {
        member.give_up(error.to_string());
    }
    if member.must_wake() {
        member.link.wake.notify_one();
    }
}

impl Inner {
    /// Lets a connection's pure half act, and passes on what it asks for.
    pub(super) fn on_conn(
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
        let (sessions, waits) = (&mut self.sessions, &self.waits);
        let mut host = Host {
            now,
            image,
            config,
            shards,
            sessions,
            waits,
            inflater,
            pool,
        };
        act(&mut member.conn, &mut host, &mut self.out);
        member.closed();
        for piece in self.out.take_wire().iter() {
            member.push(piece.clone(), now);
        }
        if let Some(why) = self.out.close.take() {
            self.warnings.request.warn(now, &closed(number, &why));
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
            self.warnings.note.warn(now, &warning);
        }
        let mut asks = std::mem::take(&mut self.out.asks);
        let refused = match &mut member.trap {
            Some(trap) => trap.take(&self.image, &mut asks).unwrap_or_else(|why| {
                member.close = Some(why);
                Vec::new()
            }),
            None => Vec::new(),
        };
        for (shard, waiter, part) in asks.drain(..) {
            self.send(shard, Event::Ask(waiter, part));
        }
        self.out.asks = asks;
        for (waiter, response) in refused {
            self.reply(waiter, response);
        }
    }

    /// Writes what was answered in this turn, one call per connection.
    pub(super) fn answer(&mut self, now: Now) {
        for number in std::mem::take(&mut self.touched) {
            let Some(member) = self.conns.get_mut(&number) else {
                continue;
            };
            member.queued = false;
            flush(member, now);
        }
    }

    /// Writes what a connection has to send.
    fn flush(&mut self, id: ConnId, now: Now) {
        if let Some(member) = self.conns.get_mut(&id.number) {
            flush(member, now);
        }
    }

    /// While memory for answers is short, readers that took nothing for long are given up: others need it. While there is
    /// none no request is read, and those go that hold most of what they had time to take (#131, #133).
    pub(super) fn cut_stuck(&mut self, now: Now) {
        if !self.answers.is_short() && !self.waits.is_full() {
            if self.sweep.take().is_some() {
                self.wake_muted();
            }
            return;
        }
        if self.sweep.is_some_and(|sweep| !sweep.passed(now)) {
            return;
        }
        let short = self.answers.is_short();
        let stuck = |member: &Member| short && member.is_stuck(now);
        let stuck = self.conns.iter().filter(|(_, member)| stuck(member));
        let stuck: Vec<u64> = stuck.map(|(number, _)| *number).collect();
        for number in stuck {
            self.give_up(
                now,
                number,
                "its client takes nothing, and others need the memory of its answers",
            );
        }
        if self.answers.is_full() {
            self.shed(now);
        }
        let full = self.is_full();
        self.sweep = Some(now.after(if full { SWEEP_FULL } else { SWEEP }));
        if !full {
            self.wake_muted();
        }
    }

    /// Gives up who holds most, until a quarter is free.
    fn shed(&mut self, now: Now) {
        let overdue = self
            .conns
            .iter()
            .map(|(number, member)| (member.overdue(now), *number));
        let mut overdue: Vec<(usize, u64)> = overdue.filter(|(bytes, _)| *bytes > 0).collect();
        overdue.sort_unstable();
        while self.answers.is_nearly_full()
            && let Some((bytes, number)) = overdue.pop()
        {
            let why = format!(
                "there is no memory for answers, and its client has not taken {bytes} bytes of its own"
            );
            self.give_up(now, number, &why);
        }
    }

    /// Whether no request is read for want of memory: answers that nobody takes fill it, or more Fetches are being answered
    /// at once than there is room for.
    fn is_full(&self) -> bool {
        self.answers.is_full() || self.waits.is_full()
    }

    fn give_up(&mut self, now: Now, number: u64, why: &str) {
        let Some(member) = self.conns.get_mut(&number) else {
            return;
        };
        self.warnings.slow.warn(now, &closed(number, why));
        member.give_up(why.to_owned());
        member.link.wake.notify_one();
    }

    /// Ends connections whose peers are too slow (#133), and those that are idle.
    pub(super) fn patrol(&mut self, now: Now) {
        for (number, member) in &mut self.conns {
            if member.close.is_some() {
                continue;
            }
            let Some(why) = member.is_slow(now) else {
                continue;
            };
            self.warnings.slow.warn(now, &closed(*number, &why));
            member.give_up(why);
            member.idle = true;
            member.link.wake.notify_one();
        }
        self.end_idle(now);
    }

    /// Ends connections on which nothing has moved for long and to which nothing is owed (`connections.max.idle.ms`).
    fn end_idle(&mut self, now: Now) {
        let Some(max) = self.config.idle_max else {
            return;
        };
        for member in self.conns.values_mut() {
            if member.is_idle(now, max) {
                member.give_up(format!("nothing moved for {} s", max.as_secs_f32()));
                member.idle = true;
                member.link.wake.notify_one();
            }
        }
    }

    /// Whether a connection that was idle has not ended yet.
    pub(super) fn is_ending_idle(&self) -> bool {
        self.conns.values().any(|member| member.idle)
    }

    fn wake_muted(&self) {
        for member in self.conns.values().filter(|member| member.is_muted()) {
            member.link.wake.notify_one();
        }
    }
}
