//! A transmitter of shared signals (OpenID SSF 1.0) in a program of its own, `tests/interop/transmitter.mjs`, which says what it is.

use serde_json::{Value, json};

use crate::http::{Client, Request};
use crate::interop;
use crate::process::Process;
use crate::socket::Address;
use crate::wait::{DEADLINE, eventually};

/// Whom its tokens are for.
pub const AUDIENCE: &str = "https://edge.example.com";
/// The stream that it has.
pub const STREAM_ID: &str = "stream-1";
/// The bearer token that it wants.
pub const TOKEN: &str = "a-token-for-polls";

/// A running transmitter.
#[derive(Debug)]
pub struct Transmitter {
    /// What its URLs begin with, and its `iss`.
    pub origin: String,
    control: Address,
    process: Process,
}

impl Transmitter {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// It does not come up; with its log.
    pub fn start() -> Self {
        let mut command = interop::node("transmitter.mjs");
        command.args([AUDIENCE, STREAM_ID, &format!("Bearer {TOKEN}")]);
        let process = Process::start("transmitter", command).unwrap();
        let places: Value = eventually("the transmitter listens", || {
            process
                .lines()
                .first()
                .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{}", process.log())))
        });
        let control = places["control"].as_str().unwrap().trim_start_matches("http://");
        let control = Address::Tcp(control.parse().unwrap());
        Self { origin: places["origin"].as_str().unwrap().to_owned(), control, process }
    }

    /// Changes how it behaves.
    ///
    /// # Panics
    ///
    /// It does not answer.
    pub fn set(&self, mode: Value) {
        self.control(&json!({ "mode": mode }));
    }

    /// Sends a token of these claims, on top of the usual ones, and returns its name.
    ///
    /// # Panics
    ///
    /// It does not answer.
    pub fn send(&self, claims: Value) -> String {
        self.send_as(&json!({ "claims": claims }))
    }

    /// The same, with what else its control port takes.
    ///
    /// # Panics
    ///
    /// It does not answer.
    pub fn send_as(&self, event: &Value) -> String {
        self.control(&json!({ "send": [event] }))["sent"][0]["jti"].as_str().unwrap().to_owned()
    }

    /// What it has seen.
    ///
    /// # Panics
    ///
    /// It does not answer.
    pub fn seen(&self) -> Value {
        self.control(&json!({}))
    }

    /// Waits until it has seen this acknowledged.
    ///
    /// # Panics
    ///
    /// It does not; with its log.
    pub fn acknowledged(&self, jti: &str) {
        eventually("the token is acknowledged", || self.has_acknowledged(jti).then_some(()));
    }

    /// Whether this was acknowledged.
    pub fn has_acknowledged(&self, jti: &str) -> bool {
        self.seen()["acks"].as_array().is_some_and(|acks| acks.contains(&jti.into()))
    }

    fn control(&self, command: &Value) -> Value {
        let body = command.to_string();
        let request = Request::line("POST / HTTP/1.1").header("Content-Length", body.len().to_string());
        let mut client = Client::new(self.control.connect(DEADLINE).unwrap());
        client.write(&[&request.to_bytes(), body.as_bytes()].concat()).unwrap();
        let response = client.response().unwrap();
        assert_eq!(response.status, 200, "{}", self.process.log());
        serde_json::from_slice(&response.body).unwrap()
    }
}
