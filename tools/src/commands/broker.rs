//! `sawlog broker`: runs a node. Decides where its settings come from (`-X` over file over default) and how it logs;
//! what they mean is the table of keys' affair.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use sawlog_broker::{boot, properties};
use sawlog_core::config::{self, BrokerConfig};

use crate::exit::{Exit, Failure};

/// Run a broker: one safe node in ./data, ready for any Kafka client.
///
/// Settings have Kafka's names. They come from -X, then from the file, then from the defaults.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A file in the format of Kafka's server.properties
    #[arg(long, short = 'c', value_name = "FILE")]
    config: Option<PathBuf>,
    /// One setting, for example -X log.dirs=/var/lib/sawlog
    #[arg(short = 'X', value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// What to log: error, warn, info, debug, or a filter like sawlog_broker=debug
    #[arg(
        long,
        env = "SAWLOG_LOG",
        hide_env_values = true,
        default_value = "info",
        value_name = "FILTER"
    )]
    log: String,
    /// Log one JSON object per line
    #[arg(long)]
    log_json: bool,
}

/// Runs the node until it is told to stop.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    start_logging(arguments)?;
    let config = settings(arguments)?;
    boot::run(boot::Options { config, ready: say })
        .map(|()| Exit::Done)
        .map_err(|complaint| Failure::Told(Exit::Failed, Box::new(complaint)))
}

fn say(line: &str) {
    // Whoever started us may not be reading; the node serves all the same.
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

fn settings(arguments: &Arguments) -> Result<BrokerConfig> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    if let Some(file) = &arguments.config {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
        let entries =
            properties::parse(&text).map_err(|why| anyhow!("{}: {why}", file.display()))?;
        pairs.extend(entries.into_iter().map(|(key, value, _)| (key, value)));
    }
    for pair in &arguments.set {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(anyhow!(
                "-X {pair}: a setting is KEY=VALUE, for example -X num.partitions=3"
            ));
        };
        pairs.push((key.trim().to_owned(), value.trim().to_owned()));
    }
    config::broker(
        pairs
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str())),
    )
    .map_err(|complaints| {
        let lines: Vec<String> = complaints.iter().map(ToString::to_string).collect();
        anyhow!("{}", lines.join("\nsawlog: "))
    })
}

/// Colours are for a terminal, and for nobody who asks for none: `variable` is the environment.
fn colours(variable: impl Fn(&str) -> Option<OsString>, terminal: bool) -> bool {
    let none = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    let forced = variable("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    !none && (forced || terminal)
}

fn start_logging(arguments: &Arguments) -> Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(&arguments.log)
        .with_context(|| format!("--log {}", arguments.log))?;
    let colours = colours(
        |name| std::env::var_os(name),
        std::io::stderr().is_terminal(),
    );
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_writer(std::io::stderr);
    if arguments.log_json {
        builder.json().init();
    } else {
        builder.with_target(false).init();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_unless_the_environment_says_otherwise() {
        let cases = [
            (None, None, false, false),
            (None, None, true, true),
            (Some("1"), None, true, false),
            (Some(""), None, true, true),
            (Some(""), None, false, false),
            (None, Some("1"), false, true),
            (None, Some("0"), false, false),
            (None, Some("0"), true, true),
            (Some("1"), Some("1"), true, false),
        ];
        for (none, forced, terminal, expected) in cases {
            let variable = |name: &str| {
                let value = match name {
                    "NO_COLOR" => none,
                    "CLICOLOR_FORCE" => forced,
                    other => panic!("{other} says nothing about colours"),
                };
                value.map(OsString::from)
            };
            let told = colours(variable, terminal);
            assert_eq!(
                told, expected,
                "NO_COLOR={none:?} CLICOLOR_FORCE={forced:?}, {terminal}"
            );
        }
    }
}
