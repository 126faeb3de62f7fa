//! How the tokens of a stream are fetched (RFC 8936), instead of being pushed.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use ::keys::trust::{Fetch, FetchNames};
use ::keys::{Client, Configured, FetchFault, Surroundings};
use reqwest::Url;
use service::proxy::ProxyVariables;
use service::secret::Secret;
use service::secret_file::SecretFile;
use service::settings::Settings;

use super::{secret_file, secret_line};

/// Between two questions, seconds.
pub(in crate::config) const INTERVALS: RangeInclusive<u64> = 1..=3_600;

const DEFAULT_INTERVAL: u64 = 10;

/// How tokens are fetched.
#[derive(Debug, Clone)]
pub struct Poll {
    /// `poll_url`
    pub url: Url,
    /// `poll_interval`
    pub interval: Duration,
    /// What says who asks; absent: nothing does, or a client certificate.
    pub token: Option<PollToken>,
    /// Asks, by the TLS and proxy settings of the stream's other URLs.
    pub client: Client,
}

/// What says who asks.
#[derive(Clone)]
pub enum PollToken {
    /// `poll_token_file`: a bearer token.
    File(Arc<SecretFile<Secret>>),
    /// A bearer token of an authorization server (RFC 6749 section 4.4).
    Credentials {
        /// `poll_token_url`
        url: Url,
        /// `poll_client_id`
        client: String,
        /// `poll_client_secret_file`
        secret: Arc<SecretFile<Secret>>,
        /// `poll_scope`
        scope: Option<String>,
    },
}

impl std::fmt::Debug for PollToken {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(_) => out.write_str("File"),
            Self::Credentials { url, client, .. } => {
                out.debug_struct("Credentials").field("url", &url.host_str()).field("client", client).finish()
            }
        }
    }
}

/// Reads the fields `poll_*`; absent without `poll_url`.
pub(super) fn read(table: &mut Settings, fetch: &Fetch, proxies: &ProxyVariables) -> Option<Poll> {
    let url = url(table, "poll_url");
    let interval = crate::config::signals::within(table, "poll_interval", "seconds", INTERVALS);
    let file = secret_file(table, "poll_token_file", secret_line);
    let token_url = self::url(table, "poll_token_url");
    let client = table.text("poll_client_id");
    let secret = secret_file(table, "poll_client_secret_file", secret_line);
    let scope = table.text("poll_scope");
    let credentials = ["poll_token_url", "poll_client_id", "poll_client_secret_file"];
    let given: Vec<bool> = credentials.iter().map(|name| table.is_set(name)).collect();
    if table.is_set("poll_url") {
        if given.contains(&true) {
            for (name, _) in credentials.iter().zip(&given).filter(|(_, given)| !**given) {
                table.fault(
                    name,
                    "is missing: poll_token_url, poll_client_id and poll_client_secret_file belong together",
                );
            }
        } else if scope.is_some() {
            table.fault("poll_scope", "has no effect without poll_token_url");
        }
        if table.is_set("poll_token_file") && given.contains(&true) {
            table.fault("poll_token_file", "there is poll_token_url too; leave one of them out");
        }
    } else {
        for name in ["poll_interval", "poll_token_file", "poll_scope"].into_iter().chain(credentials) {
            if table.is_set(name) {
                table.fault(name, "has no effect without poll_url");
            }
        }
    }
    let token = match (file, token_url, client, secret) {
        (Some(file), ..) => Some(PollToken::File(file)),
        (None, Some(url), Some(client), Some(secret)) => {
            Some(PollToken::Credentials { url, client, secret, scope })
        }
        (None, ..) => None,
    };
    let url = url?;
    let client = self::client(table, fetch, proxies, &url, token.as_ref())?;
    let interval = Duration::from_secs(interval.unwrap_or(DEFAULT_INTERVAL));
    Some(Poll { url, interval, token, client })
}

/// The same certificates and proxy as for keys. What says who fetches these is for their origins, and not shown here.
fn client(
    table: &mut Settings,
    fetch: &Fetch,
    proxies: &ProxyVariables,
    url: &Url,
    token: Option<&PollToken>,
) -> Option<Client> {
    let names = FetchNames { keys_url: "poll_url", ..fetch.names };
    let fetch =
        Fetch { names, authorization: None, headers: Vec::new(), headers_file: None, ..fetch.clone() };
    let place = table.place().to_owned();
    let configured =
        |url: &Url, name: &str| Configured { url: url.clone(), setting: format!("{place}{name}") };
    let mut urls = vec![configured(url, "poll_url")];
    if let Some(PollToken::Credentials { url, .. }) = token {
        urls.push(configured(url, "poll_token_url"));
    }
    let name = concat!("token-server/", env!("CARGO_PKG_VERSION"));
    Client::new(name, &fetch, &urls, &Surroundings::new(proxies.clone()))
        .map_err(|FetchFault { setting, why }| table.fault("poll_url", format!("{setting}: {why}")))
        .ok()
}

fn url(table: &mut Settings, name: &'static str) -> Option<Url> {
    let expected = "an https:// URL, or an http:// URL of this machine";
    let url: Url = table.parse(name, expected)?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let here = host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if url.scheme() != "https" && !(url.scheme() == "http" && here) {
        table.fault(name, format!("expected {expected}: what is sent there is a secret"));
    }
    Some(url)
}
