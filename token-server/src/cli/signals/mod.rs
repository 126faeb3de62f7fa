//! `token-server signals ..`

mod list;
mod test;
mod verify;

use clap::Subcommand;

use super::admin::{Admin, Missing};
use super::error::CliError;
use super::outcome::Outcome;
use super::output::Output;
use super::target::Target;
use crate::config::Config;

/// What can be asked about what identity providers send.
#[derive(Debug, Subcommand)]
pub(super) enum Signals {
    /// Say what the security event token or logout token on standard input would do: whether it is believed, which rules it would
    /// write, and why; exit with 0 if it is believed, else with 2. Nothing is written
    Test(test::Test),
    /// List the streams of shared signals of the running server: how they come, when each was heard last, its status, what went
    /// wrong last
    List,
    /// Have the transmitter of a stream send a verification event, and wait for it: exit with 0 if it comes to the running server,
    /// with 2 if it does not, with 1 if it could not be asked for
    Verify(verify::Verify),
}

pub(super) async fn run(command: Signals, target: &Target, config: Config) -> Result<Outcome, CliError> {
    let output = Output::new(target.json);
    match command {
        Signals::Test(test) => {
            Target { json: false, ..target.clone() }.refuse()?;
            test::run(&test, output, config).await
        }
        Signals::List => list::run(&server(target, config).await?, output).await,
        Signals::Verify(verify) => verify::run(&verify, &server(target, config).await?, output).await,
    }
}

/// A running server, which alone hears what comes.
async fn server(target: &Target, config: Config) -> Result<Admin, CliError> {
    target.judge()?;
    let given = [("--store", target.store.is_some()), ("--configured-store", target.configured_store)];
    match given.into_iter().find_map(|(name, is_given)| is_given.then_some(name)) {
        None => Admin::open(target, config, Missing::Refuse).await,
        Some(name) => {
            let why = "has no effect here: the running server is asked, which hears what comes".to_owned();
            Err(CliError::Argument { name, why })
        }
    }
}
