//! The stack of docker-compose.yml and its overlays, started once and shared by the tests, which `run.sh` runs one after the
//! other; and a second one, of agents alone.

use std::fs;
use std::process::Command;
use std::sync::OnceLock;

use integration_tests::http::{Client, Request, Response};
use integration_tests::keys::{ALGORITHMS, jwks, key};
use integration_tests::port::free_port;
use integration_tests::process::repository;
use integration_tests::socket::Address;
use integration_tests::wait::{DEADLINE, eventually, poll};
use serde_json::Value;

/// A running stack.
pub(crate) struct Stack {
    /// Behind the name of the project.
    suffix: &'static str,
    /// docker-compose.yml and its overlays; `None` where `run.sh` has said it.
    files: Option<&'static str>,
    /// Services that tell whether they are well.
    with_health: &'static [&'static str],
    ports: &'static Ports,
}

/// The issuer of tests/compose/issuer.yml.
pub(crate) const ISSUER: &str = "http://issuer:8080";

/// Where it is published on this machine.
struct Ports {
    edge: u16,
    metrics: u16,
    prometheus: u16,
}

impl Ports {
    fn free() -> Self {
        let free = || free_port().unwrap();
        Self { edge: free(), metrics: free(), prometheus: free() }
    }
}

impl Stack {
    /// Starts it, unless a test before has, and waits until it works.
    pub(crate) fn up() -> Self {
        static STARTED: OnceLock<()> = OnceLock::new();
        // The same for every test: docker-compose starts a container anew whose settings have changed.
        static PORTS: OnceLock<Ports> = OnceLock::new();
        let stack = Self {
            suffix: "",
            files: None,
            with_health: &["agent1", "agent2", "token-server1", "token-server2", "redis"],
            ports: PORTS.get_or_init(Ports::free),
        };
        STARTED.get_or_init(|| {
            let keys = std::env::var("KEYS_FILE").expect("run this with make test-compose");
            fs::write(keys, jwks(ALGORITHMS.map(key))).unwrap();
            stack.compose(&["up", "-d"]);
        });
        stack.wait_settled();
        stack
    }

    /// Agents alone, with an issuer to discover keys from and no file of keys. The caller takes it down.
    pub(crate) fn by_discovery() -> Self {
        static PORTS: OnceLock<Ports> = OnceLock::new();
        let stack = Self {
            suffix: "-oidc",
            files: Some("docker-compose.yml:deploy/compose/oidc.yml:tests/compose/issuer.yml"),
            with_health: &["agent1", "agent2"],
            ports: PORTS.get_or_init(Ports::free),
        };
        let keys = std::env::var("KEYS_FILE").expect("run this with make test-compose");
        fs::write(keys, jwks(ALGORITHMS.map(key))).unwrap();
        stack.compose(&["up", "-d"]);
        stack.wait_settled();
        stack
    }

    /// Waits until every part is well and HAProxy uses both agents.
    pub(crate) fn wait_settled(&self) {
        eventually("every container is healthy", || {
            let healthy = self.services(&["--filter", "health=healthy"]);
            self.with_health
                .iter()
                .all(|service| healthy.lines().any(|line| line.split(' ').nth(1) == Some(*service)))
                .then_some(())
        });
        eventually("haproxy uses both agents", || {
            let answer = published(self.ports.metrics, &whole("/metrics"))?;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            ["agent1", "agent2"]
                .iter()
                .all(|agent| {
                    let up = format!(
                        "haproxy_server_status{{proxy=\"jwt-agents\",server=\"{agent}\",state=\"UP\"}} 1"
                    );
                    text.lines().any(|line| line == up)
                })
                .then_some(())
        });
        eventually("the application answers", || (self.ask(&Request::get("/public/")) == 200).then_some(()));
    }

    /// Id and service of each container of this stack that docker ps lists with these arguments.
    fn services(&self, arguments: &[&str]) -> String {
        let label = format!("label=com.docker.compose.project={}", self.project());
        let format = "{{.ID}} {{.Label \"com.docker.compose.service\"}}";
        self.docker(&[&["ps", "--filter", &label, "--format", format], arguments].concat())
    }

    /// The status of the answer to a request at the edge; 0 when there is none.
    pub(crate) fn ask(&self, request: &Request) -> u16 {
        self.response(request).map_or(0, |response| response.status)
    }

    /// The answer to a request at the edge.
    pub(crate) fn response(&self, request: &Request) -> Option<Response> {
        published(self.ports.edge, request)
    }

    /// What Prometheus answers.
    pub(crate) fn prometheus(&self, path: &str) -> Value {
        let answer = poll(DEADLINE, || published(self.ports.prometheus, &whole(path))).unwrap();
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// Runs a program in a container.
    pub(crate) fn exec(&self, service: &str, command: &[&str]) {
        self.compose(&[&["exec", "-T", service], command].concat());
    }

    /// Runs docker-compose.
    pub(crate) fn compose(&self, arguments: &[&str]) -> String {
        self.compose_with(&[], arguments)
    }

    /// The same, with further variables for docker-compose.yml.
    pub(crate) fn compose_with(&self, environment: &[(&str, &str)], arguments: &[&str]) -> String {
        let mut command = self.command();
        command.args(arguments).envs(environment.iter().copied());
        succeed(&mut command)
            .unwrap_or_else(|why| panic!("docker-compose {arguments:?}: {why}\n{}", self.logs()))
    }

    /// The id of a service's container.
    pub(crate) fn container(&self, service: &str) -> String {
        let services = self.services(&[]);
        let mut pairs = services.lines().filter_map(|line| line.split_once(' '));
        let id = pairs.find(|(_, name)| *name == service).map(|(id, _)| id.to_owned());
        id.unwrap_or_else(|| panic!("{service} does not run: {services}"))
    }

    /// Runs docker.
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        self.try_docker(arguments).unwrap_or_else(|why| panic!("docker {arguments:?}: {why}"))
    }

    /// The same where it may fail.
    pub(crate) fn try_docker(&self, arguments: &[&str]) -> Result<String, String> {
        succeed(Command::new("docker").args(arguments))
    }

    fn project(&self) -> String {
        let project = std::env::var("COMPOSE_PROJECT_NAME").expect("run this with make test-compose");
        format!("{project}{}", self.suffix)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("docker-compose");
        command
            .current_dir(repository())
            .env("COMPOSE_PROJECT_NAME", self.project())
            // Above any delay of a busy machine: what is lost here is not to be blamed on it.
            .env("AGENT_TIMEOUT", "10s")
            .env("AGENT_AGAIN_TIMEOUT", "5s")
            .env("JWT_TIMEOUT_MS", "8000")
            .env("JWT_OIDC_ISSUERS", ISSUER)
            .env("EDGE_PORT", self.ports.edge.to_string())
            .env("HAPROXY_METRICS_PORT", self.ports.metrics.to_string())
            .env("PROMETHEUS_PORT", self.ports.prometheus.to_string());
        if let Some(files) = self.files {
            command.env("COMPOSE_FILE", files);
        }
        command
    }

    /// The last lines of every container.
    pub(crate) fn logs(&self) -> String {
        let mut command = self.command();
        command.args(["logs", "--no-color", "--tail=40"]);
        succeed(&mut command).unwrap_or_default()
    }
}

/// HTTP/1.0 has no chunks: the answer comes in one piece.
fn whole(path: &str) -> Request {
    Request::line(&format!("GET {path} HTTP/1.0"))
}

/// The answer on a port of this machine, if there is one.
fn published(port: u16, request: &Request) -> Option<Response> {
    let address = Address::Tcp(([127, 0, 0, 1], port).into());
    let mut client = Client::new(address.connect(DEADLINE).ok()?);
    client.write(&request.to_bytes()).ok()?;
    client.response().ok()
}

/// What a command prints, or what it says when it fails.
fn succeed(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(format!("{}: {}{}", output.status, text(&output.stdout), text(&output.stderr)))
    }
}
