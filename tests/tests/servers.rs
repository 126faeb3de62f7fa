//! Several token-servers behind one agent: which of them are asked, and what it costs when one fails.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use integration_tests::agent::{Agent, command};
use integration_tests::edge::Edge;
use integration_tests::haproxy::{StatsSocket, program};
use integration_tests::http::Request;
use integration_tests::keys::key;
use integration_tests::process::{Process, Signal};
use integration_tests::setup::Setup;
use integration_tests::socket::Address;
use integration_tests::stores::Redis;
use integration_tests::token::token;
use integration_tests::token_server::TokenServer;
use integration_tests::wait::{DEADLINE, eventually};
use serde_json::json;
use tempfile::TempDir;

/// A token that no verdict was kept of.
fn fresh(subject: &str) -> Request {
    static SERIAL: AtomicUsize = AtomicUsize::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    Request::get("/").bearer(&token(key("ES256"), json!({"sub": subject, "jti": serial.to_string()})))
}

/// Token-servers on one Redis.
struct Servers {
    servers: Vec<TokenServer>,
    redis: Redis,
    folders: Vec<TempDir>,
}

impl Servers {
    fn start(count: usize) -> Self {
        let mut servers = Self { servers: Vec::new(), redis: Redis::start(&[]), folders: Vec::new() };
        (0..count).for_each(|_| servers.add_as(&[]));
        servers
    }

    /// One more, on the same Redis, that is set up as the others are but for these settings.
    fn add_as(&mut self, settings: &[(&str, &str)]) {
        let redis = self.redis.url().to_owned();
        self.add_on(&redis, "standard", settings);
    }

    fn add_on(&mut self, redis: &str, profile: &str, settings: &[(&str, &str)]) {
        let folder = TempDir::with_prefix("token-server-").unwrap();
        let own = [
            ("TOKEN_SERVER__REDIS__MODE", "standalone"),
            ("TOKEN_SERVER__REDIS__URLS", redis),
            // What they have read they keep: a request is lost only by the server that fails.
            ("TOKEN_SERVER__CACHE__TTL", "3600"),
        ];
        let settings = [&own[..], settings].concat();
        self.servers.push(TokenServer::start_with(folder.path(), profile, &settings));
        self.folders.push(folder);
    }

    fn urls(&self) -> String {
        self.servers.iter().map(TokenServer::url).collect::<Vec<_>>().join(",")
    }

    fn port(&self, index: usize) -> u16 {
        match &self.servers[index].address {
            Address::Tcp(address) => address.port(),
            Address::Unix(path) => panic!("{}", path.display()),
        }
    }
}

fn knows(agent: &Agent, what: &str, known: u64) {
    eventually(what, || (agent.metric("token_servers") == known).then_some(()));
}

/// Waits until every server has read the rules, and demands that from then on each request passes.
fn admits(edge: &Edge, what: &str) {
    eventually(what, || (0..6).all(|_| edge.send(&fresh("anna")).status == 200).then_some(()));
    for _ in 0..20 {
        edge.admits(what, &fresh("anna"));
    }
}

#[test]
fn a_killed_token_server_costs_no_request() {
    let mut servers = Servers::start(2);
    let edge = Setup::denying().agent_env("JWT_TOKEN_SERVER_BACKEND", &servers.urls()).start();
    admits(&edge, "both answer");
    let stop = AtomicBool::new(false);
    let passed = AtomicUsize::new(0);
    let more = |what| {
        let before = passed.load(Ordering::Relaxed);
        eventually(what, || (passed.load(Ordering::Relaxed) > before + 40).then_some(()));
    };
    thread::scope(|scope| {
        let ask = || {
            let mut others = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                match edge.send(&fresh("anna")).status {
                    200 => drop(passed.fetch_add(1, Ordering::Relaxed)),
                    other => others.push(other),
                }
            }
            others
        };
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        more("requests pass");
        servers.servers[0].process.kill();
        more("requests pass at one server");
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            assert_eq!(client.join().unwrap(), [0_u16; 0], "statuses other than 200");
        }
    });
    let agent = &edge.agents[0];
    eventually("the dead server is left out", || {
        edge.admits("the other answers", &fresh("anna"));
        (agent.metric("token_servers_up") == 1).then_some(())
    });
    assert_eq!(agent.metric("token_servers"), 2);
}

#[test]
fn a_frozen_token_server_of_two_costs_no_request_and_is_left_out_until_it_thaws() {
    let servers = Servers::start(2);
    let edge = Setup::denying()
        .agent_env("JWT_TIMEOUT_MS", "3000")
        .agent_env("JWT_TOKEN_SERVER_BACKEND", &servers.urls())
        .start();
    let agent = &edge.agents[0];
    admits(&edge, "both answer");
    servers.servers[1].process.freeze();
    eventually("the frozen server is left out", || {
        edge.admits("the other answers in time", &fresh("anna"));
        (agent.metric("token_server_ejections_total") > 0).then_some(())
    });
    assert!(agent.metric("token_server_hedges_total") > 0);
    admits(&edge, "the frozen one is not asked");
    servers.servers[1].process.thaw();
    eventually("it is asked again", || (agent.metric("token_servers_up") == 2).then_some(()));
    admits(&edge, "both answer again");
}

/// What the agent shows where servers ask for it.
const BEARER: &str = "token-of-the-agent";

/// A subject that no server has read the rules of.
fn stranger() -> String {
    static SERIAL: AtomicUsize = AtomicUsize::new(0);
    format!("stranger-{}", SERIAL.fetch_add(1, Ordering::Relaxed))
}

/// Whether the agent shows that a server is left out for this reason.
fn is_ejected(agent: &Agent, server: &TokenServer, reason: &str) -> bool {
    let (name, url) = ("jwt_agent_token_server_ejected", server.url());
    let line = format!("{name}{{server=\"{url}\",reason=\"{reason}\"}} 1");
    String::from_utf8(agent.admin("/metrics").body).unwrap().lines().any(|found| found == line)
}

/// Every new token passes whose subject's rules these servers know and no other does, and the agent is ready.
fn serves_strangers(edge: &Edge, what: &str, knowing: &[TokenServer]) {
    for _ in 0..50 {
        let subject = stranger();
        knowing.iter().for_each(|server| server.reads(&subject, BEARER));
        edge.admits(what, &fresh(&subject));
    }
    assert!(edge.agents[0].is_ready(), "{what}");
}

#[test]
fn a_token_server_that_refuses_the_agent_is_left_out_with_its_reason_and_costs_no_request() {
    let folder = TempDir::with_prefix("bearers-").unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let [ours, theirs] = [file("ours", BEARER), file("theirs", "token-of-another\n")];
    let accepts = |file: &str| [("TOKEN_SERVER__AGENT__TOKENS_FILE".to_owned(), file.to_owned())];
    for (reason, accepted, profile) in [("credentials", &theirs, "standard"), ("profile", &ours, "ms-users")]
    {
        let mut servers = Servers::start(0);
        let redis = servers.redis.url().to_owned();
        for (accepted, profile) in [(&ours, "standard"), (accepted, profile)] {
            let [(name, file)] = accepts(accepted);
            servers.add_on(&redis, profile, &[(&name, &file)]);
        }
        let edge = Setup::denying()
            .agent_env("JWT_TOKEN_SERVER_BACKEND", &servers.urls())
            .agent_env("JWT_TOKEN_SERVER_TOKEN_FILE", &ours)
            .start();
        let agent = &edge.agents[0];
        serves_strangers(&edge, reason, &servers.servers[..1]);
        eventually("it is left out", || is_ejected(agent, &servers.servers[1], reason).then_some(()));
        assert_eq!((agent.metric("token_servers"), agent.metric("token_servers_up")), (2, 1));
        serves_strangers(&edge, reason, &servers.servers[..1]);
        if reason == "credentials" {
            fs::write(&theirs, BEARER).unwrap();
            servers.servers[1].process.signal(Signal::HUP);
            eventually("it is asked again", || (agent.metric("token_servers_up") == 2).then_some(()));
            assert!(!is_ejected(agent, &servers.servers[1], reason));
            serves_strangers(&edge, "both accept us", &servers.servers);
        }
        servers.servers[0].process.kill();
        if reason == "profile" {
            eventually("no usable server is left", || (!agent.is_ready()).then_some(()));
            assert_eq!(edge.send(&fresh(&stranger())).status, 503);
        }
    }
}

#[test]
fn a_token_server_that_cannot_read_its_store_is_no_answer_while_another_can() {
    for frozen in [false, true] {
        let mut servers = Servers::start(1);
        // Both servers must have one store: the second reads a replica of it.
        let port = servers.redis.port.to_string();
        let mut replica = Redis::start(&["--replicaof", "127.0.0.1", &port]);
        eventually("the replica has the store's name", || (replica.keys() > 0).then_some(()));
        replica.command(&["REPLICAOF", "NO", "ONE"]);
        servers.add_on(replica.url(), "standard", &[]);
        let edge = Setup::denying()
            .agent_env("JWT_TIMEOUT_MS", "3000")
            .agent_env("JWT_TOKEN_SERVER_BACKEND", &servers.urls())
            .start();
        let agent = &edge.agents[0];
        admits(&edge, "both answer");
        if frozen {
            replica.freeze();
        } else {
            replica.kill();
        }
        // From the first one on: the other server is asked for the same request.
        serves_strangers(&edge, "one store is gone", &servers.servers[..1]);
        assert!(is_ejected(agent, &servers.servers[1], "unread"), "frozen: {frozen}");
        assert_eq!(agent.metric("token_servers_up"), 1);
        if frozen {
            replica.thaw();
        } else {
            replica.start_again();
            replica.command(&["REPLICAOF", "NO", "ONE"]);
        }
        eventually("it is asked again", || (agent.metric("token_servers_up") == 2).then_some(()));
        serves_strangers(&edge, "both stores are there", &servers.servers);
    }
}

#[test]
fn checks_that_gathered_are_asked_together_and_each_gets_its_own_answer() {
    const REQUESTS: usize = 48;
    let edge = Setup::denying().token_server().start();
    let server = edge.token_server.as_ref().unwrap();
    server.revoke("mallory", &json!({"sub": "mallory"}));
    let subject = |index: usize| if index.is_multiple_of(3) { "mallory" } else { "anna" };
    let expected = |index: usize| if index.is_multiple_of(3) { 401 } else { 200 };
    eventually("the server has read both subjects' rules", || {
        (0..2).all(|index| edge.send(&fresh(subject(index))).status == expected(index)).then_some(())
    });
    let agent = &edge.agents[0];
    let calls = || agent.metric("token_server_batch_checks_count");
    let before = calls();
    server.process.freeze();
    thread::scope(|scope| {
        let edge = &edge;
        let ask = |index| scope.spawn(move || edge.send(&fresh(subject(index))).status);
        let clients: Vec<_> = (0..REQUESTS).map(ask).collect();
        eventually("all wait", || {
            let waiting = agent.metric("token_server_waiting");
            // One that is asked twice waits twice.
            let twice = agent.metric("token_server_hedges_total");
            (waiting >= u64::try_from(REQUESTS).unwrap() + twice).then_some(())
        });
        server.process.thaw();
        for (index, client) in clients.into_iter().enumerate() {
            assert_eq!(client.join().unwrap(), expected(index), "{}", subject(index));
        }
    });
    let made = calls() - before;
    assert!(made < u64::try_from(REQUESTS).unwrap() / 2, "{made} calls");
}

/// HAProxy with a backend of token-servers, beside the one under test.
struct Balancer {
    process: Process,
    stats: StatsSocket,
    folder: TempDir,
}

impl Balancer {
    fn start(servers: &Servers, count: usize) -> Self {
        let folder = TempDir::with_prefix("balancer-").unwrap();
        let path = |name: &str| folder.path().join(name);
        let lines: Vec<_> = (0..count)
            .map(|index| format!("    server s{index} 127.0.0.1:{} check\n", servers.port(index)))
            .collect();
        let text = format!(
            "global\n    stats socket {} mode 600 level admin\n\
             defaults\n    mode http\n    timeout connect 5s\n    timeout client 5s\n    timeout server 5s\n\
             frontend unused\n    bind unix@{}\n    default_backend token-servers\n\
             backend token-servers-old\n    server s0 127.0.0.1:1\n\
             backend token-servers\n    option httpchk GET /ready\n    timeout check 5s\n    \
             default-server inter 100ms fall 2 rise 1\n{}",
            path("stats.sock").display(),
            path("unused.sock").display(),
            lines.concat()
        );
        fs::write(path("haproxy.cfg"), text).unwrap();
        let mut haproxy = Command::new(program());
        haproxy.arg("-db").arg("-f").arg(path("haproxy.cfg"));
        let process = Process::start("balancer", haproxy).unwrap();
        let stats = StatsSocket::new(&path("stats.sock"));
        eventually("the balancer answers", || stats.try_ask("show info").ok());
        Self { process, stats, folder }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("stats.sock")
    }

    fn set(&self, server: &str, what: &str) {
        self.stats.ask(&format!("set server token-servers/{server} {what}"));
    }
}

#[test]
fn a_backend_of_haproxy_tells_which_token_servers_to_ask() {
    let mut servers = Servers::start(3);
    let mut balancer = Balancer::start(&servers, 2);
    let edge = Setup::denying()
        .agent_env("JWT_TOKEN_SERVER_BACKEND", "token-servers")
        .agent_env("JWT_HAPROXY_SOCKET", &balancer.socket().display().to_string())
        .start();
    let agent = &edge.agents[0];
    knows(agent, "both are up", 2);
    admits(&edge, "both answer");
    for state in ["maint", "drain"] {
        balancer.set("s1", &format!("state {state}"));
        knows(agent, state, 1);
        admits(&edge, state);
        balancer.set("s1", "state ready");
        knows(agent, "it is ready again", 2);
    }
    servers.servers[1].process.kill();
    knows(agent, "a dead server is down", 1);
    admits(&edge, "the other answers");
    balancer.set("s1", &format!("addr 127.0.0.1 port {}", servers.port(2)));
    knows(agent, "the server that moved is up", 2);
    servers.servers[0].process.kill();
    knows(agent, "only the server that moved is up", 1);
    admits(&edge, "the server that moved answers");
    balancer.process.kill();
    eventually("HAProxy is gone", || {
        (agent.metric("token_server_discovery_failures_total") > 0).then_some(())
    });
    assert_eq!(agent.metric("token_servers"), 1);
    admits(&edge, "the last known server answers");
}

#[test]
fn a_backend_that_haproxy_does_not_have_is_a_fault_of_the_configuration() {
    let servers = Servers::start(1);
    let balancer = Balancer::start(&servers, 1);
    let keys = balancer.folder.path().join("keys");
    fs::write(&keys, integration_tests::keys::jwks([key("ES256")])).unwrap();
    for name in ["token-server", "token-servers-olde"] {
        let mut agent = command();
        agent
            .env("JWT_JWKS_FILE", &keys)
            .env("JWT_AGENT_LISTEN", "127.0.0.1:0")
            .env("JWT_ADMIN_LISTEN", "127.0.0.1:0")
            .env("JWT_TOKEN_SERVER_BACKEND", name)
            .env("JWT_HAPROXY_SOCKET", balancer.socket());
        let mut agent = Process::start("agent", agent).unwrap();
        let status = agent.wait(DEADLINE).unwrap_or_else(|| panic!("it runs:\n{}", agent.log()));
        assert_eq!(status.code(), Some(64), "{}", agent.log());
        eventually("it says why", || agent.log().contains("no backend of exactly this name").then_some(()));
    }
}
