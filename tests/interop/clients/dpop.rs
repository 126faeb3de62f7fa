//! Clients of npm and PyPI whose tokens `oidc-provider` binds to their keys (DPoP, RFC 9449), and what becomes of the same tokens in
//! the hands of others.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bound::{Place, RESOURCE};
use crate::peers::{answer, haproxies, node, python};

/// What the two settings of the agent do: the table of HAProxy remembers proofs.
const BY_HAPROXY: (&str, &str) = ("JWT_DPOP_REPLAY", "haproxy");
const NONCE: (&str, &str) = ("JWT_DPOP_NONCE", "required");

/// `oauth4webapi` and `dpop`.
fn of_npm(place: &Place, algorithm: &str, has_nonce: bool) {
    let mut client = node("dpop_client.mjs");
    client.env("NODE_EXTRA_CA_CERTS", &place.authorities);
    let input =
        json!({ "issuer": place.issuer, "resource": RESOURCE, "url": place.url, "algorithm": algorithm });
    let told = answer(client, &input);
    let context = || format!("{algorithm}: {told}\n{}", place.log());
    assert_eq!(told["statuses"], json!([200, 200]), "{}", context());
    // One nonce at first; the second request has that of the first answer.
    assert_eq!(told["nonces"], u8::from(has_nonce), "{}", context());
    for good in ["good", "another", "query"] {
        assert_eq!(told[good]["status"], 200, "{good}: {}", context());
    }
    for (bad, error) in [
        ("copy", "invalid_dpop_proof"),
        ("otherKey", "invalid_token"),
        ("otherPath", "invalid_dpop_proof"),
        ("otherMethod", "invalid_dpop_proof"),
        ("otherToken", "invalid_dpop_proof"),
        ("noToken", "invalid_dpop_proof"),
        ("bearer", "invalid_token"),
    ] {
        assert_eq!(told[bad]["status"], 401, "{bad}: {}", context());
        let challenge = told[bad]["challenge"].as_str().unwrap();
        assert!(challenge.contains(&format!("error=\"{error}\"")), "{bad}: {challenge}: {}", context());
    }
}

/// `requests-oauth2client`.
fn of_pypi(place: &Place, algorithm: &str) {
    let mut client = python("dpop_client.py");
    client.env("REQUESTS_CA_BUNDLE", &place.authorities);
    let endpoint = format!("{}/token", place.issuer);
    let input = json!({
        "token_endpoint": endpoint, "resource": RESOURCE, "url": place.url, "algorithm": algorithm,
    });
    let told: Value = answer(client, &input);
    assert_eq!(told, json!({ "statuses": [200, 200], "otherKey": 401 }), "{algorithm}\n{}", place.log());
}

fn clients(place: &Place, has_nonce: bool) {
    for algorithm in ["ES256", "Ed25519", "PS256", "RS256"] {
        of_npm(place, algorithm, has_nonce);
    }
    for algorithm in ["ES256", "EdDSA", "PS256"] {
        of_pypi(place, algorithm);
    }
    let seen = place.edge.backend.seen();
    // Five of each client of npm and the one whose answer gave it a nonce, where none is asked for; two of each of PyPI.
    assert_eq!(seen.len(), 4 * (5 + usize::from(!has_nonce)) + 3 * 2, "{}", place.log());
    assert!(seen.iter().all(|seen| seen.header("x-tkn-binding") == Some("dpop")));
}

#[test]
fn clients_prove_their_keys_before_each_haproxy() {
    for haproxy in haproxies() {
        clients(&Place::start(haproxy, &[BY_HAPROXY]), false);
    }
}

#[test]
fn clients_that_are_asked_for_a_nonce_get_one_and_go_on() {
    let folder = TempDir::with_prefix("nonce-").unwrap();
    let file = folder.path().join("secret");
    fs::write(&file, "of the tests, of thirty-two bytes or more\n").unwrap();
    let secret = file.display().to_string();
    for haproxy in haproxies() {
        let settings = [BY_HAPROXY, NONCE, ("JWT_DPOP_NONCE_SECRET_FILE", &secret)];
        clients(&Place::start(haproxy, &settings), true);
    }
}
