//! A scanner of the authorization of MCP servers (PyPI `mcp-authlab`), which speaks the revision 2025-06-18, before
//! `haproxy-mcp.cfg` as docs/MCP.md changes it for servers of such revisions, and before the file as it is shipped. It registers
//! with oidc-provider and logs in, as its user would.

use std::fs;
use std::process::Command;

use integration_tests::process::repository;
use integration_tests::setup::Setup;
use serde_json::Value;
use tempfile::TempDir;

use crate::mcp::Place;
use crate::peers::{haproxies, node, python, python_module};

/// One policy for all calls.
const POLICIES: &str = r#"
[[policies]]
name = "mcp-server"
all_scopes = ["read"]
"#;

/// What docs/MCP.md has changed for servers of older revisions: the line as it is shipped, and as it becomes.
const CHANGES: [(&str, &str); 4] = [
    ("http-request set-var(txn.tkn_policy) str(mcp)", "http-request set-var(txn.tkn_policy) str(mcp-server)"),
    (
        "hdr Access-Control-Allow-Methods POST hdr",
        "hdr Access-Control-Allow-Methods \"GET, POST, DELETE\" hdr",
    ),
    ("errorfiles unless { method POST }", "errorfiles unless { method GET POST DELETE }"),
    ("set-header Allow POST if", "set-header Allow \"GET, POST, DELETE\" if"),
];

fn older(setup: Setup) -> Setup {
    CHANGES.into_iter().fold(setup, |setup, (from, to)| setup.change(from, to))
}

/// What the scanner says of each of its checks, in their order: the name, the status, the reason.
fn scanned(place: &Place) -> Vec<(String, String, String)> {
    let home = TempDir::with_prefix("authlab-").unwrap();
    let run = |arguments: &[&str]| {
        let browser = node("browser.mjs");
        let browser = [browser.get_program(), browser.get_args().next().unwrap()];
        let [program, script] = browser.map(|part| part.to_str().unwrap());
        let mut command = python_module("mcp_authlab");
        command.args(arguments).arg(place.resource.as_str());
        command.env("HOME", home.path()).env("XDG_CONFIG_HOME", home.path());
        command.env("BROWSER", format!("{program} {script} %s"));
        command.env("SSL_CERT_FILE", &place.authority.file).env("NODE_EXTRA_CA_CERTS", &place.authority.file);
        said(command)
    };
    run(&["login", "--scope", "read", "--timeout", "30", "--no-color"]);
    let report = run(&["scan", "--format", "json", "--tool", "read_x"]);
    let report: Value = serde_json::from_str(&report).unwrap_or_else(|error| panic!("{error}: {report}"));
    let text = |result: &Value, name: &str| result[name].as_str().unwrap().to_owned();
    let results = report["results"].as_array().unwrap_or_else(|| panic!("{report}"));
    results.iter().map(|it| (text(it, "id"), text(it, "status"), text(it, "message"))).collect()
}

/// What a program prints. It ends with a code of its own where it finds something.
fn said(mut program: Command) -> String {
    let output = program.output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|code| code <= 2), "{}\n{log}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    eprintln!("{text}\n{log}");
    text
}

#[test]
fn the_changes_for_older_revisions_are_those_of_the_guide() {
    let guide = fs::read_to_string(repository().join("docs/MCP.md")).unwrap();
    for (from, to) in CHANGES {
        assert!(guide.contains(to) && !to.contains(from), "{to}");
    }
}

#[test]
fn a_scanner_finds_nothing_at_a_server_of_an_older_revision_behind_each_haproxy() {
    for haproxy in haproxies() {
        // The one of the two whose sessions have a number.
        let place = Place::with(haproxy, python("mcp_server.py"), POLICIES, older);
        let found = scanned(&place);
        let skipped: Vec<_> = found.iter().filter(|(_, status, _)| status != "pass").collect();
        // That provider hands out no refresh token here.
        assert!(
            matches!(skipped[..], [(id, status, _)] if id == "ASF-05" && status == "skip"),
            "{skipped:#?}"
        );
        let ran = |name: &str| found.iter().any(|(id, _, _)| id == name);
        assert!(["CHAL-02", "TOK-02", "TOK-03", "SESS-01", "ORIG-01"].into_iter().all(ran), "{found:#?}");
    }
}
