//! Settings: a configuration or its faults, never a panic, and no value in a message that it has no business in.

use std::ffi::OsString;
use std::io::Write as _;

use jose::{KeyOrigin, KeyRules, KeySet, Profile, UnixTime, Verdict};
use jwt_agent::config::Config;
use jwt_agent::haproxy::cfg::HaproxyCfg;
use tempfile::NamedTempFile;

/// What every `$` of a value becomes: a secret in the wrong place, or in the right one. No name of a
/// setting has its `!`.
const SECRET: &str = "s3cret!Passw0rd";

/// Settings whose values are names that an operator must find again, and no secrets: messages quote them.
const NAMES: [&str; 2] = ["JWT_VARIABLES", "JWT_CONFIG"];

/// The keys and the token of the connections' corpus.
const KEY: &str =
    r#"{"kty":"oct","kid":"fuzz","k":"dGhlIHNlY3JldCBvZiB0aGUgZnV6eiB0YXJnZXRzLCAzMiBieXRlcyBhbmQgbW9yZQ"}"#;
const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsImtpZCI6ImZ1enoifQ.eyJzdWIiOiJhbGljZSIsImV4cCI6MzI1MDM2ODAwMDB9.\
                     2YIpTUlfhsGZ69RquMOY6evTgHWC03GnhmU5cMf3LnM";

/// Up to three parts, with a line `---` between them: variables, a TOML file, a haproxy.cfg.
pub fn agent_settings(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut parts = text.splitn(3, "---\n");
    let mut environment: Vec<(OsString, OsString)> = variables(parts.next().unwrap_or_default());
    let file = parts.next().map(|file| {
        let mut written = NamedTempFile::new().unwrap();
        written.write_all(with_secret(file).as_bytes()).unwrap();
        written
    });
    environment.extend(file.iter().map(|file| ("JWT_CONFIG".into(), file.path().into())));
    let cfg = match parts.next().map(|cfg| HaproxyCfg::parse(&cfg.replace('$', SECRET))) {
        Some(Err(error)) => return assert_keeps_quiet(&error.to_string()),
        Some(Ok(cfg)) => Some(cfg),
        None => None,
    };
    match Config::load(environment, cfg.as_ref(), None) {
        Err(error) => {
            assert!(!error.is_empty());
            assert_keeps_quiet(&error.to_string());
        }
        Ok(config) => {
            config.warnings.iter().for_each(|warning| assert_keeps_quiet(warning));
            assert_sound(&config);
        }
    }
}

fn variables(lines: &str) -> Vec<(OsString, OsString)> {
    lines
        .lines()
        .filter_map(|line| line.split_once('='))
        // The file is ours to choose, and what may be quoted is no secret.
        .filter(|(name, _)| !NAMES.contains(name))
        .map(|(name, value)| (name.into(), value.replace('$', SECRET).into()))
        .collect()
}

/// The secret in values of settings; names, and names of tables, are quoted so that they can be found.
fn with_secret(file: &str) -> String {
    let is_table = file.contains("[[");
    file.split_inclusive('\n')
        .map(|line| match line.split_once('=') {
            Some((name, value)) if !is_table && !value.contains('{') && !name.contains("VARIABLES") => {
                format!("{name}={}", value.replace('$', SECRET))
            }
            _ => line.to_owned(),
        })
        .collect()
}

fn assert_keeps_quiet(message: &str) {
    assert!(!message.to_lowercase().contains(&SECRET.to_lowercase()), "{message}");
}

/// What was configured is within its limits, and a policy admits only what it says.
fn assert_sound(config: &Config) {
    assert!((256..=65_536).contains(&config.max_token_bytes));
    assert!((1..=60_000).contains(&config.timeout.as_millis()));
    assert!(!config.listen.is_empty() && !config.schemes.is_empty());
    let trust = &config.trust;
    assert_eq!(trust.issuers().len(), config.keys.issuers.len());
    let leeway = trust.max_leeway();
    assert!(leeway.start.as_secs() <= 300 && leeway.end.as_secs() <= 300);
    let rules = KeyRules { origin: KeyOrigin::File, ..config.keys.rules };
    let set = || KeySet::parse(KEY.as_bytes(), &rules).unwrap();
    let keys: Vec<KeySet> = trust.issuers().iter().map(|_| set()).collect();
    for route in trust.policies() {
        assert!(route.issuers.iter().all(|index| *index < trust.issuers().len()));
        if let Verdict::Accept(_) = trust.verify(TOKEN, &keys, route, UnixTime::from_secs(1_800_000_000)) {
            // The token has neither issuer nor audience, no scope, no `st`.
            assert_eq!(trust.profile(), Profile::Standard);
            assert!(route.audiences.is_empty() && route.requirements.all_scopes.is_empty());
            assert!(route.issuers.iter().any(|index| trust.issuers()[*index].policy.issuers.is_empty()));
        }
    }
}
