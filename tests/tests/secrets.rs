//! Whatever is asked, configured or broken, at the highest log level: no token and no key is in what a program prints or
//! shows as a metric.

use std::fs;
use std::path::PathBuf;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use integration_tests::agent::{Agent, ask, command, listening};
use integration_tests::edge::Edge;
use integration_tests::http::Request;
use integration_tests::key_server::{Answer, KeyServer};
use integration_tests::keys::{ALGORITHMS, SigningKey, jwks, key};
use integration_tests::process::{KEPT_LINES, Process};
use integration_tests::scan::{LEAST, of_token};
use integration_tests::setup::Setup;
use integration_tests::socket::Address;
use integration_tests::token::{
    encrypted, forge_payload, forge_signature, hs256_under, now, sign_raw, token, unsigned,
};
use integration_tests::wait::eventually;
use serde_json::{Value, json};
use tempfile::TempDir;

const DECRYPTION_KEY: [u8; 64] = *b"a decryption key that only this test and its one server knows ..";
const AGENT_TOKEN: &str = "bearer-token-of-the-agents-4711";
const ADMIN_TOKEN: &str = "bearer-token-of-the-admins-4712";
const OTHER_TOKEN: &str = "bearer-token-without-owner-4713";
const PASSWORD: &str = "password-of-the-key-server-4714";
const LEGACY_SECRET: &str = "a secret of the legacy list, of more than 64 bytes, to be shown to no reader";

/// Everything that must stay unseen, each with what it is.
#[derive(Default)]
struct Secrets(Vec<(String, String)>);

impl Secrets {
    fn add(&mut self, what: &str, secret: &str) {
        if secret.len() >= LEAST {
            self.0.push((what.to_owned(), secret.to_owned()));
        }
    }

    /// A token: whole, and each part but the header, which says only how it was made.
    fn token(&mut self, what: &str, token: &str) -> Request {
        of_token(token).for_each(|part| self.add(&format!("{what} or a part of it"), part));
        Request::get("/some/path").bearer(token)
    }

    /// What of a key is not public.
    fn key(&mut self, key: &SigningKey) {
        if let Some(secret) = key.jwk()["k"].as_str() {
            self.add(&format!("the secret for {}", key.algorithm), secret);
        }
    }

    fn assert_unseen(&self, place: &str, text: &str) {
        for (what, secret) in &self.0 {
            let shown = text.lines().find(|line| line.contains(secret));
            assert!(shown.is_none(), "{place} shows {what}: {shown:?}");
        }
    }

    fn assert_unseen_in_log_of(&self, process: &Process) {
        let lines = process.lines();
        assert!(lines.len() < KEPT_LINES, "the first lines of {} are forgotten", process.name());
        self.assert_unseen(&format!("the log of {}", process.name()), &lines.join("\n"));
    }

    fn assert_unseen_at(&self, edge: &Edge) {
        for agent in &edge.agents {
            assert!(agent.process.log().contains(r#""level":"TRACE""#), "the highest level was asked for");
            self.assert_unseen_in_log_of(&agent.process);
            for path in ["/metrics", "/ready", "/health"] {
                self.assert_unseen(path, &String::from_utf8_lossy(&agent.admin(path).body));
            }
        }
        self.assert_unseen_in_log_of(&edge.haproxy.process);
        if let Some(server) = &edge.token_server {
            assert!(server.process.log().contains(r#""level":"TRACE""#), "the highest level was asked for");
            self.assert_unseen_in_log_of(&server.process);
            let metrics =
                ask(&listening(&server.process.lines(), "admin").unwrap(), &Request::get("/metrics"));
            assert_eq!(metrics.status, 200);
            self.assert_unseen("the token-server's metrics", &String::from_utf8_lossy(&metrics.body));
        }
    }
}

/// Requests with tokens that are good, bad, and no tokens at all; what becomes of each is tested elsewhere.
fn requests(secrets: &mut Secrets) -> Vec<Request> {
    let mut requests = Vec::new();
    for algorithm in ALGORITHMS {
        let key = key(algorithm);
        secrets.key(key);
        let good = token(key, json!({"email": "alice@example.test"}));
        let others = SigningKey::generate("ES256", algorithm);
        for (what, token) in [
            ("a good token", good.clone()),
            ("a forged token", forge_signature(&good)),
            ("a token with other claims", forge_payload(&good, &json!({"sub": "root", "exp": now() + 600}))),
            ("an expired token", token(key, json!({"exp": now() - 10}))),
            ("a token that is not valid yet", token(key, json!({"nbf": now() + 600}))),
            ("a token of a stranger", token(&others, json!({}))),
            ("a token with exp as text", token(key, json!({"exp": "tomorrow"}))),
        ] {
            requests.push(secrets.token(what, &token));
        }
    }
    let header = json!({"alg": "ES256", "kid": "ES256", "crit": ["exp"]}).to_string();
    let good = token(key("ES256"), json!({}));
    for (what, token) in [
        ("an unsigned token", unsigned("none", &json!({"sub": "alice", "exp": now() + 600}))),
        (
            "a token under a public key",
            hs256_under(key("RS256").pem().as_bytes(), "RS256", &json!({"sub": "a"})),
        ),
        ("a token with crit", sign_raw(key("ES256"), &header, r#"{"sub":"alice"}"#)),
        ("a token that is too large", token(key("ES256"), json!({"blob": "x".repeat(9000)}))),
        ("a token whose answer is too large", token(key("ES256"), json!({"blob": "x".repeat(5500)}))),
        ("a token in quotes", format!("\"{good}\"")),
        ("a token that is not ASCII", format!("{good}\u{e9}")),
    ] {
        requests.push(secrets.token(what, &token));
    }
    for (scheme, what) in [("Basic", "another scheme"), ("", "no scheme"), ("Bearer Bearer", "two schemes")] {
        secrets.add(what, &good);
        requests.push(Request::get("/").header("Authorization", format!("{scheme} {good}")));
    }
    requests.push(Request::get(&format!("/?token={good}")).header("Cookie", format!("session={good}")));
    requests.push(Request::get("/").bearer(&good).bearer(&good));
    requests
}

fn file(folder: &TempDir, name: &str, text: &str) -> String {
    let path: PathBuf = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn no_signed_token_and_no_key_is_ever_printed() {
    let mut secrets = Secrets::default();
    secrets.add("the password of a key URL", PASSWORD);
    let server = KeyServer::start(Answer::Body(jwks([key("ES384")])));
    let url = server.url().replace("http://", &format!("http://agent:{PASSWORD}@"));
    let edge = Setup::denying()
        .agent_env("RUST_LOG", "trace")
        .agent_env("JWT_JWKS_URL", &format!("{url}?key={PASSWORD}"))
        .agent_env("JWT_SYNC_INTERVAL", "1")
        .start();
    let requests = requests(&mut secrets);
    let mut admitted = 0;
    for request in &requests {
        admitted +=
            usize::from(edge.exchange(&request.to_bytes()).is_ok_and(|response| response.status == 200));
    }
    assert!(admitted >= ALGORITHMS.len(), "{admitted} of {}", requests.len());

    let legacy = json!([{"kid": "old", "secret": LEGACY_SECRET}, {"kid": "es", "cert": key("ES256").pem()}]);
    secrets.add("a secret of the legacy list", LEGACY_SECRET);
    let secret = key("HS512").jwk();
    let agent = || edge.agents[0].process.log();
    for (what, keys, expected) in [
        ("a legacy list", legacy.to_string(), "keys loaded"),
        ("a broken set", format!("{}garbage", jwks([key("HS256")])), "keys not loaded"),
        ("a secret with a text around it", format!("secret = {secret}"), "keys not loaded"),
        (
            "a weak secret",
            json!({"keys": [{"kty": "oct", "kid": "weak", "k": "c2hvcnQtc2VjcmV0"}]}).to_string(),
            "keys not loaded",
        ),
        (
            "a key set as PEM",
            format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----"),
            "keys not loaded",
        ),
    ] {
        let before = agent().matches(expected).count();
        edge.replace_keys(&keys);
        eventually(what, || (agent().matches(expected).count() > before).then_some(()));
    }
    secrets.add("a weak secret", "c2hvcnQtc2VjcmV0");
    server.set(Answer::Body(format!("{{\"keys\":[{secret}")));
    let before = server.fetches();
    eventually("the URL is asked again", || (server.fetches() > before + 1).then_some(()));
    requests.iter().take(10).for_each(|request| drop(edge.exchange(&request.to_bytes())));
    secrets.assert_unseen_at(&edge);
}

#[test]
fn no_encrypted_token_no_bearer_token_and_no_decryption_key_is_ever_printed() {
    let mut secrets = Secrets::default();
    let folder = TempDir::with_prefix("secrets-").unwrap();
    let k = BASE64_URL_SAFE_NO_PAD.encode(DECRYPTION_KEY);
    secrets.add("a decryption key", &k);
    for (what, secret) in [("agents", AGENT_TOKEN), ("admins", ADMIN_TOKEN), ("neither", OTHER_TOKEN)] {
        secrets.add(&format!("the bearer token of {what}"), secret);
    }
    let keys = json!([{"kty": "oct", "kid": "main", "k": k, "default": true}]).to_string();
    let agents = file(&folder, "agents", AGENT_TOKEN);
    let edge = Setup::denying()
        .agent_env("RUST_LOG", "trace")
        .agent_env("JWT_TOKEN_SERVER_TOKEN_FILE", &agents)
        .token_server_env("RUST_LOG", "trace")
        .token_server_env("TOKEN_SERVER__JWE__KEYS_FILE", &file(&folder, "jwe", &keys))
        .token_server_env("TOKEN_SERVER__AGENT__TOKENS_FILE", &agents)
        .token_server_env("TOKEN_SERVER__ADMIN__TOKENS_FILE", &file(&folder, "admins", ADMIN_TOKEN))
        .token_server_env("TOKEN_SERVER__COMPAT__ENABLED", "true")
        .token_server_env("TOKEN_SERVER__COMPAT__OPEN", "true")
        .start();
    let server = edge.token_server.as_ref().unwrap();
    let good = encrypted(&DECRYPTION_KEY, "main", &json!({"sub": "alice", "exp": now() + 600}).to_string());
    let expired = encrypted(&DECRYPTION_KEY, "main", &json!({"sub": "alice", "exp": now() - 9}).to_string());
    let strangers = encrypted(&[9; 64], "main", &json!({"sub": "alice", "exp": now() + 600}).to_string());
    let encrypted = [
        ("a good token", good.clone(), 200),
        ("an expired token", expired, 401),
        ("a token of a stranger", strangers, 401),
        ("a token without its end", good[..good.len() - 5].to_owned(), 401),
    ];
    let signed = token(key("ES256"), json!({}));
    for (what, token, status) in encrypted.iter().chain([&("a signed token", signed.clone(), 200)]) {
        let request = secrets.token(what, token);
        assert_eq!(edge.send(&request).status, *status, "{what}");
        assert_eq!(server.ask_as_before(token).status, 200, "{what}");
        assert_eq!(server.ask_as_before(&format!("{{\"token\":\"{token}\"")).status, 200, "{what}");
    }
    let admin = listening(&server.process.lines(), "admin").unwrap();
    for (path, body) in [
        ("/v1/rules/alice", json!({"rule": {"sub": "alice"}})),
        ("/v1/rules/bob", json!({"rule": "nonsense"})),
        ("/v1/explain", json!({"token": signed})),
        ("/v1/explain", json!({"token": good})),
    ] {
        for bearer in [ADMIN_TOKEN, OTHER_TOKEN] {
            let status = post(&admin, path, bearer, &body);
            assert_eq!(status == 401, bearer == OTHER_TOKEN, "{path}: {status}");
        }
    }
    for bearer in [AGENT_TOKEN, OTHER_TOKEN] {
        post(
            &server.address,
            "/v1/check",
            bearer,
            &json!({"checks": [{"token": good}, {"token": signed}], "x": good}),
        );
    }
    assert_eq!(edge.send(&Request::get("/").bearer(&signed)).status, 401, "revoked");
    secrets.assert_unseen_at(&edge);
}

fn post(address: &Address, path: &str, bearer: &str, body: &Value) -> u16 {
    let body = body.to_string();
    let request = Request::line(&format!("POST {path} HTTP/1.1"))
        .bearer(bearer)
        .header("Content-Type", "application/json")
        .header("Content-Length", body.len().to_string());
    let mut client =
        integration_tests::http::Client::new(address.connect(integration_tests::wait::DEADLINE).unwrap());
    client.write(&[&request.to_bytes(), body.as_bytes()].concat()).unwrap();
    client.response().unwrap().status
}

#[test]
fn a_password_in_a_url_of_any_kind_is_shown_nowhere() {
    let mut secrets = Secrets::default();
    secrets.add("a password of a URL", PASSWORD);
    let folder = TempDir::with_prefix("secrets-").unwrap();
    let keys = file(&folder, "keys", &jwks([key("ES256")]));
    let dead = |scheme: &str| format!("{scheme}://agent:{PASSWORD}@{}/path", Address::free_port().unwrap());
    let issuers = [("issuer", dead("http")), ("keys_url", dead("http"))];
    let tables = format!(
        "[[issuers]]\nissuer = \"{}\"\ndiscovery = true\nkeys_file = \"{keys}\"\n[[issuers]]\nissuer = \"b\"\nkeys_url = \"{}?{PASSWORD}\"\n",
        issuers[0].1, issuers[1].1
    );
    let tables = file(&folder, "tables.toml", &tables);
    let environment = [("JWT_CONFIG", tables.clone()), ("RUST_LOG", "trace".to_owned())];
    let environment = environment.map(|(name, value)| (name.to_owned(), value));
    let agent = Agent::start("agent", Address::Unix(folder.path().join("agent.sock")), &environment);
    agent.wait_ready();
    eventually("the URLs were asked", || {
        (agent.process.log().matches("keys not loaded").count() >= 2).then_some(())
    });
    for path in ["/metrics", "/v1/keys", "/ready"] {
        let shown = agent.admin(path);
        assert_eq!(shown.status, 200, "{path}");
        secrets.assert_unseen(path, &String::from_utf8_lossy(&shown.body));
    }
    secrets.assert_unseen_in_log_of(&agent.process);

    let admins = file(&folder, "admins", ADMIN_TOKEN);
    let settings = [
        ("TOKEN_SERVER_CONFIG", tables.as_str()),
        ("TOKEN_SERVER__LISTEN", "127.0.0.1:0"),
        ("TOKEN_SERVER__ADMIN__LISTEN", "127.0.0.1:0"),
        ("TOKEN_SERVER__ADMIN__TOKENS_FILE", admins.as_str()),
        ("TOKEN_SERVER__REDIS__URLS", &dead("redis").replace("/path", "")),
        ("TOKEN_SERVER__CONSUL__URL", &dead("http").replace("/path", "")),
        ("RUST_LOG", "trace"),
    ];
    let mut server = std::process::Command::new(integration_tests::agent::program("token-server"));
    server.env_clear().envs(settings).args(["--log-format", "json"]);
    let server = Process::start("token-server", server).unwrap();
    let admin = eventually("the token-server listens", || listening(&server.lines(), "admin"));
    eventually("Redis, Consul and the URLs were asked", || {
        let log = server.log();
        let asked = ["changes in Consul are not heard", "changes in Redis are not heard"]
            .map(|line| log.contains(line));
        (asked == [true, true] && log.matches("keys not loaded").count() >= 2).then_some(())
    });
    for path in ["/metrics", "/v1/keys", "/ready", "/v1/rules"] {
        let shown = ask(&admin, &Request::get(path).bearer(ADMIN_TOKEN));
        secrets.assert_unseen(path, &String::from_utf8_lossy(&shown.body));
    }
    secrets.assert_unseen_in_log_of(&server);
    for arguments in [&["--check"][..], &["--check", "--online"]] {
        let programs =
            [command(), std::process::Command::new(integration_tests::agent::program("token-server"))];
        for mut program in programs {
            let checked = program
                .env_clear()
                .envs(settings)
                .env("JWT_CONFIG", &tables)
                .args(arguments)
                .output()
                .unwrap();
            let said = [checked.stdout, checked.stderr].concat();
            secrets.assert_unseen("the check", &String::from_utf8_lossy(&said));
        }
    }
}

#[test]
fn a_configuration_that_is_refused_is_not_shown() {
    let mut secrets = Secrets::default();
    secrets.add("the password", PASSWORD);
    let folder = TempDir::with_prefix("secrets-").unwrap();
    let broken = file(
        &folder,
        "broken.toml",
        &format!("JWT_JWKS_URL = \"https://agent:{PASSWORD}@id.test\nJWT_X = 1\n"),
    );
    let keys = file(&folder, "keys", &jwks([key("HS256")])[2..]);
    secrets.key(key("HS256"));
    let url = format!("ftp://agent:{PASSWORD}@id.test/{PASSWORD}");
    for variables in [
        vec![("JWT_JWKS_URL", url.as_str()), ("JWT_PASSWORD", PASSWORD), ("JWT_LEEWAY", PASSWORD)],
        vec![("JWT_CONFIG", broken.as_str())],
        vec![("JWT_JWKS_FILE", keys.as_str())],
        vec![("JWT_JWKS_FILE", "/k"), ("JWT_TOKEN_SERVER_BACKEND", url.as_str())],
    ] {
        let output =
            command().args(["--check"]).env("RUST_LOG", "trace").envs(variables.clone()).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{variables:?}");
        let said = [output.stdout, output.stderr].concat();
        assert!(!said.is_empty());
        secrets.assert_unseen("the message", &String::from_utf8_lossy(&said));
    }
}

#[test]
fn the_search_finds_what_is_there() {
    let folder = TempDir::with_prefix("secrets-").unwrap();
    let agent = Agent::start(
        "agent",
        Address::Unix(folder.path().join("agent.sock")),
        &[(
            "JWT_JWKS_FILE".to_owned(),
            file(&folder, "keys-of-a-path-that-is-printed", &jwks([key("ES256")])),
        )],
    );
    agent.wait_ready();
    let mut secrets = Secrets::default();
    secrets.add("a path, which is no secret", "keys-of-a-path-that-is-printed");
    let search = std::panic::AssertUnwindSafe(|| secrets.assert_unseen_in_log_of(&agent.process));
    assert!(std::panic::catch_unwind(search).is_err());
}
