//! Settings: a configuration or its faults, never a panic, and no value in a message that it has no business in.

use std::ffi::OsString;
use std::io::Write as _;

use tempfile::NamedTempFile;
use token_server::config::Config;

/// What every `$` of a value becomes: a secret in the wrong place, or in the right one.
const SECRET: &str = "s3cret!Passw0rd";

/// The file is ours to choose.
const CONFIG: &str = "TOKEN_SERVER_CONFIG";

/// Settings that name files: they would be read, whatever file it is, and their names are quoted so that they can be found.
const FILES: [&str; 10] = [
    "TOKEN_SERVER__ADMIN__TOKENS_FILE",
    "TOKEN_SERVER__AGENT__TOKENS_FILE",
    "TOKEN_SERVER__JWE__KEYS_FILE",
    "TOKEN_SERVER__TLS__CERT",
    "TOKEN_SERVER__TLS__KEY",
    "TOKEN_SERVER__TLS__CLIENT_CA",
    "TOKEN_SERVER__REDIS__CA_FILE",
    "TOKEN_SERVER__JWKS__CA_FILE",
    "TOKEN_SERVER__JWKS__FILE",
    "TOKEN_SERVER__VERIFY__DPOP_NONCE_SECRET_FILE",
];

/// Up to two parts, with a line `---` between them: variables, and a TOML file.
pub fn server_settings(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut parts = text.splitn(2, "---\n");
    let mut environment = variables(parts.next().unwrap_or_default());
    let file = parts.next().map(|file| {
        let mut written = NamedTempFile::new().unwrap();
        written.write_all(file.as_bytes()).unwrap();
        written
    });
    environment.extend(file.iter().map(|file| (CONFIG.into(), file.path().into())));
    match Config::from_environment(environment) {
        Err(error) => {
            assert!(!error.is_empty());
            let message = error.to_string().to_lowercase();
            assert!(!message.contains(&SECRET.to_lowercase()), "{message}");
        }
        Ok(config) => assert_sound(&config),
    }
}

fn variables(lines: &str) -> Vec<(OsString, OsString)> {
    lines
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| *name != CONFIG)
        .map(|(name, value)| {
            let value =
                if FILES.contains(&name) { "/nowhere".to_owned() } else { value.replace('$', SECRET) };
            (name.into(), value.into())
        })
        .collect()
}

/// What was configured is within its limits, and forward-auth is there only with an issuer to trust and for each policy.
fn assert_sound(config: &Config) {
    assert!(config.preview_subjects <= 100_000);
    let Some(verify) = &config.verify else { return };
    assert_eq!(verify.forward_auth.guards.len(), verify.trust.policies().len());
    assert!((256..=65_536).contains(&verify.forward_auth.max_token_bytes));
    assert!(!verify.forward_auth.schemes.is_empty() && !verify.trust.issuers().is_empty());
    let leeway = verify.trust.max_leeway();
    assert!(leeway.start.as_secs() <= 300 && leeway.end.as_secs() <= 300);
}
