//! The command line of the benchmarks: reads the words, calls the library, prints.
//! Decides names and defaults of the arguments; no figure, and it starts no load itself.

#![forbid(unsafe_code)]

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use benches::cell::{self, Runner};
use benches::cells::Set;
use benches::fetching::{self, Reads};
use benches::figures::Figures;
use benches::load::{Pace, Shape};
use benches::peer::{self, Programs, Subject};
use benches::record;
use benches::report::Report;
use benches::suite::{self, Plan};
use benches::verify::{self, Source};
use clap::{Args, Parser, Subcommand};

/// As in the broker, so that single pieces cost what they cost there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Load on any broker of Kafka's protocol, and Sawlog compared with its peers on this machine
#[derive(Parser)]
#[command(name = "bench", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    compare: Compare,
}

#[derive(Args)]
struct Compare {
    /// Folder of the limit broker's sources, or its binary
    #[arg(long, value_name = "DIR|BIN")]
    limit: Option<PathBuf>,
    /// Folder of Kafka's start script
    #[arg(long, value_name = "DIR")]
    kafka: Option<PathBuf>,
    /// Sawlog's binary, the address of a running one, or `limit` (then every ratio to the limit broker must be 1)
    #[arg(
        long,
        value_name = "BIN|HOST:PORT|limit",
        default_value = "target/release/sawlog"
    )]
    sawlog: String,
    /// How much is measured
    #[arg(long, value_enum, default_value_t = Set::Smoke)]
    set: Set,
    /// Only these workloads (W1 to W9) or cells with this in their name
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Pairs of each cell, instead of the set's own number
    #[arg(long)]
    pairs: Option<usize>,
    /// Repeat a round when others used more than this share of the machine
    #[arg(long, default_value_t = 0.10)]
    foreign: f64,
    /// Data of the brokers, results, Python's environment; on a disk, not in memory
    #[arg(long, default_value = "target/bench")]
    room: PathBuf,
    /// Where the results go as JSON (ROOM/report.json)
    #[arg(long)]
    json: Option<PathBuf>,
    /// Keep the results in the repository under this name, for `bench report`
    #[arg(long, value_name = "NAME")]
    record: Option<String>,
    /// Minutes of the mixed load (W5)
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// What a reader of the results must know of this run
    #[arg(long, default_value = "")]
    note: String,
}

#[derive(Subcommand)]
enum Command {
    /// Raw produce load on one address, checked afterwards
    Produce(Produce),
    /// Read a partition again and again, checked on the way
    Fetch(Fetch),
    /// Read all partitions of a topic as they grow, until a line on stdin names how many records there are
    Follow(Follow),
    /// Write benches/report.md and the measured columns of benches/napkin.md from the records
    Report,
    /// Nanoseconds of single pieces of the hot path
    Micro,
    /// Run a program in a session of its own with its own share of the CPUs
    #[command(hide = true)]
    Side {
        /// The program and its arguments
        #[arg(last = true)]
        words: Vec<String>,
    },
}

#[derive(Args)]
struct Produce {
    /// HOST:PORT of the broker
    address: SocketAddr,
    /// Topics that exist, or are made by being named
    #[arg(value_name = "TOPIC,...", value_delimiter = ',', required = true)]
    topics: Vec<String>,
    /// Partitions of each of them
    #[arg(long, default_value_t = 1)]
    partitions: i32,
    /// Make the topics first
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
    /// Tell the latencies of so many equal parts of the window apart (open loop)
    #[arg(long, default_value_t = 0)]
    parts: u32,
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

#[derive(Args)]
struct Fetch {
    /// HOST:PORT of the broker
    address: SocketAddr,
    /// Topic to read
    topic: String,
    /// Which of its partitions
    #[arg(long, default_value_t = 0)]
    partition: i32,
    /// Bytes asked for by each request
    #[arg(long, default_value_t = 1 << 20)]
    bytes: i32,
    /// Seconds; the pass they end in is finished
    #[arg(long, default_value_t = 2.0)]
    run: f64,
    /// The broker's process, for its CPU and memory
    #[arg(long)]
    pid: Option<u32>,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Follow {
    /// HOST:PORT of the broker
    address: SocketAddr,
    /// Topic to follow
    topic: String,
    /// Its partitions
    #[arg(long, default_value_t = 1)]
    partitions: i32,
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    match cli.command {
        Some(Command::Produce(args)) => produce(&args).map(|()| ExitCode::SUCCESS),
        Some(Command::Fetch(args)) => fetch(&args).map(|()| ExitCode::SUCCESS),
        Some(Command::Follow(args)) => follow(&args).map(|()| ExitCode::SUCCESS),
        Some(Command::Report) => {
            record::write_all()?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Micro) => {
            let table = benches::micro::run()?;
            write!(std::io::stdout().lock(), "{table}")?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Side { words }) => peer::become_side(&words).map(|()| ExitCode::SUCCESS),
        None => compare(&cli.compare),
    }
}

fn say(line: &str) {
    // A closed terminal is no reason to stop measuring.
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn compare(args: &Compare) -> Result<ExitCode> {
    std::fs::create_dir_all(&args.room)?;
    let room = args.room.canonicalize()?;
    let programs = Programs {
        sawlog: subject(&args.sawlog)?,
        limit: args
            .limit
            .as_deref()
            .map(|path| peer::build_limit(path, &room))
            .transpose()?,
        kafka: args
            .kafka
            .as_deref()
            .map(|path| path.join("kafka").canonicalize())
            .transpose()?,
        room: room.clone(),
    };
    let python = cell::python(&room)
        .inspect_err(|error| say(&format!("librdkafka is not measured: {error:#}")))
        .ok();
    let runner = Runner {
        programs: &programs,
        python,
        seconds: args.set.seconds(),
        minutes: args.minutes,
    };
    let pairs = args.pairs.unwrap_or(args.set.pairs());
    let json = args
        .json
        .clone()
        .unwrap_or_else(|| room.join("report.json"));
    let mut keep = |report: &Report| -> Result<()> {
        let mut report = report.clone();
        report.regime.note.clone_from(&args.note);
        std::fs::write(&json, serde_json::to_string_pretty(&report)?)?;
        match &args.record {
            Some(name) => record::keep(name, &report),
            None => Ok(()),
        }
    };
    let report = suite::run(
        &runner,
        &mut Plan {
            set: args.set,
            only: &args.only,
            pairs,
            foreign_max: args.foreign,
            say: &mut say,
            keep: &mut keep,
        },
    )?;
    keep(&report)?;
    write!(std::io::stdout().lock(), "{}", report.table())?;
    Ok(if report.holds() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn subject(word: &str) -> Result<Option<Subject>> {
    if word == "limit" {
        return Ok(Some(Subject::Limit));
    }
    if let Ok(address) = word.parse::<SocketAddr>() {
        return Ok(Some(Subject::Running(address)));
    }
    match PathBuf::from(word).canonicalize() {
        Ok(binary) => Ok(Some(Subject::Binary(binary))),
        Err(error) => Err(error).with_context(|| {
            format!("{word}: build it with `cargo build --release`, or name another by --sawlog")
        }),
    }
}

fn produce(args: &Produce) -> Result<()> {
    if args.create {
        let configs: Vec<(&str, &str)> = args
            .config
            .iter()
            .filter_map(|pair| pair.split_once('='))
            .collect();
        let mut control = benches::control::Control::connect(args.address)?;
        for topic in &args.topics {
            control.create_topic(topic, args.partitions, &configs)?;
        }
    }
    let shape = Shape {
        topics: args.topics.clone(),
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
        parts: args.parts,
    };
    let outcome = benches::load::run(args.address, &shape, args.pid)?;
    let source = match (&args.files, args.unchecked) {
        (_, true) => Source::Nowhere,
        (Some(dir), false) => Source::Files(dir),
        (None, false) => Source::Broker(args.address),
    };
    let found = verify::all(source, &args.topics, &outcome.acknowledged, outcome.expect)?;
    tell(&outcome.figures, args.json)?;
    if !args.json {
        writeln!(
            std::io::stdout().lock(),
            "checked: {} records in {} batches, {} bytes",
            found.records,
            found.batches,
            found.bytes
        )?;
    }
    Ok(())
}

fn fetch(args: &Fetch) -> Result<()> {
    let reads = Reads {
        topic: args.topic.clone(),
        partition: args.partition,
        bytes_max: args.bytes,
        run: Duration::from_secs_f64(args.run),
    };
    let figures = fetching::run(args.address, &reads, args.pid)?;
    tell(&figures, args.json)
}

fn follow(args: &Follow) -> Result<()> {
    // The line may come at any time; reading it must not stop the following.
    let (tell_all, all) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        if std::io::stdin().read_line(&mut line).is_ok()
            && let Ok(count) = line.trim().parse::<u64>()
        {
            // Nobody waits any more: the following has failed.
            let _ = tell_all.send(count);
        }
    });
    let mut known = None;
    let figures = fetching::follow(args.address, &args.topic, args.partitions, || {
        known = known.or_else(|| all.try_recv().ok());
        known
    })?;
    tell(&figures, true)
}

fn tell(figures: &Figures, json: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(figures)?)?;
    } else {
        writeln!(out, "{}", figures.line())?;
    }
    Ok(())
}
