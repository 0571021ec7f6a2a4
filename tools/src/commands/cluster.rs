//! `sawlog cluster`: the brokers of a cluster and who takes requests for its controller. Decides what is shown; never asks a
//! broker for its own view, and changes nothing. What brokers say of themselves is `sawlog api versions`.

use serde_json::json;

use crate::cluster::{Cluster, failure, wait_for};
use crate::exit::{Exit, Failure};
use crate::table::{Output, Table};

/// Look at a cluster
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog cluster info")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Info(Info),
}

/// Show the brokers of a cluster, and which of them takes requests for the controller.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog cluster info
  sawlog cluster info -o json -b broker-1:9092

Exit codes: 0 done, 1 failed, 5 no broker in time.")]
struct Info {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    cluster: Cluster,
}

/// Runs one of the commands.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Info(arguments) => wait_for(info(arguments)),
    }
}

async fn info(arguments: &Info) -> Result<Exit, Failure> {
    let kafka = arguments.cluster.connect().await?;
    let told = kafka.describe_cluster().await;
    let told = told.map_err(|error| failure("cannot describe the cluster", &error))?;
    let mut table = Table::new(
        arguments.output,
        &["broker", "host", "port", "rack", "controller", "cluster"],
    );
    for broker in &told.brokers {
        table.row(
            broker.id.to_string(),
            json!({"broker": broker.id, "host": broker.host, "port": broker.port, "rack": broker.rack,
                "controller": told.controller == Some(broker.id), "cluster": told.id}),
        );
    }
    table.end()?;
    Ok(Exit::Done)
}
