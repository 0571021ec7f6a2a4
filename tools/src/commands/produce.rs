//! `sawlog produce`: records from files or standard input into one partition. Decides where a record ends and how many go
//! together; says how many were written when it cannot go on.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;

use bytes::Bytes;
use sawlog_client::{Header, Outcome, Record};
use tokio::sync::mpsc;

use crate::cluster::{Cluster, failure, wait_for};
use crate::exit::{Exit, Failure};

/// Records that wait to be sent.
const QUEUE: usize = 10_000;
/// Bytes of records in one batch: below `max.message.bytes` of every broker that keeps Kafka's default.
const BATCH: usize = 900_000;

/// What a record is in the input.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum Input {
    /// Each line
    Lines,
    /// Each file, as a whole
    Raw,
}

/// Send records to a partition: the lines of files or of standard input.
///
/// Each record is acknowledged by all replicas in sync before it counts. What arrives together is sent together.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog produce orders < orders.txt            a record per line
  sawlog produce files -i raw README.md         a record per file
  sawlog produce orders -k 42 -H trace=abc -p 3 < one.txt

Exit codes: 0 all written, 1 failed, 2 usage, 4 no such topic, 5 no broker in time.")]
pub(crate) struct Arguments {
    /// The topic
    topic: String,
    /// Files; standard input if none is named
    files: Vec<PathBuf>,
    /// The partition
    #[arg(short, long, default_value_t = 0, value_name = "N")]
    partition: i32,
    /// The key of every record
    #[arg(short, long)]
    key: Option<String>,
    /// A header of every record; may be given again
    #[arg(short = 'H', long, value_name = "NAME=VALUE")]
    header: Vec<String>,
    /// What a record is
    #[arg(short, long, value_enum, default_value_t = Input::Lines, value_name = "FORM")]
    input: Input,
    #[command(flatten)]
    cluster: Cluster,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let like = like(arguments)?;
    wait_for(async {
        let kafka = arguments.cluster.connect().await?;
        let place = kafka.partition(&arguments.topic, arguments.partition);
        let (sender, mut values) = mpsc::channel(QUEUE);
        let (files, input) = (arguments.files.clone(), arguments.input);
        // Reading blocks, and a terminal blocks for as long as its user thinks.
        std::thread::spawn(move || read_all(&files, input, &sender));
        let (mut written, mut open) = (0_u64, true);
        let mut taken: Vec<io::Result<Bytes>> = Vec::new();
        while open {
            open = values.recv_many(&mut taken, QUEUE).await > 0;
            let (mut batch, mut bytes) = (Vec::new(), 0);
            for value in taken.drain(..) {
                let value = value.map_err(|error| {
                    stopped(written, "cannot read the input", &error.to_string())
                })?;
                if bytes + value.len() > BATCH && !batch.is_empty() {
                    written += send(&place, std::mem::take(&mut batch), written).await?;
                    bytes = 0;
                }
                bytes += value.len();
                batch.push(Record {
                    value: Some(value),
                    ..like.clone()
                });
            }
            if !batch.is_empty() {
                written += send(&place, batch, written).await?;
            }
        }
        Ok(Exit::Done)
    })
}

async fn send(
    place: &sawlog_client::Partition,
    batch: Vec<Record>,
    written: u64,
) -> Result<u64, Failure> {
    let count = batch.len() as u64;
    match place.append(batch).await {
        Ok(_) => Ok(count),
        Err(error) => {
            let next = match error.outcome() {
                Outcome::NotWritten => "the next were not",
                Outcome::Unknown => "of the next it is not known",
            };
            Err(failure(
                &format!("{written} records were written, {next} ({count})"),
                &error,
            ))
        }
    }
}

fn stopped(written: u64, what: &str, why: &str) -> Failure {
    Failure::told(
        Exit::Failed,
        format!("{what}; {written} records were written"),
        why.to_owned(),
        "Look at the file",
    )
}

/// Key and headers of every record.
fn like(arguments: &Arguments) -> Result<Record, Failure> {
    let mut headers = Vec::new();
    for pair in &arguments.header {
        let Some((name, value)) = pair.split_once('=') else {
            let what = format!("-H {pair}");
            return Err(Failure::told(
                Exit::Usage,
                what,
                "a header is NAME=VALUE".to_owned(),
                "For example -H trace=abc",
            ));
        };
        headers.push(Header {
            name: Bytes::copy_from_slice(name.as_bytes()),
            value: Some(Bytes::copy_from_slice(value.as_bytes())),
        });
    }
    let key = arguments
        .key
        .as_ref()
        .map(|key| Bytes::copy_from_slice(key.as_bytes()));
    Ok(Record {
        key,
        headers,
        ..Record::default()
    })
}

type Sender = mpsc::Sender<io::Result<Bytes>>;

fn read_all(files: &[PathBuf], input: Input, to: &Sender) {
    if files.is_empty() {
        read(io::stdin().lock(), input, to);
    }
    for path in files {
        match File::open(path) {
            Ok(file) => read(BufReader::new(file), input, to),
            Err(error) => {
                let error = io::Error::new(error.kind(), format!("{}: {error}", path.display()));
                // The other side has ended and said why.
                let _ = to.blocking_send(Err(error));
                return;
            }
        }
    }
}

fn read(mut from: impl BufRead, input: Input, to: &Sender) {
    loop {
        let mut value = Vec::new();
        let read = match input {
            Input::Lines => from.read_until(b'\n', &mut value),
            Input::Raw => from.read_to_end(&mut value),
        };
        let sent = match read {
            Ok(0) if input == Input::Lines => return,
            Ok(_) => {
                if input == Input::Lines && value.last() == Some(&b'\n') {
                    value.pop();
                }
                to.blocking_send(Ok(value.into()))
            }
            Err(error) => to.blocking_send(Err(error)),
        };
        if sent.is_err() || input == Input::Raw {
            return;
        }
    }
}
