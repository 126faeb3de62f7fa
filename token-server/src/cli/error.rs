//! Why a command could not be done, with a cure, and the exit code that says so.

use std::io;
use std::path::PathBuf;

use axum::http::StatusCode;
use keys::explain::ExplainError;
use service::exit;
use service::probe::ProbeError;
use service::settings::ConfigError;

use crate::listen::ListenError;
use crate::run::RunError;

/// Why a command could not be done.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Probe(#[from] ProbeError),
    #[error(
        "health: the admin listener speaks TLS; set TOKEN_SERVER__ADMIN__SOCKET, on which the question needs no certificate"
    )]
    NoProbe,
    #[error("signals cannot be handled: {0}")]
    Signals(io::Error),
    #[error(
        "whom to ask? say --server http(s)://host:port or unix:/path, or --configured-store, or --store FILE while no \
         server runs, or set TOKEN_SERVER__ADMIN__SOCKET"
    )]
    NoTarget,
    #[error("--server: expected http://host:port, https://host:port or unix:/path")]
    ServerForm,
    #[error("the store: there is no file {}", .0.display())]
    NoStore(PathBuf),
    #[error("{name}: {why}")]
    Argument { name: &'static str, why: String },
    #[error(
        "verify: there are no keys to judge by: set TOKEN_SERVER__JWKS__FILE, __URL or __OIDC_ISSUERS, or add [[issuers]] tables"
    )]
    NoKeys,
    #[error("settings: no name has that in it")]
    NoSetting,
    #[error(transparent)]
    Verify(#[from] ExplainError),
    #[error("{}", .0.join("\n"))]
    Sources(Vec<String>),
    #[error("{}", .0.join("\n"))]
    Unanswered(Vec<String>),
    #[error("{}: {cause}", path.display())]
    File { path: PathBuf, cause: io::Error },
    #[error(
        "{server} cannot be asked: {cause}; see that the token-server runs, and that this is its admin listener or socket"
    )]
    Unreachable { server: String, cause: String },
    #[error(
        "{server} answered nothing in {seconds} s; see its log, and what was done with `token-server history`"
    )]
    Silent { server: String, seconds: u64 },
    #[error("answered {status}: {}{error}", .field.as_ref().map(|field| format!("{field}: ")).unwrap_or_default())]
    Refused { status: StatusCode, error: String, field: Option<String> },
    #[error("answered {status} with something that is no answer of this API; is it the admin listener?")]
    Strange { status: StatusCode },
    #[error("the server's answer has no {name} that is understood; is it of this version?")]
    Incomplete { name: &'static str },
    #[error("the page of this server is off: set TOKEN_SERVER__ADMIN__UI=true, and start the server again")]
    NoPage,
    #[error("the system gives no random numbers")]
    NoRandomness,
    #[error("{why}\nnothing was changed; say it again with {option}")]
    Unconfirmed { why: String, option: &'static str },
    #[error("standard input: {0}")]
    Input(io::Error),
    #[error("standard output: {0}")]
    Output(io::Error),
    #[error("nothing was imported: {}", .0.join("; "))]
    Lines(Vec<String>),
    #[error("line {line}: {cause}; the {written} rules before it were written")]
    ImportEnded { line: usize, written: usize, cause: Box<CliError> },
    #[error("{} rules were refused, and all others written:\n{}", .0.len(), .0.join("\n"))]
    PartlyImported(Vec<String>),
    #[error("{0} rules are not understood and were left out; `rules list` shows them")]
    LeftOut(usize),
}

impl CliError {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_)
            | Self::NoTarget
            | Self::ServerForm
            | Self::NoProbe
            | Self::NoKeys
            | Self::Sources(_)
            | Self::Unconfirmed { .. }
            | Self::Argument { .. } => exit::USAGE,
            Self::NoSetting => exit::NO,
            Self::Verify(error) => error.exit_code(),
            Self::Listen(_)
            | Self::Run(_)
            | Self::Probe(_)
            | Self::Signals(_)
            | Self::NoStore(_)
            | Self::Unanswered(_)
            | Self::File { .. }
            | Self::Unreachable { .. }
            | Self::Silent { .. }
            | Self::Refused { .. }
            | Self::Strange { .. }
            | Self::Incomplete { .. }
            | Self::NoPage
            | Self::NoRandomness
            | Self::Input(_)
            | Self::Output(_)
            | Self::Lines(_)
            | Self::ImportEnded { .. }
            | Self::PartlyImported(_)
            | Self::LeftOut(_) => exit::FAILURE,
        }
    }
}
