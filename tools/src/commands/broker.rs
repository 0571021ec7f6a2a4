//! `sawlog broker`: runs a node, or looks at the settings that it would run by. Decides how it logs; where its settings
//! come from is `settings`' affair, and what they mean that of the table of keys.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};

use anyhow::Result;
use sawlog_broker::boot;

use crate::exit::{Exit, Failure, say};
use crate::settings::{Given, Sources};

/// Run a broker: one safe node in ./data, ready for any Kafka client.
///
/// Settings have Kafka's names. They come from --data, then from -X, then from the environment (KAFKA_LOG_RETENTION_HOURS
/// is log.retention.hours), then from the file, then from the defaults. `sawlog config explain KEY` tells what one does.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog broker                                              one node in ./data, at localhost:9092
  sawlog broker --config server.properties --check-config
  sawlog broker -X log.retention.hours=24 --print-config

Exit codes: 0 ended as asked, 1 failed, 2 usage, 4 no such file.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    given: Given,
    /// Say whether these settings can be used, and run nothing
    #[arg(long)]
    check_config: bool,
    /// Print all settings and where each comes from, as a file that --config reads, and run nothing
    #[arg(long, conflicts_with = "check_config")]
    print_config: bool,
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
    // What is not UTF-8 has no setting's name, or no value that any takes.
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let sources = Sources::read(&arguments.given, variables).map_err(usage)?;
    let config = sources.settle().map_err(usage)?;
    let cluster_id =
        boot::cluster_id().map_err(|complaint| Failure::Told(Exit::Usage, Box::new(complaint)))?;
    if arguments.print_config || arguments.check_config {
        for warning in &sources.warnings {
            say(warning);
        }
        if arguments.print_config {
            let written = std::io::stdout()
                .lock()
                .write_all(sources.print().as_bytes());
            written.map_err(|error| Failure::writing(&error))?;
        }
        return Ok(Exit::Done);
    }
    start_logging(arguments).map_err(usage)?;
    for warning in &sources.warnings {
        tracing::warn!("{warning}");
    }
    let ready = announce;
    boot::run(boot::Options {
        config,
        cluster_id,
        ready,
    })
    .map(|()| Exit::Done)
    .map_err(|complaint| Failure::Told(Exit::Failed, Box::new(complaint)))
}

/// What is said cannot be meant, or lies in a file that is not there.
fn usage(error: anyhow::Error) -> Failure {
    let Some(cause) = error.downcast_ref::<std::io::Error>() else {
        return Failure::Ended(Exit::Usage, error);
    };
    let exit = match cause.kind() {
        std::io::ErrorKind::NotFound => Exit::NotFound,
        _ => Exit::Usage,
    };
    let next = "Look at the name behind --config; without one a node has its defaults";
    Failure::told(exit, format!("cannot {error}"), cause.to_string(), next)
}

fn announce(line: &str) {
    // Whoever started us may not be reading; the node serves all the same.
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

/// Colours are for a terminal, and for nobody who asks for none: `variable` is the environment.
fn colours(variable: impl Fn(&str) -> Option<OsString>, terminal: bool) -> bool {
    let none = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    let forced = variable("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    !none && (forced || terminal)
}

fn start_logging(arguments: &Arguments) -> Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(&arguments.log)
        // It says its reason twice, as itself and as what lies below it.
        .map_err(|error| anyhow::anyhow!("--log {}: {error}", arguments.log))?;
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
