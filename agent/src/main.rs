//! The program.

use std::process::ExitCode;

use clap::Parser as _;
use jwt_agent::cli::{self, Arguments};
use mimalloc::MiMalloc;
use service::exit;

/// What is allocated in one thread is often freed in another here: a verdict outlives the task that found it. The system's
/// allocator has its threads wait for each other then.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    match Arguments::try_parse() {
        Ok(arguments) => cli::main(arguments),
        Err(answer) => exit::answer(&answer),
    }
}
