//! Everything that can fail, twice where it is twice in production: HAProxy, two agents, two token-servers, Redis that keeps its
//! rules, Consul, a key server.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::agents::HasAgents;
use super::operators::{self, Operators};
use super::traffic::{Case, Traffic};
use crate::agent::{self, Agent};
use crate::edge::Edge;
use crate::http::Request;
use crate::key_server::{Answer, KeyServer};
use crate::keys::{ALGORITHMS, jwks, key};
use crate::ms_users;
use crate::port::free_port;
use crate::setup::Setup;
use crate::stores::{Consul, Redis};
use crate::token::{forge_signature, now, token, unsigned};
use crate::token_server::TokenServer;
use crate::trail::Told;
use crate::wait::eventually;

/// Seconds that a verdict is used without a word from its server.
const CACHE_TTL: u64 = 1;
/// Seconds that rules are used that cannot be read again.
const MAX_STALE: u64 = 4;
/// Milliseconds of one verification.
const TIMEOUT: u64 = 800;

/// How long a token may be let in after its rule was acknowledged, whatever fails: docs/REVOCATION.md.
pub const BOUND: Duration = Duration::from_millis((CACHE_TTL + MAX_STALE) * 1_000 + TIMEOUT);

/// Users, each with a token of another algorithm; many enough that caches matter, few enough that they are hot.
const USERS: usize = 26;

const DAY: u64 = 86_400;

/// The whole, running.
#[derive(Debug)]
pub struct Stage {
    pub edge: Edge,
    pub servers: Vec<TokenServer>,
    pub redis: Redis,
    pub consul: Consul,
    pub key_server: KeyServer,
    server_ports: [u16; 2],
    agent_environment: Vec<(String, String)>,
    folder: TempDir,
}

impl Stage {
    /// Starts it and waits until good tokens pass.
    ///
    /// # Panics
    ///
    /// Something does not come up; with its log.
    pub fn start() -> Self {
        let folder = TempDir::with_prefix("stage-").unwrap();
        fs::write(folder.path().join("jwe.json"), ms_users::keys()).unwrap();
        let redis = Redis::start(&["--appendonly", "yes", "--appendfsync", "always"]);
        let consul = Consul::start();
        let key_server = KeyServer::start(Answer::Body(jwks(ALGORITHMS.map(key))));
        let server_ports = [free_port().unwrap(), free_port().unwrap()];
        let start =
            |number| start_server(&folder, number, &listen(server_ports[number]), &redis, &consul, &[]);
        let servers: Vec<_> = (0..2).map(start).collect();
        let backends = server_ports.map(|port| format!("http://{}", listen(port))).join(",");
        let agent_environment: Vec<(String, String)> = [
            ("JWT_JWKS_URL", key_server.url()),
            ("JWT_SYNC_INTERVAL", "1".to_owned()),
            ("JWT_TOKEN_SERVER_BACKEND", backends),
            // Secrets and public keys at one URL, so that every algorithm is in play.
            ("JWT_ALLOW_MIXED_KEYS", "true".to_owned()),
            ("JWT_CACHE_TTL", CACHE_TTL.to_string()),
            ("JWT_TIMEOUT_MS", TIMEOUT.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let mut setup = Setup::denying().two_agents().no_key_file().short_timeouts();
        for (name, value) in &agent_environment {
            setup = setup.agent_env(name, value);
        }
        let edge = setup.start();
        let stage =
            Self { edge, servers, redis, consul, key_server, server_ports, agent_environment, folder };
        stage.wait_agents_up();
        stage
    }

    pub fn wait_agents_up(&self) {
        self.edge.haproxy.wait_agents_up(&[("agent1", true), ("agent2", true)]);
    }

    /// Requests of every kind.
    pub fn traffic(&self) -> Traffic {
        let mut cases = Vec::new();
        for (user, algorithm) in ALGORITHMS.into_iter().cycle().take(USERS).enumerate() {
            let claims = json!({"sub": format!("user{user}"), "exp": now() + DAY});
            let good = token(key(algorithm), claims);
            cases.push(Case::bad(&format!("forged {algorithm}"), &bearer(&forge_signature(&good))));
            eventually(algorithm, || (self.edge.send(&bearer(&good)).status == 200).then_some(()));
            cases.push(Case::good(&format!("good {algorithm}"), &good));
        }
        for (group, rule) in [("thief", r#"{"sub":"thief"}"#), ("g", r#"{"device":"stolen"}"#)] {
            self.redis.write(group, rule, 0);
            self.consul.tell(group, "1");
        }
        let of = |claims| token(key("ES256"), claims);
        let claims = json!({"sub": "alice", "exp": now() + DAY});
        let bad = [
            ("revoked", bearer(&of(json!({"sub": "thief", "exp": now() + DAY})))),
            ("revoked for everybody", bearer(&of(json!({"device": "stolen", "exp": now() + DAY})))),
            ("expired", bearer(&of(json!({"exp": now() - DAY})))),
            ("not yet valid", bearer(&of(json!({"nbf": now() + DAY, "exp": now() + 2 * DAY})))),
            ("unsigned", bearer(&unsigned("none", &claims))),
            (
                "encrypted and revoked",
                bearer(&ms_users::sealed(&json!({"sub": "thief", "exp": now() + DAY}))),
            ),
            (
                "encrypted and expired",
                bearer(&ms_users::sealed(&json!({"sub": "alice", "exp": now() - DAY}))),
            ),
            ("no token", Request::get("/")),
            ("headers of ours", Request::get("/").header("x-tkn-valid", "1").header("x_tkn_valid", "1")),
        ];
        for (name, request) in bad {
            // A rule that was written just now may need a moment.
            eventually(name, || (self.edge.send(&request).status == 401).then_some(()));
            cases.push(Case::bad(name, &request));
        }
        cases.push(Case::good("good encrypted", &ms_users::sealed(&claims)));
        Traffic::start(self.edge.address(), BOUND, cases)
    }

    /// A token that passes, and will be revoked.
    pub fn witness(&self, user: &str) -> Arc<Case> {
        Case::good(&format!("{user}'s token"), &token(key("ES256"), json!({"sub": user, "exp": now() + DAY})))
    }

    /// Revokes all tokens of a user as ms-users does. Returns when Redis has acknowledged it.
    ///
    /// # Panics
    ///
    /// Redis does not take it.
    pub fn revoke(&self, user: &str, case: &Case) {
        self.redis.write(user, &json!({"sub": user}).to_string(), 0);
        case.revoked();
        // A Consul that is down is told nothing: then the rule is found without it.
        let _not_told = self.consul.try_tell(user, &now().to_string());
    }

    /// Operators go on to change rules of subjects that nothing else writes, through each token-server, until what is returned
    /// is told to end.
    pub fn operators(&self) -> Operators {
        Operators::start(self.servers.iter().map(TokenServer::rule_writer))
    }

    /// Where the audit trail and those rules disagree.
    pub fn trail_disagreements(&self) -> Vec<String> {
        let get = |path: &str| {
            // A server that has just come back may be connecting still.
            eventually("the audit trail and the rules can be read", || {
                self.servers[0].rule_writer().get(path)
            })
        };
        let (told, disagreements) = Told::settled(get, now(), operators::is_theirs);
        if told.entries.is_empty() {
            return vec!["no change was made".to_owned()];
        }
        disagreements
    }

    /// Starts an agent again in the place of the one that is gone or goes now.
    pub fn restart_agent(&mut self, index: usize) {
        let environment = self.agent_environment.clone();
        self.start_agent(index, agent::command(), &environment);
    }

    /// The settings of the agents.
    pub fn agent_environment(&self) -> &[(String, String)] {
        &self.agent_environment
    }

    /// A folder for files of this run.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The same by another command, with other settings. Returns when HAProxy uses it.
    ///
    /// # Panics
    ///
    /// It does not come up; with its log.
    pub fn replace_agent(&mut self, index: usize, command: Command, environment: &[(String, String)]) {
        self.edge.agents[index].process.kill();
        // Else it would be the old one that is still up.
        self.wait_agent(index, false);
        self.start_agent(index, command, environment);
        self.wait_agent(index, true);
    }

    fn start_agent(&mut self, index: usize, command: Command, environment: &[(String, String)]) {
        let old = self.edge.agents.remove(index);
        let (name, address) = (old.process.name().to_owned(), old.listen.clone());
        drop(old);
        self.edge.agents.insert(index, Agent::start_as(&name, command, address, environment));
    }

    fn wait_agent(&self, index: usize, is_up: bool) {
        self.edge.haproxy.wait_agents_up(&[(self.edge.agents[index].process.name(), is_up)]);
    }

    /// Starts a token-server again on its port.
    pub fn restart_server(&mut self, index: usize) {
        self.replace_server(index, &[]);
    }

    /// The same with more in its environment.
    pub fn replace_server(&mut self, index: usize, more: &[(String, String)]) {
        self.servers[index].process.kill();
        let address = listen(self.server_ports[index]);
        self.servers[index] = start_server(&self.folder, index, &address, &self.redis, &self.consul, more);
    }

    /// Where the token-servers listen.
    pub fn server_addresses(&self) -> [String; 2] {
        self.server_ports.map(listen)
    }

    /// One more token-server, on another address.
    pub fn another_server(&self, listen: &str) -> TokenServer {
        start_server(&self.folder, 2, listen, &self.redis, &self.consul, &[])
    }

    /// Waits until good tokens pass at every turn.
    pub fn wait_passing(&self, traffic: &Traffic) {
        let before = traffic.admitted();
        eventually("good tokens pass", || (traffic.admitted() > before + 20).then_some(()));
    }
}

impl HasAgents for Stage {
    fn agents(&mut self) -> &mut [Agent] {
        &mut self.edge.agents
    }

    fn start_again(&mut self, index: usize) {
        self.restart_agent(index);
    }

    fn wait_until_used(&mut self, _: usize) {
        self.wait_agents_up();
    }
}

fn start_server(
    folder: &TempDir,
    number: usize,
    listen: &str,
    redis: &Redis,
    consul: &Consul,
    more: &[(String, String)],
) -> TokenServer {
    let own = folder.path().join(format!("server{number}"));
    fs::create_dir_all(&own).unwrap();
    let (consul, max_stale) = (consul.url(), MAX_STALE.to_string());
    let keys = folder.path().join("jwe.json").display().to_string();
    let mut settings = vec![
        ("TOKEN_SERVER__LISTEN", listen),
        ("TOKEN_SERVER__REDIS__URLS", redis.url()),
        ("TOKEN_SERVER__CONSUL__URL", &consul),
        ("TOKEN_SERVER__JWE__KEYS_FILE", &keys),
        ("TOKEN_SERVER__CACHE__TTL", "1"),
        ("TOKEN_SERVER__STORE__MAX_STALE", &max_stale),
    ];
    settings.extend(more.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    TokenServer::start_with(&own, "standard", &settings)
}

fn listen(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn bearer(token: &str) -> Request {
    Request::get("/").bearer(token)
}
