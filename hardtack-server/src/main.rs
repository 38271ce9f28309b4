//! The program `hardtack`: shows sessions in `HttpOnly` cookies (`demo`) and looks after them
//! (`inspect`, `seal`, `keys`, `sessions`, `users`).

mod cli;
mod cookies;
mod demo;
mod keys;
mod sessions;
mod store;
mod users;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let result = match cli::Cli::parse().command {
        cli::Command::Demo(args) => demo::run(args).map(|()| ExitCode::SUCCESS),
        cli::Command::Inspect(args) => cookies::inspect(&args),
        cli::Command::Seal(args) => cookies::seal(&args).map(|()| ExitCode::SUCCESS),
        cli::Command::Keys(args) => keys::run(args).map(|()| ExitCode::SUCCESS),
        cli::Command::Sessions(args) => sessions::run(args),
        cli::Command::Users(args) => users::command::run(args),
    };
    result.unwrap_or_else(|error| {
        eprintln!("hardtack: {error}");
        ExitCode::from(2)
    })
}

/// What a command says when it cannot do its work. Exit code 2.
type Failure = Box<dyn std::error::Error + Send + Sync>;
