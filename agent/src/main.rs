//! The program.

use std::process::ExitCode;

use clap::Parser as _;
use jwt_agent::cli::{self, Arguments};

fn main() -> ExitCode {
    cli::main(Arguments::parse())
}
