//! `POST /v1/rules`, `POST /v1/rules/{group}` and `POST /v1/everybody/rules`, for real or, with `dry_run=true`, to see what it would do.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rules::Rule;
use serde::Serialize;

use super::draft::{Draft, Unconfirmed, usual_end};
use super::fields::MAX_BODY_BYTES;
use super::view::RuleView;
use super::{doubts, fields};
use crate::api::app::App;
use crate::api::error::ApiError;
use crate::api::request::{Body, Document, Parameters, Subject};
use crate::caller::{Access, Caller};
use crate::payload::seconds;
use crate::recent::{Preview, WINDOW};
use crate::revocations::{self, Act, Added};
use crate::store::{EVERYBODY, Mode, StoreError};

#[derive(Serialize)]
struct WrittenView {
    group: String,
    #[serde(flatten)]
    rule: RuleView,
    /// The same rule as it was before, with its end and its note; empty where it is new.
    replaced: Vec<RuleView>,
    /// Why it may not do what its writer thinks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct PreviewView {
    group: String,
    mode: Mode,
    preview: PreviewNumbers,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct PreviewNumbers {
    /// How far back the memory of subjects goes.
    seconds: u64,
    /// Subjects that were checked in this time and are remembered.
    subjects: usize,
    /// Those of them whose last token the rule would revoke.
    hits: usize,
}

/// `POST /v1/rules/{group}`
pub(in crate::api) async fn write_to_group(
    State(app): State<Arc<App>>,
    access: Access,
    Subject(subject): Subject,
    parameters: Parameters,
    Body(body): Body<MAX_BODY_BYTES>,
) -> Result<Response, ApiError> {
    write_to(&app, access.caller, subject, parameters, &body).await
}

/// `POST /v1/everybody/rules`
pub(in crate::api) async fn write_for_everybody(
    State(app): State<Arc<App>>,
    access: Access,
    parameters: Parameters,
    Body(body): Body<MAX_BODY_BYTES>,
) -> Result<Response, ApiError> {
    write_to(&app, access.caller, EVERYBODY.to_owned(), parameters, &body).await
}

/// Writes to the group that the path names; the body may name it too.
async fn write_to(
    app: &Arc<App>,
    who: Caller,
    group: String,
    parameters: Parameters,
    body: &[u8],
) -> Result<Response, ApiError> {
    let mut document = Document::parse(body)?;
    if let Some(named) = document.take("group").map(|named| fields::string("group", &named)).transpose()?
        && named != group
    {
        return Err(ApiError::invalid("group", "is another group than the path names"));
    }
    write(app, who, group, parameters, document).await
}

/// `POST /v1/rules`
pub(in crate::api) async fn write_to_named_group(
    State(app): State<Arc<App>>,
    access: Access,
    parameters: Parameters,
    Body(body): Body<MAX_BODY_BYTES>,
) -> Result<Response, ApiError> {
    let mut document = Document::parse(&body)?;
    let Subject(subject) = Subject::parse(fields::string("group", &document.take_required("group")?)?)?;
    write(&app, access.caller, subject, parameters, document).await
}

/// Whether a query says `dry_run=true`: then nothing is written.
pub(in crate::api) fn asks_for_a_preview(parameters: &mut Parameters) -> Result<bool, ApiError> {
    parameters.take("dry_run").map_or(Ok(false), |text| fields::flag("dry_run", &text))
}

async fn write(
    app: &Arc<App>,
    who: Caller,
    group: String,
    mut parameters: Parameters,
    document: Document,
) -> Result<Response, ApiError> {
    let dry_run = asks_for_a_preview(&mut parameters)?;
    parameters.finish()?;
    let act = Act { who, at: app.now() };
    let draft = Draft::read(document, &group, seconds(act.at), usual_end(app))?;
    if dry_run {
        if draft.annotation.mode == Mode::Shadow
            && app.revocations().contains(&group, draft.rule.canonical()).await?
        {
            return Err(StoreError::Enforced.into());
        }
        return preview(app, group, draft).await;
    }
    refuse_unless_confirmed(app, &group, &draft).await?;
    let warnings = warnings(app, &draft.rule).await?;
    let (rule, replaced) = match draft.annotation.mode {
        Mode::Enforce => enforce(app, &group, draft, act).await?,
        Mode::Shadow => try_out(app, &group, draft, act).await?,
    };
    let replaced = replaced.into_iter().collect();
    Ok((StatusCode::CREATED, Json(WrittenView { group, rule, replaced, warnings })).into_response())
}

/// What hits everybody, or every token of a subject, is said twice.
async fn refuse_unless_confirmed(app: &App, group: &str, draft: &Draft) -> Result<(), ApiError> {
    match draft.unconfirmed(group) {
        None => Ok(()),
        Some(whole @ Unconfirmed::WholeSubject) => Err(whole.told("")),
        Some(Unconfirmed::Everybody) => {
            let (preview, _) = hold_against_recent(app, group.to_owned(), draft.rule.clone()).await?;
            let PreviewNumbers { seconds, subjects, hits } = preview;
            let whom = format!(": it hits {hits} of {subjects} subjects checked in the last {seconds} s");
            Err(Unconfirmed::Everybody.told(&whom))
        }
    }
}

/// Writes a rule that refuses. Returns it, and what it replaced.
async fn enforce(
    app: &Arc<App>,
    group: &str,
    draft: Draft,
    act: Act,
) -> Result<(RuleView, Option<RuleView>), ApiError> {
    let Draft { rule, annotation, .. } = draft;
    let now = annotation.written_at;
    let hits = app.annotations().shadows().hits(group, rule.canonical());
    let draft = revocations::Draft::new(group.to_owned(), rule, annotation.clone());
    let written = app.revocations().add(draft, act).await;
    app.metrics.count_write(&written);
    let Added { stored, replaced } = written?;
    let replaced = replaced.and_then(|replaced| RuleView::replaced(&stored.json, replaced, hits, now));
    Ok((RuleView::enforced(stored, Some(annotation)), replaced))
}

/// Writes a rule that is only tried. Returns it, and what it replaced.
async fn try_out(
    app: &Arc<App>,
    group: &str,
    draft: Draft,
    act: Act,
) -> Result<(RuleView, Option<RuleView>), ApiError> {
    let Draft { rule, annotation, .. } = draft;
    let (json, now) = (rule.canonical().to_owned(), annotation.written_at);
    let draft = revocations::Draft::new(group.to_owned(), rule, annotation.clone());
    let written = app.revocations().try_out(vec![draft], act).await?.pop().unwrap_or(Ok(None))?;
    let hits = app.annotations().shadows().hits(group, &json);
    let replaced = written.and_then(|replaced| RuleView::replaced(&json, replaced, hits, now));
    Ok((RuleView::tried(json, annotation, hits), replaced))
}

async fn preview(app: &App, group: String, draft: Draft) -> Result<Response, ApiError> {
    let warnings = warnings(app, &draft.rule).await?;
    let (preview, group) = hold_against_recent(app, group, draft.rule).await?;
    Ok(Json(PreviewView { group, mode: draft.annotation.mode, preview, warnings }).into_response())
}

/// Why a rule may not do what its writer thinks: by its form, and by the tokens that were checked lately.
async fn warnings(app: &App, rule: &Rule) -> Result<Vec<String>, ApiError> {
    let (recent, now, looked_for) = (Arc::clone(app.recent()), app.now(), rule.clone());
    let unseen = tokio::task::spawn_blocking(move || recent.unseen(&looked_for, now))
        .await
        .map_err(|_| StoreError::Stopping)?;
    let mut warnings = doubts::of(rule, app.policy.profile);
    warnings.extend(unseen.into_iter().map(|name| {
        format!("no token checked in the last {} s has a claim {name}: see its spelling", WINDOW.as_secs())
    }));
    Ok(warnings)
}

/// Holds a rule against the subjects checked lately.
async fn hold_against_recent(
    app: &App,
    group: String,
    rule: Rule,
) -> Result<(PreviewNumbers, String), ApiError> {
    let (recent, now) = (Arc::clone(app.recent()), app.now());
    let (group, Preview { subjects, hits }) = tokio::task::spawn_blocking(move || {
        let preview = recent.preview(&rule, &group, now);
        (group, preview)
    })
    .await
    .map_err(|_| StoreError::Stopping)?;
    Ok((PreviewNumbers { seconds: WINDOW.as_secs(), subjects, hits }, group))
}
