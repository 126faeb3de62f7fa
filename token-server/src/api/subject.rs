//! `GET /v1/subjects/{subject}`: what is good to know of a subject before its tokens are revoked or restored: when it was last
//! seen, and what is in force for it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jose::Profile;
use serde::Serialize;

use super::app::App;
use super::error::ApiError;
use super::request::{Parameters, Subject};
use super::revoked::{HeldView, everybodys_rules, of_subject};
use super::rules::{UsualEnd, usual_end};
use crate::recent::{Sighting, WINDOW};
use crate::store::StoreError;
use crate::when;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SubjectView {
    subject: String,
    /// This server's clock: relative times are relative to it.
    now: String,
    profile: Profile,
    /// In what `iat` counts, in tokens and in rules.
    iat_unit: IatUnit,
    /// When a token of it was last found good here; absent where none is remembered.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen: Option<String>,
    /// Subjects of a similar name that were seen, where this one was not.
    similar: Vec<String>,
    memory: MemoryView,
    usual_end: UsualEndView,
    #[serde(flatten)]
    held: HeldView,
    /// How many rules for everybody are in force, which may hit it too; 100 stands for more as well.
    everybodys_rules: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum IatUnit {
    Seconds,
    Milliseconds,
}

/// How much is remembered.
#[derive(Serialize)]
struct MemoryView {
    seconds: u64,
    subjects: usize,
}

/// In how long a rule may end that refuses the tokens of now.
#[derive(Serialize)]
struct UsualEndView {
    seconds: i64,
    /// Whether every policy of this server limits the life of a token, so that none outlives this.
    configured: bool,
}

/// `GET /v1/subjects/{subject}`
pub(super) async fn view(
    State(app): State<Arc<App>>,
    Subject(subject): Subject,
    parameters: Parameters,
) -> Result<Json<SubjectView>, ApiError> {
    parameters.finish()?;
    let (recent, now, looked_for) = (Arc::clone(app.recent()), app.now(), subject.clone());
    let Sighting { last_seen, similar, remembered } =
        tokio::task::spawn_blocking(move || recent.sighting(&looked_for, now))
            .await
            .map_err(|_| StoreError::Stopping)?;
    let held = of_subject(&app, &subject).await?;
    let everybodys_rules = everybodys_rules(&app).await?;
    let UsualEnd { seconds, is_configured } = usual_end(&app);
    let profile = app.policy.profile;
    Ok(Json(SubjectView {
        subject,
        now: when::iso_millis(now),
        profile,
        iat_unit: match profile {
            Profile::Standard => IatUnit::Seconds,
            Profile::MsUsers => IatUnit::Milliseconds,
        },
        last_seen: last_seen.map(when::iso_millis),
        similar,
        memory: MemoryView { seconds: WINDOW.as_secs(), subjects: remembered },
        usual_end: UsualEndView { seconds, configured: is_configured },
        held,
        everybodys_rules,
    }))
}
