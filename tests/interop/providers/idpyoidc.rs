//! `idpyoidc` from PyPI. Its tokens for a client name neither an audience nor a subject, so that none is asked for.

use std::process::Command;

use crate::flow::{json, token};
use crate::provider::{Kind, Place};
use crate::story::tell;

static IDPYOIDC: Kind = Kind {
    name: "idpyoidc",
    command,
    path: "",
    algorithm: "ES256",
    audience: None,
    keeps_old_keys: true,
    token: client_credentials,
    others: |_| Vec::new(),
};

#[test]
fn idpyoidc_whose_tokens_have_no_audience() {
    tell(&IDPYOIDC);
}

fn command(place: &Place) -> Command {
    place.python("idpyoidc_server.py")
}

fn client_credentials(place: &Place) -> String {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "robot"),
        ("client_secret", "of-the-robot"),
        ("scope", "read"),
    ];
    token(&json(&place.visitor().post(&place.at("/token"), &form)), "access_token")
}
