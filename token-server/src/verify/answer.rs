//! A decision as HTTP: 200 admits, anything else does not.

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jose::{Reason, Reject};
use serde::Serialize;

use super::verifier::Pass;

/// Seconds after which asking again may help: keys and rules are tried anew within this time.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Nobody on the way may give one request's answer to another.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

#[derive(Serialize)]
struct Refused {
    reason: Reason,
    detail: &'static str,
}

/// The request may pass; these headers take the place of those that the client sent.
pub(super) fn passed(pass: &Pass) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    for (name, value) in pass.headers() {
        headers.insert(name, value.clone());
    }
    response
}

/// The request may not pass.
pub(super) fn refused(reject: Reject, realm: &str) -> Response {
    let status = status(reject);
    let body = Refused { reason: reject.reason(), detail: reject.detail() };
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    match challenge(reject, realm) {
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
        | Reason::AudienceMismatch => StatusCode::UNAUTHORIZED,
    }
}

/// The challenge of RFC 6750 section 3; absent where a better token would not help.
fn challenge(reject: Reject, realm: &str) -> Option<HeaderValue> {
    let error = match (reject.reason(), reject) {
        (Reason::Ok | Reason::BackendUnavailable, _) => return None,
        // Section 3.1: a request that shows no token gets no error code.
        (_, Reject::Missing | Reject::Scheme) => String::new(),
        (Reason::Forbidden, _) => described("insufficient_scope", reject),
        (
            Reason::Invalid
            | Reason::Legacy
            | Reason::AccessTokenRequired
            | Reason::TooLarge
            | Reason::AudienceMismatch,
            _,
        ) => described("invalid_token", reject),
    };
    HeaderValue::try_from(format!("Bearer realm=\"{realm}\"{error}")).ok()
}

fn described(error: &str, reject: Reject) -> String {
    format!(", error=\"{error}\", error_description=\"{}\"", reject.detail())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_is_closed_and_says_what_would_help() {
        for reject in Reject::ALL {
            let response = refused(*reject, "api");
            let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap());
            let (challenge, retry) = (header(header::WWW_AUTHENTICATE), header(header::RETRY_AFTER));
            match response.status().as_u16() {
                401 | 403 => {
                    assert!(challenge.unwrap().starts_with("Bearer realm=\"api\"") && retry.is_none())
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
            let response = refused(reject, "api");
            let found = response.headers().get(header::WWW_AUTHENTICATE).map(|value| value.to_str().unwrap());
            assert_eq!((response.status().as_u16(), found), (status, expected), "{reject:?}");
        }
    }
}
