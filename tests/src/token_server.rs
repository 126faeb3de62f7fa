//! `token-server` as a process, with an embedded store in the fixture's folder unless it is given a Redis.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::agent::{ask, listening, program};
use crate::decisions::Decisions;
use crate::http::{Client, Request, Response};
use crate::process::Process;
use crate::scan;
use crate::socket::Address;
use crate::token::now;
use crate::wait::{DEADLINE, eventually, poll};

/// How long an agent waits that asks about a token: above any delay of a busy machine.
const BUDGET_MS: u32 = 20_000;

/// A running token-server.
#[derive(Debug)]
pub struct TokenServer {
    pub process: Process,
    /// Where agents ask.
    pub address: Address,
    /// Where operators and Prometheus ask.
    pub admin: Address,
    socket: PathBuf,
}

impl TokenServer {
    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    ///
    /// It does not come up; with its log.
    pub fn start(folder: &Path, profile: &str) -> Self {
        Self::start_with(folder, profile, &[])
    }

    /// The same, with further settings.
    ///
    /// # Panics
    ///
    /// It does not come up; with its log.
    pub fn start_with(folder: &Path, profile: &str, environment: &[(&str, &str)]) -> Self {
        let socket = folder.join("token-server.sock");
        let mut command = Command::new(program("token-server"));
        command.env_clear();
        scan::trace(&mut command);
        command
            .args(["--log-format", "json"])
            .env("TOKEN_SERVER__LISTEN", "127.0.0.1:0")
            .env("TOKEN_SERVER__ADMIN__LISTEN", "127.0.0.1:0")
            .env("TOKEN_SERVER__ADMIN__SOCKET", &socket)
            .env("TOKEN_SERVER__PROFILE", profile)
            .envs(environment.iter().copied());
        // Rules are kept in one place: the settings of both are a fault.
        if !environment.iter().any(|(name, _)| name.starts_with("TOKEN_SERVER__REDIS__")) {
            command.env("TOKEN_SERVER__STORE__PATH", folder.join("rules.redb"));
        }
        let mut process = Process::start("token-server", command).unwrap();
        let address = poll(DEADLINE, || match process.exited() {
            Some(_) => Some(None),
            None => listening(&process.lines(), "main").map(Some),
        });
        let address =
            address.flatten().unwrap_or_else(|| panic!("token-server does not listen:\n{}", process.log()));
        let admin = eventually("the admin listener", || listening(&process.lines(), "admin"));
        let server = Self { process, address, admin, socket };
        eventually("the token-server is ready", || {
            (ask(&Address::Unix(server.socket.clone()), &Request::get("/ready")).status == 200).then_some(())
        });
        server
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Writes a revocation rule for a subject.
    ///
    /// # Panics
    ///
    /// The server does not store it.
    pub fn revoke(&self, subject: &str, rule: &Value) {
        self.rule_writer().revoke(subject, rule);
    }

    /// Ends a user's tokens that were issued before a time (`1m ago`), as a support desk does: `token-server revoke`.
    ///
    /// # Panics
    ///
    /// The command fails; with what it said.
    pub fn revoke_by_command(&self, user: &str, since: &str) {
        let mut command = Command::new(program("token-server"));
        command.env_clear().args(["revoke", user, "--since", since]);
        let output = command.args(["--server", &format!("unix:{}", self.socket.display())]).output().unwrap();
        let told = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&told));
    }

    /// Writes a rule for a subject that only counts what it would refuse: every token.
    ///
    /// # Panics
    ///
    /// The server does not store it.
    pub fn revoke_on_trial(&self, subject: &str) {
        let body = serde_json::json!({ "rule": { "iat": { "gte": 0 } }, "mode": "shadow" }).to_string();
        let response = self.rules("POST", &format!("/v1/rules/{subject}"), &body);
        assert_eq!(response.status, 201, "{}", String::from_utf8_lossy(&response.body));
    }

    /// Writes a revocation rule for everybody, which never ends.
    ///
    /// # Panics
    ///
    /// The server does not store it.
    pub fn revoke_for_everybody(&self, rule: &Value) {
        let body = serde_json::json!({ "rule": rule, "confirm": true, "forever": true }).to_string();
        let response = self.rules("POST", "/v1/everybody/rules", &body);
        assert_eq!(response.status, 201, "{}", String::from_utf8_lossy(&response.body));
    }

    /// Waits until it has read a subject's rules, of which none refuses: a check waits 60 ms for them, and a busy machine may
    /// take longer. It has the profile `standard`.
    ///
    /// # Panics
    ///
    /// It does not read them, or does not take this bearer token.
    pub fn reads(&self, subject: &str, bearer: &str) {
        let payload = serde_json::json!({ "sub": subject, "exp": now() + 600 });
        let request = Request::line("POST /v1/check HTTP/1.1").bearer(bearer);
        eventually("the rules are read", || (self.check(request.clone(), &payload) == "ok").then_some(()));
    }

    /// What an agent hears about a payload that it has verified: the detail of the verdict. The server has the profile `standard`.
    ///
    /// # Panics
    ///
    /// It does not answer, or without a verdict.
    pub fn verdict_on(&self, payload: &Value) -> String {
        self.check(Request::line("POST /v1/check HTTP/1.1"), payload)
    }

    /// What an agent hears about a token that it cannot open itself. The server has the profile `standard`.
    ///
    /// # Panics
    ///
    /// It does not answer.
    pub fn verdict_on_token(&self, token: &str) -> Value {
        let checks = serde_json::json!([{ "token": token }]);
        let body = serde_json::json!({ "profile": "standard", "budget_ms": BUDGET_MS, "checks": checks });
        self.ask_check(Request::line("POST /v1/check HTTP/1.1"), &body.to_string())
    }

    /// The detail of that verdict.
    ///
    /// # Panics
    ///
    /// It does not answer, or without a verdict.
    pub fn detail_on_token(&self, token: &str) -> String {
        let verdict = self.verdict_on_token(token);
        verdict["detail"].as_str().unwrap_or_else(|| panic!("{verdict}")).to_owned()
    }

    /// The status that a proxy hears about a bearer token at `/verify`.
    pub fn status_of_token(&self, token: &str) -> u16 {
        ask(&self.address, &Request::get("/verify").bearer(token)).status
    }

    fn check(&self, request: Request, payload: &Value) -> String {
        let body =
            serde_json::json!({ "profile": "standard", "checks": [{ "payload": payload }] }).to_string();
        let result = self.ask_check(request, &body);
        result["detail"].as_str().unwrap_or_else(|| panic!("{result}")).to_owned()
    }

    fn ask_check(&self, request: Request, body: &str) -> Value {
        let request = request
            .header("Content-Type", "application/json")
            .header("Content-Length", body.len().to_string());
        let mut client = Client::new(self.address.connect(DEADLINE).unwrap());
        client.write(&[&request.to_bytes(), body.as_bytes()].concat()).unwrap();
        let response = client.response().unwrap();
        assert_eq!(response.status, 200, "{response}");
        let answer: Value = serde_json::from_slice(&response.body).unwrap();
        answer["results"][0].clone()
    }

    /// What it counts, as Prometheus reads it.
    ///
    /// # Panics
    ///
    /// The server does not answer.
    pub fn metrics(&self) -> String {
        let response = ask(&Address::Unix(self.socket.clone()), &Request::get("/metrics"));
        String::from_utf8_lossy(&response.body).into_owned()
    }

    /// Reads decisions of agents as they come, after the `last` ones.
    ///
    /// # Errors
    ///
    /// The status, if it is another one than 200.
    pub fn decisions(&self, last: u32) -> Result<Decisions, u16> {
        Decisions::open(&Address::Unix(self.socket.clone()), last, None)
    }

    /// Deletes the rules of a subject.
    ///
    /// # Panics
    ///
    /// The server does not.
    pub fn restore(&self, subject: &str) {
        let response = self.rules("DELETE", &format!("/v1/rules/{subject}"), "");
        assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
    }

    /// What an old caller hears: a body of no declared type, posted to the root.
    pub fn ask_as_before(&self, body: &str) -> Response {
        let request = Request::line("POST / HTTP/1.1").header("Content-Length", body.len().to_string());
        let mut client = Client::new(self.address.connect(DEADLINE).unwrap());
        client.write(&[&request.to_bytes(), body.as_bytes()].concat()).unwrap();
        client.response().unwrap()
    }

    /// Writes rules from another thread.
    pub fn rule_writer(&self) -> RuleWriter {
        RuleWriter { socket: self.socket.clone() }
    }

    fn rules(&self, method: &str, path: &str, body: &str) -> Response {
        self.rule_writer().ask(method, path, body)
    }
}

/// Writes rules into a running server.
#[derive(Debug)]
pub struct RuleWriter {
    socket: PathBuf,
}

impl RuleWriter {
    /// Writes a revocation rule for a subject.
    ///
    /// # Panics
    ///
    /// The server does not store it.
    pub fn revoke(&self, subject: &str, rule: &Value) {
        let body = serde_json::json!({ "rule": rule }).to_string();
        let response = self.ask("POST", &format!("/v1/rules/{subject}"), &body);
        assert_eq!(response.status, 201, "{}", String::from_utf8_lossy(&response.body));
    }

    /// The JSON of a good answer, if the server gives one.
    pub fn get(&self, path: &str) -> Option<Value> {
        let response = self.try_ask("GET", path, "").ok().filter(|response| response.status == 200)?;
        serde_json::from_slice(&response.body).ok()
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Response {
        self.try_ask(method, path, body).unwrap()
    }

    /// Asks a server that may be down.
    ///
    /// # Errors
    ///
    /// It gives no answer.
    pub fn try_ask(&self, method: &str, path: &str, body: &str) -> io::Result<Response> {
        let request = Request::line(&format!("{method} {path} HTTP/1.1"))
            .header("Content-Type", "application/json")
            .header("Content-Length", body.len().to_string());
        let mut bytes = request.to_bytes();
        bytes.extend_from_slice(body.as_bytes());
        let mut client = Client::new(Address::Unix(self.socket.clone()).connect(DEADLINE)?);
        client.write(&bytes)?;
        client.response()
    }
}
