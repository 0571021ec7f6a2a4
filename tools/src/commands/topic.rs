//! `sawlog topic`: topics of a cluster, made and looked at. Decides what is shown; one result per topic, and an exit code
//! that says when only some of them were done.

use sawlog_client::NewTopic;
use sawlog_client::metadata::{BrokerId, Topic};
use sawlog_core::complaint::Complaint;
use sawlog_wire::Code;
use serde_json::{Value, json};

use crate::cluster::{Cluster, advice, failure, wait_for};
use crate::exit::{Exit, Failure, say};
use crate::show::{Form, Show};

/// Make topics and look at them
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    List(List),
    Describe(Describe),
    Create(Create),
}

/// List the topics of a cluster.
#[derive(clap::Args)]
struct List {
    #[command(flatten)]
    cluster: Cluster,
    /// The form of the output
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Form,
}

/// Show the partitions of topics: who leads, who holds a replica, who is in sync.
#[derive(clap::Args)]
struct Describe {
    /// Topics
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    #[command(flatten)]
    cluster: Cluster,
    /// The form of the output
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Form,
}

/// Make topics.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog topic create orders --partitions 12
  sawlog topic create metrics --config sawlog.durability=replicated --config retention.ms=3600000

Exit codes: 0 made, 1 none was made, 2 usage, 3 some were not made, 5 no broker in time.")]
struct Create {
    /// Topics
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// Partitions of each; the broker's default if not given
    #[arg(long, value_name = "N")]
    partitions: Option<i32>,
    /// Replicas of each partition; the broker's default if not given
    #[arg(long, value_name = "N")]
    replication: Option<i16>,
    /// A setting, by Kafka's name
    #[arg(long, value_name = "KEY=VALUE")]
    config: Vec<String>,
    #[command(flatten)]
    cluster: Cluster,
}

/// Runs one of the commands.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::List(arguments) => wait_for(list(arguments)),
        Command::Describe(arguments) => wait_for(describe(arguments)),
        Command::Create(arguments) => wait_for(create(arguments)),
    }
}

async fn list(arguments: &List) -> Result<Exit, Failure> {
    let kafka = arguments.cluster.connect().await?;
    let known = kafka
        .metadata(None)
        .await
        .map_err(|error| failure("cannot list topics", &error))?;
    let mut show = Show::new(arguments.output);
    let wide = known
        .topics
        .keys()
        .map(String::len)
        .max()
        .unwrap_or(0)
        .max("TOPIC".len());
    show.heading(|| format!("{:wide$}  PARTITIONS  REPLICAS", "TOPIC"))?;
    for (name, topic) in &known.topics {
        let (partitions, replicas) = (topic.partitions.len(), replicas(topic));
        show.item(
            || format!("{name:wide$}  {partitions:>10}  {replicas:>8}"),
            || json!({"topic": name, "topic_id": topic.id.to_string(), "partitions": partitions, "replicas": replicas, "internal": topic.internal}),
        )?;
    }
    show.end()?;
    Ok(Exit::Done)
}

fn replicas(topic: &Topic) -> usize {
    topic
        .partitions
        .values()
        .map(|partition| partition.replicas.len())
        .max()
        .unwrap_or(0)
}

async fn describe(arguments: &Describe) -> Result<Exit, Failure> {
    let kafka = arguments.cluster.connect().await?;
    let names: Vec<&str> = arguments.topics.iter().map(String::as_str).collect();
    let known = kafka
        .metadata(Some(&names))
        .await
        .map_err(|error| failure("cannot describe topics", &error))?;
    let mut show = Show::new(arguments.output);
    let mut missing = 0;
    for name in &names {
        let Some(topic) = known.topics.get(*name) else {
            let code = known.errors.get(*name).and_then(|error| error.code());
            let complaint = Complaint {
                what: format!("cannot describe {name}"),
                why: code
                    .map_or("the broker said nothing of it", Code::text)
                    .to_owned(),
                attempt: advice(code).to_owned(),
                code,
            };
            say(&complaint.to_string());
            missing += 1;
            continue;
        };
        show.heading(|| {
            format!(
                "{name}  id {}  partitions {}",
                topic.id,
                topic.partitions.len()
            )
        })?;
        for (number, partition) in &topic.partitions {
            let leader = partition.leader.map(|id| id.0);
            show.item(
                || {
                    let leader = leader.map_or("none".to_owned(), |id| id.to_string());
                    format!("  {number}  leader {leader}  epoch {}  replicas {}  in sync {}", partition.epoch, ids(&partition.replicas), ids(&partition.isr))
                },
                || {
                    json!({"topic": name, "topic_id": topic.id.to_string(), "partition": number, "leader": leader, "leader_epoch": partition.epoch,
                        "replicas": numbers(&partition.replicas), "isr": numbers(&partition.isr)})
                },
            )?;
        }
    }
    show.end()?;
    Ok(match missing {
        0 => Exit::Done,
        all if all == names.len() => Exit::NotFound,
        _ => Exit::SomeFailed,
    })
}

fn ids(ids: &[BrokerId]) -> String {
    let texts: Vec<String> = ids.iter().map(|id| id.0.to_string()).collect();
    texts.join(",")
}

fn numbers(ids: &[BrokerId]) -> Vec<Value> {
    ids.iter().map(|id| json!(id.0)).collect()
}

async fn create(arguments: &Create) -> Result<Exit, Failure> {
    let mut topics = Vec::new();
    for name in &arguments.topics {
        let mut topic = NewTopic::new(name);
        if let Some(partitions) = arguments.partitions {
            topic = topic.partitions(partitions);
        }
        if let Some(replicas) = arguments.replication {
            topic = topic.replication(replicas);
        }
        for pair in &arguments.config {
            let Some((key, value)) = pair.split_once('=') else {
                let what = format!("--config {pair}");
                return Err(Failure::told(
                    Exit::Usage,
                    what,
                    "a setting is KEY=VALUE".to_owned(),
                    "For example --config retention.ms=3600000",
                ));
            };
            topic = topic.config(key, value);
        }
        topics.push(topic);
    }
    let kafka = arguments.cluster.connect().await?;
    let made = kafka
        .create_topics(topics)
        .await
        .map_err(|error| failure("cannot create topics", &error))?;
    let mut refused = 0;
    for (name, result) in &made {
        match result {
            Ok(()) => say(&format!("created {name}")),
            Err(error) => {
                refused += 1;
                let complaint = Complaint {
                    what: "cannot create a topic".to_owned(),
                    why: error.reason().to_owned(),
                    attempt: advice(error.code()).to_owned(),
                    code: error.code(),
                };
                say(&complaint.to_string());
            }
        }
    }
    Ok(match refused {
        0 => Exit::Done,
        all if all == made.len() => Exit::Failed,
        _ => Exit::SomeFailed,
    })
}
