//! `django-oauth-toolkit` from PyPI. Its access tokens are opaque; its id tokens are JWTs, whose audience is the client.

use std::process::Command;

use integration_tests::identity::flow::{encoded, json, query, token};
use integration_tests::identity::provider::{Kind, Place};
use serde_json::Value;

use crate::story::tell;

const CALLBACK: &str = "http://127.0.0.1:9/callback";

pub(crate) static DJANGO: Kind = Kind {
    name: "django-oauth-toolkit",
    command,
    path: "",
    algorithm: "RS256",
    audience: Some("my-api"),
    keeps_old_keys: true,
    token: |place| authorization_code(place, "my-api"),
    others: |place| vec![("an id token of another client", authorization_code(place, "other"))],
};

#[test]
fn django_oauth_toolkit_with_its_id_tokens() {
    tell(&DJANGO);
}

fn command(place: &Place) -> Command {
    place.python("django_server.py")
}

fn authorization_code(place: &Place, client: &str) -> String {
    token(&token_answer(place, client, "openid"), "id_token")
}

/// An opaque access token of the client `my-api` with this scope.
pub(crate) fn opaque_token(place: &Place, scope: &str) -> String {
    let answer = token_answer(place, "my-api", scope);
    let token = answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}"));
    integration_tests::scan::noted(token.to_owned())
}

fn token_answer(place: &Place, client: &str, scope: &str) -> Value {
    let mut person = place.visitor();
    assert_eq!(person.get(&place.at("/login?user=alice")).status, 200);
    let request = encoded(&[
        ("client_id", client),
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("scope", scope),
        ("state", "x"),
    ]);
    let response = person.get(&place.at(&format!("/authorize/?{request}")));
    let code = query(response.header("location").unwrap_or_else(|| panic!("{response}")), "code");
    let form = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", CALLBACK)];
    json(&place.visitor().post_as(client, "of the web", &place.at("/token/"), &form))
}
