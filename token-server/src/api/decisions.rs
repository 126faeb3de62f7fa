//! `/v1/decisions`: agents tell some of their decisions, operators read them as they come.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body as Answer, Bytes};
use axum::extract::State;
use axum::http::{HeaderName, header};
use futures_util::stream::unfold;
use revocation::report::{MAX_REPORT_BYTES, Report};
use serde::Serialize;
use tokio::time::Instant;

use super::app::App;
use super::error::ApiError;
use super::request::{AgentAccess, Body, Parameters};
use crate::agents::{Heard, MAX_KEPT, MAX_READERS};

/// Decisions that a reader begins with who does not say how many.
const LAST: u64 = 200;

/// One JSON object a line, of which each is news.
const LINES: [(HeaderName, &str); 2] =
    [(header::CONTENT_TYPE, "application/x-ndjson"), (header::CACHE_CONTROL, "no-store")];

#[derive(Serialize)]
pub(super) struct TakenView {
    taken: usize,
}

/// `POST /v1/decisions`
pub(super) async fn report(
    State(app): State<Arc<App>>,
    _: AgentAccess,
    Body(body): Body<MAX_REPORT_BYTES>,
) -> Result<Json<TakenView>, ApiError> {
    let report: Report = serde_json::from_slice(&body).map_err(|error| ApiError::json(&error))?;
    // Of a server with a page the start has warned.
    if !app.knows_its_agents() && !app.page {
        app.agents.warn_of_open_reports();
    }
    Ok(Json(TakenView { taken: app.agents.reports(report, Instant::now()) }))
}

/// `GET /v1/decisions?last=`: the last ones, and what comes, until the client goes.
pub(super) async fn read(
    State(app): State<Arc<App>>,
    mut parameters: Parameters,
) -> Result<([(HeaderName, &'static str); 2], Answer), ApiError> {
    let last = parameters.take("last").map(|text| text.parse::<u16>()).transpose();
    parameters.finish()?;
    let last = last.ok().filter(|last| last.is_none_or(|last| usize::from(last) <= MAX_KEPT));
    let last = last.ok_or_else(|| ApiError::invalid("last", format!("is no number from 0 to {MAX_KEPT}")))?;
    let reader = app.agents.decisions().read(last.map_or(LAST, u64::from));
    let reader = reader.ok_or(ApiError::TooManyReaders { max: MAX_READERS })?;
    let lines = unfold((reader, app), async |(mut reader, app)| {
        let lines = match reader.next().await? {
            Heard::Lines(lines) => lines,
            Heard::Silence => Bytes::from(format!("{{\"at\":{}}}\n", app.now().as_millis())),
        };
        Some((Ok::<_, Infallible>(lines), (reader, app)))
    });
    Ok((LINES, Answer::from_stream(lines)))
}
