//! Authlib from PyPI: JWTs of RFC 9068 that name no key, so that every key of the type is tried.

use std::process::Command;

use integration_tests::identity::flow::{json, token};
use integration_tests::identity::provider::{Kind, Place};
use serde_json::Value;

use crate::story::tell;

pub(crate) static AUTHLIB: Kind = Kind {
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
    token(&token_answer(place, scope), "access_token")
}

/// An opaque access token.
pub(crate) fn opaque_token(place: &Place) -> String {
    let answer = token_answer(place, "opaque");
    let token = answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}"));
    integration_tests::scan::noted(token.to_owned())
}

fn token_answer(place: &Place, scope: &str) -> Value {
    let form = [("grant_type", "client_credentials"), ("scope", scope)];
    json(&place.visitor().post_as("robot", "of the robot", &place.at("/token"), &form))
}
