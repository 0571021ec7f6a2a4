//! `sawlog log`: reads what lies on disk, of a node that runs, was stopped, or died. Decides which of its commands runs.
//! Everything here only reads that directory: it takes no lock, changes no byte there and needs no node.

use std::path::PathBuf;

use crate::exit::{Exit, Failure};
use crate::show::Form;

mod batch;
mod dump;
mod index;
mod layout;
mod place;
mod segment;
mod verify;

/// Read what lies on disk: of a running node too, without its lock
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog log verify data       all that a node has on disk
  sawlog log dump data")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Dump(Dump),
    Verify(Verify),
    Index(Index),
}

/// Print what files of a log directory hold.
///
/// Segments, commits of the ring, sidecars, checkpoints, the metadata log and its snapshots. Batches and records are
/// printed as kafka-dump-log prints them.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog log dump data                         all that a node has on disk
  sawlog log dump --records data/orders-0      every record of a partition
  sawlog log dump data/__cluster_metadata-0    what the cluster's metadata went through
  sawlog log dump -o json data/commit          the commit log, one object a line

Exit codes: 0 done, 1 failed, 3 some bytes could not be read as what they should be, 4 no such file.")]
pub(crate) struct Dump {
    /// Files or directories
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Also each record of each batch
    #[arg(long, visible_alias = "deep-iteration")]
    records: bool,
    /// Also keys and values; implies --records
    #[arg(long, visible_alias = "print-data-log")]
    payload: bool,
    /// The form of the output
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Form,
}

/// Check every checksum, chain and order in a log directory, or in some of its files.
///
/// Names each damage with file, position and what to do. Of a running node it tells apart what changes while it looks:
/// only what is still wrong when it is read again counts.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog log verify data                                       a whole node
  sawlog log verify data/orders-0/00000000000000000000.log     one segment, by itself and by its sidecar

Exit codes: 0 whole, 1 failed, 4 no such file, 7 damage found.")]
pub(crate) struct Verify {
    /// Files or directories
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The form of the output
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Form,
}

/// Make Kafka's offset and time index of segments, for Kafka's tools or a Kafka that is to take them over.
///
/// A node of Sawlog has a sidecar beside each segment instead and reads no such index; none is written into its directory.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog log index data/orders-0/00000000000000000000.log --to copy --copy
  sawlog log index data/orders-0/*.log --to copy -o json

Exit codes: 0 made, 1 failed, 2 usage, 3 a segment is damaged and was indexed up to there, 4 no such file.")]
pub(crate) struct Index {
    /// Segments
    #[arg(required = true, value_name = "SEGMENT")]
    segments: Vec<PathBuf>,
    /// The directory they are written to, made if it is not there
    #[arg(long, value_name = "DIR", default_value = ".")]
    to: PathBuf,
    /// Copy each segment too: Kafka's tools want it beside its index
    #[arg(long)]
    copy: bool,
    /// The form of the output
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Form,
}

/// Runs one of the commands.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Dump(arguments) => dump::run(arguments),
        Command::Verify(arguments) => verify::run(arguments),
        Command::Index(arguments) => index::run(arguments),
    }
}
