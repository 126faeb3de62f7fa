//! `GET /v1/rules` and `GET /v1/rules/{group}`, in pages.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::fields;
use super::view::RuleView;
use crate::api::request::{GroupName, Parameters};
use crate::api::{ApiError, App};
use crate::revocations::GroupSize;
use crate::store::Mode;

#[derive(Serialize)]
struct GroupView {
    group: String,
    revision: u64,
    rules: Vec<RuleView>,
    /// The `after` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
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
    shadow: usize,
}

/// `GET /v1/rules/{group}?after=&limit=`: the rules in the order of their ids.
pub(in crate::api) async fn list_group(
    State(app): State<Arc<App>>,
    GroupName(group): GroupName,
    mut parameters: Parameters,
) -> Result<Json<impl Serialize>, ApiError> {
    let after = parameters.take("after");
    let limit = parameters.take("limit");
    parameters.finish()?;
    let limit = fields::page_size(limit)?;
    let (revision, all) = rules_of(&app, &group).await?;
    let mut rest = all.into_iter().filter(|rule| after.as_ref().is_none_or(|after| rule.id > *after));
    let rules: Vec<RuleView> = rest.by_ref().take(limit).collect();
    let next = rest.next().and_then(|_| rules.last()).map(|last| last.id.clone());
    Ok(Json(GroupView { group, revision, rules, next }))
}

/// All rules of a group, enforced and tried, in the order of their ids.
async fn rules_of(app: &Arc<App>, group: &str) -> Result<(u64, Vec<RuleView>), ApiError> {
    let (revision, stored) = app.revocations.list(group.to_owned()).await?;
    let mut annotations = app.annotations.of_group(group).await?;
    let mut rules: Vec<RuleView> = stored
        .into_iter()
        .map(|stored| {
            let annotation = annotations.remove(&stored.json);
            RuleView::enforced(stored, annotation)
        })
        .collect();
    // What is left has no rule in the store: it is tried only, or its rule was removed by another program.
    let tried = annotations.into_iter().filter(|(_, annotation)| annotation.mode == Mode::Shadow);
    rules.extend(
        tried.map(|(json, annotation)| RuleView::tried(group, json, annotation, app.annotations.shadows())),
    );
    rules.sort_unstable_by(|left, right| left.id.cmp(&right.id));
    Ok((revision, rules))
}

/// `GET /v1/rules?after=&limit=`: the groups in the order of their names.
pub(in crate::api) async fn list_groups(
    State(app): State<Arc<App>>,
    mut parameters: Parameters,
) -> Result<Json<impl Serialize>, ApiError> {
    let after = parameters.take("after");
    let limit = parameters.take("limit");
    parameters.finish()?;
    let limit = fields::page_size(limit)?;
    let shadows = app.annotations.shadows();
    let revision = app.revocations.revision();
    let (page, more) = app.revocations.groups(after.as_deref(), limit).await?;
    let mut sizes: BTreeMap<String, GroupSizeView> = page
        .into_iter()
        .map(|GroupSize { group, rules, unreadable }| {
            let shadow = shadows.size(&group);
            (group.clone(), GroupSizeView { group, rules, unreadable, shadow })
        })
        .collect();
    // Groups whose rules are only tried stand between the others, unless those of the next page come first.
    let last = sizes.last_key_value().filter(|_| more).map(|(last, _)| last.clone());
    for (group, shadow) in shadows.sizes(after.as_deref(), limit.saturating_add(1)) {
        if last.as_ref().is_none_or(|last| group < *last) {
            let tried = GroupSizeView { group: group.clone(), rules: 0, unreadable: 0, shadow };
            sizes.entry(group).or_insert(tried);
        }
    }
    let more = more || sizes.len() > limit;
    let groups: Vec<_> = sizes.into_values().take(limit).collect();
    let next = groups.last().filter(|_| more).map(|last| last.group.clone());
    Ok(Json(GroupsView { revision, groups, next }))
}
