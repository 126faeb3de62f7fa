//! The stack of docker-compose.yml, started once and shared by the tests, which `run.sh` runs one after the other.

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

/// Services that tell whether they are well.
const WITH_HEALTH: [&str; 5] = ["agent1", "agent2", "token-server1", "token-server2", "redis"];

/// The running stack.
pub(crate) struct Stack;

/// Where it is published on this machine.
struct Ports {
    edge: u16,
    metrics: u16,
    prometheus: u16,
}

impl Ports {
    /// The same for every test: docker-compose starts a container anew whose settings have changed.
    fn chosen() -> &'static Self {
        static CHOSEN: OnceLock<Ports> = OnceLock::new();
        let free = || free_port().unwrap();
        CHOSEN.get_or_init(|| Ports { edge: free(), metrics: free(), prometheus: free() })
    }
}

impl Stack {
    /// Starts it, unless a test before has, and waits until it works.
    pub(crate) fn up() -> Self {
        static STARTED: OnceLock<()> = OnceLock::new();
        let stack = Self;
        STARTED.get_or_init(|| {
            let keys = std::env::var("KEYS_FILE").expect("run this with make test-compose");
            fs::write(keys, jwks(ALGORITHMS.map(key))).unwrap();
            stack.compose(&["up", "-d"]);
        });
        stack.wait_settled();
        stack
    }

    /// Waits until every part is well and HAProxy uses both agents.
    pub(crate) fn wait_settled(&self) {
        eventually("every container is healthy", || {
            let healthy = self.services(&["--filter", "health=healthy"]);
            WITH_HEALTH
                .iter()
                .all(|service| healthy.lines().any(|line| line.split(' ').nth(1) == Some(*service)))
                .then_some(())
        });
        eventually("haproxy uses both agents", || {
            let answer = published(Ports::chosen().metrics, &whole("/metrics"))?;
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
        let project = std::env::var("COMPOSE_PROJECT_NAME").expect("run this with make test-compose");
        let label = format!("label=com.docker.compose.project={project}");
        let format = "{{.ID}} {{.Label \"com.docker.compose.service\"}}";
        self.docker(&[&["ps", "--filter", &label, "--format", format], arguments].concat())
    }

    /// The status of the answer to a request at the edge; 0 when there is none.
    pub(crate) fn ask(&self, request: &Request) -> u16 {
        self.response(request).map_or(0, |response| response.status)
    }

    /// The answer to a request at the edge.
    pub(crate) fn response(&self, request: &Request) -> Option<Response> {
        published(Ports::chosen().edge, request)
    }

    /// What Prometheus answers.
    pub(crate) fn prometheus(&self, path: &str) -> Value {
        let answer = poll(DEADLINE, || published(Ports::chosen().prometheus, &whole(path))).unwrap();
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
        let mut command = compose();
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

    /// The last lines of every container.
    pub(crate) fn logs(&self) -> String {
        let mut command = compose();
        command.args(["logs", "--no-color", "--tail=40"]);
        succeed(&mut command).unwrap_or_default()
    }
}

fn compose() -> Command {
    let ports = Ports::chosen();
    let mut command = Command::new("docker-compose");
    command
        .current_dir(repository())
        // Above any delay of a busy machine: what is lost here is not to be blamed on it.
        .env("AGENT_TIMEOUT", "10s")
        .env("AGENT_AGAIN_TIMEOUT", "5s")
        .env("JWT_TIMEOUT_MS", "8000")
        .env("EDGE_PORT", ports.edge.to_string())
        .env("HAPROXY_METRICS_PORT", ports.metrics.to_string())
        .env("PROMETHEUS_PORT", ports.prometheus.to_string());
    command
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
