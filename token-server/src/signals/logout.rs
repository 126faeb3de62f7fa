//! `POST /backchannel-logout`: OpenID Connect Back-Channel Logout 1.0 (errata set 1), sections 2.4 to 2.8.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jose::{Claim, IssuerName, SecurityEvent, UnixTime, unverified_claims};
use serde_json::json;

use super::Signals;
use super::age::{Age, has_ended};
use super::answer::Unavailable;
use super::belief::{Disbelief, EventKeys};
use super::metrics::Outcome;
use super::told::{End, Group, Kind, Told, Weight, Which};
use crate::config::Signals as Settings;
use crate::config::signals::{Provider, Scope};
use crate::store::Mode;

pub(super) const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The media types that a logout token's `typ` may be: the last is what older providers write.
const TYPES: [&str; 2] = ["logout+jwt", "JWT"];

/// Bytes of a session's name: a rule is no place for more.
const MAX_SID_BYTES: usize = 512;

pub(super) async fn logout(
    State(signals): State<Arc<Signals>>,
    form: Result<Form<Vec<(String, String)>>, FormRejection>,
) -> Response {
    let believed = match token_of(form) {
        Ok(token) => signals.believe_logout(token).await,
        Err(disbelief) => Err(disbelief),
    };
    let told = match believed {
        Ok(told) => told,
        Err(disbelief) => return signals.disbelieved(&disbelief),
    };
    match signals.desk.hear(told).await {
        Ok(_) => StatusCode::OK.into_response(),
        Err(unheard) => unheard.into_response(),
    }
}

fn token_of(form: Result<Form<Vec<(String, String)>>, FormRejection>) -> Result<String, Disbelief> {
    let Form(parameters) = form.map_err(|rejection| Disbelief::because(rejection.body_text()))?;
    let mut tokens = parameters.into_iter().filter(|(name, _)| name == "logout_token");
    match (tokens.next(), tokens.next()) {
        (Some((_, token)), None) => Ok(token),
        _ => Err(Disbelief::because("there is not one logout_token")),
    }
}

impl Signals {
    async fn believe_logout(&self, token: String) -> Result<Told, Disbelief> {
        let (in_use, now) = (self.in_use.load_full(), (self.clock)());
        let (ring, judging) = (Arc::clone(&in_use.keys), Arc::clone(&in_use));
        let choose = move |token: &str| {
            let provider = provider_of(&in_use.settings, token)?;
            let (names, set, algorithms) = (provider.names.clone(), provider.keys, provider.algorithms);
            let name = Arc::clone(&provider.issuer);
            Ok((EventKeys { name, names, set, algorithms }, provider.clone()))
        };
        let judge =
            move |event: &SecurityEvent, provider: &Provider| told(event, provider, &judging.settings, now);
        self.believe(&ring, token, choose, judge).await
    }

    fn disbelieved(&self, disbelief: &Disbelief) -> Response {
        self.log_disbelief(Kind::Logout, disbelief);
        match disbelief {
            Disbelief::Refused { .. } => {
                self.metrics.count(Kind::Logout, Outcome::Refused);
                (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_request" }))).into_response()
            }
            Disbelief::NoKeys | Disbelief::Crowded => {
                self.metrics.count(Kind::Logout, Outcome::Failed);
                Unavailable::default().into_response()
            }
        }
    }
}

/// Whose message it says it is.
fn provider_of<'s>(settings: &'s Settings, token: &str) -> Result<&'s Provider, Disbelief> {
    let claims = unverified_claims(token).map_err(|reject| Disbelief::because(reject.detail()))?;
    let named = |provider: &&Provider| provider.names.iter().any(|name| name.is_told_by(&claims));
    let provider = settings.providers.iter().find(named);
    provider
        .filter(|provider| provider.logout)
        .ok_or_else(|| Disbelief::because("its iss is no issuer whose logout tokens are accepted"))
}

/// What a logout token tells, if it is one, for us, and of now.
pub(super) fn told(
    event: &SecurityEvent,
    provider: &Provider,
    settings: &Settings,
    now: UnixTime,
) -> Result<Told, Disbelief> {
    let because = |why: &str| Err(Disbelief::because(why));
    if event.typ.is_some() && !TYPES.iter().any(|accepted| event.has_type(accepted)) {
        return because("its typ is another than logout+jwt");
    }
    if !event.event(EVENT).is_some_and(|holds| holds.starts_with('{')) {
        return because("its events hold no back-channel logout");
    }
    if event.claims.get("nonce").is_some() {
        return because("it has a nonce, as an ID token");
    }
    if !event.is_for(&provider.audiences) {
        return because("its aud is none of the audiences of its [[signals]] table");
    }
    let Some(jti) = event.jti.clone().filter(|jti| !jti.is_empty()) else {
        return because("it has no jti");
    };
    match Age::of(event.issued, settings.max_age, provider.leeway.start, now) {
        Age::Recent => {}
        Age::Future => return because("its iat is in the future"),
        Age::Old => return because("its iat is older than TOKEN_SERVER__SIGNALS__MAX_AGE"),
    }
    if event.expires.is_some_and(|expires| has_ended(expires, provider.leeway.end, now)) {
        return because("it has expired");
    }
    let subject = text(event, &provider.subject_claim)?;
    let sid = text(event, "sid")?;
    if sid.as_ref().is_some_and(|sid| sid.len() > MAX_SID_BYTES) {
        return because("its sid is too long");
    }
    if subject
        .as_ref()
        .is_some_and(|subject| subject == jose::EVERYBODY || subject.len() > jose::MAX_GROUP_BYTES)
    {
        return because("its subject can have no group of rules");
    }
    let until = || Which::IssuedUntil {
        at: event.issued.as_millis().saturating_add(999).div_euclid(1_000),
        and: Vec::new(),
    };
    let (group, which) = match (subject, sid, provider.scope) {
        (None, None, _) => return because("it names neither a subject nor a session"),
        (None, Some(sid), _) => (Group::Everybody, Which::Session(sid)),
        (Some(subject), Some(sid), Scope::Session) => (Group::Subject(subject), Which::Session(sid)),
        (Some(subject), _, Scope::Subject | Scope::Session) => (Group::Subject(subject), until()),
    };
    Ok(Told {
        kind: Kind::Logout,
        sender: Arc::clone(&provider.issuer),
        by: event.issuer.as_str().into(),
        jti: Some(jti),
        ends: vec![End {
            issuers: IssuerName::all_of(&provider.names, &event.claims),
            group,
            which,
            hold: provider.hold,
        }],
        weight: match provider.mode {
            Mode::Enforce => Weight::Enforce,
            Mode::Shadow => Weight::Shadow,
        },
    })
}

/// A claim that names something: a text that is not empty, or a number as subjects are written.
fn text(event: &SecurityEvent, name: &str) -> Result<Option<String>, Disbelief> {
    match event.claims.get(name) {
        None => Ok(None),
        Some(Claim::String(text)) if !text.is_empty() => Ok(Some(text.into_owned())),
        Some(_) => Err(Disbelief::because(format!("its {name} is empty, or no text"))),
    }
}
