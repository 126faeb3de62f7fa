//! Messages of identity providers: a header and claims, each on a line, signed as their issuer would.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use jose::{KeyOrigin, KeyRules, KeySet, Profile, UnixTime};
use serde_json::Value;
use token_server::config::{Config, Signals};
use token_server::signals::explain::Sender;

/// When the examples of CAEP 1.0 were issued, and a second later.
const NOW: i64 = 1_615_305_160;
const SECRET: [u8; 32] = [7; 32];
const KEYS: &str =
    r#"{"keys":[{"kty":"oct","kid":"k","alg":"HS256","k":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"}]}"#;

/// The transmitters of the examples, and one whose subjects are another issuer's.
const ISSUERS: [&str; 5] = [
    "https://idp.example.com/",
    "https://idp.example.com/123456789/",
    "https://idp.example.com/987654321/",
    "https://idp.example.com/3456789/",
    "https://id.example.com",
];

struct Configured {
    signals: Signals,
    keys: KeySet,
    names: Vec<String>,
}

static CONFIGURED: LazyLock<Configured> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("keys"), KEYS).unwrap();
    std::fs::write(path("push"), "Bearer 0123456789").unwrap();
    let place = folder.path().to_str().unwrap();
    let audiences = "audiences = ['636C69656E745F6964', 'https://sp.example.com/caep', 'https://sp.example2.net/caep', 'receiver.example.com/web']";
    let (mut text, mut names) = (String::new(), Vec::new());
    for issuer in ISSUERS {
        text += &format!(
            "[[issuers]]\nissuer = '{issuer}'\nkeys_file = '{place}/keys'\n[[signals]]\nissuer = '{issuer}'\n{audiences}\n"
        );
    }
    for (index, issuer) in ISSUERS.iter().enumerate() {
        for profile in ["ssf", "draft"] {
            let name = format!("{profile}{index}");
            text += &format!(
                "[[ssf]]\nname = '{name}'\nissuer = '{issuer}'\n{audiences}\nprofile = '{profile}'\ntenant_claim = 'tenant'\nkeys_file = '{place}/keys'\nauthorization_file = '{place}/push'\nevents = {{ risk-level-change = 'session' }}\n"
            );
            names.push(name);
        }
    }
    std::fs::write(path("settings.toml"), text).unwrap();
    let settings = [
        ("TOKEN_SERVER_CONFIG", path("settings.toml").into_os_string()),
        ("TOKEN_SERVER__SIGNALS__LISTEN", "127.0.0.1:0".into()),
        ("TOKEN_SERVER__SIGNALS__EMAIL", "true".into()),
    ];
    let config = Config::from_environment(settings.map(|(name, value)| (name.into(), value))).unwrap();
    let rules = KeyRules {
        origin: KeyOrigin::File,
        profile: Profile::Standard,
        allow_short_secrets: false,
        allow_mixed_keys: false,
    };
    let keys = KeySet::parse(KEYS.as_bytes(), &rules).unwrap();
    Configured { signals: config.signals.unwrap(), keys, names }
});

/// Nothing panics; what is refused writes nothing; each rule is of the issuer that spoke, ends nothing that is issued later, and is only
/// tried where it is not exact.
pub fn security_event(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Some((header, claims)) = text.split_once('\n') else { return };
    let [token, forged] = signed(header, claims);
    let streams = CONFIGURED.names.iter().map(|name| Some(name.as_str()));
    for stream in streams.chain([None]) {
        let Ok(sender) = Sender::of(&CONFIGURED.signals, &token, stream) else { continue };
        let told = explain(&sender, &token);
        let rules = told["rules"].as_array().unwrap();
        assert!(told["believed"] == true || rules.is_empty(), "{told}");
        assert_eq!(
            told["does"] == "revokes" || told["does"] == "tries",
            !rules.is_empty() && told["does"] != "inexact",
            "{told}"
        );
        let spoke: Value = serde_json::from_str(claims).unwrap_or_default();
        for rule in rules {
            assert_eq!(rule["rule"]["iss"], spoke["iss"], "{told}");
            assert!(rule["mode"] == "enforce" || told["does"] != "revokes", "{told}");
            assert!(rule["mode"] == "shadow" || told["does"] == "revokes", "{told}");
            assert!(rule["rule"].as_object().unwrap().len() > 1, "{told}");
            if let Some(bound) = rule["rule"].get("iat").filter(|bound| bound.is_object()) {
                assert!(bound["lte"].as_i64().unwrap() <= NOW + 300, "{told}");
            }
        }
        let forged = explain(&sender, &forged);
        assert!(forged["believed"] == false, "{forged}");
    }
}

/// What the message would do, told by each sender that it is believed of.
pub fn explained(input: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(input).unwrap();
    let (header, claims) = text.split_once('\n').unwrap();
    let [token, _] = signed(header, claims);
    let streams = CONFIGURED.names.iter().map(|name| Some(name.as_str()));
    let senders =
        streams.chain([None]).filter_map(|stream| Sender::of(&CONFIGURED.signals, &token, stream).ok());
    senders.map(|sender| explain(&sender, &token)).filter(|told| told["believed"] == true).collect()
}

/// The token, and one with a signature that no key has made.
fn signed(header: &str, claims: &str) -> [String; 2] {
    let encoded = |part: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(part);
    let message = format!("{}.{}", encoded(header.as_bytes()), encoded(claims.trim_end().as_bytes()));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &SECRET), message.as_bytes());
    [signature.as_ref(), &[0; 32]].map(|signature| format!("{message}.{}", encoded(signature)))
}

fn explain(sender: &Sender, token: &str) -> Value {
    sender.explain(&CONFIGURED.signals, &CONFIGURED.keys, token, UnixTime::from_secs(NOW))
}
