//! What a token-server is told of tokens that are no JWT: a file of API keys, and an authorization server that says the same of every
//! opaque token.
//!
//! That server is threads of the measuring process, whose time is not counted: of a real one its own time would be measured.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA256, digest};
use integration_tests::key_server::{Answer, KeyServer};
use integration_tests::token::now;
use serde_json::json;

use crate::traffic::{AUDIENCE, ISSUER, SUBJECT};

/// The key of the lines with an API key.
pub(crate) const API_KEY: &str = "hj_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";

/// The settings of a token-server that knows [`API_KEY`] and asks about all else. `folder` gets the files.
pub(crate) fn settings(folder: &Path) -> Vec<(&'static str, String)> {
    static SERVER: OnceLock<KeyServer> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        let answer = json!({
            "active": true, "token_type": "Bearer", "iss": ISSUER, "aud": AUDIENCE, "sub": SUBJECT,
            "email": "alice@example.com", "exp": now() + 7200, "scope": "openid profile email",
        });
        KeyServer::start(Answer::Body(answer.to_string()))
    });
    let claims =
        format!("sub = {SUBJECT:?}, email = \"alice@example.com\", iss = {ISSUER:?}, aud = {AUDIENCE:?}");
    let keys = write_keys(folder, [(API_KEY, claims.as_str())]);
    let mut settings = asking(folder, ISSUER, "of the client");
    settings.extend([
        ("TOKEN_SERVER__API_KEYS__FILE", keys.display().to_string()),
        ("TOKEN_SERVER__INTROSPECTION__URL", server.url()),
        // No line is to measure these limits.
        ("TOKEN_SERVER__INTROSPECTION__RATE", "100000".to_owned()),
        ("TOKEN_SERVER__INTROSPECTION__CONCURRENCY", "1024".to_owned()),
    ]);
    settings
}

/// Those by which the authorization server of an issuer is asked, as the client `robot` with this secret.
pub(crate) fn asking(folder: &Path, issuer: &str, secret: &str) -> Vec<(&'static str, String)> {
    let file = folder.join("introspection.secret");
    fs::write(&file, secret).unwrap();
    vec![
        ("TOKEN_SERVER__INTROSPECTION__ISSUER", issuer.to_owned()),
        ("TOKEN_SERVER__INTROSPECTION__CLIENT_ID", "robot".to_owned()),
        ("TOKEN_SERVER__INTROSPECTION__CLIENT_SECRET_FILE", file.display().to_string()),
    ]
}

/// A file of these API keys, each with its claims as TOML.
pub(crate) fn write_keys<'a>(folder: &Path, keys: impl IntoIterator<Item = (&'a str, &'a str)>) -> PathBuf {
    let mut text = String::new();
    for (number, (key, claims)) in keys.into_iter().enumerate() {
        let mut hash = String::new();
        for byte in digest(&SHA256, key.as_bytes()).as_ref() {
            write!(hash, "{byte:02x}").unwrap();
        }
        writeln!(
            text,
            "[[keys]]\nname = \"key-{number}\"\nsha256 = \"{hash}\"\nmade = 2026-01-01T00:00:00Z\nclaims = {{ {claims} }}\n"
        )
        .unwrap();
    }
    let file = folder.join("api-keys.toml");
    fs::write(&file, text).unwrap();
    file
}
