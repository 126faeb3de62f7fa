//! `GET /v1/rules`, `GET /v1/rules/{group}` and `GET /v1/everybody/rules`, in pages.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::fields;
use super::place::Place;
use super::view::RuleView;
use crate::api::app::App;
use crate::api::error::ApiError;
use crate::api::request::{GroupName, Parameters};
use crate::revocations::{Found, GroupSize, NamePart};
use crate::store::{Cursor, EVERYBODY, Page, StoredRule};

#[derive(Serialize)]
pub(in crate::api) struct GroupView {
    group: String,
    revision: u64,
    rules: Vec<RuleView>,
    /// The `after` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
pub(in crate::api) struct GroupsView {
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
    shadow: usize,
    /// Why its rules are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// `GET /v1/rules/{group}?after=&limit=`: a page costs what is on it, however many rules the group has.
pub(in crate::api) async fn list_group(
    State(app): State<Arc<App>>,
    GroupName(group): GroupName,
    parameters: Parameters,
) -> Result<Json<GroupView>, ApiError> {
    list_rules(&app, group, parameters).await
}

/// `GET /v1/everybody/rules?after=&limit=`
pub(in crate::api) async fn list_everybody(
    State(app): State<Arc<App>>,
    parameters: Parameters,
) -> Result<Json<GroupView>, ApiError> {
    list_rules(&app, EVERYBODY.to_owned(), parameters).await
}

async fn list_rules(
    app: &App,
    group: String,
    mut parameters: Parameters,
) -> Result<Json<GroupView>, ApiError> {
    let after = parameters.take("after");
    let limit = parameters.take("limit");
    parameters.finish()?;
    let limit = fields::page_size(limit)?;
    let place = after.map_or(Ok(Place::START), |after| Place::parse(&after))?;
    let revision = app.revocations().revision();
    let (mut rules, mut next) = match &place {
        Place::Enforced(after) => enforced(app, &group, after.as_ref(), limit).await?,
        Place::Tried(_) => (Vec::new(), None),
    };
    if next.is_none() {
        let room = limit.saturating_sub(rules.len());
        let (tried, more) = tried(app, &group, place.tried_after(), room).await?;
        rules.extend(tried);
        next = more;
    }
    let next = next.map(|next| next.to_string());
    Ok(Json(GroupView { group, revision, rules, next }))
}

/// A page of the rules that revoke.
async fn enforced(
    app: &App,
    group: &str,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<(Vec<RuleView>, Option<Place>), ApiError> {
    let Page { rules, next } = app.revocations().page(group, after, limit).await?;
    let texts = rules.iter().map(|stored| stored.json.clone()).collect();
    let mut annotations = app.annotations().of_rules(group, texts).await?;
    let view = |stored: StoredRule| {
        let annotation = annotations.remove(&stored.json);
        RuleView::enforced(stored, annotation)
    };
    Ok((rules.into_iter().map(view).collect(), next.map(|next| Place::Enforced(Some(next)))))
}

/// A page of the rules that are only tried; they are few.
async fn tried(
    app: &App,
    group: &str,
    after: &str,
    limit: usize,
) -> Result<(Vec<RuleView>, Option<Place>), ApiError> {
    let mut rest =
        app.annotations().tried(group).await?.into_iter().filter(|(text, _)| text.as_str() > after);
    let mut last = after.to_owned();
    let mut rules = Vec::new();
    for (text, annotation) in rest.by_ref().take(limit) {
        last.clone_from(&text);
        let hits = app.annotations().shadows().hits(group, &text);
        rules.push(RuleView::tried(text, annotation, hits));
    }
    Ok((rules, rest.next().map(|_| Place::Tried(last))))
}

/// `GET /v1/rules?search=&after=&limit=`: the groups in the order of their names, all or those with this part in it.
pub(in crate::api) async fn list_groups(
    State(app): State<Arc<App>>,
    mut parameters: Parameters,
) -> Result<Json<GroupsView>, ApiError> {
    let after = parameters.take("after");
    let limit = parameters.take("limit");
    let search = parameters.take("search");
    parameters.finish()?;
    let limit = fields::page_size(limit)?;
    if let Some(search) = search {
        return find_groups(&app, &NamePart::new(&search), after.as_deref(), limit).await;
    }
    let shadows = app.annotations().shadows();
    let revision = app.revocations().revision();
    let (page, more) = app.revocations().groups(after.as_deref(), limit).await?;
    let mut sizes: BTreeMap<String, GroupSizeView> =
        page.into_iter().map(|size| (size.group.clone(), GroupSizeView::of(&app, size))).collect();
    // Groups whose rules are only tried stand between the others, unless those of the next page come first.
    let last = sizes.last_key_value().filter(|_| more).map(|(last, _)| last.clone());
    for (group, shadow) in shadows.sizes(after.as_deref(), limit.saturating_add(1)) {
        if last.as_ref().is_none_or(|last| group < *last) {
            let tried = GroupSizeView { group: group.clone(), rules: 0, unreadable: 0, shadow, error: None };
            sizes.entry(group).or_insert(tried);
        }
    }
    let more = more || sizes.len() > limit;
    let groups: Vec<_> = sizes.into_values().take(limit).collect();
    let next = groups.last().filter(|_| more).map(|last| last.group.clone());
    Ok(Json(GroupsView { revision, groups, next }))
}

/// Groups by a part of their name; those whose rules are only tried are not among them.
async fn find_groups(
    app: &Arc<App>,
    part: &NamePart,
    after: Option<&str>,
    limit: usize,
) -> Result<Json<GroupsView>, ApiError> {
    let revision = app.revocations().revision();
    let Found { names, next } = app.revocations().find_groups(part, after, limit).await?;
    let sizes = app.revocations().sizes(names).await?;
    let groups = sizes.into_iter().map(|size| GroupSizeView::of(app, size)).collect();
    Ok(Json(GroupsView { revision, groups, next }))
}

impl GroupSizeView {
    fn of(app: &App, size: GroupSize) -> Self {
        let GroupSize { group, rules, unreadable, fault: error } = size;
        Self { rules, unreadable, shadow: app.annotations().shadows().size(&group), error, group }
    }
}
