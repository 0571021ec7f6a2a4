//! One connection to a broker: negotiates versions, numbers requests, matches answers in their order, and ends when one is
//! late. Decides what is sent and what an ending means for each request; never touches a socket or retries (#72).
//!
//! ```text
//! open -> Negotiating --ApiVersions answered--> Ready --request/answer, in order--> ...
//!            | too new for the broker: once more in its own version (KIP-511)
//!            '--> broken: late, out of order, or not Kafka's protocol: no way back, the driver opens another
//! ```

use alloc::borrow::ToOwned;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use bytes::Bytes;
use sawlog_wire::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};
use sawlog_wire::{
    Code, DecodeError, EncodeError, Message, Pieces, Reader, Request, ResponseHeader, Writer, frame,
};

use crate::time::Mono;
use crate::versions::{Unsupported, Versions};

/// What a connection is opened with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `client.id`.
    pub client_id: String,
    /// `request.timeout.ms`: an answer that takes longer ends the connection.
    pub request_timeout: Duration,
    /// `max.in.flight.requests.per.connection`.
    pub in_flight: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            client_id: String::from("sawlog"),
            request_timeout: Duration::from_secs(30),
            in_flight: 5,
        }
    }
}

/// Names one request of one connection until it is answered or lost.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ticket(pub u64);

/// Why a request was not taken. Nothing of it was sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Versions are not negotiated yet, or the connection is broken.
    NotReady,
    /// As many as allowed wait for their answers.
    Full,
    /// The broker does not take it.
    Unsupported(Unsupported),
    /// The version spoken cannot say it.
    Encode(EncodeError),
}

/// Why a connection is of no more use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Broken {
    /// This request was not answered in time.
    Late(ApiKey),
    /// An answer to another request than the oldest that waits.
    Order {
        /// The number that was due, if any.
        due: Option<i32>,
        /// The one that came.
        came: i32,
    },
    /// Bytes that are no answer.
    Garbage(DecodeError),
    /// The broker does not say which versions it serves.
    Refused(Option<Code>),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Late(key) => write!(f, "{} was not answered in time", key.name()),
            Broken::Order {
                due: Some(due),
                came,
            } => write!(f, "answer {came} came where answer {due} was due"),
            Broken::Order { due: None, came } => {
                write!(f, "answer {came} came although nothing was asked")
            }
            Broken::Garbage(why) => write!(f, "what came is no answer of Kafka's protocol: {why}"),
            Broken::Refused(Some(code)) => write!(
                f,
                "the broker refuses to say which versions it serves: {}",
                code.name()
            ),
            Broken::Refused(None) => {
                f.write_str("the broker refuses to say which versions it serves")
            }
        }
    }
}

/// What the end of a connection leaves of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// No byte of it was handed out: the broker cannot have seen it.
    NotWritten,
    /// It may have been carried out: a timeout is never folded into a refusal (#72).
    Unknown,
}

/// What a frame that came in means.
#[derive(Clone, PartialEq, Debug)]
pub enum Arrived {
    /// Versions are negotiated: requests are taken.
    Ready,
    /// The broker knows older versions only, and was asked in one of those.
    AskedAgain,
    /// The answer to a request: the body behind its header, in the version spoken.
    Answer {
        /// To which.
        ticket: Ticket,
        /// The version of the body.
        version: i16,
        /// The body.
        body: Bytes,
    },
}

#[derive(Debug)]
enum State {
    Negotiating,
    Ready(Versions),
    Broken,
}

/// A request that was not answered.
#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    number: i32,
    key: ApiKey,
    version: i16,
    deadline: Mono,
    sent: bool,
}

/// The connection.
#[derive(Debug)]
pub struct Connection {
    settings: Settings,
    state: State,
    /// Of the last request.
    number: i32,
    tickets: u64,
    waiting: VecDeque<Waiting>,
    /// Encoded and not handed out yet, oldest first; without a ticket nobody waits for an answer.
    unsent: VecDeque<(Option<Ticket>, Pieces)>,
}

impl Connection {
    /// A connection whose socket is open; the first frame is there to be sent.
    pub fn open(settings: Settings, now: Mono) -> Connection {
        let mut connection = Connection {
            settings,
            state: State::Negotiating,
            number: 0,
            tickets: 0,
            waiting: VecDeque::new(),
            unsent: VecDeque::new(),
        };
        connection.negotiate(<ApiVersionsRequest as Message>::STABLE, now);
        connection
    }

    fn negotiate(&mut self, version: i16, now: Mono) {
        let body = ApiVersionsRequest {
            client_software_name: "sawlog".to_owned(),
            client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Default::default()
        };
        let done = self.encode(version, &body, true, now);
        assert!(
            done.is_ok(),
            "our own first request can be written: {done:?}"
        );
    }

    /// Which versions are spoken; none before they are negotiated.
    pub fn versions(&self) -> Option<&Versions> {
        match &self.state {
            State::Ready(versions) => Some(versions),
            State::Negotiating | State::Broken => None,
        }
    }

    /// Takes a request, in the highest version up to `most` that both sides know.
    pub fn request<R: Request>(
        &mut self,
        body: &R,
        most: i16,
        now: Mono,
    ) -> Result<Ticket, Refusal> {
        let version = self.version_for::<R>(most)?;
        if self.waiting.len() >= self.settings.in_flight {
            return Err(Refusal::Full);
        }
        self.encode(version, body, true, now)
            .map_err(Refusal::Encode)
    }

    /// Takes a request that the broker does not answer: Produce with `acks=0`.
    pub fn tell<R: Request>(&mut self, body: &R, most: i16, now: Mono) -> Result<(), Refusal> {
        let version = self.version_for::<R>(most)?;
        self.encode(version, body, false, now)
            .map(|_| ())
            .map_err(Refusal::Encode)
    }

    fn version_for<R: Request>(&self, most: i16) -> Result<i16, Refusal> {
        let versions = self.versions().ok_or(Refusal::NotReady)?;
        versions.choose::<R>(most).map_err(Refusal::Unsupported)
    }

    fn encode<R: Request>(
        &mut self,
        version: i16,
        body: &R,
        answered: bool,
        now: Mono,
    ) -> Result<Ticket, EncodeError> {
        let number = self.number.checked_add(1).unwrap_or(1);
        let mut writer = Writer::new();
        frame::request(
            &mut writer,
            version,
            number,
            Some(&self.settings.client_id),
            body,
        )?;
        self.number = number;
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        if answered {
            let deadline = now.after(self.settings.request_timeout);
            self.waiting.push_back(Waiting {
                ticket,
                number,
                key: R::KEY,
                version,
                deadline,
                sent: false,
            });
        }
        self.unsent
            .push_back((answered.then_some(ticket), writer.finish()));
        Ok(ticket)
    }

    /// The next frame to be written to the socket. From here on its request counts as sent.
    pub fn outgoing(&mut self) -> Option<Pieces> {
        let (ticket, bytes) = self.unsent.pop_front()?;
        if let Some(waiting) = self
            .waiting
            .iter_mut()
            .find(|waiting| Some(waiting.ticket) == ticket)
        {
            waiting.sent = true;
        }
        Some(bytes)
    }

    /// A whole frame came in, its length left out.
    pub fn arrived(&mut self, bytes: &Bytes, now: Mono) -> Result<Arrived, Broken> {
        let arrived = self.judge(bytes, now);
        if arrived.is_err() {
            self.state = State::Broken;
        }
        arrived
    }

    fn judge(&mut self, bytes: &Bytes, now: Mono) -> Result<Arrived, Broken> {
        let came = Reader::of(bytes).i32().map_err(Broken::Garbage)?;
        let due = self.waiting.front().filter(|waiting| waiting.sent);
        let Some(waiting) = due.filter(|waiting| waiting.number == came) else {
            return Err(Broken::Order {
                due: due.map(|waiting| waiting.number),
                came,
            });
        };
        let (ticket, key, version) = (waiting.ticket, waiting.key, waiting.version);
        let mut reader = Reader::of(bytes);
        ResponseHeader::decode(&mut reader, key, version).map_err(Broken::Garbage)?;
        let body = bytes.slice(bytes.len() - reader.left()..);
        self.waiting.pop_front();
        match self.state {
            State::Negotiating => self.negotiated(version, &body, now),
            State::Ready(_) | State::Broken => Ok(Arrived::Answer {
                ticket,
                version,
                body,
            }),
        }
    }

    fn negotiated(&mut self, version: i16, body: &Bytes, now: Mono) -> Result<Arrived, Broken> {
        // A broker that does not know the version answers in version 0, with the versions it knows (KIP-511).
        let unsupported = Some(Code::UnsupportedVersion);
        let read = |version| ApiVersionsResponse::decode(&mut Reader::of(body), version);
        let answer = match read(version) {
            Ok(answer) if answer.error_code.code() != unsupported => answer,
            first => match read(0) {
                Ok(answer) if answer.error_code.code() == unsupported && version > 0 => {
                    let known = Versions::of(&answer).served(ApiKey::ApiVersions);
                    let next = known.map_or(0, |(_, to)| to).clamp(0, version - 1);
                    self.negotiate(next, now);
                    return Ok(Arrived::AskedAgain);
                }
                _ => first.map_err(Broken::Garbage)?,
            },
        };
        if !answer.error_code.is_none() {
            return Err(Broken::Refused(answer.error_code.code()));
        }
        self.state = State::Ready(Versions::of(&answer));
        Ok(Arrived::Ready)
    }

    /// When to look at the clock again: the moment at which the oldest request is late.
    pub fn deadline(&self) -> Option<Mono> {
        self.waiting.front().map(|waiting| waiting.deadline)
    }

    /// Time went by: a late answer ends the connection, for those behind it come later still.
    pub fn tick(&mut self, now: Mono) -> Result<(), Broken> {
        match self.waiting.front() {
            Some(waiting) if waiting.deadline <= now => {
                self.state = State::Broken;
                Err(Broken::Late(waiting.key))
            }
            _ => Ok(()),
        }
    }

    /// How many requests wait for their answers.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The socket is gone: what became of every request without an answer, oldest first.
    pub fn lost(&mut self) -> Vec<(Ticket, Outcome)> {
        self.state = State::Broken;
        self.unsent.clear();
        let outcome = |waiting: Waiting| {
            let outcome = if waiting.sent {
                Outcome::Unknown
            } else {
                Outcome::NotWritten
            };
            (waiting.ticket, outcome)
        };
        self.waiting.drain(..).map(outcome).collect()
    }
}

#[cfg(test)]
mod tests;
