//! One request that a fault may meet, and its answer on the way back. Decides what of it the node hears, what the answer says
//! and whether it leaves; never what a request means: what is refused is refused part by part, as a shard would.
//!
//! Such a request has its connection to itself: it begins when those before it are answered and those behind it wait, so that
//! what the node writes meanwhile is its answer and nothing else. A client cannot tell: answers keep their order anyway.

use bytes::Bytes;
use sawlog_core::answer::{Part, Response};
use sawlog_core::cluster::image::Image;
use sawlog_core::ids::{ConnId, LogId, ShardId, Waiter};
use sawlog_core::now::{Deadline, Now};
use sawlog_wire::messages::ApiKey;

use super::fault::{Act, Fault, Requests};
use super::faults::{Candidate, Faults};
use super::refusal;
use super::reply::Reply;
use crate::clock::Clock;
use crate::net::connection::{Ended, Ending, Link};
use crate::shard_loop::Local;

/// Why a connection ends that a fault has closed.
const CLOSED: &str = "a fault that was asked for";

/// See the file's head.
#[derive(Debug)]
pub struct Trap {
    faults: Faults,
    key: ApiKey,
    version: i16,
    came: Now,
    /// What may meet it, in order; what they are about is not known yet.
    candidates: Vec<Candidate>,
    met: Option<Fault>,
    /// Parts whose answers are to say that they failed.
    marked: Vec<Waiter>,
    /// What the node has written.
    written: Vec<Bytes>,
}

/// What becomes of an answer.
enum Leaves {
    /// It is sent.
    Sent(Vec<Bytes>),
    /// It is not.
    Lost,
    /// Nor is anything else.
    Closed,
}

impl Trap {
    pub(super) fn new(
        faults: Faults,
        (key, version): (ApiKey, i16),
        candidates: Vec<Candidate>,
        came: Now,
    ) -> Trap {
        // Those before the first narrow one are not about anything more: they meet it whatever it asks. On another shard
        // one of them may have been used up meanwhile.
        let broad = candidates.iter();
        let mut broad = broad.take_while(|one| !one.fault.requests.is_narrow());
        let met = broad.find(|one| faults.meet(one));
        Trap {
            met: met.map(|one| one.fault.clone()),
            faults,
            key,
            version,
            came,
            candidates,
            marked: Vec::new(),
            written: Vec::new(),
        }
    }

    /// The first candidate that means this meets it.
    fn decide(&mut self, means: impl Fn(&Requests) -> bool) {
        if self.met.is_some() {
            return;
        }
        let faults = &self.faults;
        let meets = |one: &&Candidate| means(&one.fault.requests) && faults.meet(one);
        self.met = self
            .candidates
            .iter()
            .find(meets)
            .map(|one| one.fault.clone());
    }

    /// Takes out what the node shall not hear of, and gives what is answered in its stead; or why the connection ends.
    pub fn take(
        &mut self,
        image: &Image,
        asks: &mut Vec<(ShardId, Waiter, Part)>,
    ) -> Result<Vec<(Waiter, Response)>, String> {
        self.decide(|requests| {
            asks.iter()
                .any(|(_, _, part)| concerns(requests, part, image))
        });
        let Some(Fault { requests, act, .. }) = &self.met else {
            return Ok(Vec::new());
        };
        let mut answers = Vec::new();
        match act {
            Act::Refuse(code) => asks.retain(|(_, waiter, part)| {
                let refused = concerns(requests, part, image);
                let refusal = refusal::of(part, *code).filter(|_| refused);
                let heard = refusal.is_none();
                answers.extend(refusal.map(|response| (*waiter, response)));
                heard
            }),
            Act::Misreport(_) => {
                let concerned = asks
                    .iter()
                    .filter(|(_, _, part)| concerns(requests, part, image));
                self.marked.extend(concerned.map(|(_, waiter, _)| *waiter));
            }
            Act::Close => {
                asks.clear();
                return Err(CLOSED.to_owned());
            }
            Act::CloseApplied | Act::Lose | Act::Delay => {}
        }
        Ok(answers)
    }

    /// A shard has answered a part.
    pub fn heard(&mut self, waiter: Waiter, response: &mut Response) {
        if let Some(Fault {
            act: Act::Misreport(code),
            ..
        }) = &self.met
            && self.marked.contains(&waiter)
        {
            refusal::mark(response, *code);
        }
    }

    /// The node writes part of the answer.
    pub fn push(&mut self, piece: Bytes) {
        self.written.push(piece);
    }

    /// The answer is whole.
    fn leaves(&mut self) -> Leaves {
        let mut written = std::mem::take(&mut self.written);
        let Some(mut reply) = Reply::read(self.key, self.version, &written) else {
            return self.left(written);
        };
        self.decide(|requests| match requests.is_narrow() {
            true => reply.topics().any(|topic| requests.means(topic, None)),
            false => true,
        });
        if let Some(Fault { requests, act, .. }) = &self.met
            && let Act::Refuse(code) | Act::Misreport(code) = act
        {
            reply.fail(
                *code,
                |topic| requests.means(topic, None),
                !requests.is_narrow(),
            );
            if let Some(failed) = reply.write(self.key, self.version) {
                written = vec![failed];
            }
        }
        self.left(written)
    }

    fn left(&self, written: Vec<Bytes>) -> Leaves {
        match self.met.as_ref().map(|fault| fault.act) {
            Some(Act::Close | Act::CloseApplied) => Leaves::Closed,
            Some(Act::Lose) => Leaves::Lost,
            Some(Act::Refuse(_) | Act::Misreport(_) | Act::Delay) | None => Leaves::Sent(written),
        }
    }

    /// Whether the connection ends and the node hears of nothing.
    fn closes(&self) -> bool {
        self.met
            .as_ref()
            .is_some_and(|fault| fault.act == Act::Close)
    }

    /// When what was decided happens.
    fn due(&self) -> Option<Deadline> {
        let fault = self.met.as_ref().filter(|fault| !fault.delay.is_zero());
        fault.map(|fault| self.came.after(fault.delay))
    }
}

/// Serves the request of this frame alone, as the fault that meets it wants it, or as usual if none does.
pub(crate) async fn spring(
    local: &Local,
    id: ConnId,
    link: &Link,
    frame: Bytes,
    trap: Box<Trap>,
) -> Ending {
    answered(local, id, link).await?;
    let clock = local.clock();
    if trap.closes() {
        wait(&clock, trap.due()).await;
        return Err(Ended::Closed(CLOSED.to_owned()));
    }
    local.set_trap(id, trap);
    local.frame(id, frame);
    local.settle();
    let heard = answered(local, id, link).await;
    let Some(mut trap) = local.take_trap(id) else {
        return heard;
    };
    if trap.closes() {
        wait(&clock, trap.due()).await;
        return Err(Ended::Closed(CLOSED.to_owned()));
    }
    heard?;
    let leaves = trap.leaves();
    wait(&clock, trap.due()).await;
    local.let_go(id);
    match leaves {
        Leaves::Sent(pieces) => local.send(id, pieces),
        Leaves::Lost => {}
        Leaves::Closed => return Err(Ended::Closed(CLOSED.to_owned())),
    }
    Ok(())
}

async fn wait(clock: &Clock, due: Option<Deadline>) {
    if let Some(due) = due {
        clock.until(due).await;
    }
}

/// Returns when no request of the connection is open.
async fn answered(local: &Local, id: ConnId, link: &Link) -> Ending {
    local.settle();
    while let Some(write) = local.owes(id).map_err(Ended::Closed)? {
        tokio::select! {
            ready = link.socket.writable(), if write => {
                ready.map_err(|error| Ended::Lost(error.to_string()))?;
                local.write(id).map_err(Ended::Lost)?;
            }
            () = link.wake.notified() => {}
        }
    }
    Ok(())
}

/// Whether a part is one of those that a fault is about.
fn concerns(requests: &Requests, part: &Part, image: &Image) -> bool {
    if !requests.is_narrow() {
        return true;
    }
    let log = |log: LogId| {
        let topic = image.topic_by_id(log.topic);
        topic.is_some_and(|topic| requests.means(&topic.name, Some(log.partition.0)))
    };
    match part {
        Part::Append(part) => log(part.log),
        Part::Fetch(part) | Part::Measure(part) => log(part.log),
        Part::Watch(part) => log(part.log),
        Part::Find(part) => log(part.log),
        Part::EpochEnd(part) => log(part.log),
        Part::Producers(of) => log(*of),
        Part::Trim(part) => log(part.log),
        Part::Command(part) => {
            let mut topics = refusal::topics(&part.command);
            topics.any(|topic| requests.means(topic, None))
        }
        Part::Unwatch(_) | Part::Sizes | Part::Quorum | Part::ProducerId(_) => false,
    }
}
