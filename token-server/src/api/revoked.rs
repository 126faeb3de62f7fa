//! `GET /v1/revoked?search=&after=&limit=`: which subjects are revoked whole, since when, until when, why and by whom.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tokio::time::Instant;

use super::app::App;
use super::error::ApiError;
use super::request::Parameters;
use super::rules::{RuleView, page_size};
use crate::payload::seconds;
use crate::revocations::{Found, MAX_NAMES_LOOKED_AT, NamePart};
use crate::store::{EVERYBODY, StoreError, StoredRule};
use crate::when;
use crate::whole::Whole;

/// Rules for everybody that are told: there are few, or another list is for them.
pub(super) const MAX_OF_EVERYBODY: usize = 100;

/// Rules of one subject that are told: a desk needs the last, and a store may have thousands.
const MAX_OF_SUBJECT: usize = 100;

/// Groups that are read at once.
const GROUPS_AT_ONCE: usize = 100;

/// How long one page may look for subjects that are revoked among those that have other rules; below the deadline of a
/// request.
const SEARCH_LIMIT: Duration = Duration::from_secs(2);

#[derive(Serialize)]
pub(super) struct RevokedView {
    /// This server's clock.
    now: String,
    /// The rules for everybody, on the first page alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    everybody: Option<EverybodyView>,
    subjects: Vec<RevokedSubjectView>,
    /// The `after` of the next page; absent on the last. A page may have few subjects, or none, and a next.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct EverybodyView {
    rules: Vec<RevocationView>,
    /// Whether there are more than are told here.
    more: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RevokedSubjectView {
    subject: String,
    #[serde(flatten)]
    held: HeldView,
}

/// What is in force for one subject.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HeldView {
    /// The rules that revoke it whole, those first that reach the latest tokens.
    pub(super) revocations: Vec<RevocationView>,
    /// How many more of these there are.
    pub(super) more_revocations: usize,
    /// How many rules concern some of its tokens, or are not understood.
    pub(super) other_rules: usize,
}

/// A rule, and whom it revokes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RevocationView {
    #[serde(flatten)]
    rule: RuleView,
    /// Tokens that were issued before are refused; absent where the rule looks at anything else, or at nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_before: Option<String>,
}

/// `GET /v1/revoked`
pub(super) async fn list(
    State(app): State<Arc<App>>,
    mut parameters: Parameters,
) -> Result<Json<RevokedView>, ApiError> {
    let after = parameters.take("after");
    let limit = parameters.take("limit");
    let search = parameters.take("search");
    parameters.finish()?;
    let limit = page_size(limit)?;
    let part = NamePart::new(search.as_deref().unwrap_or_default());
    let everybody = match &after {
        None => Some(everybody(&app).await?),
        Some(_) => None,
    };
    let until = Instant::now() + SEARCH_LIMIT;
    let Found { names, mut next } =
        app.revocations().find_groups(&part, after.as_deref(), MAX_NAMES_LOOKED_AT).await?;
    let mut subjects = Vec::new();
    let mut rest = names.chunks(GROUPS_AT_ONCE).peekable();
    'search: while let Some(names) = rest.next() {
        let read = app.revocations().of_groups(names.to_vec()).await?;
        for (at, (name, stored)) in names.iter().zip(read).enumerate() {
            // What stands in the place of one group is no other's fault; `GET /v1/rules` shows it.
            if name != EVERYBODY
                && let Ok(stored) = stored
                && let held = held(&app, name, stored).await?
                && !held.revocations.is_empty()
            {
                subjects.push(RevokedSubjectView { subject: name.clone(), held });
            }
            let is_last = at.saturating_add(1) == names.len() && rest.peek().is_none();
            if subjects.len() >= limit && !is_last {
                next = Some(name.clone());
                break 'search;
            }
        }
        if Instant::now() >= until && rest.peek().is_some() {
            next = names.last().cloned();
            break;
        }
    }
    Ok(Json(RevokedView { now: when::iso_millis(app.now()), everybody, subjects, next }))
}

async fn everybody(app: &App) -> Result<EverybodyView, ApiError> {
    let page = app.revocations().page(EVERYBODY, None, MAX_OF_EVERYBODY).await?;
    let (whole, others): (Vec<_>, Vec<_>) =
        in_force(app, page.rules).partition(|stored| Whole::of(&stored.json).is_some());
    let rules = described(app, EVERYBODY, whole.into_iter().chain(others).collect()).await?;
    Ok(EverybodyView { rules, more: page.next.is_some() })
}

/// How many rules for everybody are in force, up to [`MAX_OF_EVERYBODY`].
pub(super) async fn everybodys_rules(app: &App) -> Result<usize, ApiError> {
    let page = app.revocations().page(EVERYBODY, None, MAX_OF_EVERYBODY).await?;
    Ok(in_force(app, page.rules).count())
}

/// What is in force for a subject, which has these rules.
async fn held(app: &App, subject: &str, stored: Vec<StoredRule>) -> Result<HeldView, ApiError> {
    let (mut whole, others): (Vec<_>, Vec<_>) =
        in_force(app, stored).partition(|stored| Whole::of(&stored.json).is_some());
    whole.sort_by_key(|stored| Reverse(Whole::of(&stored.json)));
    let more_revocations = whole.len().saturating_sub(MAX_OF_SUBJECT);
    whole.truncate(MAX_OF_SUBJECT);
    let revocations = if whole.is_empty() { Vec::new() } else { described(app, subject, whole).await? };
    Ok(HeldView { revocations, more_revocations, other_rules: others.len() })
}

/// The rules of one subject, as the store has them.
pub(super) async fn of_subject(app: &App, subject: &str) -> Result<HeldView, ApiError> {
    let mut read = app.revocations().of_groups(vec![subject.to_owned()]).await?;
    let stored = read.pop().unwrap_or(Err(StoreError::Unreached))?;
    held(app, subject, stored).await
}

fn in_force(app: &App, stored: Vec<StoredRule>) -> impl Iterator<Item = StoredRule> {
    let now =
        app.revocations().store_now().map_or(seconds(app.now()), |stores| stores.min(seconds(app.now())));
    stored.into_iter().filter(move |stored| !stored.expire_at.has_passed(now))
}

/// Rules with who wrote them, when and why.
async fn described(
    app: &App,
    group: &str,
    stored: Vec<StoredRule>,
) -> Result<Vec<RevocationView>, StoreError> {
    let texts = stored.iter().map(|stored| stored.json.clone()).collect();
    let mut notes = app.annotations().of_rules(group, texts).await?;
    let view = |stored: StoredRule| {
        let issued_before = match Whole::of(&stored.json) {
            Some(Whole::IssuedBefore(at)) => Some(when::iso_millis(at)),
            Some(Whole::Every) | None => None,
        };
        let note = notes.remove(&stored.json);
        RevocationView { rule: RuleView::enforced(stored, note), issued_before }
    };
    Ok(stored.into_iter().map(view).collect())
}
