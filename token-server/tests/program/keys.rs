//! Verification keys from a URL: fetched at the start and again, kept while the URL is down.

use std::ffi::OsStr;

use integration_tests::key_server::{Answer, KeyServer};
use integration_tests::keys::{SigningKey, jwks, key};
use integration_tests::token::{encrypted, token};
use integration_tests::wait::eventually;
use serde_json::{Value, json};

use crate::harness::{Server, connect, get, output, post};

const SECRET: [u8; 64] = [7; 64];

/// What `POST /` says to a token that this key signed, inside of an encrypted one.
fn verdict(server: &Server, signer: &SigningKey) -> Value {
    let nested = token(signer, json!({}));
    let body = encrypted(&SECRET, "shared", &nested);
    post(connect(server.main), "/", &[], &body).json()["valid"].take()
}

#[test]
fn keys_come_from_a_url_and_outlive_it() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("jwe.json");
    std::fs::write(
        &secret,
        json!([{"kty": "oct", "kid": "shared", "default": true, "k": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBw"}])
            .to_string(),
    )
    .unwrap();
    let (old, new) = (key("ES256"), key("EdDSA"));
    let urls = KeyServer::start(Answer::Body(jwks([old])));
    let url = urls.url();
    let server = Server::start(
        folder.path(),
        &[
            ("TOKEN_SERVER__JWE__KEYS_FILE", secret.as_os_str()),
            ("TOKEN_SERVER__JWKS__URL", OsStr::new(&url)),
            ("TOKEN_SERVER__JWKS__SYNC_INTERVAL", OsStr::new("1")),
            ("TOKEN_SERVER__COMPAT__ENABLED", OsStr::new("true")),
        ],
    );
    eventually("the server is ready", || {
        (get(connect(server.main), "/ready", &[]).status == 200).then_some(())
    });
    assert_eq!((verdict(&server, old), verdict(&server, new)), (json!("1"), json!("0")));

    urls.set(Answer::Body(jwks([old, new])));
    eventually("the new key is used", || (verdict(&server, new) == json!("1")).then_some(()));
    urls.set(Answer::Status(500));
    let asked = urls.fetches();
    eventually("it was asked in vain", || (urls.fetches() > asked + 1).then_some(()));
    assert_eq!((verdict(&server, old), verdict(&server, new)), (json!("1"), json!("1")));
}

#[test]
fn a_key_file_or_a_ca_file_that_cannot_be_used_ends_the_start() {
    for name in ["TOKEN_SERVER__JWKS__FILE", "TOKEN_SERVER__JWKS__CA_FILE"] {
        let done = output(&[(name, OsStr::new("/nonexistent"))], &[]);
        assert_eq!(done.status.code(), Some(64));
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(said.contains(&format!("{name}: ")), "{said}");
    }
}
