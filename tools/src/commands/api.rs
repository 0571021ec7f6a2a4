//! `sawlog api`: which API keys brokers serve, in which versions, beside what this tool knows. Decides what is shown; asks
//! each broker itself, and changes nothing. Never says what a version means: the reference of keys does.

use sawlog_client::metadata::BrokerId;
use sawlog_wire::ApiKey;
use serde_json::json;

use crate::cluster::{Cluster, failure, wait_for};
use crate::exit::{Exit, Failure};
use crate::table::{Output, Table};

/// Look at the protocol that brokers speak
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog api versions")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Versions(Versions),
}

/// Show the API keys that brokers serve, in which versions, and which of them this tool knows.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog api versions
  sawlog api versions --broker 1 -o json

Exit codes: 0 done, 1 failed, 5 no broker in time.")]
struct Versions {
    /// Of this broker; of all if not given
    #[arg(long, value_name = "ID")]
    broker: Option<i32>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    cluster: Cluster,
}

/// Runs one of the commands.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Versions(arguments) => wait_for(versions(arguments)),
    }
}

async fn versions(arguments: &Versions) -> Result<Exit, Failure> {
    let kafka = arguments.cluster.connect().await?;
    let known = kafka.known().await;
    let brokers = match arguments.broker {
        Some(id) if !known.brokers.contains_key(&BrokerId(id)) => {
            return Err(Failure::told(
                Exit::NotFound,
                format!("cannot ask broker {id}"),
                "there is no such broker".to_owned(),
                "`sawlog cluster info` shows the brokers",
            ));
        }
        Some(id) => vec![id],
        None => known.brokers.keys().map(|id| id.0).collect(),
    };
    let mut table = Table::new(
        arguments.output,
        &["broker", "key", "api", "from", "to", "known_to"],
    );
    for broker in brokers {
        let served = kafka.versions(broker).await;
        let served =
            served.map_err(|error| failure(&format!("cannot ask broker {broker}"), &error))?;
        for (key, from, to) in served.all() {
            let api = ApiKey::from_number(key);
            let name = api.map(ApiKey::name);
            table.row(
                name.map_or_else(|| key.to_string(), str::to_owned),
                json!({"broker": broker, "key": key, "api": name, "from": from, "to": to,
                    "known_from": api.map(|api| api.versions().from), "known_to": api.map(|api| api.versions().to)}),
            );
        }
    }
    table.end()?;
    Ok(Exit::Done)
}
