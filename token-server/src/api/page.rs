//! `GET /ui/`: the page for operators, without a bearer token, as it holds nothing but itself.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;

use super::app::App;
use super::error::ApiError;
use crate::ui;

/// What the page may load, and from where: its own files and answers from its own origin. It runs no script and applies no
/// style that stands in markup, is shown in no frame, sends no form, and makes no markup of a text (Trusted Types).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";

const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    // The page and the API that it asks are of one version.
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The document at `/ui/`, and what it loads beside it.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/ui", get(async || Redirect::temporary("ui/")))
        .route("/ui/", get(async || send("")))
        .route("/ui/{file}", get(async |Path(name): Path<String>| send(&name)))
}

fn send(name: &str) -> Result<impl IntoResponse + use<>, ApiError> {
    let file = ui::file(name).ok_or(ApiError::NoRoute)?;
    Ok((HEADERS, [(header::CONTENT_TYPE, file.media_type)], file.bytes))
}
