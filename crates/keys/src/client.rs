//! The HTTP client that fetches documents of key servers.

use std::time::Duration;

use jose::MAX_KEY_SET_BYTES;
use reqwest::header::{CACHE_CONTROL, ETAG, HeaderMap, IF_NONE_MATCH};
use reqwest::{Certificate, StatusCode, Url, redirect};
use service::trust::Fetch;

use crate::LoadError;

/// How long a connection to a key server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long one fetch may take in all.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// Redirects that are followed, on the same host only.
const MAX_REDIRECTS: usize = 3;

/// An HTTP client for key servers.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    fetch: Fetch,
}

/// The client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The CA file cannot be read.
    #[error("cannot read the file: {0}")]
    CaFile(std::io::Error),
    /// The CA file holds no certificate.
    #[error("the file holds no PEM certificate")]
    NoCertificate,
    /// The TLS library refuses.
    #[error("no TLS client: {0}")]
    Tls(reqwest::Error),
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
    /// A client that calls itself `user_agent` and fetches as the operator has said.
    ///
    /// # Errors
    ///
    /// The CA file cannot be used.
    pub fn new(user_agent: &str, fetch: &Fetch) -> Result<Self, ClientError> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(FETCH_TIMEOUT)
            .redirect(redirect::Policy::custom(same_host))
            .user_agent(user_agent);
        if let Some(path) = &fetch.ca_file {
            let pem = std::fs::read(path).map_err(ClientError::CaFile)?;
            let certificates = Certificate::from_pem_bundle(&pem).map_err(|_| ClientError::NoCertificate)?;
            if certificates.is_empty() {
                return Err(ClientError::NoCertificate);
            }
            builder = builder.tls_certs_merge(certificates);
        }
        let http = builder.build().map_err(ClientError::Tls)?;
        Ok(Self { http, fetch: fetch.clone() })
    }

    /// Whether it believes the same certificates.
    pub(crate) fn trusts_as(&self, other: &Self) -> bool {
        self.fetch.ca_file == other.fetch.ca_file
    }

    /// Fetches one document; `etag` came with the last good answer, and is shown to its own URL alone.
    pub(crate) async fn get(&self, url: Url, etag: Option<&Etag>) -> Result<Fetched, LoadError> {
        let failed = |error: reqwest::Error| LoadError::Fetch(causes(&error.without_url()));
        let etag = etag.filter(|etag| etag.url == url);
        let mut request = self.http.get(url.clone());
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, &etag.value);
        }
        let mut response = request.send().await.map_err(failed)?;
        let fresh_for = max_age(response.headers());
        if etag.is_some() && response.status() == StatusCode::NOT_MODIFIED {
            return Ok(Fetched { etag: etag.cloned(), fresh_for, ..Fetched::default() });
        }
        if !response.status().is_success() {
            return Err(LoadError::Status(response.status()));
        }
        let etag = response.headers().get(ETAG).and_then(|etag| etag.to_str().ok());
        let etag = etag.map(|etag| Etag { url, value: etag.to_owned() });
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if bytes.len().saturating_add(chunk.len()) > MAX_KEY_SET_BYTES {
                return Err(LoadError::TooLarge(MAX_KEY_SET_BYTES));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Fetched { bytes: Some(bytes), etag, fresh_for, notice: None })
    }
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

/// A key server may move a document, not hand us to somebody else, nor off TLS.
fn same_host(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let from = attempt.previous().last();
    let same = from.is_some_and(|from| {
        let to = attempt.url();
        from.host_str() == to.host_str() && (from.scheme() == to.scheme() || to.scheme() == "https")
    });
    if same && attempt.previous().len() <= MAX_REDIRECTS {
        attempt.follow()
    } else {
        attempt.error("redirected to another host, off TLS, or too often")
    }
}

/// An error with its sources: "error sending request" alone helps nobody.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
