//! Opaque tokens: texts that say nothing by themselves, and that only those can judge who know them. Here is what is known of one
//! ([`Found`]), and for how long that may be used; whether it may pass is decided by rules and times as for any token, each time.

mod introspection;

use std::sync::Arc;
use std::time::Duration;

use jose::{Claims, Reject, TokenForm, UnixTime};
use keys::KeyRing;
use prometheus_client::registry::Registry;
use service::secret_file::SecretMetrics;
use tokio::time::Instant;

use self::introspection::Introspection;
use crate::api_keys::{ApiKeys, MAX_USE};
use crate::config;

/// What is known of a token.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// What it says, or why it is refused.
    pub(crate) claims: Result<Arc<Claims>, Reject>,
    /// Until when that may be used; not later, whatever is heard.
    until: Instant,
}

impl Found {
    /// What may be used until this moment.
    pub(crate) const fn new(claims: Result<Arc<Claims>, Reject>, until: Instant) -> Self {
        Self { claims, until }
    }

    /// A refusal of this one question.
    pub(crate) fn refused(reject: Reject) -> Self {
        Self::new(Err(reject), Instant::now())
    }

    /// For how long it may still be used.
    pub(crate) fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

/// Finds out what opaque tokens say.
pub(crate) struct Opaque {
    keys: Option<ApiKeys>,
    introspection: Arc<Introspection>,
    clock: fn() -> UnixTime,
}

impl Opaque {
    /// As a configuration says. Signed answers are verified with the keys of `ring`; `clock` is the time of day.
    pub(crate) fn new(
        keys: Option<ApiKeys>,
        introspection: config::Introspection,
        ring: Option<&Arc<KeyRing>>,
        registry: &mut Registry,
        clock: fn() -> UnixTime,
    ) -> Self {
        let introspection = Arc::new(Introspection::new(introspection, ring, registry, clock));
        Self { keys, introspection, clock }
    }

    /// For tests: without any source.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        let settings = config::Introspection { servers: Vec::new(), cache_size: 1 };
        Self::new(None, settings, None, &mut Registry::default(), || UnixTime::from_secs(0))
    }

    /// Shows in these metrics whether files of secrets can be used, from now on.
    pub(crate) fn report_to(&self, metrics: SecretMetrics) {
        self.introspection.report_to(metrics);
    }

    /// Puts another configuration in use. What is known stays, as far as its server is the same.
    pub(crate) fn replace(&self, introspection: config::Introspection, ring: &Arc<KeyRing>) {
        self.introspection.replace(introspection, Some(ring));
    }

    /// Whether a source of opaque tokens is configured.
    pub(crate) fn is_on(&self) -> bool {
        self.keys.is_some() || self.introspection.is_on()
    }

    /// Whether this token is opened here: it may be an opaque one, and a source of such is configured.
    pub(crate) fn takes(&self, token: &str) -> bool {
        self.is_on() && TokenForm::of(token) == TokenForm::Opaque
    }

    /// What is known of a token. It is waited for until this moment; what comes later is kept for the next question. API keys are
    /// shown to no other server.
    pub(crate) async fn open(&self, token: &str, until: Instant) -> Found {
        if let Some(claims) = self.keys.as_ref().and_then(|keys| keys.claims(token, (self.clock)())) {
            return Found::new(claims.map(Arc::new), Instant::now() + MAX_USE);
        }
        if !self.introspection.is_on() {
            return Found::refused(Reject::Inactive);
        }
        self.introspection.open(token, until).await
    }
}
