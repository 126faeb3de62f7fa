use std::collections::BTreeSet;

use super::*;
use crate::config::Config;
use service::settings::{ConfigError, Environment, Settings};

type Pairs = Vec<(String, String)>;

/// What else must be set for a setting to have an effect.
fn companions(name: &str) -> &'static [(&'static str, &'static str)] {
    const URL: (&str, &str) = ("JWT_JWKS_URL", "https://id.example.com/other");
    const SERVER: (&str, &str) = ("JWT_TOKEN_SERVER_BACKEND", "http://127.0.0.1:4001");
    const SOCKETS: (&str, &str) = ("JWT_EDGE_SOCKETS", "/run/other.sock");
    const MAP: (&str, &str) = ("JWT_EDGE_MAP", "/m");
    const LEASES: (&str, &str) = ("JWT_EDGE_LEASES", "/l");
    match name {
        // Without streams a socket is for verdicts.
        "JWT_STREAMS_SIZE" => &[SOCKETS, MAP, LEASES, ("JWT_VARIABLES", "id")],
        "JWT_STREAMS_GRACE" => &[SOCKETS],
        name if name.starts_with("JWT_EDGE_") => &[SOCKETS, MAP, LEASES, ("JWT_VARIABLES", "id")],
        "JWT_PROFILE" => &[("JWT_ISSUERS", "https://id.example.com"), ("JWT_AUDIENCES", "api")],
        "JWT_OPAQUE" | "JWT_DECISIONS" => &[SERVER],
        "JWT_HAPROXY_SOCKET" => &[("JWT_TOKEN_SERVER_BACKEND", "servers")],
        "JWT_TOKEN_SERVER_CERT_FILE" => &[SERVER, ("JWT_TOKEN_SERVER_KEY_FILE", "/k")],
        "JWT_TOKEN_SERVER_KEY_FILE" => &[SERVER, ("JWT_TOKEN_SERVER_CERT_FILE", "/c")],
        "JWT_FETCH_CERT_FILE" => &[URL, ("JWT_FETCH_KEY_FILE", "/k")],
        "JWT_FETCH_KEY_FILE" => &[URL, ("JWT_FETCH_CERT_FILE", "/c")],
        "JWT_CA_FILE" => &[URL],
        "JWT_DPOP_NONCE" => &[("JWT_DPOP_NONCE_SECRET_FILE", "/n")],
        "JWT_CACHE_TTL_MAX" => &[("JWT_CACHE_TTL", "0")],
        name if name.starts_with("JWT_FETCH_") => &[URL],
        name if name.starts_with("JWT_TOKEN_SERVER_") && name != SERVER.0 => &[SERVER],
        _ => &[],
    }
}

fn base(name: &str) -> Pairs {
    let pairs = [("JWT_JWKS_FILE", "/k")].iter().chain(companions(name)).filter(|(other, _)| *other != name);
    pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn with(pairs: Pairs, name: &str, value: impl Into<String>) -> Pairs {
    pairs.into_iter().chain([(name.to_owned(), value.into())]).collect()
}

/// The configuration, without the names of what was set.
fn load(pairs: &Pairs) -> Result<String, ConfigError> {
    let variables = pairs.iter().map(|(name, value)| (name.into(), value.into()));
    let mut config = Config::load(variables, None, None)?;
    config.settings = Settings::read("JWT_", "JWT_CONFIG", Environment::default())?;
    Ok(format!("{config:?}"))
}

fn assert_faulty(name: &str, value: &str) {
    let faults = load(&with(base(name), name, value)).expect_err(&format!("{name}={value} is accepted"));
    assert!(faults.names().any(|faulty| faulty == name), "{name}={value}: {faults}");
}

#[test]
fn what_is_described_is_what_is_read() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(
        &mut file,
        b"[[issuers]]\nissuer = 'i'\nkeys_file = '/k'\n[[policies]]\nname = 'p'\n[[mcp]]\npolicy = 'm'\nuse = 'p'\nmethods = ['*']\n",
    )
    .unwrap();
    let config = Config::load([("JWT_CONFIG".into(), file.path().into())], None, None).unwrap();
    assert_eq!(description().differences(&config.settings.readings()), Vec::<String>::new());
}

#[test]
fn the_described_defaults_are_those_of_the_code() {
    let mut told = 0;
    for profile in ["standard", "ms-users"] {
        for setting in description().settings() {
            let base = with(base(setting.name), "JWT_PROFILE", profile);
            let look_up = |name: &str| {
                let found = base.iter().find(|(set, _)| set == name)?;
                Some(found.1.clone())
            };
            let look_up =
                |name: &str| look_up(name).or_else(|| description().setting(name)?.default.value(&|_| None));
            let Some(default) = setting.default.value(&look_up).filter(|_| setting.name != "JWT_PROFILE")
            else {
                continue;
            };
            told += 1;
            let given = with(base.clone(), setting.name, default.clone());
            assert_eq!(load(&given).unwrap(), load(&base).unwrap(), "{} is not {default}", setting.name);
        }
    }
    assert!(told > 30, "{told}");
}

#[test]
fn each_example_is_good_and_changes_what_the_agent_does() {
    for setting in description().settings() {
        let base = base(setting.name);
        let given = with(base.clone(), setting.name, setting.example.clone());
        let given = load(&given).unwrap_or_else(|faults| panic!("{}: {faults}", setting.name));
        // Half of what belongs together is a fault.
        let before = load(&base).unwrap_or_default();
        assert_ne!(given, before, "{}={} changes nothing", setting.name, setting.example);
    }
}

#[test]
fn the_described_limits_and_words_are_those_of_the_code() {
    for setting in description().settings() {
        let name = setting.name;
        let good: Vec<String> = match &setting.kind {
            Kind::Number { least, most, .. } => {
                least.checked_sub(1).into_iter().for_each(|value| assert_faulty(name, &value.to_string()));
                most.checked_add(1).into_iter().for_each(|value| assert_faulty(name, &value.to_string()));
                vec![least.to_string(), most.to_string()]
            }
            Kind::Word(words) => {
                assert_faulty(name, "nonsense");
                words.iter().map(|word| (*word).to_owned()).collect()
            }
            Kind::Switch => {
                assert_faulty(name, "nonsense");
                vec!["true".to_owned(), "false".to_owned()]
            }
            Kind::Text(_) | Kind::List(_) | Kind::Map(_) => continue,
        };
        for value in good {
            let given = with(base(name), name, value.clone());
            load(&given).unwrap_or_else(|faults| panic!("{name}={value}: {faults}"));
        }
    }
}

#[test]
fn a_name_stands_once_and_says_whose_it_is() {
    let description = description();
    let names: BTreeSet<_> = description.settings().map(|setting| setting.name).collect();
    assert_eq!(names.len(), description.settings().count());
    assert!(names.iter().all(|name| name.starts_with(description.prefix)) && names.len() > 40, "{names:?}");
}
