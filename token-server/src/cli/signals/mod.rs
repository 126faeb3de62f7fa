//! `token-server signals ..`

mod test;

use clap::Subcommand;

use super::error::CliError;
use super::outcome::Outcome;
use crate::config::Config;

/// What can be asked about what identity providers send.
#[derive(Debug, Subcommand)]
pub(super) enum Signals {
    /// Say what the security event token or logout token on standard input would do: whether it is believed, which rules it would
    /// write, and why; exit with 0 if it is believed, else with 2. Nothing is written
    Test(test::Test),
}

pub(super) async fn run(command: Signals, json: bool, config: Config) -> Result<Outcome, CliError> {
    match command {
        Signals::Test(test) => test::run(&test, json, config).await,
    }
}
