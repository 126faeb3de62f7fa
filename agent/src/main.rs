//! `jwt-agent`: a SPOE agent that verifies the token of each HAProxy request.

mod answer;
mod cache;
mod cli;
mod config;
mod explain;
mod haproxy_cfg;
mod keys;
mod listen;
mod metrics;
mod request;
mod responder;
mod run;
mod spoa;
#[cfg(test)]
mod tls_tests;
mod token_server;
mod verifier;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    cli::main(cli::Arguments::parse())
}
