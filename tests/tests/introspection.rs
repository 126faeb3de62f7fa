//! Opaque tokens at a token-server as it runs: its settings, a reload, and what it prints. What an authorization server may
//! answer is tested beside the code; real ones are asked in `tests/interop/providers`.

use std::fs;
use std::path::PathBuf;

use integration_tests::key_server::{Answer, KeyServer};
use integration_tests::process::Signal;
use integration_tests::scan::{note, noted};
use integration_tests::token::now;
use integration_tests::token_server::TokenServer;
use integration_tests::wait::eventually;
use serde_json::{Value, json};
use tempfile::TempDir;

const SECRET: &str = "secret-of-the-client-4715";

/// A token-server, and the authorization server that it asks: one that counts its questions, which no real one tells.
struct Asking {
    server: TokenServer,
    provider: KeyServer,
    config: PathBuf,
    folder: TempDir,
}

impl Asking {
    fn start() -> Self {
        let folder = TempDir::with_prefix("introspection-").unwrap();
        fs::write(folder.path().join("secret"), format!("{SECRET}\n")).unwrap();
        note("a secret of a client", SECRET);
        let provider = KeyServer::start(Answer::Close);
        let config = folder.path().join("settings.toml");
        let told = config.display().to_string();
        let settings = [
            ("TOKEN_SERVER_CONFIG", told.as_str()),
            ("TOKEN_SERVER__VERIFY__AUDIENCES", "my-api"),
            ("RUST_LOG", "trace"),
        ];
        fs::write(&config, Self::table(&folder, &provider, "edge")).unwrap();
        let server = TokenServer::start_with(folder.path(), "standard", &settings);
        let asking = Self { server, provider, config, folder };
        asking.says(json!({ "active": true, "token_type": "Bearer", "sub": "anna", "aud": "my-api", "exp": now() + 600 }));
        asking
    }

    fn table(folder: &TempDir, provider: &KeyServer, client: &str) -> String {
        let (secret, url) = (folder.path().join("secret"), provider.url());
        format!(
            "[[introspection]]\nissuer = 'https://id.example.com'\nurl = '{url}'\nclient_id = '{client}'\n\
             client_secret_file = '{}'\ncache_ttl = 300\ntimeout_ms = 10000\n",
            secret.display()
        )
    }

    fn says(&self, answer: Value) {
        self.provider.set(Answer::Body(answer.to_string()));
    }

    /// Has SIGHUP take over this text.
    fn reads(&self, text: &str) {
        let count = || {
            let metrics = self.server.metrics();
            let line = metrics
                .lines()
                .find(|line| line.starts_with("token_server_reloads_total{outcome=\"applied\"}"));
            line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).unwrap()
        };
        let before = count();
        fs::write(&self.config, text).unwrap();
        self.server.process.signal(Signal::HUP);
        eventually("the configuration is in use", || (count() > before).then_some(()));
    }
}

#[test]
fn an_opaque_token_is_asked_about_once_and_a_rule_ends_it_at_once() {
    let asking = Asking::start();
    let tokens = ["a-good-opaque-token-4716", "a-strangers-text-4717"].map(|token| noted(token.to_owned()));
    let [token, strange] = &tokens;
    for _ in 0..3 {
        let verdict = asking.server.verdict_on_token(token);
        assert_eq!((&verdict["detail"], &verdict["subject"]), (&json!("ok"), &json!("anna")), "{verdict}");
        assert_eq!(verdict["claims"]["iss"], "https://id.example.com");
        assert!(verdict["use_for"].as_u64().is_some_and(|left| left <= 300_000), "{verdict}");
        assert_eq!(asking.server.status_of_token(token), 200);
    }
    assert_eq!(asking.provider.fetches(), 1);
    asking.server.revoke("anna", &json!({ "sub": "anna" }));
    assert_eq!(
        (asking.server.detail_on_token(token), asking.server.status_of_token(token)),
        ("revoked".to_owned(), 401)
    );
    assert_eq!(asking.provider.fetches(), 1);

    asking.provider.set(Answer::Status(500));
    assert_eq!(
        (asking.server.detail_on_token(strange), asking.server.status_of_token(strange)),
        ("introspection".to_owned(), 503)
    );
    let (log, metrics) = (asking.server.process.log(), asking.server.metrics());
    assert!(log.contains(r#""level":"TRACE""#) && log.contains("an authorization server could not be asked"));
    for secret in tokens.iter().map(String::as_str).chain([SECRET]) {
        assert!(!log.contains(secret) && !metrics.contains(secret), "{secret} is shown");
    }
    for counted in [
        r#"token_server_introspection_calls_total{issuer="https://id.example.com",outcome="active"} 1"#,
        r#"token_server_introspection_calls_total{issuer="https://id.example.com",outcome="failed"} 2"#,
        "token_server_introspection_calls_in_flight 0",
        "token_server_introspection_cache_misses_total 3",
    ] {
        assert!(metrics.contains(counted), "{counted} in\n{metrics}");
    }
}

#[test]
fn a_token_that_is_for_another_audience_or_bound_or_no_token_at_all_is_refused_at_verify() {
    let asking = Asking::start();
    let good = || json!({ "active": true, "token_type": "Bearer", "aud": "my-api", "exp": now() + 600 });
    let jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    for (number, (member, value, status)) in [
        ("client_id", json!("app"), 200),
        ("aud", json!("other-api"), 401),
        ("aud", Value::Null, 401),
        ("cnf", json!({ "jkt": jkt }), 401),
        ("iss", json!("https://other.example.com"), 401),
        ("exp", json!(now() - 1), 401),
        ("nbf", json!(now() + 600), 401),
        ("events", json!({}), 401),
        ("active", json!(false), 401),
        ("active", json!("true"), 503),
    ]
    .into_iter()
    .enumerate()
    {
        let mut answer = good();
        answer[member] = value;
        asking.says(answer.clone());
        assert_eq!(
            asking.server.status_of_token(&format!("an-opaque-token-{number:04}")),
            status,
            "{answer}"
        );
    }
    let fetches = asking.provider.fetches();
    for text in ["short", "a.b.c", "two.dots.in-this-text-0123", "not+a/token68=in-the-middle"] {
        assert_eq!(asking.server.status_of_token(text), 401, "{text}");
    }
    assert_eq!(asking.provider.fetches(), fetches, "what cannot be one is not asked about");
}

#[test]
fn a_reload_takes_over_servers_and_keeps_the_answers_of_those_that_are_the_same() {
    let asking = Asking::start();
    let token = "a-good-opaque-token-4718";
    let table = |client: &str| Asking::table(&asking.folder, &asking.provider, client);
    assert_eq!(asking.server.status_of_token(token), 200);
    asking.reads(&format!("{}\n# nothing new\n", table("edge")));
    assert_eq!((asking.server.status_of_token(token), asking.provider.fetches()), (200, 1));
    asking.reads(&table("another-client"));
    asking.says(json!({ "active": false }));
    assert_eq!((asking.server.status_of_token(token), asking.provider.fetches()), (401, 2));
}
