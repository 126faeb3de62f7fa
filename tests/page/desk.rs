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
    folder: TempDir,
    settings: Vec<(&'static str, String)>,
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
        let settings = vec![
            ("TOKEN_SERVER__ADMIN__UI", "true".to_owned()),
            ("TOKEN_SERVER__ADMIN__TOKENS_FILE", file("operators", &operators.concat())),
            ("TOKEN_SERVER__JWKS__FILE", file("keys.json", keys)),
            ("TOKEN_SERVER__AGENT__TOKENS_FILE", file("agents", AGENTS)),
        ];
        let setup = Setup::denying()
            .agent_env("JWT_DECISIONS", "full")
            .agent_env("JWT_TOKEN_SERVER_TOKEN_FILE", &file("agent", AGENTS));
        let edge =
            settings.iter().fold(setup, |setup, (name, value)| setup.token_server_env(name, value)).start();
        Self { edge, folder, settings }
    }

    /// Kills the token-server, and starts another one where it was, with the same settings and no rules.
    pub(crate) fn restart_server(&mut self) {
        let mut old = self.edge.token_server.take().unwrap();
        old.process.kill();
        let (address, admin) = (old.address.to_string(), old.admin.to_string());
        drop(old);
        let places = [("TOKEN_SERVER__LISTEN", &*address), ("TOKEN_SERVER__ADMIN__LISTEN", &*admin)];
        let settings = self.settings.iter().map(|(name, value)| (*name, value.as_str()));
        let settings: Vec<_> = settings.chain(places).collect();
        let server = TokenServer::start_with(self.folder.path(), "standard", &settings);
        self.edge.token_server = Some(server);
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
