//! Authlib from PyPI: JWTs of RFC 9068 that name no key, so that every key of the type is tried.

use std::process::Command;

use integration_tests::identity::flow::{json, token};
use integration_tests::identity::provider::{Kind, Place};

use crate::story::tell;

static AUTHLIB: Kind = Kind {
    name: "authlib",
    command,
    path: "",
    algorithm: "ES256",
    audience: Some("https://api.example"),
    keeps_old_keys: true,
    token: |place| for_scope(place, "read"),
    others: |place| vec![("a token for another audience", for_scope(place, "other"))],
};

#[test]
fn authlib_whose_tokens_name_no_key() {
    tell(&AUTHLIB);
}

fn command(place: &Place) -> Command {
    place.python("authlib_server.py")
}

fn for_scope(place: &Place, scope: &str) -> String {
    let form = [("grant_type", "client_credentials"), ("scope", scope)];
    let answer = place.visitor().post_as("robot", "of the robot", &place.at("/token"), &form);
    token(&json(&answer), "access_token")
}
