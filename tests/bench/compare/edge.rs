//! One HAProxy with one way to decide on tokens, and the processes that it asks.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use integration_tests::agent::{Agent, program};
use integration_tests::http::Client;
use integration_tests::keys::jwks;
use integration_tests::load::Prepared;
use integration_tests::process::{Process, Signal, repository};
use integration_tests::socket::Address;
use integration_tests::token_server::TokenServer;
use integration_tests::wait::{DEADLINE, eventually, poll};
use serde_json::json;
use tempfile::TempDir;

use crate::cell::{Cell, Transport, Way};
use crate::kept;
use crate::sources;
use crate::traffic::{ALGORITHMS, AUDIENCE, ENCRYPTION_KEY, ISSUER, SECRET, SUBJECT, signer};

/// What stands at the end of each frontend: HAProxy answers itself, so that no backend's cost is measured.
const ANSWER: &str = "http-request return status 200 content-type text/plain string ok";

/// Asks the agent about each request.
const ASK: &str = r#"
    filter spoe engine jwt config "${SPOE_CONF}""#;

/// What the agent answers, refused as the shipped configuration refuses it.
const ANSWERED: &str = r#"
    http-request deny status 503 if { var(txn.tkn.spoe_error) -m found }
    http-request deny status 503 unless { var(txn.tkn.valid) -m found }
    http-request deny status 503 if { var(txn.tkn.reason) -m str E_BACKEND_UNAVAIL }
    http-request deny status 401 unless { var(txn.tkn.valid) -m bool }
    http-request set-header x-user-id %[var(txn.tkn.payload.sub)]
    http-request set-header x-user-email %[var(txn.tkn.payload.email)]"#;

/// What a refusal says beside.
const CHALLENGE: &str = r#"
    http-after-response set-header WWW-Authenticate %[var(txn.tkn.challenge)] if { status 401 }"#;

/// A policy, and rows that choose it by the call.
const POLICIES: &str = r#"
[[policies]]
name = "mcp-read"

[[mcp]]
policy = "mcp"
use = "mcp-read"
methods = ["tools/list"]

[[mcp]]
policy = "mcp"
use = "mcp-read"
methods = ["tools/call"]
names = ["read_*"]
"#;

/// A running edge; everything ends with it.
pub(crate) struct Edge {
    pub(crate) address: SocketAddr,
    pub(crate) agent: Option<Agent>,
    pub(crate) token_server: Option<TokenServer>,
    pub(crate) haproxy: Process,
    nothing: Option<Process>,
    folder: TempDir,
}

impl Edge {
    /// Starts what `cell` needs and waits until a request of each kind gets its answer. `rules` is a store to begin with.
    pub(crate) fn start(cell: &Cell, rules: Option<&Path>, probes: &[Prepared]) -> Self {
        Self::start_with(cell, rules, probes, &[])
    }

    /// The same, with more settings of the agent and with a token-server, where there are any.
    pub(crate) fn start_with(
        cell: &Cell,
        rules: Option<&Path>,
        probes: &[Prepared],
        more: &[(&'static str, &str)],
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("keys.json"), jwks(ALGORITHMS.map(signer))).unwrap();
        let listen = match cell.transport {
            Transport::Unix => Address::Unix(path("agent.sock")),
            Transport::Tcp => Address::free_port().unwrap(),
        };
        let has_server =
            rules.is_some() || cell.way.keeps_verdicts() || cell.way.is_opaque() || !more.is_empty();
        let token_server = has_server.then(|| {
            // A folder of its own: the agent watches the one that has its keys, and a store is written with each rule.
            let own = path("token-server");
            fs::create_dir(&own).unwrap();
            if let Some(rules) = rules {
                fs::copy(rules, own.join("rules.redb")).unwrap();
            }
            let jwe = encryption_keys(folder.path());
            let mut settings = vec![("TOKEN_SERVER__JWE__KEYS_FILE", jwe.display().to_string())];
            if cell.way.is_opaque() {
                settings.extend(sources::settings(&own));
            }
            let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
            TokenServer::start_with(&own, cell.profile(), &settings)
        });
        let agent = cell.way.asks_agent().then(|| {
            let mut environment = vec![
                ("JWT_PROFILE", cell.profile().to_owned()),
                ("JWT_SCHEMES", "JWT,Bearer,DPoP".to_owned()),
                ("JWT_JWKS_FILE", path("keys.json").display().to_string()),
                // Below HAProxy's own patience, and above any queue that a saturated machine makes: no verdict is shed.
                ("JWT_TIMEOUT_MS", "1500".to_owned()),
                ("JWT_VARIABLES", variables(cell.way).to_owned()),
            ];
            if cell.way.is_asked_by_rule() {
                fs::write(path("agent.toml"), POLICIES).unwrap();
                environment.push(("JWT_CONFIG", path("agent.toml").display().to_string()));
            }
            if cell.profile() == "standard" {
                environment.push(("JWT_ISSUERS", ISSUER.to_owned()));
                environment.push(("JWT_AUDIENCES", AUDIENCE.to_owned()));
            }
            match cell.way {
                // The proofs of all rounds are made before the first.
                Way::Proved => environment.push(("JWT_DPOP_MAX_AGE", "3600".to_owned())),
                Way::Certified => environment.push(("JWT_CLIENT_CERT", "rfc9440".to_owned())),
                way if way.is_opaque() => environment.push(("JWT_OPAQUE", "introspect".to_owned())),
                _ => {}
            }
            if cell.way == Way::Uncached {
                environment.push(("JWT_CACHE_SIZE", "0".to_owned()));
            }
            if let Some(server) = &token_server {
                environment.push(("JWT_TOKEN_SERVER_BACKEND", server.url()));
            }
            if cell.way.keeps_verdicts() {
                environment.extend(kept::settings(folder.path()));
            }
            environment.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
            let environment: Vec<_> =
                environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            let agent = Agent::start("agent", listen.clone(), &environment);
            agent.wait_ready();
            agent
        });
        let nothing = cell.way.asks_nothing().then(|| {
            let mut command = Command::new(program("examples/do_nothing"));
            command.arg(listen.to_string());
            if cell.way.verifies_alone() {
                command.args(["--verify", cell.algorithm]);
            }
            command.args(["payload.sub=alice", "payload.email=alice@example.com"]);
            let process = Process::start("do_nothing", command).unwrap();
            eventually("the do-nothing agent listens", || listen.connect(DEADLINE).ok());
            process
        });
        let edge = Address::free_port().unwrap();
        let Address::Tcp(address) = edge else { unreachable!("a TCP address was asked for") };
        fs::write(path("haproxy.cfg"), configuration(cell, address, folder.path())).unwrap();
        fs::write(path("spoe-jwt.conf"), questions(cell.way)).unwrap();
        let mut command = Command::new(&cell.release.program);
        command
            .args(["-db", "-f"])
            .arg(path("haproxy.cfg"))
            .env("SPOE_CONF", path("spoe-jwt.conf"))
            .env("AGENT_TIMEOUT", "2s")
            .env("AGENT_1", listen.to_string())
            .env("AGENT_2", listen.to_string())
            .envs(kept::settings(folder.path()));
        for name in ["verdicts.map", "leases.map"] {
            fs::write(path(name), "").unwrap();
        }
        let haproxy = Process::start("haproxy", command).unwrap();
        let edge = Self { address, agent, token_server, haproxy, nothing, folder };
        edge.probe(cell, probes);
        edge
    }

    fn probe(&self, cell: &Cell, probes: &[Prepared]) {
        for request in probes {
            let last = std::cell::RefCell::new(String::new());
            let answered = poll(DEADLINE, || {
                let connection = Address::Tcp(self.address).connect(DEADLINE).ok()?;
                let mut client = Client::new(connection);
                client.write(&request.bytes).ok()?;
                let response = client.response().ok()?;
                *last.borrow_mut() = response.to_string();
                (response.status == request.expected).then_some(())
            });
            assert!(
                answered.is_some(),
                "{cell}: not {} but {}\n{}",
                request.expected,
                last.borrow(),
                self.haproxy.log()
            );
        }
    }

    /// A file of its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The processes whose cost is the cost of an answer.
    pub(crate) fn processes(&self) -> Vec<(&'static str, u32)> {
        [
            Some(("haproxy", self.haproxy.id())),
            self.agent.as_ref().map(|agent| ("agent", agent.process.id())),
            self.nothing.as_ref().map(|nothing| ("agent", nothing.id())),
            self.token_server.as_ref().map(|server| ("token_server", server.process.id())),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// A figure of the agent's `/metrics`.
    pub(crate) fn agent_metric(&self, name: &str) -> Option<f64> {
        let text = self.agent.as_ref()?.admin("/metrics").body;
        let text = String::from_utf8_lossy(&text).into_owned();
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }
}

/// A store with rules in play, none of which matches: `of_subject` of the subject, `global` for everybody.
pub(crate) fn store(profile: &str, of_subject: usize, global: usize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut server = TokenServer::start(folder.path(), profile);
    // As a log-out writes them; tokens of the subject carry other names of refresh tokens.
    let rule = |number| json!({"rt": format!("gone-{number}"), "iat": {"lt": 1_900_000_000}});
    for number in 0..of_subject {
        server.revoke(SUBJECT, &rule(number));
    }
    for number in 0..global {
        server.revoke_for_everybody(&rule(number));
    }
    server.process.signal(Signal::TERM);
    assert!(server.process.wait(DEADLINE).is_some(), "the token-server does not stop");
    folder
}

fn encryption_keys(folder: &Path) -> PathBuf {
    let secret = BASE64_URL_SAFE_NO_PAD.encode(ENCRYPTION_KEY);
    let key = json!([{"kty": "oct", "kid": "main", "k": secret, "default": true}]);
    let path = folder.join("jwe.json");
    fs::write(&path, key.to_string()).unwrap();
    path
}

fn configuration(cell: &Cell, address: SocketAddr, folder: &Path) -> String {
    let rules = match cell.way {
        Way::Plain | Way::PlainMany => String::new(),
        Way::NativeSignature => native_signature(cell.algorithm, folder),
        Way::NativeFull | Way::NativeSteady | Way::NativeMany => {
            native_signature(cell.algorithm, folder) + &native_claims()
        }
        Way::Nothing
        | Way::NothingNew
        | Way::NothingProved
        | Way::NothingCertified
        | Way::Hit
        | Way::Tokens
        | Way::New
        | Way::Uncached
        | Way::Rules
        | Way::Encrypted
        | Way::Refused
        | Way::Proved
        | Way::Certified
        | Way::ApiKey
        | Way::Opaque
        | Way::OpaqueNew => format!("{ASK}{ANSWERED}"),
        Way::Challenged => format!("{ASK}{ANSWERED}{CHALLENGE}"),
        Way::Ruled => format!("{}{ANSWERED}", ask_by_rule("jwt-group", "mcp-read")),
        Way::Call => format!("{}{ANSWERED}", ask_by_rule("jwt-mcp", "mcp")),
        Way::EdgeOne | Way::EdgeMany | Way::EdgeChanging => format!("{}{ANSWERED}", kept::rules()),
    };
    let socket = if cell.way.keeps_verdicts() {
        "    stats socket \"${JWT_EDGE_SOCKETS}\" mode 600 level admin\n"
    } else {
        ""
    };
    let agents = if cell.way.asks_any_agent() { shipped_agents() } else { String::new() };
    // A thread that moves to another processor finds nothing in that one's caches, which costs most what has much in them.
    let bound = if cell.threads == 1 { "    cpu-map 1/1 0\n" } else { "" };
    format!(
        "global\n    nbthread {}\n    maxconn 4000\n{bound}{socket}\ndefaults\n    mode http\n    timeout connect 5s\n    timeout client 60s\n    \
         timeout server 60s\n\nfrontend edge\n    bind {address}{rules}\n    {ANSWER}\n\n{agents}",
        cell.threads
    )
}

/// The shipped `spoe-jwt.conf`, as docs/BINDING.md changes it where a server before HAProxy tells of certificates.
fn questions(way: Way) -> String {
    const OWN: &str =
        "    args  cert=ssl_c_der,sha2(256)\n    event on-frontend-http-request if { ssl_c_used }\n";
    const TOLD: &str = "    args  cert=req.fhdr(client-cert) cert_count=req.fhdr_cnt(client-cert)\n    event on-frontend-http-request\n";
    let shipped = fs::read_to_string(repository().join("haproxy/spoe-jwt.conf")).unwrap();
    assert!(shipped.contains(OWN), "spoe-jwt.conf has no {OWN:?}");
    if way.is_certified() { shipped.replacen(OWN, TOLD, 1) } else { shipped }
}

/// What the agent sends.
fn variables(way: Way) -> &'static str {
    if way == Way::Challenged { "payload.sub,payload.email,challenge" } else { "payload.sub,payload.email" }
}

fn ask_by_rule(engine: &str, policy: &str) -> String {
    format!(
        r#"
    filter spoe engine {engine} config "${{SPOE_CONF}}"
    http-request set-var(txn.tkn_policy) str({policy})
    http-request send-spoe-group {engine} jwt"#
    )
}

/// The backend of the shipped configuration, as it stands there.
fn shipped_agents() -> String {
    let shipped = fs::read_to_string(repository().join("haproxy/haproxy.cfg")).unwrap();
    let begin = shipped.find("backend jwt-agents").unwrap();
    shipped[begin..].to_owned()
}

/// The signature, of the one algorithm that is expected, checked by HAProxy itself.
fn native_signature(algorithm: &str, folder: &Path) -> String {
    let key = if algorithm == "HS256" {
        SECRET.to_owned()
    } else {
        let path = folder.join("native.pem");
        fs::write(&path, signer(algorithm).pem()).unwrap();
        path.display().to_string()
    };
    format!(
        r#"
    http-request set-var(txn.bearer) http_auth_bearer
    http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')
    http-request deny status 401 unless {{ var(txn.alg) -m str {algorithm} }}
    http-request deny status 401 unless {{ var(txn.bearer),jwt_verify(txn.alg,"{key}") -m int 1 }}"#
    )
}

/// What a careful user adds: issuer, audience, expiry, and two claims as headers.
fn native_claims() -> String {
    format!(
        r#"
    http-request set-var(txn.now) date()
    http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('$.exp','int')
    http-request deny status 401 unless {{ var(txn.bearer),jwt_payload_query('$.iss') -m str {ISSUER} }}
    http-request deny status 401 unless {{ var(txn.bearer),jwt_payload_query('$.aud') -m str {AUDIENCE} }}
    http-request deny status 401 unless {{ var(txn.exp),sub(txn.now) -m int gt 0 }}
    http-request set-header x-user-id %[var(txn.bearer),jwt_payload_query('$.sub')]
    http-request set-header x-user-email %[var(txn.bearer),jwt_payload_query('$.email')]"#
    )
}
