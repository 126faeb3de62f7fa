//! Forward-auth: a proxy asks about each request, and lets it pass on 200 (Traefik `forwardAuth`, nginx `auth_request`,
//! Envoy `ext_authz` over HTTP).
//!
//! The way of a request: [`reading`] makes a question of it (by [`proxy`], what the proxy tells of the original request,
//! [`place`], the one token in it, and [`proof`], what its client proves beside it), `verify` decides, and [`response`] says the answer in HTTP, the claims in
//! [`claim_headers`]. What is not decided is no 200.

mod claim_headers;
mod place;
mod proof;
mod proxy;
mod reading;
mod response;
mod settings;

use std::sync::Arc;

use axum::http::request::Parts;
use axum::response::Response;
use jose::UnixTime;

pub use claim_headers::{ClaimHeader, ClaimHeaders, HeaderFault};
pub use place::{MAX_PLACES, TokenPlace};
pub use proxy::Proxy;
pub use reading::question;
pub use settings::{Guard, Settings};

use crate::decide::Basis;
use crate::trust::Trusted;
use crate::verify::{Decider, Possession, VerifyMetrics};

/// Answers proxies; shared by all connections.
pub(crate) struct ForwardAuth {
    settings: Settings,
    decider: Decider,
}

impl ForwardAuth {
    /// One that has verified nothing yet.
    pub(crate) fn new(
        settings: Settings,
        possession: Possession,
        metrics: VerifyMetrics,
        trusted: &Arc<Trusted>,
    ) -> Self {
        let decider = Decider::new(settings.for_decisions(), possession, metrics, trusted);
        Self { settings, decider }
    }

    /// Which proxy asks.
    pub(crate) fn proxy(&self) -> Option<Proxy> {
        self.settings.proxy
    }

    /// Answers about a request by the policy of that name, or by the default one.
    pub(crate) async fn answer(
        &self,
        parts: &Parts,
        policy: Option<&str>,
        basis: &Basis,
        now: UnixTime,
    ) -> Response {
        let policy = self.decider.policy(policy);
        let guard = policy.and_then(|policy| self.settings.guards.get(policy.place()));
        let question = question(parts, &self.settings, policy);
        let answer = self.decider.decide(question, basis, now).await;
        let nonce = policy.and_then(|policy| self.decider.nonce(policy, now));
        response::of(&answer, guard, nonce.as_deref())
    }
}
