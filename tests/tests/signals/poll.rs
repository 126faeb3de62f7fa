//! Streams of shared signals that are polled (RFC 8936), from a transmitter to what agents hear.

use std::time::Duration;

use integration_tests::keys::{jwks, key};
use integration_tests::process::Signal;
use integration_tests::stores::Redis;
use integration_tests::token::now;
use integration_tests::token_server::TokenServer;
use integration_tests::transmitter::{AUDIENCE, TOKEN, Transmitter};
use integration_tests::wait::eventually;
use serde_json::{Value, json};
use tempfile::TempDir;

const SESSION_REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";

/// A token-server that polls a transmitter.
struct Polling {
    transmitter: Transmitter,
    server: TokenServer,
    environment: Vec<(&'static str, String)>,
    folder: TempDir,
}

impl Polling {
    fn start(environment: &[(&'static str, String)]) -> Self {
        Self::start_with("poll_token_file = 'FOLDER/token'", environment)
    }

    /// `access` are the fields that say who asks.
    fn start_with(access: &str, environment: &[(&'static str, String)]) -> Self {
        let (transmitter, folder) = (Transmitter::start(), TempDir::new().unwrap());
        std::fs::write(folder.path().join("token"), format!("{TOKEN}\n")).unwrap();
        std::fs::write(folder.path().join("secret"), "secret\n").unwrap();
        write_settings(&folder, &table(&transmitter, access));
        let mut all = vec![
            ("TOKEN_SERVER_CONFIG", folder.path().join("settings.toml").display().to_string()),
            ("TOKEN_SERVER__SIGNALS__LISTEN", "127.0.0.1:0".to_owned()),
        ];
        all.extend(environment.iter().cloned());
        let server = start(&folder, &all);
        Self { transmitter, server, environment: all, folder }
    }

    /// Has the transmitter tell that all sessions of a subject have ended.
    fn revoke(&self, subject: &str) -> String {
        self.transmitter.send(self.revoked(subject))
    }

    fn revoked(&self, subject: &str) -> Value {
        let sub_id = json!({ "format": "iss_sub", "iss": self.transmitter.origin, "sub": subject });
        json!({ "sub_id": sub_id, "events": { SESSION_REVOKED: {} } })
    }

    /// What an agent hears of a token of this subject that is a minute old.
    fn check(&self, subject: &str) -> String {
        let payload = json!({
            "iss": self.transmitter.origin, "sub": subject, "iat": now() - 60, "exp": now() + 600,
        });
        self.server.verdict_on(&payload)
    }

    fn metric(&self, name: &str) -> u64 {
        let metrics = self.server.metrics();
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name}: {metrics}"))
    }

    fn polls(&self, outcome: &str) -> u64 {
        self.metric(&format!("token_server_ssf_polls_total{{stream=\"idp\",outcome=\"{outcome}\"}}"))
    }

    fn signals(&self, outcome: &str) -> u64 {
        self.metric(&format!("token_server_signals_total{{kind=\"ssf\",outcome=\"{outcome}\"}}"))
    }
}

fn table(transmitter: &Transmitter, access: &str) -> String {
    let origin = &transmitter.origin;
    format!(
        "[[ssf]]\nname = 'idp'\nissuer = '{origin}'\naudiences = ['{AUDIENCE}']\npoll_url = '{origin}/ssf/poll'\npoll_interval = \
         1\n{}\n",
        access.replace("ORIGIN", origin)
    )
}

fn write_settings(folder: &TempDir, tables: &str) {
    let tables = tables.replace("FOLDER", folder.path().to_str().unwrap());
    std::fs::write(folder.path().join("settings.toml"), tables).unwrap();
}

fn start(folder: &TempDir, environment: &[(&'static str, String)]) -> TokenServer {
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    TokenServer::start_with(folder.path(), "standard", &environment)
}

#[test]
fn what_is_polled_revokes_before_it_is_acknowledged_and_garbage_holds_up_nothing() {
    let polling = Polling::start(&[]);
    let transmitter = &polling.transmitter;
    let first = polling.revoke("alice");
    transmitter.acknowledged(&first);
    assert_eq!((polling.check("alice"), polling.check("bob")), ("revoked".to_owned(), "ok".to_owned()));

    // Several at a time, the latest first, with garbage between them.
    transmitter.set(json!({ "down": true, "max": 2, "reversed": true }));
    let revoked = polling.revoked("mallory");
    let with = |name: &str, value: Value| {
        let mut claims = revoked.clone();
        claims[name] = value;
        json!({ "claims": claims })
    };
    let mut other_name = with("jti", json!("one"));
    // It is given under another name than its own.
    other_name["jti"] = json!("another");
    let good: Vec<_> = (0..3).map(|number| polling.revoke(&format!("user-{number}"))).collect();
    let garbage = [
        (transmitter.send_as(&json!({ "jti": "no-token", "raw": "garbage" })), "invalid_request"),
        (transmitter.send_as(&json!({ "jti": "no-text", "raw": { "a": 1 } })), "invalid_request"),
        (transmitter.send_as(&json!({ "jti": "large", "raw": "x".repeat(70_000) })), "invalid_request"),
        (transmitter.send_as(&other_name), "invalid_request"),
        (transmitter.send_as(&with("aud", json!("others"))), "invalid_audience"),
        (transmitter.send_as(&with("iss", json!("https://other.example.com"))), "invalid_issuer"),
        (transmitter.send_as(&json!({ "claims": revoked, "foreign": true })), "invalid_key"),
        (transmitter.send_as(&with("exp", json!(now() + 60))), "invalid_request"),
    ];
    let last = polling.revoke("user-3");
    transmitter.set(json!({ "down": false }));
    for jti in good.iter().chain([&last]) {
        transmitter.acknowledged(jti);
    }
    for number in 0..4 {
        assert_eq!(polling.check(&format!("user-{number}")), "revoked");
    }
    for (jti, code) in &garbage {
        let told = eventually("the transmitter is told of the error", || {
            transmitter.seen()["errors"].get(jti).cloned()
        });
        assert_eq!(told["err"], *code, "{jti}: {told}");
        assert!(!transmitter.has_acknowledged(jti), "{jti}");
    }
    assert_eq!(transmitter.seen()["queued"], json!([]), "nothing comes again");
    assert_eq!(polling.check("mallory"), "ok");
    assert_eq!(polling.signals("revoked"), 5);
    let heard = polling.metric("token_server_ssf_heard_timestamp_seconds{stream=\"idp\"}");
    assert!(now() - heard < 60, "{heard}");
}

#[test]
fn a_transmitter_that_fails_is_asked_again_and_nothing_is_lost() {
    let polling = Polling::start(&[]);
    let transmitter = &polling.transmitter;
    eventually("it is polled", || (transmitter.seen()["waiting"] == 1).then_some(()));
    for (number, (mode, back, outcome)) in [
        (json!({ "down": true }), json!({ "down": false }), "failed"),
        (json!({ "status": 503, "retry_after": "1" }), json!({ "status": 0 }), "failed"),
        (
            json!({ "authorization": "Bearer another" }),
            json!({ "authorization": format!("Bearer {TOKEN}") }),
            "refused",
        ),
        (json!({ "redirect": "http://127.0.0.2:9/poll" }), json!({ "redirect": null }), "failed"),
        (json!({ "body": "<html>" }), json!({ "body": null }), "failed"),
        (json!({ "padding": 3_000_000 }), json!({ "padding": 0 }), "failed"),
    ]
    .into_iter()
    .enumerate()
    {
        let before = polling.polls(outcome);
        transmitter.set(mode.clone());
        let subject = format!("user-{number}");
        // It ends the question that is held.
        let told = polling.revoke(&subject);
        eventually("the failure is counted", || (polling.polls(outcome) > before).then_some(()));
        assert!(!transmitter.has_acknowledged(&told), "{mode}");
        transmitter.set(back);
        transmitter.acknowledged(&told);
        assert_eq!(polling.check(&subject), "revoked", "{mode}");
    }
}

#[test]
fn a_token_is_not_acknowledged_while_the_store_is_down() {
    let mut redis = Redis::start(&["--appendonly", "yes"]);
    let polling = Polling::start(&[("TOKEN_SERVER__REDIS__URLS", redis.url().to_owned())]);
    redis.kill();
    let told = polling.revoke("alice");
    eventually("the store is tried", || (polling.signals("failed") > 0).then_some(()));
    assert!(!polling.transmitter.has_acknowledged(&told));
    assert_eq!(polling.transmitter.seen()["errors"], json!({}));
    redis.start_again();
    polling.transmitter.acknowledged(&told);
    assert_eq!(redis.rules("alice"), 1);
}

#[test]
fn what_was_not_acknowledged_before_a_power_cut_comes_again_and_is_known() {
    let mut polling = Polling::start(&[]);
    polling.transmitter.set(json!({ "then_down": true }));
    let told = polling.revoke("alice");
    eventually("the rule is there", || (polling.check("alice") == "revoked").then_some(()));
    assert!(!polling.transmitter.has_acknowledged(&told));
    polling.server.process.kill();
    polling.server = start(&polling.folder, &polling.environment);
    polling.transmitter.set(json!({ "then_down": false, "polls_down": false }));
    polling.transmitter.acknowledged(&told);
    assert_eq!((polling.signals("known"), polling.signals("revoked")), (1, 0));
    assert_eq!(polling.check("alice"), "revoked");
}

#[test]
fn a_stream_that_sighup_takes_away_is_polled_no_longer_and_a_stop_ends_a_held_question() {
    let mut polling = Polling::start(&[]);
    let waiting = |count: u64| {
        eventually("so many questions are held", || {
            (polling.transmitter.seen()["waiting"] == count).then_some(())
        });
    };
    waiting(1);
    let other = "[[ssf]]\nname = 'other'\nissuer = 'https://other.example.com'\naudiences = ['edge']\nkeys_file = \
                 'FOLDER/keys'\nauthorization_file = 'FOLDER/push'\n";
    std::fs::write(polling.folder.path().join("keys"), jwks([key("ES256")])).unwrap();
    std::fs::write(polling.folder.path().join("push"), "Bearer a-value-of-a-push\n").unwrap();
    write_settings(&polling.folder, other);
    polling.server.process.signal(Signal::HUP);
    waiting(0);
    assert!(!polling.server.metrics().contains("stream=\"idp\""));

    write_settings(&polling.folder, &table(&polling.transmitter, "poll_token_file = 'FOLDER/token'"));
    polling.server.process.signal(Signal::HUP);
    waiting(1);
    polling.server.process.signal(Signal::TERM);
    let ended = polling.server.process.wait(Duration::from_secs(8));
    assert!(ended.is_some_and(|status| status.success()), "{}", polling.server.process.log());
    assert!(!polling.server.process.log().contains("cut off"));
}

#[test]
fn a_token_of_an_authorization_server_is_fetched_once_and_anew_when_it_is_refused() {
    let access = "poll_token_url = 'ORIGIN/oauth/token'\npoll_client_id = 'edge'\npoll_client_secret_file = \
                  'FOLDER/secret'";
    let polling = Polling::start_with(access, &[]);
    let transmitter = &polling.transmitter;
    for subject in ["alice", "bob"] {
        transmitter.acknowledged(&polling.revoke(subject));
    }
    assert_eq!(transmitter.seen()["tokens"], 1);
    transmitter.set(json!({ "authorization": "Bearer another" }));
    transmitter.acknowledged(&polling.revoke("carol"));
    assert_eq!(transmitter.seen()["tokens"], 2);
    assert!(polling.polls("refused") > 0);
    assert_eq!(polling.check("carol"), "revoked");
}
