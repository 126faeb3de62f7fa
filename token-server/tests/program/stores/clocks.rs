//! Clocks that differ: rules end by the clock of Redis, whatever a token-server's says.

use std::time::{SystemTime, UNIX_EPOCH};

use integration_tests::stores::{Cluster, Redis, SentinelGroup};
use integration_tests::under_load::clock::Clock;

use super::{FOREVER, RedisBacked, eventually};

const HOUR: i64 = 3_600;

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// A server whose clock is off, on a Redis whose clock is right.
fn hold(settings: &[(&str, &str)], master: &Redis, ahead: i64) {
    master.write("anna", r#"{"rt":"live"}"#, now() + HOUR / 2);
    master.write("anna", r#"{"rt":"ended"}"#, now() - 2 * HOUR);
    let clock = Clock::start();
    clock.set(ahead);
    let environment = clock.environment();
    let environment: Vec<_> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let settings = [settings, &environment, &[("TOKEN_SERVER__CACHE__TTL", FOREVER)]].concat();
    let server = RedisBacked::start(&settings);
    let warned = server.server.log_line(|line| line["seconds"].is_i64() && line["level"] == "WARN");
    assert!((warned["seconds"].as_i64().unwrap() - ahead).abs() < 60, "{warned}");
    eventually("what has ended by the clock of Redis is removed", || master.rules("anna") == 1);
    assert_eq!(server.check("anna", "live"), "revoked", "it has not ended by both clocks");
    assert_eq!(server.check("anna", "ended"), "ok");
    let shown = server.metric("token_server_store_clock_ahead_seconds");
    assert!((shown - ahead).abs() < 60, "{shown}");
    // A removal of everything would have come with the one above.
    assert_eq!(master.rules("anna"), 1);
}

#[test]
fn a_server_whose_clock_is_off_removes_no_live_rule_and_goes_on_to_hold_it() {
    for ahead in [HOUR, -HOUR] {
        let redis = Redis::start(&[]);
        hold(&[("TOKEN_SERVER__REDIS__URLS", redis.url())], &redis, ahead);
    }
}

#[test]
fn the_clock_that_counts_is_that_of_the_master_behind_sentinels() {
    let group = SentinelGroup::start(&[]);
    let urls = group.urls();
    let settings = [
        ("TOKEN_SERVER__REDIS__MODE", "sentinel"),
        ("TOKEN_SERVER__REDIS__MASTER", "rules"),
        ("TOKEN_SERVER__REDIS__URLS", urls.as_str()),
    ];
    hold(&settings, &group.master, HOUR);
}

#[test]
fn the_clock_that_counts_is_that_of_the_slots_master_in_a_cluster() {
    let cluster = Cluster::start(&[]);
    let urls = cluster.urls();
    let settings = [("TOKEN_SERVER__REDIS__MODE", "cluster"), ("TOKEN_SERVER__REDIS__URLS", urls.as_str())];
    hold(&settings, &cluster.nodes[cluster.owner()], HOUR);
}
