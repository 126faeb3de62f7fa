//! `GET /v1/agents`: the agents that were heard lately, and what they report of themselves.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use tokio::time::Instant;

use super::app::App;
use crate::agents::AgentsView;

pub(super) async fn list(State(app): State<Arc<App>>) -> Json<AgentsView> {
    Json(app.agents.view(Instant::now()))
}
