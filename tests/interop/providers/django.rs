//! `django-oauth-toolkit` from PyPI. Its access tokens are opaque; its id tokens are JWTs, whose audience is the client.

use std::process::Command;

use integration_tests::identity::flow::{encoded, json, query, token};
use integration_tests::identity::provider::{Kind, Place};

use crate::story::tell;

const CALLBACK: &str = "http://127.0.0.1:9/callback";

static DJANGO: Kind = Kind {
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
    let mut person = place.visitor();
    assert_eq!(person.get(&place.at("/login?user=alice")).status, 200);
    let request = encoded(&[
        ("client_id", client),
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid"),
        ("state", "x"),
    ]);
    let response = person.get(&place.at(&format!("/authorize/?{request}")));
    let code = query(response.header("location").unwrap_or_else(|| panic!("{response}")), "code");
    let form = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", CALLBACK)];
    let answer = place.visitor().post_as(client, "of the web", &place.at("/token/"), &form);
    token(&json(&answer), "id_token")
}
