//! How an edge is put together before it starts.

mod agents;

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::backend::Backend;
use crate::edge::Edge;
use crate::haproxy::{Haproxy, Shipped, program};
use crate::kept_verdicts::KeptVerdicts;
use crate::keys::{ALGORITHMS, jwks, key};
use crate::process::repository;
use crate::scripted_agent::Script;
use crate::socket::Address;
use crate::{tls_listener, token_server::TokenServer};

use self::agents::Agents;

/// Above any delay of a busy machine, for suites that are not about time.
const PATIENT_HAPROXY: &str = "10s";
const PATIENT_AGENT: &str = "8000";

/// An edge to be started.
#[derive(Debug)]
pub struct Setup {
    shipped: Shipped,
    haproxy: String,
    agents: Agents,
    tcp: bool,
    keys: Option<String>,
    agent_environment: Vec<(String, String)>,
    token_server: bool,
    token_server_environment: Vec<(&'static str, String)>,
    haproxy_environment: Vec<(&'static str, String)>,
    extra: Option<String>,
    spoe_edit: Option<(&'static str, &'static str)>,
    edits: Vec<fn(&str, &Path) -> String>,
    changes: Vec<(&'static str, &'static str)>,
    chroot: bool,
    kept_by_agents: bool,
    ends_streams: bool,
    agents_read_haproxy_cfg: bool,
}

/// What HAProxy's patience with agents is called in the shipped files: at the first question, and at a second one.
const AGENT_TIMEOUTS: [&str; 2] = ["AGENT_TIMEOUT", "AGENT_AGAIN_TIMEOUT"];

impl Setup {
    /// One agent that knows a key of each algorithm, asked by a shipped configuration.
    pub fn new(shipped: Shipped) -> Self {
        let setup = Self {
            shipped,
            haproxy: program(),
            agents: Agents::Real(1),
            tcp: false,
            keys: Some(jwks(ALGORITHMS.map(key))),
            agent_environment: Vec::new(),
            token_server: false,
            token_server_environment: Vec::new(),
            haproxy_environment: AGENT_TIMEOUTS.map(|name| (name, PATIENT_HAPROXY.to_owned())).into(),
            extra: None,
            spoe_edit: None,
            edits: Vec::new(),
            changes: Vec::new(),
            chroot: false,
            kept_by_agents: false,
            ends_streams: false,
            agents_read_haproxy_cfg: false,
        };
        let setup = match shipped.form() {
            Shipped::Annotating => setup.agent_env("JWT_PROFILE", "ms-users"),
            // Limits that only the suites about them meet, with numbers of their own.
            Shipped::Limits => ["RATE_LIMIT", "RATE_LIMIT_PAID", "REFUSED_LIMIT"]
                .iter()
                .fold(setup, |setup, name| setup.haproxy_env(name, "1000000")),
            Shipped::Tenant => setup.haproxy_env("TENANT_DOMAIN", "test"),
            Shipped::Dpop => setup.edit(tls_listener::add),
            Shipped::Denying
            | Shipped::Routes
            | Shipped::Backend
            | Shipped::Browsers
            | Shipped::Cookie
            | Shipped::Optional
            | Shipped::Query
            | Shipped::ClaimHeaders
            | Shipped::Header
            | Shipped::WebSocket
            | Shipped::Canary
            | Shipped::Signals
            | Shipped::Mcp
            | Shipped::EdgeDenying
            | Shipped::EdgeAnnotating
            | Shipped::EdgeRoutes
            | Shipped::EdgeBackend
            | Shipped::Streams
            | Shipped::StreamsBackend => setup,
        };
        setup.agent_env("JWT_TIMEOUT_MS", PATIENT_AGENT)
    }

    fn annotates(&self) -> bool {
        self.shipped.form() == Shipped::Annotating
    }

    pub fn denying() -> Self {
        Self::new(Shipped::Denying)
    }

    pub fn annotating() -> Self {
        Self::new(Shipped::Annotating)
    }

    /// With the timeouts as they are shipped: for suites about time.
    #[must_use]
    pub fn shipped_timeouts(mut self) -> Self {
        self.haproxy_environment.retain(|(name, _)| !AGENT_TIMEOUTS.contains(name));
        self.agent_environment.retain(|(name, _)| name != "JWT_TIMEOUT_MS");
        self
    }

    /// With timeouts between the shipped ones and none: where the way out of a fault is as long as a timeout, and a
    /// busy machine must not run into it.
    #[must_use]
    pub fn short_timeouts(self) -> Self {
        let mut setup = self.shipped_timeouts().agent_env("JWT_TIMEOUT_MS", "800");
        setup.haproxy_environment.extend(AGENT_TIMEOUTS.into_iter().zip(["1s", "500ms"].map(String::from)));
        setup
    }

    /// Before another HAProxy than the one under test.
    #[must_use]
    pub fn haproxy(mut self, program: &str) -> Self {
        program.clone_into(&mut self.haproxy);
        self
    }

    #[must_use]
    pub fn two_agents(mut self) -> Self {
        self.agents = Agents::Real(2);
        self
    }

    #[must_use]
    pub fn no_agent(mut self) -> Self {
        self.agents = Agents::Absent;
        self
    }

    #[must_use]
    pub fn scripted(mut self, script: Script) -> Self {
        self.agents = Agents::Scripted(script);
        self
    }

    /// With agents on TCP ports instead of unix sockets.
    #[must_use]
    pub fn over_tcp(mut self) -> Self {
        self.tcp = true;
        self
    }

    /// With this text as the agents' key file.
    #[must_use]
    pub fn keys(mut self, text: String) -> Self {
        self.keys = Some(text);
        self
    }

    #[must_use]
    pub fn no_key_file(mut self) -> Self {
        self.keys = None;
        self
    }

    #[must_use]
    pub fn agent_env(mut self, name: &str, value: &str) -> Self {
        self.agent_environment.retain(|(known, _)| known != name);
        self.agent_environment.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn token_server(mut self) -> Self {
        self.token_server = true;
        self
    }

    /// With a token-server that has this setting.
    #[must_use]
    pub fn token_server_env(mut self, name: &'static str, value: &str) -> Self {
        self.token_server_environment.push((name, value.to_owned()));
        self.token_server()
    }

    /// With another server in the place of the backend: `APP_SERVER`, `WEB_SERVER`, `CANARY_SERVER` or `SIGNALS_SERVER`.
    #[must_use]
    pub fn server(mut self, variable: &'static str, address: &Address) -> Self {
        // What comes later wins.
        self.haproxy_environment.push((variable, address.to_string()));
        self
    }

    /// With a variable of the shipped file set.
    #[must_use]
    pub fn haproxy_env(mut self, name: &'static str, value: &str) -> Self {
        self.haproxy_environment.push((name, value.to_owned()));
        self
    }

    /// With a second configuration file, in which `EXTRA_BIND` is free for a frontend.
    #[must_use]
    pub fn extra(mut self, text: &str) -> Self {
        self.extra = Some(text.to_owned());
        self
    }

    /// With one piece of `spoe-jwt.conf` replaced, as its README tells an operator to.
    #[must_use]
    pub fn edit_spoe(mut self, from: &'static str, to: &'static str) -> Self {
        self.spoe_edit = Some((from, to));
        self
    }

    /// With the shipped file changed, as a user's own lines around ours change it; what they name lies in the folder. A second
    /// change is one of what the first made.
    #[must_use]
    pub fn edit(mut self, edit: fn(&str, &Path) -> String) -> Self {
        self.edits.push(edit);
        self
    }

    /// With a piece of the shipped file replaced wherever it stands, before any [`edit`](Self::edit).
    #[must_use]
    pub fn change(mut self, from: &'static str, to: &'static str) -> Self {
        self.changes.push((from, to));
        self
    }

    /// With agents that write verdicts into HAProxy's maps, of the variables that the shipped file reads.
    #[must_use]
    pub fn kept_by_agents(mut self) -> Self {
        self.kept_by_agents = true;
        let routes = "challenge,detail,body,header,legacy,policy,stateless";
        let variables = if self.shipped.form() == Shipped::Routes {
            routes
        } else {
            "challenge,detail,body,header,legacy,stateless"
        };
        self.agent_env("JWT_VARIABLES", variables)
    }

    /// With agents that end streams over HAProxy's socket, without verdicts in its maps.
    #[must_use]
    pub fn ends_streams(mut self) -> Self {
        self.ends_streams = true;
        self
    }

    /// With agents that read the shipped file (`--haproxy-cfg`).
    #[must_use]
    pub fn agents_read_haproxy_cfg(mut self) -> Self {
        self.agents_read_haproxy_cfg = true;
        self
    }

    /// With HAProxy in a `chroot`, as Debian's own configuration has it, and with the sockets of agents and application
    /// inside. Only root may do that.
    #[must_use]
    pub fn chroot(mut self) -> Self {
        self.chroot = true;
        self
    }

    /// Starts everything and waits until it works: agents with a key file are ready, HAProxy has checked them.
    ///
    /// # Panics
    ///
    /// Something does not come up; with its log.
    pub fn start(mut self) -> Edge {
        let folder = TempDir::with_prefix("edge-").unwrap();
        let path = |name: &str| folder.path().join(name);
        let backend = Backend::start(&Address::Unix(path("app.sock"))).unwrap();
        let key_file = path("keys");
        if let Some(keys) = &self.keys {
            fs::write(&key_file, keys).unwrap();
            self = self.agent_env("JWT_JWKS_FILE", &key_file.display().to_string());
        }
        let token_server = self.token_server.then(|| {
            let profile = if self.annotates() { "ms-users" } else { "standard" };
            let environment = self.token_server_environment.iter();
            let environment: Vec<_> = environment.map(|(name, value)| (*name, value.as_str())).collect();
            TokenServer::start_with(folder.path(), profile, &environment)
        });
        if let Some(server) = &token_server {
            self = self.agent_env("JWT_TOKEN_SERVER_BACKEND", &server.url());
        }
        let kept = KeptVerdicts::create(folder.path());
        if self.kept_by_agents {
            for (name, value) in kept.environment() {
                self = self.agent_env(name, &value);
            }
        }
        if self.ends_streams {
            self = self.agent_env("JWT_EDGE_SOCKETS", &kept.socket());
        }
        let addresses = self.agent_addresses(folder.path());
        let (agents, script) = self.start_agents(&addresses);
        let (edge, extra) = (Address::Unix(path("edge.sock")), Address::Unix(path("extra.sock")));
        let mut files = vec![self.shipped.path()];
        if !self.edits.is_empty() || !self.changes.is_empty() {
            let mut text = fs::read_to_string(&files[0]).unwrap();
            for (from, to) in self.changes.drain(..) {
                assert!(text.contains(from), "{} has no {from:?}", files[0].display());
                text = text.replace(from, to);
            }
            for edit in &self.edits {
                text = edit(&text, folder.path());
            }
            files = vec![path("edited.cfg")];
            fs::write(path("edited.cfg"), text).unwrap();
        }
        if self.chroot {
            fs::write(path("chroot.cfg"), format!("global\n    chroot {}\n", folder.path().display()))
                .unwrap();
            files.push(path("chroot.cfg"));
        }
        if let Some(text) = &self.extra {
            files.push(path("extra.cfg"));
            fs::write(path("extra.cfg"), text).unwrap();
        }
        let mut environment = vec![
            ("EDGE_BIND", edge.to_string()),
            ("EXTRA_BIND", extra.to_string()),
            ("APP_SERVER", backend.address().to_string()),
            ("WEB_SERVER", backend.address().to_string()),
            ("CANARY_SERVER", backend.address().to_string()),
            ("MCP_SERVER", backend.address().to_string()),
            ("SIGNALS_SERVER", backend.address().to_string()),
            ("AGENT_1", addresses[0].to_string()),
            // A single agent is both servers of the backend, so that none of them is down.
            ("AGENT_2", addresses[addresses.len() - 1].to_string()),
            ("SPOE_CONF", self.spoe_conf(folder.path()).display().to_string()),
            ("STATS_SOCKET", path("stats.sock").display().to_string()),
        ];
        environment.extend(kept.environment());
        environment.append(&mut self.haproxy_environment);
        if self.chroot {
            let outside = format!("unix@{}", folder.path().display());
            for (name, value) in &mut environment {
                if ["APP_SERVER", "WEB_SERVER", "CANARY_SERVER", "SIGNALS_SERVER", "AGENT_1", "AGENT_2"]
                    .contains(name)
                {
                    *value = value.replace(&outside, "unix@");
                }
            }
        }
        let haproxy = Haproxy::start_program(&self.haproxy, &files, &environment, &edge, &path("stats.sock"));
        Edge { haproxy, agents, script, token_server, backend, kept, edge, extra, key_file, files, folder }
    }

    fn spoe_conf(&self, folder: &Path) -> PathBuf {
        let shipped = repository().join("haproxy/spoe-jwt.conf");
        let Some((from, to)) = self.spoe_edit else { return shipped };
        let text = fs::read_to_string(&shipped).unwrap();
        assert!(text.contains(from), "spoe-jwt.conf has no {from:?}");
        let edited = folder.join("spoe-jwt.conf");
        fs::write(&edited, text.replace(from, to)).unwrap();
        edited
    }
}
