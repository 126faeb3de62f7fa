//! `jwt-agent --check` for verdicts inside HAProxy, against a real one.

use std::process::Command;

use integration_tests::agent::command;
use integration_tests::haproxy;
use integration_tests::process::repository;
use integration_tests::site::{Plan, Site, VARIABLES};

use crate::operators::{run, text};

fn check(site: &Site, arguments: &[&str]) -> Command {
    let mut check = command();
    check
        .args(["--check"])
        .args(arguments)
        .env("JWT_JWKS_FILE", site.key_file())
        .env("JWT_ADMIN_LISTEN", "127.0.0.1:0")
        .env("JWT_AGENT_LISTEN", format!("unix@{}", site.folder().join("check.sock").display()))
        .env("JWT_VARIABLES", VARIABLES)
        .env("JWT_EDGE_SOCKETS", site.proxies[0].socket())
        .env("JWT_EDGE_MAP", site.proxies[0].map_file("verdicts"))
        .env("JWT_EDGE_LEASES", site.proxies[0].map_file("leases"));
    check
}

#[test]
fn a_check_tells_whether_haproxy_would_use_verdicts_of_this_agent() {
    let site = Site::start(&Plan { has_token_server: false, ..Plan::default() });
    let (major, minor) = haproxy::version();
    let shipped = repository().join("haproxy/haproxy-edge.cfg").display().to_string();
    let stats = site.folder().join("stats.sock0").display().to_string();
    let absent = site.folder().join("absent.sock").display().to_string();
    let good = format!(": HAProxy {major}.{minor}.");
    let cfg = ["--haproxy-cfg", shipped.as_str()];
    for (what, arguments, settings, code, expected) in [
        ("not asked", &[][..], vec![], 0, "edge0.sock: asked with --online"),
        ("asked", &["--online"], vec![], 0, good.as_str()),
        ("rules that fit", &cfg, vec![], 0, "fields body,header,legacy,stateless"),
        (
            "variables of the file",
            &cfg,
            vec![("JWT_VARIABLES", "auto")],
            0,
            "fields body,header,legacy,stateless",
        ),
        (
            "rules for other fields",
            &cfg,
            vec![("JWT_VARIABLES", "body,header,payload.sub")],
            64,
            "takes body,header,legacy,stateless; write \"req.fhdr(authorization),concat('|body,header,payload.sub|',txn.tkn_policy),..\"",
        ),
        (
            "a socket for operators",
            &["--online"],
            vec![("JWT_EDGE_SOCKETS", stats.as_str())],
            1,
            "needs `level admin`",
        ),
        (
            "no socket",
            &["--online"],
            vec![("JWT_EDGE_SOCKETS", absent.as_str())],
            1,
            "haproxy.cfg needs `stats socket` of this path",
        ),
        (
            "a map of another name",
            &["--online"],
            vec![("JWT_EDGE_MAP", "/other.map")],
            1,
            "HAProxy has no map of this name",
        ),
        (
            "leases of another name",
            &["--online"],
            vec![("JWT_EDGE_LEASES", "/other.map")],
            1,
            "HAProxy has no map of this name",
        ),
    ] {
        let output = run(check(&site, arguments).envs(settings), "");
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{what}: {said}");
        assert!(said.contains(expected), "{what}: {said}");
    }
}
