//! The command line: the server itself, and what operators do with rules and tokens.
//!
//! Operators' commands speak the admin API, with a running server or straight on the store: then the same routes answer in
//! this process.

mod admin;
mod check;
mod duration;
mod error;
mod health;
mod output;
mod remote;
mod rules;
mod serve;
mod tls;
mod token;
mod transfer;
mod verify;
mod whose;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use service::exit;
use service::telemetry::LogFormat;

use self::error::CliError;
use crate::reconfigure::Origin;

/// Decides whether tokens have been revoked, for jwt-agent and for older callers.
///
/// Configured by TOKEN_SERVER__SECTION__KEY environment variables, over the TOML file that TOKEN_SERVER_CONFIG names.
/// Exit codes: 0 done; 1 could not be done; 2 a token is refused (verify, token explain), the rule does not match (rules
/// test --payload); 64 the command line or the configuration is wrong.
#[derive(Debug, Parser)]
#[command(name = "token-server", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Validate configuration and keys, and exit: 0 when they are good, 64 when they are not
    #[arg(long)]
    check: bool,
    /// How log lines on standard error look
    #[arg(long, value_enum, default_value_t)]
    log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read, write, try and move revocation rules
    #[command(subcommand)]
    Rules(rules::Rules),
    /// Ask about a token
    #[command(subcommand)]
    Token(token::Token),
    /// Judge signed tokens by keys and policy, without the rules, and say why; exit with 0 if all are valid, else with 2
    Verify(verify::Verify),
    /// Ask the running server whether it is ready, on its admin socket or listener; exit with 0, or with 1 and the causes.
    /// No other setting is looked at
    Health(health::Health),
}

/// Whom operators' commands ask.
#[derive(Debug, Args)]
struct Target {
    /// The running server's admin API: http(s)://host:port, or unix:/path; unset: TOKEN_SERVER__ADMIN__SOCKET
    #[arg(long, value_name = "URL", conflicts_with = "store")]
    server: Option<String>,
    /// A file that holds the bearer token for --server
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The authorities of an https:// server's certificate, PEM
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Our own certificate, where the server asks for one, PEM
    #[arg(long, value_name = "FILE", requires = "key_file")]
    cert_file: Option<PathBuf>,
    /// The key of our own certificate, PEM
    #[arg(long, value_name = "FILE", requires = "cert_file")]
    key_file: Option<PathBuf>,
    /// The embedded store's file, while no server uses it
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
    /// The store that the configuration names: Redis, beside its servers, or the embedded one, while no server uses it
    #[arg(long, conflicts_with_all = ["server", "store"])]
    configured_store: bool,
    /// Answers as JSON, one object a line
    #[arg(long)]
    json: bool,
}

/// What an operator's command came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    /// The answer to the question is no.
    No,
}

/// The exit code of [`Outcome::No`].
const NO: u8 = 2;

/// Runs the command line to its exit code.
pub async fn main(
    arguments: Arguments,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    let done = run(arguments, environment.into_iter().collect()).await;
    match done {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::No) => ExitCode::from(NO),
        Err(error) => fail(&error),
    }
}

async fn run(arguments: Arguments, environment: Vec<(OsString, OsString)>) -> Result<Outcome, CliError> {
    let origin = || Origin::read(environment.clone());
    let config = || origin()?.config();
    match arguments.command {
        Some(Command::Rules(command)) => rules::run(command, config()?).await,
        Some(Command::Token(command)) => token::run(command, config()?).await,
        Some(Command::Verify(command)) => verify::run(command, config()?).await,
        Some(Command::Health(health)) => health::run(health, &environment).await.map(|()| Outcome::Done),
        None if arguments.check => check::run(config()?).await,
        None => {
            let origin = origin()?;
            let config = origin.config()?;
            serve::run(origin, config, arguments.log_format).await.map(|()| Outcome::Done)
        }
    }
}

/// `--help` and `--version` are answers, everything else that clap returns is a fault.
pub fn answer(answer: &clap::Error) -> ExitCode {
    // Nobody is left to tell when the terminal is gone.
    answer.print().ok();
    if answer.use_stderr() { ExitCode::from(exit::USAGE) } else { ExitCode::SUCCESS }
}

#[expect(clippy::print_stderr, reason = "faults are told where the operator looks, whatever the log filter")]
fn fail(error: &CliError) -> ExitCode {
    eprintln!("token-server: {error}");
    ExitCode::from(error.exit_code())
}
