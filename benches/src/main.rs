//! The command line of the benchmarks: reads the words, calls the library, prints. Decides no figure and starts no load itself.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use benches::load::{Pace, Shape};
use benches::verify::{self, Source};
use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(name = "bench", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Raw produce load on one address, checked afterwards
    Produce(Produce),
}

#[derive(Args)]
struct Produce {
    /// HOST:PORT of the broker
    address: SocketAddr,
    /// A topic that exists, or is made by being named
    topic: String,
    /// Partitions written to
    #[arg(long, default_value_t = 1)]
    partitions: i32,
    /// Make the topic first
    #[arg(long)]
    create: bool,
    /// Configuration of the topic that is made, NAME=VALUE
    #[arg(long)]
    config: Vec<String>,
    /// Connections
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// Requests in flight on each connection
    #[arg(long, default_value_t = 5)]
    in_flight: usize,
    /// Records in each request
    #[arg(long, default_value_t = 1)]
    records: u32,
    /// Bytes of each value
    #[arg(long, default_value_t = 100)]
    size: usize,
    /// Open loop at so many requests a second; without it, closed loop
    #[arg(long)]
    rate: Option<f64>,
    /// Seconds not counted
    #[arg(long, default_value_t = 0.3)]
    warm: f64,
    /// Seconds counted
    #[arg(long, default_value_t = 2.0)]
    run: f64,
    /// End the window after so many gigabytes
    #[arg(long, default_value_t = 3.0)]
    gigabytes: f64,
    /// The broker's process, for its CPU and memory
    #[arg(long)]
    pid: Option<u32>,
    /// Check the records in DIR/TOPIC-PARTITION.log instead of by Fetch
    #[arg(long)]
    files: Option<PathBuf>,
    /// Do not read the records back
    #[arg(long, conflicts_with = "files")]
    unchecked: bool,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Produce(args) => produce(&args),
    }
}

fn produce(args: &Produce) -> Result<()> {
    if args.create {
        let configs: Vec<(&str, &str)> = args
            .config
            .iter()
            .filter_map(|pair| pair.split_once('='))
            .collect();
        benches::control::Control::connect(args.address)?.create_topic(
            &args.topic,
            args.partitions,
            &configs,
        )?;
    }
    let shape = Shape {
        topic: args.topic.clone(),
        partitions: args.partitions,
        connections: args.connections,
        in_flight: args.in_flight,
        records: args.records,
        value_bytes: args.size,
        pace: args
            .rate
            .map_or(Pace::Closed, |per_second| Pace::Open { per_second }),
        warm: Duration::from_secs_f64(args.warm),
        run: Duration::from_secs_f64(args.run),
        bytes_max: (args.gigabytes * 1e9) as u64,
    };
    let outcome = benches::load::run(args.address, &shape, args.pid)?;
    let source = match (&args.files, args.unchecked) {
        (_, true) => Source::Nowhere,
        (Some(dir), false) => Source::Files(dir),
        (None, false) => Source::Broker(args.address),
    };
    let found = verify::all(source, &args.topic, &outcome.acknowledged, outcome.expect)?;
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&outcome.figures)?)?;
    } else {
        writeln!(out, "{}", outcome.figures.line())?;
        writeln!(
            out,
            "checked: {} records in {} batches, {} bytes",
            found.records, found.batches, found.bytes
        )?;
    }
    Ok(())
}
