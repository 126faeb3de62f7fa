//! `lemonldap-ng` from Debian. A new key takes the place of the old one at once, so that older tokens end with a rotation.

use std::process::Command;

use integration_tests::identity::flow::{json, token};
use integration_tests::identity::provider::{Kind, Place, scripts};

use crate::story::tell;

static LEMONLDAP: Kind = Kind {
    name: "lemonldap-ng",
    command,
    path: "",
    algorithm: "RS256",
    audience: Some("https://api.example"),
    keeps_old_keys: false,
    token: |place| of_client(place, "robot"),
    others: |place| vec![("a token for another audience", of_client(place, "other"))],
};

#[test]
fn lemonldap_ng_which_publishes_one_key() {
    tell(&LEMONLDAP);
}

fn command(place: &Place) -> Command {
    let mut command = place.program("perl");
    command.arg(scripts().join("lemonldap.pl")).env("ROOT", place.home.join("debian/root"));
    command
}

/// It reads client names and secrets as they are, not percent-encoded.
fn of_client(place: &Place, client: &str) -> String {
    let secret = format!("of-{client}");
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "openid profile"),
        ("client_id", client),
        ("client_secret", &secret),
    ];
    token(&json(&place.visitor().post(&place.at("/oauth2/token"), &form)), "access_token")
}
