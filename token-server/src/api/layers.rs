//! What stands around the handlers.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::app::App;
use super::error::ApiError;
use super::request::shows_one_of;

/// How long a request may take, its body included. Agents wait 80 ms; this is for clients that send a byte a second.
const DEADLINE: Duration = Duration::from_secs(10);

/// Lets a request through that shows a bearer token of the tokens file.
pub(super) async fn require_admin(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let tokens = app.admin_tokens.as_ref().ok_or(ApiError::RulesApiOff)?;
    shows_one_of(&tokens.current(), request.headers())?;
    Ok(next.run(request).await)
}

/// Ends what takes too long.
pub(super) async fn deadline(request: Request, next: Next) -> Response {
    tokio::time::timeout(DEADLINE, next.run(request))
        .await
        .unwrap_or_else(|_| ApiError::Deadline.into_response())
}

/// Measures each request, by the route's pattern: the path itself would name subjects.
pub(super) async fn observe(
    State(app): State<Arc<App>>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    let response = next.run(request).await;
    let route = route.map_or(Cow::Borrowed("none"), |route| Cow::Owned(route.as_str().to_owned()));
    app.metrics.observe_request(route, response.status().as_u16(), start.elapsed());
    response
}
