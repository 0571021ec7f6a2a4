//! One pipelined connection: a task that carries bytes between a socket and the engine's machine, and answers to those who
//! asked. Decides nothing about requests; the machine does. Reads and writes never wait for each other.

use std::collections::{HashMap, VecDeque};
use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use sawlog_engine::connection::{Arrived, Connection, Outcome, Refusal, Settings, Ticket};
use sawlog_engine::time::Mono;
use sawlog_engine::versions::Versions;
use sawlog_wire::messages::ApiKey;
use sawlog_wire::{Message, Reader, Request, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use crate::error::{Error, Kind, broken};
use crate::metrics::Counts;

/// No answer is longer.
const FRAME_MAX: usize = 256 << 20;
/// Room for what a read may bring, and for a frame that says it is longer: memory beyond it is taken as its bytes come.
const READ_ROOM: usize = 64 << 10;
const FRAME_ROOM: usize = 16 << 20;
/// Pieces in one write.
const PIECES: usize = 64;
/// Requests that may wait for the task, beyond those in flight.
const QUEUE: usize = 64;

type Answer = Result<(i16, Bytes), Error>;
type Ask = Box<dyn FnMut(&mut Connection, Mono) -> Result<Option<Ticket>, Refusal> + Send>;

struct Asked {
    key: ApiKey,
    ask: Ask,
    reply: oneshot::Sender<Answer>,
}

/// A handle of a connection. The connection ends with the last one.
#[derive(Clone, Debug)]
pub(crate) struct Conn {
    asks: mpsc::Sender<Asked>,
    address: Arc<str>,
    versions: Arc<Versions>,
}

/// An answer that will come.
#[derive(Debug)]
pub(crate) struct Coming {
    answer: oneshot::Receiver<Answer>,
    address: Arc<str>,
}

impl Coming {
    /// The answer, read as one to `R`.
    pub(crate) async fn read<R: Request>(self) -> Result<R::Response, Error> {
        let (version, body) = self.bytes().await?;
        R::Response::decode_all(Reader::of(&body), version).map_err(Error::garbage)
    }

    /// Nobody answers: until the request is written.
    pub(crate) async fn sent(self) -> Result<(), Error> {
        self.bytes().await.map(|_| ())
    }

    async fn bytes(self) -> Answer {
        let answer = self.answer.await;
        answer.unwrap_or_else(|_| Err(closed(&self.address, Outcome::Unknown)))
    }
}

fn closed(address: &str, outcome: Outcome) -> Error {
    Error::lost(outcome, format!("the connection to {address} is closed"))
}

impl Conn {
    /// Connects and negotiates versions, all within `limit`.
    pub(crate) async fn open(
        address: &str,
        settings: Settings,
        limit: Duration,
        counts: Arc<Counts>,
    ) -> Result<Conn, Error> {
        let unreachable =
            |why: String| Error::new(Kind::Unreachable, format!("cannot reach {address}: {why}"));
        let connected = timeout(limit, TcpStream::connect(address)).await;
        let socket = connected
            .map_err(|_| unreachable("no connection in time".to_owned()))?
            .map_err(|error| unreachable(error.to_string()))?;
        socket
            .set_nodelay(true)
            .map_err(|error| unreachable(error.to_string()))?;
        let (asks, inbox) = mpsc::channel(QUEUE);
        let (up, is_up) = oneshot::channel();
        counts.connected();
        tokio::spawn(Task::new(socket, settings, up, counts).run(inbox));
        match timeout(limit, is_up).await {
            Ok(Ok(Ok(versions))) => Ok(Conn {
                asks,
                address: address.into(),
                versions: Arc::new(versions),
            }),
            Ok(Ok(Err(error))) => Err(error),
            Ok(Err(_)) | Err(_) => Err(unreachable(
                "it did not say in time which versions it serves".to_owned(),
            )),
        }
    }

    /// Whether it is of no more use.
    pub(crate) fn is_over(&self) -> bool {
        self.asks.is_closed()
    }

    /// What the broker serves.
    pub(crate) fn versions(&self) -> &Versions {
        &self.versions
    }

    /// Asks in the highest version up to `most` that both sides know. Dropped, the request is carried out all the same.
    pub(crate) async fn ask<R: Request + Send + 'static>(
        &self,
        body: R,
        most: i16,
    ) -> Result<R::Response, Error> {
        self.start(body, most).await?.read::<R>().await
    }

    /// Puts a request in line, behind those that were started before, and gives what will be its answer.
    pub(crate) async fn start<R: Request + Send + 'static>(
        &self,
        body: R,
        most: i16,
    ) -> Result<Coming, Error> {
        let ask: Ask =
            Box::new(move |connection, now| connection.request(&body, most, now).map(Some));
        self.put(R::KEY, ask).await
    }

    /// The same, for a request that the broker does not answer.
    pub(crate) async fn tell<R: Request + Send + 'static>(
        &self,
        body: R,
        most: i16,
    ) -> Result<Coming, Error> {
        let ask: Ask =
            Box::new(move |connection, now| connection.tell(&body, most, now).map(|()| None));
        self.put(R::KEY, ask).await
    }

    async fn put(&self, key: ApiKey, ask: Ask) -> Result<Coming, Error> {
        let (reply, answer) = oneshot::channel();
        if self.asks.send(Asked { key, ask, reply }).await.is_err() {
            return Err(closed(&self.address, Outcome::NotWritten));
        }
        Ok(Coming {
            answer,
            address: self.address.clone(),
        })
    }
}

/// A request that was given to the machine.
struct Waiting {
    key: ApiKey,
    since: Mono,
    reply: oneshot::Sender<Answer>,
}

/// The task behind a [`Conn`].
struct Task {
    socket: TcpStream,
    machine: Connection,
    began: Instant,
    up: Option<oneshot::Sender<Result<Versions, Error>>>,
    queue: VecDeque<Asked>,
    replies: HashMap<Ticket, Waiting>,
    counts: Arc<Counts>,
    /// Those whose requests are answered by nobody, until what is to be written is.
    tellers: Vec<oneshot::Sender<Answer>>,
    read: BytesMut,
    write: VecDeque<Bytes>,
}

impl Task {
    fn new(
        socket: TcpStream,
        settings: Settings,
        up: oneshot::Sender<Result<Versions, Error>>,
        counts: Arc<Counts>,
    ) -> Task {
        Task {
            socket,
            machine: Connection::open(settings, Mono::default()),
            began: Instant::now(),
            up: Some(up),
            queue: VecDeque::new(),
            replies: HashMap::new(),
            counts,
            tellers: Vec::new(),
            read: BytesMut::new(),
            write: VecDeque::new(),
        }
    }

    fn now(&self) -> Mono {
        Mono::default().after(self.began.elapsed())
    }

    async fn run(mut self, mut inbox: mpsc::Receiver<Asked>) {
        let why = match self.carry(&mut inbox).await {
            Ok(()) => return,
            Err(why) => why,
        };
        inbox.close();
        if let Some(up) = self.up.take() {
            let _ = up.send(Err(Error::lost(Outcome::NotWritten, why.clone())));
        }
        for (ticket, outcome) in self.machine.lost() {
            if let Some(Waiting { key, reply, .. }) = self.replies.remove(&ticket) {
                self.counts.lost(key);
                let _ = reply.send(Err(Error::lost(outcome, why.clone())));
            }
        }
        for reply in self.tellers.drain(..) {
            let _ = reply.send(Err(Error::lost(Outcome::Unknown, why.clone())));
        }
        while let Some(asked) = self.queue.pop_front().or_else(|| inbox.try_recv().ok()) {
            let _ = asked
                .reply
                .send(Err(Error::lost(Outcome::NotWritten, why.clone())));
        }
    }

    /// Until the last handle is gone and everything is answered, or the connection ends with a reason.
    async fn carry(&mut self, inbox: &mut mpsc::Receiver<Asked>) -> Result<(), String> {
        let mut open = true;
        loop {
            self.hand_over();
            if !open
                && self.queue.is_empty()
                && self.machine.waiting() == 0
                && self.write.is_empty()
            {
                return Ok(());
            }
            self.make_room();
            let deadline = self
                .machine
                .deadline()
                .map(|at| self.began + at.since(Mono::default()));
            let (mut reader, mut writer) = self.socket.split();
            let mut pieces = [IoSlice::new(&[]); PIECES];
            for (slice, piece) in pieces.iter_mut().zip(&self.write) {
                *slice = IoSlice::new(piece);
            }
            tokio::select! {
                asked = inbox.recv(), if open && self.queue.is_empty() => match asked {
                    Some(asked) => self.queue.push_back(asked),
                    None => open = false,
                },
                read = reader.read_buf(&mut self.read) => match read {
                    Ok(0) => return Err("the broker closed the connection".to_owned()),
                    Ok(_) => self.frames()?,
                    Err(error) => return Err(format!("the connection broke: {error}")),
                },
                wrote = writer.write_vectored(&pieces), if !self.write.is_empty() => {
                    let wrote = wrote.map_err(|error| format!("the connection broke: {error}"))?;
                    self.wrote(wrote);
                }
                () = sleep_until(deadline.unwrap_or(self.began)), if deadline.is_some() => {
                    let now = self.now();
                    self.machine.tick(now).map_err(|why| broken(&why))?;
                }
            }
        }
    }

    /// Gives the machine what it takes, and the socket what it gives.
    fn hand_over(&mut self) {
        let now = self.now();
        while self.machine.versions().is_some() {
            let Some(mut asked) = self.queue.pop_front() else {
                break;
            };
            match (asked.ask)(&mut self.machine, now) {
                Ok(Some(ticket)) => {
                    let Asked { key, reply, .. } = asked;
                    let since = now;
                    let waiting = Waiting { key, since, reply };
                    self.replies.insert(ticket, waiting);
                }
                Ok(None) => self.tellers.push(asked.reply),
                Err(Refusal::Full) => {
                    self.queue.push_front(asked);
                    break;
                }
                Err(refusal) => {
                    let _ = asked.reply.send(Err(Error::of_refusal(refusal)));
                }
            }
        }
        while let Some(pieces) = self.machine.outgoing() {
            let filled = pieces.iter().filter(|piece| !piece.is_empty()).cloned();
            self.write.extend(filled);
        }
    }

    /// So many bytes went out.
    fn wrote(&mut self, mut bytes: usize) {
        while let Some(piece) = self.write.front_mut() {
            let step = bytes.min(piece.len());
            piece.advance(step);
            bytes -= step;
            if !piece.is_empty() {
                return;
            }
            self.write.pop_front();
        }
        for reply in self.tellers.drain(..) {
            let _ = reply.send(Ok((0, Bytes::new())));
        }
    }

    /// Memory for the rest of the frame that has begun to come, or for whatever comes.
    fn make_room(&mut self) {
        let have = self.read.len();
        let frame = self.read.first_chunk::<{ frame::PREFIX }>();
        let length = frame.and_then(|prefix| frame::length(*prefix, FRAME_MAX).ok());
        let rest = length.map_or(0, |length| (frame::PREFIX + length).saturating_sub(have));
        // A frame is believed up to a bound; beyond it, up to as much as has come.
        let room = rest.min(FRAME_ROOM.max(have)).max(READ_ROOM);
        if self.read.capacity() - have < room.min(READ_ROOM / 2)
            || rest > self.read.capacity() - have
        {
            self.read.reserve(room);
        }
    }

    /// Every whole frame that was read.
    fn frames(&mut self) -> Result<(), String> {
        while let Some(prefix) = self.read.first_chunk::<{ frame::PREFIX }>() {
            let length = frame::length(*prefix, FRAME_MAX)
                .map_err(|why| format!("what came is no frame: {why}"))?;
            if self.read.len() < frame::PREFIX + length {
                return Ok(());
            }
            self.read.advance(frame::PREFIX);
            let bytes = self.read.split_to(length).freeze();
            let now = self.now();
            match self
                .machine
                .arrived(&bytes, now)
                .map_err(|why| broken(&why))?
            {
                Arrived::Ready => {
                    if let Some((up, versions)) = self.up.take().zip(self.machine.versions()) {
                        let _ = up.send(Ok(versions.clone()));
                    }
                }
                Arrived::AskedAgain => {}
                Arrived::Answer {
                    ticket,
                    version,
                    body,
                } => {
                    self.counts.received(body.len());
                    if let Some(Waiting { key, since, reply }) = self.replies.remove(&ticket) {
                        self.counts.answered(key, now.since(since));
                        // Whoever asked may have gone.
                        let _ = reply.send(Ok((version, body)));
                    }
                }
            }
        }
        Ok(())
    }
}
