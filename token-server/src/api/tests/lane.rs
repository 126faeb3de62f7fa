//! Garbage that costs a private key's work, and everything else beside it.

use axum::http::{Method, StatusCode};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::json;

use super::old_forms::{encrypt, shared_key_and};
use super::*;
use crate::encrypted::PLACES_PER_THREAD;
use revocation::check::MAX_CHECKS;

/// A private key, of RFC 7517 appendix A.2.
fn private_key() -> Value {
    json!({
        "kty": "EC", "crv": "P-256", "kid": "ec", "alg": "ECDH-ES",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"
    })
}

/// A token that anybody could have made, and that opens to nothing.
fn garbage() -> String {
    let mut public = private_key();
    for secret in ["d", "kid", "alg"] {
        public.as_object_mut().unwrap().remove(secret);
    }
    let header = json!({"alg": "ECDH-ES", "enc": "A128GCM", "kid": "ec", "epk": public}).to_string();
    let part = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    format!("{}..{}.{}.{}", part(header.as_bytes()), part(&[1; 12]), part(b"garbage"), part(&[2; 16]))
}

fn batch(tokens: &[String]) -> String {
    let checks: Vec<_> = tokens.iter().map(|token| json!({ "token": token })).collect();
    json!({"profile": "standard", "checks": checks}).to_string()
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_garbage_for_private_keys_holds_up_no_other_check_and_not_the_feed() {
    let server = server(|app| {
        app.basis.decryption.keys = shared_key_and(&[private_key()]);
        app.compat = Compat::Open;
    })
    .await;
    let held = server.app.basis.decryption.lane.hold();
    let flood = vec![garbage(); MAX_CHECKS];
    let flooding = tokio::spawn({
        let (app, body) = (Arc::clone(&server.app), batch(&flood));
        async move { call(main_routes(&app), Method::POST, "/v1/check", &[], body).await }
    });
    while server.app.metrics.decryptions().get() < i64::try_from(PLACES_PER_THREAD).unwrap() {
        assert!(!flooding.is_finished(), "it was answered at once");
        tokio::task::yield_now().await;
    }

    assert_eq!(server.check(&format!(r#"{{"sub":"anna","exp":{}}}"#, NOW + 1)).await["detail"], "ok");
    let shared = encrypt("", &json!({"sub": "anna", "exp": NOW + 1}).to_string());
    let answer = server.main(Method::POST, "/v1/check", batch(&[shared, garbage()])).await.json();
    assert_eq!(answer["results"][0]["detail"], "ok", "a token under a shared secret");
    assert_eq!(answer["results"][1]["detail"], "overloaded");
    assert_eq!(server.main(Method::GET, "/v1/events", "").await.status, StatusCode::OK);
    let old = server.main(Method::POST, "/", garbage()).await.json();
    assert_eq!(old["reason"], "E_BACKEND_UNAVAIL");
    let bearer = format!("Bearer {}", garbage());
    let asked =
        call(main_routes(&server.app), Method::GET, "/verify", &[("authorization", bearer.as_str())], "")
            .await;
    assert_eq!(asked.status, StatusCode::SERVICE_UNAVAILABLE);

    drop(held);
    let answer = flooding.await.unwrap().json();
    let details: Vec<_> = answer["results"].as_array().unwrap().iter().map(|it| &it["detail"]).collect();
    let count = |detail: &str| details.iter().filter(|it| ***it == detail).count();
    assert_eq!(count("decryption"), PLACES_PER_THREAD);
    assert_eq!(count("overloaded"), flood.len() - PLACES_PER_THREAD);
}
