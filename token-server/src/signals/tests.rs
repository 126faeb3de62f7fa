//! The routes, called in process with a fixed clock, real keys and a real store.

mod bounds;
mod desk;
mod encrypted;
mod ending;
mod hostile;
mod logouts;
mod revoking;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use integration_tests::keys::{SigningKey, jwks, key};
use integration_tests::token::sign_raw;
use jose::{Claims, UnixTime};
use keys::{KeyMetrics, LiveKeys};
use serde_json::{Value, json};
use service::background::{Background, TaskMetrics};
use service::readiness::Readiness;
use service::shutdown::Shutdown;
use tokio::time::Instant;
use tower::ServiceExt as _;

use super::metrics::{Outcome, SignalMetrics};
use super::told::Kind;
use super::{InUse, Parts, Signals, router};
use crate::annotations::Annotations;
use crate::config::Config;
use crate::continuity::Sessions;
use crate::revocations::{Revocations, TrailFilter};
use crate::rulebook::{DEFAULT_BYTES, Lifetimes, Totals};
use crate::store::{EmbeddedAnnotations, EmbeddedStore, Record};

pub(super) const NOW: i64 = 1_700_000_000;

/// The issuer, its alias, and another issuer.
pub(super) const IDP: &str = "https://idp.example.com";
pub(super) const ALIAS: &str = "https://idp.example.net";
pub(super) const OTHER: &str = "https://other.example.com";

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

pub(super) struct Server {
    pub(super) signals: Arc<Signals>,
    pub(super) revocations: Arc<Revocations>,
    pub(super) metrics: SignalMetrics,
    _keys: LiveKeys,
    _folder: tempfile::TempDir,
}

pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// A server whose `[[signals]]` table of [`IDP`] has these fields, with these settings.
pub(super) async fn server(fields: &str, settings: &[(&str, &str)]) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("idp.json", &jwks([key("ES256")]));
    write("other.json", &jwks([key("RS256")]));
    write("jwe.json", &json!({ "keys": [jwe_key()] }).to_string());
    let (own, others) = (path("idp.json"), path("other.json"));
    write(
        "settings.toml",
        &format!(
            "[[issuers]]\nissuer = '{IDP}'\nissuer_aliases = ['{ALIAS}']\nkeys_file = '{own}'\nmax_lifetime = 3600\n\
             [[issuers]]\nissuer = '{OTHER}'\nkeys_file = '{others}'\n\
             [[signals]]\nissuer = '{IDP}'\naudiences = ['shop', 'wiki']\n{fields}\n\
             [[signals]]\nissuer = '{OTHER}'\naudiences = ['shop']\n"
        ),
    );
    let base = [
        ("TOKEN_SERVER_CONFIG", path("settings.toml")),
        ("TOKEN_SERVER__SIGNALS__LISTEN", "127.0.0.1:0".to_owned()),
        ("TOKEN_SERVER__JWE__KEYS_FILE", path("jwe.json")),
    ];
    let base = base.into_iter().map(|(name, value)| (name.into(), value.into()));
    let more = settings.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let config = Config::from_environment(base.chain(more)).unwrap();
    let background = Background::new(Shutdown::new(), Readiness::new(), TaskMetrics::default());
    let keys = LiveKeys::start(
        config.keys.configured.clone(),
        config.keys.sources.clone(),
        Readiness::new(),
        KeyMetrics::default(),
        background,
    );
    keys.ring().settled().await;
    let (revocations, metrics) = (store(folder.path()), SignalMetrics::default());
    let parts = Parts {
        revocations: Arc::clone(&revocations),
        decryption_keys: config.jwe_keys.clone(),
        metrics: metrics.clone(),
        clock: || UnixTime::from_secs(NOW),
    };
    let signals = Arc::new(Signals::new(parts, InUse::new(config.signals.unwrap(), keys.ring())));
    Server { signals, revocations, metrics, _keys: keys, _folder: folder }
}

pub(super) fn store(folder: &Path) -> Arc<Revocations> {
    let store = Arc::new(EmbeddedStore::open(&folder.join("store")).unwrap());
    let lifetimes = Lifetimes { ttl: Duration::ZERO, max_stale: Duration::ZERO };
    let annotations = Annotations::new(EmbeddedAnnotations(Arc::clone(&store)), Default::default());
    let revision = store.revision().unwrap();
    let (shared, notes) = (Arc::new(store), Arc::new(annotations));
    let (sessions, totals) = (Sessions::exclusive(), Totals::default());
    Arc::new(Revocations::new(shared, notes, sessions, lifetimes, DEFAULT_BYTES, totals, revision).unwrap())
}

pub(super) const JWE_SECRET: [u8; 64] = [7; 64];

fn jwe_key() -> Value {
    use base64::Engine as _;
    let secret = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(JWE_SECRET);
    json!({ "kty": "oct", "kid": "jwe", "k": secret, "alg": "dir", "enc": "A256CBC-HS512" })
}

/// The claims of a logout token that is good, with these changes; `null` takes one away.
pub(super) fn claims(changes: Value) -> Value {
    let mut claims = json!({
        "iss": IDP, "aud": "shop", "iat": NOW - 5, "exp": NOW + 115, "jti": "one", "sub": "alice",
        "events": { EVENT: {} },
    });
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    for (name, value) in changes {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(&name);
        } else {
            claims[name] = value;
        }
    }
    claims
}

/// Signed by the key of [`IDP`], with the type of a logout token.
pub(super) fn logout(changes: Value) -> String {
    typed(Some("logout+jwt"), changes)
}

pub(super) fn typed(typ: Option<&str>, changes: Value) -> String {
    signed_by(key("ES256"), typ, changes)
}

pub(super) fn signed_by(key: &SigningKey, typ: Option<&str>, changes: Value) -> String {
    let mut header = json!({ "alg": key.algorithm, "kid": key.kid });
    if let Some(typ) = typ {
        header["typ"] = typ.into();
    }
    sign_raw(key, &header.to_string(), &claims(changes).to_string())
}

impl Server {
    pub(super) async fn call(
        &self,
        method: Method,
        content: Option<&str>,
        body: impl Into<Body>,
    ) -> Answered {
        let mut request = Request::builder().method(method).uri("/backchannel-logout");
        if let Some(content) = content {
            request = request.header(header::CONTENT_TYPE, content);
        }
        let request = request.body(body.into()).unwrap();
        let response = router(&self.signals).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert_eq!(parts.headers[header::CACHE_CONTROL], "no-store");
        Answered { status: parts.status, headers: parts.headers, body }
    }

    /// Sends a logout token as a provider does.
    pub(super) async fn send(&self, token: &str) -> Answered {
        let body = format!("logout_token={token}");
        self.call(Method::POST, Some("application/x-www-form-urlencoded"), body).await
    }

    pub(super) async fn accepts(&self, token: &str) {
        let Answered { status, body, .. } = self.send(token).await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, ""));
    }

    /// Whether a check, as an agent asks for it, refuses such a token now.
    pub(super) async fn refuses(&self, token: Value) -> bool {
        let claims = Claims::parse(token.to_string().as_bytes()).unwrap();
        let payload: rules::Claims = serde_json::from_str(claims.as_json()).unwrap();
        let subject = token["sub"].as_str();
        let until = Instant::now() + Duration::from_secs(30);
        let verdict = self.revocations.check(&payload, subject, NOW, until).await;
        verdict.verdict.is_err()
    }

    /// The audit trail, the newest first.
    pub(super) async fn trail(&self) -> Vec<Record> {
        let page = self.revocations.trail(&TrailFilter::default(), None, 1_000).await.unwrap();
        page.entries.into_iter().map(|entry| entry.record).collect()
    }

    /// The texts of a group's rules.
    pub(super) async fn rules(&self, group: &str) -> Vec<String> {
        let page = self.revocations.page(group, None, 1_000).await.unwrap();
        let mut rules: Vec<_> = page.rules.into_iter().map(|rule| rule.json).collect();
        rules.sort();
        rules
    }

    pub(super) fn counted(&self, outcome: Outcome) -> u64 {
        self.metrics.counted(Kind::Logout, outcome)
    }
}
