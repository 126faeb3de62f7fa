//! `GET /.well-known/oauth-protected-resource[/...]`: the document about an API (RFC 9728), by which a client learns whose tokens
//! the API accepts.
//!
//! It is for everybody, from every origin and without a token, since a client that asks has none yet. All that it tells are the
//! operator's own settings.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use jose::{Policy, Trust};

use super::app::App;
use super::error::ApiError;

/// Pages of every origin may read it; it holds nothing that depends on who asks.
const EVERY_ORIGIN: (HeaderName, &str) = (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");

/// How long caches may keep it, in seconds: it changes with the configuration alone.
const CACHED: (HeaderName, &str) = (header::CACHE_CONTROL, "public, max-age=3600");

/// What a page may ask for: clients put headers of their own into this request, such as `MCP-Protocol-Version`.
const PREFLIGHT: [(HeaderName, &str); 3] = [
    (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
    (header::ACCESS_CONTROL_ALLOW_HEADERS, "*"),
    (header::ACCESS_CONTROL_MAX_AGE, "600"),
];

/// What each path of such a document answers.
pub(super) fn methods() -> MethodRouter<Arc<App>> {
    get(document).options(preflight)
}

async fn document(
    State(app): State<Arc<App>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<impl IntoResponse, ApiError> {
    let trusted = app.trusted().ok_or(ApiError::NoRoute)?;
    let trust = trusted.trust();
    let policy = policy_of(trust, uri.path(), host(&uri, &headers));
    let document = policy.and_then(|policy| trust.metadata(policy)).ok_or(ApiError::NoRoute)?;
    Ok(([EVERY_ORIGIN, CACHED], Json(document)))
}

async fn preflight() -> Response {
    (StatusCode::NO_CONTENT, [EVERY_ORIGIN], PREFLIGHT).into_response()
}

/// A policy that protects the API whose document has this path, letter for letter. Where several APIs have it, each on a host of
/// its own, the host decides.
fn policy_of<'a>(trust: &'a Trust, path: &str, host: Option<&str>) -> Option<&'a Policy> {
    let resources = trust.policies().iter().filter_map(|policy| Some((policy, policy.resource.as_ref()?)));
    let here: Vec<_> = resources.filter(|(_, resource)| resource.metadata_path() == path).collect();
    let (policy, first) = here.first()?;
    if here.iter().all(|(_, resource)| resource == first) {
        return Some(policy);
    }
    let host = host?;
    here.iter()
        .find(|(_, resource)| resource.authority().eq_ignore_ascii_case(host))
        .map(|(policy, _)| *policy)
}

/// The host that was asked for, without the default port.
fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let header = || headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = uri.authority().map(|authority| authority.as_str()).or_else(header)?;
    Some(host.strip_suffix(":443").unwrap_or(host))
}
