//! What is no logout token for us, of now: each is answered with the same 400, and writes nothing.

use super::*;
use integration_tests::token::{forge_payload, hs256_under, unsigned};

/// Nothing that a test sends may come back.
const REFUSED: &str = r#"{"error":"invalid_request"}"#;

async fn assert_refused(server: &Server, what: &str, answered: Answered) {
    assert_eq!((answered.status, answered.body.as_str()), (StatusCode::BAD_REQUEST, REFUSED), "{what}");
    assert!(server.trail().await.is_empty(), "{what} wrote a rule");
}

#[tokio::test]
async fn a_token_that_is_none_is_refused_with_one_answer_for_all_causes() {
    let server = server("", &[]).await;
    let changed = |changes| logout(changes);
    let es256 = key("ES256");
    let named = |header: Value, changes: Value| {
        let (claims, header) = (claims(changes), header.to_string());
        sign_raw(es256, &header, &claims.to_string())
    };
    let with_kid = |alg: &str| json!({ "alg": alg, "kid": es256.kid, "typ": "logout+jwt" });
    let public = es256.jwk().to_string();
    let cases: Vec<(&str, String)> = vec![
        ("an ID token", typed(Some("JWT"), json!({ "events": null, "nonce": "n", "auth_time": NOW }))),
        ("an access token", typed(Some("at+jwt"), json!({ "events": null }))),
        ("an access token with the events of a logout", typed(Some("at+jwt"), json!({}))),
        ("a security event of another kind, by its type", typed(Some("secevent+jwt"), json!({}))),
        ("a command token", typed(Some("command+jwt"), json!({}))),
        (
            "a security event of another kind, by its events",
            changed(
                json!({ "events": { "https://schemas.openid.net/secevent/caep/event-type/session-revoked": {} } }),
            ),
        ),
        ("no events", changed(json!({ "events": null }))),
        ("empty events", changed(json!({ "events": {} }))),
        ("events that are a list", changed(json!({ "events": [EVENT] }))),
        ("events that are a text", changed(json!({ "events": EVENT }))),
        ("an event that is a list", changed(json!({ "events": { EVENT: [] } }))),
        ("an event that is true", changed(json!({ "events": { EVENT: true } }))),
        ("a nonce", changed(json!({ "nonce": "n" }))),
        ("an empty nonce", changed(json!({ "nonce": "" }))),
        ("another issuer's key", signed_by(key("RS256"), Some("logout+jwt"), json!({}))),
        ("an issuer that is not trusted", changed(json!({ "iss": "https://evil.example.com" }))),
        ("an issuer with a slash more", changed(json!({ "iss": format!("{IDP}/") }))),
        ("no issuer", changed(json!({ "iss": null }))),
        ("another client's audience", changed(json!({ "aud": "mail" }))),
        ("other clients' audiences", changed(json!({ "aud": ["mail", "shop2"] }))),
        ("no audience", changed(json!({ "aud": null }))),
        ("an audience that is a number", changed(json!({ "aud": 7 }))),
        ("too old", changed(json!({ "iat": NOW - 331, "exp": null }))),
        ("too old, though it has not expired", changed(json!({ "iat": NOW - 331, "exp": NOW + 600 }))),
        ("of the future", changed(json!({ "iat": NOW + 31 }))),
        ("no iat", changed(json!({ "iat": null }))),
        ("an iat that is a text", changed(json!({ "iat": NOW.to_string() }))),
        ("an iat in milliseconds", changed(json!({ "iat": NOW * 1_000 }))),
        ("expired", changed(json!({ "iat": NOW - 120, "exp": NOW }))),
        ("an exp that is a text", changed(json!({ "exp": "never" }))),
        ("no jti", changed(json!({ "jti": null }))),
        ("an empty jti", changed(json!({ "jti": "" }))),
        ("neither subject nor session", changed(json!({ "sub": null }))),
        ("an empty subject", changed(json!({ "sub": "" }))),
        ("a subject that is a list", changed(json!({ "sub": ["alice"] }))),
        ("the subject of everybody's group", changed(json!({ "sub": "g" }))),
        ("a subject that is too long", changed(json!({ "sub": "a".repeat(513) }))),
        ("an empty session", changed(json!({ "sid": "" }))),
        ("a session that is a number", changed(json!({ "sub": null, "sid": 7 }))),
        ("a session that is too long", changed(json!({ "sub": null, "sid": "s".repeat(513) }))),
        ("alg none", unsigned("none", &claims(json!({})))),
        ("HS256 with the public key", hs256_under(public.as_bytes(), &es256.kid, &claims(json!({})))),
        (
            "HS256 with the PEM of the public key",
            hs256_under(es256.pem().as_bytes(), &es256.kid, &claims(json!({}))),
        ),
        ("another algorithm than the key's", named(with_kid("RS256"), json!({}))),
        (
            "an unknown key",
            named(json!({ "alg": "ES256", "kid": "unknown", "typ": "logout+jwt" }), json!({})),
        ),
        (
            "a critical header",
            named(json!({ "alg": "ES256", "kid": es256.kid, "crit": ["x"], "x": 1 }), json!({})),
        ),
        ("a typ that is a number", named(json!({ "alg": "ES256", "kid": es256.kid, "typ": 7 }), json!({}))),
        ("a payload that was changed", forge_payload(&changed(json!({})), &claims(json!({ "sub": "bob" })))),
        ("nothing", String::new()),
        ("no token", "alice".to_owned()),
        ("two parts", "e30.e30".to_owned()),
        ("a token that cannot be opened", "e30.e30.e30.e30.e30".to_owned()),
    ];
    let many = cases.len();
    for (what, token) in cases {
        let answered = server.send(&token).await;
        assert_refused(&server, what, answered).await;
    }
    assert_eq!(server.counted(Outcome::Refused), u64::try_from(many).unwrap());
    server.accepts(&logout(json!({}))).await;
}

#[tokio::test]
async fn what_is_no_form_with_one_logout_token_is_refused_in_the_same_way() {
    let server = server("", &[]).await;
    let form = Some("application/x-www-form-urlencoded");
    let token = logout(json!({}));
    for (what, content, body) in [
        ("JSON", Some("application/json"), json!({ "logout_token": token }).to_string()),
        ("a form under another type", Some("text/plain"), format!("logout_token={token}")),
        ("a form of no type", None, format!("logout_token={token}")),
        ("a token alone", Some("application/jwt"), token.clone()),
        ("no parameter", form, String::new()),
        ("another parameter", form, format!("token={token}")),
        ("the token twice", form, format!("logout_token={token}&logout_token={token}")),
        ("a body that is too large", form, format!("x={}&logout_token={token}", "x".repeat(64 * 1024))),
        ("a body that is no text", form, "logout_token=%ff%fe".to_owned()),
    ] {
        let answered = server.call(Method::POST, content, body).await;
        assert_refused(&server, what, answered).await;
    }
    let more = format!("state=x&logout_token={token}&y");
    let answered =
        server.call(Method::POST, Some("application/x-www-form-urlencoded; charset=UTF-8"), more).await;
    assert_eq!(answered.status, StatusCode::OK, "other parameters are not looked at");
}

#[tokio::test]
async fn nothing_but_post_is_answered() {
    let server = server("", &[]).await;
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
        let answered = server.call(method.clone(), None, "").await;
        assert_eq!(answered.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(answered.headers[header::ALLOW], "POST");
    }
    let token = logout(json!({}));
    let uri = format!("/backchannel-logout?logout_token={token}");
    let request = Request::get(uri).body(Body::empty()).unwrap();
    let response = router(&server.signals).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(server.trail().await.is_empty());
}

#[tokio::test]
async fn a_browser_adds_nothing_to_a_message() {
    let server = server("", &[]).await;
    for (token, status) in [("x".to_owned(), StatusCode::BAD_REQUEST), (logout(json!({})), StatusCode::OK)] {
        let request = Request::post("/backchannel-logout")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::COOKIE, "session=alice")
            .header(header::ORIGIN, "https://evil.example.com")
            .header("sec-fetch-site", "cross-site")
            .body(Body::from(format!("logout_token={token}")));
        let response = router(&server.signals).oneshot(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), status);
        for name in [header::SET_COOKIE, header::ACCESS_CONTROL_ALLOW_ORIGIN] {
            assert!(!response.headers().contains_key(&name), "{name}");
        }
    }
}

#[tokio::test]
async fn an_issuer_whose_logout_is_off_is_not_heard() {
    let server = server("logout = false", &[]).await;
    let answered = server.send(&logout(json!({}))).await;
    assert_refused(&server, "off", answered).await;
}

#[tokio::test]
async fn an_issuer_ends_no_tokens_of_another() {
    let server = server("", &[]).await;
    let by_other = signed_by(key("RS256"), Some("logout+jwt"), json!({ "iss": OTHER }));
    server.accepts(&by_other).await;
    let token = |iss: &str| json!({ "iss": iss, "sub": "alice", "iat": NOW - 60 });
    assert!(server.refuses(token(OTHER)).await);
    assert!(!server.refuses(token(IDP)).await, "the same subject at another issuer");
    assert!(!server.refuses(token(ALIAS)).await);
}
