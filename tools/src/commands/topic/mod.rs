//! `sawlog topic`: topics of a cluster, made, looked at, changed and deleted. Decides which of its commands runs, and the
//! exit code that says when only some of them were done: one result per topic.

use std::path::PathBuf;

use crate::cluster::{Cluster, wait_for};
use crate::exit::{Exit, Failure};
use crate::options;
use crate::table::Output;
use crate::tally::{How, Results};

mod apply;
mod change;
mod look;

/// Make topics, look at them, change and delete them
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog topic create orders --partitions 12
  sawlog topic list -o wide
  sawlog topic describe orders")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    List(List),
    Describe(Describe),
    Create(Create),
    Alter(Alter),
    AddPartitions(AddPartitions),
    Trim(Trim),
    Delete(Delete),
    Offsets(Offsets),
    Size(Size),
    Apply(Apply),
}

/// List the topics of a cluster.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog topic list
  sawlog topic list -o name | xargs sawlog topic offsets

Exit codes: 0 done, 1 failed, 5 no broker in time.")]
struct List {
    /// Also those that Kafka keeps for itself
    #[arg(long)]
    internal: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    cluster: Cluster,
}

/// Show of each partition of topics the first offset that is left, and the end.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog topic offsets orders -o json
  sawlog topic list -o name | xargs sawlog topic offsets

Exit codes: 0 done, 1 failed, 3 some were not found, 4 none was found, 5 no broker in time.")]
struct Offsets {
    /// Topics
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    cluster: Cluster,
}

/// Show each partition of topics: who leads, who holds a replica and who is in sync.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog topic describe orders
  sawlog topic describe --configs orders

Exit codes: 0 done, 1 failed, 3 some were not found, 4 none was found, 5 no broker in time.")]
struct Describe {
    /// Topics
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// Their settings instead, and where each value comes from
    #[arg(long)]
    configs: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    cluster: Cluster,
}

/// Make topics.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog topic create orders --partitions 12
  sawlog topic create metrics --config sawlog.durability=replicated --config retention.ms=3600000
  sawlog topic create orders bills -o json

Exit codes: 0 made, 1 none was made, 2 usage, 3 some were not made, 5 no broker in time.")]
struct Create {
    /// Topics
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// Partitions of each; the broker's default if not given, or -1
    #[arg(short, long, allow_negative_numbers = true, value_name = "N")]
    partitions: Option<i32>,
    /// Replicas of each partition; the broker's default if not given, or -1
    #[arg(short, long, allow_negative_numbers = true, value_name = "N")]
    replication: Option<i16>,
    /// A setting, by Kafka's name
    #[arg(long, value_name = "KEY=VALUE")]
    config: Vec<String>,
    #[command(flatten)]
    how: How,
}

/// Change settings of topics; those not named stay as they are.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog topic alter orders --config retention.ms=3600000
  sawlog topic alter orders --unset retention.ms

Exit codes: 0 changed, 1 none was changed, 2 usage, 3 some were not changed, 4 no such topic, 5 no broker in time.")]
struct Alter {
    /// Topics
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    #[command(flatten)]
    changes: Changes,
    #[command(flatten)]
    how: How,
}

/// What becomes of settings.
#[derive(clap::Args)]
#[group(required = true, multiple = true)]
struct Changes {
    /// A setting, by Kafka's name
    #[arg(long, value_name = "KEY=VALUE")]
    config: Vec<String>,
    /// A setting that goes back to the broker's default
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,
}

/// Give topics more partitions. Keys may go elsewhere then.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog topic add-partitions orders --total 24

Exit codes: 0 done, 1 none was changed, 3 some were not changed, 4 no such topic, 5 no broker in time.")]
struct AddPartitions {
    /// Topics
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// So many partitions each, in all
    #[arg(long, allow_negative_numbers = true, value_name = "N")]
    total: i32,
    #[command(flatten)]
    how: How,
}

/// Delete the oldest records of a topic.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog topic trim orders --before -7d --dry-run
  sawlog topic trim orders -p 3 --before 2 --yes
  sawlog topic trim orders --before latest --yes      all of them

Exit codes: 0 done, 1 failed, 2 usage, 3 some partitions were not trimmed, 4 no such topic, 5 no broker in time.")]
struct Trim {
    /// The topic
    topic: String,
    /// Partitions; all if not given
    #[arg(short, long, value_delimiter = ',', allow_negative_numbers = true, value_parser = options::partition, value_name = "N,...")]
    partition: Vec<i32>,
    /// The first record to keep: an offset, latest, or a time: -2h ago, RFC 3339, @ and milliseconds
    #[arg(long, allow_hyphen_values = true, value_name = "WHERE")]
    before: String,
    #[command(flatten)]
    sure: Sure,
    #[command(flatten)]
    cluster: Cluster,
}

/// Delete topics, with all their records.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog topic delete orders            asks first
  sawlog topic delete orders old --yes

Exit codes: 0 deleted, 1 none was deleted, 2 not confirmed, 3 some were not deleted, 4 no such topic, 5 no broker in time.")]
struct Delete {
    /// Topics
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    #[command(flatten)]
    sure: Sure,
    #[command(flatten)]
    cluster: Cluster,
}

/// Show how much of a disk topics take.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog topic size                     each topic
  sawlog topic size orders -o wide      its partitions, by broker and directory

Exit codes: 0 done, 1 failed, 4 no such topic, 5 no broker in time.")]
struct Size {
    /// Topics; all if not given
    #[arg(value_name = "TOPIC")]
    topics: Vec<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    cluster: Cluster,
}

/// Make and change topics until they are as a file says.
///
/// The file is JSON: a list of {"topic": NAME, "partitions": N, "replication": N, "configs": {KEY: VALUE}}. What it does
/// not name stays as it is; nothing is deleted. What is to be done is shown first.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog topic apply -f topics.json --dry-run
  sawlog topic apply -f topics.json --yes

Exit codes: 0 all is as it says, 1 failed, 2 usage, 3 some of it was not done, 4 no such file, 5 no broker in time.")]
struct Apply {
    /// The file, or - for standard input
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    sure: Sure,
    #[command(flatten)]
    cluster: Cluster,
}

/// Whether what cannot be undone is done.
#[derive(clap::Args)]
struct Sure {
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Only show what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    results: Results,
}

/// Runs one of the commands.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::List(arguments) => wait_for(look::list(arguments)),
        Command::Describe(arguments) => wait_for(look::describe(arguments)),
        Command::Create(arguments) => wait_for(change::create(arguments)),
        Command::Alter(arguments) => wait_for(change::alter(arguments)),
        Command::AddPartitions(arguments) => wait_for(change::add_partitions(arguments)),
        Command::Trim(arguments) => wait_for(change::trim(arguments)),
        Command::Delete(arguments) => wait_for(change::delete(arguments)),
        Command::Offsets(arguments) => wait_for(look::offsets(arguments)),
        Command::Size(arguments) => wait_for(look::size(arguments)),
        Command::Apply(arguments) => wait_for(apply::run(arguments)),
    }
}
