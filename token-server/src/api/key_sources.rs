//! `GET /v1/keys`: the sources of verification keys, what is used of each, and what was left out and why.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use keys::KeysView;

use super::app::App;

/// Nothing where nothing is configured that could verify.
pub(super) async fn view(State(app): State<Arc<App>>) -> Json<KeysView> {
    Json(app.trusted().map_or_else(KeysView::empty, |trusted| trusted.keys_view(app.now())))
}
