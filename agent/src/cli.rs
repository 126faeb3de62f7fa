//! The command line: serve, `--check`, `verify`, or `health`.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use service::exit;
use service::probe::{self, Place};
use service::shutdown::StopSignals;
use service::supervisor::{NOTIFY_SOCKET, Supervisor};
use service::telemetry::{self, LogFormat};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;
use crate::explain;
use crate::haproxy_cfg::HaproxyCfg;
use crate::reload::Origin;
use crate::run::{Agent, StartError, Stop, key_sources};

/// SPOE agent for HAProxy that verifies JSON Web Tokens.
///
/// Every setting is an environment variable that starts with JWT_; the same names can stand in a TOML file that
/// JWT_CONFIG names.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Take `setenv JWT_..` and `presetenv JWT_..` lines of this haproxy.cfg as a `program` section would.
    #[arg(long, value_name = "FILE")]
    haproxy_cfg: Option<PathBuf>,
    /// Validate configuration and keys, and the policies that the rules of --haproxy-cfg name; exit with 0 or 64.
    #[arg(long)]
    check: bool,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t)]
    log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Judge tokens and say why; exit with 0 if all are valid, else with 1.
    Verify(Verify),
    /// Ask the running agent whether it is ready, at JWT_ADMIN_LISTEN; exit with 0, or with 1 and the causes. No other
    /// setting is looked at.
    Health {
        /// Where to ask instead.
        #[arg(long, value_name = "HOST:PORT")]
        address: Option<String>,
    },
}

/// Arguments of `jwt-agent verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The keys: JWKS, PEM, or the legacy list. Without it the configured sources are used.
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// Judge the signature alone: no expiry, issuer or audience.
    #[arg(long)]
    pub signature_only: bool,
    /// The policy to apply, if not the default one.
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
    /// One JSON line for each token also on a terminal, where the answer is for people otherwise.
    #[arg(long)]
    pub json: bool,
    /// The token; `-` or nothing: one token a line on standard input, where no process list shows it.
    pub token: Option<String>,
}

/// Runs the command line to its exit code.
pub fn main(arguments: Arguments) -> ExitCode {
    telemetry::init(arguments.log_format);
    let origin = Origin { environment: std::env::vars_os().collect(), haproxy_cfg: arguments.haproxy_cfg };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    if let Some(Command::Verify(verify)) = &arguments.command {
        let cfg = match origin.haproxy_cfg() {
            Ok(cfg) => cfg,
            Err(error) => return complain(&error),
        };
        let environment = origin.environment;
        return match runtime.block_on(explain::verify(verify, environment, cfg.as_ref())) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(exit::FAILURE),
            Err(error) => complain(&error),
        };
    }
    if let Some(Command::Health { address }) = arguments.command {
        let address = address.unwrap_or_else(|| origin.admin_listen());
        return match probe::ready(&Place::Tcp(address)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        };
    }
    let config = match origin.load() {
        Ok(config) => config,
        Err(error) => return complain(&error),
    };
    if arguments.check {
        return match origin.haproxy_cfg() {
            Ok(cfg) => runtime.block_on(check(config, cfg.as_ref())),
            Err(error) => complain(&error),
        };
    }
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    runtime.block_on(serve(config, origin))
}

async fn serve(config: Config, origin: Origin) -> ExitCode {
    // From here on the signals no longer end the process. SIGHUP that comes during the start is heard after it.
    let (hangups, mut stops) = match (signal(SignalKind::hangup()), StopSignals::install()) {
        (Ok(hangups), Ok(stops)) => (hangups, stops),
        (Err(error), _) | (_, Err(error)) => return fail(&error),
    };
    let opened = tokio::select! {
        opened = Agent::open(config) => opened,
        signal = stops.next() => {
            tracing::info!(signal, "asked to stop before the start was over");
            return ExitCode::SUCCESS;
        }
    };
    let (agent, reloader) = match opened {
        Ok(opened) => opened,
        Err(error @ StartError::Config { .. }) => return complain(&error),
        Err(error @ StartError::Listen { .. }) => return fail(&error),
    };
    let supervisor = supervisor();
    supervisor.serving();
    let stop = Stop::default();
    let serving = agent.run(stop.clone());
    let reloading = reloader.run(hangups, origin);
    // Awaited beside the signals that end the process, which it must not hold up.
    let serving = async {
        tokio::select! {
            () = serving => {}
            () = async { reloading.await; std::future::pending().await } => {}
        }
    };
    tokio::pin!(serving);
    loop {
        tokio::select! {
            () = &mut serving => return ExitCode::SUCCESS,
            signal = stops.next() => {
                supervisor.stopping();
                // After the first SIGTERM connections end in turn; SIGINT, or a second signal, ends them at once.
                let in_turn = signal == "SIGTERM" && !stop.drain.is_cancelled();
                stop.drain.cancel();
                if !in_turn {
                    stop.now.cancel();
                }
            }
        }
    }
}

fn supervisor() -> Supervisor {
    Supervisor::new(std::env::var_os(NOTIFY_SOCKET).as_deref()).unwrap_or_else(|error| {
        tracing::warn!(%error, "{NOTIFY_SOCKET} names no socket; the service manager does not learn that we serve");
        Supervisor::default()
    })
}

async fn check(config: Config, cfg: Option<&HaproxyCfg>) -> ExitCode {
    let sources = match key_sources(&config.keys) {
        Ok(sources) => sources,
        Err(error) => return complain(&error),
    };
    let mut faults = cfg.map(|cfg| unknown_policies(&config, cfg)).unwrap_or_default();
    let keys::Report { lines: mut report, faults: unusable } =
        keys::report(&sources, &config.keys.rules).await;
    faults.extend(unusable);
    report.extend(config.warnings.iter().map(|warning| format!("warning: {warning}")));
    if !faults.is_empty() {
        return complain(&faults.join("\n"));
    }
    report.push("configuration and keys are good".to_owned());
    match writeln!(io::stdout().lock(), "{}", report.join("\n")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// What HAProxy's rules would ask for in vain.
fn unknown_policies(config: &Config, cfg: &HaproxyCfg) -> Vec<String> {
    cfg.policies()
        .iter()
        .filter(|policy| config.trust.route(Some(&policy.name)).is_none())
        .map(|policy| {
            format!(
                "--haproxy-cfg: line {}: sets the policy {}, which is not configured: its requests would be answered \
                 E_BACKEND_UNAVAIL; write a [[policies]] table of that name in the file of JWT_CONFIG, or correct the name",
                policy.line, policy.name
            )
        })
        .collect()
}

fn complain(error: &dyn Display) -> ExitCode {
    say(error);
    ExitCode::from(exit::USAGE)
}

fn fail(error: &dyn Display) -> ExitCode {
    say(error);
    ExitCode::from(exit::FAILURE)
}

/// Faults go to standard error as they are, whatever `RUST_LOG` says. There is nobody left to tell when that is gone.
fn say(error: &dyn Display) {
    for line in error.to_string().lines() {
        drop(writeln!(io::stderr().lock(), "jwt-agent: {line}"));
    }
}
