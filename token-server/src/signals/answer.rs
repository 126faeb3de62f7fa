//! Answers that all routes give alike.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::desk::Unheard;

/// In what language transmitters are told of errors (RFC 8935 section 2.3, RFC 8936 section 2.6).
pub(super) const LANGUAGE: &str = "en";

/// When a message that could not be done should come again.
const RETRY: Duration = Duration::from_secs(5);

/// 503: nothing was done, or it is not known; the sender is to send it again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unavailable {
    retry_after: Duration,
}

impl Default for Unavailable {
    fn default() -> Self {
        Self { retry_after: RETRY }
    }
}

impl IntoResponse for Unavailable {
    fn into_response(self) -> Response {
        later(StatusCode::SERVICE_UNAVAILABLE, self.retry_after)
    }
}

impl IntoResponse for Unheard {
    fn into_response(self) -> Response {
        match self {
            Self::Limited { retry_after } => later(StatusCode::TOO_MANY_REQUESTS, retry_after),
            Self::Full(_) | Self::Store(_) => Unavailable::default().into_response(),
        }
    }
}

/// `Retry-After` is whole seconds: never sooner.
fn later(status: StatusCode, after: Duration) -> Response {
    let seconds = after.as_millis().div_ceil(1_000).max(1);
    let value = HeaderValue::from_str(&seconds.to_string());
    let mut response = status.into_response();
    if let Ok(value) = value {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}
