//! MCP clients from npm and PyPI (revision 2026-07-28) before `haproxy-mcp.cfg` and an agent, MCP servers from npm and PyPI behind
//! them, and oidc-provider. A client knows a URL; the rest it learns from 401, the document about the resource, and 403.

use std::fs;
use std::path::Path;
use std::process::Command;

use integration_tests::authority::{Authority, Identity};
use integration_tests::edge::Edge;
use integration_tests::haproxy::Shipped;
use integration_tests::port::free_port;
use integration_tests::process::Process;
use integration_tests::setup::Setup;
use integration_tests::wait::eventually;
use jose::{Resource, ResourceMetadata};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::peers::{answer, haproxies, listening, node, python};

/// All that a client needs, and what it does not see.
pub(crate) struct Place {
    pub(crate) resource: Resource,
    pub(crate) authority: Authority,
    server: Process,
    _identity_provider: Process,
    edge: Edge,
    _folder: TempDir,
}

/// A policy for each tool. What a client needs before it has called any is the laxer one's.
const POLICIES: &str = r#"
[[policies]]
name = "mcp-read"
all_scopes = ["read"]

[[policies]]
name = "mcp-write"
all_scopes = ["write"]

[[mcp]]
policy = "mcp"
use = "mcp-read"
methods = ["server/discover", "tools/list"]

[[mcp]]
policy = "mcp"
use = "mcp-read"
methods = ["tools/call"]
names = ["read_*"]

[[mcp]]
policy = "mcp"
use = "mcp-write"
methods = ["tools/call"]
names = ["delete_*"]
"#;

/// TLS before the shipped file, as another machine may do it.
fn tls(folder: &Path, identity: &Identity, port: u16) -> String {
    let both = folder.join("both.pem");
    let [cert, key] = [&identity.cert, &identity.key].map(|file| fs::read_to_string(file).unwrap());
    fs::write(&both, cert + &key).unwrap();
    format!(
        r#"
frontend tls
    mode tcp
    timeout client 30s
    bind 127.0.0.1:{port} ssl crt {} alpn http/1.1
    default_backend shipped

backend shipped
    mode tcp
    timeout connect 5s
    timeout server 30s
    server edge "${{EDGE_BIND}}"
"#,
        both.display()
    )
}

impl Place {
    fn start(haproxy: &str, server: Command) -> Self {
        Self::with(haproxy, server, POLICIES, |setup| setup)
    }

    /// With these policies of the agent, and `haproxy-mcp.cfg` changed.
    pub(crate) fn with(
        haproxy: &str,
        server: Command,
        policies: &str,
        changed: impl FnOnce(Setup) -> Setup,
    ) -> Self {
        let folder = TempDir::with_prefix("mcp-").unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let authority = Authority::new(folder.path().join("authority.pem"));
        let identity = authority.issue(folder.path(), "localhost");
        let [edge, issuer, behind] = [(); 3].map(|()| free_port().unwrap());

        let mut command = node("identity_provider.mjs");
        command.env("CERTIFICATE", &identity.cert).env("KEY", &identity.key);
        let identity_provider = listening("oidc-provider", command, issuer);
        let issuer = format!("https://localhost:{issuer}");
        let server = listening("the MCP server", server, behind);

        let resource: Resource = format!("https://localhost:{edge}/mcp").parse().unwrap();
        let metadata =
            ResourceMetadata::new(&resource, [issuer.as_str()].into_iter(), ["read", "write"].into_iter());
        let metadata = serde_json::to_string(&metadata).unwrap();
        let edge = changed(Setup::new(Shipped::Mcp))
            .haproxy(haproxy)
            .no_key_file()
            .agent_env("JWT_OIDC_ISSUERS", &issuer)
            .agent_env("JWT_CA_FILE", &authority.file.display().to_string())
            .agent_env("JWT_RESOURCE", resource.as_str())
            .agent_env("JWT_CONFIG", &file("agent.toml", policies))
            .haproxy_env("MCP_SERVER", &format!("127.0.0.1:{behind}"))
            .haproxy_env("MCP_METADATA", &file("metadata.json", &metadata))
            .haproxy_env("MCP_ORIGINS", &file("origins.lst", ""))
            .extra(&tls(folder.path(), &identity, edge))
            .start();
        eventually("the agent has the keys", || edge.agents[0].is_ready().then_some(()));
        Self { resource, authority, server, _identity_provider: identity_provider, edge, _folder: folder }
    }

    /// Waits until the server has said that it ran one more tool, and holds what it said since `before` against `expected`. A
    /// client may have the answer before this process has read what the server wrote.
    fn has_run(&self, before: usize, expected: &[&str]) {
        eventually("the server's word on what it ran", || {
            (self.ran().len() >= before + expected.len()).then_some(())
        });
        assert_eq!(self.ran()[before..], *expected, "{}", self.server.log());
    }

    /// What the server has said of the tools that it ran, in their order.
    fn ran(&self) -> Vec<String> {
        self.said().iter().filter_map(|said| Some(said.get("ran")?.as_str()?.to_owned())).collect()
    }

    fn said(&self) -> Vec<Value> {
        self.server.lines().iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The client lists, reads, and deletes, for which it logs in again; the answer is the token that it had at first.
    fn calls(&self, client: Command) -> String {
        let before = self.ran().len();
        let told = answer(client, &Value::Null);
        let login = |scope: &str| json!({ "scope": scope, "resource": self.resource.as_str() });
        let log = || format!("{}\n{}", self.edge.haproxy.process.log(), self.server.log());
        for (name, expected) in [
            ("tools", json!(["read_x", "delete_x"])),
            ("read", json!("x was read")),
            ("deleted", json!("x was deleted")),
            ("asked", json!([login("read"), login("read write")])),
            ("loginsBefore", json!(1)),
        ] {
            assert_eq!(told[name], expected, "{name} of {told}\n{}", log());
        }
        self.has_run(before, &["read_x", "delete_x"]);
        assert!(self.said().iter().all(|said| said["authorization"].is_null()), "{}", log());
        told["token"].as_str().unwrap().to_owned()
    }

    /// A body that asks for another tool than its header says passes HAProxy, which judges the header, and ends at the server.
    fn refuses_a_body_that_says_otherwise(&self, token: &str) {
        let call = |header: &str, body: &str| {
            let meta = json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": { "name": "a client", "version": "1" },
                "io.modelcontextprotocol/clientCapabilities": {},
            });
            let params = json!({ "name": body, "arguments": {}, "_meta": meta });
            let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
            let (body, host) = (body.to_string(), self.resource.authority());
            let request = format!(
                "POST /mcp HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
                 Accept: application/json, text/event-stream\r\nContent-Type: application/json\r\n\
                 MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: {header}\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
            self.edge.exchange(request.as_bytes()).unwrap()
        };
        let before = self.ran().len();
        let refused = call("read_x", "delete_x");
        let told = String::from_utf8_lossy(&refused.body);
        assert_eq!(refused.status, 400, "{refused}\n{}", self.server.log());
        assert!(told.contains("-32020"), "{refused}");
        assert_eq!(call("delete_x", "read_x").status, 403);
        let same = call("read_x", "read_x");
        assert_eq!(same.status, 200, "{same}");
        // Nothing but this one: it speaks in the order of what it ran.
        self.has_run(before, &["read_x"]);
    }

    fn is_kept_by_each_client(&self) {
        let mut client = node("mcp_client.mjs");
        client.arg(self.resource.as_str()).env("NODE_EXTRA_CA_CERTS", &self.authority.file);
        let token = self.calls(client);
        self.refuses_a_body_that_says_otherwise(&token);

        let mut client = python("mcp_client.py");
        client.arg(self.resource.as_str()).arg(&self.authority.file);
        // It looks for the identity provider by clients of its own making.
        client.env("SSL_CERT_FILE", &self.authority.file);
        let token = self.calls(client);
        self.refuses_a_body_that_says_otherwise(&token);
    }
}

#[test]
fn clients_log_in_and_step_up_before_a_server_from_npm_and_each_haproxy() {
    for haproxy in haproxies() {
        Place::start(haproxy, node("mcp_server.mjs")).is_kept_by_each_client();
    }
}

#[test]
fn clients_log_in_and_step_up_before_a_server_from_pypi_and_each_haproxy() {
    for haproxy in haproxies() {
        Place::start(haproxy, python("mcp_server.py")).is_kept_by_each_client();
    }
}
