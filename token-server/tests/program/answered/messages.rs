//! What senders tell at each inlet, and what they are promised by its answer.

use integration_tests::keys::key;
use integration_tests::token::{now, sign_raw};
use serde_json::{Value, json};

use super::{Answered, Ends, ISSUER, USERS};

/// What pushes to the stream show.
pub(super) const STREAM_SECRET: &str = "Bearer 0123456789abcdef";

/// What a sender of global revocations shows.
pub(super) const SENDERS_TOKEN: &str = "token-of-a-sender-1";

/// Where messages come in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Inlet {
    Logout,
    Push,
    Revoke,
    Global,
}

impl Inlet {
    pub(super) const ALL: [Self; 4] = [Self::Logout, Self::Push, Self::Revoke, Self::Global];

    /// What it needs of the configuration.
    pub(super) const fn tables(self) -> &'static str {
        match self {
            Self::Logout => "[[signals]]\nissuer = 'https://id.example'\naudiences = ['app']\n",
            Self::Push => {
                "[[ssf]]\nname = 'idp'\nissuer = 'https://id.example'\naudiences = ['app']\nkeys_file = 'FOLDER/keys.json'\n\
                 authorization_file = 'FOLDER/push'\n"
            }
            Self::Revoke | Self::Global => "",
        }
    }

    /// Where it is.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Logout => "/backchannel-logout",
            Self::Push => "/ssf/idp",
            Self::Revoke => "/revoke",
            Self::Global => "/global-token-revocation",
        }
    }

    /// The status of what was done.
    pub(super) const fn done(self) -> u16 {
        match self {
            Self::Logout | Self::Revoke => 200,
            Self::Push => 202,
            Self::Global => 204,
        }
    }

    /// A sender's message, as a request, and what its answer promises.
    pub(super) fn message(self, sender: usize, number: u64) -> (Answered, String) {
        // Each message about a user is a second later than the one before, and none is of the future.
        let (user, issued) = (format!("user-{sender}-{}", number % USERS), now() - 290 + number / USERS);
        let jti = format!("message-{sender}-{number}");
        let claims = json!({ "iss": ISSUER, "aud": "app", "iat": issued, "jti": jti });
        let until = Ends::IssuedUntil(issued);
        match self {
            Self::Logout => {
                let events = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
                let more = json!({ "exp": issued + 3_600, "sub": user, "events": events });
                let body = format!("logout_token={}", signed("logout+jwt", claims, more));
                let request = request(self.path(), FORM, "", &body);
                (Answered { user, ends: until, jti: Some(jti) }, request)
            }
            Self::Push => {
                let events =
                    json!({ "https://schemas.openid.net/secevent/caep/event-type/session-revoked": {} });
                let sub_id = json!({ "format": "iss_sub", "iss": ISSUER, "sub": user });
                let body = signed("secevent+jwt", claims, json!({ "sub_id": sub_id, "events": events }));
                let request = request(self.path(), "application/secevent+jwt", STREAM_SECRET, &body);
                (Answered { user, ends: until, jti: Some(jti) }, request)
            }
            Self::Revoke => {
                let more = json!({ "exp": issued + 3_600, "sub": user, "client_id": "app" });
                let body = format!("token={}", signed("at+jwt", claims, more));
                (Answered { user, ends: Ends::Token(jti), jti: None }, request(self.path(), FORM, "", &body))
            }
            Self::Global => {
                let body = json!({ "sub_id": { "format": "iss_sub", "iss": ISSUER, "sub": user } });
                let shown = format!("Bearer {SENDERS_TOKEN}");
                let request = request(self.path(), "application/json", &shown, &body.to_string());
                (Answered { user, ends: Ends::IssuedUntil(now()), jti: None }, request)
            }
        }
    }
}

pub(super) const FORM: &str = "application/x-www-form-urlencoded";

pub(super) fn signed(typ: &str, mut claims: Value, more: Value) -> String {
    let header = json!({ "alg": "ES256", "kid": key("ES256").kid, "typ": typ });
    if let (Some(claims), Value::Object(more)) = (claims.as_object_mut(), more) {
        claims.extend(more);
    }
    sign_raw(key("ES256"), &header.to_string(), &claims.to_string())
}

pub(super) fn request(path: &str, content_type: &str, authorization: &str, body: &str) -> String {
    let mut headers = vec![("content-type", content_type)];
    if !authorization.is_empty() {
        headers.push(("authorization", authorization));
    }
    crate::harness::head("POST", path, &headers, body.len()) + body
}
