//! How providers are told who asks about opaque tokens: by assertions, by certificates, by a token.

use std::fs;
use std::path::Path;

use integration_tests::authority::Authority;
use integration_tests::identity::oidc_provider::{RS256, opaque_tokens};
use integration_tests::identity::provider::Provider;
use integration_tests::keys::{SigningKey, key};
use integration_tests::port::free_port;
use integration_tests::process::repository;
use integration_tests::tls_client::TlsClient;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::asking::{Asking, STRANGE};
use crate::django::{self, DJANGO};

/// A client of `oidc-provider` that proves itself by what these keys sign or certify.
fn client(id: &str, method: &str, keys: &[Value]) -> Value {
    json!({
        "client_id": id, "token_endpoint_auth_method": method, "jwks": { "keys": keys },
        "grant_types": ["client_credentials"], "redirect_uris": [], "response_types": [],
    })
}

/// The RSA key of RFC 7520 section 3.4 as a JWK that signs by PS256, and its public half.
fn ps256() -> [Value; 2] {
    let text = fs::read_to_string(repository().join("crates/jose/tests/suite/data/rfc7520.json")).unwrap();
    let examples: Value = serde_json::from_str(&text).unwrap();
    [3, 2].map(|index| {
        let mut jwk = examples["keys"][index]["key"].clone();
        jwk["alg"] = "PS256".into();
        jwk
    })
}

fn by_assertion(provider: &Provider, id: &str, key_file: &str) -> Asking {
    let more = [("AUTH", "private_key_jwt"), ("CLIENT_ID", id), ("CACHE_TTL", "0")];
    Asking::with_files(&provider.place.issuer, &[("KEY_FILE", key_file)], &more)
}

#[test]
fn oidc_provider_takes_an_assertion_that_the_clients_key_has_signed_and_each_once() {
    let [private, public] = ps256();
    let mut keys: Vec<_> = ["RS256", "ES256", "EdDSA"]
        .into_iter()
        .map(|algorithm| (algorithm, key(algorithm).private_pem(), key(algorithm).jwk()))
        .collect();
    keys.push(("PS256", private.to_string(), public));
    let clients: Vec<_> =
        keys.iter().map(|(id, _, jwk)| client(id, "private_key_jwt", std::slice::from_ref(jwk))).collect();
    let provider = Provider::start_with(&RS256, vec![("CLIENTS", json!(clients).to_string())]);
    let [token, _] = opaque_tokens(&provider.place, "alice");
    for (id, file, _) in &keys {
        let asking = by_assertion(&provider, id, file);
        for _ in 0..2 {
            assert_eq!(asking.verdicts(&token), ("ok".to_owned(), 200), "{id}");
        }
        assert_eq!(asking.verdicts(STRANGE), ("inactive".to_owned(), 401), "{id}");
        asking.tells_no_secret(&[&token, STRANGE, "client_assertion="]);
    }
    for (id, file) in [("RS256", &keys[3].1), ("RS256", &keys[1].1), ("ES256", &keys[2].1)] {
        by_assertion(&provider, id, file).has_no_answer(&token, "answered 401 Unauthorized");
    }
}

#[test]
fn the_key_of_assertions_is_read_again_and_one_that_cannot_be_used_replaces_none() {
    let [old, new, other] = ["old", "new", "other"].map(|kid| SigningKey::generate("ES256", kid));
    let clients = json!([client("edge", "private_key_jwt", &[old.jwk(), new.jwk()])]);
    let provider = Provider::start_with(&RS256, vec![("CLIENTS", clients.to_string())]);
    let [token, _] = opaque_tokens(&provider.place, "alice");
    let asking = by_assertion(&provider, "edge", &old.private_pem());
    let good = ("ok".to_owned(), 200);
    assert_eq!(asking.verdicts(&token), good);
    asking.writes("KEY_FILE", &new.pem());
    assert_eq!(asking.verdicts(&token), good, "a public key signs nothing: the last good one does");
    assert!(asking.server.process.log().contains("files cannot be used"));
    asking.writes("KEY_FILE", &other.private_pem());
    asking.has_no_answer(&token, "answered 401 Unauthorized");
    asking.writes("KEY_FILE", &new.private_pem());
    assert_eq!(asking.verdicts(&token), good);
    let parts = [&old, &new, &other].map(|key| key.private_pem().lines().nth(1).unwrap().to_owned());
    asking.tells_no_secret(&parts.each_ref().map(String::as_str));
}

#[test]
fn oidc_provider_takes_the_certificate_of_the_client_and_no_other() {
    let folder = TempDir::with_prefix("certificates-").unwrap();
    let authority = Authority::new(folder.path().join("ca.pem"));
    let server = authority.issue(folder.path(), "localhost");
    let [anna, bob] = ["anna", "bob"].map(|name| TlsClient::new(folder.path(), name));
    let port = free_port().unwrap();
    let clients = json!([client("edge", "self_signed_tls_client_auth", std::slice::from_ref(&anna.jwk))]);
    let provider = Provider::start_with(
        &RS256,
        vec![
            ("CLIENTS", clients.to_string()),
            ("TLS_PORT", port.to_string()),
            ("TLS_CERT", server.cert.display().to_string()),
            ("TLS_KEY", server.key.display().to_string()),
        ],
    );
    let [token, _] = opaque_tokens(&provider.place, "alice");
    let text = |path: &Path| fs::read_to_string(path).unwrap();
    let shown = |client: &TlsClient| [text(&client.cert), text(&client.key)];
    let [cert, key] = shown(&bob);
    let url = format!("https://localhost:{port}/token/introspection");
    let asking = Asking::with_files(
        &provider.place.issuer,
        &[("CERT_FILE", &cert), ("KEY_FILE", &key), ("CA_FILE", &authority.pem())],
        &[("AUTH", "mtls"), ("CLIENT_ID", "edge"), ("URL", &url), ("CACHE_TTL", "0")],
    );
    asking.has_no_answer(&token, "answered 401 Unauthorized");
    let [cert, key] = shown(&anna);
    asking.writes("CERT_FILE", &cert);
    asking.writes("KEY_FILE", &key);
    assert_eq!(asking.verdicts(&token), ("ok".to_owned(), 200));
    assert_eq!(asking.verdicts(STRANGE), ("inactive".to_owned(), 401));
    asking.tells_no_secret(&[&token, STRANGE, key.lines().nth(1).unwrap()]);
}

#[test]
fn django_oauth_toolkit_takes_a_token_that_may_introspect_and_no_other() {
    let provider = Provider::start(&DJANGO);
    let [token, asks, other] =
        ["openid", "introspection", "openid"].map(|scope| django::opaque_token(&provider.place, scope));
    let url = provider.place.at("/introspect/");
    let asking = Asking::with_files(
        &provider.place.issuer,
        &[("TOKEN_FILE", &other)],
        &[("AUTH", "bearer"), ("URL", &url), ("ALLOW_UNTYPED", "true"), ("CACHE_TTL", "0")],
    );
    asking.has_no_answer(&token, "answered 403 Forbidden");
    asking.writes("TOKEN_FILE", &asks);
    assert_eq!(asking.verdicts(&token), ("ok".to_owned(), 200));
    assert_eq!(asking.verdicts(STRANGE), ("inactive".to_owned(), 401));
    asking.tells_no_secret(&[&token, &asks, &other, STRANGE]);
}
