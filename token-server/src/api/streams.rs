//! `/v1/signals`: the streams of shared signals, and whether they work.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;

use super::app::App;
use super::error::ApiError;
use crate::signals::{NotAsked, Signals, StreamsView, VerificationView};

/// The streams, or none where no listener for them is configured.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ListView {
    Streams(StreamsView),
    None { streams: [(); 0] },
}

/// `GET /v1/signals`
pub(super) async fn list(State(app): State<Arc<App>>) -> Json<ListView> {
    Json(match &app.signals {
        Some(signals) => ListView::Streams(signals.streams()),
        None => ListView::None { streams: [] },
    })
}

/// `POST /v1/signals/{stream}/verify`
pub(super) async fn verify(
    State(app): State<Arc<App>>,
    Path(stream): Path<String>,
) -> Result<Json<VerificationView>, ApiError> {
    Ok(Json(signals(&app, &stream)?.verify(&stream).await?))
}

/// `GET /v1/signals/{stream}/verifications/{state}`
pub(super) async fn verification(
    State(app): State<Arc<App>>,
    Path((stream, state)): Path<(String, String)>,
) -> Result<Json<VerificationView>, ApiError> {
    let found = signals(&app, &stream)?.verification(&stream, state).await?;
    found.map(Json).ok_or(ApiError::NoVerification)
}

fn signals<'a>(app: &'a App, stream: &str) -> Result<&'a Arc<Signals>, ApiError> {
    app.signals.as_ref().ok_or_else(|| NotAsked::NoStream(stream.to_owned()).into())
}
