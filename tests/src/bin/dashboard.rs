//! `make dashboard`: draws docs/dashboard-*.svg of what Prometheus answers about real traffic.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use integration_tests::dashboard;

/// Draws the dashboard as pictures.
#[derive(Debug, Parser)]
#[command(name = "dashboard", version)]
struct Arguments {
    /// For how many seconds there is traffic
    #[arg(long, default_value_t = 180)]
    seconds: u64,
}

fn main() -> ExitCode {
    match dashboard::run(Duration::from_secs(Arguments::parse().seconds)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dashboard: {error}");
            ExitCode::FAILURE
        }
    }
}
