//! What the page is looked at with: a whole edge whose token-server shows it, operators of each role, users who come and go.

use std::fs;

use integration_tests::edge::Edge;
use integration_tests::http::{Client, Request};
use integration_tests::keys::{jwks, key};
use integration_tests::setup::Setup;
use integration_tests::socket::Address;
use integration_tests::token::token;
use integration_tests::token_server::TokenServer;
use integration_tests::wait::DEADLINE;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::tab::Tab;

/// The bearer tokens of operators, by their roles.
pub(crate) const OPERATORS: [(&str, &str); 3] = [
    ("read", "4Zk0yQ0pVb2n6cXtE1sG-read"),
    ("revoke", "9fJw3mT7rLq5uHd8aYxB-revoke"),
    ("admin", "c2VjcmV0LW9mLXRoZS1jaQ-admin"),
];

/// The bearer token of agents.
const AGENTS: &str = "token-of-the-agents";

/// An edge, and the files of its token-server.
pub(crate) struct Desk {
    pub(crate) edge: Edge,
    _folder: TempDir,
}

impl Desk {
    pub(crate) fn start() -> Self {
        Self::start_with(&jwks([key("ES256"), key("RS256")]))
    }

    /// With a token-server that has this key set.
    pub(crate) fn start_with(keys: &str) -> Self {
        let folder = TempDir::with_prefix("desk-").unwrap();
        let file = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name).display().to_string()
        };
        let operators = OPERATORS.map(|(role, token)| format!("{role}.person {role} {token}\n"));
        let edge = Setup::denying()
            .token_server_env("TOKEN_SERVER__ADMIN__UI", "true")
            .token_server_env("TOKEN_SERVER__ADMIN__TOKENS_FILE", &file("operators", &operators.concat()))
            .token_server_env("TOKEN_SERVER__JWKS__FILE", &file("keys.json", keys))
            .token_server_env("TOKEN_SERVER__AGENT__TOKENS_FILE", &file("agents", AGENTS))
            .agent_env("JWT_DECISIONS", "full")
            .agent_env("JWT_TOKEN_SERVER_TOKEN_FILE", &file("agent", AGENTS))
            .start();
        Self { edge, _folder: folder }
    }

    pub(crate) fn server(&self) -> &TokenServer {
        self.edge.token_server.as_ref().unwrap()
    }

    /// Where the page is, without a path.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.server().admin)
    }

    /// The page, of an operator of this role.
    pub(crate) fn sign_in(&self, tab: &Tab<'_>, role: &str) {
        tab.open(&format!("{}/ui/", self.origin()));
        tab.type_into("Bearer token", bearer_of(role));
        tab.click("Go on");
        tab.shows(&format!("{role}.person"));
    }

    /// Reports decisions as an agent does.
    pub(crate) fn report(&self, decisions: &[Value], keys: &Value) {
        let report = json!({
            "agent": { "name": "edge2:9000", "version": "0.2.0" },
            "dropped": 0,
            "totals": { "accepted": 5, "refused": {}, "undecided": {} },
            "decisions": decisions,
            "keys": keys,
            "ready": true,
        });
        let body = report.to_string();
        let head = format!(
            "POST /v1/decisions HTTP/1.1\r\nHost: server\r\nAuthorization: Bearer {AGENTS}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        assert_eq!(status_of(&self.server().address, format!("{head}{body}").as_bytes()), 200);
    }

    /// A request with a user's token, good for ten minutes.
    pub(crate) fn request_of(subject: &str) -> Request {
        Request::get("/").bearer(&token(key("ES256"), json!({ "sub": subject })))
    }
}

/// The bearer token of an operator of this role.
pub(crate) fn bearer_of(role: &str) -> &'static str {
    OPERATORS.iter().find(|(known, _)| *known == role).map(|(_, token)| *token).unwrap()
}

/// Sends bytes to a listener as a tool does, and tells the status of the answer.
pub(crate) fn status_of(address: &Address, bytes: &[u8]) -> u16 {
    let mut client = Client::new(address.connect(DEADLINE).unwrap());
    client.write(bytes).unwrap();
    client.response().unwrap().status
}
