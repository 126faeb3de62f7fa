//! A rule written at a token-server refuses tokens at HAProxy, those that are kept as good too, and only those it names.

use std::time::{Duration, Instant};

use integration_tests::edge::Edge;
use integration_tests::http::Request;
use integration_tests::keys::key;
use integration_tests::setup::Setup;
use integration_tests::socket::Address;
use integration_tests::stores::Redis;
use integration_tests::token::{claims, now, token};
use integration_tests::token_server::TokenServer;
use integration_tests::wait::{eventually, poll};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Seconds that no test lives to see: what is seen was told.
const FOREVER: &str = "3600";
const CALLS: &str = "jwt_agent_token_server_calls_total";

fn request(changes: Value) -> Request {
    Request::get("/").bearer(&token(key("ES256"), changes))
}

fn of(subject: &str) -> Request {
    request(json!({ "sub": subject }))
}

/// An agent that asks about a token once, and from then on relies on the changes that it hears.
fn trusting(setup: Setup) -> Setup {
    setup.agent_env("JWT_CACHE_TTL", FOREVER).agent_env("JWT_CACHE_TTL_MAX", FOREVER)
}

/// A token-server in a folder of its own.
struct Server {
    server: TokenServer,
    _folder: TempDir,
}

impl Server {
    fn on(redis: &Redis) -> Self {
        let folder = TempDir::new().unwrap();
        let settings =
            [("TOKEN_SERVER__REDIS__URLS", redis.url()), ("TOKEN_SERVER__COMPAT__ENABLED", "true")];
        Self { server: TokenServer::start_with(folder.path(), "standard", &settings), _folder: folder }
    }
}

/// An edge whose agent asks several token-servers.
fn asking(servers: &[&Server], setup: Setup) -> Edge {
    let urls: Vec<_> = servers.iter().map(|server| server.server.url()).collect();
    setup.agent_env("JWT_TOKEN_SERVER_BACKEND", &urls.join(",")).start()
}

/// Waits until the agent hears that each of so many servers hears every change.
fn hears(edge: &Edge, servers: u64) {
    eventually("the agent hears its servers", || {
        (edge.count("jwt_agent_feed_complete{") == servers).then_some(())
    });
}

/// A request that must not pass, whichever part can be asked about it.
fn never_passes(edge: &Edge, what: &str, request: &Request) {
    edge.refuses_bytes(what, &[401, 503], &request.to_bytes());
}

#[test]
fn a_rule_refuses_what_is_kept_and_only_what_it_names() {
    let edge = trusting(Setup::denying().token_server()).start();
    let server = edge.token_server.as_ref().unwrap();
    let now = now();
    let [old, new] = [now - 10, now].map(|iat| request(json!({"sub": "alice", "iat": iat})));
    let bobs = request(json!({"sub": "bob", "iat": now - 10}));
    for request in [&old, &new, &bobs] {
        edge.comes_to("before", 200, request);
    }
    let calls = edge.count(CALLS);
    for request in [&old, &new, &bobs] {
        edge.admits("kept", request);
    }
    assert_eq!(edge.count(CALLS), calls, "no server was asked about them");

    server.revoke("alice", &json!({"iat": {"lt": now - 5}}));
    edge.comes_to("alice's old token is refused", 401, &old);
    never_passes(&edge, "and stays refused", &old);
    edge.comes_to("alice's new token", 200, &new);
    let calls = edge.count(CALLS);
    edge.admits("bob's token", &bobs);
    edge.admits("alice's new token", &new);
    assert_eq!(edge.count(CALLS), calls, "of bob nothing had changed, and alice's was asked about");

    server.restore("alice");
    edge.comes_to("alice's old token is admitted again", 200, &old);
}

#[test]
fn a_rule_for_everybody_refuses_each_token_that_it_names() {
    let edge = trusting(Setup::denying().token_server()).start();
    let tokens: Vec<_> = (0..20)
        .map(|user| {
            let device = if user % 2 == 0 { "stolen" } else { "own" };
            (device, request(json!({"sub": format!("user {user}"), "device": device})))
        })
        .collect();
    tokens.iter().for_each(|(device, request)| edge.comes_to(device, 200, request));
    edge.token_server.as_ref().unwrap().revoke_for_everybody(&json!({"device": "stolen"}));
    edge.comes_to("the first is refused", 401, &tokens[0].1);
    for (device, request) in &tokens {
        if *device == "stolen" {
            never_passes(&edge, device, request);
        }
        edge.comes_to(device, if *device == "stolen" { 401 } else { 200 }, request);
    }
}

#[test]
fn a_revoked_ms_users_token_is_annotated() {
    let edge = trusting(Setup::annotating().token_server()).start();
    let server = edge.token_server.as_ref().unwrap();
    let stateless = token(key("HS256"), json!({"username": "alice", "st": 1, "rt": "x"}));
    let request = Request::get("/").header("Authorization", format!("JWT {stateless}"));
    let comes_to = |reason| {
        eventually(reason, || {
            Some(edge.admits("annotated", &request))
                .filter(|seen| seen.header("x-tkn-reason") == Some(reason))
        })
    };
    assert_eq!(comes_to("ok").header("x-tkn-valid"), Some("1"));
    server.revoke("alice", &json!({"rt": "x"}));
    let seen = comes_to("E_TKN_INVALID");
    assert_eq!(seen.header("x-tkn-valid"), Some("0"));
    assert_eq!(seen.header("x-tkn-body"), None);
}

#[test]
fn without_a_time_to_live_each_request_is_asked_about() {
    let edge = Setup::denying().agent_env("JWT_CACHE_TTL", "0").token_server().start();
    let server = edge.token_server.as_ref().unwrap();
    let alices = of("alice");
    edge.comes_to("before", 200, &alices);
    let calls = edge.count(CALLS);
    for _ in 0..3 {
        edge.send(&alices);
    }
    assert_eq!(edge.count(CALLS), calls + 3);
    server.revoke("alice", &json!({"sub": "alice"}));
    never_passes(&edge, "at once", &alices);
    edge.comes_to("the rule holds", 401, &alices);
    server.restore("alice");
    edge.comes_to("the rule is gone", 200, &alices);
}

#[test]
fn many_requests_with_one_new_token_are_one_question() {
    const REQUESTS: usize = 15;
    let edge = trusting(Setup::denying().token_server()).start();
    let alices = of("alice");
    let process = &edge.token_server.as_ref().unwrap().process;
    let answered = "jwt_agent_token_server_calls_total{outcome=\"answered\"}";
    // A server that has to read rules first may take longer than a check waits for them.
    edge.comes_to("another token of hers", 200, &request(json!({"sub": "alice", "n": 1})));
    let before = edge.count(answered);
    process.freeze();
    let mut clients: Vec<_> = (0..REQUESTS).map(|_| edge.client()).collect();
    for client in &mut clients {
        client.write(&alices.to_bytes()).unwrap();
    }
    eventually("all are waiting", || (edge.count("jwt_agent_in_flight") == REQUESTS as u64).then_some(()));
    process.thaw();
    for client in &mut clients {
        assert_eq!(client.response().unwrap().status, 200);
    }
    assert_eq!(edge.count(answered), before + 1);
}

#[test]
fn a_verdict_outlives_its_short_time_only_while_the_server_is_heard() {
    const SHORT: Duration = Duration::from_secs(2);
    let setup = Setup::denying().agent_env("JWT_CACHE_TTL", "2").agent_env("JWT_CACHE_TTL_MAX", FOREVER);
    let mut edge = setup.token_server().start();
    let alices = of("alice");
    // A machine that stands still for a second may need another try.
    eventually("a verdict is used for twice its short time", || {
        edge.comes_to("asked", 200, &alices);
        let (calls, started) = (edge.count(CALLS), Instant::now());
        let lapsed = poll(SHORT * 2, || {
            let status = edge.send(&alices).status;
            if edge.count(CALLS) != calls {
                return Some(());
            }
            assert_eq!(status, 200, "no server was asked");
            None
        });
        (lapsed.is_none() && started.elapsed() >= SHORT * 2).then_some(())
    });
    edge.token_server.as_mut().unwrap().process.kill();
    edge.comes_to("no server vouches for it any more", 503, &alices);
    edge.refuses("and no server can be asked", 503, &alices);
}

#[test]
fn a_rule_that_could_not_be_announced_holds_when_a_server_is_back() {
    let folder = TempDir::new().unwrap();
    let address = Address::free_port().unwrap().to_string();
    let start = |listen: &str| {
        TokenServer::start_with(folder.path(), "standard", &[("TOKEN_SERVER__LISTEN", listen)])
    };
    let mut server = start(&address);
    let setup = Setup::denying().agent_env("JWT_CACHE_TTL", "2").agent_env("JWT_CACHE_TTL_MAX", FOREVER);
    let edge = setup.agent_env("JWT_TOKEN_SERVER_BACKEND", &server.url()).start();
    let (alices, bobs) = (of("alice"), of("bob"));
    edge.comes_to("before", 200, &alices);
    edge.comes_to("before", 200, &bobs);
    server.process.kill();
    // Where no agent follows it.
    let mut elsewhere = start("127.0.0.1:0");
    elsewhere.revoke("alice", &json!({"sub": "alice"}));
    elsewhere.process.kill();
    let server = start(&address);
    edge.comes_to("alice is refused", 401, &alices);
    edge.comes_to("bob is admitted", 200, &bobs);
    never_passes(&edge, "alice's token, still", &alices);

    server.revoke("bob", &json!({"sub": "bob"}));
    edge.comes_to("the new process tells of its changes", 401, &bobs);
}

#[test]
fn what_one_server_tells_ends_what_the_other_said() {
    let redis = Redis::start(&["--notify-keyspace-events", "Kzg"]);
    let servers = [Server::on(&redis), Server::on(&redis)];
    let setup = trusting(Setup::denying()).agent_env("JWT_TIMEOUT_MS", "2000");
    let edge = asking(&[&servers[0], &servers[1]], setup);
    hears(&edge, 2);
    // Both orders: the one that is frozen hears of it later, and tells it later.
    for (awake, asleep) in [(0, 1), (1, 0)] {
        let subject = format!("anna-{awake}");
        let annas: Vec<_> = (0..8).map(|number| request(json!({"sub": subject, "n": number}))).collect();
        let bens = of(&format!("ben-{awake}"));
        for request in annas.iter().chain([&bens]) {
            edge.comes_to("before", 200, request);
        }
        servers[asleep].server.process.freeze();
        servers[awake].server.revoke(&subject, &json!({"n": {"gte": 0}}));
        edge.comes_to("the first is refused", 401, &annas[0]);
        // From here on the agent knows; from whichever server, nothing from before is used.
        annas.iter().for_each(|anna| never_passes(&edge, "the others as well", anna));
        edge.admits("not named by the rule", &bens);
        servers[asleep].server.process.thaw();
        let claims = claims(json!({"sub": subject, "n": 0})).to_string();
        eventually("the other server has heard of the rule", || {
            (servers[asleep].server.ask_as_before(&claims).body == b"E_TKN_INVALID").then_some(())
        });
        annas.iter().for_each(|anna| never_passes(&edge, "both know of it", anna));
        annas.iter().for_each(|anna| edge.comes_to("the rule holds", 401, anna));
    }
}

#[test]
fn servers_that_are_silent_vouch_for_nothing_beyond_the_short_time() {
    let redis = Redis::start(&["--notify-keyspace-events", "Kzg"]);
    let servers = [Server::on(&redis), Server::on(&redis)];
    let setup = Setup::denying().agent_env("JWT_CACHE_TTL", "2").agent_env("JWT_CACHE_TTL_MAX", FOREVER);
    let edge = asking(&[&servers[0], &servers[1]], setup.agent_env("JWT_TIMEOUT_MS", "500"));
    hears(&edge, 2);
    let annas: Vec<_> = (0..8).map(|number| request(json!({"sub": "anna", "n": number}))).collect();
    annas.iter().for_each(|anna| edge.comes_to("before", 200, anna));
    servers.iter().for_each(|server| server.server.process.freeze());
    // As ms-users does, and no message reaches the agent.
    redis.write("anna", r#"{"n":{"gte":0}}"#, 0);
    annas.iter().for_each(|anna| edge.comes_to("what was said has run out", 503, anna));
    annas.iter().for_each(|anna| drop(edge.refuses("and no server can be asked", 503, anna)));
    servers.iter().for_each(|server| server.server.process.thaw());
    annas.iter().for_each(|anna| edge.comes_to("the rule holds", 401, anna));
}

#[test]
fn an_agent_that_hears_no_server_for_long_sends_haproxy_to_another() {
    let folder = TempDir::new().unwrap();
    let address = Address::free_port().unwrap().to_string();
    let start = || TokenServer::start_with(folder.path(), "standard", &[("TOKEN_SERVER__LISTEN", &address)]);
    let mut server = start();
    let edge = Setup::denying().agent_env("JWT_TOKEN_SERVER_BACKEND", &server.url()).start();
    edge.comes_to("before", 200, &of("alice"));
    server.process.kill();
    eventually("the agent says why it is not ready", || {
        let answer = edge.agents[0].admin("/ready");
        let said = String::from_utf8(answer.body).unwrap();
        (answer.status == 503 && said.contains("no token-server has been heard")).then_some(())
    });
    edge.haproxy.wait_agents_up(&[("agent1", false), ("agent2", false)]);
    edge.refuses("no agent", 503, &of("alice"));
    let _server = start();
    edge.agents[0].wait_ready();
    edge.comes_to("all is well again", 200, &of("alice"));
}
