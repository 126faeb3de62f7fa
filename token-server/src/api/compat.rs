//! `POST /`: the forms of callers that are older than `/v1/check`.
//!
//! A refused token is answered with 200 as well, because those callers take any other status for an outage. A proxy that
//! asks on behalf of a request and lets it in on 200 must therefore not ask here.
//!
//! A payload is decided on as it comes: that the caller verified it is the caller's word alone. So it leaves no trace in what
//! operators look at before they write a rule, neither in the preview nor in the counts of rules that are tried.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::HeaderName;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use jose::{Claims, IssuerPolicy, Reason, Reject, Signed, TokenForm, TokenVersion};
use serde::Serialize;
use serde_json::value::RawValue;

use super::access::Compat;
use super::app::App;
use super::error::ApiError;
use super::request::{AgentAccess, Body};
use crate::decide;
use crate::encrypted::Opened;
use crate::revocations::load_deadline;

/// Bytes of a token or a payload.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// What the names of headers begin with that tell of a proxy's auth request.
const PROXY_HEADERS: [&str; 3] = ["x-forwarded-", "x-original-", "x-envoy-"];

/// The same by RFC 7239.
const FORWARDED: &str = "forwarded";

/// Shows that the caller may ask here, and asks for itself.
pub(super) struct OldCaller;

impl FromRequestParts<Arc<App>> for OldCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        if let Some(header) = parts.headers.keys().find(|name| tells_of_a_proxy(name)) {
            return Err(ApiError::Proxied { header: header.to_string() });
        }
        match app.compat {
            Compat::Open => Ok(Self),
            // Without the route no request comes here.
            Compat::Off | Compat::Guarded => {
                AgentAccess::from_request_parts(parts, app).await.map(|AgentAccess| Self)
            }
        }
    }
}

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

/// Decides on a body: a JSON object is a payload whose signature the caller has verified, anything else is a token.
pub(super) async fn decide(
    State(app): State<Arc<App>>,
    _: OldCaller,
    Body(body): Body<MAX_BODY_BYTES>,
) -> Result<Response, ApiError> {
    let body = body.trim_ascii();
    if body.starts_with(b"{") {
        let verdict = payload(&app, body).await;
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

/// Decides on a payload. Its header is the caller's alone.
async fn payload(app: &App, body: &[u8]) -> Result<(), Reject> {
    let claims = Claims::parse(body)?;
    refuse_misuse(app, None, &claims, TokenVersion::of(&claims))?;
    decide::decide(&claims, &app.policy, app.revocations(), app.now(), load_deadline()).await.verdict
}

/// Opens an encrypted token and decides all of it: these callers judge nothing themselves.
async fn encrypted(app: &App, token: &str) -> Result<(String, Claims), Reject> {
    let Opened { header, mut claims, nested } = app.basis.decryption.open(token).await?;
    let mut told = header.clone();
    if let Some(nested) = nested {
        Signed { header: told, claims, .. } = signed(app, &nested)?;
    }
    // The form makes it stateless, whatever the claims say of themselves.
    refuse_misuse(app, Some(&told), &claims, TokenVersion::Stateless)?;
    app.basis.decide(&claims, &app.policy, app.now(), load_deadline()).await.verdict?;
    Ok((header, claims))
}

/// A signed token that was inside of an encrypted one.
fn signed(app: &App, token: &str) -> Result<Signed, Reject> {
    app.trusted().ok_or(Reject::NoKeys)?.verify_signature(token)
}

/// Refuses what opens no door but its own: a refresh token first, then what was made for something else than access, or is
/// bound to a key that is not asked for here.
fn refuse_misuse(
    app: &App,
    header: Option<&str>,
    claims: &Claims,
    version: TokenVersion,
) -> Result<(), Reject> {
    app.policy.refuse_refresh_token(claims, version)?;
    let binding = app.trusted().map_or(app.policy.binding, |trusted| trusted.binding());
    IssuerPolicy { binding, ..app.policy.clone() }.refuse_misuse(header, claims)
}

fn tells_of_a_proxy(name: &HeaderName) -> bool {
    let name = name.as_str();
    name == FORWARDED || PROXY_HEADERS.iter().any(|prefix| name.starts_with(prefix))
}

/// An encrypted token. Callers that send JSON send it as a JSON string.
fn token(body: &[u8]) -> Option<&str> {
    let quoted = body.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    let token = std::str::from_utf8(quoted.unwrap_or(body)).ok()?;
    (TokenForm::of(token) == TokenForm::Jwe).then_some(token)
}
