//! `sawlog config show`: the settings of these commands themselves, and whose word counts: a flag's before the
//! environment's before the default. Decides only how that is told; clap decides whose word it is.

use clap::ArgMatches;
use clap::parser::ValueSource;
use serde_json::json;

use crate::cluster::Cluster;
use crate::exit::{Exit, Failure};
use crate::table::{Output, Table};

/// Show the settings of these commands themselves.
///
/// A flag comes before a variable of the environment, that before the default.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog config show
  sawlog config show --origin

Exit codes: 0 shown, 2 usage.")]
pub(super) struct Show {
    /// Also where each value comes from
    #[arg(long)]
    origin: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    cluster: Cluster,
}

/// What every command that talks to a cluster can be told: its name, its flag, its variable.
const OWN: &[(&str, &str, &str)] = &[
    ("brokers", "--brokers", "SAWLOG_BROKERS"),
    ("timeout", "--timeout", "SAWLOG_TIMEOUT"),
];

pub(super) fn show(arguments: &Show, matches: &ArgMatches) -> Result<Exit, Failure> {
    let mut leaf = matches;
    while let Some((_, below)) = leaf.subcommand() {
        leaf = below;
    }
    let shown: &[&str] = match arguments.origin {
        true => &["setting", "value", "origin"],
        false => &["setting", "value"],
    };
    let mut table = Table::new(arguments.output, shown);
    for (name, flag, variable) in OWN {
        let value = match *name {
            "brokers" => json!(arguments.cluster.brokers()),
            _ => json!(arguments.cluster.limit().as_secs()),
        };
        let origin = match leaf.value_source(name) {
            Some(ValueSource::CommandLine) => *flag,
            Some(ValueSource::EnvVariable) => *variable,
            _ => "default",
        };
        table.row(
            *name,
            json!({"setting": name, "value": value, "origin": origin, "flag": flag, "variable": variable}),
        );
    }
    table.end()?;
    Ok(Exit::Done)
}
