//! `GET /v1/keys`: the sources of verification keys, what is used of each, and what was left out and why. Of this server, and of
//! the agents that report it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use keys::KeysView;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::app::App;

#[derive(Serialize)]
pub(super) struct View {
    #[serde(flatten)]
    own: KeysView,
    /// Each agent's sources, by its name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    agents: BTreeMap<String, Box<RawValue>>,
}

/// Nothing of its own where nothing is configured that could verify.
pub(super) async fn view(State(app): State<Arc<App>>) -> Json<View> {
    let own = app.trusted().map_or_else(KeysView::empty, |trusted| trusted.keys_view(app.now()));
    Json(View { own, agents: app.agents.keys(Instant::now()) })
}
