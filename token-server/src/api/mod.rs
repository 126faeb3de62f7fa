//! The HTTP routes: one router for agents and old callers, one for operators.

mod check;
mod compat;
mod error;
mod layers;
pub(crate) mod request;
mod rules;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use jose::{Policy, UnixTime};
use prometheus_client::registry::Registry;
use service::readiness::Readiness;

pub(crate) use error::ApiError;

use crate::bearer::BearerTokens;
use crate::feed;
use crate::judge::{self, Judgement};
use crate::metrics::Metrics;
use crate::revocations::Revocations;

/// What the handlers share.
pub(crate) struct App {
    pub(crate) policy: Policy,
    pub(crate) revocations: Arc<Revocations>,
    pub(crate) metrics: Metrics,
    pub(crate) registry: Arc<Registry>,
    pub(crate) readiness: Readiness,
    pub(crate) admin_tokens: Option<BearerTokens>,
    pub(crate) agent_tokens: Option<BearerTokens>,
    pub(crate) compat: bool,
    pub(crate) clock: fn() -> UnixTime,
}

impl App {
    pub(crate) fn now(&self) -> UnixTime {
        (self.clock)()
    }

    async fn judge(&self, payload: &[u8], policy: &Policy, now: UnixTime) -> Judgement {
        judge::judge(payload, policy, &self.revocations, now).await
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

/// The routes of `TOKEN_SERVER__LISTEN`.
pub(crate) fn main_router(app: &Arc<App>) -> Router {
    let mut routes =
        Router::new().route("/v1/check", post(check::judge)).route("/v1/events", get(feed::events));
    if app.compat {
        routes = routes.route("/", post(compat::judge));
    }
    let health = service::admin::health_router(app.readiness.clone());
    finish(app, routes.with_state(Arc::clone(app)).merge(health))
}

/// The routes of `TOKEN_SERVER__ADMIN__LISTEN` and of `TOKEN_SERVER__ADMIN__SOCKET`.
pub(crate) fn admin_router(app: &Arc<App>, access: AdminAccess) -> Router {
    let mut rules = Router::new()
        .route("/v1/rules", get(rules::list_groups).post(rules::write_to_named_group))
        .route("/v1/rules/{group}", get(rules::list_group).post(rules::write_to_group).delete(rules::delete));
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
        .fallback(async || ApiError::NoRoute)
        .method_not_allowed_fallback(async || ApiError::Method)
        .layer(from_fn(layers::deadline))
        .layer(from_fn_with_state(Arc::clone(app), layers::observe))
}
