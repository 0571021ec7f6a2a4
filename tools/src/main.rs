//! The one binary of Sawlog: the broker and its command-line tools.
//! Decides which command runs; each command is one file in `commands`, and how it ends is `exit`'s affair.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

mod cluster;
mod commands;
mod exit;
mod format;
mod help;
mod options;
mod progress;
#[cfg(test)]
mod reference;
mod settings;
mod show;
mod stop;
mod table;
mod tally;
mod text;
mod unread;
mod when;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A partitioned, durable log that speaks the Apache Kafka protocol.
#[derive(Parser)]
#[command(name = "sawlog", version, disable_help_subcommand = true)]
#[command(after_help = "Examples:
  sawlog broker                                  one node in ./data, at localhost:9092
  sawlog topic create orders --partitions 12
  sawlog produce orders < orders.txt
  sawlog consume orders --until-end

Exit codes: 0 done, 1 failed, 2 usage, 3 some items failed, 4 not found, 5 no broker in time, 6 refused, 7 a check found a
problem, 130 interrupted.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Broker(commands::broker::Arguments),
    Config(commands::config::Arguments),
    Topic(commands::topic::Arguments),
    Produce(commands::produce::Arguments),
    Consume(commands::consume::Arguments),
    Cluster(commands::cluster::Arguments),
    Api(commands::api::Arguments),
    Log(commands::log::Arguments),
    Bench(commands::bench::Arguments),
    Completion(commands::completion::Arguments),
    Man(commands::man::Arguments),
    Mock(commands::mock::Arguments),
}

fn main() -> ExitCode {
    let matches = help::root().get_matches_from(help::asked_for(std::env::args_os().collect()));
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    exit::end(match arguments.command {
        Command::Broker(arguments) => commands::broker::run(&arguments),
        Command::Config(arguments) => commands::config::run(&arguments, &matches),
        Command::Topic(arguments) => commands::topic::run(&arguments),
        Command::Produce(arguments) => commands::produce::run(&arguments),
        Command::Consume(arguments) => commands::consume::run(&arguments),
        Command::Cluster(arguments) => commands::cluster::run(&arguments),
        Command::Api(arguments) => commands::api::run(&arguments),
        Command::Log(arguments) => commands::log::run(&arguments),
        Command::Bench(arguments) => commands::bench::run(&arguments),
        Command::Completion(arguments) => commands::completion::run(&arguments, help::root()),
        Command::Man(arguments) => commands::man::run(&arguments, Arguments::command()),
        Command::Mock(arguments) => commands::mock::run(&arguments),
    })
}
