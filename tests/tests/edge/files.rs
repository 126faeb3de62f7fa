//! The files of the edge against those without, against what the agent makes of them, and against HAProxy at its start.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use integration_tests::haproxy::{Shipped, program};
use integration_tests::process::repository;
use jwt_agent::answer::Variables;
use jwt_agent::haproxy::cfg::HaproxyCfg;
use tempfile::TempDir;

fn text(shipped: Shipped) -> String {
    fs::read_to_string(shipped.path()).unwrap()
}

/// The layout that a file looks for.
fn layout(text: &str) -> Vec<&str> {
    let (_, rest) = text.split_once("req.fhdr(authorization),concat('|").unwrap();
    rest.split('|').next().unwrap().split(',').collect()
}

/// The numbers are given by hand: a wrong one would put one claim into another's variable.
#[test]
fn each_field_goes_into_the_variable_that_the_layout_names_there() {
    for shipped in Shipped::EDGES {
        let text = text(shipped);
        let layout = layout(&text);
        let mut read = Vec::new();
        for line in
            text.lines().map(str::trim).filter(|line| line.starts_with("http-request set-var(txn.tkn."))
        {
            let Some((_, number)) = line.split_once("var(txn.tkn_edge),field(") else { continue };
            let name = line.trim_start_matches("http-request set-var(txn.tkn.").split(')').next().unwrap();
            let number: isize = number.split(',').next().unwrap().parse().unwrap();
            if name != "valid" {
                // Counted from the end where it is negative, so that HAProxy need not read over the long texts; lease and end are there.
                let place = if number < 0 { number + layout.len() as isize + 2 } else { number - 1 };
                assert_eq!(layout.get(usize::try_from(place).unwrap()), Some(&name), "{shipped:?}: {line}");
                read.push(name);
            }
        }
        assert_eq!(read, layout, "{shipped:?}");
        assert_eq!(text.matches("concat('|").count(), 1, "{shipped:?}");
    }
}

/// With `JWT_VARIABLES=auto` agent and file cannot disagree.
#[test]
fn the_layout_of_each_file_is_what_an_agent_finds_in_it() {
    const CONSTANT: [&str; 4] = ["valid", "reason", "detail", "challenge"];
    for shipped in Shipped::EDGES {
        let text = text(shipped);
        let found = HaproxyCfg::parse(&text).unwrap().variables();
        let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
        let found: Vec<&str> =
            found.into_iter().filter(|name| Variables::is_name(name) && !CONSTANT.contains(name)).collect();
        assert_eq!(layout(&text), found, "{shipped:?}");
    }
}

/// What is mended in a file is mended in its twin: they differ in what asks, and in nothing that refuses.
#[test]
fn a_file_of_the_edge_or_of_streams_has_every_line_of_the_one_without_in_its_order() {
    const OTHER: [&str; 3] =
        ["filter spoe engine jwt config", "send-spoe-group jwt-group jwt", "log-format "];
    for shipped in Shipped::EDGES.into_iter().chain(Shipped::STREAMS) {
        let (own, base) = (text(shipped), text(shipped.form()));
        let lines = |text: &'static str| text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let (own, base): (&'static str, &'static str) = (own.leak(), base.leak());
        let mut rest = lines(own);
        for line in lines(base).filter(|line| !OTHER.iter().any(|other| line.contains(other))) {
            assert!(rest.any(|own| own == line), "{shipped:?} has no, or not there: {line}");
        }
        for other in OTHER {
            assert!(own.contains(&other.replace("jwt config", "jwt-group config")), "{shipped:?}: {other}");
        }
    }
}

#[test]
fn the_lines_that_judge_an_entry_are_the_same_in_every_file() {
    let judging = |shipped: Shipped| -> Vec<String> {
        let text = text(shipped);
        let own =
            |line: &&str| line.contains("tkn_e") || line.contains("tkn_now") || line.contains("tkn.source)");
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#')).filter(own);
        let lines = lines.filter(|line| !line.starts_with("log-format") && !line.contains("_edge),field(1,"));
        // Where the policy has a field, those before it lie one further from the end.
        let moved = |line: &str| match text.contains(",policy,") {
            true => line
                .replace(",policy,", ",")
                .replace("field(-5,", "field(-4,")
                .replace("field(-6,", "field(-5,"),
            false => line.to_owned(),
        };
        let lines = lines.map(moved);
        lines.filter(|line| !line.contains("(txn.tkn.policy)")).collect()
    };
    let first = judging(Shipped::EdgeDenying);
    assert!(first.len() >= 14, "{first:?}");
    for shipped in Shipped::EDGES {
        assert_eq!(judging(shipped), first, "{shipped:?}");
    }
}

/// A map that is missing is an edge that does not start, and not one that asks less, or more.
#[test]
fn without_the_file_of_a_map_haproxy_does_not_start_and_says_which() {
    let folder = TempDir::with_prefix("edge-maps-").unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let check = || {
        let mut command = Command::new(program());
        command.args(["-c", "-f"]).arg(Shipped::EdgeDenying.path());
        command.env("JWT_EDGE_MAP", path("verdicts.map")).env("JWT_EDGE_LEASES", path("leases.map"));
        command.env("SPOE_CONF", repository().join("haproxy/spoe-jwt.conf"));
        command.env("STATS_SOCKET", path("stats.sock")).env("JWT_EDGE_SOCKETS", path("edge.sock"));
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for missing in ["verdicts.map", "leases.map"] {
        for name in ["verdicts.map", "leases.map"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert!(check().0, "{}", check().1);
        fs::remove_file(folder.path().join(missing)).unwrap();
        let (started, told) = check();
        assert!(!started && told.contains("failed to open pattern file") && told.contains(missing), "{told}");
    }
}
