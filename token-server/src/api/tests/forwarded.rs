//! Forward-auth, asked in the ways of the three proxies and of people who mean harm.

use std::sync::atomic::{AtomicI64, Ordering};

use axum::http::HeaderMap;
use integration_tests::keys::{jwks, key};
use integration_tests::token::{encrypted, sign, sign_raw};
use jose::{KeyOrigin, KeyRules};
use keys::{Source, Timing, keep_fresh};
use serde_json::json;
use service::shutdown::Shutdown;

use super::*;
use crate::encrypted::decryption_keys;

/// What the server's policies are.
const SETTINGS: &str = r#"
[[policies]]
name = "admin"
all_scopes = ["admin"]

[[policies]]
name = "billing"
audiences = ["billing"]

[[policies]]
name = "public"

[[verify]]
cookie = "session"
query = "t"

[[verify]]
policy = "public"
allow_missing = true
preflight = true
headers = { "X-User-Id" = "sub", "X-Roles" = "realm.roles" }
"#;

/// A server with an ES256 key, policies, and the way of one proxy; the guard keeps its key task alive.
pub(super) struct Guarded {
    pub(super) server: Server,
    _stop: tokio_util::sync::DropGuard,
    _folder: tempfile::TempDir,
}

pub(super) async fn guarded(proxy: &str, change: impl FnOnce(&mut App)) -> Guarded {
    guarded_with(&[], proxy, change).await
}

/// The same with a store that holds these rules as if an operator had edited the file.
async fn guarded_with(stored: &[(&str, &str)], proxy: &str, change: impl FnOnce(&mut App)) -> Guarded {
    guarded_by(&[], stored, proxy, change).await
}

/// The same with further settings.
pub(super) async fn guarded_by(
    more: &[(&str, &str)],
    stored: &[(&str, &str)],
    proxy: &str,
    change: impl FnOnce(&mut App),
) -> Guarded {
    let folder = tempfile::tempdir().unwrap();
    let (file, settings) = (folder.path().join("keys.json"), folder.path().join("settings.toml"));
    std::fs::write(&file, jwks([key("ES256")])).unwrap();
    std::fs::write(&settings, SETTINGS).unwrap();
    let variables = [
        ("TOKEN_SERVER_CONFIG", settings.as_os_str()),
        ("TOKEN_SERVER__JWKS__FILE", file.as_os_str()),
        ("TOKEN_SERVER__VERIFY__PROXY", proxy.as_ref()),
    ];
    let variables = variables.into_iter().chain(more.iter().map(|(name, value)| (*name, value.as_ref())));
    let variables = variables.map(|(name, value)| (name.into(), value.into()));
    let config = Config::from_environment(variables).unwrap();
    let source = Source::File(file.clone());
    let timing = Timing::every(Duration::from_secs(3600));
    let places = [source.place(0)];
    let ring = Arc::new(KeyRing::new(1, &places, timing.cool_down, Readiness::new(), KeyMetrics::default()));
    let stop = Shutdown::new();
    let rules = KeyRules {
        origin: KeyOrigin::File,
        profile: Profile::Standard,
        allow_short_secrets: false,
        allow_mixed_keys: false,
    };
    tokio::spawn(keep_fresh(source, 0, Arc::clone(&ring), rules, timing, stop.clone()));
    ring.settled().await;
    assert!(ring.has_keys());
    let server = server_with(stored, |app| {
        let mut registry = Registry::default();
        let metrics = VerifyMetrics::register(&mut registry);
        app.registry = Arc::new(registry);
        app.in_use = in_use_with(config.verify.unwrap(), &config.proofs, metrics, &ring);
        change(app);
    })
    .await;
    Guarded { server, _stop: stop.drop_guard(), _folder: folder }
}

pub(super) struct Heard {
    pub(super) status: u16,
    headers: HeaderMap,
    text: String,
}

impl Heard {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(super) fn detail(&self) -> String {
        serde_json::from_str::<Value>(&self.text)
            .map_or_else(|_| "ok".to_owned(), |body| body["detail"].as_str().unwrap_or("none").to_owned())
    }
}

impl Guarded {
    /// Asks until the rules were read in time, which a busy machine may fail to do.
    pub(super) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Heard {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let heard = self.ask_once(method, path, headers).await;
            if heard.detail() != "rules" || Instant::now() > deadline {
                return heard;
            }
        }
    }

    pub(super) async fn ask_once(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Heard {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = main_routes(&self.server.app).answer(request).await;
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Heard {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    async fn with_token(&self, path: &str, token: &str) -> Heard {
        self.ask("GET", path, &[("authorization", &format!("Bearer {token}"))]).await
    }

    pub(super) fn metric(&self, line: &str) -> bool {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.server.app.registry).unwrap();
        text.lines().any(|found| found == line)
    }
}

pub(super) fn good(changes: Value) -> String {
    let mut claims = json!({"sub": "anna", "exp": NOW + 60});
    let (Some(all), Value::Object(changes)) = (claims.as_object_mut(), changes) else { panic!("no objects") };
    all.extend(changes);
    sign(key("ES256"), &claims)
}

#[tokio::test]
async fn a_request_passes_with_a_good_token_and_with_nothing_else() {
    let server = guarded("traefik", |_| {}).await;
    let anna = good(json!({"email": "anna@a.example"}));
    for method in ["GET", "POST", "HEAD", "PUT"] {
        let passed = server.ask(method, "/verify", &[("authorization", &format!("JWT {anna}"))]).await;
        assert_eq!((passed.status, passed.text.as_str()), (200, ""), "{method}");
        assert_eq!(passed.header("x-user-id"), Some("anna"));
        assert_eq!(passed.header("x-user-email"), Some("anna@a.example"));
    }
    let scoped = good(json!({"scope": "read admin"}));
    for (path, token, status, detail) in [
        ("/verify/default", good(json!({})), 200, "ok"),
        ("/verify/admin", scoped.clone(), 200, "ok"),
        ("/verify/admin", good(json!({})), 403, "scope"),
        ("/verify/billing", good(json!({"aud": ["x", "billing"]})), 200, "ok"),
        ("/verify/billing", good(json!({"aud": "x"})), 401, "audience"),
        ("/verify/weak", scoped.clone(), 503, "unknown_policy"),
        ("/verify/Admin", scoped.clone(), 503, "unknown_policy"),
        ("/verify", good(json!({"exp": NOW})), 401, "expired"),
        ("/verify", good(json!({"nbf": NOW + 31})), 401, "not_yet_valid"),
        ("/verify", format!("{scoped}A"), 401, "signature"),
        ("/verify", sign(key("EdDSA"), &json!({"sub": "anna", "exp": NOW + 60})), 401, "unknown_key"),
        ("/verify", sign_raw(key("ES256"), r#"{"alg":"none"}"#, "{}"), 401, "algorithm"),
        ("/verify", "a.b.c.d.e".to_owned(), 401, "unsupported"),
        ("/verify", "x".repeat(9000), 401, "token_size"),
        ("/verify", String::new(), 401, "missing"),
    ] {
        let heard = server.with_token(path, &token).await;
        assert_eq!((heard.status, heard.detail().as_str()), (status, detail), "{path} {token}");
        assert_eq!(heard.header("www-authenticate").is_some(), matches!(status, 401 | 403));
        assert_eq!(heard.header("retry-after").is_some(), status == 503);
        assert!(heard.header("x-user-id").is_none_or(|id| status == 200 && id == "anna"));
    }
    for path in ["/verify/admin/x", "/verify/", "/verify//", "/verifyx", "/%76erify"] {
        assert_eq!(server.with_token(path, &scoped).await.status, 404, "{path}");
    }
    assert!(server.metric(
        r#"token_server_verify_decisions_total{policy="admin",reason="E_TKN_FORBIDDEN",detail="scope",issuer=""} 1"#
    ));
    assert!(server.metric(
        r#"token_server_verify_decisions_total{policy="",reason="E_BACKEND_UNAVAIL",detail="unknown_policy",issuer=""} 2"#
    ));
}

#[tokio::test]
async fn what_cannot_be_decided_is_no_200_and_may_be_asked_again() {
    let no_keys = guarded("traefik", |app| {
        app.in_use = in_use(open_to_everybody(), VerifyMetrics::default(), &no_keys(1));
    })
    .await;
    let unreadable = guarded_with(&[("anna", "{")], "traefik", |_| {}).await;
    for (server, detail) in [(&no_keys, "no_keys"), (&unreadable, "rules")] {
        let authorization = format!("Bearer {}", good(json!({})));
        let heard = server.ask_once("GET", "/verify", &[("authorization", &authorization)]).await;
        assert_eq!((heard.status, heard.detail().as_str()), (503, detail));
        assert_eq!((heard.header("retry-after"), heard.header("www-authenticate")), (Some("1"), None));
        assert_eq!(heard.header("x-user-id"), None);
    }
    assert_eq!(unreadable.with_token("/verify", &good(json!({"sub": "bob"}))).await.status, 200);
}

#[tokio::test]
async fn the_original_request_is_read_in_the_configured_proxys_way_alone() {
    let token = good(json!({}));
    let query = format!("/x?t={token}");
    for (proxy, own, foreign) in
        [("traefik", "x-forwarded-uri", "x-original-url"), ("nginx", "x-original-url", "x-forwarded-uri")]
    {
        let server = guarded(proxy, |_| {}).await;
        assert_eq!(server.ask("GET", "/verify", &[(own, &query)]).await.status, 200, "{proxy}");
        assert_eq!(server.ask("GET", "/verify", &[(foreign, &query)]).await.detail(), "missing", "{proxy}");
        let twice = server.ask("GET", "/verify", &[(own, &query), (own, "/x")]).await;
        assert_eq!((twice.status, twice.detail().as_str()), (401, "ambiguous"), "{proxy}");
        let own_query = server.ask("GET", &format!("/verify?t={token}"), &[]).await;
        assert_eq!(own_query.detail(), "missing", "{proxy}");
    }
    let envoy = guarded("envoy", |_| {}).await;
    for (path, detail) in [
        (format!("/verify/default/x?t={token}"), "ok"),
        (format!("/verify/default/?t={token}"), "ok"),
        ("/verify/default/x".to_owned(), "missing"),
        (format!("/verify/weak/../default/x?t={token}"), "unknown_policy"),
    ] {
        let told = [("x-forwarded-uri", query.as_str()), ("x-original-url", query.as_str())];
        assert_eq!(envoy.ask("DELETE", &path, &told).await.detail(), detail, "{path}");
    }
    let cookie = format!("a=1; session={token}");
    assert_eq!(envoy.ask("GET", "/verify/default/x", &[("cookie", &cookie)]).await.status, 200);
    let two = [("authorization", "Bearer a.b.c"), ("authorization", "Bearer a.b.c")];
    assert_eq!(envoy.ask("GET", "/verify/default/x", &two).await.detail(), "duplicate_header");
}

#[tokio::test]
async fn no_host_and_no_spelling_hides_or_forges_the_query() {
    let (good, other) = (good(json!({})), good(json!({"sub": "root"})));
    for (proxy, own) in [("traefik", "x-forwarded-uri"), ("nginx", "x-original-url")] {
        let server = guarded(proxy, |_| {}).await;
        for (told, detail) in [
            (format!("/x?t={good}"), "ok"),
            (format!("/x?a=%zz&%74={good}&b"), "ok"),
            (format!("/x?{good}"), "missing"),
            ("/x".to_owned(), "missing"),
            ("*".to_owned(), "missing"),
            (format!("/x?t={good}&t={other}"), "ambiguous"),
            (format!("/x?%74={good}&t={other}"), "ambiguous"),
            (format!("/x?t={good}&T={other}"), "ambiguous"),
            // A fragment, which no client sends: some applications read on, others do not.
            (format!("/x?t={good}#"), "malformed"),
            (format!("/x#?t={good}"), "malformed"),
            (format!("/x?a#&t={good}"), "malformed"),
            (format!("x?t={good}"), "malformed"),
            (format!("?t={good}"), "malformed"),
            (format!("h?t={good}"), "malformed"),
            (format!("h?t={good}/x"), "malformed"),
        ] {
            let heard = server.ask("GET", "/verify", &[(own, &told)]).await;
            assert_eq!(heard.detail(), detail, "{proxy} {told}");
            // Not asked for: nothing of it decides.
            let bearer = format!("Bearer {good}");
            let heard =
                server.ask("GET", "/verify/public", &[(own, &told), ("authorization", &bearer)]).await;
            assert_eq!(heard.detail(), "ok", "{proxy} {told}");
        }
        // nginx's example told scheme and host too, and the client's Host stood there.
        for (told, of_nginx) in [
            (format!("https://h/x?t={good}"), "ok"),
            (format!("http:///x?t={good}"), "ok"),
            (format!("http://h?t={good}#/x"), "missing"),
            (format!("http://h?t={good}#/x?t={other}"), "ok"),
            (format!("http://h#/x?t={good}"), "ok"),
            (format!("http://h?t={good}"), "malformed"),
            (format!("ftp://h/x?t={good}"), "malformed"),
        ] {
            let heard = server.ask("GET", "/verify", &[(own, &told)]).await;
            assert_eq!(
                heard.detail(),
                if proxy == "nginx" { of_nginx } else { "malformed" },
                "{proxy} {told}"
            );
        }
    }
    let envoy = guarded("envoy", |_| {}).await;
    for (path, detail) in [
        (format!("/verify/default/x?%74={good}"), "ok"),
        (format!("/verify/default/x?t={good}&t={good}"), "ambiguous"),
        (format!("/verify/default/x?t={good}&%74={other}"), "ambiguous"),
        (format!("/verify/default/x?t[]={good}"), "ambiguous"),
    ] {
        assert_eq!(envoy.ask("GET", &path, &[]).await.detail(), detail, "{path}");
    }
}

#[tokio::test]
async fn a_missing_token_and_a_preflight_pass_where_the_policy_says_so_with_empty_headers() {
    let server = guarded("traefik", |_| {}).await;
    let preflight = [
        ("x-forwarded-method", "OPTIONS"),
        ("origin", "https://a.example"),
        ("access-control-request-method", "PUT"),
    ];
    for headers in [&[][..], &preflight, &[("authorization", "")]] {
        let passed = server.ask("GET", "/verify/public", headers).await;
        assert_eq!(passed.status, 200, "{headers:?}");
        assert_eq!((passed.header("x-user-id"), passed.header("x-roles")), (Some(""), Some("")));
        assert_eq!(server.ask("GET", "/verify", headers).await.detail(), "missing", "{headers:?}");
    }
    let other_schemes = [("authorization", "Basic x")];
    assert_eq!(server.ask("GET", "/verify/public", &other_schemes).await.status, 200);
    assert_eq!(server.ask("GET", "/verify", &other_schemes).await.detail(), "scheme");
    for headers in [&[("authorization", "DPoP eyJh.b.c")][..], &[("authorization", "Bearer a.b.c")]] {
        assert_eq!(server.ask("GET", "/verify/public", headers).await.status, 401, "{headers:?}");
    }
    let roles =
        server.with_token("/verify/public", &good(json!({"realm": {"roles": ["a", "b,\r\n"]}}))).await;
    assert_eq!(roles.header("x-roles"), Some("a,b%2C%0D%0A"));
    assert_eq!(roles.header("x-user-email"), None);
}

static CLOCK: AtomicI64 = AtomicI64::new(NOW);

#[tokio::test]
async fn a_kept_token_is_judged_by_time_and_rules_each_time() {
    let server =
        guarded("traefik", |app| app.clock = || UnixTime::from_secs(CLOCK.load(Ordering::Relaxed))).await;
    let token = good(json!({"rt": "x"}));
    for _ in 0..2 {
        assert_eq!(server.with_token("/verify", &token).await.status, 200);
    }
    assert!(server.metric("token_server_verify_cache_misses_total 1"));
    let rule = server.server.admin(Method::POST, "/v1/rules/anna", r#"{"rule":{"rt":"x"}}"#).await;
    assert_eq!(rule.status, StatusCode::CREATED);
    assert_eq!(server.with_token("/verify", &token).await.detail(), "revoked");
    server.server.admin(Method::DELETE, "/v1/rules/anna", "").await;
    assert_eq!(server.with_token("/verify", &token).await.status, 200);
    CLOCK.store(NOW + 60, Ordering::Relaxed);
    for _ in 0..2 {
        assert_eq!(server.with_token("/verify", &token).await.detail(), "expired");
    }
}

#[tokio::test]
async fn an_encrypted_token_is_opened_judged_and_kept_while_its_key_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwe.json");
    let secret = |byte: u8| {
        use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
        let k = BASE64_URL_SAFE_NO_PAD.encode([byte; 64]);
        json!([{"kty": "oct", "kid": "shared", "default": true, "k": k}]).to_string()
    };
    std::fs::write(&file, secret(7)).unwrap();
    let keys = Arc::new(SecretFile::one(NamedFile::new("KEYS", &file), decryption_keys).unwrap());
    let shared = Arc::clone(&keys);
    let server = guarded("traefik", |app| app.basis.decryption.keys = Some(shared)).await;
    let claims = |sub: &str| json!({"sub": sub, "exp": NOW + 60, "scope": "admin"}).to_string();
    let token = encrypted(&[7; 64], "shared", &claims("anna"));
    let nested = encrypted(&[7; 64], "shared", &good(json!({"sub": "bob"})));
    let forged = encrypted(&[7; 64], "shared", &sign(key("EdDSA"), &json!({"sub": "bob", "exp": NOW + 60})));
    for _ in 0..2 {
        let passed = server.with_token("/verify/admin", &token).await;
        assert_eq!((passed.status, passed.header("x-user-id")), (200, Some("anna")));
        assert_eq!(server.with_token("/verify", &nested).await.header("x-user-id"), Some("bob"));
    }
    assert!(server.metric("token_server_verify_cache_misses_total 2"));
    assert_eq!(server.with_token("/verify/admin", &nested).await.detail(), "scope");
    assert_eq!(server.with_token("/verify", &forged).await.detail(), "unknown_key");
    std::fs::write(&file, secret(8)).unwrap();
    service::secret_file::Reload::reload(&*keys);
    assert_eq!(server.with_token("/verify/admin", &token).await.detail(), "decryption");
}
