//! The program.

use std::process::ExitCode;

use clap::Parser as _;
use mimalloc::MiMalloc;
use service::exit;
use token_server::cli::{self, Arguments};

/// What is allocated in one thread is often freed in another here: an answer outlives the task that asked. The system's
/// allocator has its threads wait for each other then.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match Arguments::try_parse() {
        Ok(arguments) => cli::main(arguments, std::env::vars_os()).await,
        Err(answer) => exit::answer(&answer),
    }
}
