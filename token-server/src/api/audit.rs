//! `/v1/audit`: who changed which rule, when and why, and back again.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;

use super::app::App;
use super::error::ApiError;
use super::request::{Body, Document, Parameters, Subject};
use super::rules::{MAX_BODY_BYTES, fields};
use crate::caller::{Access, Role};
use crate::revocations::{Act, TrailFilter, Undone};
use crate::store::{Action, EVERYBODY, Entry, EntryId, Mode, Outcome, Standing, TrailPage};
use crate::when;

#[derive(Serialize)]
pub(super) struct TrailView {
    entries: Vec<Entry>,
    /// The `cursor` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<EntryId>,
}

#[derive(Serialize)]
pub(super) struct UndoneView {
    revision: u64,
    /// The entry of the undoing; absent where the rule stood so already.
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<Entry>,
}

/// `GET /v1/audit?group=&everybody=&who=&action=&since=&until=&limit=&cursor=`, the newest first.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    mut parameters: Parameters,
) -> Result<Json<TrailView>, ApiError> {
    let group = parameters.take("group");
    let everybody = parameters.take("everybody");
    let who = parameters.take("who");
    let action = parameters.take("action");
    let (since, until) = (parameters.take("since"), parameters.take("until"));
    let (limit, cursor) = (parameters.take("limit"), parameters.take("cursor"));
    parameters.finish()?;
    let everybody = everybody.map_or(Ok(false), |text| fields::flag("everybody", &text))?;
    let group = match (group, everybody) {
        (Some(_), true) => {
            return Err(ApiError::invalid("group", "cannot be asked for beside everybody=true"));
        }
        (Some(group), false) => Some(Subject::parse(group)?.0),
        (None, true) => Some(EVERYBODY.to_owned()),
        (None, false) => None,
    };
    let time = |field: &'static str, text: Option<String>| {
        let parse = |text: String| when::parse_past(&text, app.now());
        text.map(parse).transpose().map_err(|error| ApiError::invalid(field, error.to_string()))
    };
    let action = action.map(|text| match text.as_str() {
        "write" => Ok(Action::Write),
        "remove" => Ok(Action::Remove),
        _ => Err(ApiError::invalid("action", "is neither write nor remove")),
    });
    let filter = TrailFilter {
        group,
        who,
        action: action.transpose()?,
        since: time("since", since)?,
        until: time("until", until)?,
    };
    let limit = fields::page_size(limit)?;
    let cursor = cursor.map(|text| text.parse::<EntryId>()).transpose();
    let cursor = cursor.map_err(|_| ApiError::invalid("cursor", "is not the next of a page of this list"))?;
    let TrailPage { entries, next } = app.revocations().trail(&filter, cursor, limit).await?;
    Ok(Json(TrailView { entries, next }))
}

/// `POST /v1/audit/{id}/undo`
pub(super) async fn undo(
    State(app): State<Arc<App>>,
    access: Access,
    Path(id): Path<String>,
    Body(body): Body<MAX_BODY_BYTES>,
) -> Result<Json<UndoneView>, ApiError> {
    let id: EntryId = id.parse().map_err(|_| ApiError::NoEntry)?;
    let mut document = match body.trim_ascii() {
        b"" => Document::default(),
        body => Document::parse(body)?,
    };
    let why = fields::why(&mut document)?;
    let confirm = document.take("confirm");
    document.finish()?;
    let confirmed = confirm.map_or(Ok(false), |text| fields::flag("confirm", text.get()))?;
    let record = app.revocations().entry(id).await?.ok_or(ApiError::NoEntry)?;
    if record.group == EVERYBODY {
        access.require(Role::Admin)?;
    }
    let act = Act { who: access.caller, at: app.now() };
    let undone = app.revocations().undo(id, record, why, confirmed, act).await;
    app.metrics.count_write(&undone);
    let outcome = match undone? {
        Undone::Done(outcome) => outcome,
        Undone::NotAsLeft(stands) => return Err(ApiError::NotAsLeft { stands: told(stands.as_ref()) }),
        Undone::NoRule => return Err(ApiError::NoRule),
    };
    let entry = match *outcome {
        Outcome::Made(entry) => Some(entry),
        Outcome::Untold(_) | Outcome::Unchanged(_) | Outcome::Refused(_) => None,
    };
    Ok(Json(UndoneView { revision: app.revocations().revision(), entry }))
}

/// How a rule stands, for people.
fn told(stands: Option<&Standing>) -> String {
    let Some(Standing { mode, expire_at, .. }) = stands else {
        return "is not there".to_owned();
    };
    let does = match mode {
        Mode::Enforce => "is enforced",
        Mode::Shadow => "is tried",
    };
    match expire_at {
        0 => format!("{does} for ever"),
        seconds => format!("{does} until {}", when::iso(jose::UnixTime::from_secs(*seconds))),
    }
}
