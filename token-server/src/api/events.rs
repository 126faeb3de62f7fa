//! `GET /v1/events?since=<epoch>:<revision>&profile=<profile>`: the feed of changes, as a long poll. An agent that names
//! its profile learns here, before it asks about a token, that this server has another one.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use revocation::events::{Events, Since};
use tokio::time::{Instant, sleep};

use super::app::App;
use super::error::ApiError;
use super::request::{AgentAccess, Parameters};

/// How long an answer waits for something to tell. The answer is a sign of life as well: two of them, and the time since
/// the server's own source last spoke, must fit into an agent's `JWT_CACHE_TTL` of two seconds.
const LONGEST_POLL: Duration = Duration::from_millis(500);

/// Answers at once when there is something to tell, else as soon as there is, else after [`LONGEST_POLL`].
pub(super) async fn events(
    State(app): State<Arc<App>>,
    _: AgentAccess,
    mut parameters: Parameters,
) -> Result<Json<Events>, ApiError> {
    let since = parameters.take("since").map(|since| since.parse::<Since>()).transpose();
    let since = since.map_err(|_| ApiError::invalid("since", "is not of the form <epoch>:<revision>"))?;
    if let Some(asked) = parameters.take("profile") {
        let asked = asked.parse().map_err(|_| ApiError::invalid("profile", "is not standard or ms-users"))?;
        if asked != app.policy.profile {
            return Err(ApiError::ProfileMismatch { server: app.policy.profile, asked });
        }
    }
    parameters.finish()?;
    let feed = app.revocations().feed();
    if let Some(since) = since.as_ref().filter(|since| since.epoch == feed.epoch()) {
        let mut revisions = feed.watch();
        tokio::select! {
            _ = revisions.wait_for(|revision| *revision != since.revision) => {}
            () = sleep(LONGEST_POLL) => {}
        }
    }
    Ok(Json(app.revocations().events(since.as_ref(), Instant::now())?))
}
