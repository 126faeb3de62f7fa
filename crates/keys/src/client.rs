//! The HTTP client that fetches documents of key servers, as the operator has said for their issuer.
//!
//! Who asks is shown only to the origins of the URLs that the operator wrote, over TLS or to this machine. Everything is
//! bounded: time, redirects, bytes, and bytes after inflation.

mod body;
mod credentials;
mod exchange;
mod explain;
mod form;
mod handshake;
mod origin;
mod proxy;
mod redirect;
mod sought;
mod tls;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::trust::Fetch;
use jose::MAX_KEY_SET_BYTES;
use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CACHE_CONTROL, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH,
};
use reqwest::{StatusCode, Url};
use service::proxy::ProxyVariables;
use service::secret_file::{Reload as _, SecretFile, SecretMetrics};

use crate::load_error::{FetchFault, LoadError};
pub(crate) use body::plain;
pub use exchange::{Answered, AskError, JSON, Question, Sent, may_hear_secrets};
use explain::Context;
pub use form::{basic_authorization, form};
use handshake::Seen;
use origin::Origin;
use proxy::Proxies;
use sought::Limits;
pub(crate) use sought::Sought;
use tls::{Files, Held, SystemRoots};

/// What all fetches of a program have in common.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The environment's proxies.
    pub proxies: ProxyVariables,
    system: Arc<SystemRoots>,
}

impl Surroundings {
    /// With these proxies.
    pub fn new(proxies: ProxyVariables) -> Self {
        Self { proxies, system: Arc::default() }
    }
}

/// A URL that the operator wrote, or that follows from what was written.
#[derive(Debug, Clone)]
pub struct Configured {
    /// The URL.
    pub url: Url,
    /// The setting that says so.
    pub setting: String,
}

/// An HTTP client for one source.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    user_agent: String,
    fetch: Fetch,
    /// Who may be shown who asks.
    known: Vec<Origin>,
    /// What says who asks, as the files say.
    credentials: SecretFile<HeaderMap>,
    files: Files,
    proxies: Proxies,
    system: Arc<SystemRoots>,
    limits: Limits,
    /// Whether redirects on the origin that was asked are followed.
    follows: bool,
    /// Connections to those, and to others.
    open: [Mutex<Option<Connections>>; 2],
}

/// Connections under what the files said when they were made.
#[derive(Clone)]
struct Connections {
    held: Held,
    http: reqwest::Client,
    seen: Arc<Seen>,
}

impl fmt::Debug for Client {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Client").field("fetch", &self.0.fetch).finish_non_exhaustive()
    }
}

/// An answer of a key server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fetched {
    /// The document; absent when it is the one whose ETag was shown.
    pub bytes: Option<Vec<u8>>,
    /// What to show next time.
    pub etag: Option<Etag>,
    /// How long the server promises not to change it.
    pub fresh_for: Option<Duration>,
    /// What an operator should know though all is well.
    pub notice: Option<String>,
}

/// The validator of a document (RFC 9110 section 8.8.3). Of another URL it says nothing: servers number their documents
/// alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Etag {
    pub(crate) url: Url,
    pub(crate) value: String,
}

impl Client {
    /// A client that calls itself `user_agent`. `configured` are all URLs that the operator wrote for this issuer.
    ///
    /// # Errors
    ///
    /// A setting cannot be used, or would show who asks to everybody on the way.
    pub fn new(
        user_agent: &str,
        fetch: &Fetch,
        configured: &[Configured],
        surroundings: &Surroundings,
    ) -> Result<Self, FetchFault> {
        Self::with(user_agent, fetch, configured, surroundings, true)
    }

    /// The same for questions whose answers lead nowhere: no redirect is followed.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn without_redirects(
        user_agent: &str,
        fetch: &Fetch,
        configured: &[Configured],
        surroundings: &Surroundings,
    ) -> Result<Self, FetchFault> {
        Self::with(user_agent, fetch, configured, surroundings, false)
    }

    fn with(
        user_agent: &str,
        fetch: &Fetch,
        configured: &[Configured],
        surroundings: &Surroundings,
        follows: bool,
    ) -> Result<Self, FetchFault> {
        let proxies = Proxies::of(fetch, &surroundings.proxies)?;
        let inner = Inner {
            user_agent: user_agent.to_owned(),
            fetch: fetch.clone(),
            known: known(fetch, configured, &proxies)?,
            credentials: credentials::load(fetch)?,
            files: Files::load(fetch)?,
            proxies,
            system: Arc::clone(&surroundings.system),
            limits: Limits::USUAL,
            follows,
            open: [Mutex::default(), Mutex::default()],
        };
        if configured.is_empty() {
            // Nothing is fetched; what is written must be right all the same.
            inner.files.held(true).check(fetch)?;
        } else {
            inner.connections(true)?;
        }
        Ok(Self(Arc::new(inner)))
    }

    /// Shows in these metrics whether the files of secrets can be used.
    pub fn report_to(&self, metrics: &SecretMetrics) {
        self.0.credentials.report_to(metrics);
        self.0.files.each().for_each(|file| file.report_to(metrics));
    }

    /// Whether it believes the same certificates.
    pub(crate) fn trusts_as(&self, other: &Self) -> bool {
        self.0.fetch.ca_file == other.0.fetch.ca_file
    }

    /// Fetches one document; `etag` came with the last good answer, and is shown to its own URL alone.
    pub(crate) async fn get(
        &self,
        url: Url,
        sought: Sought,
        etag: Option<&Etag>,
    ) -> Result<Fetched, LoadError> {
        let Inner { fetch, proxies, limits, .. } = &*self.0;
        let origin = Origin::of(&url);
        let known = self.0.known.contains(&origin);
        self.0.read_files_again();
        let Connections { http, seen, .. } = self.0.connections(known)?;
        let mut headers =
            if known { HeaderMap::clone(&self.0.credentials.current()) } else { HeaderMap::new() };
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let etag = etag.filter(|etag| etag.url == url);
        if let Some(value) = etag.and_then(|etag| HeaderValue::from_str(&etag.value).ok()) {
            headers.insert(IF_NONE_MATCH, value);
        }
        seen.forget();
        let context = Context {
            origin: &origin,
            fetch,
            sought,
            seen: &seen,
            proxy: proxies.for_url(&url),
            known,
            limits: *limits,
        };
        let failed = |error: reqwest::Error| LoadError::Fetch(context.failure(&error.without_url()));
        let response = http.get(url.clone()).headers(headers).send().await.map_err(failed)?;
        let fresh_for = max_age(response.headers());
        let status = response.status();
        if etag.is_some() && status == StatusCode::NOT_MODIFIED {
            return Ok(Fetched { etag: etag.cloned(), fresh_for, ..Fetched::default() });
        }
        if !status.is_success() {
            return Err(match context.refusal(status) {
                Some(cure) => LoadError::Refused(status, cure),
                None => LoadError::Status(status),
            });
        }
        let etag = response.headers().get(ETAG).and_then(|etag| etag.to_str().ok());
        let etag = etag.map(|etag| Etag { url, value: etag.to_owned() });
        Ok(Fetched {
            bytes: Some(body::read(response, MAX_KEY_SET_BYTES, failed).await?),
            etag,
            fresh_for,
            notice: None,
        })
    }
}

impl Inner {
    /// What is in them is replaced while we run (Kubernetes' projected tokens every hour).
    fn read_files_again(&self) {
        self.credentials.reload();
        for file in self.files.each() {
            file.reload();
        }
    }

    /// The connections to those who may be shown who asks, or to others; made anew when a file has changed.
    fn connections(&self, known: bool) -> Result<Connections, FetchFault> {
        let [others, ours] = &self.open;
        let mut open = if known { ours } else { others }.lock().unwrap_or_else(PoisonError::into_inner);
        let held = self.files.held(known);
        if let Some(connections) = open.as_ref().filter(|connections| connections.held.is(&held)) {
            return Ok(connections.clone());
        }
        let seen = Arc::new(Seen::default());
        let tls = held.config(&self.fetch, &self.system, &seen)?;
        let mut builder = reqwest::Client::builder()
            .connect_timeout(self.limits.connect)
            .timeout(self.limits.total)
            .redirect(if self.follows { redirect::policy() } else { redirect::none() })
            .user_agent(&self.user_agent)
            .tls_backend_preconfigured(tls)
            .no_proxy();
        if !self.proxies.is_empty() {
            let proxies = self.proxies.clone();
            let proxy = move |url: &Url| proxies.for_url(url).map(|proxy| proxy.url.clone());
            builder = builder.proxy(reqwest::Proxy::custom(proxy));
        }
        let http = builder.build().map_err(|error| FetchFault {
            setting: self.fetch.ca_setting.clone(),
            why: format!("no HTTP client: {error}"),
        })?;
        Ok(open.insert(Connections { held, http, seen }).clone())
    }
}

/// Who may be shown who asks: the origins of configured URLs, and those that are listed. None may be reached in clear.
fn known(fetch: &Fetch, configured: &[Configured], proxies: &Proxies) -> Result<Vec<Origin>, FetchFault> {
    let fault = |setting: String, why: String| FetchFault { setting, why };
    let origins = || fetch.setting(|names| names.origins);
    let mut urls = configured.to_vec();
    for text in &fetch.origins {
        let url = Url::parse(text).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.path() == "/"
                && url.query().is_none()
                && url.username().is_empty()
        });
        let what = "expected origins such as https://keys.example.com:8443";
        let url = url.ok_or_else(|| fault(origins(), what.to_owned()))?;
        urls.push(Configured { url, setting: origins() });
    }
    let set = fetch.credentials();
    for (index, Configured { url, setting: own }) in urls.iter().enumerate() {
        let origin = Origin::of(url);
        let has_password = !url.username().is_empty() || url.password().is_some();
        let setting = match (has_password, set.first()) {
            (true, Some(_))
                if fetch.authorization.is_some()
                    || fetch.headers.iter().any(|(name, _)| *name == AUTHORIZATION) =>
            {
                let why = format!("a URL holds a user or password beside {}; leave one out", set.join(", "));
                return Err(fault(own.clone(), why));
            }
            (true, _) => own.clone(),
            (false, Some(name)) => format!("{}{name}", fetch.place),
            (false, None) => continue,
        };
        let setting = if index < configured.len() { setting } else { own.clone() };
        if !origin.is_private() {
            return Err(fault(
                setting,
                format!("credentials would be sent without TLS to {origin}; write https:// there"),
            ));
        }
        if let Some(proxy) = proxies.for_url(url).filter(|_| url.scheme() == "http") {
            let why = format!(
                "credentials would be sent without TLS through the proxy {proxy}; write https:// in the URL"
            );
            return Err(fault(setting, why));
        }
    }
    if let (Some(proxy), Some(_)) = (proxies.over_tls(), &fetch.certificate) {
        let why =
            format!("the proxy {proxy} could ask for the certificate too; write http:// before that proxy");
        return Err(fault(fetch.setting(|names| names.cert_file), why));
    }
    Ok(urls.iter().map(|configured| Origin::of(&configured.url)).collect())
}

/// How long an answer is fresh, by `Cache-Control: max-age` (RFC 9111 section 5.2.2.1).
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let control = headers.get(CACHE_CONTROL)?.to_str().ok()?;
    control.split(',').find_map(|directive| {
        let (name, seconds) = directive.trim().split_once('=')?;
        let seconds =
            name.eq_ignore_ascii_case("max-age").then(|| seconds.trim_matches('"').parse().ok())??;
        Some(Duration::from_secs(seconds))
    })
}

#[cfg(test)]
mod tests;
