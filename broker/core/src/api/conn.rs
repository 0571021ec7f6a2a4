//! One connection: frames in, frames out. Decides which requests are understood, that replies leave in the order of their
//! requests, and when a connection is beyond help and closed; never what a request is answered (each key's own file).
//! Holds #128 and #132 at this door: at most [`OPEN_MAX`] requests are open, the next one waits while open Fetches may
//! still bring [`BRINGS_MAX`] bytes, and nothing here panics on any bytes.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::net::IpAddr;

use bytes::Bytes;
use sawlog_wire::header::RequestHeader;
use sawlog_wire::messages::ApiKey;
use sawlog_wire::{Budget, Reader};

use super::job::{Begun, Call, Job, ROWS_MAX};
use super::table::{self, Audience, Row};
use super::{Door, Host, Outbox, api_versions};
use crate::answer::Response;
use crate::ids::{ConnId, Waiter};
use crate::now::Deadline;
use crate::proof;

/// How many requests of one connection may be open; while there are as many its socket is not read (#132).
pub const OPEN_MAX: usize = 64;

/// What the open Fetches of one connection may bring together before its socket is read on (#132). One may bring more by
/// itself: then it is the last, as in Kafka, where a connection has one request under way.
pub const BRINGS_MAX: usize = 4 << 20;

/// Memory that one request other than Produce and Fetch may take when it is read; those are read where they lie.
const DECODED_MAX: usize = 64 << 20;

/// The number under which parts of `acks=0` are asked: no request waits under it.
const SILENT: u64 = u64::MAX;

/// One connection's requests.
#[derive(Debug)]
pub struct Conn {
    id: ConnId,
    door: Arc<Door>,
    audience: Audience,
    from: Option<IpAddr>,
    /// The number of the oldest open request.
    first: u64,
    open: VecDeque<Open>,
    /// Partitions and names that the open requests are about.
    rows: usize,
    /// What the open requests' answers may hold at most, as far as they are records.
    brings: usize,
    /// Bytes of records in answers that are not written yet.
    held: usize,
    software: Option<Box<str>>,
    /// Until then it is not read: a Fetch could not wait, and its client was told to (KIP-219).
    rests: Option<Deadline>,
    closed: bool,
}

/// A request that has no reply yet.
struct Open {
    key: ApiKey,
    version: i16,
    correlation: i32,
    rows: usize,
    brings: usize,
    job: Job,
}

impl core::fmt::Debug for Open {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} v{} #{}", self.key, self.version, self.correlation)
    }
}

impl Conn {
    /// A connection that came through this door, from this address where there is a network. Its number is never used twice.
    pub fn new(id: ConnId, door: Arc<Door>, audience: Audience, from: Option<IpAddr>) -> Conn {
        // Who has one request open at a time, as most have, holds the room of one and not of four (#131).
        let (open, software) = (VecDeque::with_capacity(1), None);
        Conn {
            id,
            door,
            audience,
            from,
            first: 0,
            open,
            rows: 0,
            brings: 0,
            held: 0,
            software,
            rests: None,
            closed: false,
        }
    }

    /// Whether another frame may be read: fewer than [`OPEN_MAX`] requests are open, what they are about and what they may
    /// bring is bounded too, its client is not to rest, and the connection is not closed.
    pub fn room(&self) -> bool {
        !self.full() && self.rests.is_none() && !self.closed
    }

    fn full(&self) -> bool {
        let full = self.open.len() >= OPEN_MAX
            || self.rows >= ROWS_MAX
            || self.brings >= BRINGS_MAX && !proof::mutant("fetches-pile-up");
        full && !proof::mutant("open-without-bound")
    }

    /// Takes one whole frame, without its length.
    pub fn frame(&mut self, host: &mut Host<'_>, frame: Bytes, out: &mut Outbox) {
        if self.closed {
            return;
        }
        if self.full() {
            return self.close(
                out,
                format!(
                    "{} requests are open and another one was read (#132)",
                    self.open.len()
                ),
            );
        }
        let budget = Budget::for_frame(frame.len()).left().min(DECODED_MAX);
        let mut reader = Reader::of(&frame).with_budget(Budget::of(budget));
        if let Some(correlation) = unknown_api_versions(reader.clone()) {
            return self.step_down(correlation, host, out);
        }
        let header = match RequestHeader::decode(&mut reader) {
            Ok(header) => header,
            Err(error) => {
                return self.close(
                    out,
                    format!("a frame of {} bytes has no header: {error}", frame.len()),
                );
            }
        };
        let row = match table::find(header.key, self.audience) {
            Some(row) if row.served.contains(header.version) => row,
            row => return self.close(out, self.not_served(&header, row)),
        };
        let request = self.first + self.open.len() as u64;
        let asked = out.asks.len();
        let mut call = Call {
            host,
            door: &self.door,
            audience: self.audience,
            version: header.version,
            conn: self.id,
            from: self.from,
            request,
            asks: &mut out.asks,
            warn: &mut out.warn,
            software: &mut self.software,
        };
        match (row.split)(&mut call, &mut reader) {
            Ok(Begun::Job(job)) => {
                let (version, correlation) = (header.version, header.correlation_id);
                let (rows, brings) = (job.rows(), job.brings(call.host.config));
                self.rows += rows;
                self.brings += brings;
                self.open.push_back(Open {
                    rows,
                    brings,
                    key: row.key,
                    version,
                    correlation,
                    job,
                });
                self.flush(host, out);
            }
            Ok(Begun::Silent) => {
                for (_, waiter, _) in out.asks.iter_mut().skip(asked) {
                    waiter.request = SILENT;
                }
            }
            Ok(Begun::Close(why)) => self.close(out, format!("{}: {why}", self.named(&header))),
            Err(error) => {
                out.asks.truncate(asked);
                self.close(
                    out,
                    format!("{} cannot be read: {error}", self.named(&header)),
                );
            }
        }
    }

    /// Takes the answer to a part. One for a request that is gone is dropped (#137).
    pub fn reply(
        &mut self,
        host: &mut Host<'_>,
        waiter: Waiter,
        response: Response,
        out: &mut Outbox,
    ) {
        if self.closed {
            return;
        }
        if waiter.request == SILENT {
            return self.silent_reply(&response, out);
        }
        let at = waiter
            .request
            .checked_sub(self.first)
            .and_then(|at| usize::try_from(at).ok());
        let at = match at {
            None if proof::mutant("stale-answer-taken") => 0,
            None => return,
            Some(at) => at,
        };
        self.act(host, out, at, |job, call| {
            job.hear(call, waiter.part, response)
        });
        if at == 0 {
            self.flush(host, out);
        }
    }

    /// Looks at the request whose time has come. Only the oldest waits for a time: those behind it have not begun to.
    pub fn tick(&mut self, host: &mut Host<'_>, out: &mut Outbox) {
        let now = host.now;
        self.rests.take_if(|rests| rests.passed(now));
        if !self.due().is_some_and(|due| due.passed(now)) {
            return;
        }
        self.act(host, out, 0, |job, call| job.tick(call, now));
        self.flush(host, out);
    }

    /// When [`Conn::tick`] has something to do.
    pub fn deadline(&self) -> Option<Deadline> {
        self.due().into_iter().chain(self.rests).min()
    }

    fn due(&self) -> Option<Deadline> {
        self.open.front().and_then(|open| open.job.deadline())
    }

    /// How many requests are open.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Bytes of records in answers that wait for their turn or for more: memory that this connection holds.
    pub fn held(&self) -> usize {
        self.held
    }

    /// What the client says it is, once it has said so: name and version (KIP-511).
    pub fn software(&self) -> Option<&str> {
        self.software.as_deref()
    }

    /// Writes the replies that are ready and whose turn it is. Whoever comes to be the oldest is told so.
    fn flush(&mut self, host: &mut Host<'_>, out: &mut Outbox) {
        while self.begin(host, out)
            && let Some(open) = self.open.front()
        {
            if let Err(error) =
                open.job
                    .write(&mut out.wire, open.key, open.version, open.correlation)
            {
                // What a version cannot say is a bug of ours; the client asks again on another connection.
                let why = format!(
                    "the answer to {} v{} cannot be written: {error}",
                    open.key, open.version
                );
                return self.close(out, why);
            }
            if let Some(rest) = open.job.rest() {
                self.rests = Some(host.now.after(rest));
            }
            self.rows -= open.rows;
            self.brings -= open.brings;
            self.held -= open.job.holds();
            self.open.pop_front();
            self.first += 1;
        }
    }

    /// Begins the oldest request, if it has not begun; whether its reply is ready.
    fn begin(&mut self, host: &mut Host<'_>, out: &mut Outbox) -> bool {
        // What comes behind a Fetch that waits is put together already, and waits as well.
        let hurry = self.open.len() > 1 && host.waits.is_crowded();
        self.act(host, out, 0, |job, call| {
            job.begin(call);
            if hurry {
                job.hurry(call);
            }
        });
        self.open.front().is_some_and(|open| open.job.ready())
    }

    /// Lets an open request act, and counts what it holds then.
    fn act(
        &mut self,
        host: &mut Host<'_>,
        out: &mut Outbox,
        at: usize,
        act: impl FnOnce(&mut Job, &mut Call<'_, '_>),
    ) {
        let Some(open) = self.open.get_mut(at) else {
            return;
        };
        let mut call = Call {
            host,
            door: &self.door,
            audience: self.audience,
            version: open.version,
            conn: self.id,
            from: self.from,
            request: self.first + at as u64,
            asks: &mut out.asks,
            warn: &mut out.warn,
            software: &mut self.software,
        };
        self.held -= open.job.holds();
        act(&mut open.job, &mut call);
        self.held += open.job.holds();
    }

    /// Gotcha 1: the answer is in the oldest form, so that the client can choose from the range in it.
    fn step_down(&mut self, correlation: i32, host: &mut Host<'_>, out: &mut Outbox) {
        let job = Job::ApiVersions(Box::new(api_versions::unknown_version()));
        self.open.push_back(Open {
            rows: 0,
            brings: 0,
            key: ApiKey::ApiVersions,
            version: 0,
            correlation,
            job,
        });
        self.flush(host, out);
    }

    /// A refusal for `acks=0` cannot be said: as Kafka does, the connection is closed so that the client looks again.
    fn silent_reply(&mut self, response: &Response, out: &mut Outbox) {
        if let Response::Append(answer) = response
            && answer.code != sawlog_wire::Code::None
        {
            self.close(
                out,
                format!(
                    "a Produce with acks=0 was refused with {}",
                    answer.code.name()
                ),
            );
        }
    }

    fn close(&mut self, out: &mut Outbox, why: String) {
        self.closed = true;
        self.open.clear();
        self.rows = 0;
        self.brings = 0;
        self.held = 0;
        out.close = Some(why);
    }

    /// Gotcha 9: clients say only that the connection broke, so this line is where one learns why.
    fn not_served(&self, header: &RequestHeader<'_>, row: Option<&Row>) -> String {
        match row {
            Some(Row { served, .. }) => {
                format!(
                    "{}: versions {} to {} are served",
                    self.named(header),
                    served.from,
                    served.to
                )
            }
            None => format!("{}: this key is not served here", self.named(header)),
        }
    }

    /// The request and its client, for people.
    fn named(&self, header: &RequestHeader<'_>) -> String {
        let client: String = header
            .client_id
            .unwrap_or_default()
            .chars()
            .take(64)
            .collect();
        let name = header.api_key().map_or("unknown", ApiKey::name);
        let software = self
            .software
            .as_deref()
            .map_or_else(String::new, |software| format!(" ({software})"));
        let (key, version) = (header.key, header.version);
        format!(
            "{name} (key {key}) version {version} of client {:?}{software}",
            client.to_string()
        )
    }
}

/// The correlation id of a request for ApiVersions in a version that nobody knows. What follows may have any form, the rest
/// of the header too, so it is not read.
fn unknown_api_versions(mut reader: Reader<'_>) -> Option<i32> {
    let (key, version) = (reader.i16().ok()?, reader.i16().ok()?);
    let key = ApiKey::from_number(key).filter(|key| *key == ApiKey::ApiVersions)?;
    let known = table::ROWS
        .iter()
        .any(|row| row.key == key && row.served.contains(version));
    if known { None } else { reader.i32().ok() }
}
