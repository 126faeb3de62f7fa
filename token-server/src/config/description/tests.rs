use std::fs;
use std::path::Path;

use service::settings::{ConfigError, Environment};
use tempfile::TempDir;

use super::super::{Config, api_keys, dpop, introspection, settings, signals};
use super::*;

type Pairs = Vec<(String, String)>;

/// A key, so that forward-auth has something to do.
const KEY: &str =
    r#"{"keys":[{"kty":"oct","kid":"k","k":"dGhlIHNlY3JldCBvZiBhIHRlc3QsIG9mIDMyIGJ5dGVzIGFuZCBtb3Jl"}]}"#;

/// A key that signs: RFC 8037 appendix A.1.
const SIGNING_KEY: &str = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("keys.json"), KEY).unwrap();
        fs::write(folder.path().join("nonce"), "n".repeat(32)).unwrap();
        fs::write(folder.path().join("signing.json"), SIGNING_KEY).unwrap();
        fs::write(folder.path().join("api-keys.toml"), "").unwrap();
        Self(folder)
    }

    fn keys(&self) -> String {
        Path::display(&self.0.path().join("keys.json")).to_string()
    }

    /// What else must be set for a setting to have an effect.
    fn base(&self, name: &str) -> Pairs {
        const URL: (&str, &str) = ("TOKEN_SERVER__JWKS__URL", "http://127.0.0.1:1/other");
        const REDIS: (&str, &str) = (REDIS_URLS, "redis://127.0.0.1:6380");
        let companions: &[(&str, &str)] = match name {
            REDIS_MASTER => &[REDIS, (REDIS_MODE, "sentinel")],
            PROFILE => &[
                ("TOKEN_SERVER__VERIFY__ISSUERS", "https://id.example.com"),
                ("TOKEN_SERVER__VERIFY__AUDIENCES", "api"),
            ],
            COMPAT_OPEN => &[(COMPAT_ENABLED, "true")],
            "TOKEN_SERVER__VERIFY__QUERY" | "TOKEN_SERVER__VERIFY__PREFLIGHT" => {
                &[("TOKEN_SERVER__VERIFY__PROXY", "nginx")]
            }
            "TOKEN_SERVER__JWKS__FETCH_CERT_FILE" => &[URL, ("TOKEN_SERVER__JWKS__FETCH_KEY_FILE", "/k")],
            "TOKEN_SERVER__JWKS__FETCH_KEY_FILE" => &[URL, ("TOKEN_SERVER__JWKS__FETCH_CERT_FILE", "/c")],
            name if name.starts_with("TOKEN_SERVER__JWKS__FETCH_") => &[URL],
            name if ["SIGNALS", "REVOKE", "GLOBAL_REVOCATION"]
                .iter()
                .any(|section| name.starts_with(&format!("TOKEN_SERVER__{section}__"))) =>
            {
                &[(signals::LISTEN, "127.0.0.1:4003")]
            }
            name if name.starts_with("TOKEN_SERVER__INTROSPECTION__") => {
                &[(introspection::ISSUER, "https://id.example.com"), (introspection::FLAT.client_id, "edge")]
            }
            name if name.starts_with("TOKEN_SERVER__REDIS__") || name == CONSUL_URL => &[REDIS],
            _ => &[],
        };
        let keys = ("TOKEN_SERVER__JWKS__FILE".to_owned(), self.keys());
        let pairs = companions.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let nonce = self.0.path().join("nonce").display().to_string();
        let nonce = (name == dpop::NONCE).then(|| (dpop::NONCE_SECRET_FILE.to_owned(), nonce));
        let api_keys = self.0.path().join("api-keys.toml").display().to_string();
        let api_keys =
            [OPAQUE, api_keys::ISSUER].contains(&name).then(|| (api_keys::FILE.to_owned(), api_keys));
        let signing = self.0.path().join("signing.json").display().to_string();
        let signing = [
            (introspection::FLAT.auth.to_owned(), "private_key_jwt".to_owned()),
            (introspection::FLAT.key_file.to_owned(), signing),
        ];
        let signs = name == introspection::FLAT.key_id;
        // A line of text is a secret.
        let secret = (name.starts_with("TOKEN_SERVER__INTROSPECTION__") && !signs)
            .then(|| (introspection::FLAT.client_secret_file.to_owned(), self.keys()));
        pairs
            .chain(nonce)
            .chain(api_keys)
            .chain([keys])
            .chain(secret)
            .chain(signing.into_iter().filter(|_| signs))
            .filter(|(other, _)| other != name)
            .collect()
    }
}

fn with(pairs: Pairs, name: &str, value: impl Into<String>) -> Pairs {
    pairs.into_iter().chain([(name.to_owned(), value.into())]).collect()
}

/// What becomes of opaque tokens, which is decided where some are known.
const OPAQUE: &str = "TOKEN_SERVER__VERIFY__OPAQUE";

fn load(pairs: &Pairs) -> Result<String, ConfigError> {
    let variables = pairs.iter().map(|(name, value)| (name.into(), value.into()));
    Config::from_environment(variables).map(|config| format!("{config:?}"))
}

fn assert_faulty(folder: &Folder, name: &str, value: &str) {
    let faults =
        load(&with(folder.base(name), name, value)).expect_err(&format!("{name}={value} is accepted"));
    assert!(faults.names().any(|faulty| faulty == name), "{name}={value}: {faults}");
}

#[test]
fn what_is_described_is_what_is_read() {
    let folder = Folder::new();
    let file = folder.0.path().join("settings.toml");
    let keys = folder.keys();
    let text = format!(
        "[[issuers]]\nissuer = 'i'\nkeys_file = '{keys}'\n[[policies]]\nname = 'p'\n[[verify]]\n[[signals]]\nissuer = 'i'\naudiences = ['c']\n[[ssf]]\nname = 's'\nissuer = 'i'\naudiences = ['c']\njwks_url = 'http://127.0.0.1/'\npoll_url = 'http://127.0.0.1/'\n[[introspection]]\nissuer = 'i'\nurl = 'http://127.0.0.1/'\nauth = 'bearer'\ntoken_file = '{keys}'\n"
    );
    fs::write(&file, text).unwrap();
    let mut settings = settings(Environment::of([
        (CONFIG.into(), file.into()),
        (signals::LISTEN.into(), "127.0.0.1:0".into()),
    ]))
    .unwrap();
    Config::read(&mut settings).unwrap();
    assert_eq!(description().differences(&settings.readings()), Vec::<String>::new());
}

#[test]
fn the_described_defaults_are_those_of_the_code() {
    let folder = Folder::new();
    let mut told = 0;
    for profile in ["standard", "ms-users"] {
        for setting in description().settings().filter(|setting| setting.name != PROFILE) {
            let is_of_opaque =
                setting.name.starts_with("TOKEN_SERVER__INTROSPECTION__") || setting.name == OPAQUE;
            if profile == "ms-users" && is_of_opaque {
                continue;
            }
            let base = with(folder.base(setting.name), PROFILE, profile);
            let look_up =
                |name: &str| base.iter().find(|(set, _)| set == name).map(|(_, value)| value.clone());
            let Some(default) = setting.default.value(&look_up) else { continue };
            told += 1;
            let given = with(base.clone(), setting.name, default.clone());
            assert_eq!(load(&given).unwrap(), load(&base).unwrap(), "{} is not {default}", setting.name);
        }
    }
    assert!(told > 40, "{told}");
}

#[test]
fn each_example_is_read() {
    let folder = Folder::new();
    for setting in description().settings() {
        let name = setting.name;
        let base = folder.base(name);
        let is_path = setting.kind == PATH;
        match load(&with(base.clone(), name, setting.example.clone())) {
            Ok(given) => {
                assert_ne!(
                    given,
                    load(&base).unwrap_or_default(),
                    "{name}={} changes nothing",
                    setting.example
                )
            }
            // It is read at once, and is not there; files that belong together are named by the first.
            Err(faults) => {
                let section = name.rsplit_once("__").unwrap().0;
                let named = faults.names().any(|faulty| faulty.starts_with(section));
                assert!(is_path && named, "{name}: {faults}");
            }
        }
    }
}

#[test]
fn the_described_limits_and_words_are_those_of_the_code() {
    let folder = Folder::new();
    for setting in description().settings() {
        let name = setting.name;
        let good: Vec<String> = match &setting.kind {
            Kind::Number { least, most, .. } => {
                for value in [least.checked_sub(1), most.checked_add(1)].into_iter().flatten() {
                    assert_faulty(&folder, name, &value.to_string());
                }
                vec![least.to_string(), most.to_string()]
            }
            Kind::Word(words) => {
                assert_faulty(&folder, name, "nonsense");
                // These need others beside them, which the rest must not have.
                let alone = words
                    .iter()
                    .filter(|word| !["sentinel", "private_key_jwt", "bearer", "mtls"].contains(*word));
                alone.map(|word| (*word).to_owned()).collect()
            }
            Kind::Switch => {
                assert_faulty(&folder, name, "nonsense");
                vec!["true".to_owned(), "false".to_owned()]
            }
            Kind::Text(_) | Kind::List(_) | Kind::Map(_) => continue,
        };
        for value in good {
            let given = with(folder.base(name), name, value.clone());
            load(&given).unwrap_or_else(|faults| panic!("{name}={value}: {faults}"));
        }
    }
}
