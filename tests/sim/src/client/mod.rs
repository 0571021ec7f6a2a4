//! Clients as small state machines that speak real bytes. Decides which of them hears of what, and what they share;
//! what each makes of its answers stands in its own file. They know nothing of the broker but its protocol.

mod admin;
mod changer;
mod consumer;
mod producer;

use bytes::{Buf, Bytes, BytesMut};
use sawlog_wire::header::ResponseHeader;
use sawlog_wire::message::Request;
use sawlog_wire::primitives::{DecodeError, Reader, Writer};
use sawlog_wire::{Message, frame};

pub use crate::client::admin::{Admin, Keeper, Lister};
pub use crate::client::changer::{Changer, Powers, TOPIC};
pub use crate::client::consumer::{Consumer, Reads};
pub use crate::client::producer::Producer;
use crate::history::{Ev, Item, Line, Op};
use crate::rng::Rng;

/// What a client wants.
#[derive(Debug)]
pub enum Want {
    /// A connection.
    Connect,
    /// Bytes on its connection.
    Send(Bytes),
    /// The end of its connection.
    Hang,
    /// To be asked again after so many nanoseconds.
    Tick(u64),
    /// A line in the history.
    Note(Line),
}

/// Where records go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
}

impl Target {
    /// As the history names it.
    pub fn name(&self) -> String {
        format!("{}-{}", self.topic, self.partition)
    }
}

/// What all clients share.
#[derive(Debug)]
pub struct Base {
    correlation: i32,
    buffer: BytesMut,
    connected: bool,
    /// Next process number to be used; handed out by the world's clients in steps, so that none is used twice.
    process: u32,
    step: u32,
    operation: u64,
}

/// One client.
#[derive(Debug)]
pub enum Client {
    /// Creates the first topics, then is done.
    Admin(Admin),
    /// Creates small topics all along.
    Keeper(Keeper),
    /// Deletes, grows, trims and alters.
    Changer(Box<Changer>),
    /// Lists all topics once.
    Lister(Lister),
    /// Sends records.
    Producer(Box<Producer>),
    /// Reads one partition.
    Consumer(Box<Consumer>),
    /// Sends bytes that are no request.
    Noise(Base),
}

impl Base {
    /// A client that uses the process numbers `process`, `process + step`, ...
    pub fn new(process: u32, step: u32) -> Base {
        Base {
            correlation: 0,
            buffer: BytesMut::new(),
            connected: false,
            process,
            step,
            operation: 0,
        }
    }

    fn request<R: Request>(&mut self, version: i16, body: &R) -> (i32, Want) {
        self.correlation += 1;
        let mut writer = Writer::new();
        let written = frame::request(&mut writer, version, self.correlation, Some("sim"), body);
        assert!(
            written.is_ok(),
            "a client of ours encodes what it made: {written:?}"
        );
        (self.correlation, Want::Send(writer.finish().into_bytes()))
    }

    fn line(&self, t: u64, i: u64, ev: Ev, op: Op, v: Vec<Item>) -> Want {
        self.line_with(t, i, ev, op, v, None)
    }

    fn line_with(
        &self,
        t: u64,
        i: u64,
        ev: Ev,
        op: Op,
        v: Vec<Item>,
        e: Option<&'static str>,
    ) -> Want {
        Want::Note(Line {
            t,
            p: self.process,
            i,
            ev,
            op,
            v,
            e: e.map(str::to_owned),
        })
    }

    fn frame(&mut self) -> Option<Bytes> {
        let prefix = self.buffer.first_chunk::<4>()?;
        let length = usize::try_from(i32::from_be_bytes(*prefix)).ok()?;
        if self.buffer.len() < 4 + length {
            return None;
        }
        self.buffer.advance(4);
        Some(self.buffer.split_to(length).freeze())
    }
}

/// Takes an answer apart, behind its correlation id.
fn answer<R: Request>(frame: &Bytes, version: i16) -> Result<R::Response, DecodeError> {
    let mut reader = Reader::of(frame);
    ResponseHeader::decode(&mut reader, R::KEY, version)?;
    R::Response::decode_all(reader, version)
}

fn correlation_of(frame: &Bytes) -> Option<i32> {
    frame
        .first_chunk::<4>()
        .map(|bytes| i32::from_be_bytes(*bytes))
}

/// What the record of this value holds: its timestamp and its bytes. Some are longer than others, so that batches end
/// at all places of a sector.
fn record_of(value: u64) -> (i64, Vec<u8>) {
    let mut bytes = value.to_be_bytes().to_vec();
    bytes.resize(8 + (value as usize * 37) % 300, value as u8);
    (1_000 + value as i64, bytes)
}

impl Client {
    fn base(&mut self) -> &mut Base {
        match self {
            Client::Admin(admin) => &mut admin.base,
            Client::Keeper(keeper) => &mut keeper.base,
            Client::Changer(changer) => &mut changer.base,
            Client::Lister(lister) => &mut lister.base,
            Client::Producer(producer) => &mut producer.base,
            Client::Consumer(consumer) => &mut consumer.base,
            Client::Noise(base) => base,
        }
    }

    /// The number under which the history knows it now.
    pub fn process(&self) -> u32 {
        match self {
            Client::Admin(admin) => admin.base.process,
            Client::Keeper(keeper) => keeper.base.process,
            Client::Changer(changer) => changer.base.process,
            Client::Lister(lister) => lister.base.process,
            Client::Producer(producer) => producer.base.process,
            Client::Consumer(consumer) => consumer.base.process,
            Client::Noise(base) => base.process,
        }
    }

    /// Whether it has nothing left to wait for.
    pub fn drained(&self) -> bool {
        match self {
            Client::Admin(admin) => admin.done,
            Client::Keeper(keeper) => keeper.drained(),
            Client::Changer(changer) => changer.drained(),
            Client::Lister(lister) => lister.done,
            Client::Producer(producer) => producer.drained(),
            Client::Consumer(consumer) => !consumer.last || consumer.done || consumer.offline,
            Client::Noise(_) => true,
        }
    }

    /// It begins nothing new.
    pub fn rest(&mut self) {
        match self {
            Client::Producer(producer) => producer.quiet = true,
            Client::Keeper(keeper) => keeper.quiet = true,
            Client::Changer(changer) => changer.rest(),
            _ => {}
        }
    }

    /// It has a connection now.
    pub fn connected(&mut self, t: u64, rng: &mut Rng, wants: &mut Vec<Want>) {
        let base = self.base();
        base.connected = true;
        base.buffer.clear();
        self.tick(t, rng, wants);
    }

    /// Its connection is gone, or none could be had.
    pub fn cut(&mut self, t: u64, rng: &mut Rng, wants: &mut Vec<Want>) {
        self.base().connected = false;
        match self {
            Client::Producer(producer) => producer.cut(t, wants),
            Client::Consumer(consumer) => consumer.cut(t, wants),
            Client::Keeper(keeper) => keeper.cut(t, wants),
            Client::Changer(changer) => changer.cut(t, wants),
            Client::Admin(_) | Client::Lister(_) | Client::Noise(_) => {}
        }
        // Some come back so soon that what they sent is still on its way to the disk.
        let wait = if rng.chance(500) { 50_000 } else { 5_000_000 };
        wants.push(Want::Tick(rng.delay(wait)));
    }

    /// Time passed.
    pub fn tick(&mut self, t: u64, rng: &mut Rng, wants: &mut Vec<Want>) {
        if !self.base().connected {
            let rests = match self {
                Client::Producer(producer) => producer.quiet && producer.drained(),
                Client::Keeper(keeper) => keeper.quiet && keeper.drained(),
                Client::Changer(changer) => changer.quiet && changer.drained(),
                Client::Consumer(consumer) => consumer.done,
                Client::Admin(admin) => admin.done,
                Client::Lister(lister) => lister.done,
                Client::Noise(_) => false,
            };
            if !rests {
                wants.push(Want::Connect);
            }
            return;
        }
        match self {
            Client::Admin(admin) => admin.ask(wants),
            Client::Keeper(keeper) => keeper.ask(t, rng, wants),
            Client::Changer(changer) => changer.ask(t, rng, wants),
            Client::Lister(lister) => lister.ask(wants),
            Client::Producer(producer) => producer.send(t, rng, wants),
            Client::Consumer(consumer) => consumer.poll(t, wants),
            Client::Noise(_) => {
                let noise: Vec<u8> = (0..rng.between(1, 200))
                    .map(|_| rng.below(256) as u8)
                    .collect();
                let mut framed = (noise.len() as u32).to_be_bytes().to_vec();
                framed.extend(noise);
                wants.push(Want::Send(Bytes::from(framed)));
                wants.push(Want::Tick(rng.delay(50_000_000)));
            }
        }
    }

    /// Bytes arrive.
    pub fn bytes(&mut self, t: u64, bytes: &[u8], rng: &mut Rng, wants: &mut Vec<Want>) {
        self.base().buffer.extend_from_slice(bytes);
        while let Some(frame) = self.base().frame() {
            match self {
                Client::Admin(admin) => admin.answered(&frame, rng, wants),
                Client::Keeper(keeper) => keeper.answered(t, &frame, rng, wants),
                Client::Changer(changer) => changer.answered(t, &frame, rng, wants),
                Client::Lister(lister) => lister.answered(t, &frame, rng, wants),
                Client::Producer(producer) => producer.answered(t, &frame, rng, wants),
                Client::Consumer(consumer) => consumer.answered(t, &frame, rng, wants),
                Client::Noise(_) => {}
            }
        }
    }
}
