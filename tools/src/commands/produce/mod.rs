//! `sawlog produce`: records from files or standard input. Decides how they are sent and what is said of them: how many were
//! written, when it cannot go on; where a record begins and ends is the affair of `input`.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use sawlog_client::{
    Acks, Compression, Header, Outcome, Partitioner, Producer, Record, SendError, Ticket,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::cluster::{Cluster, failure, wait_for};
use crate::exit::{Exit, Failure};
use crate::options;
use crate::progress::Progress;
use crate::stop::Stop;
use crate::when;

mod csv;
mod input;

use input::{Fault, Source};

/// A record may be this large; what less its topic or the broker takes, the broker says. The usual bound on a request is 100 MiB
/// (`socket.request.max.bytes`), and one that is longer ends the connection.
const RECORD_MAX: usize = 99 << 20;

/// Pieces of the input that wait to be sent.
const QUEUE: usize = 4;

/// Send records to a topic: the lines of files or of standard input.
///
/// Each record is acknowledged by all replicas in sync before it counts. One that goes again after a lost connection is
/// written once.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog produce orders < orders.txt            a record per line, where the partitioner puts it
  sawlog produce files -i raw README.md         a record per file
  sawlog produce orders -k 42 -H trace=abc -p 3 < one.txt
  sawlog produce orders -i kv < pairs.txt       key, tab, value
  sawlog produce orders -i '%k:%v\\n' < pairs.txt
  sawlog produce orders -i csv orders.csv       rows below a heading: key,value
  sawlog consume orders -e -o json | sawlog produce copy -i json

Exit codes: 0 all written, 1 failed, 2 usage, 4 no such topic or file, 5 no broker in time, 130 interrupted.")]
pub(crate) struct Arguments {
    /// The topic
    topic: String,
    /// Files; standard input if none is named
    files: Vec<PathBuf>,
    /// The partition; the key decides if not given, or nothing
    #[arg(short, long, allow_negative_numbers = true, value_parser = options::partition, value_name = "N")]
    partition: Option<i32>,
    /// The key of every record that has none
    #[arg(short, long)]
    key: Option<String>,
    /// A header of every record, behind its own; may be given again
    #[arg(short = 'H', long, value_name = "NAME=VALUE")]
    header: Vec<String>,
    /// The time of every record that has none: -2h ago, RFC 3339, @ and milliseconds since 1970
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    at: Option<String>,
    /// What a record is: lines, raw (a file), kv (key, tab, value), json or csv (as consume -o json and -o csv give them;
    /// a heading names the columns), or a format
    #[arg(short, long, default_value = "lines", value_name = "FORM")]
    input: String,
    /// With -i json and -i csv: into the partition it came from, with the time that a broker gave it
    #[arg(long)]
    keep: bool,
    /// none, gzip, snappy, lz4 or zstd
    #[arg(short = 'z', long, default_value = "none", value_parser = options::compression, value_name = "CODEC")]
    compress: Compression,
    /// all, 1 or 0
    #[arg(long, default_value = "all", allow_negative_numbers = true, value_parser = options::acks, value_name = "ACKS")]
    acks: Acks,
    /// How keys become partitions: murmur2 (Java's) or crc32 (librdkafka's)
    #[arg(long, default_value = "murmur2", value_parser = options::partitioner, value_name = "NAME")]
    partitioner: Partitioner,
    /// How long a batch waits for more records
    #[arg(long, default_value = "5ms", value_parser = when::duration, value_name = "SPAN")]
    linger: Duration,
    /// At most so many records a second: 500, 1k, 1k/s
    #[arg(long, value_parser = options::rate, value_name = "N")]
    rate: Option<f64>,
    #[command(flatten)]
    cluster: Cluster,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let source = Source::parse(&arguments.input, like(arguments)?, arguments.keep)?;
    let cluster = &arguments.cluster;
    let mut stop = Stop::listen()?;
    wait_for(async {
        let topic = &arguments.topic;
        let none = |error| failure(&format!("0 records were written to {topic}"), &error);
        let begun = async {
            let kafka = cluster.connect().await?;
            // Before anything is read: a topic that is not there is no affair of the first record.
            let partitions = kafka.partitions(topic).await;
            partitions.map_err(none).map(|_| kafka)
        };
        let kafka = tokio::select! {
            begun = begun => begun?,
            () = stop.asked() => return Ok(Exit::Interrupted),
        };
        let producer = kafka
            .producer()
            .compression(arguments.compress)
            .acks(arguments.acks)
            .partitioner(arguments.partitioner)
            .linger(arguments.linger)
            .max_request_size(RECORD_MAX)
            .delivery_timeout(cluster.limit())
            .build()
            .await
            .map_err(none)?;
        let (sender, pieces) = mpsc::channel(QUEUE);
        let files = arguments.files.clone();
        // Reading blocks, and a terminal blocks for as long as its user thinks.
        std::thread::spawn(move || source.read(&files, &sender));
        Sending {
            producer,
            tickets: VecDeque::new(),
            told: Told::default(),
            progress: Progress::begin(),
        }
        .run(pieces, arguments.rate, &mut stop)
        .await
    })
}

/// What is known of the records so far.
#[derive(Default)]
struct Told {
    written: u64,
    not_written: u64,
    unknown: u64,
    /// The first that failed.
    error: Option<Box<SendError>>,
}

struct Sending {
    producer: Producer,
    tickets: VecDeque<Ticket>,
    told: Told,
    progress: Progress,
}

impl Sending {
    async fn run(
        mut self,
        mut pieces: mpsc::Receiver<Result<Vec<Record>, Fault>>,
        rate: Option<f64>,
        stop: &mut Stop,
    ) -> Result<Exit, Failure> {
        let (begun, mut sent) = (Instant::now(), 0_u32);
        let (mut fault, mut interrupted) = (None, false);
        while self.told.error.is_none() && fault.is_none() && !interrupted {
            let piece = tokio::select! {
                piece = pieces.recv() => piece,
                () = stop.asked() => {
                    interrupted = true;
                    continue;
                }
                // Who types may be silent for long; what fails meanwhile is told all the same.
                () = self.answered(), if !self.tickets.is_empty() => {
                    self.hear();
                    continue;
                }
            };
            match piece {
                Some(Ok(records)) => {
                    for record in records {
                        let due = rate.map(|rate| {
                            sent = sent.saturating_add(1);
                            begun + Duration::from_secs_f64(f64::from(sent - 1) / rate)
                        });
                        tokio::select! {
                            // Who never has to wait is asked to stop between pieces.
                            biased;
                            () = self.send(record, due) => {}
                            () = stop.asked() => interrupted = true,
                        }
                        if due.is_some() {
                            self.hear();
                        }
                        if self.told.error.is_some() || interrupted {
                            break;
                        }
                    }
                    self.hear();
                }
                Some(Err(why)) => fault = Some(why),
                None => break,
            }
        }
        // What was taken is sent; a second Ctrl-C does not wait for it.
        self.producer.flush().await;
        self.hear();
        self.progress.end();
        self.end(fault, interrupted)
    }

    async fn send(&mut self, record: Record, due: Option<Instant>) {
        if let Some(due) = due {
            sleep_until(due).await;
        }
        match self.producer.enqueue(record).await {
            Ok(ticket) => self.tickets.push_back(ticket),
            Err(unsent) => self.failed(unsent),
        }
    }

    /// Waits for the answer to the oldest record that has none.
    async fn answered(&mut self) {
        if let Some(oldest) = self.tickets.front_mut() {
            // `hear` asks for it again.
            let _ = oldest.await;
        }
    }

    /// Takes in the answers that have come.
    fn hear(&mut self) {
        while let Some(answer) = self.tickets.front().and_then(Ticket::answer) {
            self.tickets.pop_front();
            match answer {
                Ok(_) => self.told.written += 1,
                Err(unsent) => self.failed(unsent),
            }
        }
        self.progress.show(self.told.written);
    }

    fn failed(&mut self, unsent: Box<SendError>) {
        match unsent.outcome {
            Outcome::NotWritten => self.told.not_written += 1,
            Outcome::Unknown => self.told.unknown += 1,
        }
        self.told.error.get_or_insert(unsent);
    }

    fn end(self, fault: Option<Fault>, interrupted: bool) -> Result<Exit, Failure> {
        let Told {
            written,
            not_written,
            unknown,
            error,
        } = self.told;
        let unknown = unknown + self.tickets.len() as u64;
        let mut what = format!("{written} records were written");
        if not_written > 0 {
            what += &format!(", {not_written} were not");
        }
        if unknown > 0 {
            what += &format!(", of {unknown} it is not known");
        }
        if let Some(unsent) = error {
            return Err(failure(&what, &unsent.error));
        }
        if let Some(fault) = fault {
            let (exit, next) = match (fault.is_absent(), fault.is_unreadable()) {
                (true, _) => (Exit::NotFound, "Look at its name"),
                (_, true) => (Exit::Failed, "Name a file that can be read"),
                _ => (Exit::Failed, "Mend the input; --help shows the forms"),
            };
            return Err(Failure::told(
                exit,
                format!("{what}, the rest was not sent"),
                fault.to_string(),
                next,
            ));
        }
        if interrupted {
            crate::exit::say(&what);
            return Ok(Exit::Interrupted);
        }
        Ok(Exit::Done)
    }
}

/// What every record has that says nothing else.
fn like(arguments: &Arguments) -> Result<Record, Failure> {
    let mut record = Record::to(arguments.topic.as_str());
    record.partition = arguments.partition;
    record.key = arguments
        .key
        .as_ref()
        .map(|key| Bytes::copy_from_slice(key.as_bytes()));
    for pair in &arguments.header {
        let Some((name, value)) = pair.split_once('=') else {
            let (what, why) = (format!("-H {pair}"), "a header is NAME=VALUE".to_owned());
            return Err(Failure::told(
                Exit::Usage,
                what,
                why,
                "For example -H trace=abc",
            ));
        };
        record.headers.push(Header {
            name: Bytes::copy_from_slice(name.as_bytes()),
            value: Some(Bytes::copy_from_slice(value.as_bytes())),
        });
    }
    if let Some(at) = &arguments.at {
        let Some(time) = when::time(at, when::now()) else {
            let (what, why) = (format!("--at {at}"), "it is no time".to_owned());
            return Err(Failure::told(
                Exit::Usage,
                what,
                why,
                "For example -2h, 2026-11-22T10:00:00Z, @1795338000000",
            ));
        };
        record.timestamp = Some(time);
    }
    Ok(record)
}
