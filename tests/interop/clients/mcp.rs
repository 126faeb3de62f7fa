//! MCP clients from npm and PyPI (revision 2026-07-28) before HAProxy and an agent, an MCP server behind them, and
//! oidc-provider. A client knows a URL; the rest it learns from 401, the document about the resource, and 403.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use integration_tests::authority::{Authority, Identity};
use integration_tests::edge::Edge;
use integration_tests::port::free_port;
use integration_tests::process::Process;
use integration_tests::setup::Setup;
use integration_tests::wait::eventually;
use jose::{Resource, ResourceMetadata};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::peers::{answer, node, python};

/// All that a client needs, and what it does not see.
struct Place {
    resource: Resource,
    authority: Authority,
    server: Process,
    _identity_provider: Process,
    edge: Edge,
    _folder: TempDir,
}

impl Place {
    fn start() -> Self {
        let folder = TempDir::with_prefix("mcp-").unwrap();
        let authority = Authority::new(folder.path().join("authority.pem"));
        let identity = authority.issue(folder.path(), "localhost");
        let [edge, issuer, server] = [(); 3].map(|()| free_port().unwrap());

        let mut command = node("identity_provider.mjs");
        command.env("PORT", issuer.to_string());
        command.env("CERTIFICATE", &identity.cert).env("KEY", &identity.key);
        let identity_provider = listening("oidc-provider", command, issuer);
        let issuer = format!("https://localhost:{issuer}");
        let mut command = node("mcp_server.mjs");
        command.env("PORT", server.to_string());
        let process = listening("the MCP server", command, server);

        let resource: Resource = format!("https://localhost:{edge}/mcp").parse().unwrap();
        let config = folder.path().join("agent.toml");
        fs::write(&config, POLICIES).unwrap();
        let edge = Setup::denying()
            .no_key_file()
            .agent_env("JWT_OIDC_ISSUERS", &issuer)
            .agent_env("JWT_CA_FILE", &authority.file.display().to_string())
            .agent_env("JWT_AUDIENCES", resource.as_str())
            .agent_env("JWT_CONFIG", &config.display().to_string())
            .extra(&frontend(folder.path(), &identity, edge, server, &resource, &issuer))
            .start();
        eventually("the agent has the keys", || edge.agents[0].is_ready().then_some(()));
        Self {
            resource,
            authority,
            server: process,
            _identity_provider: identity_provider,
            edge,
            _folder: folder,
        }
    }

    /// What the client did, and that the server saw each call once, without a token.
    fn tell(&self, client: Command) {
        let told = answer(client, &Value::Null);
        let login = |scope: &str| json!({ "scope": scope, "resource": self.resource.as_str() });
        let expected = json!({
            "tools": ["read_x", "delete_x"],
            "read": "x was read",
            "deleted": "x was deleted",
            "asked": [login("read"), login("read write")],
            "loginsBefore": 1,
        });
        assert_eq!(told, expected, "{}\n{}", self.edge.haproxy.process.log(), self.server.log());
        let seen: Vec<Value> =
            self.server.lines().iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let call = |name: &str| json!({ "method": "tools/call", "name": name });
        for call in [call("read_x"), call("delete_x")] {
            assert_eq!(seen.iter().filter(|seen| **seen == call).count(), 1, "{call} of {seen:?}");
        }
        assert!(seen.iter().all(|seen| seen.get("authorization").is_none()), "{seen:?}");
    }
}

const POLICIES: &str = r#"
[[policies]]
name = "use"
all_scopes = ["read"]

[[policies]]
name = "delete"
all_scopes = ["write"]
"#;

/// A policy for each tool, by the header that names it. The server compares it with the body.
fn frontend(
    folder: &Path,
    identity: &Identity,
    port: u16,
    server: u16,
    resource: &Resource,
    issuer: &str,
) -> String {
    let both = folder.join("both.pem");
    let [cert, key] = [&identity.cert, &identity.key].map(|file| fs::read_to_string(file).unwrap());
    fs::write(&both, cert + &key).unwrap();
    let document = folder.join("resource.json");
    let metadata = ResourceMetadata::new(resource, [issuer].into_iter(), ["read", "write"].into_iter());
    fs::write(&document, serde_json::to_string(&metadata).unwrap()).unwrap();
    let (both, document) = (both.display(), document.display());
    let (path, url) = (resource.metadata_path(), resource.metadata_url());
    format!(
        r#"
frontend mcp
    mode http
    timeout client 30s
    bind 127.0.0.1:{port} ssl crt {both} alpn h2,http/1.1
    filter spoe engine jwt-group config "${{SPOE_CONF}}"
    http-request return status 200 content-type application/json file {document} if {{ path -m str {path} }} {{ method GET }}
    http-request deny status 404 unless {{ path -m str /mcp }} {{ method POST }}
    http-request set-var(txn.tkn_policy) str(delete)
    http-request set-var(txn.tkn_policy) str(use) if {{ req.fhdr(mcp-method) -m str server/discover tools/list }} || {{ req.fhdr(mcp-name) -m str read_x }}
    http-request send-spoe-group jwt-group jwt
    http-request deny status 503 unless {{ var(txn.tkn.valid) -m found }}
    http-request deny status 403 hdr WWW-Authenticate "Bearer realm=\"api\", scope=\"write\", resource_metadata=\"{url}\", error=\"insufficient_scope\"" if {{ var(txn.tkn.reason) -m str E_TKN_FORBIDDEN }}
    http-request deny status 401 hdr WWW-Authenticate "Bearer realm=\"api\", scope=\"read\", resource_metadata=\"{url}\"" unless {{ var(txn.tkn.valid) -m bool }}
    http-request deny status 503 unless {{ var(txn.tkn.policy),strcmp(txn.tkn_policy) eq 0 }}
    http-request del-header authorization
    default_backend mcp

backend mcp
    mode http
    timeout connect 5s
    timeout server 30s
    server mcp 127.0.0.1:{server}
"#
    )
}

/// A program that listens.
fn listening(name: &str, command: Command, port: u16) -> Process {
    let mut process = Process::start(name, command).unwrap();
    eventually(name, || {
        assert!(process.exited().is_none(), "{name} does not come up:\n{}", process.log());
        TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(())
    });
    process
}

#[test]
fn a_client_from_npm_logs_in_and_steps_up_by_itself() {
    let place = Place::start();
    let mut client = node("mcp_client.mjs");
    client.arg(place.resource.as_str()).env("NODE_EXTRA_CA_CERTS", &place.authority.file);
    place.tell(client);
}

#[test]
fn a_client_from_pypi_logs_in_and_steps_up_by_itself() {
    let place = Place::start();
    let mut client = python("mcp_client.py");
    client.arg(place.resource.as_str()).arg(&place.authority.file);
    // It looks for the identity provider by clients of its own making.
    client.env("SSL_CERT_FILE", &place.authority.file);
    place.tell(client);
}
