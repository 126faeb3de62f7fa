//! `POST /v1/check`: what `jwt-agent` asks.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use futures_util::future::join_all;
use jose::{Claims, IssuerPolicy, Leeway, Reject, TokenVersion, UnixTime};
use revocation::check::{Check, CheckRequest, CheckResponse, CheckResult, MAX_BATCH_BYTES, MAX_CHECKS};
use revocation::in_milliseconds;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::app::App;
use super::error::ApiError;
use super::request::{AgentAccess, Body};
use crate::decide::{self, Decision, time_policy};
use crate::encrypted::Opened;
use crate::payload::seconds;
use crate::revocations::LOAD_WAIT;
use crate::store::StoreError;

/// The most clock skew that an agent may grant, seconds; as much as it may be given itself.
const MAX_LEEWAY: Duration = Duration::from_secs(300);

/// Decides on a batch, each check on its own: one that is garbage spoils no other.
pub(super) async fn check(
    State(app): State<Arc<App>>,
    _: AgentAccess,
    Body(body): Body<MAX_BATCH_BYTES>,
) -> Result<Json<CheckResponse>, ApiError> {
    let CheckRequest::<Check> { profile, leeway, leeway_start, budget_ms, checks } =
        serde_json::from_slice(&body).map_err(|error| ApiError::json(&error))?;
    if profile != app.policy.profile {
        return Err(ApiError::ProfileMismatch { server: app.policy.profile, asked: profile });
    }
    if checks.len() > MAX_CHECKS {
        return Err(ApiError::TooManyChecks { max: MAX_CHECKS });
    }
    let policy = time_policy(profile, granted(leeway, leeway_start));
    let store_id = app.revocations().store_id().ok_or(StoreError::Unreached)?.to_string();
    let epoch = app.revocations().feed().epoch().to_owned();
    // Read before the rules are, so that it never promises a rule that was not looked at.
    let revision = app.revocations().revision();
    let (now, patience) = (app.now(), Patience::of(budget_ms));
    let results = join_all(checks.iter().map(|check| answer(&app, check, &policy, now, patience))).await;
    // Asked last: a read that failed for one of the checks counts.
    let store_unread = !app.revocations().store_answers();
    Ok(Json(CheckResponse { store_id, epoch, revision, store_unread, results }))
}

/// Decides on a payload whose signature an agent has verified. Where any client may ask, it may be forged, and no note is taken:
/// it would fill the preview that operators look at before they write a rule.
async fn payload(app: &App, payload: &str, policy: &IssuerPolicy, now: UnixTime, until: Instant) -> Decision {
    match Claims::parse(payload.as_bytes()) {
        Err(reject) => Decision::refused(reject),
        Ok(claims) if app.knows_its_agents() => app.basis.decide(&claims, policy, now, until).await,
        Ok(claims) => decide::decide(&claims, policy, app.revocations(), now, until).await,
    }
}

/// How long there is for an answer: three quarters of the time that the agent has left, so that it is back in time.
#[derive(Debug, Clone, Copy)]
struct Patience(Instant);

impl Patience {
    /// An older agent does not say what it has.
    fn of(budget_ms: Option<u32>) -> Self {
        let wait = budget_ms.map_or(LOAD_WAIT, |left| Duration::from_millis(left.into()) / 4 * 3);
        Self(Instant::now() + wait)
    }

    /// Until when rules are waited for that are asked for now.
    fn for_rules(self) -> Instant {
        self.0.min(Instant::now() + LOAD_WAIT)
    }
}

/// An older agent says only what it grants after `exp`, and judges `nbf` itself.
fn granted(end: u32, start: Option<u32>) -> Leeway {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into()).min(MAX_LEEWAY);
    let end = seconds(end);
    Leeway { end, start: start.map_or_else(|| Leeway::default().start.max(end), seconds) }
}

async fn answer(
    app: &App,
    check: &Check,
    policy: &IssuerPolicy,
    now: UnixTime,
    patience: Patience,
) -> CheckResult {
    let until = patience.for_rules();
    let (decision, opened) = match check {
        Check::Token(token) if app.basis.opaque.takes(token) => {
            return opaque(app, token, policy, patience).await;
        }
        Check::Payload(claims) => (payload(app, claims.get(), policy, now, until).await, None),
        Check::Token(token) => match app.basis.decryption.open(token).await {
            Err(reject) => (Decision::refused(reject), None),
            Ok(opened) => {
                let claims = &opened.claims;
                // The form makes it stateless, whatever the claims say of themselves.
                let refresh = policy.refuse_refresh_token(claims, TokenVersion::Stateless);
                let decision = match (&opened.nested, refresh) {
                    (None, Err(reject)) => Decision::refused(reject),
                    (None, Ok(())) => app.basis.decide(claims, policy, now, until).await,
                    // These may be forged until the agent has verified them, so no note is taken.
                    (Some(_), _) => decide::decide(claims, policy, app.revocations(), now, until).await,
                };
                (decision, Some(opened))
            }
        },
    };
    let mut result = result(app, decision);
    if let Some(Opened { header, claims, nested }) = opened {
        result.header = RawValue::from_string(header).ok();
        match nested {
            None => result.claims = RawValue::from_string(claims.as_json().to_owned()).ok(),
            Some(token) => result.token = Some(token),
        }
    }
    result
}

/// Decides on a token that says nothing by itself: by what those say who know it, for as long as they say.
async fn opaque(app: &App, token: &str, policy: &IssuerPolicy, patience: Patience) -> CheckResult {
    let found = app.basis.opaque.open(token, patience.0).await;
    let decision = match &found.claims {
        // That took a while: it is another moment.
        Ok(claims) => app.basis.decide(claims, policy, app.now(), patience.for_rules()).await,
        Err(reject) => Decision::refused(*reject),
    };
    CheckResult {
        use_for: Some(u64::try_from(found.left().as_millis()).unwrap_or(u64::MAX)),
        claims: found.claims.ok().and_then(|claims| RawValue::from_string(claims.as_json().to_owned()).ok()),
        ..result(app, decision)
    }
}

fn result(app: &App, decision: Decision) -> CheckResult {
    app.metrics.count_check(decision.verdict);
    CheckResult {
        detail: decision.verdict.map_or_else(Reject::detail, |()| "ok").to_owned(),
        subject: decision.subject,
        exp: decision.expires.map(seconds),
        vouched: decision.vouched,
        read_ago: in_milliseconds(decision.read_ago),
        ..CheckResult::default()
    }
}
