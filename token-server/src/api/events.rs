//! `GET /v1/events?since=<epoch>:<revision>&profile=<profile>`: the feed of changes, as a long poll. An agent that names
//! its profile learns here, before it asks about a token, that this server has another one.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use revocation::events::Events;
use tokio::time::{Instant, sleep};

use super::app::App;
use super::error::ApiError;
use super::request::{AgentAccess, Parameters};
use crate::feed::Since;
use crate::store::StoreError;

/// How long an answer waits for something to tell. The answer is a sign of life as well: two of them, and the time since
/// the server's own source last spoke, must fit into an agent's `JWT_CACHE_TTL` of two seconds.
const LONGEST_POLL: Duration = Duration::from_millis(500);

/// Answers at once when there is something to tell, else as soon as there is, else after [`LONGEST_POLL`].
pub(super) async fn events(
    State(app): State<Arc<App>>,
    _: AgentAccess,
    mut parameters: Parameters,
) -> Result<Json<Events>, ApiError> {
    let since = parameters.take("since").map(|since| parse(&since)).transpose()?;
    if let Some(asked) = parameters.take("profile") {
        let asked = asked.parse().map_err(|_| ApiError::invalid("profile", "is not standard or ms-users"))?;
        if asked != app.policy.profile {
            return Err(ApiError::ProfileMismatch { server: app.policy.profile, asked });
        }
    }
    parameters.finish()?;
    let feed = app.revocations.feed();
    if let Some(since) = since.as_ref().filter(|since| since.epoch == feed.epoch()) {
        let mut revisions = feed.watch();
        tokio::select! {
            _ = revisions.wait_for(|revision| *revision != since.revision) => {}
            () = sleep(LONGEST_POLL) => {}
        }
    }
    let store_id = app.revocations.store_id().ok_or(StoreError::Unreached)?;
    // Read before the log: a change that comes in between is told, and not yet vouched for.
    let complete_as_of = app.revocations.complete_for(Instant::now());
    let (revision, changes) = feed.after(since.as_ref());
    let complete_as_of =
        complete_as_of.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX).saturating_add(1));
    let epoch = feed.epoch().to_owned();
    Ok(Json(Events { store_id: store_id.to_string(), epoch, revision, complete_as_of, changes }))
}

fn parse(text: &str) -> Result<Since, ApiError> {
    text.rsplit_once(':')
        .and_then(|(epoch, revision)| {
            Some(Since { epoch: epoch.to_owned(), revision: revision.parse().ok()? })
        })
        .ok_or_else(|| ApiError::invalid("since", "is not of the form <epoch>:<revision>"))
}
