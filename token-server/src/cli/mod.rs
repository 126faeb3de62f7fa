//! The command line: the server itself, and what operators do with rules and tokens.
//!
//! Operators' commands speak the admin API, with a running server or straight on the store: then the same routes answer in
//! this process.

mod admin;
mod ask;
mod audit;
mod check;
mod duration;
mod error;
mod export;
mod health;
mod import;
mod keys;
mod outcome;
mod output;
mod pages;
mod people;
mod percent;
mod remote;
mod rules;
mod serve;
mod signals;
mod target;
mod tls;
mod token;
mod ui;
mod verify;
mod whose;
mod words;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::{CommandFactory as _, Parser, Subcommand};
use jose::UnixTime;
use service::description::{Describe, Format};
use service::exit;
use service::settings::{Environment, with_file};
use service::telemetry::LogFormat;

use self::error::CliError;
use self::outcome::Outcome;
use self::output::Output;
use self::target::Target;
use crate::config::{CONFIG, description};
use crate::reconfigure::Origin;

/// Decides whether tokens have been revoked, for jwt-agent and for older callers.
///
/// Configured by TOKEN_SERVER__SECTION__KEY environment variables, over the TOML file that --config or TOKEN_SERVER_CONFIG
/// names. `token-server settings` lists all of them, `token-server sample` prints such a file.
/// Exit codes: 0 done; 1 could not be done; 2 a token is refused (verify, token explain, signals test), the event did not
/// come (signals verify), the rule does not match (rules test --payload), nothing was there to remove, to restore or to find; 64 the command line or the configuration is wrong.
#[derive(Debug, Parser)]
#[command(name = "token-server", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Validate what a start would: configuration, files, addresses, the store's place; and exit: 0 when they are good, 64 when
    /// they are not
    #[arg(long)]
    check: bool,
    /// With --check: ask Redis, Consul and key URLs as well, and say what each answers; exit with 1 where one cannot be used
    #[arg(long)]
    online: bool,
    /// Print each value in use and where it comes from, secrets as fingerprints; exit with 0, or with 64 and the faults
    #[arg(long, conflicts_with = "check")]
    print_config: bool,
    /// How --print-config prints
    #[arg(long, value_enum, requires = "print_config")]
    format: Option<Format>,
    /// The TOML file of settings, as TOKEN_SERVER_CONFIG; variables win over it
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
    /// How log lines on standard error look
    #[arg(long, global = true, value_enum, default_value_t)]
    log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    People(people::People),
    /// Read, write, try and move revocation rules
    #[command(subcommand)]
    Rules(rules::Rules),
    /// Read who changed which rule, when and why
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Ask about a token
    #[command(subcommand)]
    Token(token::Token),
    /// Judge signed tokens by keys and policy, without the rules, and say why; exit with 0 if all are valid, else with 2
    Verify(verify::Verify),
    /// Make, list and remove API keys, in the file that TOKEN_SERVER__API_KEYS__FILE or --file names
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Ask about what identity providers send
    #[command(subcommand)]
    Signals(signals::Signals),
    /// Show the page of the running server to a browser of this machine, over its admin socket. Prints an address that works
    /// once; Ctrl-C ends it
    Ui(ui::Ui),
    /// Ask the running server whether it is ready, on its admin socket or listener; exit with 0, or with 1 and the causes.
    /// No other setting is looked at
    Health(health::Health),
    #[command(flatten)]
    Describe(Describe),
}

/// Runs the command line to its exit code.
pub async fn main(
    arguments: Arguments,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    let done = run(arguments, environment.into_iter().collect()).await;
    match done {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::No) => ExitCode::from(exit::NO),
        Err(error) => fail(&error),
    }
}

async fn run(arguments: Arguments, environment: Vec<(OsString, OsString)>) -> Result<Outcome, CliError> {
    let Arguments { command, check, online, print_config, format, config: file, target, log_format } =
        arguments;
    if print_config && command.is_some() {
        let why = "has no effect here; write token-server --print-config".to_owned();
        return Err(CliError::Argument { name: "--print-config", why });
    }
    if (check && command.is_some()) || (online && !(check && command.is_none())) {
        let name = if check { "--check" } else { "--online" };
        let why = "has no effect here; write token-server --check, or --check --online".to_owned();
        return Err(CliError::Argument { name, why });
    }
    let origin =
        || Origin::read(Environment { config: file.clone(), ..Environment::of(environment.iter().cloned()) });
    let config = || origin()?.config();
    match command {
        Some(Command::People(command)) => {
            target.judge()?;
            people::run(command, &target, config()?).await
        }
        Some(Command::Rules(command)) => {
            target.judge()?;
            rules::run(command, &target, config()?).await
        }
        Some(Command::Audit(command)) => {
            target.judge()?;
            audit::run(command, &target, config()?).await
        }
        Some(Command::Token(command)) => {
            target.judge()?;
            token::run(command, &target, config()?).await
        }
        Some(Command::Verify(command)) => {
            Target { json: false, ..target.clone() }.refuse()?;
            verify::run(command, target.json, config()?).await
        }
        Some(Command::Keys(command)) => {
            Target { json: false, ..target.clone() }.refuse()?;
            let environment = with_file(&environment, CONFIG, file.as_deref());
            // The program ends with the answer, so that nothing is kept waiting.
            tokio::task::block_in_place(|| keys::run(command, Output::new(target.json), &environment))
        }
        Some(Command::Signals(command)) => signals::run(command, &target, config()?).await,
        Some(Command::Ui(ui)) => ui::run(ui, &target, config()?.admin_socket).await.map(|()| Outcome::Done),
        Some(Command::Health(health)) => {
            target.refuse()?;
            let environment = with_file(&environment, CONFIG, file.as_deref());
            health::run(health, &environment).await.map(|()| Outcome::Done)
        }
        Some(Command::Describe(describe)) => {
            target.refuse()?;
            match describe.print(&description(), Arguments::command()).map_err(CliError::Output)? {
                true => Ok(Outcome::Done),
                false => Err(CliError::NoSetting),
            }
        }
        None if print_config => {
            target.refuse()?;
            let (in_use, faults) = origin()?.in_use();
            in_use.print(format.unwrap_or_default()).map_err(CliError::Output)?;
            faults.map_or(Ok(Outcome::Done), |faults| Err(faults.into()))
        }
        None if check => {
            target.refuse()?;
            check::run(&config()?, online).await
        }
        None => {
            target.refuse()?;
            let origin = origin()?;
            let config = origin.config()?;
            serve::run(origin, config, log_format).await.map(|()| Outcome::Done)
        }
    }
}

/// The time by the clock of this process.
fn time() -> UnixTime {
    UnixTime::from_system(SystemTime::now())
}

fn fail(error: &CliError) -> ExitCode {
    // It may quote what a server said.
    exit::say("token-server", &words::shown_lines(&error.to_string()));
    ExitCode::from(error.exit_code())
}
