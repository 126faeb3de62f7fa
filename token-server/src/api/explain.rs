//! `POST /v1/explain`: the verdict on a token or a payload, and which rules match it, condition by condition.
//!
//! The verdict is not about the signature, which is told beside it: a client that may ask this may also write rules.

mod conditions;
mod signed;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jose::{IssuerPolicy, Reason, Reject, TokenForm};
use rules::{Claims, Issued, Rule, Token};
use serde::Serialize;
use serde_json::value::RawValue;

use self::conditions::{ConditionView, conditions};
use self::signed::SignedView;
use super::app::App;
use super::error::ApiError;
use super::request::{Body, Document};
use super::rules::RuleView;
use crate::decide::{self, Decision};
use crate::encrypted::Opened;
use crate::payload::seconds;
use crate::revocations::load_deadline;
use crate::store::EVERYBODY;

/// Bytes of a token or a payload, with room for the JSON around it.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Rules that are read at a time.
const PAGE: usize = 1_000;

/// Matching rules that are told.
const MAX_MATCHES: usize = 100;

#[derive(Serialize)]
struct ExplanationView {
    valid: bool,
    reason: Reason,
    detail: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    /// What is said of the signature, which the verdict is not about: it is the agent's to verify.
    #[serde(flatten)]
    signed: SignedView,
    /// The payload that was judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Box<RawValue>>,
    /// Whether the token says when it was issued; if not, upper bounds on `iat` hit it.
    #[serde(skip_serializing_if = "Option::is_none")]
    issued: Option<&'static str>,
    /// Rules that match, at most [`MAX_MATCHES`]; those in shadow mode revoke nothing.
    matches: Vec<MatchView>,
}

#[derive(Serialize)]
struct MatchView {
    group: String,
    #[serde(flatten)]
    rule: RuleView,
    #[serde(flatten)]
    why: ConditionsView,
}

#[derive(Serialize)]
struct ConditionsView {
    /// Whether all conditions must hold, or any.
    needs: &'static str,
    conditions: Vec<ConditionView>,
}

/// What is to be explained.
enum Subject {
    Payload(Vec<u8>),
    Signed { payload: Vec<u8>, token: String },
    Undecodable(Reject),
}

/// `POST /v1/explain` with `{"token":".."}` or `{"payload":{..}}`.
pub(super) async fn explain(
    State(app): State<Arc<App>>,
    Body(body): Body<MAX_BODY_BYTES>,
) -> Result<Json<impl Serialize>, ApiError> {
    let now = app.now();
    let (payload, signed) = match Subject::read(Document::parse(&body)?, &app).await? {
        Subject::Payload(payload) => (payload, SignedView::default()),
        Subject::Signed { payload, token } => {
            (payload, SignedView::of(&token, app.trusted().as_deref(), now))
        }
        Subject::Undecodable(reject) => return Ok(Json(ExplanationView::refusal(reject))),
    };
    let policy = IssuerPolicy { leeway: app.max_leeway(), ..app.policy.clone() };
    let decision = match jose::Claims::parse(&payload) {
        Ok(claims) => decide::decide(&claims, &policy, app.revocations(), now, load_deadline()).await,
        Err(reject) => Decision::refused(reject),
    };
    let Decision { verdict, subject, expires, issued, vouched: _, read_ago: _ } = decision;
    let claims: Option<Claims> = serde_json::from_slice(&payload).ok();
    let matches = match &claims {
        Some(claims) => matches(&app, Token { claims, issued }, subject.as_deref(), seconds(now)).await?,
        None => Vec::new(),
    };
    Ok(Json(ExplanationView {
        valid: verdict.is_ok(),
        reason: verdict.map_or_else(Reject::reason, |()| Reason::Ok),
        detail: verdict.map_or_else(Reject::detail, |()| "ok"),
        subject,
        exp: expires.map(seconds),
        signed,
        issued: (issued == Issued::Unknown).then_some("unknown"),
        payload: String::from_utf8(payload).ok().and_then(|text| RawValue::from_string(text).ok()),
        matches,
    }))
}

impl Subject {
    async fn read(mut document: Document, app: &App) -> Result<Self, ApiError> {
        let token = document.take("token");
        let payload = document.take("payload");
        document.finish()?;
        match (token, payload) {
            (None, Some(payload)) => Ok(Self::Payload(payload.get().as_bytes().to_vec())),
            (Some(token), None) => {
                let token: String = serde_json::from_str(token.get())
                    .map_err(|_| ApiError::invalid("token", "is not a string"))?;
                Ok(Self::of_token(token.trim(), app).await)
            }
            (None, None) => Err(ApiError::invalid("token", "is missing, as is payload")),
            (Some(_), Some(_)) => Err(ApiError::invalid("payload", "comes beside a token; send one of them")),
        }
    }

    async fn of_token(token: &str, app: &App) -> Self {
        match TokenForm::of(token) {
            TokenForm::Jws => {
                token.split('.').nth(1).and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok()).map_or(
                    Self::Undecodable(Reject::Malformed),
                    |payload| Self::Signed { payload, token: token.to_owned() },
                )
            }
            TokenForm::Jwe => match app.basis.decryption.open(token).await {
                Ok(Opened { claims, nested: None, .. }) => Self::Payload(claims.as_json().into()),
                Ok(Opened { claims, nested: Some(token), .. }) => {
                    Self::Signed { payload: claims.as_json().into(), token }
                }
                Err(reject) => Self::Undecodable(reject),
            },
            TokenForm::Opaque | TokenForm::Other => Self::Undecodable(Reject::Malformed),
        }
    }
}

impl ExplanationView {
    fn refusal(reject: Reject) -> Self {
        Self {
            valid: false,
            reason: reject.reason(),
            detail: reject.detail(),
            subject: None,
            exp: None,
            signed: SignedView::default(),
            issued: None,
            payload: None,
            matches: Vec::new(),
        }
    }
}

/// Every rule of everybody and of the subject that matches: a verdict needs but one, an operator wants to see all.
async fn matches(
    app: &Arc<App>,
    token: Token<'_>,
    subject: Option<&str>,
    now: i64,
) -> Result<Vec<MatchView>, ApiError> {
    let own = subject.filter(|subject| *subject != EVERYBODY);
    let mut found = Vec::new();
    for group in [Some(EVERYBODY), own].into_iter().flatten() {
        let mut after = None;
        loop {
            let page = app.revocations().page(group, after.as_ref(), PAGE).await?;
            let hits = page.rules.into_iter().filter(|stored| !stored.expire_at.has_passed(now));
            let hits: Vec<_> = hits.filter_map(|stored| Some((why(&stored.json, token)?, stored))).collect();
            let texts = hits.iter().map(|(_, stored)| stored.json.clone()).collect();
            let mut annotations = app.annotations().of_rules(group, texts).await?;
            for (why, stored) in hits {
                let annotation = annotations.remove(&stored.json);
                let rule = RuleView::enforced(stored, annotation);
                found.push(MatchView { group: group.to_owned(), rule, why });
            }
            after = page.next;
            if after.is_none() || found.len() >= MAX_MATCHES {
                break;
            }
        }
        for (json, annotation) in app.annotations().tried(group).await? {
            if !annotation.end().has_passed(now)
                && let Some(why) = why(&json, token)
            {
                let hits = app.annotations().shadows().hits(group, &json);
                let rule = RuleView::tried(json, annotation, hits);
                found.push(MatchView { group: group.to_owned(), rule, why });
            }
        }
    }
    found.truncate(MAX_MATCHES);
    Ok(found)
}

/// How a rule's conditions stand, if it matches.
fn why(json: &str, token: Token<'_>) -> Option<ConditionsView> {
    let rule = Rule::parse(json).ok()?;
    rule.matches(token).then(|| {
        let (needs, conditions) = conditions(json, token);
        ConditionsView { needs, conditions }
    })
}
