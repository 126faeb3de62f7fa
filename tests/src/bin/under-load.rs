//! `make test-faults` and `make soak`: the whole under load while something fails, or for a long time.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use integration_tests::under_load;

/// Runs everything under a steady load and counts wrong answers.
#[derive(Debug, Parser)]
#[command(name = "under-load", version)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Makes one fault after the other, and prints how long each took to be over
    Faults {
        /// Parts of the names of the faults to make; all without any
        names: Vec<String>,
    },
    /// The same where HAProxy keeps verdicts itself: one fault of agents, HAProxy and its maps after the other
    Edge {
        /// Parts of the names of the faults to make; all without any
        names: Vec<String>,
    },
    /// Replaces an identity provider's keys under a thousand requests a second, in both programs
    Rotation,
    /// Watches memory and descriptors for a long time
    Soak {
        /// For how many seconds
        #[arg(long, default_value_t = 600)]
        seconds: u64,
        /// Where the chart is written
        #[arg(long, default_value = "soak.svg")]
        chart: PathBuf,
    },
}

fn main() -> ExitCode {
    let all_right = match Arguments::parse().what {
        What::Faults { names } => under_load::run(&names),
        What::Edge { names } => under_load::edge::run(&names),
        What::Rotation => under_load::rotation::run(),
        What::Soak { seconds, chart } => match under_load::soak::run(Duration::from_secs(seconds), &chart) {
            Ok(all_right) => all_right,
            Err(error) => {
                eprintln!("soak: {error}");
                false
            }
        },
    };
    if all_right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
