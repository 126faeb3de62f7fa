//! Identity providers tell a token-server what ends: over its own listener, in both kinds of stores.

mod logout;
mod poll;
mod revoke;
mod verify;

use std::path::{Path, PathBuf};

use integration_tests::agent::listening;
use integration_tests::http::{Client, Request, Response};
use integration_tests::keys::{jwks, key};
use integration_tests::socket::Address;
use integration_tests::token::{now, sign_raw};
use integration_tests::token_server::TokenServer;
use integration_tests::wait::{DEADLINE, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The issuer whose messages are heard.
pub(crate) const IDP: &str = "https://idp.example.com";

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A token-server that hears [`IDP`], whose key is the process's ES256 key.
pub(crate) struct Hearing {
    pub(crate) server: TokenServer,
    /// Where providers send.
    pub(crate) signals: Address,
    environment: Vec<(&'static str, String)>,
    folder: TempDir,
}

impl Hearing {
    /// `fields` are those of the `[[signals]]` table, `environment` further settings.
    pub(crate) fn start(fields: &str, environment: &[(&'static str, String)]) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("keys.json"), jwks([key("ES256")])).unwrap();
        write_settings(folder.path(), fields);
        let file = settings_file(folder.path()).display().to_string();
        let mut all =
            vec![("TOKEN_SERVER_CONFIG", file), ("TOKEN_SERVER__SIGNALS__LISTEN", "127.0.0.1:0".to_owned())];
        all.extend(environment.iter().cloned());
        let server = start(folder.path(), &all);
        let signals = eventually("the listener of signals", || listening(&server.process.lines(), "signals"));
        Self { server, signals, environment: all, folder }
    }

    /// Ends it as a power cut would, and starts it again.
    pub(crate) fn killed_and_started_again(mut self) -> Self {
        self.server.process.kill();
        let server = start(self.folder.path(), &self.environment);
        let signals = eventually("the listener of signals", || listening(&server.process.lines(), "signals"));
        Self { server, signals, ..self }
    }

    /// Has SIGHUP take over another `[[signals]]` table.
    pub(crate) fn reload(&self, fields: &str) {
        write_settings(self.folder.path(), fields);
        let taken_over = || {
            let lines = self.server.process.lines();
            lines.iter().filter(|line| line.contains("the new configuration is in use")).count()
        };
        let before = taken_over();
        self.server.process.signal(integration_tests::process::Signal::HUP);
        eventually("the new configuration is in use", || (taken_over() > before).then_some(()));
    }

    /// Sends a logout token as a provider does.
    pub(crate) fn logout(&self, token: &str) -> Response {
        post(&self.signals, &format!("logout_token={token}"))
    }

    /// What an agent hears about a payload that it has verified: the detail of the verdict.
    pub(crate) fn check(&self, payload: &Value) -> String {
        self.server.verdict_on(payload)
    }
}

fn start(folder: &Path, environment: &[(&'static str, String)]) -> TokenServer {
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    TokenServer::start_with(folder, "standard", &environment)
}

fn settings_file(folder: &Path) -> PathBuf {
    folder.join("settings.toml")
}

fn write_settings(folder: &Path, fields: &str) {
    let keys = folder.join("keys.json").display().to_string();
    let text = format!(
        "[[issuers]]\nissuer = '{IDP}'\nkeys_file = '{keys}'\n[[signals]]\nissuer = '{IDP}'\n{fields}\n"
    );
    std::fs::write(settings_file(folder), text).unwrap();
}

/// Posts a form, as a provider does.
pub(crate) fn post(signals: &Address, form: &str) -> Response {
    let request = Request::line("POST /backchannel-logout HTTP/1.1")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("Content-Length", form.len().to_string());
    let mut client = Client::new(signals.connect(DEADLINE).unwrap());
    client.write(&[&request.to_bytes(), form.as_bytes()].concat()).unwrap();
    client.response().unwrap()
}

/// A good logout token of this subject.
pub(crate) fn logout_token(sub: &str, jti: &str) -> String {
    let key = key("ES256");
    let header = json!({ "alg": key.algorithm, "kid": key.kid, "typ": "logout+jwt" });
    let claims = json!({
        "iss": IDP, "aud": "shop", "iat": now(), "exp": now() + 120, "jti": jti, "sub": sub,
        "events": { EVENT: {} },
    });
    sign_raw(key, &header.to_string(), &claims.to_string())
}
