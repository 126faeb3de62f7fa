//! What the handlers share.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use jose::{IssuerPolicy, Leeway, UnixTime};
use prometheus_client::registry::Registry;
use service::readiness::Readiness;

use super::access::Compat;
use super::forward_auth::{self, ForwardAuth};
use crate::agents::Agents;
use crate::annotations::Annotations;
use crate::bearer::TokensFile;
use crate::caller::AdminTokensFile;
use crate::decide::Basis;
use crate::metrics::Metrics;
use crate::recent::Recent;
use crate::revocations::Revocations;
use crate::signals::Signals;
use crate::trust::Trusted;
use crate::verify::{Possession, VerifyMetrics};

/// What the handlers share.
pub(crate) struct App {
    /// What is asked of claims that others verified.
    pub(crate) policy: IssuerPolicy,
    pub(crate) basis: Basis,
    pub(crate) metrics: Metrics,
    pub(crate) registry: Arc<Registry>,
    pub(crate) readiness: Readiness,
    pub(crate) admin_tokens: Option<Arc<AdminTokensFile>>,
    pub(crate) agent_tokens: Option<Arc<TokensFile>>,
    /// Whether only clients with a certificate can connect.
    pub(crate) asks_for_certificates: bool,
    /// What SIGHUP replaces; absent where nothing is configured that could verify.
    pub(crate) in_use: ArcSwapOption<InUse>,
    pub(crate) compat: Compat,
    /// Whether operators get a page to see and do all this in a browser.
    pub(crate) page: bool,
    /// What providers tell; absent without a listener for it.
    pub(crate) signals: Option<Arc<Signals>>,
    /// The agents that were heard lately.
    pub(crate) agents: Arc<Agents>,
    pub(crate) clock: fn() -> UnixTime,
}

/// Whom the configuration in use trusts, and how it answers proxies; swapped whole.
pub(crate) struct InUse {
    pub(crate) trusted: Arc<Trusted>,
    pub(crate) forward_auth: ForwardAuth,
}

impl InUse {
    /// Forward-auth by these settings for what is trusted.
    pub(crate) fn new(
        trusted: Trusted,
        settings: forward_auth::Settings,
        possession: Possession,
        metrics: VerifyMetrics,
    ) -> Self {
        let trusted = Arc::new(trusted);
        Self { forward_auth: ForwardAuth::new(settings, possession, metrics, &trusted), trusted }
    }
}

impl App {
    pub(crate) fn now(&self) -> UnixTime {
        (self.clock)()
    }

    pub(crate) fn revocations(&self) -> &Arc<Revocations> {
        &self.basis.revocations
    }

    pub(crate) fn annotations(&self) -> &Arc<Annotations> {
        &self.basis.good_tokens.annotations
    }

    pub(crate) fn recent(&self) -> &Arc<Recent> {
        &self.basis.good_tokens.recent
    }

    /// Whom we trust; absent where nothing is configured that could verify.
    pub(super) fn trusted(&self) -> Option<Arc<Trusted>> {
        self.in_use.load().as_deref().map(|in_use| Arc::clone(&in_use.trusted))
    }

    /// The most clock skew that this server grants itself; agents tell theirs when they ask.
    pub(super) fn max_leeway(&self) -> Leeway {
        self.trusted().map_or(self.policy.leeway, |trusted| trusted.max_leeway())
    }

    /// Whether those who ask `/v1/check` have shown that they are agents, by a bearer token or a certificate. Only then are
    /// the payloads that they send known to be verified.
    pub(crate) fn knows_its_agents(&self) -> bool {
        self.agent_tokens.is_some() || self.asks_for_certificates
    }
}
