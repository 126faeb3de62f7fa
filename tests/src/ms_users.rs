//! What ms-users does to its users' sessions: the tokens that it issues and the rules that it writes, where and how.

use std::cell::Cell;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use serde_json::{Value, json};

use crate::stores::{Consul, Redis};
use crate::token::{encrypted, now};

const KEY: [u8; 64] = [7; 64];
const KID: &str = "stateless";

/// How long its tokens live, in seconds.
const REFRESH_TTL: u64 = 86_400;
const ACCESS_TTL: u64 = 3_600;

/// The key list of a token-server that opens its tokens.
pub fn keys() -> String {
    json!([{"kty": "oct", "kid": KID, "k": BASE64_URL_SAFE_NO_PAD.encode(KEY), "default": true}]).to_string()
}

/// A token of any claims under its key.
pub fn sealed(claims: &Value) -> String {
    encrypted(&KEY, KID, &claims.to_string())
}

/// A token, and the claims in it.
#[derive(Debug, Clone)]
pub struct Issued {
    pub token: String,
    pub claims: Value,
}

/// What a user holds after a login.
#[derive(Debug, Clone)]
pub struct Pair {
    pub access: Issued,
    pub refresh: Issued,
}

/// The service, with a clock of its own that never shows the same millisecond twice.
#[derive(Debug)]
pub struct MsUsers {
    milliseconds: Cell<u64>,
    serial: Cell<u64>,
}

/// Where its rules go: Redis, then Consul if it has one.
#[derive(Debug, Clone, Copy)]
pub struct Writer<'a> {
    pub redis: &'a Redis,
    pub consul: Option<&'a Consul>,
}

impl Default for MsUsers {
    fn default() -> Self {
        Self { milliseconds: Cell::new(now() * 1_000), serial: Cell::new(7_140_000_000_000_000_000) }
    }
}

impl MsUsers {
    /// A new session of a user with one of its applications.
    pub fn login(&self, username: &str, audience: &str) -> Pair {
        let exp = now() + REFRESH_TTL;
        let refresh = self.issue(audience, json!({"username": username, "exp": exp, "irt": 1}));
        let access = self.access(username, audience, &refresh);
        Pair { access, refresh }
    }

    /// Another access token for the same refresh token; older ones of it are revoked.
    pub fn refresh(&self, writer: Writer<'_>, pair: &Pair) -> Pair {
        let (username, audience) = (text(&pair.refresh, "username"), text(&pair.refresh, "aud"));
        let access = self.access(username, audience, &pair.refresh);
        let rule = json!({"rt": pair.refresh.claims["cs"], "iat": {"lt": access.claims["iat"]}});
        self.write(writer, username, &rule, expiry(&pair.refresh));
        Pair { access, refresh: pair.refresh.clone() }
    }

    /// The same where refresh tokens rotate: a new pair for the old one, which is revoked.
    pub fn rotate(&self, writer: Writer<'_>, pair: &Pair) -> Pair {
        let fresh = self.login(text(&pair.refresh, "username"), text(&pair.refresh, "aud"));
        self.logout(writer, pair);
        fresh
    }

    /// The end of a session: its refresh token and all access tokens of it.
    pub fn logout(&self, writer: Writer<'_>, pair: &Pair) {
        let cs = &pair.refresh.claims["cs"];
        let rule = json!({"_or": true, "cs": cs, "rt": cs});
        self.write(writer, text(&pair.refresh, "username"), &rule, expiry(&pair.refresh));
    }

    /// The end of all sessions of a user, for good: a rule without an end.
    pub fn reset(&self, writer: Writer<'_>, username: &str) {
        self.write(writer, username, &json!({"iat": {"lte": self.tick()}}), 0);
    }

    /// Writes a rule for a user, or `g` for everybody, as an administrator would; again, with another end, it changes
    /// that.
    pub fn write(&self, writer: Writer<'_>, group: &str, rule: &Value, expire_at: i64) {
        writer.redis.write(group, &rule.to_string(), expire_at);
        if let Some(consul) = writer.consul {
            consul.tell(group, &self.tick().to_string());
        }
    }

    fn access(&self, username: &str, audience: &str, refresh: &Issued) -> Issued {
        let metadata = json!({"alias": username, "roles": ["viewer"], "org": {"id": 12345678901234567_i64}});
        let claims = json!({
            "username": username,
            "metadata": metadata,
            "exp": now() + ACCESS_TTL,
            "rt": refresh.claims["cs"],
        });
        self.issue(audience, claims)
    }

    fn issue(&self, audience: &str, mut claims: Value) -> Issued {
        self.serial.set(self.serial.get() + 1);
        claims["cs"] = json!(self.serial.get().to_string());
        claims["iat"] = json!(self.tick());
        claims["st"] = json!(1);
        claims["iss"] = json!("ms-users");
        claims["aud"] = json!(audience);
        Issued { token: sealed(&claims), claims }
    }

    fn tick(&self) -> u64 {
        self.milliseconds.set(self.milliseconds.get() + 1);
        self.milliseconds.get()
    }
}

fn text<'a>(issued: &'a Issued, claim: &str) -> &'a str {
    issued.claims[claim].as_str().unwrap_or_default()
}

fn expiry(issued: &Issued) -> i64 {
    issued.claims["exp"].as_i64().unwrap_or_default()
}
