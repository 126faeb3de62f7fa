//! Both generations of the script of ms-users: their settings and their backend of token-servers, as they stand in
//! `examples/migrate/ms-users/before`, with our programs in the place of the script and of the server in Node.

use std::fs;
use std::process::Command;

use integration_tests::edge::Edge;
use integration_tests::haproxy::{StatsSocket, program};
use integration_tests::http::Request;
use integration_tests::key_server::{Answer, KeyServer};
use integration_tests::keys::{SigningKey, key};
use integration_tests::ms_users::{keys, sealed};
use integration_tests::process::Process;
use integration_tests::setup::Setup;
use integration_tests::socket::Address;
use integration_tests::token::{forge_signature, now, sign};
use integration_tests::token_server::TokenServer;
use integration_tests::wait::eventually;
use jwt_agent::haproxy::cfg::HaproxyCfg;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::read;

/// What an old configuration became.
struct Moved {
    edge: Edge,
    server: TokenServer,
    /// HAProxy with the old file, without its lines of Lua: it watches the token-servers.
    _old: Process,
    _keys: KeyServer,
    _folder: TempDir,
}

/// Reads the settings of an old file, and serves its backend.
fn moved(file: &str, listed: &Value) -> Moved {
    let folder = TempDir::with_prefix("ms-users-").unwrap();
    let path = |name: &str| folder.path().join(name);
    let text = read(&format!("examples/migrate/ms-users/before/{file}"));
    fs::write(path("jwe.json"), keys()).unwrap();
    fs::write(path("keys.json"), listed.to_string()).unwrap();
    let jwe = path("jwe.json").display().to_string();
    let server =
        TokenServer::start_with(folder.path(), "ms-users", &[("TOKEN_SERVER__JWE__KEYS_FILE", &jwe)]);
    let Address::Tcp(address) = server.address else { panic!("a TCP address") };

    let without_lua: String =
        text.lines().filter(|line| !line.contains("lua")).map(|line| format!("{line}\n")).collect();
    let old = without_lua
        .replace(":8080", &format!("unix@{}", path("old.sock").display()))
        .replace("127.0.0.1:4000", &address.to_string());
    let stats = path("old-stats.sock");
    let old = old.replace("global\n", &format!("global\n    stats socket {} mode 600\n", stats.display()));
    fs::write(path("old.cfg"), old).unwrap();
    let mut command = Command::new(program());
    command.arg("-db").arg("-f").arg(path("old.cfg"));
    let old = Process::start("old", command).unwrap();
    eventually("the old file's server is up", || {
        let is_up = |line: &str| line.starts_with("jwt-") && line.contains(",s1,") && line.contains(",UP");
        let table = StatsSocket::new(&stats).try_ask("show stat").ok()?;
        table.lines().any(is_up).then_some(())
    });

    let from_url = KeyServer::start(Answer::Body(listed.to_string()));
    let settings = HaproxyCfg::parse(&text).and_then(|cfg| cfg.apply(Vec::new())).unwrap();
    let mut setup = Setup::annotating().no_key_file();
    for (name, value) in settings {
        let (name, value) = (name.into_string().unwrap(), value.into_string().unwrap());
        let value = match name.as_str() {
            "JWT_JWKS_FILE" => path("keys.json").display().to_string(),
            "JWT_JWKS_URL" => from_url.url(),
            _ => value,
        };
        setup = setup.agent_env(&name, &value);
    }
    let edge = setup.agent_env("JWT_HAPROXY_SOCKET", &stats.display().to_string()).start();
    edge.agents[0].wait_ready();
    edge.haproxy.wait_agents_up(&[("agent1", true), ("agent2", true)]);
    Moved { edge, server, _old: old, _keys: from_url, _folder: folder }
}

/// What a backend is told: valid, reason, stateless, legacy, and whether there is a body.
type Told = (&'static str, &'static str, Option<&'static str>, Option<&'static str>, bool);

fn tells(edge: &Edge, what: &str, token: &str, told: Told) {
    let request = Request::get("/").header("Authorization", format!("JWT {token}"));
    eventually(what, || {
        let seen = edge.admits(what, &request);
        let header = |name: &str| seen.header(name).map(str::to_owned);
        let found = (
            header("x-tkn-valid"),
            header("x-tkn-reason"),
            header("x-tkn-stateless"),
            header("x-tkn-legacy"),
            header("x-tkn-body").is_some(),
        );
        let (valid, reason, stateless, legacy, body) = told;
        let own = |value: Option<&str>| value.map(str::to_owned);
        (found == (own(Some(valid)), own(Some(reason)), own(stateless), own(legacy), body)).then_some(())
    });
}

const OK: Told = ("1", "ok", Some("1"), None, true);
const INVALID: Told = ("0", "E_TKN_INVALID", Some("1"), None, false);
const REFRESH: Told = ("0", "E_TKN_ACCESS_TOKEN_REQUIRED", Some("1"), None, false);
const UNAVAILABLE: Told = ("0", "E_BACKEND_UNAVAIL", None, None, false);

fn claims(changes: Value) -> Value {
    let mut all = json!({"username": "alice", "cs": "c1", "rt": "r1", "iat": now() * 1000, "exp": (now() + 600) * 1000, "st": 1});
    let members = all.as_object_mut().unwrap();
    members.extend(changes.as_object().unwrap().clone());
    members.retain(|_, value| !value.is_null());
    all
}

#[test]
fn the_settings_of_signed_tokens_are_read_as_they_stand() {
    let secret = SigningKey::from_secret("i-hope-that-you-change-this-long-default-secret-in-your-app", "hs");
    let pair = key("ES256");
    let listed = json!([
        {"kid": "hs", "secret": "i-hope-that-you-change-this-long-default-secret-in-your-app"},
        {"kid": "ES256", "cert": pair.pem()},
    ]);
    // All of it lives as long as the test.
    let mut moved = moved("signed.cfg", &listed);
    let Moved { edge, server, .. } = &mut moved;
    let edge = &*edge;
    for key in [&secret, pair] {
        let signed = |changes: Value| sign(key, &claims(changes));
        tells(edge, "good", &signed(json!({})), OK);
        tells(edge, "without an end", &signed(json!({"exp": null})), OK);
        tells(edge, "expired", &signed(json!({"exp": (now() - 1) * 1000})), INVALID);
        tells(edge, "a refresh token", &signed(json!({"irt": 1})), REFRESH);
        tells(
            edge,
            "one without st",
            &signed(json!({"st": 0})),
            ("0", "E_TKN_LEGACY", None, Some("1"), true),
        );
        let forged = forge_signature(&signed(json!({})));
        tells(edge, "forged", &forged, ("0", "E_TKN_INVALID", None, Some("1"), false));
    }
    server.revoke("alice", &json!({"_or": true, "cs": "c1", "rt": "c1"}));
    tells(edge, "revoked", &sign(&secret, &claims(json!({}))), INVALID);
    tells(edge, "another session", &sign(&secret, &claims(json!({"cs": "c2"}))), OK);
    server.process.kill();
    tells(edge, "no token-server", &sign(&secret, &claims(json!({"cs": "c3"}))), UNAVAILABLE);
}

#[test]
fn the_settings_of_encrypted_tokens_are_read_as_they_stand() {
    let mut moved = moved("encrypted.cfg", &json!([]));
    let Moved { edge, server, .. } = &mut moved;
    let edge = &*edge;
    let good = sealed(&claims(json!({})));
    tells(edge, "good", &good, OK);
    let long = sealed(&claims(json!({"metadata": "x".repeat(6_200)})));
    assert!((8_192..9_000).contains(&long.len()), "{}", long.len());
    tells(edge, "longer than 8 KiB", &long, OK);
    tells(edge, "expired", &sealed(&claims(json!({"exp": (now() - 1) * 1000}))), INVALID);
    tells(edge, "a refresh token", &sealed(&claims(json!({"irt": 1}))), REFRESH);
    // Five parts are stateless by their form, and three are legacy: this system never had keys for them.
    tells(edge, "another key", &format!("{}AAAA", &good[..good.len() - 4]), INVALID);
    tells(edge, "five parts of garbage", "a.b.c.d.e", INVALID);
    let legacy = ("0", "E_TKN_LEGACY", None, Some("1"), false);
    tells(edge, "a signed token", &sign(key("ES256"), &claims(json!({}))), legacy);
    tells(edge, "three parts of garbage", "a.b.c", legacy);
    tells(edge, "no parts", "garbage", legacy);
    server.revoke("alice", &json!({"metadata.length": 6_200}));
    tells(edge, "revoked by the length of a text", &long, INVALID);
    tells(edge, "another one of the same user", &good, OK);
    server.process.kill();
    tells(edge, "no token-server", &sealed(&claims(json!({"cs": "c3"}))), UNAVAILABLE);
    tells(edge, "no token-server, five parts of garbage", "e.d.c.b.a", UNAVAILABLE);
    tells(edge, "no token-server, a signed token", &sign(key("ES256"), &claims(json!({"cs": "c3"}))), legacy);
}
