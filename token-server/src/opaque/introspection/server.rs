//! One authorization server: its endpoint, its limits, and the questions to it.

use std::sync::Arc;
use std::time::Duration;

use jose::{UnixTime, Unsigned};
use keys::{AskError, JSON, Question, Sent, addresses, may_hear_secrets};
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use service::sample::{LogLines, Sampler};
use service::secret_file::{Reload as _, SecretMetrics};
use service::shown;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::super::Found;
use super::answer::{self, Unreadable};
use super::call;
use super::limits::{Limits, Place};
use super::signer::{Signer, Unproven};
use crate::config::introspection::AuthorizationServer;

/// The largest metadata that are read.
const MAX_METADATA_BYTES: usize = 256 * 1024;
/// How long an endpoint of metadata is used before they are read again.
const METADATA_AGE: Duration = Duration::from_secs(3_600);

/// The media type of signed answers (RFC 9701 section 4).
const SIGNED_ANSWER: &str = "application/token-introspection+jwt";

/// Characters of a media type that are shown.
const MAX_SHOWN: usize = 60;

/// Why there is no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Nothing came back, or not in time.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// All of it took too long.
    #[error("no answer within TIMEOUT_MS")]
    Late,
    /// It refuses the question (RFC 7662 section 2.3).
    #[error("answered {status}{}", cure(*.status))]
    Status {
        /// How it refuses.
        status: StatusCode,
    },
    /// It answers something else.
    #[error("answered with {told:?} in place of {wanted}; {}", media_cure(wanted))]
    MediaType {
        /// What it is.
        told: String,
        /// What was asked for.
        wanted: &'static str,
    },
    /// It answers what is not proved to be its own.
    #[error(transparent)]
    Unproven(#[from] Unproven),
    /// It answers what says nothing.
    #[error("sent {0}")]
    Unreadable(#[from] Unreadable),
    /// Nothing proves who asks.
    #[error("is not asked: {0}; see key_file")]
    Unsigned(#[from] Unsigned),
    /// Its metadata cannot be used.
    #[error("its metadata {0}; set url to its introspection endpoint")]
    Metadata(&'static str),
}

fn cure(status: StatusCode) -> &'static str {
    match status.as_u16() {
        300..=399 => ": redirects are not followed; set url to where it leads",
        400 => {
            ": it does not take the question, or who asks; see auth, client_id and the file of its secret, key or token"
        }
        401 | 403 => {
            ": it does not accept who asks; see auth, client_id and the file of its secret, key or token"
        }
        404 | 405 => ": see url",
        429 => ": it is asked more often than it wants; see rate",
        _ => ": see its log",
    }
}

fn media_cure(wanted: &str) -> &'static str {
    match wanted {
        SIGNED_ANSWER => {
            "have it sign its answers to this client (introspection_signed_response_alg, RFC 9701 section 6), or leave signed out"
        }
        _ => "is this the introspection endpoint?",
    }
}

/// Metadata, as far as they concern us (RFC 8414 section 2).
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    introspection_endpoint: Option<String>,
}

pub(super) struct Server {
    number: u64,
    settings: AuthorizationServer,
    limits: Limits,
    /// As its metadata said, and when.
    endpoint: Mutex<Option<(Url, Instant)>>,
    failures: Sampler,
}

impl Server {
    /// `number` is no other server's, also of earlier configurations.
    pub(super) fn new(settings: AuthorizationServer, number: u64, now: Instant) -> Self {
        let terms = &settings.written.terms;
        Self {
            number,
            limits: Limits::new(terms.concurrency, terms.rate, now),
            settings,
            endpoint: Mutex::default(),
            failures: Sampler::new(LogLines::Sample),
        }
    }

    /// Whether it is the one that is written so.
    pub(super) fn is(&self, other: &AuthorizationServer) -> bool {
        self.settings.written == other.written
    }

    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn issuer(&self) -> &str {
        &self.settings.written.issuer
    }

    pub(super) fn prefix(&self) -> &str {
        &self.settings.written.prefix
    }

    /// Whether an answer may be used for more than one question.
    pub(super) fn shares(&self) -> bool {
        !self.settings.written.terms.cache_ttl.is_zero()
    }

    pub(super) fn report_to(&self, metrics: &SecretMetrics) {
        self.settings.client.report_to(metrics);
        if let Some(secret) = &self.settings.secret {
            secret.report_to(metrics);
        }
        if let Some(key) = &self.settings.key {
            key.report_to(metrics);
        }
    }

    /// A place for one call; absent: there are too many.
    pub(super) fn enter(&self, renews: bool, now: Instant) -> Option<Place> {
        self.limits.enter(renews, now)
    }

    /// Asks about a token. With a signer only answers that it has signed are believed.
    pub(super) async fn ask(
        &self,
        token: &str,
        signer: Option<&Signer>,
        clock: fn() -> UnixTime,
    ) -> Result<Found, Failure> {
        let patience = self.settings.written.terms.timeout;
        let asked = timeout(patience, self.asked(token, signer, patience, clock)).await;
        let found = asked.unwrap_or(Err(Failure::Late));
        // It may be somewhere else now. Where another call is about to find that out, nothing has to be forgotten.
        if found.is_err()
            && let Ok(mut known) = self.endpoint.try_lock()
        {
            *known = None;
        }
        found
    }

    async fn asked(
        &self,
        token: &str,
        signer: Option<&Signer>,
        patience: Duration,
        clock: fn() -> UnixTime,
    ) -> Result<Found, Failure> {
        let wanted = if signer.is_some() { SIGNED_ANSWER } else { JSON };
        let url = self.endpoint(patience).await?;
        let (at, asked) = (clock(), Instant::now());
        let question = call::question(&self.settings, url, token, patience, wanted, at)?;
        let answered = self.settings.client.ask(question).await?;
        if answered.status != StatusCode::OK {
            return Err(Failure::Status { status: answered.status });
        }
        if answered.media_type != wanted {
            let told = answered.media_type.chars().take(MAX_SHOWN).collect();
            return Err(Failure::MediaType { told, wanted });
        }
        let bytes = match signer {
            Some(signer) => signer.open(&answered.bytes, at).await?.into_bytes(),
            None => answered.bytes,
        };
        let written = &self.settings.written;
        let said = answer::read(&bytes, &written.issuer, &written.terms, at)?;
        Ok(Found::new(said.claims.map(Arc::new), asked + said.for_at_most))
    }

    /// Where it is asked: as configured, or as its metadata say. One reads them for all who wait.
    async fn endpoint(&self, patience: Duration) -> Result<Url, Failure> {
        if let Some(url) = &self.settings.written.url {
            return Ok(url.clone());
        }
        let mut known = self.endpoint.lock().await;
        if let Some((url, since)) = known.as_ref()
            && since.elapsed() < METADATA_AGE
        {
            return Ok(url.clone());
        }
        let url = self.read_metadata(patience).await?;
        *known = Some((url.clone(), Instant::now()));
        Ok(url)
    }

    async fn read_metadata(&self, patience: Duration) -> Result<Url, Failure> {
        for url in addresses(self.issuer()).unwrap_or_default() {
            let question = Question {
                url,
                sent: Sent::Nothing,
                accept: JSON,
                authorization: None,
                patience,
                max_bytes: MAX_METADATA_BYTES,
            };
            let answered = self.settings.client.ask(question).await?;
            match answered.status {
                StatusCode::OK => return endpoint_of(&answered.bytes, self.issuer()),
                StatusCode::NOT_FOUND => {}
                status => return Err(Failure::Status { status }),
            }
        }
        Err(Failure::Metadata(
            "are at none of their places (RFC 8414 section 3, OpenID Connect Discovery 1.0 section 4)",
        ))
    }

    /// Says why tokens are answered with 503.
    pub(super) fn log(&self, failure: &Failure) {
        if let Some(due) = self.failures.take(std::time::Instant::now()) {
            tracing::warn!(
                issuer = shown::url(self.issuer()),
                %failure,
                left_out = due.left_out,
                "an authorization server could not be asked about an opaque token, which is answered with 503 (introspection)"
            );
        }
    }
}

fn endpoint_of(bytes: &[u8], issuer: &str) -> Result<Url, Failure> {
    let metadata: Metadata =
        serde_json::from_slice(bytes).map_err(|_| Failure::Metadata("are none (RFC 8414 section 3.2)"))?;
    if metadata.issuer != issuer {
        return Err(Failure::Metadata("call it by another issuer, which is to be written letter for letter"));
    }
    let told = metadata.introspection_endpoint.ok_or(Failure::Metadata("name no introspection_endpoint"))?;
    let url = Url::parse(&told).ok().filter(may_hear_secrets);
    url.ok_or(Failure::Metadata(
        "name an introspection_endpoint that is no https:// URL, and none of this machine",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_lead_to_an_endpoint_only_if_they_are_the_issuers_and_it_is_private() {
        const ISSUER: &str = "https://id.example.com";
        let endpoint = |issuer: &str, told: &str| {
            let json = format!(r#"{{"issuer":"{issuer}","introspection_endpoint":{told}}}"#);
            endpoint_of(json.as_bytes(), ISSUER).map(String::from).ok()
        };
        for (told, good) in [
            (r#""https://id.example.com/i""#, true),
            (r#""http://127.0.0.1:8080/i""#, true),
            (r#""http://id.example.com/i""#, false),
            (r#""/i""#, false),
            ("null", false),
            ("7", false),
        ] {
            assert_eq!(endpoint(ISSUER, told).is_some(), good, "{told}");
        }
        assert_eq!(endpoint("https://id.example.com/", r#""https://id.example.com/i""#), None);
        assert!(endpoint_of(b"<html>", ISSUER).is_err());
    }
}
