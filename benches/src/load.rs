//! Decides when requests are sent and what is counted: closed loop (so many in flight) or open loop (at given times,
//! whatever the broker does, so that a stall is charged to every request that fell into it). One thread drives all
//! connections; the caller's thread reads the counters at both ends of the window.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, bail};
use hdrhistogram::Histogram;
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};

use crate::batch;
use crate::figures::{Figures, Latency};
use crate::host::Snapshot;
use crate::link::{Link, Load};
use crate::verify::Expect;

/// When the next request leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As soon as one is answered.
    Closed,
    /// At its own time, so many a second over all connections.
    Open {
        /// Requests a second.
        per_second: f64,
    },
}

/// One run.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Where the records go; they exist.
    pub topics: Vec<String>,
    /// Partitions of each of them.
    pub partitions: i32,
    /// Sockets, each writing to its own share of the partitions.
    pub connections: usize,
    /// Requests in flight on each of them, in open loop at most.
    pub in_flight: usize,
    /// Records in each request.
    pub records: u32,
    /// Size of each value.
    pub value_bytes: usize,
    /// When to send.
    pub pace: Pace,
    /// Sent but not counted.
    pub warm: Duration,
    /// Counted.
    pub run: Duration,
    /// The window ends early when so many bytes of batches were answered in it.
    pub bytes_max: u64,
    /// Equal parts of the window of an open loop whose latencies are told apart; 0 or 1 for none.
    pub parts: u32,
}

/// What a run gave.
#[derive(Debug)]
pub struct Outcome {
    /// The figures of the window.
    pub figures: Figures,
    /// Records acknowledged in each partition, topic by topic, warm-up and drain included.
    pub acknowledged: Vec<u64>,
    /// What every stored batch must be.
    pub expect: Expect,
}

// 0 is the warm-up.
const COUNT: u8 = 1;
const DRAIN: u8 = 2;
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// What the two threads share.
#[derive(Default)]
struct Shared {
    phase: AtomicU8,
    answered: AtomicU64,
}

/// Runs `shape` against `address`; `broker` is the process whose CPU and memory are read.
pub fn run(address: SocketAddr, shape: &Shape, broker: Option<u32>) -> Result<Outcome> {
    let now_ms = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)?
        .as_millis();
    let load = Load {
        topics: shape.topics.clone(),
        batch: batch::encode(shape.records, shape.value_bytes, i64::try_from(now_ms)?),
        records: shape.records,
    };
    let crc = batch::next(&mut load.batch.as_slice())?.map_or(0, |batch| batch.crc);
    let links = connect(address, shape, &load)?;
    let shared = Shared::default();
    let begin = Instant::now();

    let (counted, worker) = std::thread::scope(|scope| {
        let worker = scope.spawn(|| Worker::new(shape, &load, links, &shared, begin)?.drive());
        let counted = window(shape, &load, &shared, broker, &|| worker.is_finished());
        shared.phase.store(DRAIN, Ordering::Release);
        (counted, worker.join())
    });
    let Ok(worker) = worker else {
        bail!("the generator panicked")
    };
    let worker = worker?;

    let each = shape.partitions.unsigned_abs() as usize;
    let mut acknowledged = vec![0; each * shape.topics.len()];
    for (topic, partition, records) in worker.links.iter().flat_map(Link::acknowledged) {
        if let Some(sum) = acknowledged.get_mut(topic * each + partition.unsigned_abs() as usize) {
            *sum += records;
        }
    }
    let mut figures = counted?;
    figures.latency = Some(Latency::of(&worker.latency));
    figures.parts = worker.parts.iter().map(Latency::of).collect();
    if let Pace::Open { .. } = shape.pace {
        // Those due in the window, the late ones included.
        figures.requests = worker.latency.len();
    }
    figures.records = figures.requests * u64::from(shape.records);
    figures.bytes = figures.requests * load.batch.len() as u64;
    Ok(Outcome {
        figures,
        acknowledged,
        expect: Expect::Copies { crc },
    })
}

fn connect(address: SocketAddr, shape: &Shape, load: &Load) -> Result<Vec<Link>> {
    let connections = shape.connections.max(1);
    let each = shape.partitions.max(1);
    let all: Vec<(usize, i32)> = (0..shape.topics.len())
        .flat_map(|topic| (0..each).map(move |partition| (topic, partition)))
        .collect();
    (0..connections)
        .map(|index| {
            let shared = all.len() < connections;
            let mine: Vec<(usize, i32)> = if shared {
                all.get(index % all.len().max(1))
                    .copied()
                    .into_iter()
                    .collect()
            } else {
                all.iter()
                    .copied()
                    .skip(index)
                    .step_by(connections)
                    .collect()
            };
            Link::connect(address, load, &mine, shape.in_flight, !shared)
        })
        .collect()
}

/// Reads the counters at both ends of the window.
fn window(
    shape: &Shape,
    load: &Load,
    shared: &Shared,
    broker: Option<u32>,
    over: &dyn Fn() -> bool,
) -> Result<Figures> {
    let nap = |until: Instant, from: u64| {
        while Instant::now() < until && !over() {
            std::thread::sleep(
                Duration::from_millis(10).min(until.saturating_duration_since(Instant::now())),
            );
            let answered = shared.answered.load(Ordering::Relaxed) - from;
            if answered * load.batch.len() as u64 > shape.bytes_max {
                break;
            }
        }
    };
    let own = std::process::id();
    nap(Instant::now() + shape.warm, 0);
    let (from, before) = (
        shared.answered.load(Ordering::Acquire),
        Snapshot::take(broker, own)?,
    );
    shared.phase.store(COUNT, Ordering::Release);
    nap(before.at() + shape.run, from);
    if let Pace::Open { .. } = shape.pace {
        // What was due in the window is answered later by a broker that cannot keep up: its CPU and time count too.
        while !over() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    let (to, after) = (
        shared.answered.load(Ordering::Acquire),
        Snapshot::take(broker, own)?,
    );
    Ok(Figures {
        requests: to - from,
        ..after.since(&before)
    })
}

/// The thread that drives all connections.
struct Worker<'a> {
    shape: &'a Shape,
    load: &'a Load,
    shared: &'a Shared,
    links: Vec<Link>,
    begin: Instant,
    latency: Histogram<u64>,
    parts: Vec<Histogram<u64>>,
}

/// What remains when it is done.
struct Done {
    links: Vec<Link>,
    latency: Histogram<u64>,
    parts: Vec<Histogram<u64>>,
}

impl<'a> Worker<'a> {
    fn new(
        shape: &'a Shape,
        load: &'a Load,
        links: Vec<Link>,
        shared: &'a Shared,
        begin: Instant,
    ) -> Result<Self> {
        let latency = Histogram::new_with_bounds(100, 120_000_000_000, 3)?;
        let parts = if shape.parts > 1 { shape.parts } else { 0 };
        Ok(Self {
            parts: vec![latency.clone(); parts as usize],
            shape,
            load,
            shared,
            links,
            begin,
            latency,
        })
    }

    fn drive(mut self) -> Result<Done> {
        match (self.shape.pace, self.links.as_mut_slice()) {
            (Pace::Open { per_second }, _) => self.open(per_second)?,
            (Pace::Closed, [_]) => self.closed_one()?,
            (Pace::Closed, _) => self.closed_many()?,
        }
        Ok(Done {
            links: self.links,
            latency: self.latency,
            parts: self.parts,
        })
    }

    fn draining(&self) -> bool {
        self.shared.phase.load(Ordering::Relaxed) == DRAIN
    }

    /// One connection blocks in its read: no call beyond one read and one write a turn.
    fn closed_one(&mut self) -> Result<()> {
        loop {
            let refill = !self.draining();
            let Some(link) = self.links.first_mut() else {
                return Ok(());
            };
            turn(link, self.load, refill)?;
            if link.in_flight() == 0 {
                return Ok(());
            }
            let count = self.shared.phase.load(Ordering::Relaxed) == COUNT;
            take(
                link,
                self.load,
                self.shared,
                count.then_some(&mut self.latency),
            )?;
        }
    }

    fn closed_many(&mut self) -> Result<()> {
        let ready = self.register()?;
        for link in &mut self.links {
            turn(link, self.load, true)?;
        }
        let mut events = Vec::with_capacity(64);
        loop {
            epoll::wait(
                &ready,
                rustix::buffer::spare_capacity(&mut events),
                Some(&seconds(SILENCE_MAX)),
            )?;
            if events.is_empty() {
                bail!("no reply within {SILENCE_MAX:?}");
            }
            let phase = self.shared.phase.load(Ordering::Relaxed);
            for event in events.drain(..) {
                let Some(link) = self.links.get_mut(event.data.u64() as usize) else {
                    continue;
                };
                while take(
                    link,
                    self.load,
                    self.shared,
                    (phase == COUNT).then_some(&mut self.latency),
                )? {}
                turn(link, self.load, phase != DRAIN)?;
            }
            if phase == DRAIN && self.links.iter().all(|link| link.in_flight() == 0) {
                return Ok(());
            }
        }
    }

    fn open(&mut self, per_second: f64) -> Result<()> {
        // The default slack of 50 us would be charged to the broker.
        rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
        let ready = self.register()?;
        let interval = Duration::from_secs_f64(1.0 / per_second);
        let first = self.begin + self.shape.warm;
        let last = first + self.shape.run;
        let mut number = 0_u32;
        let mut events = Vec::with_capacity(64);
        loop {
            let due = self.begin + interval * number;
            let now = Instant::now();
            if due >= last {
                if self.links.iter().all(|link| link.in_flight() == 0) {
                    return Ok(());
                }
            } else if due <= now {
                let turn = number as usize % self.links.len();
                if let Some(link) = self.links.get_mut(turn)
                    && link.has_room()
                {
                    link.queue(self.load, due);
                    link.flush(self.load)?;
                    number += 1;
                    continue;
                }
            }
            let wait = if due > now && due < last {
                due - now
            } else {
                SILENCE_MAX
            };
            poll(
                &mut [PollFd::new(&ready, PollFlags::IN)],
                Some(&seconds(wait)),
            )?;
            epoll::wait(
                &ready,
                rustix::buffer::spare_capacity(&mut events),
                Some(&Timespec::default()),
            )?;
            if events.is_empty() && wait == SILENCE_MAX {
                bail!("no reply within {SILENCE_MAX:?}");
            }
            for event in events.drain(..) {
                let Some(link) = self.links.get_mut(event.data.u64() as usize) else {
                    continue;
                };
                loop {
                    let mut begun = Vec::new();
                    let more = link.receive(self.load, |at| begun.push(at))?;
                    let now = Instant::now();
                    self.shared
                        .answered
                        .fetch_add(begun.len() as u64, Ordering::Relaxed);
                    for at in begun.into_iter().filter(|&at| at >= first) {
                        let took = (now - at).as_nanos() as u64;
                        self.latency.saturating_record(took);
                        let share = (at - first).as_secs_f64() / self.shape.run.as_secs_f64();
                        let part = (share * self.parts.len() as f64) as usize;
                        if let Some(part) = self.parts.get_mut(part) {
                            part.saturating_record(took);
                        }
                    }
                    if !more {
                        break;
                    }
                }
                link.flush(self.load)?;
            }
        }
    }

    /// All sockets non-blocking, edge-triggered.
    fn register(&self) -> Result<rustix::fd::OwnedFd> {
        let ready = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (index, link) in self.links.iter().enumerate() {
            link.stream().set_nonblocking(true)?;
            let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
            epoll::add(
                &ready,
                link.stream(),
                epoll::EventData::new_u64(index as u64),
                flags,
            )?;
        }
        Ok(ready)
    }
}

/// Fills the link up and sends.
fn turn(link: &mut Link, load: &Load, refill: bool) -> Result<()> {
    if refill && link.has_room() {
        let now = Instant::now();
        while link.has_room() {
            link.queue(load, now);
        }
    }
    link.flush(load)
}

/// Reads once. Replies that came in one read arrived at one time.
fn take(
    link: &mut Link,
    load: &Load,
    shared: &Shared,
    latency: Option<&mut Histogram<u64>>,
) -> Result<bool> {
    let mut count = 0;
    let mut now = None;
    let more = match latency {
        Some(latency) => link.receive(load, |begun| {
            count += 1;
            let now = *now.get_or_insert_with(Instant::now);
            latency.saturating_record((now - begun).as_nanos() as u64);
        })?,
        None => link.receive(load, |_| count += 1)?,
    };
    shared.answered.fetch_add(count, Ordering::Relaxed);
    Ok(more)
}

fn seconds(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: duration.as_secs() as i64,
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}
