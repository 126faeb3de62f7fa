//! `POST /`, as callers that are older than `/v1/check` use it.

use axum::http::{Method, StatusCode};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use integration_tests::keys::key;
use integration_tests::token::{encrypted_as, sign_raw};
use jose::Binding;
use serde_json::json;

use super::forwarded::guarded;
use super::*;
use crate::encrypted::{DecryptionKeysFile, decryption_keys};

/// The secret that encrypts.
const SHARED: [u8; 64] = [7; 64];

fn shared_key() -> Option<Arc<DecryptionKeysFile>> {
    shared_key_and(&[])
}

/// That secret, and further keys.
pub(super) fn shared_key_and(others: &[Value]) -> Option<Arc<DecryptionKeysFile>> {
    let file = tempfile::NamedTempFile::new().unwrap();
    let k = BASE64_URL_SAFE_NO_PAD.encode(SHARED);
    let keys = [&[json!({"kty": "oct", "kid": "shared", "k": k})], others].concat();
    std::fs::write(file.path(), json!(keys).to_string()).unwrap();
    Some(Arc::new(SecretFile::one(NamedFile::new("KEYS_FILE", file.path()), decryption_keys).unwrap()))
}

/// An encrypted token, with this `typ` unless it is empty.
pub(super) fn encrypt(typ: &str, payload: &str) -> String {
    let mut header = json!({"alg": "dir", "enc": "A256CBC-HS512", "kid": "shared"});
    if !typ.is_empty() {
        header["typ"] = json!(typ);
    }
    encrypted_as(&SHARED, &header, payload)
}

#[tokio::test(start_paused = true)]
async fn old_callers_get_their_forms_whatever_the_content_type() {
    let server = server(|_| {}).await;
    let good = format!(r#" {{"sub":"anna","exp":{}}}"#, NOW + 1);
    let legacy = json!({"valid": "0", "reason": "E_TKN_LEGACY"});
    let invalid = json!({"valid": "0", "reason": "E_TKN_INVALID", "stateless": "1"});
    let types: [&[(&str, &str)]; 4] = [
        &[],
        &[("content-type", "text/plain")],
        &[("content-type", "application/json")],
        &[("content-type", "application/x-www-form-urlencoded")],
    ];
    for headers in types {
        let post = async |body: &str| {
            let answer = call(main_routes(&server.app), Method::POST, "/", headers, body.to_owned()).await;
            assert_eq!(answer.status, StatusCode::OK, "{body}");
            answer
        };
        assert_eq!(post(&good).await.text, "ok");
        assert_eq!(post(r#"{"exp":1}"#).await.text, "E_TKN_INVALID");
        assert_eq!(post(r#"{"exp":"#).await.text, "E_TKN_INVALID");
        assert_eq!(post("a.b.c.d.e").await.json(), invalid);
        assert_eq!(post(r#""a.b.c.d.e""#).await.json(), invalid);
        for body in ["", "a.b.c", "a", "[1,2]", "null", "a.b.c.d.e.f", "\u{fffd}"] {
            assert_eq!(post(body).await.json(), legacy, "{body}");
        }
    }
    let not_utf8 = server.main(Method::POST, "/", vec![0xff, b'.', b'.', b'.', b'.']).await;
    assert_eq!(not_utf8.json(), legacy);
}

#[tokio::test(start_paused = true)]
async fn old_forms_refuse_a_proxys_auth_request_and_can_be_switched_off() {
    let server_on = server(|_| {}).await;
    for name in ["X-Forwarded-For", "x-forwarded-uri", "X-Original-URL", "x-envoy-internal", "Forwarded"] {
        let answer = call(main_routes(&server_on.app), Method::POST, "/", &[(name, "x")], "a.b.c").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name}");
    }
    let other = call(main_routes(&server_on.app), Method::POST, "/", &[("x-forward", "x")], "a.b.c").await;
    assert_eq!(other.status, StatusCode::OK);
    assert_eq!(server_on.main(Method::GET, "/", "").await.status, StatusCode::METHOD_NOT_ALLOWED);
    let large = server_on.main(Method::POST, "/", "x".repeat(64 * 1024 + 1)).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);

    let off = server(|app| app.compat = Compat::Off).await;
    assert_eq!(off.main(Method::POST, "/", "a.b.c").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn old_forms_ask_for_an_agents_bearer_token_where_there_are_any_unless_they_are_open() {
    let shown = ("authorization", "Bearer agent-token");
    let payload = format!(r#"{{"sub":"anna","exp":{}}}"#, NOW + 1);
    for (file, compat, headers, status) in [
        (true, Compat::Guarded, &[][..], StatusCode::UNAUTHORIZED),
        (true, Compat::Guarded, &[("authorization", "Bearer wrong")], StatusCode::UNAUTHORIZED),
        (true, Compat::Guarded, &[shown, shown], StatusCode::UNAUTHORIZED),
        (true, Compat::Guarded, &[shown], StatusCode::OK),
        (true, Compat::Guarded, &[shown, ("x-forwarded-for", "x")], StatusCode::FORBIDDEN),
        (true, Compat::Open, &[], StatusCode::OK),
        (true, Compat::Open, &[("x-forwarded-for", "x")], StatusCode::FORBIDDEN),
        (false, Compat::Guarded, &[], StatusCode::OK),
    ] {
        let server = server(|app| {
            app.agent_tokens = agent_tokens("agent-token\n").filter(|_| file);
            app.compat = compat;
        })
        .await;
        for body in ["a.b.c.d.e", &payload] {
            let answer = call(main_routes(&server.app), Method::POST, "/", headers, body.to_owned()).await;
            assert_eq!(answer.status, status, "{compat:?} {headers:?} {body}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_an_old_caller_sends_leaves_no_trace_in_previews_and_counts() {
    let server = server(|_| {}).await;
    let body = r#"{"rule":{"rt":"x"},"mode":"shadow"}"#;
    assert_eq!(server.admin(Method::POST, "/v1/rules/anna", body).await.status, StatusCode::CREATED);
    let payload = format!(r#"{{"sub":"anna","rt":"x","exp":{}}}"#, NOW + 1);
    let traces = async || {
        let rule = r#"{"rule":{"rt":"x"}}"#;
        let preview = server.admin(Method::POST, "/v1/rules/anna?dry_run=true", rule).await.json();
        let listed = server.admin(Method::GET, "/v1/rules/anna", "").await.json();
        (preview["preview"]["subjects"].clone(), listed["rules"][0]["hits"].clone())
    };
    assert_eq!(server.main(Method::POST, "/", payload.clone()).await.text, "ok");
    assert_eq!(traces().await, (json!(0), json!(0)));
    assert_eq!(server.check(&payload).await["detail"], "ok");
    assert_eq!(traces().await, (json!(1), json!(1)), "an agent verified it");
}

#[tokio::test(start_paused = true)]
async fn old_forms_refuse_what_was_made_for_something_else_than_access() {
    for profile in [Profile::Standard, Profile::MsUsers] {
        let server = server(|app| {
            app.policy = time_policy(profile, jose::Leeway::default());
            app.basis.decryption.keys = shared_key();
        })
        .await;
        let post = async |body: String| server.main(Method::POST, "/", body).await;
        let end = NOW + 60;
        for (claims, typ, good) in [
            (String::new(), "", true),
            (String::new(), "JWT", true),
            (String::new(), "at+jwt", true),
            (String::new(), "logout+jwt", false),
            (String::new(), "application/secevent+jwt", false),
            (r#","events":{}"#.to_owned(), "", false),
            (r#","events":{}"#.to_owned(), "JWT", false),
            (r#","cnf":{"jkt":"x"}"#.to_owned(), "", false),
            (r#","cnf":null"#.to_owned(), "", true),
        ] {
            let payload = format!(r#"{{"sub":"anna","username":"anna","st":1,"exp":{end}{claims}}}"#);
            let token = encrypt(typ, &payload);
            let answer = post(token).await.json();
            assert_eq!(answer["valid"], json!(if good { "1" } else { "0" }), "{typ} {payload}: {answer}");
            let expected = if good { "ok" } else { "E_TKN_INVALID" };
            assert_eq!(answer["reason"], expected, "{typ} {payload}");
            // A payload comes without its header, so its claims alone tell.
            let reason = if good || claims.is_empty() { "ok" } else { "E_TKN_INVALID" };
            assert_eq!(post(payload.clone()).await.text, reason, "{payload}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_encrypted_refresh_token_is_told_so_whatever_its_claims_say_of_its_version() {
    let server = server_with(&[("anna", r#"{"rt":"x"}"#)], |app| {
        app.policy = time_policy(Profile::MsUsers, jose::Leeway::default());
        app.basis.decryption.keys = shared_key();
    })
    .await;
    for (payload, detail) in [
        (r#"{"username":"anna","irt":1,"exp":1}"#, "refresh_token"),
        (r#"{"username":"anna","irt":1,"rt":"x"}"#, "refresh_token"),
        (r#"{"username":"anna","irt":0,"exp":1}"#, "expired"),
        (r#"{"username":"anna","rt":"x"}"#, "revoked"),
    ] {
        let token = encrypt("", payload);
        let body = format!(r#"{{"profile":"ms-users","checks":[{{"token":"{token}"}}]}}"#);
        let answer = server.main(Method::POST, "/v1/check", body).await.json();
        assert_eq!(answer["results"][0]["detail"], detail, "{payload}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_is_told_so_before_it_is_expired_or_revoked() {
    let server = server_with(&[("anna", r#"{"rt":"x"}"#)], |app| {
        app.policy = time_policy(Profile::MsUsers, jose::Leeway::default());
    })
    .await;
    for (payload, reason) in [
        (r#"{"username":"anna","st":1,"irt":1}"#, "E_TKN_ACCESS_TOKEN_REQUIRED"),
        (r#"{"username":"anna","st":1,"irt":1,"rt":"x"}"#, "E_TKN_ACCESS_TOKEN_REQUIRED"),
        (r#"{"username":"anna","st":1,"irt":1,"exp":1}"#, "E_TKN_ACCESS_TOKEN_REQUIRED"),
        (r#"{"username":"anna","st":1,"rt":"x"}"#, "E_TKN_INVALID"),
        (r#"{"username":"anna","st":1}"#, "ok"),
    ] {
        assert_eq!(server.main(Method::POST, "/", payload).await.text, reason, "{payload}");
        let body = format!(r#"{{"profile":"ms-users","checks":[{{"payload":{payload}}}]}}"#);
        let answer = server.main(Method::POST, "/v1/check", body).await.json();
        let refresh = answer["results"][0]["detail"] == "refresh_token";
        assert_eq!(refresh, reason == "E_TKN_ACCESS_TOKEN_REQUIRED", "{payload}: {answer}");
    }
}

#[tokio::test]
async fn a_signed_token_inside_of_an_encrypted_one_is_judged_by_its_own_header() {
    let guarded = guarded("traefik", |app| app.basis.decryption.keys = shared_key()).await;
    let payload = json!({"sub": "anna", "exp": NOW + 60}).to_string();
    for (typ, reason) in [
        ("JWT", "ok"),
        ("logout+jwt", "E_TKN_INVALID"),
        ("application/secevent+jwt", "E_TKN_INVALID"),
        ("dpop+jwt", "E_TKN_INVALID"),
    ] {
        let key = key("ES256");
        let header = json!({"alg": "ES256", "kid": key.kid, "typ": typ}).to_string();
        let token = encrypt("JWT", &sign_raw(key, &header, &payload));
        let deadline = Instant::now() + PATIENCE;
        let answer = loop {
            let answer = guarded.server.main(Method::POST, "/", token.clone()).await.json();
            if answer["reason"] != "E_BACKEND_UNAVAIL" || Instant::now() > deadline {
                break answer;
            }
        };
        assert_eq!(answer["reason"], reason, "{typ}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bound_token_passes_old_forms_where_every_issuer_ignores_bindings() {
    for (binding, reason) in [(Binding::IfBound, "E_TKN_INVALID"), (Binding::Ignore, "ok")] {
        let settings = open_to_everybody();
        let policy = IssuerPolicy { binding, ..time_policy(Profile::Standard, jose::Leeway::default()) };
        let settings = Verify { trust: Trust::single(policy), ..settings };
        let server = server(|app| app.in_use = in_use(settings, VerifyMetrics::default(), &no_keys(1))).await;
        let payload = format!(r#"{{"sub":"anna","exp":{},"cnf":{{"jkt":"x"}}}}"#, NOW + 60);
        assert_eq!(server.main(Method::POST, "/", payload).await.text, reason, "{binding:?}");
    }
}
