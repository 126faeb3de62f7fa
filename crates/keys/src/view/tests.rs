use std::time::Duration;

use jose::{IssuerPolicy, KeyOrigin, KeyRules, KeySetError, Profile, Trust, UnixTime};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use service::readiness::Readiness;
use tokio::time::Instant;

use crate::early::Good;
use crate::{KeyMetrics, KeyRing, LoadError, Place};

const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const SECRET: &str = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3JldCE";

fn parse(document: &Value) -> Result<jose::KeySet, KeySetError> {
    let rules = KeyRules {
        origin: KeyOrigin::Url,
        profile: Profile::Standard,
        allow_short_secrets: false,
        allow_mixed_keys: true,
    };
    jose::KeySet::parse(document.to_string().as_bytes(), &rules)
}

fn trust() -> Trust {
    let issuers = vec!["https://id.example".into()];
    Trust::single(IssuerPolicy { issuers, ..IssuerPolicy::of(Profile::Standard) })
}

struct Source {
    ring: KeyRing,
    registry: Registry,
}

impl Source {
    fn new() -> Self {
        let mut registry = Registry::default();
        let metrics = KeyMetrics::register(&mut registry);
        let place = Place {
            issuer: 0,
            remote: true,
            by_kid: false,
            optional: false,
            name: "https://id.example/jwks".to_owned(),
        };
        let ring = KeyRing::new(1, &[place], Duration::from_secs(10), Readiness::new(), metrics);
        Self { ring, registry }
    }

    /// What a load does that read this document.
    fn reads(&self, document: &Value, at: i64) {
        let next = Instant::now() + Duration::from_secs(300);
        let good = Good { began: Instant::now(), at: UnixTime::from_secs(at) };
        match parse(document) {
            Ok(set) => {
                self.ring.publish(0, "https://id.example/jwks", set);
                self.ring.ends(0, Ok(good), next);
            }
            Err(error) => self.ring.ends(0, Err(&LoadError::Keys(error)), next),
        }
    }

    fn fails(&self) {
        self.ring.ends(0, Err(&LoadError::Fetch("refused".to_owned())), Instant::now());
    }

    fn shows(&self, now: i64) -> Value {
        let view = serde_json::to_value(self.ring.view(&trust(), UnixTime::from_secs(now))).unwrap();
        assert_eq!(view["sources"].as_array().unwrap().len(), 1);
        view["sources"][0].clone()
    }

    /// The lines of the metric of keys that were left out.
    fn counts(&self) -> Vec<String> {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        let lines = text.lines().filter(|line| line.starts_with("keys_skipped{"));
        let mut lines: Vec<_> = lines.map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

fn mixed() -> Value {
    json!({"keys": [
        {"kty": "OKP", "crv": "Ed25519", "kid": "good", "x": X, "x5t": "AAAAAAAAAAAAAAAAAAAAAAAAAAA"},
        {"kty": "oct", "kid": "shared", "k": SECRET},
        {"kty": "OKP", "crv": "Ed25519", "kid": "for encryption", "x": X, "use": "enc"},
        {"kty": "OKP", "crv": "Ed25519", "kid": 7, "x": X, "key_ops": ["sign"]},
        {"kty": "OKP", "crv": "Ed25519", "x": X, "use": "enc"},
    ]})
}

#[tokio::test(start_paused = true)]
async fn each_source_is_shown_with_its_keys_and_what_was_left_out_of_it() {
    let source = Source::new();
    source.reads(&mixed(), 1_000);
    assert_eq!(
        source.shows(1_060),
        json!({
            "source": "https://id.example/jwks",
            "kind": "url",
            "issuers": ["https://id.example"],
            "stale": false,
            "last_good": 1_000,
            "age_seconds": 60,
            "next_seconds": 300,
            "failures": 0,
            "error": null,
            "keys": [
                {
                    "kid": "good", "kty": "OKP", "crv": "Ed25519", "alg": ["EdDSA"], "use": "sig",
                    "thumbprint": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "x5t": "AAAAAAAAAAAAAAAAAAAAAAAAAAA",
                },
                {"kid": "shared", "kty": "oct", "at_least_bits": 256, "alg": ["HS256"], "use": "sig"},
            ],
            "left_out": [
                {"kid": "for encryption", "position": 3, "reason": "use", "why": "its use is \"enc\", not \"sig\""},
                {"kid": "7", "position": 4, "reason": "key_ops", "why": "its key_ops do not contain \"verify\""},
                {"kid": null, "position": 5, "reason": "use", "why": "its use is \"enc\", not \"sig\""},
            ],
            "warnings": [
                {"kid": "shared", "why": "symmetric key beside asymmetric ones from a URL; what is published is no secret"},
            ],
        })
    );
    let source = |reason: &str, count: usize| {
        format!("keys_skipped{{source=\"https://id.example/jwks\",reason=\"{reason}\"}} {count}")
    };
    let shown = Source::new();
    shown.reads(&mixed(), 1_000);
    assert_eq!(shown.counts(), [source("key_ops", 1), source("use", 2)]);
    shown.reads(&json!({"keys": [mixed()["keys"][0], mixed()["keys"][2]]}), 1_000);
    assert_eq!(shown.counts(), [source("use", 1)], "a reason that is over is shown no more");
    shown.ring.forget("https://id.example/jwks");
    assert_eq!(shown.counts(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_shown_in_no_form() {
    let source = Source::new();
    source.reads(&mixed(), 1_000);
    let view = source.ring.view(&trust(), UnixTime::from_secs(1_000));
    let texts = [source.shows(1_000).to_string(), format!("{view:?}"), format!("{:?}", source.ring)];
    for part in SECRET.as_bytes().windows(12) {
        let part = std::str::from_utf8(part).unwrap();
        assert!(texts.iter().all(|text| !text.contains(part)), "{texts:?}");
    }
    let secrets: Vec<_> = source.shows(1_000)["keys"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|key| key["kty"] == "oct")
        .cloned()
        .collect();
    let members: Vec<_> = secrets[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        members,
        ["alg", "at_least_bits", "kid", "kty", "use"],
        "a hash would let anybody try passwords"
    );
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_is_stale_and_keeps_its_keys_and_says_why() {
    let source = Source::new();
    let before = source.shows(1_000);
    assert_eq!(
        (&before["stale"], &before["last_good"], &before["keys"]),
        (&json!(true), &json!(null), &json!([]))
    );
    source.reads(&mixed(), 1_000);
    source.fails();
    source.fails();
    let failing = source.shows(1_100);
    assert_eq!((&failing["stale"], &failing["failures"]), (&json!(true), &json!(2)));
    assert_eq!(failing["error"], "cannot fetch: refused");
    assert_eq!((&failing["last_good"], &failing["age_seconds"]), (&json!(1_000), &json!(100)));
    assert_eq!(failing["keys"].as_array().unwrap().len(), 2);
    source.reads(&mixed(), 1_100);
    let back = source.shows(1_100);
    assert_eq!((&back["stale"], &back["failures"], &back["error"]), (&json!(false), &json!(0), &json!(null)));
}

#[tokio::test(start_paused = true)]
async fn a_document_without_a_usable_key_is_shown_key_by_key() {
    let source = Source::new();
    let bad: Vec<_> =
        (0..20).map(|number| json!({"kty": "OKP", "kid": number, "crv": "X25519", "x": X})).collect();
    source.reads(&json!({"keys": bad}), 1_000);
    let shown = source.shows(1_000);
    assert_eq!((&shown["stale"], &shown["keys"]), (&json!(true), &json!([])));
    let left_out = shown["left_out"].as_array().unwrap();
    assert_eq!(left_out.len(), 20);
    assert_eq!(left_out[19]["kid"], "19");
    assert_eq!(left_out[19]["reason"], "curve");
    assert_eq!(source.counts(), ["keys_skipped{source=\"https://id.example/jwks\",reason=\"curve\"} 20"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_shown_is_bounded_whatever_a_source_writes() {
    let source = Source::new();
    let (kid, alg) = ("x".repeat(2_000), "y".repeat(500));
    let keys = |count: usize| -> Vec<_> {
        (0..count)
            .map(|number| json!({"kty": "OKP", "crv": "Ed25519", "kid": format!("{number}{kid}"), "x": X, "alg": alg}))
            .collect()
    };
    source.reads(&json!({"keys": keys(300)}), 1_000);
    let shown = source.shows(1_000);
    assert_eq!(shown["keys"].as_array().unwrap().len(), jose::MAX_KEYS);
    assert_eq!(shown["left_out"][0]["reason"], "too_many");
    assert!(shown.to_string().len() < 400_000, "{}", shown.to_string().len());
}
