//! The one binary of Sawlog: the broker and its command-line tools.
//! Decides which command runs and how its failure is shown; each command is one file in `commands`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod commands;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A durable, replicated log that speaks the Apache Kafka protocol.
#[derive(Parser)]
#[command(name = "sawlog", version, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Broker(commands::broker::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Broker(arguments) => commands::broker::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            commands::complain(&error);
            ExitCode::FAILURE
        }
    }
}
