//! `DELETE /v1/rules/{group}` and `DELETE /v1/everybody/rules`, without a body all rules, with `{"rule":{..}}` one, enforced or tried.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use rules::Rule;
use serde::Serialize;

use super::fields::MAX_BODY_BYTES;
use crate::api::app::App;
use crate::api::error::ApiError;
use crate::api::request::{Body, Document, Subject};
use crate::store::{EVERYBODY, StoreError};

#[derive(Serialize)]
pub(in crate::api) struct DeletedView {
    deleted: usize,
    revision: u64,
}

/// `DELETE /v1/rules/{group}`
pub(in crate::api) async fn delete(
    State(app): State<Arc<App>>,
    Subject(subject): Subject,
    Body(body): Body<MAX_BODY_BYTES>,
) -> Result<Json<DeletedView>, ApiError> {
    delete_from(&app, subject, &body).await
}

/// `DELETE /v1/everybody/rules`
pub(in crate::api) async fn delete_for_everybody(
    State(app): State<Arc<App>>,
    Body(body): Body<MAX_BODY_BYTES>,
) -> Result<Json<DeletedView>, ApiError> {
    delete_from(&app, EVERYBODY.to_owned(), &body).await
}

async fn delete_from(app: &Arc<App>, group: String, body: &[u8]) -> Result<Json<DeletedView>, ApiError> {
    let deleted = match body.trim_ascii() {
        b"" => delete_all(app, group).await?,
        body => delete_one(app, group, body).await?,
    };
    let revision = app.revocations().revision();
    tracing::info!(revision, deleted, "rules were deleted");
    Ok(Json(DeletedView { deleted, revision }))
}

async fn delete_all(app: &Arc<App>, group: String) -> Result<usize, ApiError> {
    let outcome = app.revocations().remove_group(group.clone()).await;
    app.metrics.count_write(&outcome);
    let enforced = outcome?;
    match app.annotations().remove_group(&group).await {
        Ok(tried) => Ok(enforced.saturating_add(tried)),
        Err(error) if enforced > 0 => Ok(notes_stay(enforced, &error)),
        Err(error) => Err(error.into()),
    }
}

/// Rules that were deleted are told as deleted, whatever becomes of what stands beside them: it refuses nothing.
fn notes_stay(deleted: usize, error: &StoreError) -> usize {
    tracing::error!(%error, "rules were deleted, but their notes, or rules in shadow mode, could not be");
    deleted
}

async fn delete_one(app: &Arc<App>, group: String, body: &[u8]) -> Result<usize, ApiError> {
    let mut document = Document::parse(body)?;
    let rule = document.take_required("rule")?;
    document.finish()?;
    let parsed = Rule::parse(rule.get());
    // A text that is no rule can still stand in the store, and must be removable exactly as it stands there.
    let json = parsed.as_ref().map_or(rule.get(), Rule::canonical).to_owned();
    let outcome = app.revocations().remove(group.clone(), json.clone()).await;
    app.metrics.count_write(&outcome);
    let enforced = outcome?;
    let tried = match app.annotations().remove(&group, &json).await {
        Err(error) if enforced => notes_stay(0, &error) > 0,
        tried => tried?,
    };
    match (enforced || tried, parsed) {
        (false, Err(error)) => Err(ApiError::invalid("rule", error.to_string())),
        (removed, Ok(_) | Err(_)) => Ok(usize::from(removed)),
    }
}
