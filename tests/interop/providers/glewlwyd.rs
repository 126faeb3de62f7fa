//! `glewlwyd` from Debian: JWTs of RFC 9068 for a resource (RFC 8707), an issuer with a path.

use std::process::Command;

use integration_tests::identity::flow::{LoggedIn, encoded, json, part, query, token};
use integration_tests::identity::provider::{Kind, Place};
use serde_json::json as value;

use crate::logout::{self, Scope, Sender};
use crate::story::tell;

const CALLBACK: &str = "http://127.0.0.1:9/callback";
pub(crate) const RESOURCE: &str = "https://api.example";

pub(crate) static GLEWLWYD: Kind = Kind {
    name: "glewlwyd",
    command,
    path: "/api/oidc",
    algorithm: "ES256",
    audience: Some(RESOURCE),
    keeps_old_keys: true,
    token: |place| for_resource(place, RESOURCE),
    others: |place| vec![("a token for another resource", for_resource(place, "https://other.example"))],
};

#[test]
fn glewlwyd_whose_issuer_has_a_path() {
    tell(&GLEWLWYD);
}

fn command(place: &Place) -> Command {
    let mut command = place.python("glewlwyd.py");
    command.env("ROOT", place.home.join("debian/root")).env("PROGRAM", place.home.join("debian/glewlwyd"));
    command
}

fn for_resource(place: &Place, resource: &str) -> String {
    let form = [("grant_type", "client_credentials"), ("scope", "read"), ("resource", resource)];
    let answer = place.visitor().post_as("robot", "of-the-robot", &place.at("/token"), &form);
    token(&json(&answer), "access_token")
}

/// What its login page does by scripts: a password, a consent; then the client's code.
fn log_in(place: &Place, user: &str) -> LoggedIn {
    let mut person = place.visitor();
    let password = value!({"username": user, "password": format!("of-{user}")});
    let consent = value!({"scope": "openid read"});
    for (method, path, body) in [("POST", "/api/auth", password), ("PUT", "/api/auth/grant/web", consent)] {
        let done = person.script(method, path, Some(&body));
        assert_eq!(done.status, 200, "{path}: {done}");
    }
    let request = encoded(&[
        ("client_id", "web"),
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid read"),
        ("resource", RESOURCE),
        ("state", "x"),
        ("nonce", "n"),
    ]);
    let response = person.get(&place.at(&format!("/auth?{request}&g_continue")));
    let code = query(response.header("location").unwrap_or_else(|| panic!("{response}")), "code");
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("resource", RESOURCE),
    ];
    let answer = json(&place.visitor().post_as("web", "of-the-web", &place.at("/token"), &form));
    LoggedIn { person, access_token: token(&answer, "access_token"), id_token: token(&answer, "id_token") }
}

/// What its page that ends a session does by a script.
fn log_out(place: &Place, mut session: LoggedIn) {
    let claims = part(&session.id_token, 1);
    let path = format!("/session/{}/", claims["sid"].as_str().unwrap());
    let done = session.person.script("DELETE", &place.at(&path), None);
    assert_eq!(done.status, 200, "{done}");
}

/// Of draft 06: no `typ`, no `exp`, and the user alone.
#[test]
fn a_logout_at_glewlwyd_ends_the_users_tokens() {
    logout::tell(&Sender { kind: &GLEWLWYD, scope: Scope::Subject, more: &[], log_in, log_out });
}
