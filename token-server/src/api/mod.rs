//! The HTTP routes: one router for agents and old callers, one for operators.

mod access;
mod admin;
mod agents;
mod app;
mod audit;
pub(crate) mod browsers;
mod check;
mod compat;
mod decisions;
mod error;
mod events;
mod explain;
pub mod forward_auth;
mod key_sources;
mod layers;
mod me;
mod metadata;
mod needs;
mod openapi;
mod page;
pub(crate) mod request;
mod revoked;
pub(crate) mod rules;
mod streams;
mod subject;
mod verify;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{BoxError, Router};
use tower::ServiceExt as _;

pub(crate) use access::AdminAccess;
pub use access::Compat;
pub(crate) use app::{App, InUse};

pub(crate) use self::error::ApiError;
use self::verify::VerifyRoutes;

/// By which names a listener may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// It can be reached from other machines, or its certificate tells which one it is.
    Any,
    /// It is reached from this machine alone, where a name of a domain is a page's trick (DNS rebinding).
    OfThisMachine,
}

/// What a listener answers.
#[derive(Clone)]
pub(crate) struct Routes {
    verify: Option<VerifyRoutes>,
    others: Router,
}

impl Routes {
    /// Answers a request.
    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Response
    where
        B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let (parts, body) = request.into_parts();
        if let Some(verify) = &self.verify
            && let Some(response) = verify.answer(&parts).await
        {
            return response;
        }
        let request = Request::from_parts(parts, Body::new(body));
        self.others.clone().oneshot(request).await.into_response()
    }
}

impl From<Router> for Routes {
    fn from(others: Router) -> Self {
        Self { verify: None, others }
    }
}

/// The routes of `TOKEN_SERVER__LISTEN`.
pub(crate) fn main_routes(app: &Arc<App>) -> Routes {
    let mut routes = Router::new()
        .route("/v1/check", post(check::check))
        .route("/v1/events", get(events::events))
        .route("/v1/decisions", post(decisions::report))
        .route("/.well-known/oauth-protected-resource", metadata::methods())
        .route("/.well-known/oauth-protected-resource/{*path}", metadata::methods());
    if app.compat != Compat::Off {
        routes = routes.route("/", post(compat::decide));
    }
    let health = service::admin::health_router(app.readiness.clone());
    let others = finish(app, routes.with_state(Arc::clone(app)).merge(health));
    Routes { verify: Some(VerifyRoutes::new(app)), others }
}

/// The routes of `TOKEN_SERVER__ADMIN__LISTEN` and of `TOKEN_SERVER__ADMIN__SOCKET`.
pub(crate) fn admin_router(app: &Arc<App>, access: AdminAccess) -> Router {
    let mut routes = admin::routes(app, access);
    if app.page {
        routes = routes.merge(page::routes());
    }
    let health = service::admin::router(app.readiness.clone(), Arc::clone(&app.registry));
    let routes = routes.with_state(Arc::clone(app)).merge(health);
    finish(app, routes.layer(from_fn(browsers::refuse_other_sites)))
}

/// The routes of `TOKEN_SERVER__ADMIN__LISTEN`, which is asked for by these names.
pub(crate) fn admin_listener_router(app: &Arc<App>, names: Names) -> Router {
    let routes = admin_router(app, AdminAccess::Bearer);
    match names {
        // Without the page nothing is here for browsers, and proxies that pass a name on may have come to rely on it.
        Names::OfThisMachine if app.page => routes.layer(from_fn(browsers::refuse_other_names)),
        Names::OfThisMachine | Names::Any => routes,
    }
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
