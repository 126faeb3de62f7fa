//! Bound tokens at forward-auth: proofs of possession (RFC 9449), good ones and those of people who mean harm.

use integration_tests::proof::Holder;
use serde_json::json;

use super::forwarded::{Guarded, Heard, good, guarded_by};
use super::*;

const URI: &str = "https://api.example.com/a";

/// What a proxy tells of the request of a client.
const TRAEFIK: [(&str, &str); 4] = [
    ("x-forwarded-method", "GET"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "api.example.com"),
    ("x-forwarded-uri", "/a?b=c"),
];
const NGINX: [(&str, &str); 2] =
    [("x-original-method", "GET"), ("x-original-url", "https://api.example.com/a?b=c")];
const ENVOY: [(&str, &str); 2] = [("x-forwarded-proto", "https"), ("host", "api.example.com")];

/// A token that is bound to the client's key.
fn bound(client: &Holder) -> String {
    good(json!({"cnf": {"jkt": client.thumbprint()}}))
}

/// A proof for `GET` of [`URI`] with this token, with changes.
fn proof(client: &Holder, token: &str, jti: &str, changes: Value) -> String {
    let mut claims = client.claims(token, "GET", URI);
    claims.as_object_mut().unwrap().extend([("jti".to_owned(), json!(jti)), ("iat".to_owned(), json!(NOW))]);
    claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    client.prove(&claims)
}

async fn server(more: &[(&str, &str)], proxy: &str) -> Guarded {
    guarded_by(more, &[], proxy, |_| {}).await
}

impl Guarded {
    /// Asks as Traefik does about a request with these headers beside what it tells itself.
    async fn proved(&self, authorization: &str, proofs: &[&str]) -> Heard {
        let mut headers = vec![("authorization", authorization)];
        headers.extend(proofs.iter().map(|proof| ("dpop", *proof)));
        headers.extend(TRAEFIK);
        self.ask("POST", "/verify", &headers).await
    }
}

#[tokio::test]
async fn a_bound_token_passes_with_a_proof_for_the_original_request_and_not_for_the_question() {
    let client = &Holder::new();
    let token = bound(client);
    let authorization = format!("DPoP {token}");
    for (proxy, told, method, question) in [
        ("traefik", &TRAEFIK[..], "POST", "/verify"),
        ("nginx", &NGINX, "POST", "/verify"),
        ("envoy", &ENVOY, "GET", "/verify/default/a?b=c"),
    ] {
        let server = server(&[], proxy).await;
        let ask = async |proof: &str, told: &[(&str, &str)]| {
            let mut headers = vec![("authorization", authorization.as_str()), ("dpop", proof)];
            headers.extend(told);
            server.ask(method, question, &headers).await
        };
        for round in ["1", "2"] {
            let passed = ask(&proof(client, &token, round, json!({})), told).await;
            assert_eq!(
                (passed.status, passed.header("x-user-id")),
                (200, Some("anna")),
                "{proxy} {}",
                passed.detail()
            );
        }
        assert!(server.metric("token_server_verify_cache_hits_total 1"), "{proxy}");
        for changes in [
            json!({"htm": "POST"}),
            json!({"htm": "get"}),
            json!({"htu": format!("http://127.0.0.1:4000{question}")}),
            json!({"htu": format!("https://api.example.com{question}")}),
            json!({"htu": "https://api.example.com/"}),
            json!({"htu": "https://other.example.com/a"}),
            json!({"htu": "http://api.example.com/a"}),
            json!({"htu": "/a"}),
            json!({"ath": "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"}),
        ] {
            let refused = ask(&proof(client, &token, "3", changes.clone()), told).await;
            if changes["htm"] != method {
                assert_eq!((refused.status, refused.detail().as_str()), (401, "proof"), "{proxy} {changes}");
            }
        }
        // What the proxy leaves out, tells twice or as something else is its configuration's fault.
        let mine = proof(client, &token, "4", json!({}));
        for (index, (name, _)) in told.iter().enumerate() {
            let without: Vec<_> = told.iter().copied().filter(|(other, _)| other != name).collect();
            let left_out = ask(&mine, &without).await;
            assert_eq!((left_out.status, left_out.detail().as_str()), (503, "argument"), "{proxy} {name}");
            let twice: Vec<_> = told.iter().chain([&told[index]]).copied().collect();
            let doubled = ask(&mine, &twice).await;
            assert!(matches!(doubled.status, 401 | 503), "{proxy} {name}");
        }
        let passed = ask(&mine, told).await;
        assert_eq!(passed.detail(), "ok", "{proxy}: none of it used the proof up");
    }
}

#[tokio::test]
async fn with_origins_neither_scheme_nor_host_is_believed_and_a_target_alone_is_enough() {
    let client = &Holder::new();
    let token = bound(client);
    let authorization = format!("DPoP {token}");
    let origins = [("TOKEN_SERVER__VERIFY__DPOP_ORIGINS", "https://api.example.com,https://b.example")];
    for (proxy, question, forged) in [
        ("traefik", "/verify", &[("x-forwarded-proto", "http"), ("x-forwarded-host", "evil.example")][..]),
        ("nginx", "/verify", &[]),
        ("envoy", "/verify/default/a", &[("x-forwarded-proto", "http"), ("host", "evil.example")]),
    ] {
        let server = server(&origins, proxy).await;
        let target = [
            ("x-forwarded-method", "GET"),
            ("x-forwarded-uri", "/a"),
            ("x-original-method", "GET"),
            ("x-original-url", "/a"),
        ];
        for (jti, told, htu, detail) in [
            ("1", &[][..], URI, "ok"),
            ("2", &[], "https://b.example/a", "ok"),
            ("3", forged, URI, "ok"),
            ("4", forged, "http://evil.example/a", "proof"),
            ("5", &[], "https://api.example.com.evil.example/a", "proof"),
        ] {
            let proof = proof(client, &token, jti, json!({"htu": htu}));
            let mut headers = vec![("authorization", authorization.as_str()), ("dpop", &proof)];
            headers.extend(target.iter().chain(told));
            assert_eq!(server.ask("GET", question, &headers).await.detail(), detail, "{proxy} {jti}");
        }
    }
    // Without them nginx's target alone does not say where the client was.
    let server = server(&[], "nginx").await;
    let proof = proof(client, &token, "1", json!({}));
    let told = [("x-original-method", "GET"), ("x-original-url", "/a"), ("host", "api.example.com")];
    let headers: Vec<_> =
        [("authorization", authorization.as_str()), ("dpop", &proof)].into_iter().chain(told).collect();
    let heard = server.ask("GET", "/verify", &headers).await;
    assert_eq!((heard.status, heard.detail().as_str()), (503, "argument"));
}

#[tokio::test]
async fn scheme_and_binding_fit_and_a_proof_counts_once() {
    let server = server(&[], "traefik").await;
    let (client, thief) = (&Holder::new(), &Holder::new());
    let (token, unbound) = (bound(client), good(json!({})));
    let certificate = good(json!({"cnf": {"x5t#S256": "A".repeat(43)}}));
    let both = good(json!({"cnf": {"x5t#S256": "A".repeat(43), "jkt": client.thumbprint()}}));
    let (dpop, bearer) = (format!("DPoP {token}"), format!("Bearer {token}"));
    let once = proof(client, &token, "once", json!({}));
    let of_unbound = proof(client, &unbound, "once", json!({}));
    let of_both = proof(client, &both, "once", json!({}));
    let stolen = proof(thief, &token, "once", json!({}));
    let foreign = proof(client, &unbound, "once", json!({}));
    let old = proof(client, &token, "once", json!({"iat": NOW - 61}));
    let early = proof(client, &token, "once", json!({"iat": NOW + 6}));
    for (what, authorization, proofs, detail) in [
        ("no proof", dpop.as_str(), &[][..], "binding"),
        ("another scheme", &bearer, &[once.as_str()], "binding"),
        ("another scheme and nothing", &bearer, &[], "binding"),
        ("another key", &dpop, &[&stolen], "binding"),
        ("another token", &dpop, &[&foreign], "proof"),
        ("two proofs", &dpop, &[&once, &once], "duplicate_header"),
        ("two in one", &dpop, &[&format!("{once}, {once}")], "duplicate_header"),
        ("no proof at all", &dpop, &["x"], "proof"),
        ("an empty one", &dpop, &[""], "proof"),
        ("too old", &dpop, &[&old], "proof_time"),
        ("of tomorrow", &dpop, &[&early], "proof_time"),
        ("bound to nothing", &format!("DPoP {unbound}"), &[&of_unbound], "binding"),
        ("a certificate", &format!("Bearer {certificate}"), &[], "binding"),
        ("a certificate, with a scheme", &format!("DPoP {certificate}"), &[&once], "binding"),
        ("key and certificate", &format!("DPoP {both}"), &[&of_both], "binding"),
        ("not used up by any of these", &dpop, &[&once], "ok"),
        ("used before", &dpop, &[&once], "proof_replayed"),
        ("a bearer's proof is not looked at", &format!("Bearer {unbound}"), &["x", "y"], "ok"),
    ] {
        let heard = server.proved(authorization, proofs).await;
        assert_eq!(heard.detail(), detail, "{what}");
        assert_eq!(heard.status, if detail == "ok" { 200 } else { 401 }, "{what}");
        let challenge = heard.header("www-authenticate").unwrap_or_default();
        let scheme = if authorization.starts_with("DPoP") { "DPoP " } else { "Bearer " };
        let error = match detail {
            "ok" => "",
            "proof" | "proof_time" | "proof_replayed" => "error=\"invalid_dpop_proof\"",
            _ => "error=\"invalid_token\"",
        };
        assert!(challenge.contains(error), "{what}: {challenge}");
        assert!(detail == "ok" || challenge.contains(scheme), "{what}: {challenge}");
    }
}

#[tokio::test]
async fn what_cannot_be_decided_or_is_revoked_uses_up_no_proof_and_a_full_memory_refuses() {
    let client = &Holder::new();
    let token = bound(client);
    let authorization = format!("DPoP {token}");
    let [first, second] = ["1", "2"].map(|jti| proof(client, &token, jti, json!({})));
    let mut headers = vec![("authorization", authorization.as_str()), ("dpop", &first)];
    headers.extend(TRAEFIK);
    let unreadable = guarded_by(&[], &[("anna", "{")], "traefik", |_| {}).await;
    let heard = unreadable.ask_once("GET", "/verify", &headers).await;
    assert_eq!((heard.status, heard.detail().as_str()), (503, "rules"));

    let small = server(&[("TOKEN_SERVER__VERIFY__DPOP_REPLAY_SIZE", "1")], "traefik").await;
    let rule = small.server.admin(Method::POST, "/v1/rules/anna", r#"{"rule":{"exp":{"gt":1}}}"#).await;
    assert_eq!(rule.status, StatusCode::CREATED);
    assert_eq!(small.proved(&authorization, &[&first]).await.detail(), "revoked");
    small.server.admin(Method::DELETE, "/v1/rules/anna", "").await;
    assert_eq!(small.proved(&authorization, &[&first]).await.detail(), "ok");
    let full = small.proved(&authorization, &[&second]).await;
    assert_eq!((full.status, full.detail().as_str()), (503, "overloaded"));
    assert_eq!(small.proved(&authorization, &[&first]).await.detail(), "proof_replayed");

    let off = server(&[("TOKEN_SERVER__VERIFY__DPOP_REPLAY", "off")], "traefik").await;
    for _ in 0..2 {
        assert_eq!(off.proved(&authorization, &[&first]).await.detail(), "ok");
    }
}

#[tokio::test]
async fn a_nonce_is_asked_for_told_and_replaced_with_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nonce");
    std::fs::write(&file, "n".repeat(32)).unwrap();
    let path = file.display().to_string();
    let more = [
        ("TOKEN_SERVER__VERIFY__DPOP_NONCE", "required"),
        ("TOKEN_SERVER__VERIFY__DPOP_NONCE_SECRET_FILE", path.as_str()),
    ];
    let server = server(&more, "traefik").await;
    let client = &Holder::new();
    let token = bound(client);
    let authorization = format!("DPoP {token}");
    let refused = server.proved(&authorization, &[&proof(client, &token, "1", json!({}))]).await;
    assert_eq!((refused.status, refused.detail().as_str()), (401, "nonce"));
    assert!(refused.header("www-authenticate").unwrap().contains("error=\"use_dpop_nonce\""));
    let nonce = refused.header("dpop-nonce").unwrap();
    let passed = server.proved(&authorization, &[&proof(client, &token, "1", json!({"nonce": nonce}))]).await;
    assert_eq!((passed.status, passed.header("dpop-nonce")), (200, Some(nonce)));
    for wrong in [json!({"nonce": "x"}), json!({"nonce": nonce.to_uppercase()}), json!({"nonce": ""})] {
        let proof = proof(client, &token, "2", wrong.clone());
        assert_eq!(server.proved(&authorization, &[&proof]).await.detail(), "nonce", "{wrong}");
    }
    let missing = server.proved("", &[]).await;
    assert_eq!((missing.detail().as_str(), missing.header("dpop-nonce")), ("missing", Some(nonce)));
}

#[tokio::test]
async fn clients_are_offered_proofs_where_one_of_their_settings_is_set() {
    let origins = [("TOKEN_SERVER__VERIFY__DPOP_ORIGINS", "https://api.example.com")];
    for (more, is_offered) in [(&[][..], false), (&origins, true)] {
        let missing = server(more, "traefik").await.ask("GET", "/verify", &TRAEFIK).await;
        let challenge = missing.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer realm=\"api\""), "{challenge}");
        assert_eq!(challenge.contains("DPoP realm=\"api\", algs=\"RS256 "), is_offered, "{challenge}");
    }
}
