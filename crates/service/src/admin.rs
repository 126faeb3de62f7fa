//! The routes that operators and orchestrators ask: `/health`, `/ready`, `/metrics`.

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::readiness::Readiness;

/// The content type of the OpenMetrics text format, version 1.0.0.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `/health`, `/ready` and `/metrics`.
pub fn router(readiness: Readiness, registry: Arc<Registry>) -> Router {
    health_router(readiness).route("/metrics", get(move || metrics(Arc::clone(&registry))))
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

async fn metrics(registry: Arc<Registry>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
