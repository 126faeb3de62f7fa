//! `POST /`: the forms of callers that are older than `/v1/check`.
//!
//! A refused token is answered with 200 as well, because those callers take any other status for an outage. A proxy that
//! asks on behalf of a request and lets it in on 200 must therefore not ask here.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use jose::{Claims, Profile, Reason, Reject, TokenForm};
use serde::Serialize;
use serde_json::value::RawValue;

use super::request::Body;
use super::{ApiError, App};
use crate::encrypted::{self, Opened};

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
    body: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<Box<RawValue>>,
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
    let (verdict, stateless) = match token(body) {
        Some(token) => (encrypted(&app, token).await, Some("1")),
        None => (Err(Reject::Legacy), None),
    };
    app.metrics.count_check(verdict.as_ref().map(|_| ()).map_err(|reject| *reject));
    let answer = match verdict {
        Ok((header, claims)) => TokenVerdict {
            valid: "1",
            reason: Reason::Ok,
            body: RawValue::from_string(claims.as_json().to_owned()).ok(),
            header: RawValue::from_string(header).ok(),
            stateless,
        },
        Err(reject) => {
            TokenVerdict { valid: "0", reason: reject.reason(), body: None, header: None, stateless }
        }
    };
    Ok(Json(answer).into_response())
}

/// Opens an encrypted token and judges all of it: these callers judge nothing themselves.
async fn encrypted(app: &App, token: &str) -> Result<(String, Claims), Reject> {
    let Opened { header, mut claims, nested } = encrypted::open(token, app.jwe_keys.as_deref())?;
    if let Some(nested) = nested {
        claims = signed(app, &nested)?;
    }
    app.judge(claims.as_json().as_bytes(), &app.policy, app.now()).await.verdict?;
    let is_refresh = claims.get("irt").is_some_and(|claim| claim.is_truthy());
    if is_refresh && app.policy.profile == Profile::MsUsers {
        return Err(Reject::RefreshToken);
    }
    Ok((header, claims))
}

/// The claims of a signed token that was inside of an encrypted one.
fn signed(app: &App, token: &str) -> Result<Claims, Reject> {
    let verifier = app.verify.load_full().ok_or(Reject::NoKeys)?;
    Ok(verifier.verify_signature(token)?.claims)
}

fn tells_of_a_proxy(name: &HeaderName) -> bool {
    PROXY_HEADERS.iter().any(|prefix| name.as_str().starts_with(prefix))
}

/// An encrypted token. Callers that send JSON send it as a JSON string.
fn token(body: &[u8]) -> Option<&str> {
    let quoted = body.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    let token = std::str::from_utf8(quoted.unwrap_or(body)).ok()?;
    (TokenForm::of(token) == TokenForm::Jwe).then_some(token)
}
