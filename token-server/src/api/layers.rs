//! What stands around the handlers.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::access::AdminAccess;
use super::app::App;
use super::error::ApiError;
use super::needs::Needs;
use super::request::authorization;
use crate::caller::{Access, Caller};

/// How long a request may take, its body included. Agents wait 80 ms; this is for clients that send a byte a second.
const DEADLINE: Duration = Duration::from_secs(10);

/// What stands before a route of operators.
#[derive(Clone)]
pub(super) struct Guard {
    pub(super) app: Arc<App>,
    pub(super) access: AdminAccess,
    pub(super) needs: Needs,
}

/// Finds out who asks, and lets through those whose role is enough. Handlers find an [`Access`] among the extensions.
pub(super) async fn guard(
    State(guard): State<Guard>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let access = guard.access_of(&request)?;
    access.require(guard.needs.of(request.uri()))?;
    request.extensions_mut().insert(access);
    Ok(next.run(request).await)
}

impl Guard {
    fn access_of(&self, request: &Request) -> Result<Access, ApiError> {
        match self.access {
            AdminAccess::Bearer => {
                let tokens = self.app.admin_tokens.as_ref().ok_or(ApiError::RulesApiOff)?.current();
                let access = tokens.access(authorization(request.headers())?);
                access.cloned().ok_or(ApiError::Unauthorized)
            }
            AdminAccess::Named => {
                let caller = request.extensions().get::<Caller>().cloned();
                caller.map(Access::of_user).ok_or(ApiError::Unauthorized)
            }
        }
    }
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
