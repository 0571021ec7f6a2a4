//! Decides what one connection of the generator sends next and whether a reply is the right one: in order, without error, at
//! the offset that must follow. Never decides when to send, and never copies records.

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::frame::{self, ProduceHead};

/// Requests handed to the kernel in one call at most.
const GATHER: u64 = 16;
/// Replies are about 60 bytes; a thousand of them fit.
const INBOX: usize = 64 << 10;
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// What all requests of a run have in common.
#[derive(Debug)]
pub struct Load {
    /// Where the records go.
    pub topics: Vec<String>,
    /// The one encoded batch that every request carries.
    pub batch: Vec<u8>,
    /// Records in it.
    pub records: u32,
}

/// A request on its way.
#[derive(Debug)]
struct Slot {
    head: ProduceHead,
    /// The one that `head` names.
    topic: usize,
    begun: Instant,
    lane: usize,
}

/// One of the partitions that a connection writes to in turn.
#[derive(Debug)]
struct Lane {
    topic: usize,
    partition: i32,
    /// The offset that the next reply must name, once one was seen; at least this one where other connections write too.
    next: Option<i64>,
    acknowledged: u64,
}

/// One connection with up to `slots` requests in flight.
#[derive(Debug)]
pub struct Link {
    stream: TcpStream,
    alone: bool,
    slots: Vec<Slot>,
    lanes: Vec<Lane>,
    /// Requests taken up, handed to the kernel whole, and answered; each counts from 0 and is the correlation id.
    queued: u64,
    sent: u64,
    answered: u64,
    /// Bytes of the request `sent` that are on the wire already.
    partial: usize,
    inbox: Box<[u8]>,
    held: usize,
}

impl Link {
    /// Connects; `partitions` are (number of the topic, partition). `alone` says that no other connection writes to these partitions, so that every offset is known beforehand.
    pub fn connect(
        address: SocketAddr,
        load: &Load,
        partitions: &[(usize, i32)],
        slots: usize,
        alone: bool,
    ) -> Result<Self> {
        let stream =
            TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        let first = load.topics.first().map_or("", String::as_str);
        let slot = || Slot {
            head: ProduceHead::new(first, load.batch.len()),
            topic: 0,
            begun: Instant::now(),
            lane: 0,
        };
        Ok(Self {
            stream,
            alone,
            slots: std::iter::repeat_with(slot).take(slots.max(1)).collect(),
            lanes: partitions
                .iter()
                .map(|&(topic, partition)| Lane {
                    topic,
                    partition,
                    next: None,
                    acknowledged: 0,
                })
                .collect(),
            queued: 0,
            sent: 0,
            answered: 0,
            partial: 0,
            inbox: vec![0; INBOX].into_boxed_slice(),
            held: 0,
        })
    }

    /// The socket, to wait on.
    #[must_use]
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Requests that are not answered yet.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.queued - self.answered
    }

    /// Whether one more request may be in flight.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.in_flight() < self.slots.len() as u64
    }

    /// (topic, partition, records acknowledged) of each partition written to.
    pub fn acknowledged(&self) -> impl Iterator<Item = (usize, i32, u64)> {
        self.lanes
            .iter()
            .map(|lane| (lane.topic, lane.partition, lane.acknowledged))
    }

    /// Takes up one more request, whose latency counts from `begun`. There must be room.
    pub fn queue(&mut self, load: &Load, begun: Instant) {
        let lane = (self.queued % self.lanes.len() as u64) as usize;
        let (topic, partition) = self
            .lanes
            .get(lane)
            .map_or((0, 0), |lane| (lane.topic, lane.partition));
        let number = self.queued;
        if let Some(slot) = slot_mut(&mut self.slots, number) {
            if slot.topic != topic
                && let Some(name) = load.topics.get(topic)
            {
                slot.head = ProduceHead::new(name, load.batch.len());
                slot.topic = topic;
            }
            slot.head.stamp(number as i32, partition);
            slot.begun = begun;
            slot.lane = lane;
            self.queued += 1;
        }
    }

    /// Hands the kernel all that is queued, or as much as it takes.
    pub fn flush(&mut self, load: &Load) -> Result<()> {
        while self.sent < self.queued {
            let mut pieces = Vec::with_capacity(2 * GATHER as usize);
            let mut frame_bytes = 0;
            for number in self.sent..self.queued.min(self.sent + GATHER) {
                let Some(slot) = slot_of(&self.slots, number) else {
                    break;
                };
                let head = slot.head.bytes();
                frame_bytes = head.len() + load.batch.len();
                let skip = if number == self.sent { self.partial } else { 0 };
                if let Some(head) = head.get(skip..).filter(|head| !head.is_empty()) {
                    pieces.push(IoSlice::new(head));
                }
                if let Some(batch) = load.batch.get(skip.saturating_sub(head.len())..) {
                    pieces.push(IoSlice::new(batch));
                }
            }
            match self.stream.write_vectored(&pieces) {
                Ok(0) => bail!("the broker closed the connection"),
                Ok(written) => {
                    self.partial += written;
                    while frame_bytes > 0 && self.partial >= frame_bytes {
                        self.partial -= frame_bytes;
                        self.sent += 1;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("send"),
            }
        }
        Ok(())
    }

    /// Reads once and calls `answered(begun)` for each reply. False when there was nothing more to read.
    pub fn receive(&mut self, load: &Load, mut answered: impl FnMut(Instant)) -> Result<bool> {
        let free = self.inbox.get_mut(self.held..).unwrap_or_default();
        let room = free.len();
        let read = match self.stream.read(free) {
            Ok(0) => bail!(
                "the broker closed the connection with {} requests in flight",
                self.in_flight()
            ),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(true),
            Err(error) => return Err(error).context("receive"),
        };
        self.held += read;
        let inbox = std::mem::take(&mut self.inbox);
        let mut rest = inbox.get(..self.held).unwrap_or_default();
        while let Some((length, behind)) = rest.split_first_chunk::<4>() {
            let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            ensure!(
                length < INBOX - 4,
                "a reply of {length} bytes to a produce request"
            );
            let Some((reply, behind)) = behind.split_at_checked(length) else {
                break;
            };
            answered(self.check(load, reply)?);
            rest = behind;
        }
        let (from, left) = (self.held - rest.len(), rest.len());
        self.inbox = inbox;
        self.inbox.copy_within(from..from + left, 0);
        self.held = left;
        Ok(read == room)
    }

    /// Whether this is the answer to the oldest request; when that was begun.
    fn check(&mut self, load: &Load, reply: &[u8]) -> Result<Instant> {
        let number = self.answered;
        ensure!(
            number < self.sent + 1,
            "a reply to a request that was never sent"
        );
        let slot = slot_of(&self.slots, number).context("no such slot")?;
        let lane = self.lanes.get_mut(slot.lane).context("no such lane")?;
        let topic = load.topics.get(lane.topic).context("no such topic")?;
        let reply = frame::produced(reply, topic)?;
        ensure!(
            reply.correlation == number as i32,
            "reply {} came where {number} was due",
            reply.correlation
        );
        ensure!(
            reply.partition == lane.partition,
            "a reply for partition {}, not {}",
            reply.partition,
            lane.partition
        );
        let base = reply
            .base
            .with_context(|| format!("produce to {topic}-{}", lane.partition))?;
        if let Some(next) = lane.next {
            ensure!(
                base >= next && (base == next || !self.alone),
                "offset {base} answered where {next} was due"
            );
        }
        lane.next = Some(base + i64::from(load.records));
        lane.acknowledged += u64::from(load.records);
        self.answered += 1;
        Ok(slot.begun)
    }
}

fn slot_of(slots: &[Slot], number: u64) -> Option<&Slot> {
    slots.get((number % slots.len() as u64) as usize)
}

fn slot_mut(slots: &mut [Slot], number: u64) -> Option<&mut Slot> {
    let count = slots.len() as u64;
    slots.get_mut((number % count) as usize)
}
