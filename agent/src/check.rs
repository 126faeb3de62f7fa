//! `jwt-agent --check`: what a start looks at, without starting; with `--online` also what others answer.

mod edge;
mod streams;

use std::sync::Arc;
use std::time::Duration;

use keys::{Report, Source};
use prometheus_client::registry::Registry;
use service::listening::{self, Wanted};
use service::probe::Place;

use crate::config::Config;
use crate::haproxy::cfg::HaproxyCfg;
use crate::instance;
use crate::listen::Address;
use crate::metrics::Metrics;
use crate::start::{key_sources, nonce_secret};
use crate::token_server::{CallError, Discovery, TokenServer};

/// How long a token-server may take to answer a check: its feed waits up to a second for news.
const EVENTS_TIMEOUT: Duration = Duration::from_secs(5);

/// What was found.
#[derive(Debug, Default)]
pub struct Checked {
    /// What is good, and what an operator should know.
    pub lines: Vec<String>,
    /// What a start would refuse.
    pub faults: Vec<String>,
    /// What others did not answer as they should.
    pub unanswered: Vec<String>,
}

/// Looks at everything that the configuration names.
pub async fn check(config: &Config, cfg: Option<&HaproxyCfg>, online: bool) -> Checked {
    let mut checked = Checked::default();
    checked.faults.extend(cfg.map(|cfg| unknown_policies(config, cfg)).unwrap_or_default());
    let listening::Findings { faults, notes } = listening::examine(&listeners(config)).await;
    checked.faults.extend(faults);
    checked.lines.extend(notes.into_iter().map(|note| format!("warning: {note}")));
    checked.key_sources(config, online).await;
    checked.faults.extend(nonce_secret(&config.dpop).err().map(|error| error.to_string()));
    checked.token_servers(config, online).await;
    checked.edge(config, cfg, online).await;
    checked.streams(config, online).await;
    checked.lines.extend(config.warnings.iter().map(|warning| format!("warning: {warning}")));
    if checked.faults.is_empty() {
        checked.lines.push("configuration and keys are good".to_owned());
    }
    checked
}

fn listeners(config: &Config) -> Vec<Wanted> {
    let of_haproxy = config.listen.iter().map(|address| Wanted {
        setting: "JWT_AGENT_LISTEN",
        place: match address {
            Address::Tcp(address) => Place::Tcp(address.clone()),
            Address::Unix(path) => Place::Unix(path.clone()),
        },
    });
    let admin = Wanted { setting: "JWT_ADMIN_LISTEN", place: Place::Tcp(config.admin_listen.to_string()) };
    of_haproxy.chain([admin]).collect()
}

impl Checked {
    /// Files are what a start needs; a URL may be down then, so that only `online` asks it.
    async fn key_sources(&mut self, config: &Config, online: bool) {
        let sources = match key_sources(&config.keys) {
            Ok(sources) => sources,
            Err(error) => return self.faults.push(error.to_string()),
        };
        let (files, urls): (Vec<_>, Vec<_>) =
            sources.into_iter().partition(|(_, source)| matches!(source, Source::File(_)));
        let Report { lines, faults } = keys::report(&files, &config.keys.rules).await;
        self.lines.extend(lines);
        self.faults.extend(faults);
        if online {
            let Report { lines, faults } = keys::report(&urls, &config.keys.rules).await;
            self.lines.extend(lines);
            self.unanswered.extend(faults);
        } else {
            self.lines
                .extend(urls.iter().map(|(_, source)| format!("{}: asked with --online", source.name())));
        }
    }

    async fn token_servers(&mut self, config: &Config, online: bool) {
        let Some(settings) = &config.token_server else { return };
        let metrics = Metrics::register(&mut Registry::default());
        match TokenServer::new(settings, &config.trust, &instance::name(&config.listen), Arc::clone(&metrics))
        {
            Err(error) => self.faults.push(error.to_string()),
            Ok((server, mut discovery)) => match discovery.open().await {
                Err(error) => self.faults.push(format!("JWT_TOKEN_SERVER_BACKEND: {error}")),
                Ok(()) if online => self.ask_token_servers(config, &server, discovery).await,
                Ok(()) => self.lines.push("token-servers: asked with --online".to_owned()),
            },
        }
    }

    async fn ask_token_servers(&mut self, config: &Config, server: &TokenServer, mut discovery: Discovery) {
        let name = |error| format!("JWT_TOKEN_SERVER_BACKEND: {error}");
        self.unanswered.extend(discovery.look_once().await.into_iter().map(name));
        let servers = Arc::clone(&server.servers().borrow());
        if servers.is_empty() {
            self.unanswered.push("JWT_TOKEN_SERVER_BACKEND: no token-server is found".to_owned());
        }
        for server in servers.iter() {
            let endpoint = server.endpoint();
            match server.events(config.trust.profile(), None, EVENTS_TIMEOUT).await {
                Ok(events) => self.lines.push(format!("{endpoint}: answers, store {}", events.store_id)),
                Err(error) => self.unanswered.push(format!("{endpoint}: {}", cause(&error))),
            }
        }
    }
}

/// With what to do about it.
fn cause(error: &CallError) -> String {
    let cure = match error {
        CallError::Status(status) if status.as_u16() == 401 => {
            "; it wants another bearer token: see JWT_TOKEN_SERVER_TOKEN_FILE here and TOKEN_SERVER__AGENT__TOKENS_FILE there"
        }
        CallError::Status(status) if status.as_u16() == 409 => {
            "; it runs another profile: see JWT_PROFILE here and TOKEN_SERVER__PROFILE there"
        }
        CallError::Status(_) | CallError::Timeout | CallError::Unreachable(_) | CallError::Unreadable => "",
    };
    format!("{error}{cure}")
}

/// What HAProxy's rules would ask for in vain.
fn unknown_policies(config: &Config, cfg: &HaproxyCfg) -> Vec<String> {
    cfg.policies()
        .iter()
        .filter(|policy| config.trust.policy(Some(&policy.name)).is_none() && !config.mcp.has(&policy.name))
        .map(|policy| {
            format!(
                "--haproxy-cfg: line {}: sets the policy {}, which is not configured: its requests would be answered \
                 E_BACKEND_UNAVAIL; write a [[policies]] table of that name in the file of JWT_CONFIG, or correct the name",
                policy.line, policy.name
            )
        })
        .collect()
}
