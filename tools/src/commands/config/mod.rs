//! `sawlog config`: the settings of topics and brokers, looked at, changed and compared, and what each one means. Decides
//! which of its commands runs and whose settings it is about; what a setting may be, the broker decides.

use clap::ArgMatches;
use sawlog_client::{Client, Resource};
use serde_json::{Value, json};

use crate::cluster::{Cluster, failure, wait_for};
use crate::exit::{Exit, Failure};
use crate::table::Output;
use crate::tally::{How, Tally};

mod change;
mod explain;
mod look;
mod own;

/// Look at settings of topics and brokers, change them, compare them
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog config describe --topic orders --changed
  sawlog config set --topic orders retention.ms=3600000 segment.bytes=16777216
  sawlog config explain retention.ms")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    List(List),
    Describe(Describe),
    Set(Set),
    Delete(Delete),
    Diff(Diff),
    Explain(explain::Explain),
    Show(own::Show),
}

/// Whose settings.
#[derive(clap::Args)]
#[group(required = true, multiple = true)]
struct Whose {
    /// Topics
    #[arg(short, long, value_delimiter = ',', value_name = "NAME,...")]
    topic: Vec<String>,
    /// Brokers
    #[arg(long, value_delimiter = ',', value_name = "ID,...")]
    broker: Vec<i32>,
    /// What all brokers are given that are given nothing of their own
    #[arg(long)]
    brokers_default: bool,
}

impl Whose {
    fn resources(&self) -> Vec<Resource> {
        let topics = self.topic.iter().cloned().map(Resource::Topic);
        let brokers = self.broker.iter().copied().map(Resource::Broker);
        let all = self.brokers_default.then_some(Resource::Brokers);
        topics.chain(brokers).chain(all).collect()
    }
}

/// List what was set at run time: of all topics, of each broker, of all brokers.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog config list
  sawlog config list -o json

Exit codes: 0 done, 1 failed, 3 some could not be asked, 5 no broker in time.")]
struct List {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    cluster: Cluster,
}

/// Show settings, their values and where each comes from.
///
/// -o wide and -o json have all that was said of a setting, the word that counts first: at the topic, at the broker, for
/// all brokers, in the broker's file, by default.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog config describe --topic orders
  sawlog config describe --topic orders retention.ms -o json
  sawlog config describe --topic orders --changed
  sawlog config describe --broker 1 log.retention.ms

Exit codes: 0 done, 1 failed, 3 some were not found, 4 none was found, 5 no broker in time.")]
struct Describe {
    /// Settings; all if not given
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
    #[command(flatten)]
    whose: Whose,
    /// Only what somebody set
    #[arg(long)]
    changed: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    cluster: Cluster,
}

/// Change settings; those not named stay as they are. What is to change is shown first.
///
/// All of one topic's or broker's are changed, or none.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog config set --topic orders retention.ms=3600000 segment.bytes=16777216
  sawlog config set --topic orders retention.ms=1 --dry-run
  sawlog config set --topic orders --append cleanup.policy=delete
  sawlog config set --broker 1 log.retention.ms=7200000
  sawlog config set --topic orders,nosuch retention.ms=7200000 -o json
  sawlog config set --brokers-default log.retention.ms=86400000

Exit codes: 0 changed, 1 none was changed, 2 usage, 3 some were not changed, 4 no such topic or broker, 5 no broker in
time.")]
struct Set {
    /// Settings, by Kafka's names
    #[arg(value_name = "KEY=VALUE", required_unless_present_any = ["append", "subtract"])]
    pairs: Vec<String>,
    /// Items more in a list
    #[arg(long, value_name = "KEY=ITEM,...")]
    append: Vec<String>,
    /// Items less in a list
    #[arg(long, value_name = "KEY=ITEM,...")]
    subtract: Vec<String>,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    how: How,
}

/// Take settings back: what held before they were set holds again, and is shown first.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog config delete --topic orders segment.bytes --dry-run
  sawlog config delete --topic orders segment.bytes
  sawlog config delete --brokers-default log.retention.ms

Exit codes: 0 changed, 1 none was changed, 3 some were not changed, 4 no such topic, broker or setting, 5 no broker in
time.")]
struct Delete {
    /// Settings, by Kafka's names
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    how: How,
}

/// Compare the settings of two brokers, or of two topics.
///
/// Of brokers, those that tell one from the other anyway (node.id, listeners, log.dirs...) are left out unless --all.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog config diff 1 2
  sawlog config diff --topics orders payments

Exit codes: 0 equal, 1 failed, 4 no such topic or broker, 5 no broker in time, 7 they differ.")]
struct Diff {
    /// A broker, by id, or a topic
    #[arg(value_name = "NODE")]
    left: String,
    /// Another one
    #[arg(value_name = "NODE")]
    right: String,
    /// They are topics
    #[arg(long)]
    topics: bool,
    /// Also what differs between any two brokers
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    cluster: Cluster,
}

/// Runs one of the commands. `matches` is what was typed, with where each word comes from.
pub(crate) fn run(arguments: &Arguments, matches: &ArgMatches) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::List(arguments) => wait_for(look::list(arguments)),
        Command::Describe(arguments) => wait_for(look::describe(arguments)),
        Command::Set(arguments) => wait_for(change::set(arguments)),
        Command::Delete(arguments) => wait_for(change::delete(arguments)),
        Command::Diff(arguments) => wait_for(look::diff(arguments)),
        Command::Explain(arguments) => explain::explain(arguments),
        Command::Show(arguments) => own::show(arguments, matches),
    }
}

/// What a person calls it.
fn title(resource: &Resource) -> String {
    match resource {
        Resource::Topic(name) => format!("topic {name}"),
        Resource::Broker(id) => format!("broker {id}"),
        _ => "all brokers".to_owned(),
    }
}

/// The same, for programs: kind and name.
fn thing(resource: &Resource) -> Value {
    match resource {
        Resource::Topic(name) => json!({"resource": "topic", "name": name}),
        Resource::Broker(id) => json!({"resource": "broker", "name": id.to_string()}),
        _ => json!({"resource": "brokers", "name": null}),
    }
}

/// Its name alone; all brokers have none of their own.
fn name(resource: &Resource) -> String {
    match resource {
        Resource::Topic(name) => name.clone(),
        Resource::Broker(id) => id.to_string(),
        _ => "brokers".to_owned(),
    }
}

/// Leaves out brokers that are not there, and says so: nobody could be asked.
async fn present(
    kafka: &Client,
    wanted: Vec<Resource>,
    tally: &mut Tally,
) -> Result<Vec<Resource>, Failure> {
    let known = kafka.describe_cluster().await;
    let known = known.map_err(|error| failure("cannot describe the cluster", &error))?;
    let mut there = Vec::new();
    for resource in wanted {
        match &resource {
            Resource::Broker(id) if !known.brokers.iter().any(|broker| broker.id == *id) => {
                let what = format!("cannot use broker {id}");
                let next = "`sawlog cluster info` shows the brokers".to_owned();
                let why = "there is no such broker";
                tally.untried(&name(&resource), thing(&resource), why);
                tally.refuse(Exit::NotFound, what, why, next);
            }
            _ => there.push(resource),
        }
    }
    Ok(there)
}
