//! The whole edge: HAProxy with shipped files, agents, perhaps a token-server, and the backend behind it.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::thread;

use tempfile::TempDir;

use crate::agent::Agent;
use crate::backend::{Backend, Seen};
use crate::haproxy::Haproxy;
use crate::http::{Client, Request, Response};
use crate::kept_verdicts::KeptVerdicts;
use crate::scripted_agent::{Script, ScriptedAgent};
use crate::socket::Address;
use crate::token_server::TokenServer;
use crate::wait::{DEADLINE, eventually};

/// A running edge.
#[derive(Debug)]
pub struct Edge {
    pub haproxy: Haproxy,
    pub agents: Vec<Agent>,
    pub script: Option<ScriptedAgent>,
    pub token_server: Option<TokenServer>,
    pub backend: Backend,
    /// The maps in which HAProxy has verdicts, where the shipped file reads them.
    pub kept: KeptVerdicts,
    pub(crate) edge: Address,
    pub(crate) extra: Address,
    pub(crate) key_file: PathBuf,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) folder: TempDir,
}

impl Edge {
    /// A connection to the shipped frontend.
    ///
    /// # Panics
    ///
    /// HAProxy is gone.
    pub fn client(&self) -> Client {
        Client::new(self.edge.connect(DEADLINE).unwrap())
    }

    /// Where the shipped frontend listens.
    pub fn address(&self) -> &Address {
        &self.edge
    }

    /// Sends bytes and reads a response, if there is one.
    pub fn exchange(&self, bytes: &[u8]) -> io::Result<Response> {
        let mut client = self.client();
        client.write(bytes)?;
        client.response()
    }

    /// # Panics
    ///
    /// There is no response.
    pub fn send(&self, request: &Request) -> Response {
        self.exchange(&request.to_bytes()).unwrap()
    }

    /// Sends to the frontend of the extra file.
    ///
    /// # Panics
    ///
    /// There is no response.
    pub fn send_extra(&self, request: &Request) -> Response {
        crate::agent::ask(&self.extra, request)
    }

    /// What the backend saw of a request that must pass.
    ///
    /// # Panics
    ///
    /// It did not pass.
    pub fn admits(&self, what: &str, request: &Request) -> Seen {
        let before = self.backend.seen().len();
        let response = self.send(request);
        assert_eq!(response.status, 200, "{what}: {response}");
        let seen = self.backend.seen();
        assert_eq!(seen.len(), before + 1, "{what}");
        seen[before].clone()
    }

    /// The response to a request that must not reach the backend.
    ///
    /// # Panics
    ///
    /// It has another status, or the backend saw it.
    pub fn refuses(&self, what: &str, status: u16, request: &Request) -> Response {
        self.refuses_bytes(what, &[status], &request.to_bytes()).unwrap()
    }

    /// The same for any bytes and several statuses; a closed connection is as good as a refusal.
    ///
    /// # Panics
    ///
    /// There is a response of another status, or the backend saw a request.
    pub fn refuses_bytes(&self, what: &str, statuses: &[u16], bytes: &[u8]) -> Option<Response> {
        let before = self.backend.seen();
        let response = self.exchange(bytes).ok();
        if let Some(response) = &response {
            assert!(statuses.contains(&response.status), "{what}: expected {statuses:?}, got {response}");
        }
        let passed = &self.backend.seen()[before.len()..];
        assert!(passed.is_empty(), "{what} reached the backend: {passed:?}");
        response
    }

    /// Replaces the agents' key file as editors and config managers do: whole, by a rename.
    ///
    /// # Panics
    ///
    /// The folder is gone.
    pub fn replace_keys(&self, text: &str) {
        let fresh = self.folder.path().join("keys.new");
        fs::write(&fresh, text).unwrap();
        fs::rename(&fresh, &self.key_file).unwrap();
    }

    /// A number of the only agent's metrics, summed over its labels; one that has counted nothing yet is 0.
    ///
    /// # Panics
    ///
    /// It is no whole number.
    pub fn count(&self, name: &str) -> u64 {
        let metrics = String::from_utf8(self.agents[0].admin("/metrics").body).unwrap();
        let lines = metrics.lines().filter(|line| line.starts_with(name));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }

    /// Waits until requests like this one are answered with this status.
    ///
    /// # Panics
    ///
    /// They never are.
    pub fn comes_to(&self, what: &str, status: u16, request: &Request) {
        eventually(what, || (self.send(request).status == status).then_some(()));
    }

    /// The only script.
    ///
    /// # Panics
    ///
    /// The agents are real.
    pub fn script(&self, script: Script) {
        self.script.as_ref().unwrap().set(script);
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        for file in &self.files {
            eprintln!("== {}\n{}", file.display(), fs::read_to_string(file).unwrap_or_default());
        }
        let processes = [&self.haproxy.process]
            .into_iter()
            .chain(self.agents.iter().map(|agent| &agent.process))
            .chain(self.token_server.iter().map(|server| &server.process));
        for process in processes {
            eprintln!("== log of {}\n{}", process.name(), process.log());
        }
    }
}
