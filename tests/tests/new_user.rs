//! A new user: HAProxy as Debian sets it up, an application, an issuer. Two commands protect the application, and no editor.

use std::fs;
use std::path::Path;
use std::process::Command;

use integration_tests::agent::{self, Agent};
use integration_tests::backend::Backend;
use integration_tests::haproxy::{Haproxy, program};
use integration_tests::http::Request;
use integration_tests::key_server::KeyServer;
use integration_tests::keys::{SigningKey, jwks};
use integration_tests::socket::Address;
use integration_tests::token::{forge_signature, token};
use serde_json::json;
use tempfile::TempDir;

/// What Debian's package sets up, but for the user that HAProxy changes to, with a frontend and an application added.
const BEFORE: &str = "\
global
    log /dev/log local0
    log /dev/log local1 notice
    stats socket FOLDER/admin.sock mode 660 level admin
    stats timeout 30s
    ca-base /etc/ssl/certs
    crt-base /etc/ssl/private

defaults
    log     global
    mode    http
    option  httplog
    option  dontlognull
    timeout connect 5000
    timeout client  50000
    timeout server  50000

frontend web
    bind unix@FOLDER/web.sock
    default_backend app

backend app
    server app1 unix@FOLDER/app.sock
";

/// The second command, as haproxy/README.md has it: `sed` puts our lines below the head of the user's backend.
fn insert(folder: &Path) {
    let script =
        "sed -i '/^backend app$/r jwt/haproxy-lines.cfg' haproxy.cfg && cat jwt/jwt-agents.cfg >>haproxy.cfg";
    let readme =
        fs::read_to_string(integration_tests::process::repository().join("haproxy/README.md")).unwrap();
    let documented =
        script.replace("jwt/", "/etc/haproxy/jwt/").replace(" haproxy.cfg", " /etc/haproxy/haproxy.cfg");
    let documented = documented.replace(">>haproxy.cfg", ">>/etc/haproxy/haproxy.cfg");
    assert!(readme.contains(&documented), "haproxy/README.md does not say: {documented}");
    let status = Command::new("sh").args(["-ec", script]).current_dir(folder).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_new_user_protects_an_application_with_two_commands() {
    let folder = TempDir::with_prefix("new-user-").unwrap();
    let path = |name: &str| folder.path().join(name);
    let before = BEFORE.replace("FOLDER", &folder.path().display().to_string());
    fs::write(path("haproxy.cfg"), &before).unwrap();
    let application = Backend::start(&Address::Unix(path("app.sock"))).unwrap();

    let written = agent::command()
        .args(["haproxy-config", "--backend", "app", "--open", "/health", "--claims", "sub"])
        .args(["--agents", &format!("unix@{}", path("agent.sock").display()), "--out"])
        .arg(path("jwt"))
        .output()
        .unwrap();
    assert!(written.status.success(), "{written:?}");
    insert(folder.path());
    let after = fs::read_to_string(path("haproxy.cfg")).unwrap();
    let ours = fs::read_to_string(path("jwt/haproxy-lines.cfg")).unwrap();
    let agents = fs::read_to_string(path("jwt/jwt-agents.cfg")).unwrap();
    assert_eq!(after.replace(&ours, "").replace(&agents, ""), before, "nothing of the user's is changed");
    let check = Command::new(program()).args(["-c", "-f"]).arg(path("haproxy.cfg")).output().unwrap();
    assert!(check.status.success(), "{check:?}");

    let key = SigningKey::generate("ES256", "first");
    let issuer = KeyServer::issuer(&jwks([&key]));
    let environment = [("JWT_OIDC_ISSUERS", issuer.as_str()), ("JWT_AUDIENCES", "app")]
        .map(|(name, value)| (name.into(), value.into()));
    let agent = Agent::start("agent", Address::Unix(path("agent.sock")), &environment);
    agent.wait_ready();
    let web = Address::Unix(path("web.sock"));
    let haproxy = Haproxy::start(&[path("haproxy.cfg")], &[], &web, &path("admin.sock"));
    haproxy.wait_agents_up(&[("agent1", true)]);

    let good = token(&key, json!({"iss": issuer, "aud": "app"}));
    let other_audience = token(&key, json!({"iss": issuer, "aud": "other"}));
    let with = |token: &str| Request::get("/orders").bearer(token).header("X-User-Id", "root");
    for (what, request, status) in [
        ("no token", Request::get("/orders"), 401),
        ("a good token", with(&good), 200),
        ("a forged token", with(&forge_signature(&good)), 401),
        ("a token for another application", with(&other_audience), 401),
        ("a public path", Request::get("/health"), 200),
        ("a public path in an odd spelling", Request::get("//health"), 401),
    ] {
        let before = application.seen().len();
        let response = agent::ask(&web, &request);
        assert_eq!(response.status, status, "{what}: {response}\n{}", haproxy.process.log());
        let seen = application.seen().split_off(before);
        assert_eq!(seen.len(), usize::from(status == 200), "{what}: {seen:?}");
        if what == "a good token" {
            assert_eq!(seen[0].header("x-user-id"), Some("alice"), "{seen:?}");
        }
    }
}
