//! The HTTP routes: one router for agents and old callers, one for operators.

mod check;
mod compat;
mod error;
mod explain;
mod key_sources;
mod layers;
mod openapi;
pub(crate) mod request;
mod rules;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use ::rules::Issued;
use arc_swap::ArcSwapOption;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::Request;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{BoxError, Router};
use jose::{Policy, UnixTime};
use prometheus_client::registry::Registry;
use service::readiness::Readiness;
use tower::ServiceExt as _;

pub(crate) use error::ApiError;

use crate::annotations::Annotations;
use crate::config::{Compat, TokensFile};
use crate::encrypted::{DecryptionKeysFile, Lane};
use crate::feed;
use crate::judge::{self, Judgement};
use crate::metrics::Metrics;
use crate::recent::Recent;
use crate::revocations::Revocations;
use crate::verify::{ForwardAuth, Verifier};

/// What the handlers share.
pub(crate) struct App {
    pub(crate) policy: Policy,
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
    fn knows_its_agents(&self) -> bool {
        self.agent_tokens.is_some() || self.asks_for_certificates
    }

    /// Judges a payload that was verified, and takes note of a good one for the rules that are tried.
    async fn judge(&self, payload: &[u8], policy: &Policy, now: UnixTime) -> Judgement {
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

/// Whom an admin listener lets use the rules API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AdminAccess {
    /// Whoever shows a bearer token of the tokens file; nobody without that file.
    Bearer,
    /// Whoever can connect: the file system has decided.
    Everyone,
}

/// What a listener answers.
#[derive(Clone)]
pub(crate) struct Routes {
    forward_auth: Option<ForwardAuth>,
    others: Router,
}

impl Routes {
    /// Answers a request.
    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Response
    where
        B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let (parts, body) = request.into_parts();
        if let Some(forward_auth) = &self.forward_auth
            && let Some(response) = forward_auth.answer(&parts).await
        {
            return response;
        }
        let request = Request::from_parts(parts, Body::new(body));
        self.others.clone().oneshot(request).await.into_response()
    }
}

impl From<Router> for Routes {
    fn from(others: Router) -> Self {
        Self { forward_auth: None, others }
    }
}

/// The routes of `TOKEN_SERVER__LISTEN`.
pub(crate) fn main_routes(app: &Arc<App>) -> Routes {
    let mut routes =
        Router::new().route("/v1/check", post(check::judge)).route("/v1/events", get(feed::events));
    if app.compat != Compat::Off {
        routes = routes.route("/", post(compat::judge));
    }
    let health = service::admin::health_router(app.readiness.clone());
    let others = finish(app, routes.with_state(Arc::clone(app)).merge(health));
    Routes { forward_auth: Some(ForwardAuth::new(app)), others }
}

/// The routes of `TOKEN_SERVER__ADMIN__LISTEN` and of `TOKEN_SERVER__ADMIN__SOCKET`.
pub(crate) fn admin_router(app: &Arc<App>, access: AdminAccess) -> Router {
    let mut rules = Router::new()
        .route("/v1/rules", get(rules::list_groups).post(rules::write_to_named_group))
        .route("/v1/rules/{group}", get(rules::list_group).post(rules::write_to_group).delete(rules::delete))
        .route(
            "/v1/everybody/rules",
            get(rules::list_everybody).post(rules::write_for_everybody).delete(rules::delete_for_everybody),
        )
        .route("/v1/explain", post(explain::explain))
        .route("/v1/keys", get(key_sources::view));
    rules = rules.route_layer(map_response(error::tell_operators));
    if access == AdminAccess::Bearer {
        rules = rules.route_layer(from_fn_with_state(Arc::clone(app), layers::require_admin));
    }
    let health = service::admin::router(app.readiness.clone(), Arc::clone(&app.registry));
    finish(app, rules.with_state(Arc::clone(app)).merge(health))
}

/// What both have: the health route of old callers, answers to unknown routes, a deadline, a stopwatch.
fn finish(app: &Arc<App>, routes: Router) -> Router {
    routes
        .route("/generic/health", get(async || "ok\n"))
        .route("/openapi.json", get(openapi::document))
        .fallback(async || ApiError::NoRoute)
        .method_not_allowed_fallback(async || ApiError::Method)
        .layer(from_fn(layers::deadline))
        .layer(from_fn_with_state(Arc::clone(app), layers::observe))
}
