//! The program: command line, configuration, signals, exit code.

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use service::exit;
use service::shutdown::{self, Shutdown};
use service::telemetry::{self, LogFormat};
use token_server::config::Config;
use token_server::listen::Listeners;

/// Decides whether tokens have been revoked, for jwt-agent and for older callers.
///
/// Configured by TOKEN_SERVER__SECTION__KEY environment variables, over the TOML file that TOKEN_SERVER_CONFIG names.
#[derive(Debug, Parser)]
#[command(name = "token-server", version)]
struct Arguments {
    /// Validate the configuration and exit: 0 when it is good, 64 when it is not
    #[arg(long)]
    check: bool,
    /// How log lines on standard error look
    #[arg(long, value_enum, default_value_t)]
    log_format: LogFormat,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(answer) => return command_line_answer(&answer),
    };
    let config = match Config::from_environment(std::env::vars_os()) {
        Ok(config) => config,
        Err(error) => return fail(exit::USAGE, &error),
    };
    if arguments.check {
        return ExitCode::SUCCESS;
    }
    telemetry::init(arguments.log_format);
    match serve(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(exit::FAILURE, &*error),
    }
}

async fn serve(config: Config) -> Result<(), Box<dyn Error>> {
    let listeners = Listeners::bind(&config).await?;
    let shutdown = Shutdown::new();
    let run = token_server::run(config, listeners, shutdown.clone());
    let mut run = std::pin::pin!(run);
    tokio::select! {
        ended = run.as_mut() => ended?,
        signal = shutdown::on_signals() => {
            tracing::info!(signal = signal?, "stopping");
            shutdown.cancel();
            run.await?;
        }
    }
    tracing::info!("stopped");
    Ok(())
}

/// `--help` and `--version` are answers, everything else that clap returns is a fault.
fn command_line_answer(answer: &clap::Error) -> ExitCode {
    // Nobody is left to tell when the terminal is gone.
    answer.print().ok();
    if answer.use_stderr() { ExitCode::from(exit::USAGE) } else { ExitCode::SUCCESS }
}

#[expect(clippy::print_stderr, reason = "faults are told where the operator looks, whatever the log filter")]
fn fail(code: u8, error: &dyn Error) -> ExitCode {
    eprintln!("token-server: {error}");
    ExitCode::from(code)
}
