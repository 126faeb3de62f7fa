//! `POST /`: the forms of callers that are older than `/v1/check`.
//!
//! A refused token is answered with 200 as well, because those callers take any other status for an outage. A proxy that
//! asks on behalf of a request and lets it in on 200 must therefore not ask here.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use jose::{Reason, Reject, TokenForm};
use serde::Serialize;

use super::request::Body;
use super::{ApiError, App};

/// Bytes of a token or a payload.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Headers that tell of a proxy's auth request.
const PROXY_HEADERS: [&str; 3] = ["x-forwarded-", "x-original-", "x-envoy-"];

/// The answer about a token.
#[derive(Serialize)]
struct TokenVerdict {
    valid: &'static str,
    reason: Reason,
    #[serde(skip_serializing_if = "Option::is_none")]
    stateless: Option<&'static str>,
}

/// Judges a body: a JSON object is a payload whose signature the caller has verified, anything else is a token.
pub(super) async fn judge(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Body(body): Body<MAX_BODY_BYTES>,
) -> Result<Response, ApiError> {
    if let Some(header) = headers.keys().find(|name| tells_of_a_proxy(name)) {
        return Err(ApiError::Proxied { header: header.to_string() });
    }
    let body = body.trim_ascii();
    if body.starts_with(b"{") {
        let verdict = app.judge(body, &app.policy, app.now()).await.verdict;
        app.metrics.count_check(verdict);
        return Ok(verdict.map_or_else(Reject::reason, |()| Reason::Ok).as_str().into_response());
    }
    let (reject, stateless) = match form(body) {
        TokenForm::Jwe => (Reject::Unsupported, Some("1")),
        TokenForm::Jws | TokenForm::Other => (Reject::Legacy, None),
    };
    app.metrics.count_check(Err(reject));
    Ok(Json(TokenVerdict { valid: "0", reason: reject.reason(), stateless }).into_response())
}

fn tells_of_a_proxy(name: &HeaderName) -> bool {
    PROXY_HEADERS.iter().any(|prefix| name.as_str().starts_with(prefix))
}

/// Callers that send JSON send the token as a JSON string.
fn form(body: &[u8]) -> TokenForm {
    let quoted = body.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    std::str::from_utf8(quoted.unwrap_or(body)).map_or(TokenForm::Other, TokenForm::of)
}
