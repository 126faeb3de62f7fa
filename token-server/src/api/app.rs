//! What the handlers share.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use jose::{IssuerPolicy, UnixTime};
use prometheus_client::registry::Registry;
use rules::Issued;
use service::readiness::Readiness;

use crate::annotations::Annotations;
use crate::config::{Compat, TokensFile};
use crate::encrypted::{DecryptionKeysFile, Lane};
use crate::judge::{self, Judgement};
use crate::metrics::Metrics;
use crate::recent::Recent;
use crate::revocations::Revocations;
use crate::verify::Verifier;

/// What the handlers share.
pub(crate) struct App {
    pub(crate) policy: IssuerPolicy,
    pub(crate) revocations: Arc<Revocations>,
    pub(crate) annotations: Arc<Annotations>,
    pub(crate) recent: Arc<Recent>,
    pub(crate) metrics: Metrics,
    pub(crate) registry: Arc<Registry>,
    pub(crate) readiness: Readiness,
    pub(crate) admin_tokens: Option<Arc<TokensFile>>,
    pub(crate) agent_tokens: Option<Arc<TokensFile>>,
    /// Whether only clients with a certificate can connect.
    pub(crate) asks_for_certificates: bool,
    pub(crate) jwe_keys: Option<Arc<DecryptionKeysFile>>,
    /// Where tokens are opened that take a private key.
    pub(crate) lane: Lane,
    /// Answers proxies, by the configuration in use; absent where nothing is configured that could verify.
    pub(crate) verify: ArcSwapOption<Verifier>,
    pub(crate) compat: Compat,
    pub(crate) clock: fn() -> UnixTime,
}

impl App {
    pub(crate) fn now(&self) -> UnixTime {
        (self.clock)()
    }

    /// Whether those who ask `/v1/check` have shown that they are agents, by a bearer token or a certificate. Only then are
    /// the payloads that they send known to be verified.
    pub(super) fn knows_its_agents(&self) -> bool {
        self.agent_tokens.is_some() || self.asks_for_certificates
    }

    /// Judges a payload that was verified, and takes note of a good one for the rules that are tried.
    pub(super) async fn judge(&self, payload: &[u8], policy: &IssuerPolicy, now: UnixTime) -> Judgement {
        let judgement = judge::judge(payload, policy, &self.revocations, now).await;
        if judgement.verdict.is_ok() {
            self.note_good(payload, judgement.issued, judgement.subject.as_deref(), now);
        }
        judgement
    }

    /// Takes note of a good token for the rules that are tried. Only what was verified may come here.
    pub(crate) fn note_good(&self, payload: &[u8], issued: Issued, subject: Option<&str>, now: UnixTime) {
        let hits = self.annotations.shadows().count(payload, issued, subject, judge::seconds(now));
        self.metrics.count_shadow_hits(hits);
        if let Some(subject) = subject {
            self.recent.remember(subject, payload, issued, now);
        }
    }
}
