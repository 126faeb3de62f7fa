//! `POST /global-token-revocation`, request by request.

use tempfile::NamedTempFile;

use super::*;

const TOKENS: &str = "okta-okta-okta-okta https://idp.example.com\n\
                      other-other-other-1 https://other.example.com\n\
                      desk-desk-desk-desk\n";
const OKTA: (&str, &str) = ("authorization", "Bearer okta-okta-okta-okta");
const OTHERS: (&str, &str) = ("authorization", "Bearer other-other-other-1");
const DESK: (&str, &str) = ("authorization", "Bearer desk-desk-desk-desk");
const JSON: (&str, &str) = ("content-type", "application/json");

async fn knowing(fields: &str, settings: &[(&str, &str)]) -> (Server, NamedTempFile) {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), TOKENS).unwrap();
    let path = file.path().display().to_string();
    let settings = [&[("TOKEN_SERVER__GLOBAL_REVOCATION__TOKENS_FILE", &*path)], settings].concat();
    (server(fields, &settings).await, file)
}

impl Server {
    async fn end(&self, headers: &[(&str, &str)], body: impl Into<Body>) -> Answered {
        let mut request = Request::builder().method(Method::POST).uri("/global-token-revocation");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = router(&self.signals).oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
        assert_eq!(parts.headers[header::CACHE_CONTROL], "no-store");
        Answered { status: parts.status, headers: parts.headers, body }
    }

    async fn ends(&self, sender: (&str, &str), subject: Value) -> u16 {
        let body = json!({ "sub_id": subject }).to_string();
        self.end(&[sender, JSON], body).await.status.as_u16()
    }

    fn counted_global(&self, outcome: Outcome) -> u64 {
        self.metrics.counted(Kind::Global, outcome)
    }
}

fn of(issuer: &str, sub: &str) -> Value {
    json!({ "format": "iss_sub", "iss": issuer, "sub": sub })
}

fn opaque(id: &str) -> Value {
    json!({ "format": "opaque", "id": id })
}

fn email(address: &str) -> Value {
    json!({ "format": "email", "email": address })
}

fn token(issuer: &str, sub: &str, iat: i64) -> Value {
    json!({ "iss": issuer, "sub": sub, "iat": iat })
}

#[tokio::test]
async fn all_tokens_of_a_user_end_that_were_issued_until_now() {
    let (server, _file) = knowing("", &[]).await;
    assert_eq!(server.ends(OKTA, of(IDP, "alice")).await, 204);
    for (issuer, iat, expected) in [
        (IDP, NOW - 60, true),
        (IDP, NOW, true),
        (ALIAS, NOW, true),
        (IDP, NOW + 1, false),
        (OTHER, NOW, false),
    ] {
        assert_eq!(server.refuses(token(issuer, "alice", iat)).await, expected, "{issuer} {iat}");
    }
    assert!(!server.refuses(token(IDP, "bob", NOW)).await);
    assert_eq!(server.trail().await.first().unwrap().who.name, format!("global {IDP}"));
    // Again, by another name of the user and of the issuer: it stands already.
    assert_eq!(server.ends(OKTA, opaque("alice")).await, 204);
    assert_eq!(server.ends(OKTA, of(ALIAS, "alice")).await, 204);
    assert_eq!(server.rules("alice").await.len(), 2, "one for each name of the issuer");
    let counted = [Outcome::Revoked, Outcome::Known].map(|outcome| server.counted_global(outcome));
    assert_eq!(counted, [1, 2]);
    // Users are not known here.
    assert_eq!(server.ends(OKTA, opaque("no one ever saw him")).await, 204);
}

#[tokio::test]
async fn a_sender_ends_tokens_of_its_own_issuers_users_alone() {
    let (server, _file) = knowing("", &[("TOKEN_SERVER__SIGNALS__EMAIL", "true")]).await;
    for (what, sender, subject, status) in [
        ("another issuer's user", OTHERS, of(IDP, "alice"), 403),
        ("the same the other way round", OKTA, of(OTHER, "alice"), 403),
        ("an issuer that is not trusted", DESK, of("https://evil.example", "alice"), 403),
        ("an issuer with a slash more", OKTA, of(&format!("{IDP}/"), "alice"), 403),
        ("another issuer's token", OKTA, json!({ "format": "jwt_id", "iss": OTHER, "jti": "J" }), 403),
        ("no issuer, where several are trusted", DESK, opaque("alice"), 400),
        ("an address of which issuer?", DESK, email("alice@example.com"), 400),
    ] {
        assert_eq!(server.ends(sender, subject).await, status, "{what}");
        assert!(server.trail().await.is_empty(), "{what}");
    }
    assert_eq!(server.ends(OTHERS, opaque("alice")).await, 204);
    assert!(server.refuses(token(OTHER, "alice", NOW)).await);
    assert!(!server.refuses(token(IDP, "alice", NOW)).await, "the same name at another issuer");
    assert_eq!(server.ends(DESK, of(IDP, "alice")).await, 204);
    assert!(server.refuses(token(IDP, "alice", NOW)).await);
}

#[tokio::test]
async fn an_address_counts_where_it_is_switched_on_where_it_was_verified_and_letter_for_letter() {
    let (off, _file) = knowing("", &[]).await;
    assert_eq!(off.ends(OKTA, email("alice@example.com")).await, 400);
    assert_eq!(off.counted_global(Outcome::Inexact), 1);
    let (server, _file) = knowing("", &[("TOKEN_SERVER__SIGNALS__EMAIL", "true")]).await;
    assert_eq!(server.ends(OKTA, email("alice@example.com")).await, 204);
    for (what, claims, expected) in [
        ("verified", json!({ "email": "alice@example.com", "email_verified": true }), true),
        ("unverified", json!({ "email": "alice@example.com", "email_verified": false }), false),
        ("said nothing of", json!({ "email": "alice@example.com" }), false),
        ("a text", json!({ "email": "alice@example.com", "email_verified": "true" }), false),
        ("other letters", json!({ "email": "Alice@example.com", "email_verified": true }), false),
        (
            "another issuer's",
            json!({ "iss": OTHER, "email": "alice@example.com", "email_verified": true }),
            false,
        ),
        (
            "a later token",
            json!({ "iat": NOW + 1, "email": "alice@example.com", "email_verified": true }),
            false,
        ),
    ] {
        let mut told = token(IDP, "u1", NOW);
        for (name, value) in claims.as_object().unwrap() {
            told[name] = value.clone();
        }
        assert_eq!(server.refuses(told).await, expected, "{what}");
    }
}

#[tokio::test]
async fn a_sender_that_is_not_known_is_refused_before_anything_is_read() {
    let (server, _file) = knowing("", &[]).await;
    for (what, headers, challenge) in [
        ("no token", vec![], r#"Bearer realm="revocation""#),
        (
            "an unknown one",
            vec![("authorization", "Bearer okta-okta-okta-okt")],
            r#"Bearer realm="revocation", error="invalid_token""#,
        ),
        (
            "an issuer as the token",
            vec![("authorization", "Bearer https://idp.example.com")],
            r#"Bearer realm="revocation", error="invalid_token""#,
        ),
        (
            "another scheme",
            vec![("authorization", "Basic okta-okta-okta-okta")],
            r#"Bearer realm="revocation", error="invalid_token""#,
        ),
    ] {
        let headers = [&[JSON], headers.as_slice()].concat();
        for body in [json!({ "sub_id": of(IDP, "alice") }).to_string(), "garbage".to_owned()] {
            let answered = server.end(&headers, body).await;
            assert_eq!(answered.status, StatusCode::UNAUTHORIZED, "{what}");
            assert_eq!(answered.headers[header::WWW_AUTHENTICATE], challenge, "{what}");
        }
    }
    let twice = server.end(&[OKTA, OKTA, JSON], json!({ "sub_id": of(IDP, "alice") }).to_string()).await;
    assert_eq!(twice.status, StatusCode::BAD_REQUEST);
    assert!(server.trail().await.is_empty());
    assert_eq!(server.counted_global(Outcome::Refused), 9);
}

#[tokio::test]
async fn what_is_not_one_subject_in_json_is_no_request() {
    let (server, _file) = knowing("", &[]).await;
    let good = json!({ "sub_id": of(IDP, "alice") }).to_string();
    let long = json!({ "sub_id": opaque(&"x".repeat(64 * 1024)) }).to_string();
    for (what, headers, body, status) in [
        ("a form", vec![("content-type", "application/x-www-form-urlencoded")], good.clone(), 400),
        ("no type", vec![], good.clone(), 400),
        ("no body", vec![JSON], String::new(), 400),
        ("a list", vec![JSON], format!("[{good}]"), 400),
        ("no subject", vec![JSON], "{}".to_owned(), 400),
        (
            "a subject beside another member",
            vec![JSON],
            json!({ "sub_id": of(IDP, "a"), "device": "D" }).to_string(),
            400,
        ),
        (
            "two subjects",
            vec![JSON],
            r#"{"sub_id":{"format":"opaque","id":"a"},"sub_id":{"format":"opaque","id":"b"}}"#.to_owned(),
            400,
        ),
        ("two ids", vec![JSON], r#"{"sub_id":{"format":"opaque","id":"a","id":"b"}}"#.to_owned(), 400),
        ("a subject by its name", vec![JSON], json!({ "sub_id": "alice" }).to_string(), 400),
        (
            "an unknown format",
            vec![JSON],
            json!({ "sub_id": { "format": "dn", "dn": "cn=alice" } }).to_string(),
            400,
        ),
        (
            "a format that no claim holds",
            vec![JSON],
            json!({ "sub_id": { "format": "phone_number", "phone_number": "+1" } }).to_string(),
            400,
        ),
        ("a body over 64 KiB", vec![JSON], long, 413),
        (
            "a user of whom no token is accepted",
            vec![JSON],
            json!({ "sub_id": opaque("g") }).to_string(),
            422,
        ),
    ] {
        let answered = server.end(&[&[OKTA], headers.as_slice()].concat(), body).await;
        assert_eq!(answered.status.as_u16(), status, "{what}: {}", answered.body);
    }
    assert!(server.trail().await.is_empty());
    let typed = server.end(&[OKTA, ("content-type", "application/JSON; charset=utf-8")], good).await;
    assert_eq!(typed.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn what_can_be_mapped_in_part_is_tried_alone_and_not_answered_as_if_it_were_done() {
    let (server, _file) = knowing("", &[]).await;
    let subject = json!({ "format": "complex", "user": of(IDP, "alice"), "device": opaque("phone") });
    assert_eq!(server.ends(OKTA, subject).await, 422);
    assert!(!server.refuses(token(IDP, "alice", NOW)).await, "her other devices");
    assert_eq!(server.counted_global(Outcome::Inexact), 1);
    assert_eq!(server.trail().await.len(), 2, "rules that are tried, one for each name of the issuer");
    let session = json!({ "format": "complex", "user": of(IDP, "alice"), "session": opaque("S") });
    assert_eq!(server.ends(OKTA, session).await, 204);
    assert!(server.refuses(json!({ "iss": IDP, "sub": "alice", "iat": NOW, "sid": "S" })).await);
    assert!(!server.refuses(json!({ "iss": IDP, "sub": "alice", "iat": NOW, "sid": "T" })).await);
}

/// What Okta shows, signed by the issuer's key.
fn assertion(typ: &str, changes: Value) -> String {
    assertion_by(key("ES256"), typ, changes)
}

fn assertion_by(key: &SigningKey, typ: &str, changes: Value) -> String {
    let mut claims = json!({
        "iss": IDP, "sub": IDP, "aud": ENDPOINT, "jti": "G", "iat": NOW - 5, "nbf": NOW - 5, "exp": NOW + 295,
    });
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => _ = claims.as_object_mut().unwrap().remove(name),
            value => claims[name] = value.clone(),
        }
    }
    let header = json!({ "alg": key.algorithm, "kid": key.kid, "typ": typ });
    sign_raw(key, &header.to_string(), &claims.to_string())
}

const TYPE: &str = "global-token-revocation+jwt";
const ENDPOINT: &str = "https://edge.example.com/global-token-revocation";

/// A server that knows its own URL, and no file of tokens.
async fn by_signature() -> Server {
    let server = server("", &[]).await;
    let mut settings = server.signals.in_use.load().settings.clone();
    settings.providers.iter_mut().for_each(|provider| provider.audiences.push(ENDPOINT.to_owned()));
    let keys = Arc::clone(&server.signals.in_use.load().keys);
    server.signals.replace(InUse::new(settings, &keys));
    server
}

#[tokio::test]
async fn a_request_that_an_issuer_has_signed_ends_tokens_of_its_own_users() {
    let server = by_signature().await;
    let bearer = |token: &str| format!("Bearer {token}");
    let own = bearer(&assertion(TYPE, json!({})));
    assert_eq!(server.ends(("authorization", &own), of(OTHER, "alice")).await, 403);
    assert!(server.trail().await.is_empty());
    assert_eq!(server.ends(("authorization", &own), of(IDP, "alice")).await, 204);
    assert!(server.refuses(token(IDP, "alice", NOW)).await);
    let entry = server.trail().await.into_iter().next().unwrap();
    assert_eq!((entry.who.name, entry.note.as_deref()), (format!("global {IDP}"), Some("jti G")));
    let others =
        assertion_by(key("RS256"), &TYPE.to_uppercase(), json!({ "iss": OTHER, "aud": ["x", ENDPOINT] }));
    assert_eq!(server.ends(("authorization", &bearer(&others)), opaque("bob")).await, 204);
    assert!(server.refuses(token(OTHER, "bob", NOW)).await);
}

#[tokio::test]
async fn what_an_issuer_has_signed_for_something_else_is_no_such_request() {
    let server = by_signature().await;
    let mut bodies = std::collections::BTreeSet::new();
    for (what, token) in [
        ("an access token", assertion("at+jwt", json!({}))),
        ("a token of no type", assertion("JWT", json!({}))),
        ("a logout token", assertion("logout+jwt", json!({}))),
        ("for another endpoint", assertion(TYPE, json!({ "aud": "https://edge.example.com/" }))),
        ("for no one", assertion(TYPE, json!({ "aud": null }))),
        ("expired", assertion(TYPE, json!({ "exp": NOW }))),
        ("without an end", assertion(TYPE, json!({ "exp": null }))),
        ("old", assertion(TYPE, json!({ "iat": NOW - 331 }))),
        ("of the future", assertion(TYPE, json!({ "iat": NOW + 31 }))),
        ("good later", assertion(TYPE, json!({ "nbf": NOW + 31 }))),
        ("without a time", assertion(TYPE, json!({ "iat": null }))),
        ("without a name", assertion(TYPE, json!({ "jti": null }))),
        ("of another key", assertion_by(key("RS256"), TYPE, json!({}))),
        ("of another issuer by this key", assertion(TYPE, json!({ "iss": OTHER }))),
        ("of an issuer that is not trusted", assertion(TYPE, json!({ "iss": "https://evil.example.com" }))),
        ("unsigned", integration_tests::token::unsigned("none", &json!({ "iss": IDP, "aud": ENDPOINT }))),
    ] {
        let bearer = format!("Bearer {token}");
        let body = json!({ "sub_id": of(IDP, "alice") }).to_string();
        let answered = server.end(&[("authorization", &bearer), JSON], body).await;
        assert_eq!(answered.status, StatusCode::UNAUTHORIZED, "{what}");
        bodies.insert(answered.body);
    }
    assert_eq!(bodies.len(), 1, "one answer for each cause: {bodies:?}");
    assert!(server.trail().await.is_empty());
}

#[tokio::test]
async fn without_a_file_of_tokens_and_without_a_signature_no_sender_is_known() {
    let server = server("", &[]).await;
    assert_eq!(server.ends(OKTA, of(IDP, "alice")).await, 401);
}

#[tokio::test]
async fn a_token_that_is_bound_to_an_issuer_that_is_not_trusted_is_a_fault_at_the_start() {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "okta-okta-okta-okta https://idp.example.com/").unwrap();
    let settings = [
        ("TOKEN_SERVER__SIGNALS__LISTEN", "127.0.0.1:0".to_owned()),
        ("TOKEN_SERVER__GLOBAL_REVOCATION__TOKENS_FILE", file.path().display().to_string()),
        ("TOKEN_SERVER__VERIFY__ISSUERS", IDP.to_owned()),
    ];
    let pairs = settings.map(|(name, value)| (name.into(), value.into()));
    let faults = Config::from_environment(pairs).unwrap_err().to_string();
    assert!(faults.contains("line 1: the issuer is not trusted"), "{faults}");
}
