//! Servers of which only signed answers are accepted (RFC 9701). What a signature must be is tested in the crate `jose`.

use std::path::PathBuf;

use integration_tests::keys::{SigningKey, jwks};
use integration_tests::token::sign_raw;
use jose::{KeyOrigin, KeyRules, Profile};
use keys::trust::IssuerKeys;
use keys::{KeyMetrics, KeySources, LiveKeys};
use serde_json::json;
use service::background::{Background, TaskMetrics};
use service::readiness::Readiness;
use service::shutdown::Shutdown;

use super::*;
use crate::config::introspection::AnswerKeys;

/// Keys in a file.
struct Signing {
    live: LiveKeys,
    sources: IssuerKeys,
    _folder: tempfile::TempDir,
}

impl Signing {
    async fn by(keys: &[&SigningKey]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path: PathBuf = folder.path().join("keys.json");
        std::fs::write(&path, jwks(keys.iter().copied())).unwrap();
        let sources = IssuerKeys { file: Some(path), optional: true, ..IssuerKeys::default() };
        let configured = KeySources {
            issuers: vec![sources.clone()],
            proxies: service::proxy::ProxyVariables::default(),
            interval: Duration::from_secs(300),
            rules: KeyRules {
                origin: KeyOrigin::File,
                profile: Profile::Standard,
                allow_short_secrets: false,
                allow_mixed_keys: false,
            },
        };
        let opened = configured.open("test").unwrap();
        let background = Background::new(Shutdown::new(), Readiness::new(), TaskMetrics::default());
        let live = LiveKeys::start(configured, opened, Readiness::new(), KeyMetrics::default(), background);
        live.ring().settled().await;
        Self { live, sources, _folder: folder }
    }

    fn server(&self, site: &Site) -> AuthorizationServer {
        let keys = AnswerKeys { sources: self.sources.clone(), set: Some(0), client: "edge:1".to_owned() };
        let mut server = written(site, "", Terms::default());
        (server.written.signed, server.answer_keys) = (true, Some(keys));
        server
    }

    fn introspection(&self, site: &Site) -> Arc<Introspection> {
        let settings = settings([self.server(site)]);
        Arc::new(Introspection::new(settings, Some(self.live.ring()), &mut Registry::default(), || NOW))
    }
}

/// A key as an issuer publishes it.
fn key(kid: &str) -> SigningKey {
    SigningKey::generate("ES256", kid)
}

/// An answer about a token for this client.
fn signed(key: &SigningKey, client: &str, says: &str) -> String {
    let header = json!({ "alg": "ES256", "kid": key.kid, "typ": "token-introspection+jwt" }).to_string();
    let now = NOW.as_millis() / 1_000;
    let claims = format!(r#"{{"iss":"{ISSUER}","aud":"{client}","iat":{now},"token_introspection":{says}}}"#);
    sign_raw(key, &header, &claims)
}

fn jwt(body: &str) -> Does {
    Does::Answer(answer("200 OK\r\nContent-Type: application/token-introspection+jwt; charset=utf-8", body))
}

#[tokio::test]
async fn a_signed_answer_is_asked_for_and_judged_as_any() {
    let key = key("one");
    let signing = Signing::by(&[&key]).await;
    let site = Site::start([jwt(&signed(&key, "edge:1", GOOD))]).await;
    let introspection = signing.introspection(&site);
    assert!(found(&introspection, TOKEN).await.unwrap().contains("anna"));
    assert!(found(&introspection, TOKEN).await.is_ok());
    assert_eq!(site.asked().len(), 1);
    let asked = site.asked().concat().to_ascii_lowercase();
    assert!(asked.contains("accept: application/token-introspection+jwt\r\n"), "{asked}");
    for (says, expected) in [
        (r#"{"active":false}"#, Reject::Inactive),
        (r#"{"active":true,"exp":1700000600}"#, Reject::TokenType),
        (r#"{"active":true,"token_type":"Bearer","iss":"https://other.example.com"}"#, Reject::Issuer),
        (r#"{"active":"true","token_type":"Bearer"}"#, Reject::Introspection),
        (r#"{"active":true,"active":false}"#, Reject::Introspection),
    ] {
        site.set(jwt(&signed(&key, "edge:1", says)));
        assert_eq!(
            found(&introspection, &format!("{expected:?}-0123456789abcdef")).await,
            Err(expected),
            "{says}"
        );
    }
}

#[tokio::test]
async fn what_is_not_signed_for_us_is_no_verdict_and_never_kept() {
    let (key, other) = (key("one"), key("one"));
    let signing = Signing::by(&[&key]).await;
    let good = signed(&key, "edge:1", GOOD);
    let as_json = |body: &str| Does::Answer(json(body));
    for (what, does) in [
        ("not signed", as_json(GOOD)),
        ("not signed, under the type of signed ones", jwt(GOOD)),
        ("signed, under another type", as_json(&good)),
        ("of a former type", Does::Answer(answer("200 OK\r\nContent-Type: application/jwt", &good))),
        ("for another client", jwt(&signed(&key, "another-client", GOOD))),
        ("by another key", jwt(&signed(&other, "edge:1", GOOD))),
        ("encrypted", jwt("eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.a.b.c.d")),
        ("no text", Does::Answer(answer("200 OK\r\nContent-Type: application/token-introspection+jwt", ""))),
        (
            "under another status",
            Does::Answer(answer("201 Created\r\nContent-Type: application/token-introspection+jwt", &good)),
        ),
    ] {
        let site = Site::start([does]).await;
        let introspection = signing.introspection(&site);
        for times in 1..=2 {
            let found = introspection.open(TOKEN, patient()).await;
            let told = (found.left(), found.claims.map(|_| ()), site.asked().len());
            assert_eq!(told, (Duration::ZERO, Err(Reject::Introspection), times), "{what}");
        }
        site.set(jwt(&good));
        assert!(found(&introspection, TOKEN).await.is_ok(), "{what}: it is over");
    }
}

#[tokio::test]
async fn keys_that_are_not_there_make_no_verdict_and_a_reload_takes_others() {
    let (first, second) = (key("one"), key("two"));
    let [ones, twos] = [Signing::by(&[&first]).await, Signing::by(&[&second]).await];
    let site = Site::start([jwt(&signed(&second, "edge:1", GOOD))]).await;
    let introspection = ones.introspection(&site);
    assert_eq!(found(&introspection, TOKEN).await, Err(Reject::Introspection));
    introspection.replace(settings([twos.server(&site)]), Some(twos.live.ring()));
    assert!(found(&introspection, TOKEN).await.is_ok());
    site.set(jwt(&signed(&first, "edge:1", GOOD)));
    introspection.replace(settings([ones.server(&site)]), Some(ones.live.ring()));
    assert!(found(&introspection, TOKEN).await.is_ok(), "the server is the same, and so is its answer");
    assert_eq!(site.asked().len(), 2);
    assert!(found(&introspection, "another-opaque-token-0123").await.is_ok());
    introspection.replace(settings([ones.server(&site)]), None);
    assert_eq!(found(&introspection, "a-third-opaque-token-0123").await, Err(Reject::Introspection));
}
