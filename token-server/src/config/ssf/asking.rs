//! How the transmitter of a stream is asked: for tokens (RFC 8936), and for a verification event (SSF 1.0 section 8.1.4.2).

use std::net::IpAddr;
use std::sync::Arc;

use ::keys::trust::{Fetch, FetchNames};
use ::keys::{Client, Configured, FetchFault, Surroundings};
use reqwest::Url;
use service::proxy::ProxyVariables;
use service::secret::Secret;
use service::secret_file::SecretFile;
use service::settings::Settings;

use super::poll::Poll;
use super::{secret_file, secret_line};

/// How a transmitter is asked.
#[derive(Debug, Clone)]
pub(crate) struct Asking {
    /// What says who asks; absent: nothing does, or a client certificate.
    pub(crate) token: Option<PollToken>,
    /// Asks, by the TLS and proxy settings of the stream's other URLs. It asks at their origins alone.
    pub(crate) client: Client,
}

/// What says who asks.
#[derive(Clone)]
pub(crate) enum PollToken {
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

impl PollToken {
    /// The file of its secret.
    pub(super) const fn file(&self) -> &Arc<SecretFile<Secret>> {
        match self {
            Self::File(file) => file,
            Self::Credentials { secret, .. } => secret,
        }
    }
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

/// Reads the fields that say who asks; absent where there is nothing to ask.
pub(super) fn read(
    table: &mut Settings,
    fetch: &Fetch,
    proxies: &ProxyVariables,
    poll: Option<&Poll>,
    document: Option<&Url>,
) -> Option<Asking> {
    let file = secret_file(table, "poll_token_file", secret_line);
    let token_url = url(table, "poll_token_url");
    let client = table.text("poll_client_id");
    let secret = secret_file(table, "poll_client_secret_file", secret_line);
    let scope = table.text("poll_scope");
    let credentials = ["poll_token_url", "poll_client_id", "poll_client_secret_file"];
    let given: Vec<bool> = credentials.iter().map(|name| table.is_set(name)).collect();
    if table.is_set("poll_url") || document.is_some() {
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
        for name in ["poll_token_file", "poll_scope"].into_iter().chain(credentials) {
            if table.is_set(name) {
                table.fault(
                    name,
                    "has no effect without poll_url, or the transmitter's document (discovery = true)",
                );
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
    let urls = [poll.map(|poll| (&poll.url, "poll_url")), document.map(|url| (url, "discovery_url"))];
    let urls: Vec<_> = urls.into_iter().flatten().collect();
    let client = self::client(table, fetch, proxies, &urls, token.as_ref())?;
    Some(Asking { token, client })
}

/// The same certificates and proxy as for keys. What says who fetches these is for their origins, and not shown here.
fn client(
    table: &mut Settings,
    fetch: &Fetch,
    proxies: &ProxyVariables,
    urls: &[(&Url, &'static str)],
    token: Option<&PollToken>,
) -> Option<Client> {
    let (_, first) = *urls.first()?;
    let names = FetchNames { keys_url: first, ..fetch.names };
    let fetch =
        Fetch { names, authorization: None, headers: Vec::new(), headers_file: None, ..fetch.clone() };
    let place = table.place().to_owned();
    let configured =
        |url: &Url, name: &str| Configured { url: url.clone(), setting: format!("{place}{name}") };
    let mut urls: Vec<_> = urls.iter().map(|(url, name)| configured(url, name)).collect();
    if let Some(PollToken::Credentials { url, .. }) = token {
        urls.push(configured(url, "poll_token_url"));
    }
    let name = concat!("token-server/", env!("CARGO_PKG_VERSION"));
    Client::new(name, &fetch, &urls, &Surroundings::new(proxies.clone()))
        .map_err(|FetchFault { setting, why }| table.fault(first, format!("{setting}: {why}")))
        .ok()
}

/// A URL that is told who asks.
pub(in crate::config) fn url(table: &mut Settings, name: &'static str) -> Option<Url> {
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
