//! Starts the whole of haproxy-jwt on this machine and prints commands to try it with.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use integration_tests::demo::{self, Options};
use integration_tests::haproxy;

/// HAProxy with two agents, a token-server and a small backend, until Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "demo", version)]
struct Arguments {
    /// Where HAProxy listens, on 127.0.0.1
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Your own keys for the agents: JWKS, PEM, or the legacy list
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// The HAProxy to run, else the one that HAPROXY names or that is installed
    #[arg(long, value_name = "PROGRAM")]
    haproxy: Option<String>,
}

fn main() -> ExitCode {
    let Arguments { port, keys, haproxy } = Arguments::parse();
    let haproxy = haproxy.unwrap_or_else(haproxy::program);
    match demo::run(&Options { port, keys, haproxy }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}
