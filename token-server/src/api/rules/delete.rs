//! `DELETE /v1/rules/{group}` and `DELETE /v1/everybody/rules`: with `{"rule":{..}}` one rule, enforced or tried; with `{"all":true}`
//! or without a body all of them. Both may have a `note` and a `by`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use rules::Rule;
use serde::Serialize;

use super::fields::{self, MAX_BODY_BYTES};
use crate::api::app::App;
use crate::api::error::ApiError;
use crate::api::request::{Body, Document, Subject};
use crate::caller::{Access, Caller};
use crate::revocations::{Act, Why};
use crate::store::EVERYBODY;

#[derive(Serialize)]
pub(in crate::api) struct DeletedView {
    deleted: usize,
    revision: u64,
}

/// `DELETE /v1/rules/{group}`
pub(in crate::api) async fn delete(
    State(app): State<Arc<App>>,
    access: Access,
    Subject(subject): Subject,
    Body(body): Body<MAX_BODY_BYTES>,
) -> Result<Json<DeletedView>, ApiError> {
    delete_from(&app, access.caller, subject, &body).await
}

/// `DELETE /v1/everybody/rules`
pub(in crate::api) async fn delete_for_everybody(
    State(app): State<Arc<App>>,
    access: Access,
    Body(body): Body<MAX_BODY_BYTES>,
) -> Result<Json<DeletedView>, ApiError> {
    delete_from(&app, access.caller, EVERYBODY.to_owned(), &body).await
}

async fn delete_from(
    app: &Arc<App>,
    who: Caller,
    group: String,
    body: &[u8],
) -> Result<Json<DeletedView>, ApiError> {
    let mut document = match body.trim_ascii() {
        b"" => Document::default(),
        body => Document::parse(body)?,
    };
    let why = fields::why(&mut document)?;
    let all = document
        .take("all")
        .map_or(Ok(body.trim_ascii().is_empty()), |text| fields::flag("all", text.get()))?;
    let act = Act { who, at: app.now() };
    let deleted = if all {
        document.finish()?;
        let removed = app.revocations().remove_group(group, why, act).await;
        app.metrics.count_write(&removed);
        removed?
    } else {
        let rule = document.take_required("rule")?;
        document.finish()?;
        usize::from(delete_one(app, group, rule.get(), why, act).await?)
    };
    let revision = app.revocations().revision();
    tracing::info!(revision, deleted, "rules were deleted");
    Ok(Json(DeletedView { deleted, revision }))
}

async fn delete_one(app: &App, group: String, rule: &str, why: Why, act: Act) -> Result<bool, ApiError> {
    let parsed = Rule::parse(rule);
    // A text that is no rule can still stand in the store, and must be removable exactly as it stands there.
    let json = parsed.as_ref().map_or(rule, Rule::canonical).to_owned();
    let removed = app.revocations().remove(group, json, why, act).await;
    app.metrics.count_write(&removed);
    match (removed?, parsed) {
        (false, Err(error)) => Err(ApiError::invalid("rule", error.to_string())),
        (removed, Ok(_) | Err(_)) => Ok(removed),
    }
}
