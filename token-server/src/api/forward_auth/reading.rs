//! What a proxy asks about one request, read from its words alone.

use axum::http::request::Parts;
use axum::http::{Method, header};
use jose::{Credentials, Reject};

use super::place::{self, TokenPlace};
use super::proof;
use super::proxy::Original;
use super::settings::{Guard, Settings};
use crate::verify::{PolicyId, Question};

/// The longest name of a request that is logged, in bytes: a UUID has 36.
const MAX_REQUEST_ID: usize = 128;

/// The question about a request that is to be decided by this policy.
///
/// Why a token cannot be told: there is more than one, or one that is no text or too long; or the proxy's words are there
/// twice or name no path of the request.
pub fn question<'a>(parts: &'a Parts, settings: &'a Settings, policy: Option<PolicyId>) -> Question<'a> {
    let request_id = request_id(parts);
    let guard = policy.and_then(|policy| settings.guards.get(policy.place()));
    match (guard, Original::read(parts, settings.proxy)) {
        (None, _) => Question::unreadable(policy, Reject::UnknownPolicy, request_id),
        (Some(_), Err(reject)) => Question::unreadable(policy, reject, request_id),
        (Some(guard), Ok(original)) => Question {
            policy,
            is_preflight: is_preflight(&original, parts),
            credentials: credentials(parts, &original, settings, guard),
            proof: proof::shown(parts, &original, settings.proxy, &guard.places),
            request_id,
        },
    }
}

fn credentials<'a>(
    parts: &'a Parts,
    original: &Original<'a>,
    settings: &'a Settings,
    guard: &'a Guard,
) -> Result<Credentials<'a>, Reject> {
    let reads_query = guard.places.iter().any(TokenPlace::is_told_by_the_proxy);
    let query = if reads_query { original.query()? } else { None };
    place::find(&parts.headers, query, &guard.places, &settings.schemes, settings.max_token_bytes)
}

/// By the Fetch standard, section 3.3.5: the method and two headers that scripts cannot set.
fn is_preflight(original: &Original<'_>, parts: &Parts) -> bool {
    original.method == Some(Method::OPTIONS.as_str())
        && parts.headers.contains_key(header::ORIGIN)
        && parts.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// What the logs of others call the request.
fn request_id(parts: &Parts) -> Option<&str> {
    let name = parts.headers.get("x-request-id")?.to_str().ok()?;
    (1..=MAX_REQUEST_ID).contains(&name.len()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    #[test]
    fn a_name_that_would_fill_the_log_is_none() {
        let named = |name: &[u8]| {
            let request = Request::builder().header("x-request-id", name);
            let parts = request.body(()).unwrap().into_parts().0;
            request_id(&parts).map(str::to_owned)
        };
        assert_eq!(named(b"r1"), Some("r1".to_owned()));
        assert_eq!(named(&[b'r'; MAX_REQUEST_ID]).map(|name| name.len()), Some(MAX_REQUEST_ID));
        for refused in [&[b'r'; MAX_REQUEST_ID + 1][..], b"", b"\xff"] {
            assert_eq!(named(refused), None);
        }
    }
}
