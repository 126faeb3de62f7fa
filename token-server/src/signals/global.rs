//! `POST /global-token-revocation`: all tokens of a user end (draft-parecki-oauth-global-token-revocation-06), as Okta's Universal
//! Logout asks for it.
//!
//! - A sender shows a bearer token of `TOKEN_SERVER__GLOBAL_REVOCATION__TOKENS_FILE`, or one that the issuer of a `[[signals]]` table
//!   has signed for this purpose ([`assertion`]). One that is bound to an issuer speaks of its users alone. Any other has to name the
//!   issuer in `iss_sub`, unless one issuer alone is trusted.
//! - The rule is `{"iss":I,"iat":{"lte":now}}` in the user's group, by this server's clock; 204 once it is durable.
//! - 404 is never answered, since users are not known here: a token of one whom this server never saw may be in use at another
//!   time or place. The rule is written for whom the request names.
//! - 400 for a request that cannot be read, and for a format of subjects that no claim of a token holds; 403 for users of another
//!   issuer than the sender may speak of; 422 where the rest cannot be mapped to a rule: then the rule is only tried, and an
//!   operator is told.

mod assertion;
mod issuer;

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jose::{Claims, TokenForm};
use serde_json::{Value, json};

use self::assertion::Asserted;
use self::issuer::Spoken;
use super::answer::Unavailable;
use super::belief::Disbelief;
use super::desk::Heard;
use super::metrics::Outcome;
use super::signature::Unverified;
use super::subject::{Mapping, Subject, Unmapped, Voice};
use super::told::{End, Kind, Told, Weight};
use super::{InUse, Signals};
use crate::revokers::Bound;
use crate::store::Mode;

/// `POST /global-token-revocation`
pub(super) async fn revoke_all(State(signals): State<Arc<Signals>>, request: Request) -> Response {
    match signals.revoke_all(request).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// Why a request is not answered 204.
enum Refusal {
    /// No token, or none that is known; whether one was shown.
    Unknown(bool),
    /// One that an issuer has signed, and that is not for this.
    Assertion(&'static str),
    Request(String),
    TooLarge,
    Foreign,
    Unmapped(Unmapped),
    /// The answer is made.
    Later(Box<Response>),
}

/// Who asks.
struct Sender {
    /// The issuer of whose users it may speak; absent: of each.
    issuer: Option<Arc<str>>,
    /// The request's own name, if it has one.
    jti: Option<String>,
}

impl Signals {
    async fn revoke_all(&self, request: Request) -> Result<(), Refusal> {
        let in_use = self.in_use.load_full();
        let told = self.told(&in_use, request).await.inspect_err(|refusal| {
            self.log_disbelief(Kind::Global, &Disbelief::because(refusal.why()));
            let failed = matches!(refusal, Refusal::Later(_));
            self.metrics.count(Kind::Global, if failed { Outcome::Failed } else { Outcome::Refused });
        });
        let (told, unmapped) = told?;
        let heard = self.desk.hear(told).await.map_err(Refusal::later)?;
        match (unmapped, heard) {
            (Some(unmapped), _) => Err(Refusal::Unmapped(unmapped)),
            (None, Heard::Inexact | Heard::Ignored) => Err(Refusal::Unmapped(Unmapped::Unnameable)),
            (None, Heard::Revoked | Heard::Known | Heard::Tried) => Ok(()),
        }
    }

    /// What a sender that is believed tells, and why that cannot be mapped. The body is read once it is believed.
    async fn told(&self, in_use: &Arc<InUse>, request: Request) -> Result<(Told, Option<Unmapped>), Refusal> {
        let (head, body) = request.into_parts();
        let asks = self.sender(in_use, &head.headers).await?;
        let subject = subject(Request::from_parts(head, body)).await?;
        let foreign_or = |fault: issuer::Fault| match fault {
            issuer::Fault::Foreign => Refusal::Foreign,
            fault => Refusal::Request(fault.to_string()),
        };
        let settings = &in_use.settings;
        let Spoken { names, policy } =
            Spoken::of(settings.trust.as_ref(), asks.issuer.as_deref(), &subject).map_err(foreign_or)?;
        let sender: Arc<str> = policy.name().or(names.first().map(String::as_str)).unwrap_or_default().into();
        let by = asks.issuer.or_else(|| names.first().map(|name| name.as_str().into())).unwrap_or_default();
        let voice = Voice { issuers: &names, email: settings.email, tenant_claim: None };
        let (places, unmapped) = match subject.ends(&voice) {
            Mapping::Exact(places) => (places, None),
            Mapping::Inexact { near, because } => (near, Some(because)),
            Mapping::Foreign => return Err(Refusal::Foreign),
        };
        let lifetime = policy.requirements.max_lifetime;
        let hold = lifetime.map_or(settings.hold, |lifetime| lifetime.saturating_add(policy.leeway.end));
        let at = (self.clock)().as_millis().div_euclid(1_000);
        let ends = places.into_iter().map(|place| End {
            issuers: names.clone(),
            group: place.group.clone(),
            which: place.which(at),
            hold,
        });
        let ends = ends.collect();
        let provider = settings.providers.iter().find(|provider| provider.issuer == sender);
        let weight = match unmapped {
            Some(unmapped) => Weight::Inexact(unmapped.to_string()),
            None if provider.is_some_and(|provider| provider.mode == Mode::Shadow) => Weight::Shadow,
            None => Weight::Enforce,
        };
        Ok((Told { kind: Kind::Global, sender, by, jti: asks.jti, ends, weight }, unmapped))
    }

    async fn sender(&self, in_use: &Arc<InUse>, headers: &HeaderMap) -> Result<Sender, Refusal> {
        let mut shown = headers.get_all(header::AUTHORIZATION).iter();
        let shown = match (shown.next(), shown.next()) {
            (Some(shown), None) => shown.to_str().map_err(|_| Refusal::Unknown(true))?,
            (Some(_), Some(_)) => return Err(Refusal::Request("two Authorization headers".to_owned())),
            (None, _) => return Err(Refusal::Unknown(false)),
        };
        let senders = self.senders.as_ref().map(|file| file.current());
        if let Some(Bound(issuer)) = senders.and_then(|senders| senders.shown(shown)) {
            return Ok(Sender { issuer, jti: None });
        }
        let bearer = shown.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let Some((_, token)) = bearer.filter(|(_, token)| TokenForm::of(token) == TokenForm::Jws) else {
            return Err(Refusal::Unknown(true));
        };
        let signed = match self.verified(in_use, token.to_owned()).await {
            Ok(signed) => signed,
            Err(Unverified::Refused(Disbelief::NoKeys | Disbelief::Crowded)) => {
                return Err(Refusal::later(Unavailable::default()));
            }
            Err(Unverified::Refused(Disbelief::Refused { .. }) | Unverified::Unsupported(_)) => {
                return Err(Refusal::Unknown(true));
            }
        };
        let Asserted { issuer, jti } =
            Asserted::read(&signed, &in_use.settings, (self.clock)()).map_err(Refusal::Assertion)?;
        Ok(Sender { issuer: Some(issuer), jti: Some(jti) })
    }
}

/// The one member of the body.
async fn subject(request: Request) -> Result<Subject, Refusal> {
    let why = |why: &str| Refusal::Request(why.to_owned());
    let is_json = |value: &HeaderValue| {
        let media_type = value.to_str().ok().and_then(|value| value.split(';').next());
        media_type.is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/json"))
    };
    if !request.headers().get(header::CONTENT_TYPE).is_some_and(is_json) {
        return Err(why("the Content-Type is not application/json"));
    }
    let body = Bytes::from_request(request, &()).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::TooLarge,
        _ => why("the body was cut off"),
    })?;
    let claims =
        Claims::parse(&body).map_err(|_| why("the body is no JSON object whose members are unique"))?;
    let body: Value = serde_json::from_str(claims.as_json()).map_err(|_| why("the body is no JSON"))?;
    let members = body.as_object().ok_or(why("the body is no JSON object"))?;
    let told = members.get("sub_id").ok_or(why("the member sub_id is missing"))?;
    if members.len() > 1 {
        return Err(why("the body has a member beside sub_id"));
    }
    Subject::parse(told).map_err(|fault| Refusal::Request(fault.to_string()))
}

impl Refusal {
    fn later(answer: impl IntoResponse) -> Self {
        Self::Later(Box::new(answer.into_response()))
    }

    fn why(&self) -> String {
        match self {
            Self::Unknown(false) => "no bearer token is shown".to_owned(),
            Self::Unknown(true) => "the bearer token is not known".to_owned(),
            Self::Assertion(why) => (*why).to_owned(),
            Self::Request(why) => why.clone(),
            Self::TooLarge => "the body is longer than 64 KiB".to_owned(),
            Self::Foreign => "the subject is of another issuer than the sender may speak of".to_owned(),
            Self::Unmapped(unmapped) => unmapped.to_string(),
            Self::Later(_) => "the tokens cannot be revoked now".to_owned(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, error) = match self {
            Self::Later(response) => return *response,
            Self::Unknown(_) | Self::Assertion(_) => (StatusCode::UNAUTHORIZED, "invalid_token"),
            Self::Request(_) | Self::Unmapped(Unmapped::Format(_) | Unmapped::EmailIsOff) => {
                (StatusCode::BAD_REQUEST, "invalid_request")
            }
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "invalid_request"),
            Self::Foreign => (StatusCode::FORBIDDEN, "access_denied"),
            Self::Unmapped(Unmapped::Member(_) | Unmapped::Unnameable) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "unprocessable")
            }
        };
        let description = match &self {
            // One answer for each cause.
            Self::Assertion(_) => Self::Unknown(true).why(),
            _ => self.why(),
        };
        let mut response =
            (status, Json(json!({ "error": error, "error_description": description }))).into_response();
        // RFC 6750 section 3.1: no error code for a request without a token.
        let challenge = match self {
            Self::Unknown(false) => Some("Bearer realm=\"revocation\""),
            Self::Unknown(true) | Self::Assertion(_) => {
                Some("Bearer realm=\"revocation\", error=\"invalid_token\"")
            }
            _ => None,
        };
        if let Some(challenge) = challenge {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}
