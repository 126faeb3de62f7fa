//! The command line: serve, `--check`, `verify`, or `health`.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use service::description::{Describe, Format};
use service::exit;
use service::probe::{self, Place};
use service::shutdown::StopSignals;
use service::supervisor::{NOTIFY_SOCKET, Supervisor};
use service::telemetry::{self, LogFormat};
use tokio::signal::unix::{SignalKind, signal};

use crate::check::{self, Checked};
use crate::config::{Config, description};
use crate::explain::{self, Verify};
use crate::haproxy::cfg::HaproxyCfg;
use crate::haproxy::config::HaproxyConfig;
use crate::haproxy::lint::HaproxyLint;
use crate::metadata::Metadata;
use crate::origin::Origin;
use crate::run::{self, Stop};
use crate::start::{self, StartError};

/// SPOE agent for HAProxy that verifies JSON Web Tokens.
///
/// Every setting is an environment variable that starts with JWT_; the same names can stand in a TOML file, which --config
/// or JWT_CONFIG names. `jwt-agent settings` lists all of them, `jwt-agent sample` prints such a file.
/// Exit codes: 0 done; 1 could not be done; 2 a token is refused (verify); 64 the command line or the configuration is wrong.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The TOML file of settings, as JWT_CONFIG; variables win over it.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Take `setenv JWT_..` and `presetenv JWT_..` lines of this haproxy.cfg as a `program` section would.
    #[arg(long, global = true, value_name = "FILE")]
    haproxy_cfg: Option<PathBuf>,
    /// Validate what a start would: configuration, files, addresses, and what the rules of --haproxy-cfg name: policies, fields of
    /// verdicts; exit with 0 or 64.
    #[arg(long)]
    check: bool,
    /// With --check: ask token-servers, key URLs and stats sockets as well, and say what each answers; exit with 1 where one cannot be used.
    #[arg(long)]
    online: bool,
    /// Print each value in use and where it comes from, secrets as fingerprints; exit with 0, or with 64 and the faults.
    #[arg(long, conflicts_with = "check")]
    print_config: bool,
    /// How --print-config prints.
    #[arg(long, value_enum, requires = "print_config")]
    format: Option<Format>,
    /// How log lines look.
    #[arg(long, global = true, value_enum, default_value_t)]
    log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Judge tokens and say why; exit with 0 if all are valid, else with 2.
    Verify(Verify),
    /// Ask the running agent whether it is ready, at JWT_ADMIN_LISTEN; exit with 0, or with 1 and the causes. No other
    /// setting is looked at.
    Health {
        /// Where to ask instead.
        #[arg(long, value_name = "HOST:PORT")]
        address: Option<String>,
    },
    /// Print the lines that protect a backend or a frontend of HAProxy, the SPOE file, and the backend of agents. No setting
    /// is looked at.
    HaproxyConfig(HaproxyConfig),
    /// Find what lets tokens by in configurations of HAProxy; exit with 0, with 1 where something is found, or with 64.
    HaproxyLint(HaproxyLint),
    /// Print the document about the protected API (RFC 9728), for HAProxy to serve; exit with 0, or with 64 where the settings
    /// tell of no API, or of several.
    Metadata(Metadata),
    #[command(flatten)]
    Describe(Describe),
}

/// Runs the command line to its exit code.
pub fn main(arguments: Arguments) -> ExitCode {
    if let Some(Command::Describe(describe)) = &arguments.command {
        return match describe.print(&description(), Arguments::command()) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => end(&"settings: no name has that in it", exit::NO),
            Err(error) => fail(&error),
        };
    }
    telemetry::init(arguments.log_format);
    let is_check_alone = arguments.check && arguments.command.is_none();
    if (arguments.check || arguments.online) && !is_check_alone {
        let option = if arguments.check { "--check" } else { "--online" };
        return complain(&format!(
            "{option}: has no effect here; write jwt-agent --check, or --check --online"
        ));
    }
    if let Some(Command::HaproxyConfig(wanted)) = &arguments.command {
        return match wanted.run() {
            Ok(text) => print(&text),
            Err(error) => end(&error, error.exit_code()),
        };
    }
    if let Some(Command::HaproxyLint(wanted)) = &arguments.command {
        return match wanted.run() {
            Ok(report) if report.is_clean => print(&report.text),
            Ok(report) => {
                print(&report.text);
                ExitCode::from(exit::FAILURE)
            }
            Err(error) => complain(&error),
        };
    }
    if arguments.print_config && arguments.command.is_some() {
        return complain(&"--print-config: has no effect here; write jwt-agent --print-config");
    }
    let origin = Origin {
        environment: std::env::vars_os().collect(),
        config: arguments.config,
        haproxy_cfg: arguments.haproxy_cfg,
    };
    if arguments.print_config {
        return print_config(&origin, arguments.format.unwrap_or_default());
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    if let Some(Command::Verify(verify)) = &arguments.command {
        let cfg = match origin.haproxy_cfg() {
            Ok(cfg) => cfg,
            Err(error) => return complain(&error),
        };
        let environment = origin.environment();
        return match runtime.block_on(explain::verify(verify, environment, cfg.as_ref())) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(exit::NO),
            Err(error) => end(&error, error.exit_code()),
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
    if let Some(Command::Metadata(wanted)) = &arguments.command {
        return metadata(wanted, &config);
    }
    if arguments.check {
        return match origin.haproxy_cfg() {
            Ok(cfg) => runtime.block_on(check(&config, cfg.as_ref(), arguments.online)),
            Err(error) => complain(&error),
        };
    }
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    runtime.block_on(serve(config, origin))
}

fn print_config(origin: &Origin, format: Format) -> ExitCode {
    let (in_use, faults) = match origin.in_use() {
        Ok(found) => found,
        Err(error) => return complain(&error),
    };
    match (in_use.print(format), faults) {
        (Err(error), _) => fail(&error),
        (Ok(()), Some(faults)) => complain(&faults),
        (Ok(()), None) => ExitCode::SUCCESS,
    }
}

fn metadata(wanted: &Metadata, config: &Config) -> ExitCode {
    let document = match wanted.document(config) {
        Ok(document) => document,
        Err(error) => return complain(&error),
    };
    if !document.has_authorization_servers() {
        let what = "warning: no issuer is named by an https URL, so that clients do not learn where to get a token; name issuers by \
                    JWT_OIDC_ISSUERS, JWT_ISSUERS or [[issuers]]";
        exit::say("jwt-agent", &what);
    }
    match serde_json::to_string_pretty(&document) {
        Ok(text) => print(&(text + "\n")),
        Err(error) => fail(&error),
    }
}

async fn serve(config: Config, origin: Origin) -> ExitCode {
    // From here on the signals no longer end the process. SIGHUP that comes during the start is heard after it.
    let (hangups, mut stops) = match (signal(SignalKind::hangup()), StopSignals::install()) {
        (Ok(hangups), Ok(stops)) => (hangups, stops),
        (Err(error), _) | (_, Err(error)) => return fail(&error),
    };
    let opened = tokio::select! {
        opened = start::open(config) => opened,
        signal = stops.next() => {
            tracing::info!(signal, "asked to stop before the start was over");
            return ExitCode::SUCCESS;
        }
    };
    let (agent, in_use) = match opened {
        Ok(opened) => opened,
        Err(error @ StartError::Config { .. }) => return complain(&error),
        Err(error @ StartError::Listen { .. }) => return fail(&error),
    };
    let supervisor = supervisor();
    supervisor.serving();
    let stop = Stop::default();
    let serving = run::run(agent, stop.clone());
    let reloading = in_use.reload_at(hangups, origin);
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

async fn check(config: &Config, cfg: Option<&HaproxyCfg>, online: bool) -> ExitCode {
    let Checked { lines, faults, unanswered } = check::check(config, cfg, online).await;
    let written = lines.iter().try_for_each(|line| writeln!(io::stdout().lock(), "{line}"));
    let problems: Vec<_> = faults.iter().chain(&unanswered).map(String::as_str).collect();
    match (faults.is_empty(), unanswered.is_empty(), written) {
        (false, _, _) => complain(&problems.join("\n")),
        (true, false, _) => fail(&problems.join("\n")),
        (true, true, Err(error)) => fail(&error),
        (true, true, Ok(())) => ExitCode::SUCCESS,
    }
}

fn print(text: &str) -> ExitCode {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn complain(error: &dyn Display) -> ExitCode {
    end(error, exit::USAGE)
}

fn fail(error: &dyn Display) -> ExitCode {
    end(error, exit::FAILURE)
}

fn end(error: &dyn Display, code: u8) -> ExitCode {
    exit::say("jwt-agent", error);
    ExitCode::from(code)
}
