//! `POST /revoke`: token revocation (RFC 7009), for JWTs that no other endpoint can revoke.
//!
//! - A client revokes its own tokens: the token says in `client_id`, else `azp`, to whom it was issued (an issuer's `claim_names` may
//!   call `client_id` something else). With `TOKEN_SERVER__REVOKE__CLIENTS_FILE` a client proves itself by its secret; without it the
//!   token is the proof, and a parameter `client_id` has to be the token's.
//! - An access token counts if a key that is trusted for access tokens has signed it, whatever its audience and the policy of a
//!   route say. One that is encrypted to this server is revoked by what is inside.
//! - 200, and nothing is done, for a token that is refused anyway: expired, unknown, badly signed (section 2.2).
//! - `unsupported_token_type` (section 2.2.1) for what is no JWT, such as a refresh token: 200 would tell a client that its
//!   token is revoked, which only its issuer can do. Also for a JWT of another kind, and for one that no rule could tell from others.
//! - `token_type_hint` decides nothing: there is one kind of tokens here.
//! - No CORS header is sent (section 2.3 leaves it open): a browser's client can ask, and learns nothing of the answer; HAProxy can
//!   add what an application needs. There is no JSONP.
//!
//! The rule is `{"iss":I,"jti":J}` in the group of the token's subject, and lives as long as the token; see [`token`].

mod asking;
mod token;

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequest as _, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use self::asking::{Asked, Fault, Proven};
use self::token::{Issued, Unrevoked};
use super::Signals;
use super::answer::Unavailable;
use super::belief::Disbelief;
use super::desk::Heard;
use super::metrics::Outcome;
use super::signature::Unverified;
use super::told::Kind;

/// `POST /revoke`
pub(super) async fn revoke(State(signals): State<Arc<Signals>>, request: Request) -> Response {
    match signals.revoke(request).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// Why a request is not answered 200.
enum Refusal {
    Asked(Fault),
    TooLarge,
    NotYours,
    Unsupported(&'static str),
    /// The answer is made.
    Later(Box<Response>),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Asked(fault)
    }
}

impl Signals {
    async fn revoke(&self, request: Request) -> Result<(), Refusal> {
        let Asked { token, client } = self.asked(request).await.inspect_err(|refusal| {
            self.not_believed(Outcome::Refused, &Disbelief::because(refusal.why()));
        })?;
        let in_use = self.in_use.load_full();
        let signed = match self.verified(&in_use, token).await {
            Ok(signed) => signed,
            Err(Unverified::Unsupported(why)) => return Err(self.unsupported(why)),
            Err(Unverified::Refused(disbelief @ Disbelief::Refused { .. })) => {
                self.not_believed(Outcome::Refused, &disbelief);
                return Ok(());
            }
            Err(Unverified::Refused(disbelief @ (Disbelief::NoKeys | Disbelief::Crowded))) => {
                self.not_believed(Outcome::Failed, &disbelief);
                return Err(Refusal::later(Unavailable::default()));
            }
        };
        let issued = Issued { in_use: &in_use.settings, now: (self.clock)() };
        let told = match issued.told(&signed, &client) {
            Ok(told) => told,
            Err(Unrevoked::Useless) => {
                self.metrics.count(Kind::Revoke, Outcome::Ignored);
                return Ok(());
            }
            Err(Unrevoked::NotYours) => {
                let why = "the token was issued to another client, or does not say to which";
                self.not_believed(Outcome::Refused, &Disbelief::because(why));
                return Err(Refusal::NotYours);
            }
            Err(Unrevoked::Unsupported(why)) => return Err(self.unsupported(why)),
        };
        match self.desk.hear(told).await {
            // By configuration: the issuer's messages are only tried.
            Ok(Heard::Revoked | Heard::Known | Heard::Tried) => Ok(()),
            Ok(Heard::Inexact | Heard::Ignored) => Err(Refusal::Unsupported("no rule can name the token")),
            Err(unheard) => Err(Refusal::later(unheard)),
        }
    }

    /// What is asked, and by whom. What the header `Authorization` shows is judged before the body is read.
    async fn asked(&self, request: Request) -> Result<Asked, Refusal> {
        if request.uri().query().is_some_and(|query| !query.is_empty()) {
            return Err(Fault::Request("parameters stand in the body, never in the URL").into());
        }
        let known = self.clients.as_ref().map(|file| file.current());
        let authorizations = request.headers().get_all(header::AUTHORIZATION).iter();
        let proven = Proven::by_header(authorizations.map(HeaderValue::as_bytes), known.as_deref())?;
        let form: Result<Form<Vec<(String, String)>>, FormRejection> = Form::from_request(request, &()).await;
        let Form(parameters) = form.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Refusal::TooLarge,
            _ => Fault::Request("the body is no application/x-www-form-urlencoded form").into(),
        })?;
        Ok(Asked::read(parameters, proven, known.as_deref())?)
    }

    fn unsupported(&self, why: &'static str) -> Refusal {
        self.not_believed(Outcome::Refused, &Disbelief::because(why));
        Refusal::Unsupported(why)
    }

    fn not_believed(&self, outcome: Outcome, why: &Disbelief) {
        self.log_disbelief(Kind::Revoke, why);
        self.metrics.count(Kind::Revoke, outcome);
    }
}

impl Refusal {
    fn later(answer: impl IntoResponse) -> Self {
        Self::Later(Box::new(answer.into_response()))
    }

    fn why(&self) -> String {
        match self {
            Self::Asked(fault) => fault.to_string(),
            Self::TooLarge => "the body is longer than 64 KiB".to_owned(),
            Self::NotYours => "the token was not issued to this client".to_owned(),
            Self::Unsupported(why) => (*why).to_owned(),
            Self::Later(_) => "the token cannot be revoked now".to_owned(),
        }
    }
}

impl IntoResponse for Refusal {
    /// RFC 6749 section 5.2. That a secret is wrong and that a client is not known is one answer.
    fn into_response(self) -> Response {
        let (status, error, basic) = match self {
            Self::Later(response) => return *response,
            Self::Asked(Fault::Request(_)) => (StatusCode::BAD_REQUEST, "invalid_request", false),
            Self::Asked(Fault::Client { basic, .. }) => (StatusCode::UNAUTHORIZED, "invalid_client", basic),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", false),
            Self::NotYours => (StatusCode::BAD_REQUEST, "invalid_grant", false),
            Self::Unsupported(_) => (StatusCode::BAD_REQUEST, "unsupported_token_type", false),
        };
        let description = match &self {
            Self::Asked(Fault::Client { .. }) => "the client did not prove itself".to_owned(),
            _ => self.why(),
        };
        let mut response =
            (status, Json(json!({ "error": error, "error_description": description }))).into_response();
        if basic {
            let challenge = HeaderValue::from_static("Basic realm=\"revocation\", charset=\"UTF-8\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
