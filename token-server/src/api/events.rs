//! `GET /v1/events?since=<epoch>:<revision>&profile=<profile>`: the feed of changes, as a long poll. An agent that names
//! its profile learns here, before it asks about a token, that this server has another one.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, header};
use revocation::events::Since;
use tokio::time::{Instant, sleep};

use super::app::App;
use super::error::ApiError;
use super::request::{AgentAccess, Parameters};
use crate::agents::Who;

/// How long an answer waits for something to tell. The answer is a sign of life as well: two of them, and the time since
/// the server's own source last spoke, must fit into an agent's `JWT_CACHE_TTL` of two seconds.
const LONGEST_POLL: Duration = Duration::from_millis(500);

const JSON: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];

/// Answers at once when there is something to tell, else as soon as there is, else after [`LONGEST_POLL`].
pub(super) async fn events(
    State(app): State<Arc<App>>,
    _: AgentAccess,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<([(HeaderName, &'static str); 1], Bytes), ApiError> {
    let asked = Instant::now();
    let since = parameters.take("since").map(|since| since.parse::<Since>()).transpose();
    let since = since.map_err(|_| ApiError::invalid("since", "is not of the form <epoch>:<revision>"))?;
    if let Some(asked) = parameters.take("profile") {
        let asked = asked.parse().map_err(|_| ApiError::invalid("profile", "is not standard or ms-users"))?;
        if asked != app.policy.profile {
            return Err(ApiError::ProfileMismatch { server: app.policy.profile, asked });
        }
    }
    parameters.finish()?;
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    app.agents.asks(Who::asking(user_agent), asked);
    let revocations = app.revocations();
    if let Some(since) = &since {
        tokio::select! {
            () = revocations.feed().news(since) => {}
            () = sleep(LONGEST_POLL) => {}
        }
    }
    Ok((JSON, revocations.answer(since.as_ref(), asked, Instant::now())?))
}
