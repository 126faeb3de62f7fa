//! Alerts and the runbook beside the metrics that they name.

use super::*;

#[test]
fn each_alert_names_a_place_of_the_runbook_and_each_place_is_of_an_alert() {
    let read =
        |file: &str| std::fs::read_to_string(format!("{}/../{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let (alerts, runbook) = (read("dashboards/alerts.yml"), read("docs/RUNBOOK.md"));
    let mut named = Vec::new();
    for rule in alerts.split("- alert: ").skip(1) {
        let name = rule.lines().next().unwrap();
        let url = format!("runbook_url: \"docs/RUNBOOK.md#{}\"", name.to_lowercase());
        assert_eq!(rule.matches("runbook_url:").count(), 1, "{name}");
        assert!(rule.contains(&url), "{name} has not {url}");
        named.push(name);
    }
    let places: Vec<_> = runbook.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert!(named.len() > 20);
    assert_eq!(places, named, "in one order");
}

#[test]
fn no_server_left_and_a_silent_feed_are_alerted_on() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../dashboards/alerts.yml");
    let alerts = std::fs::read_to_string(file).unwrap();
    for metric in [
        "jwt_agent_token_servers_up == 0",
        "jwt_agent_feed_heard_timestamp_seconds",
        "jwt_agent_feed_complete",
        "jwt_agent_feed_gaps_total",
    ] {
        assert!(alerts.contains(metric), "{metric}");
    }
}

#[test]
fn each_detail_that_an_alert_names_is_one_and_faults_of_the_configuration_have_one() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../dashboards/alerts.yml");
    let alerts = std::fs::read_to_string(file).unwrap();
    let named: Vec<_> =
        alerts.split("detail=").skip(1).flat_map(|rest| rest.split('"').nth(1).unwrap().split('|')).collect();
    for detail in &named {
        assert!(Reject::from_detail(detail).is_some(), "{detail}");
    }
    for reject in [Reject::UnknownPolicy, Reject::Argument] {
        assert!(named.contains(&reject.detail()), "{}", reject.detail());
    }
}
