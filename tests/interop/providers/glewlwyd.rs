//! `glewlwyd` from Debian: JWTs of RFC 9068 for a resource (RFC 8707), an issuer with a path.

use std::process::Command;

use crate::flow::{json, token};
use crate::provider::{Kind, Place};
use crate::story::tell;

static GLEWLWYD: Kind = Kind {
    name: "glewlwyd",
    command,
    path: "/api/oidc",
    algorithm: "ES256",
    audience: Some("https://api.example"),
    keeps_old_keys: true,
    token: |place| for_resource(place, "https://api.example"),
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
