//! The routes that operators and orchestrators ask: `/health`, `/ready`, `/metrics`.

mod exposition;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::readiness::Readiness;
use exposition::Exposition;

/// `/health`, `/ready` and `/metrics`.
pub fn router(readiness: Readiness, registry: Arc<Registry>) -> Router {
    let metrics = move |headers: HeaderMap| metrics(Arc::clone(&registry), headers);
    health_router(readiness).route("/metrics", get(metrics))
}

/// `/health` (200 while the process answers) and `/ready` (200, or 503 with the causes).
pub fn health_router(readiness: Readiness) -> Router {
    Router::new().route("/health", get(async || "ok\n")).route("/ready", get(async move || ready(&readiness)))
}

fn ready(readiness: &Readiness) -> Response {
    match readiness.check() {
        Ok(()) => "ready\n".into_response(),
        Err(causes) => (StatusCode::SERVICE_UNAVAILABLE, format!("{causes}\n")).into_response(),
    }
}

/// In the form that is asked for.
async fn metrics(registry: Arc<Registry>, headers: HeaderMap) -> Response {
    let accept: Vec<_> =
        headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let form = Exposition::wanted(&accept.join(","));
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => {
            let described = [(header::CONTENT_TYPE, form.content_type()), (header::VARY, "accept")];
            (described, form.of_openmetrics(text)).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
