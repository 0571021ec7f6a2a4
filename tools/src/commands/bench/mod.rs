//! `sawlog bench`: how fast a cluster takes records and gives them back, by this tool's own client. Decides which of its
//! commands runs, and what both are told alike; what is measured is theirs, how it is told is `report`'s affair.

use std::path::PathBuf;
use std::time::Duration;

use sawlog_client::{Acks, Compression};

use crate::cluster::{Cluster, wait_for};
use crate::exit::{Exit, Failure};
use crate::options;
use crate::show::Form;
use crate::stop::Stop;
use crate::when;

mod consume;
mod produce;
mod report;

/// Measure how fast a cluster takes records and gives them back
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog bench produce perf -n 100k --size 100 -z zstd
  sawlog bench consume perf")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Produce(Produce),
    Consume(Consume),
}

/// How it is told.
#[derive(clap::Args)]
struct Told {
    /// Set beside what an earlier run said with -o json
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// The form of the output
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Form,
}

/// Measure how fast records are acknowledged.
///
/// A record's latency is the time from when it was due to its acknowledgement: with --rate from the plan, so that a stall
/// counts for all that it held up; without, from when there was one to send. Up to 20,000 records a second are timed, each
/// by itself.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog bench produce perf --partitions 16 --duration 3s          as fast as it goes
  sawlog bench produce perf -n 100k --size 100 -z zstd
  sawlog bench produce perf --rate 1k/s --duration 2s -o json > old.json
  sawlog bench produce perf --rate 1k/s --duration 2s --compare old.json

Exit codes: 0 done, 1 failed, 2 usage, 4 no such topic, 5 no broker in time, 130 interrupted.")]
struct Produce {
    /// The topic
    topic: String,
    /// Make the topic, with so many partitions, if it is not there
    #[arg(long, value_name = "N")]
    partitions: Option<i32>,
    /// End after so many records: 1000, 10k, 1M
    #[arg(short = 'n', long, value_parser = options::count, value_name = "N", conflicts_with = "duration")]
    records: Option<u64>,
    /// End after so long
    #[arg(long, default_value = "10s", value_parser = when::duration, value_name = "SPAN")]
    duration: Duration,
    /// Bytes of a record's value: 100, 1KiB, 1MB
    #[arg(long, default_value = "1KiB", value_parser = options::record, value_name = "BYTES")]
    size: usize,
    /// At most so many records a second: 500, 1k, 1k/s
    #[arg(long, value_parser = options::rate, value_name = "N")]
    rate: Option<f64>,
    /// none, gzip, snappy, lz4 or zstd; what is sent can be made half as long
    #[arg(short = 'z', long, default_value = "none", value_parser = options::compression, value_name = "CODEC")]
    compress: Compression,
    /// all, 1 or 0
    #[arg(long, default_value = "all", allow_negative_numbers = true, value_parser = options::acks, value_name = "ACKS")]
    acks: Acks,
    /// How long a batch waits for more records
    #[arg(long, default_value = "5ms", value_parser = when::duration, value_name = "SPAN")]
    linger: Duration,
    #[command(flatten)]
    told: Told,
    #[command(flatten)]
    cluster: Cluster,
}

/// Measure how fast records are read, from the first one on.
///
/// Latency is the time that each batch was waited for.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog bench consume perf                    once through all that is there
  sawlog bench consume perf --duration 1s      again from the first record when all were read
  sawlog bench consume perf -n 100k -o json

Exit codes: 0 done, 1 failed, 2 usage, 4 no such topic, 5 no broker in time, 130 interrupted.")]
struct Consume {
    /// The topic
    topic: String,
    /// End after so many records: 1000, 10k, 1M
    #[arg(short = 'n', long, value_parser = options::count, value_name = "N", conflicts_with = "duration")]
    records: Option<u64>,
    /// End after so long
    #[arg(long, value_parser = when::duration, value_name = "SPAN")]
    duration: Option<Duration>,
    #[command(flatten)]
    told: Told,
    #[command(flatten)]
    cluster: Cluster,
}

/// Runs one of the commands.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut stop = Stop::listen()?;
    match &arguments.command {
        Command::Produce(arguments) => {
            let before = report::before(arguments.told.compare.as_deref())?;
            wait_for(produce::run(arguments, before, &mut stop))
        }
        Command::Consume(arguments) => {
            let before = report::before(arguments.told.compare.as_deref())?;
            wait_for(consume::run(arguments, before, &mut stop))
        }
    }
}
