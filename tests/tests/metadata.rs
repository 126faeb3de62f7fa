//! `jwt-agent metadata`: the document about an API (RFC 9728), and HAProxy serving it by the lines of docs/CHALLENGES.md.

use std::fs;
use std::process::Command;

use integration_tests::agent::command;
use integration_tests::http::Request;
use integration_tests::process::repository;
use integration_tests::setup::Setup;
use serde_json::{Value, json};

use crate::operators::{Folder, run, text};

const ISSUER: &str = "https://id.example.com";

fn metadata(folder: &Folder, settings: &[(&str, &str)]) -> Command {
    let mut metadata = command();
    metadata.arg("metadata").env("JWT_JWKS_FILE", folder.path("keys.json"));
    metadata.envs(settings.iter().copied());
    metadata
}

/// The lines of the document, with variables in the place of a path and a file.
fn served(shipped: &str, _: &std::path::Path) -> String {
    let document = fs::read_to_string(repository().join("docs/CHALLENGES.md")).unwrap();
    let is_ours = |line: &&str| line.starts_with("    ") && line.contains("tkn_metadata");
    let lines: Vec<&str> = document.lines().filter(is_ours).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    let lines = lines
        .join("\n")
        .replace("/.well-known/oauth-protected-resource/orders", "\"${METADATA_PATH}\"")
        .replace("/etc/haproxy/metadata.json", "\"${METADATA_FILE}\"");
    assert!(lines.contains("METADATA_PATH") && lines.contains("METADATA_FILE"), "{lines}");
    let mark = "    # Paths that need no token.";
    assert_eq!(shipped.matches(mark).count(), 1);
    shipped.replace(mark, &format!("{lines}\n{mark}"))
}

#[test]
fn haproxy_serves_the_document_that_the_challenge_leads_to() {
    const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
    for (resource, host, path) in [
        ("https://api.example.com", "api.example.com", ""),
        ("https://api.example.com/orders", "api.example.com", "/orders"),
        ("https://api.example.com:8443/v1/orders", "api.example.com:8443", "/v1/orders"),
        ("https://[2001:db8::1]/a%20b", "[2001:db8::1]", "/a%20b"),
    ] {
        let folder = Folder::new();
        let settings = [("JWT_RESOURCE", resource), ("JWT_ISSUERS", ISSUER)];
        let printed = run(&mut metadata(&folder, &settings), "");
        assert!(printed.status.success(), "{resource}: {}", text(&printed.stderr));
        assert_eq!(text(&printed.stderr), "", "{resource}");
        let told: Value = serde_json::from_slice(&printed.stdout).unwrap();
        let expected = json!({
            "resource": resource,
            "authorization_servers": [ISSUER],
            "bearer_methods_supported": ["header"],
        });
        assert_eq!(told, expected);

        let path = format!("{WELL_KNOWN}{path}");
        let edge = Setup::denying()
            .agent_env("JWT_RESOURCE", resource)
            .haproxy_env("METADATA_PATH", &path)
            .haproxy_env("METADATA_FILE", &folder.write("metadata.json", &text(&printed.stdout)))
            .edit(served)
            .start();
        let refused = edge.refuses("no token", 401, &Request::get("/"));
        let expected = format!(r#"Bearer realm="api", resource_metadata="https://{host}{path}""#);
        assert_eq!(refused.header("www-authenticate"), Some(expected.as_str()));

        let found = edge.refuses(resource, 200, &Request::get(&path).header("Origin", "https://app.example"));
        assert_eq!(text(&found.body), text(&printed.stdout), "{resource}");
        for (name, value) in [
            ("content-type", "application/json"),
            ("access-control-allow-origin", "*"),
            ("cache-control", "public, max-age=3600"),
            ("www-authenticate", ""),
        ] {
            assert_eq!(found.header(name).unwrap_or_default(), value, "{resource}: {name}");
        }
        for other in [format!("{path}/"), format!("{path}x"), path.to_uppercase()] {
            edge.refuses(&other, 401, &Request::get(&other));
        }
        edge.refuses("another method", 401, &Request::line(&format!("POST {path} HTTP/1.1")));
    }
}

const TABLES: &str = r#"
JWT_ISSUERS = ["https://id.example.com"]

[[policies]]
name = "read"
resource = "https://api.example.com/orders"
all_scopes = ["read"]

[[policies]]
name = "write"
resource = "https://api.example.com/orders"
all_scopes = ["write"]

[[policies]]
name = "pay"
resource = "https://pay.example.com"

[[policies]]
name = "inner"

[[mcp]]
policy = "mcp"
use = "write"
methods = ["*"]
"#;

#[test]
fn a_document_is_about_one_api_and_has_the_scopes_of_all_its_policies() {
    let folder = Folder::new();
    let config = folder.write("agent.toml", TABLES);
    let of = |policy: &[&str]| run(metadata(&folder, &[("JWT_CONFIG", &config)]).args(policy), "");
    for (policy, resource, scopes) in [
        ("read", "https://api.example.com/orders", json!(["read", "write"])),
        ("write", "https://api.example.com/orders", json!(["read", "write"])),
        ("mcp", "https://api.example.com/orders", json!(["read", "write"])),
        ("pay", "https://pay.example.com", Value::Null),
    ] {
        let printed = of(&["--policy", policy]);
        assert!(printed.status.success(), "{policy}: {}", text(&printed.stderr));
        let told: Value = serde_json::from_slice(&printed.stdout).unwrap();
        assert_eq!((&told["resource"], &told["scopes_supported"]), (&json!(resource), &scopes), "{policy}");
    }
    for (policy, fault) in [
        (&[][..], "the policies protect several APIs; write --policy and one of: read, pay"),
        (&["--policy", "inner"], "JWT_RESOURCE: not set"),
        (
            &["--policy", "novel"],
            "--policy novel: no policy has that name; there are: default, read, write, pay, inner",
        ),
    ] {
        let printed = of(policy);
        let told = text(&printed.stderr);
        assert_eq!(printed.status.code(), Some(64), "{policy:?}: {told}");
        assert!(told.contains(fault) && printed.stdout.is_empty(), "{policy:?}: {told}");
    }
}

#[test]
fn what_is_missing_is_told_with_what_to_set() {
    let folder = Folder::new();
    let printed = run(&mut metadata(&folder, &[]), "");
    let told = text(&printed.stderr);
    assert_eq!(printed.status.code(), Some(64), "{told}");
    assert!(told.contains("JWT_RESOURCE: not set") && told.contains("such as https://"), "{told}");

    let printed = run(&mut metadata(&folder, &[("JWT_RESOURCE", "https://api.example.com")]), "");
    let told = text(&printed.stderr);
    assert!(
        printed.status.success() && told.contains("warning: no issuer is named by an https URL"),
        "{told}"
    );

    let printed = run(&mut metadata(&folder, &[("JWT_RESOURCE", "http://api.example.com")]), "");
    let told = text(&printed.stderr);
    assert!(printed.status.code() == Some(64) && told.contains("JWT_RESOURCE: expected a URL"), "{told}");
}
