//! `POST /revoke` (RFC 7009), request by request.

use integration_tests::token::{encrypted, encrypted_as, forge_payload, hs256_under, unsigned};
use tempfile::NamedTempFile;

use super::*;

const FORM: &str = "application/x-www-form-urlencoded";

/// As `printf %s test | sha256sum` and `printf %s other | sha256sum` print them.
const CLIENTS: &str = "shop:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n\
                       wiki:d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa\n";

/// `shop:test`, `wiki:other`, `shop:other`.
const SHOP: (&str, &str) = ("authorization", "Basic c2hvcDp0ZXN0");
const WIKI: (&str, &str) = ("authorization", "Basic d2lraTpvdGhlcg==");
const WRONG: (&str, &str) = ("authorization", "Basic c2hvcDpvdGhlcg==");

fn file(content: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    file
}

/// A server that knows these clients.
async fn knowing(clients: &str, fields: &str) -> (Server, NamedTempFile) {
    let file = file(clients);
    let path = file.path().display().to_string();
    (server(fields, &[("TOKEN_SERVER__REVOKE__CLIENTS_FILE", &path)]).await, file)
}

/// The claims of an access token of alice's at the shop.
fn access(changes: Value) -> Value {
    let mut claims = json!({
        "iss": IDP, "aud": "api", "sub": "alice", "client_id": "shop", "iat": NOW - 10, "exp": NOW + 100, "jti": "J",
    });
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => _ = claims.as_object_mut().unwrap().remove(name),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

fn signed(changes: Value) -> String {
    typed(key("ES256"), "at+jwt", changes)
}

fn typed(key: &SigningKey, typ: &str, changes: Value) -> String {
    let header = json!({ "alg": key.algorithm, "kid": key.kid, "typ": typ });
    sign_raw(key, &header.to_string(), &access(changes).to_string())
}

impl Server {
    async fn ask(
        &self,
        method: Method,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answered {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = router(&self.signals).oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
        assert_eq!(parts.headers[header::CACHE_CONTROL], "no-store", "{uri}");
        Answered { status: parts.status, headers: parts.headers, body }
    }

    async fn revoke(&self, headers: &[(&str, &str)], form: &str) -> Answered {
        let headers = [&[("content-type", FORM)], headers].concat();
        self.ask(Method::POST, "/revoke", &headers, form.to_owned()).await
    }

    async fn is_revoked(&self, changes: Value) -> bool {
        self.refuses(access(changes)).await
    }

    fn counted_revoke(&self, outcome: Outcome) -> u64 {
        self.metrics.counted(Kind::Revoke, outcome)
    }
}

fn error(answered: &Answered) -> String {
    let body: Value = serde_json::from_str(&answered.body).unwrap_or_default();
    body["error"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_client_revokes_its_own_token_and_no_other_one() {
    let (server, _file) = knowing(CLIENTS, "").await;
    let token = signed(json!({}));
    for _ in 0..2 {
        let answered = server.revoke(&[SHOP], &format!("token={token}&token_type_hint=refresh_token")).await;
        assert_eq!((answered.status, answered.body.as_str()), (StatusCode::OK, ""));
    }
    assert!(server.is_revoked(json!({})).await);
    assert!(!server.is_revoked(json!({ "jti": "K" })).await, "another token of the same user");
    assert!(!server.is_revoked(json!({ "sub": "bob" })).await, "another user's of the same name");
    assert!(!server.is_revoked(json!({ "iss": OTHER })).await, "another issuer's");
    assert_eq!(server.rules("alice").await, [r#"{"iss":"https://idp.example.com","jti":"J"}"#]);
    let [entry] = server.trail().await.try_into().unwrap_or_else(|_| panic!("one entry"));
    assert_eq!(entry.who.name, "revoke shop");
    let counted = [Outcome::Revoked, Outcome::Known].map(|outcome| server.counted_revoke(outcome));
    assert_eq!(counted, [1, 1]);
    // By the other way, and without `jti`.
    let plain = signed(json!({ "jti": null, "client_id": null, "azp": "wiki" }));
    let answered = server.revoke(&[], &format!("client_id=wiki&client_secret=other&token={plain}")).await;
    assert_eq!(answered.status, StatusCode::OK);
    assert!(server.is_revoked(json!({ "jti": null, "client_id": null, "azp": "wiki" })).await);
    assert!(
        !server.is_revoked(json!({ "jti": null, "client_id": null, "azp": "wiki", "iat": NOW - 9 })).await
    );
}

#[tokio::test]
async fn asked_again_after_an_operator_restored_it_a_token_is_revoked_again() {
    let (server, _file) = knowing(CLIENTS, "").await;
    let form = format!("token={}", signed(json!({})));
    assert_eq!(server.revoke(&[SHOP], &form).await.status, StatusCode::OK);
    let act = crate::revocations::Act {
        who: crate::caller::Caller::of_this_process(),
        at: UnixTime::from_secs(NOW),
    };
    server.revocations.remove_group("alice".into(), crate::revocations::Why::default(), act).await.unwrap();
    assert!(!server.is_revoked(json!({})).await);
    assert_eq!(server.revoke(&[SHOP], &form).await.status, StatusCode::OK);
    assert!(server.is_revoked(json!({})).await);
}

#[tokio::test]
async fn who_does_not_prove_to_be_the_tokens_client_is_refused() {
    let (server, _file) = knowing(CLIENTS, "").await;
    let token = format!("token={}", signed(json!({})));
    let post = |more: &str| format!("{token}&{more}");
    for (what, headers, form, status, name) in [
        ("another client's token", vec![WIKI], token.clone(), 400, "invalid_grant"),
        ("a wrong secret", vec![WRONG], token.clone(), 401, "invalid_client"),
        (
            "another client's secret",
            vec![],
            post("client_id=shop&client_secret=other"),
            401,
            "invalid_client",
        ),
        ("an unknown client", vec![], post("client_id=mail&client_secret=test"), 401, "invalid_client"),
        ("no client", vec![], token.clone(), 401, "invalid_client"),
        ("a client without a secret", vec![], post("client_id=shop"), 401, "invalid_client"),
        ("a bearer token", vec![("authorization", "Bearer test")], token.clone(), 401, "invalid_client"),
        ("two ways at once", vec![SHOP], post("client_id=shop&client_secret=test"), 400, "invalid_request"),
        ("two headers", vec![SHOP, SHOP], token.clone(), 400, "invalid_request"),
        ("two names", vec![SHOP], post("client_id=wiki"), 400, "invalid_request"),
        ("two tokens", vec![SHOP], post(&token), 400, "invalid_request"),
        ("no token", vec![SHOP], "token_type_hint=access_token".to_owned(), 400, "invalid_request"),
        ("an empty token", vec![SHOP], "token=".to_owned(), 400, "invalid_request"),
    ] {
        let answered = server.revoke(&headers, &form).await;
        assert_eq!((answered.status.as_u16(), error(&answered).as_str()), (status, name), "{what}");
        let challenged = answered.headers.contains_key(header::WWW_AUTHENTICATE);
        assert_eq!(challenged, status == 401 && !headers.is_empty(), "{what}");
    }
    // Nothing tells which of the two was wrong.
    let [secret, client] = [("shop", "x"), ("mail", "test")]
        .map(|(id, secret)| post(&format!("client_id={id}&client_secret={secret}")));
    assert_eq!(server.revoke(&[], &secret).await.body, server.revoke(&[], &client).await.body);
    assert!(server.trail().await.is_empty());
    assert_eq!(server.counted_revoke(Outcome::Refused), 15);
}

#[tokio::test]
async fn without_a_clients_file_the_token_is_the_proof() {
    let server = server("", &[]).await;
    let form = |more: &str, changes: Value| format!("token={}{more}", signed(changes));
    for (what, headers, form, status) in [
        ("another client's id", vec![], form("&client_id=wiki", json!({})), 400),
        (
            "an id, and a token that says none",
            vec![],
            form("&client_id=shop", json!({ "client_id": null })),
            400,
        ),
        ("a secret that cannot be judged", vec![SHOP], form("", json!({})), 401),
    ] {
        assert_eq!(server.revoke(&headers, &form).await.status.as_u16(), status, "{what}");
        assert!(server.trail().await.is_empty(), "{what}");
    }
    for (jti, more) in [("A", ""), ("B", "&client_id=shop")] {
        let answered = server.revoke(&[], &form(more, json!({ "jti": jti }))).await;
        assert_eq!(answered.status, StatusCode::OK, "{more}");
        assert!(server.is_revoked(json!({ "jti": jti })).await, "{more}");
    }
    assert_eq!(server.trail().await.first().unwrap().who.name, format!("revoke {IDP}"));
}

#[tokio::test]
async fn a_token_that_is_refused_anyway_is_answered_200_and_writes_nothing() {
    let (server, _file) = knowing(CLIENTS, "").await;
    let es256 = key("ES256");
    let public = es256.jwk().to_string();
    let stranger = SigningKey::generate("ES256", &es256.kid);
    for (what, token, outcome) in [
        ("expired", signed(json!({ "exp": NOW })), Outcome::Ignored),
        ("without an end", signed(json!({ "exp": null })), Outcome::Ignored),
        ("alg none", unsigned("none", &access(json!({}))), Outcome::Refused),
        (
            "HS256 with the public key",
            hs256_under(public.as_bytes(), &es256.kid, &access(json!({}))),
            Outcome::Refused,
        ),
        ("another key", typed(&stranger, "at+jwt", json!({})), Outcome::Refused),
        ("another issuer's key", typed(key("RS256"), "at+jwt", json!({})), Outcome::Refused),
        ("an issuer that is not trusted", signed(json!({ "iss": "https://evil.example" })), Outcome::Refused),
        ("no issuer", signed(json!({ "iss": null })), Outcome::Refused),
        (
            "other claims under a good signature",
            forge_payload(&signed(json!({})), &access(json!({ "jti": "K" }))),
            Outcome::Refused,
        ),
        ("two dots", "a.b.c".to_owned(), Outcome::Refused),
    ] {
        let before = server.counted_revoke(outcome);
        let answered = server.revoke(&[SHOP], &format!("token={token}")).await;
        assert_eq!((answered.status, answered.body.as_str()), (StatusCode::OK, ""), "{what}");
        assert_eq!(server.counted_revoke(outcome), before + 1, "{what}");
    }
    assert!(server.trail().await.is_empty());
}

#[tokio::test]
async fn what_cannot_be_revoked_here_is_not_answered_as_if_it_were() {
    let (server, _file) = knowing(CLIENTS, "").await;
    let event = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    for (what, token) in [
        ("an opaque token", "8xLOxBtZp8".to_owned()),
        ("a logout token", typed(key("ES256"), "logout+jwt", json!({ "events": event }))),
        ("a logout token without a type", typed(key("ES256"), "JWT", json!({ "events": event }))),
        ("a security event", typed(key("ES256"), "secevent+jwt", json!({}))),
        ("a proof", typed(key("ES256"), "dpop+jwt", json!({}))),
    ] {
        let answered = server.revoke(&[SHOP], &format!("token={token}")).await;
        assert_eq!(answered.status, StatusCode::BAD_REQUEST, "{what}");
        assert_eq!(error(&answered), "unsupported_token_type", "{what}");
        assert!(!answered.body.contains(&token), "{what}");
    }
    assert!(server.trail().await.is_empty());
}

#[tokio::test]
async fn an_id_token_ends_itself_and_not_the_access_token_beside_it() {
    let (server, _file) = knowing(CLIENTS, "").await;
    for with in [json!({ "jti": null }), json!({ "jti": "ID" })] {
        let mut id_token = with.clone();
        id_token["aud"] = json!("shop");
        id_token["at_hash"] = json!("H");
        let token = typed(key("ES256"), "JWT", id_token);
        assert_eq!(server.revoke(&[SHOP], &format!("token={token}")).await.status, StatusCode::OK);
        assert!(!server.is_revoked(json!({ "jti": null })).await, "{with}");
        assert!(!server.is_revoked(json!({})).await, "{with}");
    }
}

#[tokio::test]
async fn what_is_no_form_in_the_body_of_a_post_is_no_request() {
    let (server, _file) = knowing(CLIENTS, "").await;
    let token = signed(json!({}));
    let form = format!("token={token}");
    let json_body = json!({ "token": token }).to_string();
    let in_url = format!("/revoke?{form}");
    let long = format!("{form}&x={}", "x".repeat(64 * 1024));
    for (what, method, uri, content, body, status) in [
        ("GET", Method::GET, "/revoke", None, String::new(), 405),
        ("GET with the token in the URL", Method::GET, &*in_url, None, String::new(), 405),
        ("PUT", Method::PUT, "/revoke", Some(FORM), form.clone(), 405),
        ("the token in the URL", Method::POST, &in_url, Some(FORM), String::new(), 400),
        ("the token in both", Method::POST, &in_url, Some(FORM), form.clone(), 400),
        ("JSON", Method::POST, "/revoke", Some("application/json"), json_body.clone(), 400),
        ("JSON that says it is a form", Method::POST, "/revoke", Some(FORM), json_body, 400),
        ("no type", Method::POST, "/revoke", None, form.clone(), 400),
        ("another type", Method::POST, "/revoke", Some("text/plain"), form.clone(), 400),
        ("no body", Method::POST, "/revoke", Some(FORM), String::new(), 400),
        ("a body over 64 KiB", Method::POST, "/revoke", Some(FORM), long, 413),
    ] {
        let mut headers = vec![SHOP];
        headers.extend(content.map(|content| ("content-type", content)));
        let answered = server.ask(method, uri, &headers, body).await;
        assert_eq!(answered.status.as_u16(), status, "{what}");
        assert!(!answered.body.contains(&token), "{what}");
    }
    assert!(server.trail().await.is_empty());
}

#[tokio::test]
async fn an_encrypted_token_is_revoked_by_what_is_inside() {
    let (server, _file) = knowing(CLIENTS, "").await;
    let header = json!({ "alg": "dir", "enc": "A256CBC-HS512", "kid": "jwe", "cty": "JWT" });
    let nested = |token: &str| encrypted_as(&JWE_SECRET, &header, token);
    let claims = |jti: &str| encrypted(&JWE_SECRET, "jwe", &access(json!({ "jti": jti })).to_string());
    for (jti, token) in [("A", nested(&signed(json!({ "jti": "A" })))), ("B", claims("B"))] {
        let answered = server.revoke(&[SHOP], &format!("token={token}")).await;
        assert_eq!(answered.status, StatusCode::OK, "{jti}");
        assert!(server.is_revoked(json!({ "jti": jti })).await, "{jti}");
    }
    let written = server.trail().await.len();
    for (what, token) in [
        ("another key's signature inside", nested(&typed(key("RS256"), "at+jwt", json!({ "jti": "C" })))),
        ("another secret", encrypted(&[8; 64], "jwe", &access(json!({ "jti": "C" })).to_string())),
    ] {
        assert_eq!(server.revoke(&[SHOP], &format!("token={token}")).await.status, StatusCode::OK, "{what}");
        assert_eq!(server.trail().await.len(), written, "{what}");
    }
    let answered = server.revoke(&[WIKI], &format!("token={}", claims("D"))).await;
    assert_eq!((answered.status, error(&answered).as_str()), (StatusCode::BAD_REQUEST, "invalid_grant"));
}

#[tokio::test]
async fn a_client_that_asks_too_much_is_told_when_to_come_again_and_silences_no_provider() {
    let file = file(CLIENTS);
    let path = file.path().display().to_string();
    let settings = [("TOKEN_SERVER__REVOKE__CLIENTS_FILE", &*path), ("TOKEN_SERVER__SIGNALS__RATE", "1")];
    let server = server("", &settings).await;
    let form = format!("token={}", signed(json!({})));
    let mut answered = server.revoke(&[SHOP], &form).await;
    for _ in 0..1_000 {
        if answered.status != StatusCode::OK {
            break;
        }
        answered = server.revoke(&[SHOP], &form).await;
    }
    assert_eq!(answered.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answered.headers[header::RETRY_AFTER], "1");
    assert_eq!(server.rules("alice").await.len(), 1, "however often: one rule");
    let others = signed(json!({ "client_id": "wiki", "jti": "K" }));
    assert_eq!(server.revoke(&[WIKI], &format!("token={others}")).await.status, StatusCode::OK);
    server.accepts(&logout(json!({}))).await;
}

#[tokio::test]
async fn the_bearer_of_a_token_uses_up_no_share_of_the_issuers_logouts() {
    let server = server("", &[("TOKEN_SERVER__SIGNALS__RATE", "1")]).await;
    let form = format!("token={}", signed(json!({})));
    let mut status = StatusCode::OK;
    for _ in 0..1_000 {
        status = server.revoke(&[], &form).await.status;
        if status != StatusCode::OK {
            break;
        }
    }
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    server.accepts(&logout(json!({}))).await;
}

#[tokio::test]
async fn another_secret_in_the_file_counts_once_it_is_read_again() {
    use service::secret_file::Reload as _;
    let (server, file) = knowing(CLIENTS, "").await;
    std::fs::write(file.path(), CLIENTS.replace("wiki:", "mail:")).unwrap();
    assert!(server.signals.clients.as_ref().unwrap().reload());
    let form = format!("token={}", signed(json!({ "client_id": "wiki" })));
    assert_eq!(server.revoke(&[WIKI], &form).await.status, StatusCode::UNAUTHORIZED);
    // What cannot be read leaves what was.
    std::fs::write(file.path(), "shop:plain").unwrap();
    server.signals.clients.as_ref().unwrap().reload();
    let form = format!("token={}", signed(json!({})));
    assert_eq!(server.revoke(&[SHOP], &form).await.status, StatusCode::OK);
}

#[tokio::test]
async fn where_an_issuers_messages_are_tried_a_revocation_refuses_nothing() {
    let (server, _file) = knowing(CLIENTS, "mode = 'shadow'").await;
    let answered = server.revoke(&[SHOP], &format!("token={}", signed(json!({})))).await;
    assert_eq!(answered.status, StatusCode::OK);
    assert!(!server.is_revoked(json!({})).await);
    assert_eq!(server.counted_revoke(Outcome::Tried), 1);
}
