//! Stats sockets that do not allow what is needed, maps of other names, and connections on which nothing happens: the log tells it,
//! the agent is asked meanwhile, and verdicts come back without a restart.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use integration_tests::haproxy::program;
use integration_tests::process::repository;
use integration_tests::site::{Plan, SOURCE, Site};
use integration_tests::wait::eventually;
use serde_json::json;

use super::user;

/// How many connections had this outcome.
fn connections(site: &Site, outcome: &str) -> u64 {
    site.agents[0].metric(&format!(r#"edge_connections_total{{outcome="{outcome}"}}"#))
}

#[test]
fn a_socket_or_a_map_that_does_not_fit_is_told_with_its_cure_and_mended_without_a_restart() {
    let mut site = Site::start(&Plan::default());
    let request = user("alice");
    site.warm(0, "as it should be", &request);
    let other = site.folder().join("other.map").display().to_string();
    fs::write(&other, "").unwrap();
    for (what, right, wrong, cure) in [
        (
            "a socket for operators",
            "mode 660 level admin",
            "mode 660 level operator",
            "needs `level admin` in haproxy.cfg",
        ),
        (
            "verdicts in a map of another name",
            "${JWT_EDGE_MAP}",
            other.as_str(),
            "HAProxy has no map of this name",
        ),
        (
            "leases in a map of another name",
            "${JWT_EDGE_LEASES}",
            other.as_str(),
            "HAProxy has no map of this name",
        ),
    ] {
        let failed = connections(&site, "failed");
        site.proxies[0].change(right, wrong);
        site.proxies[0].reload();
        eventually(what, || (connections(&site, "failed") > failed).then_some(()));
        eventually(what, || site.agents[0].process.log().contains(cure).then_some(()));
        let response = site.send(0, &request);
        assert_eq!((response.status, response.header(SOURCE)), (200, Some("agent")), "{what}");
        site.proxies[0].change(wrong, right);
        site.proxies[0].reload();
        site.warm(0, "as it should be again", &request);
    }
    let socket = site.proxies[0].socket().display().to_string();
    let leased = || site.agents[0].metric(&format!(r#"edge_leased{{socket="{socket}"}}"#)) == 1;
    eventually("the metric says that verdicts are in use", || leased().then_some(()));
}

#[test]
fn a_connection_on_which_nothing_happens_is_kept_open() {
    let site = Site::start(&Plan { global: "    stats timeout 1s".to_owned(), ..Plan::default() });
    let uptime = || {
        let info = site.proxies[0].ask("show info");
        info.lines().find_map(|line| line.strip_prefix("Uptime_sec: ")?.parse::<u64>().ok())
    };
    eventually("the agent is connected", || (connections(&site, "opened") == 1).then_some(()));
    let failed = connections(&site, "failed");
    let begin = eventually("HAProxy tells its age", uptime);
    // Several times as long as HAProxy keeps connections that are silent.
    eventually("some seconds are over", || (uptime()? >= begin + 4).then_some(()));
    site.warm(0, "a token after a silence", &user("alice"));
    assert_eq!((connections(&site, "opened"), connections(&site, "failed")), (1, failed));
}

#[test]
fn two_sockets_of_one_haproxy_do_no_harm() {
    let global = r#"    stats socket "${JWT_EDGE_SOCKETS}.again" mode 660 level admin"#;
    let mut site = Site::start(&Plan { global: global.to_owned(), ..Plan::default() });
    let socket = site.proxies[0].socket().display().to_string();
    site.restart_agent(0, &[("JWT_EDGE_SOCKETS".to_owned(), format!("{socket},{socket}.again"))]);
    eventually("both are used", || (connections(&site, "opened") == 2).then_some(()));
    let (alice, bob) = (user("alice"), user("bob"));
    site.warm(0, "alice", &alice);
    site.warm(0, "bob", &bob);
    site.token_server.as_ref().unwrap().revoke("alice", &json!({"sub": "alice"}));
    site.comes_to(0, "the rule", 401, &alice);
    site.warm(0, "bob, as before", &bob);
    // Each writes under names of its own, so that neither ends, nor renews, what the other one wrote. What is offered before a
    // connection is ready it does not take, so that more has to be offered until both have written.
    let mut number = 0;
    eventually("each socket has a lease of its own", || {
        number += 1;
        site.warm(0, "one of a crowd", &user(&format!("crowd{number}")));
        let leases: Vec<_> = site.proxies[0].leases().into_iter().map(|(name, _)| name).collect();
        let different: BTreeSet<_> = leases.iter().collect();
        assert_eq!(leases.len(), different.len(), "{leases:?}");
        (leases.len() == 2).then_some(())
    });
}

#[test]
fn haproxy_does_not_start_without_a_file_of_its_maps_and_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for missing in ["verdicts.map", "leases.map"] {
        for map in ["verdicts.map", "leases.map"] {
            fs::write(path(map), "").unwrap();
        }
        fs::remove_file(path(missing)).unwrap();
        let output = Command::new(program())
            .args(["-c", "-f"])
            .arg(repository().join("haproxy/haproxy-edge.cfg"))
            .env("JWT_EDGE_MAP", path("verdicts.map"))
            .env("JWT_EDGE_LEASES", path("leases.map"))
            .env("SPOE_CONF", repository().join("haproxy/spoe-jwt.conf"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{missing}: {said}");
        let told = format!("failed to open pattern file <{}>", path(missing).display());
        assert!(said.contains(&told), "{missing}: {said}");
    }
}
