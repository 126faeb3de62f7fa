//! The requests, what is right for each, and how what comes of one is told.

use std::fmt;

use integration_tests::backend::Backend;
use integration_tests::http::{Request, Response};
use integration_tests::keys::{SigningKey, key};
use integration_tests::token::{claims, forge_signature, hs256_under, now, sign, sign_raw, unsigned};
use serde_json::{Value, json};

/// An issuer with a key, and one that it will publish next.
pub(crate) struct Issuer {
    pub(crate) key: &'static SigningKey,
    pub(crate) next: &'static SigningKey,
}

impl Issuer {
    pub(crate) fn of(algorithm: &'static str) -> Self {
        let next = Box::leak(Box::new(SigningKey::generate(algorithm, "next")));
        Self { key: key(algorithm), next }
    }

    /// A good token, changed by `changes`.
    fn token(&self, changes: Value) -> String {
        sign(self.key, &Self::claims(changes))
    }

    fn claims(changes: Value) -> Value {
        let mut all = json!({"iss": "https://id.example.com", "aud": "my-api", "scope": "read"});
        if let (Some(all), Value::Object(changes)) = (all.as_object_mut(), changes) {
            all.extend(changes);
        }
        claims(all)
    }

    pub(crate) fn token_of_the_new_key(&self) -> String {
        sign(self.next, &Self::claims(json!({})))
    }

    /// With another `typ`.
    fn token_of_type(&self, kind: &str) -> String {
        let header = json!({"alg": self.key.algorithm, "kid": self.key.kid, "typ": kind});
        sign_raw(self.key, &header.to_string(), &Self::claims(json!({})).to_string())
    }

    /// Under an algorithm that the key is not for, with what a stranger may know.
    fn token_of_another_algorithm(&self) -> String {
        let secret =
            if self.key.algorithm == "HS256" { b"guessed".to_vec() } else { self.key.pem().into_bytes() };
        hs256_under(&secret, &self.key.kid, &Self::claims(json!({})))
    }
}

/// One request, and what must come of it.
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) right: &'static str,
    request: Request,
}

/// What came of a request.
pub(crate) enum Outcome {
    Status(u16),
    /// It reached the application with a user that the client chose.
    Forged,
    /// It reached the application without the user of its token, or with another.
    OtherUser,
    /// The connection ended without an answer.
    Closed,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Forged => f.write_str("200, with a forged user"),
            Self::OtherUser => f.write_str("200, without the user"),
            Self::Closed => f.write_str("closed"),
        }
    }
}

/// The user that clients make up.
const FORGED: &str = "root";

/// Sends a row's request, and looks at what the application saw.
pub(crate) fn outcome(application: &Backend, send: impl Fn(&[u8]) -> Option<Response>, row: &Row) -> Outcome {
    let before = application.seen().len();
    let Some(response) = send(&row.request.to_bytes()) else { return Outcome::Closed };
    let seen = application.seen().split_off(before);
    assert_eq!(seen.len(), usize::from(response.status == 200), "{}: {response}", row.what);
    let Some(seen) = seen.first() else { return Outcome::Status(response.status) };
    let is_forged = seen.headers.iter().any(|(name, value)| {
        let folded: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        folded.eq_ignore_ascii_case("xuser") && value == FORGED
    });
    match seen.header("x-user") {
        _ if is_forged => Outcome::Forged,
        Some("alice") => Outcome::Status(200),
        _ if seen.line.starts_with("GET /other") => Outcome::Status(200),
        _ => Outcome::OtherUser,
    }
}

/// Every row, for this issuer.
pub(crate) fn rows(issuer: &Issuer) -> Vec<Row> {
    let api = || Request::get("/api/x");
    let with = |changes: Value| api().bearer(&issuer.token(changes));
    let good = issuer.token(json!({}));
    let bearer = |token: &str| api().bearer(token);
    let spoofed = |name: &str| bearer(&good).header(name, FORGED);
    let other = "https://other.example";
    let rows = [
        ("a good token", "200", bearer(&good)),
        ("`bearer` in small letters", "200", api().header("Authorization", format!("bearer {good}"))),
        ("two scopes", "200", with(json!({"scope": "write read"}))),
        ("the audience among others", "200", with(json!({"aud": ["my-api", "other"]}))),
        ("a key that the issuer published since", "200", bearer(&issuer.token_of_the_new_key())),
        ("a path of the other backend, without a token", "200", Request::get("/other")),
        ("no token", "401", api()),
        ("another path that leads there, without a token", "401", Request::get("/API/x")),
        ("another scheme", "401", api().header("Authorization", "Basic YTpi")),
        ("a text that is no token", "401", bearer("a.b.c")),
        ("a forged signature", "401", bearer(&forge_signature(&good))),
        ("`alg` `none`", "401", bearer(&unsigned("none", &Issuer::claims(json!({}))))),
        ("an algorithm that the key is not for", "401", bearer(&issuer.token_of_another_algorithm())),
        ("an expired token", "401", with(json!({"exp": now() - 600}))),
        ("a token that expired a second ago", "401", with(json!({"exp": now() - 1}))),
        ("a token that is not valid yet", "401", with(json!({"nbf": now() + 3_600}))),
        ("a token without `exp`", "401", with(json!({"exp": null}))),
        ("an `exp` that is a text", "401", with(json!({"exp": "4102444800"}))),
        ("another issuer", "401", with(json!({"iss": other}))),
        ("another audience", "401", with(json!({"aud": "other"}))),
        ("no audience", "401", with(json!({"aud": null}))),
        ("a logout token", "401", bearer(&issuer.token_of_type("logout+jwt"))),
        (
            "a token bound to a key of its client",
            "401",
            with(json!({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}})),
        ),
        ("two `Authorization` headers", "401", bearer(&good).bearer(&issuer.token(json!({"sub": "bob"})))),
        ("another scope", "403", with(json!({"scope": "write"}))),
        ("a scope that only contains the word", "403", with(json!({"scope": "thread"}))),
        ("no scope", "403", with(json!({"scope": null}))),
        ("the client's own `X-User` beside a good token", "200", spoofed("X-User")),
        ("`X_User`, which many applications take for it", "200", spoofed("X_User")),
    ];
    rows.into_iter().map(|(what, right, request)| Row { what, right, request }).collect()
}
