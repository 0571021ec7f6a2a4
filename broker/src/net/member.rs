//! What a shard's thread keeps of one connection: its requests, what it holds, and what its socket has not taken yet.
//! Decides when its socket is read (#131, #132); never what a request means.

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use sawlog_core::api::Conn;
use sawlog_core::now::{Deadline, Mono, Now};

use super::connection::{self, Link};
use super::gauge::{Gauge, Holding};
use super::rate::{ANSWER_WHILE, FRAME_WHILE, LEAST, Rate};
use crate::memory::late::Late;
use crate::memory::trap::Trap;

/// Bytes that may wait for a slow reader before its requests are no longer read (#131, #132).
const UNSENT_MAX: usize = 4 << 20;
/// Bytes of one connection's requests without a reply beyond which its socket is not read (#131).
const OPEN_BYTES_MAX: usize = 32 << 20;
/// After so many bytes of answers a connection lets the others have a turn (#133), and after so many of requests: what came
/// is then worked on while it is in the processor's cache, and written while more comes.
const TURN_MAX: usize = 256 << 10;
const TURN_IN_MAX: usize = 1 << 19;
/// So many bytes more are told at once to those who share the memory.
const TELL_EVERY: usize = 64 << 10;
/// How long a reader may take nothing while there is no memory for others.
const STUCK_MAX: Duration = Duration::from_secs(10);
/// How long a reader may take less than this while there is no memory for any answer (#133).
const BEHIND_MAX: Duration = Duration::from_secs(1);
const PACE_LEAST: usize = 64 << 10;

/// One connection.
pub struct Member {
    /// Its pure half.
    pub conn: Conn,
    /// Its socket.
    pub link: Rc<Link>,
    /// It is to end when everything is sent: why.
    pub close: Option<String>,
    /// It is on the list of those that have something to send.
    pub queued: bool,
    /// Its entry in the list of long polls.
    pub deadline: Option<Deadline>,
    /// Whether its task last saw that it may not read.
    muted: bool,
    /// Sizes of the requests without a reply, oldest first, and their sum.
    open: VecDeque<usize>,
    open_bytes: usize,
    /// What the socket has not taken yet.
    unsent: VecDeque<Bytes>,
    unsent_bytes: usize,
    /// What `answers` knows of them.
    told: usize,
    /// Bytes of answers since others had their turn.
    turn: usize,
    /// And of requests.
    turn_in: usize,
    blocked: bool,
    /// When it is given up if its socket takes nothing and others need the memory.
    stuck: Option<Deadline>,
    /// Since when its socket has taken next to nothing of what there is, and how much it took.
    behind: Option<Mono>,
    took: usize,
    /// What its socket took, while there is more (#133).
    takes: Option<Rate>,
    /// When something was last seen to have moved.
    active: Mono,
    /// Nothing is sent any more.
    given_up: bool,
    /// Because nothing, or too little, had moved for long.
    pub idle: bool,
    answers: Holding,
    /// The request that it has to itself, where a fault may meet one (`memory`).
    pub trap: Option<Box<Trap>>,
    /// Where answers wait that are to be late (`memory`).
    pub late: Option<Box<Late>>,
    /// How many answers, or pieces of them, are ready and wait for their time (`memory`).
    pub held_back: usize,
}

/// What a connection's task should wait for.
#[derive(Clone, Copy, Debug)]
pub struct Wants {
    /// It may read more requests.
    pub read: bool,
    /// There are bytes the socket did not take.
    pub write: bool,
    /// It had its share of the thread: others first.
    pub give_way: bool,
}

impl Member {
    /// A new connection; `answers` counts what it holds of answers.
    pub fn new(conn: Conn, link: Rc<Link>, answers: &Arc<Gauge>, now: Now) -> Member {
        Member {
            active: now.mono,
            conn,
            link,
            close: None,
            queued: false,
            deadline: None,
            muted: false,
            open: VecDeque::with_capacity(1),
            open_bytes: 0,
            unsent: VecDeque::with_capacity(1),
            unsent_bytes: 0,
            told: 0,
            turn: 0,
            turn_in: 0,
            blocked: false,
            stuck: None,
            behind: None,
            took: 0,
            takes: None,
            given_up: false,
            idle: false,
            answers: Holding::new(answers, 0),
            trap: None,
            late: None,
            held_back: 0,
        }
    }

    /// What its task should wait for, or why it ends.
    /// `open`: sockets are read at all.
    pub fn wants(&mut self, open: bool) -> Result<Wants, String> {
        let write = self.unsent_bytes > 0;
        if let Some(why) = &self.close
            && !write
        {
            return Err(why.clone());
        }
        let read = self.conn.room()
            && open
            && self.close.is_none()
            && self.unsent_bytes < UNSENT_MAX
            && self.open_bytes < OPEN_BYTES_MAX;
        self.muted = !read;
        let give_way = self.turn >= TURN_MAX || self.turn_in >= TURN_IN_MAX;
        if give_way {
            (self.turn, self.turn_in) = (0, 0);
        }
        Ok(Wants {
            give_way,
            read,
            write: write && self.blocked,
        })
    }

    /// A frame was read that holds so much memory.
    pub fn opened(&mut self, bytes: usize) {
        self.open.push_back(bytes);
        self.open_bytes += bytes;
        self.turn_in += bytes;
    }

    /// Replies leave in the order of their requests, so the newest sizes belong to what is open (a request without a
    /// reply among them only shifts sizes, and the sum comes back to zero with the last one).
    pub fn closed(&mut self) {
        while self.open.len() > self.conn.open() {
            self.open_bytes -= self.open.pop_front().unwrap_or(0);
        }
    }

    /// This is to be sent.
    pub fn push(&mut self, piece: Bytes, now: Now) {
        match (&mut self.trap, &self.late) {
            (Some(trap), _) => trap.push(piece),
            (None, Some(late)) => {
                self.held_back += 1;
                late.push(piece, now);
            }
            (None, None) => self.send(piece),
        }
    }

    /// This is to be sent now.
    pub fn send(&mut self, piece: Bytes) {
        if self.given_up {
            return;
        }
        self.unsent_bytes += piece.len();
        self.turn += piece.len();
        self.unsent.push_back(piece);
        // Many connections may be answered before the first of them is flushed.
        if self.unsent_bytes.saturating_sub(self.told) >= TELL_EVERY {
            self.tell();
        }
    }

    fn tell(&mut self) {
        self.told = self.unsent_bytes;
        self.answers.set(self.unsent_bytes, self.conn.held());
    }

    /// Writes what the socket takes.
    pub fn flush(&mut self, now: Now) -> io::Result<()> {
        self.blocked = false;
        let before = self.unsent_bytes;
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
        if self.unsent_bytes < before || !self.blocked {
            self.stuck = None;
        }
        if self.blocked && self.stuck.is_none() {
            self.stuck = Some(now.after(STUCK_MAX));
        }
        if self.unsent_bytes < before {
            self.link.moved.set(true);
        }
        self.took += before - self.unsent_bytes;
        if self.unsent_bytes == 0 {
            self.takes = None;
        } else {
            let takes = self.takes.get_or_insert(Rate::begun(now.mono));
            takes.moved(before - self.unsent_bytes);
        }
        // Who takes it is not the one to be cut, however much there is.
        if self.unsent_bytes == 0 {
            self.behind = None;
        } else if self.behind.is_none() || self.took >= PACE_LEAST {
            self.behind = Some(now.mono);
            self.took = 0;
        }
        self.tell();
        Ok(())
    }

    /// What its socket did not take although there was time: what is gained by giving it up.
    pub fn overdue(&self, now: Now) -> usize {
        let late = self
            .behind
            .is_some_and(|since| now.since(since) >= BEHIND_MAX);
        if late { self.unsent_bytes } else { 0 }
    }

    /// Whether nothing came or went for so long, as far as is looked from time to time. Who waits for an answer that is not
    /// there yet is not idle, nor is one whose socket is not read, unless that is because it takes nothing.
    pub fn is_idle(&mut self, now: Now, max: Duration) -> bool {
        let owed = self.conn.open() + self.held_back > 0;
        let waits = (owed || self.muted) && self.unsent_bytes == 0;
        if self.link.moved.take() || waits {
            self.active = now.mono;
        }
        now.since(self.active) >= max
    }

    /// Why it is too slow to be kept, if it is: by the frame that it began, or by the answers that it is owed (#133). While
    /// its socket is not read nobody knows what came.
    pub fn is_slow(&mut self, now: Now) -> Option<String> {
        let frame = self.link.frame.get().and_then(|mut rate| {
            if self.muted {
                rate = Rate::begun(now.mono);
            }
            let slow = rate.is_too_slow(now.mono, FRAME_WHILE);
            self.link.frame.set(Some(rate));
            slow.map(|bytes| ("brings", "of the frame that it began", bytes, FRAME_WHILE))
        });
        let takes = self.takes.as_mut();
        let takes = takes.and_then(|rate| rate.is_too_slow(now.mono, ANSWER_WHILE));
        let takes = takes.map(|bytes| ("takes", "of its answers", bytes, ANSWER_WHILE));
        let (does, what, bytes, long) = frame.or(takes)?;
        let peer = self.link.socket.peer_addr();
        let peer = peer.map_or_else(|_| "its client".to_owned(), |peer| peer.to_string());
        Some(format!(
            "{peer} {does} less than {LEAST} bytes a second {what}: {bytes} in {} s",
            long.as_secs()
        ))
    }

    /// Its socket took nothing for long.
    pub fn is_stuck(&self, now: Now) -> bool {
        self.stuck.is_some_and(|deadline| deadline.passed(now))
    }

    /// It ends now; what was to be sent is dropped.
    pub fn give_up(&mut self, why: String) {
        self.close.get_or_insert(why);
        self.given_up = true;
        self.unsent.clear();
        self.unsent_bytes = 0;
        self.told = 0;
        self.answers.set(0, 0);
    }

    /// Whether its task has something to look at.
    pub fn must_wake(&self) -> bool {
        self.blocked || self.muted || self.close.is_some()
    }

    /// Whether its task last saw that it may not read.
    pub fn is_muted(&self) -> bool {
        self.muted
    }
}
