//! `idpyoidc` from PyPI. Its tokens for a client name neither an audience nor a subject, so that none is asked for.

use std::process::Command;

use integration_tests::identity::flow::{LoggedIn, encoded, json, query, token};
use integration_tests::identity::provider::{Kind, Place};

use crate::logout::{self, Scope, Sender};
use crate::story::tell;

const CALLBACK: &str = "http://127.0.0.1:9/callback";

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

/// The user is asked for no password; the client gets a code.
fn log_in(place: &Place, user: &str) -> LoggedIn {
    let mut person = place.visitor();
    let request = encoded(&[
        ("client_id", "web"),
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid"),
        ("state", "x"),
        ("nonce", "n"),
        ("login_hint", user),
    ]);
    let response = person.get(&place.at(&format!("/authorization?{request}")));
    let code = query(response.header("location").unwrap_or_else(|| panic!("{response}")), "code");
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "web"),
        ("client_secret", "of-the-web"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
    ];
    let answer = json(&place.visitor().post(&place.at("/token"), &form));
    LoggedIn { person, access_token: token(&answer, "access_token"), id_token: token(&answer, "id_token") }
}

/// The page of the session sends on to the one that ends it.
fn log_out(place: &Place, mut session: LoggedIn) {
    let page = session.person.get(&place.at("/session"));
    let verified = page.header("location").unwrap_or_else(|| panic!("{page}")).to_owned();
    let done = session.person.get(&verified);
    assert_eq!(done.status, 303, "{done}");
}

#[test]
fn a_logout_at_idpyoidc_which_names_the_session_alone_ends_it() {
    logout::tell(&Sender { kind: &IDPYOIDC, scope: Scope::SessionAlone, more: &[], log_in, log_out });
}
