//! What the demo prints once everything answers: commands to try, each with the status that it gets.

use std::fmt;
use std::path::Path;

use serde_json::{Value, json};

use super::parts::{AUDIENCE, ISSUER, Places};
use crate::keys::SigningKey;
use crate::socket::Address;
use crate::token::{forge_signature, now, token};

/// How long the demo's tokens are good, seconds.
const LIFETIME: u64 = 24 * 3600;

/// The text, with fresh tokens.
pub(super) struct Invitation<'a> {
    pub(super) places: &'a Places,
    /// Empty when the agents use keys of which the demo knows only the public halves.
    pub(super) keys: &'a [SigningKey],
    pub(super) key_file: &'a Path,
    pub(super) haproxy_version: String,
}

/// The claims of a demo token, with some changed.
fn demo_token(key: &SigningKey, changes: Value) -> String {
    let mut claims = json!({"iss": ISSUER, "aud": AUDIENCE, "exp": now() + LIFETIME});
    if let (Some(claims), Value::Object(changes)) = (claims.as_object_mut(), changes) {
        claims.extend(changes);
    }
    token(key, claims)
}

impl Invitation<'_> {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.places.edge)
    }

    fn ask(&self, f: &mut fmt::Formatter<'_>, what: &str, status: u16, header: &str) -> fmt::Result {
        writeln!(f, "# {what} -> {status}\ncurl -i -H {header} {}\n", self.url("/"))
    }

    fn bearer(&self, f: &mut fmt::Formatter<'_>, what: &str, status: u16, token: &str) -> fmt::Result {
        self.ask(f, what, status, &format!("'Authorization: Bearer {token}'"))
    }

    fn without_token(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# no token -> 401\ncurl -i {}\n", self.url("/"))?;
        writeln!(f, "# no token, on a public path -> 200\ncurl -i {}\n", self.url("/public/"))?;
        self.ask(f, "a client that calls itself verified", 401, "'x-tkn-valid: 1'")
    }

    fn with_tokens(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for key in self.keys {
            let token = demo_token(key, json!({"sub": "alice", "roles": ["reader"]}));
            self.bearer(f, &format!("a valid {} token", key.algorithm), 200, &token)?;
        }
        let Some(key) = self.keys.first() else { return Ok(()) };
        let good = demo_token(key, json!({"sub": "alice"}));
        self.bearer(f, "expired", 401, &demo_token(key, json!({"exp": now() - 1})))?;
        self.bearer(f, "wrong signature", 401, &forge_signature(&good))?;
        self.bearer(f, "for another audience", 401, &demo_token(key, json!({"aud": "another"})))
    }

    fn revocation(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(key), Address::Unix(socket)) = (self.keys.first(), &self.places.token_server_socket) else {
            return Ok(());
        };
        let token = demo_token(key, json!({"sub": "mallory"}));
        let rules = format!("--unix-socket '{}' http://localhost/v1/rules/mallory", socket.display());
        self.bearer(f, "mallory's token", 200, &token)?;
        writeln!(f, "# revoke mallory -> 201")?;
        writeln!(
            f,
            "curl -i -H 'Content-Type: application/json' -d '{{\"rule\":{{\"sub\":\"mallory\"}}}}' {rules}\n"
        )?;
        self.bearer(f, "mallory's token, revoked", 401, &token)?;
        writeln!(f, "# un-revoke mallory -> 200\ncurl -i -X DELETE {rules}\n")?;
        self.bearer(f, "mallory's token again", 200, &token)
    }
}

impl fmt::Display for Invitation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{} on {}, two agents and a token-server answer. Keys: {}. Ctrl-C stops all of it.\n",
            self.haproxy_version,
            self.url("/"),
            self.key_file.display()
        )?;
        self.without_token(f)?;
        if self.keys.is_empty() {
            writeln!(f, "# a token of yours, from {ISSUER} for {AUDIENCE}")?;
            writeln!(f, "curl -i -H \"Authorization: Bearer $TOKEN\" {}\n", self.url("/"))?;
        }
        self.with_tokens(f)?;
        self.revocation(f)
    }
}
