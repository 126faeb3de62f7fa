//! The program.

use std::process::ExitCode;

use clap::Parser as _;
use token_server::cli::{self, Arguments};

#[tokio::main]
async fn main() -> ExitCode {
    match Arguments::try_parse() {
        Ok(arguments) => cli::main(arguments, std::env::vars_os()).await,
        Err(answer) => cli::answer(&answer),
    }
}
