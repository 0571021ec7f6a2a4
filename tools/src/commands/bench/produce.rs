//! `sawlog bench produce`: records as fast as they are taken, or by a plan, and how long each waits for its answer. Decides
//! which are timed and when a run is over; a record that is not written ends it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use sawlog_client::{Acks, Client, NewTopic, Producer, Record, SendError, Sent, Ticket};
use serde_json::{Map, Value, json};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep_until};

use super::Produce;
use super::report::{Report, Times};
use crate::cluster::failure;
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::stop::Stop;

/// One record is timed in so long: each of up to 20,000 a second.
const APART: Duration = Duration::from_micros(50);

/// Values are cut from so many bytes, each elsewhere.
const POOL: usize = 4 << 20;

/// Answers are taken in after so many records.
const OFTEN: u64 = 1024;

pub(super) async fn run(
    arguments: &Produce,
    before: Option<Map<String, Value>>,
    stop: &mut Stop,
) -> Result<Exit, Failure> {
    let begun = async {
        let kafka = arguments.cluster.connect().await?;
        let partitions = topic(&kafka, arguments).await?;
        Ok::<_, Failure>((kafka, partitions))
    };
    let (kafka, partitions) = tokio::select! {
        begun = begun => begun?,
        () = stop.asked() => return Ok(Exit::Interrupted),
    };
    let producer = kafka
        .producer()
        .compression(arguments.compress)
        .acks(arguments.acks)
        .linger(arguments.linger)
        .delivery_timeout(arguments.cluster.limit())
        .build()
        .await
        .map_err(|error| failure("0 records were written", &error))?;
    let mut load = Load {
        producer,
        values: Values::new(arguments.size),
        topic: arguments.topic.as_str().into(),
        tickets: VecDeque::new(),
        heard: Rc::new(RefCell::new(Heard {
            written: 0,
            error: None,
            times: Times::new()?,
        })),
    };
    let local = LocalSet::new();
    let (time, interrupted) = local.run_until(load.run(arguments, stop)).await;
    // What is timed waits for the same answers as all the others.
    local.await;
    let heard = load.heard.replace(Heard {
        written: 0,
        error: None,
        times: Times::new()?,
    });
    let acks = match arguments.acks {
        Acks::All => "all",
        Acks::Leader => "1",
        Acks::None => "0",
    };
    let run = json!({"bench": "produce", "topic": arguments.topic, "partitions": partitions, "size": arguments.size,
        "acks": acks, "compression": arguments.compress.name(), "linger_ms": arguments.linger.as_millis() as u64,
        "rate": arguments.rate});
    let report = Report {
        run: run.as_object().cloned().unwrap_or_default(),
        records: heard.written,
        bytes: heard.written * arguments.size as u64,
        time,
        times: heard.times,
    };
    // What was measured until something went wrong is told too.
    if heard.error.is_none() || report.records > 0 {
        report.show(arguments.told.output, before.as_ref())?;
    }
    if let Some(unsent) = heard.error {
        let (written, topic) = (report.records, &arguments.topic);
        let what = format!("{written} records were written to {topic}");
        return Err(failure(&what, &unsent.error));
    }
    Ok(match interrupted {
        true => Exit::Interrupted,
        false => Exit::Done,
    })
}

/// Finds the topic, or makes it where that was asked for. How many partitions it has.
async fn topic(kafka: &Client, arguments: &Produce) -> Result<usize, Failure> {
    let name = &arguments.topic;
    let failed = |error| failure(&format!("cannot use {name}"), &error);
    let known = kafka.metadata(Some(&[name])).await.map_err(failed)?;
    if let (None, Some(partitions)) = (known.topics.get(name), arguments.partitions) {
        let made = kafka
            .create_topics(vec![NewTopic::new(name).partitions(partitions)])
            .await;
        for (_, made) in made.map_err(failed)? {
            made.map_err(failed)?;
        }
    }
    let partitions = kafka.partitions(name).await.map_err(failed)?;
    Ok(partitions.len())
}

struct Load {
    producer: Producer,
    values: Values,
    topic: std::sync::Arc<str>,
    /// Those that nobody waits for.
    tickets: VecDeque<Ticket>,
    heard: Rc<RefCell<Heard>>,
}

/// What the answers said so far.
struct Heard {
    written: u64,
    /// The first record that was not written.
    error: Option<Box<SendError>>,
    times: Times,
}

impl Heard {
    fn note(&mut self, answer: Result<Sent, Box<SendError>>) {
        match answer {
            Ok(_) => self.written += 1,
            Err(unsent) => {
                self.error.get_or_insert(unsent);
            }
        }
    }
}

impl Load {
    /// Sends until it is over. How long it took, and whether somebody ended it.
    async fn run(&mut self, arguments: &Produce, stop: &mut Stop) -> (Duration, bool) {
        let begun = Instant::now();
        let (mut sent, mut interrupted, mut timed) = (0_u64, false, None::<Instant>);
        let mut progress = Progress::watched();
        while self.heard.borrow().error.is_none() && !interrupted {
            let now = Instant::now();
            let due = match arguments.rate {
                Some(rate) => begun + Duration::from_secs_f64(sent as f64 / rate),
                None => now,
            };
            let over = match arguments.records {
                Some(records) => sent >= records,
                None => due - begun >= arguments.duration,
            };
            if over {
                break;
            }
            let time = timed.is_none_or(|last| due - last >= APART);
            if time {
                timed = Some(due);
            }
            tokio::select! {
                // Who never has to wait is asked to stop where answers are taken in.
                biased;
                () = self.send(due, due > now, time) => sent += 1,
                () = stop.asked() => interrupted = true,
            }
            if sent % OFTEN == 0 || due > now {
                self.hear();
                progress.show(self.heard.borrow().written);
                interrupted |= stop.was_asked();
            }
        }
        self.producer.flush().await;
        let time = begun.elapsed();
        self.hear();
        progress.end();
        (time, interrupted)
    }

    async fn send(&mut self, due: Instant, early: bool, time: bool) {
        if early {
            sleep_until(due).await;
        }
        let record = Record::to(self.topic.clone()).value(self.values.next());
        let ticket = match self.producer.enqueue(record).await {
            Ok(ticket) => ticket,
            Err(unsent) => return self.heard.borrow_mut().note(Err(unsent)),
        };
        if !time {
            self.tickets.push_back(ticket);
            return;
        }
        let heard = self.heard.clone();
        tokio::task::spawn_local(async move {
            let answer = ticket.await;
            let mut heard = heard.borrow_mut();
            if answer.is_ok() {
                heard.times.note(due.elapsed());
            }
            heard.note(answer);
        });
    }

    /// Takes in the answers that have come.
    fn hear(&mut self) {
        while let Some(answer) = self.tickets.front().and_then(Ticket::answer) {
            self.tickets.pop_front();
            self.heard.borrow_mut().note(answer);
        }
    }
}

/// Values of one size, each other bytes: text of 16 letters, which a codec makes half as long.
struct Values {
    pool: Bytes,
    size: usize,
    at: usize,
}

impl Values {
    fn new(size: usize) -> Values {
        let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
        let mut pool = Vec::with_capacity(POOL + size);
        while pool.len() < POOL + size {
            // xorshift64: the same values in every run.
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            pool.extend_from_slice(format!("{dice:016x}").as_bytes());
        }
        let pool = Bytes::from(pool);
        Values { pool, size, at: 0 }
    }

    fn next(&mut self) -> Bytes {
        let value = self.pool.slice(self.at..self.at + self.size);
        self.at = (self.at + self.size.max(1)) % POOL;
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_size_and_differ() {
        for size in [0, 1, 1024, 5 << 20] {
            let mut values = Values::new(size);
            let (one, other) = (values.next(), values.next());
            assert_eq!((one.len(), other.len()), (size, size));
            assert!(size < 1024 || one != other);
            for _ in 0..10_000 {
                assert_eq!(values.next().len(), size);
            }
        }
    }
}
