//! Where token-servers are, and what they are shown.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use service::settings::Settings;

use crate::answer::told::Decisions;
use crate::listen::Address;

/// The servers that decide what needs state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenServerConfig {
    /// Where they are.
    pub servers: TokenServers,
    /// A file with the bearer token that the agent shows.
    pub token_file: Option<PathBuf>,
    /// Certificates that vouch for `https://` servers, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// What the agent shows to `https://` servers that ask for a certificate.
    pub identity: Option<IdentityFiles>,
    /// How long one call may take: the budget of a verification.
    pub budget: Duration,
}

/// A client certificate, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityFiles {
    /// The certificate, and those that lead from it to its authority.
    pub cert: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
}

/// Where token-servers are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenServers {
    /// At the addresses of these names.
    Urls(Vec<Url>),
    /// Where HAProxy has them in one of its backends.
    Backend {
        /// The backend's whole name.
        name: String,
        /// A stats socket of HAProxy.
        socket: Address,
    },
}

/// Reads the settings of token-servers; absent: none is asked.
pub(super) fn read(settings: &mut Settings, budget: Duration) -> Option<TokenServerConfig> {
    const NAME: &str = "JWT_TOKEN_SERVER_BACKEND";
    let token_file = settings.text("JWT_TOKEN_SERVER_TOKEN_FILE").map(PathBuf::from);
    let ca_file = settings.text("JWT_TOKEN_SERVER_CA_FILE").map(PathBuf::from);
    let identity = identity(settings);
    let socket = haproxy_socket(settings);
    let items = settings.list(NAME);
    let servers = match (items.as_deref(), socket) {
        (None, None) => return None,
        (Some([name]), Some(socket)) if is_proxy_name(name) => {
            TokenServers::Backend { name: name.clone(), socket }
        }
        (_, Some(_)) => {
            settings.fault(NAME, "expected one backend's name, since JWT_HAPROXY_SOCKET is set");
            return None;
        }
        (Some(items), None) if items.iter().any(|item| !item.contains("://")) => {
            let what = "expected http://host:port,http://host:port, or a backend's name and HAProxy's stats socket in \
                        JWT_HAPROXY_SOCKET";
            settings.fault(NAME, what);
            return None;
        }
        (Some(_), None) => {
            let urls = keys::trust::http_urls(settings, NAME);
            if urls.iter().any(|url| !url.username().is_empty() || url.password().is_some()) {
                settings.fault(
                    NAME,
                    "takes no user and password; what agents show stands in JWT_TOKEN_SERVER_TOKEN_FILE",
                );
            }
            if urls.iter().any(|url| url.path() != "/" || url.query().is_some()) {
                settings.fault(NAME, "expected URLs without a path, such as http://host:4000");
            }
            TokenServers::Urls(urls)
        }
    };
    Some(TokenServerConfig { servers, token_file, ca_file, identity, budget })
}

/// Which decisions they are told.
pub(super) fn decisions(settings: &mut Settings, has_token_server: bool) -> Decisions {
    const NAME: &str = "JWT_DECISIONS";
    let decisions = settings.word(NAME, Decisions::WORDS).unwrap_or_default();
    if decisions != Decisions::Off && !has_token_server {
        settings.fault(NAME, "has token-servers told of decisions, and none is set: set JWT_TOKEN_SERVER_BACKEND, or leave it out");
    }
    decisions
}

fn identity(settings: &mut Settings) -> Option<IdentityFiles> {
    const CERT: &str = "JWT_TOKEN_SERVER_CERT_FILE";
    const KEY: &str = "JWT_TOKEN_SERVER_KEY_FILE";
    match (settings.text(CERT), settings.text(KEY)) {
        (Some(cert), Some(key)) => Some(IdentityFiles { cert: cert.into(), key: key.into() }),
        (None, None) => None,
        (Some(_), None) => {
            settings.fault(KEY, format!("missing, since {CERT} is set"));
            None
        }
        (None, Some(_)) => {
            settings.fault(CERT, format!("missing, since {KEY} is set"));
            None
        }
    }
}

/// A path, `unix@/path`, or `host:port`.
fn haproxy_socket(settings: &mut Settings) -> Option<Address> {
    const NAME: &str = "JWT_HAPROXY_SOCKET";
    let text = settings.text(NAME)?;
    let address = if text.starts_with('/') { Ok(Address::Unix(text.into())) } else { text.parse() };
    if address.is_err() {
        settings.fault(NAME, "expected /path, unix@/path or host:port");
    }
    address.ok()
}

/// HAProxy's configuration manual, section 2.2: letters, digits, `-`, `_`, `.` and `:`. Nothing else may go into a command.
fn is_proxy_name(name: &str) -> bool {
    name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.:".contains(letter))
}
