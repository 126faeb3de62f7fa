//! `/v1/rules`: what operators and ms-users write, read and delete.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rules::{ExpireAt, Rule};
use serde::Serialize;
use serde_json::value::RawValue;

use super::request::{Body, Document, GroupName, Parameters};
use super::{ApiError, App};
use crate::judge::seconds;
use crate::revocations::GroupSize;
use crate::store::StoredRule;

/// Bytes of a request: a rule of the largest size, with white space to spare.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// An `expireAt` from here on was meant in milliseconds; in seconds it is the year 5138.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// Groups of one page, unless the caller wants fewer or more.
const PAGE: usize = 100;

/// Groups of the largest page.
const MAX_PAGE: usize = 1_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RuleView {
    /// The rule, unless it is not even JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<Box<RawValue>>,
    /// What stands in the store instead of a rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Why it is not understood.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    expire_at: i64,
    /// The revision that its last write made, in a store that keeps count.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
}

#[derive(Serialize)]
struct WrittenView {
    group: String,
    #[serde(flatten)]
    rule: RuleView,
}

#[derive(Serialize)]
struct GroupView {
    group: String,
    revision: u64,
    rules: Vec<RuleView>,
}

#[derive(Serialize)]
struct GroupsView {
    revision: u64,
    groups: Vec<GroupSizeView>,
    /// The `after` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct GroupSizeView {
    group: String,
    rules: usize,
    unreadable: usize,
}

#[derive(Serialize)]
struct DeletedView {
    deleted: usize,
    revision: u64,
}

/// `POST /v1/rules/{group}`
pub(super) async fn write_to_group(
    State(app): State<Arc<App>>,
    group: GroupName,
    Body(body): Body<MAX_BODY_BYTES>,
) -> Result<Response, ApiError> {
    let mut document = Document::parse(&body)?;
    if let Some(named) = document.take("group").map(|group| string("group", &group)).transpose()?
        && named != group.0
    {
        return Err(ApiError::invalid("group", "is another group than the path names"));
    }
    write(&app, group, document).await
}

/// `POST /v1/rules`
pub(super) async fn write_to_named_group(
    State(app): State<Arc<App>>,
    Body(body): Body<MAX_BODY_BYTES>,
) -> Result<Response, ApiError> {
    let mut document = Document::parse(&body)?;
    let group = GroupName::parse(string("group", &document.take_required("group")?)?)?;
    write(&app, group, document).await
}

async fn write(app: &Arc<App>, group: GroupName, mut document: Document) -> Result<Response, ApiError> {
    let rule = document.take_required("rule")?;
    let expire_at = document.take("expireAt");
    let confirm = document.take("confirm");
    document.finish()?;

    let rule = Rule::parse(rule.get()).map_err(|error| ApiError::invalid("rule", error.to_string()))?;
    let expire_at = expire_at.map_or(Ok(ExpireAt::Never), |text| end(&text, seconds(app.now())))?;
    let confirmed = confirm.map_or(Ok(false), |text| flag("confirm", &text))?;
    if rule.matches_everything() && !confirmed {
        return Err(ApiError::invalid(
            "confirm",
            "this rule revokes every token of the group; say \"confirm\": true",
        ));
    }
    let written = app.revocations.add(group.0, rule, expire_at).await;
    app.metrics.count_write(&written);
    let StoredRule { group, json, expire_at, revision } = written?;
    tracing::info!(revision, "a rule was written");
    let rule = RuleView::new(json, expire_at, revision);
    Ok((StatusCode::CREATED, Json(WrittenView { group, rule })).into_response())
}

/// `GET /v1/rules/{group}`
pub(super) async fn list_group(
    State(app): State<Arc<App>>,
    GroupName(group): GroupName,
) -> Result<Json<impl Serialize>, ApiError> {
    let (revision, stored) = app.revocations.list(group.clone()).await?;
    let rules =
        stored.into_iter().map(|rule| RuleView::new(rule.json, rule.expire_at, rule.revision)).collect();
    Ok(Json(GroupView { group, revision, rules }))
}

/// `GET /v1/rules?after=&limit=`
pub(super) async fn list_groups(
    State(app): State<Arc<App>>,
    Parameters(mut parameters): Parameters,
) -> Result<Json<impl Serialize>, ApiError> {
    let after = parameters.remove("after");
    let limit = parameters.remove("limit").map_or(Ok(PAGE), |limit| page_size(&limit))?;
    if let Some((unknown, _)) = parameters.pop_first() {
        return Err(ApiError::invalid(unknown, "is not known here"));
    }
    let revision = app.revocations.revision();
    let (page, more) = app.revocations.groups(after.as_deref(), limit).await?;
    let next = page.last().filter(|_| more).map(|last| last.group.clone());
    let groups = page
        .into_iter()
        .map(|GroupSize { group, rules, unreadable }| GroupSizeView { group, rules, unreadable })
        .collect();
    Ok(Json(GroupsView { revision, groups, next }))
}

/// `DELETE /v1/rules/{group}`, without a body all rules, with `{"rule":{..}}` one.
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    GroupName(group): GroupName,
    Body(body): Body<MAX_BODY_BYTES>,
) -> Result<Json<impl Serialize>, ApiError> {
    let deleted = match body.trim_ascii() {
        b"" => delete_all(&app, group).await?,
        body => delete_one(&app, group, body).await?,
    };
    let revision = app.revocations.revision();
    tracing::info!(revision, deleted, "rules were deleted");
    Ok(Json(DeletedView { deleted, revision }))
}

async fn delete_all(app: &App, group: String) -> Result<usize, ApiError> {
    let outcome = app.revocations.remove_group(group).await;
    app.metrics.count_write(&outcome);
    Ok(outcome?)
}

async fn delete_one(app: &App, group: String, body: &[u8]) -> Result<usize, ApiError> {
    let mut document = Document::parse(body)?;
    let rule = document.take_required("rule")?;
    document.finish()?;
    let parsed = Rule::parse(rule.get());
    // A text that is no rule can still stand in the store, and must be removable exactly as it stands there.
    let json = parsed.as_ref().map_or(rule.get(), Rule::canonical).to_owned();
    let outcome = app.revocations.remove(group, json).await;
    app.metrics.count_write(&outcome);
    match (outcome?, parsed) {
        (false, Err(error)) => Err(ApiError::invalid("rule", error.to_string())),
        (removed, Ok(_) | Err(_)) => Ok(usize::from(removed)),
    }
}

impl RuleView {
    fn new(json: String, expire_at: ExpireAt, revision: Option<u64>) -> Self {
        let error = Rule::parse(&json).err().map(|error| error.to_string());
        let rule = RawValue::from_string(json.clone()).ok();
        let text = rule.is_none().then_some(json);
        Self { rule, text, error, expire_at: expire_at.as_seconds(), revision }
    }
}

fn end(text: &RawValue, now: i64) -> Result<ExpireAt, ApiError> {
    let refuse = |why: &str| Err(ApiError::invalid("expireAt", why));
    match serde_json::from_str::<i64>(text.get()) {
        Ok(0) => Ok(ExpireAt::Never),
        Ok(seconds) if seconds >= MILLISECONDS_FROM => refuse("looks like milliseconds; write unix seconds"),
        Ok(seconds) if seconds <= now => refuse("is in the past; write unix seconds, or 0 for never"),
        Ok(seconds) => Ok(ExpireAt::At(seconds)),
        Err(_) => refuse("is not a whole number of unix seconds"),
    }
}

fn flag(field: &str, text: &RawValue) -> Result<bool, ApiError> {
    serde_json::from_str(text.get()).map_err(|_| ApiError::invalid(field, "is neither true nor false"))
}

fn string(field: &str, text: &RawValue) -> Result<String, ApiError> {
    serde_json::from_str(text.get()).map_err(|_| ApiError::invalid(field, "is not a string"))
}

fn page_size(text: &str) -> Result<usize, ApiError> {
    text.parse()
        .ok()
        .filter(|limit| (1..=MAX_PAGE).contains(limit))
        .ok_or_else(|| ApiError::invalid("limit", format!("is not a number from 1 to {MAX_PAGE}")))
}
