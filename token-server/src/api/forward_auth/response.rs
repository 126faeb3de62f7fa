//! An answer as HTTP: 200 admits, anything else does not.

use axum::Json;
use axum::body::Body;
use axum::http::header::InvalidHeaderValue;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jose::{Reason, Reject};
use serde::Serialize;

use super::settings::Guard;
use crate::verify::{Answer, Pass};

/// Seconds after which asking again may help: keys and rules are tried anew within this time.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// No cache on the way may give one request's answer to another.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

#[derive(Serialize)]
struct Refused {
    reason: Reason,
    detail: &'static str,
}

/// The nonce that the client's next proof must have (RFC 9449 section 8.2).
const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// The answer about a request, by its policy, with the nonce for the next one.
pub(super) fn of(answer: &Answer, guard: Option<&Guard>, nonce: Option<&str>) -> Response {
    let mut response = without_nonce(answer, guard);
    if let Some(nonce) = nonce.and_then(|nonce| HeaderValue::try_from(nonce).ok()) {
        response.headers_mut().insert(NONCE, nonce);
    }
    response
}

fn without_nonce(answer: &Answer, guard: Option<&Guard>) -> Response {
    match answer {
        Answer::Refuse { reject, challenge } => refused(*reject, challenge.as_deref()),
        // A header that could not be sent is none that may be left out.
        Answer::Pass(pass) => {
            passed(pass, guard).unwrap_or_else(|_: InvalidHeaderValue| refused(Reject::AnswerSize, None))
        }
    }
}

/// The request may pass; these headers take the place of those that the client sent.
fn passed(pass: &Pass, guard: Option<&Guard>) -> Result<Response, InvalidHeaderValue> {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    for sent in guard.into_iter().flat_map(|guard| guard.headers.with(pass.handed_on())) {
        let (name, value) = sent?;
        headers.insert(name, value);
    }
    Ok(response)
}

/// The request may not pass.
fn refused(reject: Reject, challenge: Option<&str>) -> Response {
    let body = Refused { reason: reject.reason(), detail: reject.detail() };
    let mut response = (status(reject), Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    match challenge.and_then(|challenge| HeaderValue::try_from(challenge).ok()) {
        Some(challenge) => headers.insert(header::WWW_AUTHENTICATE, challenge),
        None => headers.insert(header::RETRY_AFTER, RETRY_AFTER),
    };
    response
}

fn status(reject: Reject) -> StatusCode {
    match reject.reason() {
        // No refusal has the first one.
        Reason::Ok | Reason::BackendUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        Reason::Forbidden => StatusCode::FORBIDDEN,
        Reason::Invalid
        | Reason::Legacy
        | Reason::AccessTokenRequired
        | Reason::TooLarge
        | Reason::StepUp
        | Reason::AudienceMismatch => StatusCode::UNAUTHORIZED,
    }
}

#[cfg(test)]
mod tests {
    use jose::{AuthScheme, Challenges};

    use super::*;

    #[test]
    fn each_refusal_is_closed_and_says_what_would_help() {
        for reject in Reject::ALL {
            let response =
                of(&Answer::refuse(*reject, AuthScheme::Bearer, Some(&Challenges::default())), None, None);
            let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap());
            let (challenge, retry) = (header(header::WWW_AUTHENTICATE), header(header::RETRY_AFTER));
            match response.status().as_u16() {
                401 | 403 => {
                    assert!(challenge.unwrap().contains(" realm=\"api\"") && retry.is_none())
                }
                503 => assert!(challenge.is_none() && retry == Some("1")),
                other => panic!("{reject:?}: {other}"),
            }
            assert_eq!(header(header::CACHE_CONTROL), Some("no-store"));
        }
        for (reject, status, expected) in [
            (Reject::Missing, 401, Some("Bearer realm=\"api\"")),
            (
                Reject::Expired,
                401,
                Some("Bearer realm=\"api\", error=\"invalid_token\", error_description=\"expired\""),
            ),
            (
                Reject::Audience,
                401,
                Some("Bearer realm=\"api\", error=\"invalid_token\", error_description=\"audience\""),
            ),
            (
                Reject::Scope,
                403,
                Some("Bearer realm=\"api\", error=\"insufficient_scope\", error_description=\"scope\""),
            ),
            (Reject::NoKeys, 503, None),
        ] {
            let response =
                of(&Answer::refuse(reject, AuthScheme::Bearer, Some(&Challenges::default())), None, None);
            let found = response.headers().get(header::WWW_AUTHENTICATE).map(|value| value.to_str().unwrap());
            assert_eq!((response.status().as_u16(), found), (status, expected), "{reject:?}");
        }
    }
}
