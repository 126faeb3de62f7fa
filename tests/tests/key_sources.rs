//! Keys that change, vanish or turn into garbage while HAProxy asks.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use integration_tests::agent;
use integration_tests::edge::Edge;
use integration_tests::http::Request;
use integration_tests::key_server::{Answer, KeyServer};
use integration_tests::keys::{SigningKey, jwks, key};
use integration_tests::process::{Process, Signal};
use integration_tests::setup::Setup;
use integration_tests::token::{sign_raw, token};
use integration_tests::wait::{DEADLINE, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

fn asks(key: &SigningKey) -> Request {
    Request::get("/").bearer(&token(key, json!({})))
}

/// Waits until tokens of a key get a status, and asserts that none passed that should not have.
fn becomes(edge: &Edge, what: &str, key: &SigningKey, status: u16) {
    eventually(what, || (edge.send(&asks(key)).status == status).then_some(()));
}

/// Two keys under one kid and two kids: what rotations go between.
fn generations() -> [SigningKey; 2] {
    ["2026-01", "2026-02"].map(|kid| SigningKey::generate("ES256", kid))
}

fn logged(edge: &Edge, text: &str) {
    eventually(text, || edge.agents[0].process.log().contains(text).then_some(()));
}

#[test]
fn a_replaced_key_file_is_used_without_a_restart() {
    let [old, new] = generations();
    let edge = Setup::denying().keys(jwks([&old])).agent_env("JWT_SYNC_INTERVAL", "3600").start();
    edge.admits("the old key", &asks(&old));
    edge.refuses("a key that is not there yet", 401, &asks(&new));
    edge.replace_keys(&jwks([&old, &new]));
    becomes(&edge, "the new key is known", &new, 200);
    edge.admits("the old key beside the new one", &asks(&old));
    edge.replace_keys(&jwks([&new]));
    becomes(&edge, "the old key is forgotten", &old, 401);
    edge.admits("the new key alone", &asks(&new));
}

#[test]
fn another_key_under_the_same_kid_replaces_the_first() {
    let [old, new] = ["same", "same"].map(|kid| SigningKey::generate("ES256", kid));
    let edge = Setup::denying().keys(jwks([&old])).start();
    edge.refuses("the second key", 401, &asks(&new));
    edge.replace_keys(&jwks([&new]));
    becomes(&edge, "the second key is known", &new, 200);
    edge.refuses("the first key", 401, &asks(&old));
}

#[test]
fn a_broken_key_file_does_not_replace_a_good_set() {
    for broken in
        ["", "{", "{\"keys\":[]}", "-----BEGIN PUBLIC KEY-----\n", "{\"keys\":[{\"kty\":\"novel\"}]}"]
    {
        let edge = Setup::denying().keys(jwks([key("ES256")])).start();
        edge.replace_keys(broken);
        logged(&edge, "keys not loaded");
        edge.admits(broken, &asks(key("ES256")));
        edge.refuses(broken, 401, &asks(key("RS256")));
        edge.replace_keys(&jwks([key("RS256")]));
        becomes(&edge, "the mended file is read", key("RS256"), 200);
    }
}

#[test]
fn a_rotated_key_url_is_followed() {
    let [old, new] = generations();
    let server = KeyServer::start(Answer::Body(jwks([&old])));
    let edge = Setup::denying()
        .no_key_file()
        .agent_env("JWT_JWKS_URL", &server.url())
        .agent_env("JWT_SYNC_INTERVAL", "1");
    let edge = edge.start();
    becomes(&edge, "the URL is read", &old, 200);
    edge.refuses("a key that is not there yet", 401, &asks(&new));
    server.set(Answer::Body(jwks([&new])));
    becomes(&edge, "the new key is known", &new, 200);
    becomes(&edge, "the old key is forgotten", &old, 401);
}

#[test]
fn an_unknown_key_asks_for_an_early_load() {
    let [old, new] = generations();
    let server = KeyServer::start(Answer::Body(jwks([&old])));
    let edge = Setup::denying()
        .no_key_file()
        .agent_env("JWT_JWKS_URL", &server.url())
        .agent_env("JWT_SYNC_INTERVAL", "3600");
    let edge = edge.start();
    becomes(&edge, "the URL is read", &old, 200);
    let fetches = server.fetches();
    server.set(Answer::Body(jwks([&old, &new])));
    becomes(&edge, "the new key is known long before the interval is over", &new, 200);
    assert_eq!(server.fetches(), fetches + 1, "however many tokens asked");
}

#[test]
fn a_key_url_that_fails_leaves_the_last_good_set_in_use() {
    let failures = [
        ("down", Answer::Close),
        ("500", Answer::Status(500)),
        ("404", Answer::Status(404)),
        ("garbage", Answer::Body("<html>maintenance</html>".to_owned())),
        ("an empty body", Answer::Body(String::new())),
        ("an empty set", Answer::Body("{\"keys\":[]}".to_owned())),
        ("hung", Answer::Hang),
    ];
    // At once: each waits for loads that fail, which takes a second or more.
    thread::scope(|scope| {
        for (what, failure) in failures {
            scope.spawn(move || {
                let server = KeyServer::start(Answer::Body(jwks([key("ES256")])));
                let setup = Setup::denying().no_key_file().agent_env("JWT_JWKS_URL", &server.url());
                let edge = setup.agent_env("JWT_SYNC_INTERVAL", "1").start();
                becomes(&edge, "the URL is read", key("ES256"), 200);
                server.set(failure);
                let fetches = server.fetches();
                eventually(what, || (server.fetches() > fetches).then_some(()));
                logged(&edge, "keys not loaded");
                edge.admits(what, &asks(key("ES256")));
                edge.refuses(what, 503, &asks(key("RS256")));
                server.set(Answer::Body(jwks([key("RS256")])));
                becomes(&edge, "the mended URL is read", key("RS256"), 200);
            });
        }
    });
}

#[test]
fn without_keys_nothing_can_be_decided_until_they_come() {
    for start in [Answer::Close, Answer::Status(503), Answer::Body("garbage".to_owned())] {
        let server = KeyServer::start(start);
        let edge = Setup::denying().no_key_file().agent_env("JWT_JWKS_URL", &server.url()).start();
        edge.refuses("no keys yet", 503, &asks(key("ES256")));
        edge.haproxy.wait_agents_up(&[("agent1", false), ("agent2", false)]);
        assert_eq!(edge.agents[0].admin("/ready").status, 503);
        edge.refuses("still no keys", 503, &asks(key("ES256")));
        server.set(Answer::Body(jwks([key("ES256")])));
        becomes(&edge, "the keys are there", key("ES256"), 200);
        assert!(edge.agents[0].is_ready());
    }
}

#[test]
fn a_flood_of_unknown_keys_hides_no_rotation_and_costs_one_fetch_a_cool_down() {
    /// The agent's cool-down, which no setting changes, and the fetches that may come before it.
    const COOL_DOWN: u64 = 10;
    const FREE: usize = 3;
    let [old, new] = generations();
    let server = KeyServer::start(Answer::Body(jwks([&old])));
    let edge = Setup::denying()
        .no_key_file()
        .agent_env("JWT_JWKS_URL", &server.url())
        .agent_env("JWT_SYNC_INTERVAL", "3600");
    let edge = edge.start();
    becomes(&edge, "the URL is read", &old, 200);
    let (begun, fetches) = (Instant::now(), server.fetches());
    let (over, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for thread in 0..4 {
            let (edge, stranger, over, sent) = (&edge, &new, &over, &sent);
            scope.spawn(move || {
                for number in 0.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let header = json!({"alg": stranger.algorithm, "kid": format!("{thread}-{number}")});
                    let token = sign_raw(stranger, &header.to_string(), r#"{"exp":4000000000}"#);
                    assert_eq!(edge.send(&Request::get("/").bearer(&token)).status, 401);
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let stop = scopeguard(&over);
        edge.admits("a known key, in the flood", &asks(&old));
        eventually("the flood has spent the free loads", || {
            (server.fetches() >= fetches + FREE && sent.load(Ordering::Relaxed) > 100).then_some(())
        });
        server.set(Answer::Body(jwks([&old, &new])));
        eventually("the rotation is seen", || (edge.send(&asks(&new)).status == 200).then_some(()));
        edge.admits("a known key, after it", &asks(&old));
        drop(stop);
    });
    let cool_downs = usize::try_from(begun.elapsed().as_secs() / COOL_DOWN).unwrap();
    let asked = server.fetches() - fetches;
    assert!(asked <= FREE + cool_downs + 1, "{asked} fetches in {:?}", begun.elapsed());
}

/// An agent of the issuers in these tables.
fn with_tables(tables: &str) -> (Edge, TempDir) {
    let folder = TempDir::with_prefix("tables-").unwrap();
    let file = folder.path().join("agent.toml");
    std::fs::write(&file, tables).unwrap();
    let setup = Setup::denying().no_key_file();
    (setup.agent_env("JWT_CONFIG", &file.display().to_string()).start(), folder)
}

/// One document that is both a discovery document of this issuer and the keys that it names.
fn document(server: &KeyServer, issuer: &str, jwks: &str) -> Answer {
    let mut document: Value = serde_json::from_str(jwks).unwrap();
    document["issuer"] = issuer.into();
    document["jwks_uri"] = server.url().into();
    Answer::Body(document.to_string())
}

#[test]
fn a_document_of_another_name_gives_no_key_until_the_configuration_knows_it_and_is_told_meanwhile() {
    let server = KeyServer::start(Answer::Close);
    let says = |issuer: &str| document(&server, issuer, &jwks([key("ES256")]));
    server.set(says("https://fs.example/other"));
    let (edge, _folder) = with_tables(&format!(
        "[[issuers]]\nissuer = \"http://fs.example/trust\"\nissuer_aliases = [\"https://fs.example/adfs\", \"fs\"]\n\
         discovery_url = \"{}\"\n",
        server.url()
    ));
    let of = |iss: &str| Request::get("/").bearer(&token(key("ES256"), json!({ "iss": iss })));
    let told =
        "says issuer = \"https://fs.example/other\", and configured is issuer = \"http://fs.example/trust\"";
    eventually("/ready says what the document says", || {
        let ready = edge.agents[0].admin("/ready");
        (ready.status == 503 && String::from_utf8_lossy(&ready.body).contains(told)).then_some(())
    });
    edge.refuses("no keys yet", 503, &of("http://fs.example/trust"));
    let shown: Value = serde_json::from_slice(&edge.agents[0].admin("/v1/keys").body).unwrap();
    assert!(shown["sources"][0]["error"].as_str().unwrap().contains(told), "{shown}");
    server.set(says("https://fs.example/adfs"));
    eventually("the document goes by an alias", || {
        (edge.send(&of("http://fs.example/trust")).status == 200).then_some(())
    });
    edge.admits("a token of an alias", &of("https://fs.example/adfs"));
    edge.admits("a token of an alias that is no URL", &of("fs"));
    edge.refuses("a token of another name", 401, &of("https://fs.example/other"));
    edge.refuses("a token of a name with a slash more", 401, &of("http://fs.example/trust/"));
}

#[test]
fn a_token_of_a_tenant_needs_that_tenants_name_and_a_key_that_may_sign_for_it() {
    const ONE: &str = "11111111-2222-3333-4444-555555555555";
    const TWO: &str = "99999999-8888-7777-6666-aaaaaaaaaaaa";
    const OTHER: &str = "22222222-3333-4444-5555-666666666666";
    const NAME: &str = "https://login.example/{tenantid}/v2.0";
    let name_of = |tenant: &str| NAME.replace("{tenantid}", tenant);
    let of_all = SigningKey::generate("RS256", "all");
    let of_two = SigningKey::generate("RS256", "two");
    let mut set: Value = serde_json::from_str(&jwks([&of_all, &of_two])).unwrap();
    set["keys"][0]["issuer"] = NAME.into();
    set["keys"][1]["issuer"] = name_of(TWO).into();
    let server = KeyServer::start(Answer::Close);
    server.set(document(&server, NAME, &set.to_string()));
    let (edge, _folder) = with_tables(&format!(
        "[[issuers]]\nissuer = \"{NAME}\"\ndiscovery_url = \"{}\"\ntenants = [\"{ONE}\", \"{TWO}\"]\n",
        server.url()
    ));
    let of =
        |key, iss: &str, tid: &str| Request::get("/").bearer(&token(key, json!({"iss": iss, "tid": tid})));
    eventually("the keys are there", || {
        (edge.send(&of(&of_all, &name_of(ONE), ONE)).status == 200).then_some(())
    });
    for (what, key, iss, tid, status) in [
        ("one tenant", &of_all, name_of(ONE), ONE, 200),
        ("another one", &of_all, name_of(TWO), TWO, 200),
        ("by its own key", &of_two, name_of(TWO), TWO, 200),
        ("by another tenant's key", &of_two, name_of(ONE), ONE, 401),
        ("by another tenant's key in its name", &of_two, name_of(ONE), TWO, 401),
        ("a tenant that is not trusted", &of_all, name_of(OTHER), OTHER, 401),
        ("a tenant in another's name", &of_all, name_of(ONE), TWO, 401),
        ("the template itself", &of_all, NAME.to_owned(), "{tenantid}", 401),
        ("a tenant that moves the path", &of_all, name_of("x/../y"), "x/../y", 401),
        ("no tenant", &of_all, name_of(""), "", 401),
    ] {
        let request = of(key, &iss, tid);
        if status == 200 {
            edge.admits(what, &request);
        } else {
            edge.refuses(what, status, &request);
        }
    }
}

/// Ends the flood also when an assertion fails, so that the test ends.
fn scopeguard(over: &AtomicBool) -> impl Drop + '_ {
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    Over(over)
}

#[test]
fn an_agent_that_still_waits_for_its_first_keys_ends_in_order_when_it_is_asked_to() {
    for signal in [Signal::TERM, Signal::INT] {
        let server = KeyServer::start(Answer::Hang);
        let folder = TempDir::with_prefix("start-").unwrap();
        let mut command = agent::command();
        let listen = format!("unix@{}", folder.path().join("agent.sock").display());
        command.env("JWT_AGENT_LISTEN", listen).env("JWT_ADMIN_LISTEN", "127.0.0.1:0");
        command.env("JWT_JWKS_URL", server.url());
        let mut agent = Process::start("agent", command).unwrap();
        eventually("it asks for keys", || (server.fetches() > 0).then_some(()));
        agent.signal(signal);
        let ended = agent.wait(DEADLINE);
        assert!(ended.is_some_and(|status| status.success()), "{signal:?}: {ended:?}\n{}", agent.log());
    }
}
