//! Sentinel: the master dies, a replica takes its place, and the rules that were acknowledged are there.

use std::time::{Duration, Instant};

use integration_tests::stores::SentinelGroup;

use super::{FOREVER, RedisBacked, eventually};

fn start(group: &SentinelGroup) -> RedisBacked {
    let urls = group.urls();
    let server = RedisBacked::start(&[
        ("TOKEN_SERVER__REDIS__MODE", "sentinel"),
        ("TOKEN_SERVER__REDIS__MASTER", "rules"),
        ("TOKEN_SERVER__REDIS__URLS", &urls),
        ("TOKEN_SERVER__REDIS__MIN_REPLICAS", "1"),
        ("TOKEN_SERVER__CACHE__TTL", FOREVER),
    ]);
    server.wait_until_complete();
    server
}

#[test]
fn a_failover_loses_no_acknowledged_rule_and_is_followed() {
    let mut group = SentinelGroup::start(&["--notify-keyspace-events", "Kzg"]);
    let (one, other) = (start(&group), start(&group));
    eventually("the replica takes part", || one.write("anna", r#"{"rt":"x"}"#).status == 201);
    assert_eq!(one.check("anna", "x"), "revoked");
    eventually("the other has heard it", || other.check("anna", "x") == "revoked");

    group.master.kill();
    eventually("the replica is master", || {
        assert_ne!(one.detail("anna", "x"), "ok");
        group.replica.is_master()
    });
    group.replica.write("ben", r#"{"rt":"x"}"#, 0);
    for server in [&one, &other] {
        eventually("rules written to the new master are read", || server.detail("ben", "x") == "revoked");
        eventually("the feed is complete again", || server.is_complete());
        assert_eq!(server.check("anna", "x"), "revoked");
    }
    let written = one.write("carl", r#"{"rt":"x"}"#);
    assert_eq!(written.status, 503, "no replica is left to acknowledge it");
    assert!(written.body.contains("TOKEN_SERVER__REDIS__MIN_REPLICAS"), "{}", written.body);
    eventually("what may have happened is known", || one.check("carl", "x") == "revoked");
}

#[test]
fn a_new_master_is_heard_though_no_check_asks_for_rules() {
    let mut group = SentinelGroup::start(&["--notify-keyspace-events", "Kzg"]);
    let server = start(&group);
    eventually("the rules of anna are known", || server.check("anna", "x") == "ok");
    group.master.kill();
    eventually("the replica is master", || group.replica.is_master());
    group.replica.write("anna", r#"{"rt":"x"}"#, 0);
    server.wait_until_complete();
    eventually("the rule is read", || server.check("anna", "x") == "revoked");
}

#[test]
fn a_master_that_hangs_is_left_for_the_one_that_takes_its_place() {
    let group = SentinelGroup::start(&["--notify-keyspace-events", "Kzg"]);
    let server = start(&group);
    eventually("the replica takes part", || server.write("anna", r#"{"rt":"x"}"#).status == 201);
    group.master.freeze();
    let hung = Instant::now();
    eventually("the replica is master", || {
        assert_ne!(server.detail("anna", "x"), "ok");
        group.replica.is_master()
    });
    group.replica.write("anna", r#"{"rt":"y"}"#, 0);
    eventually("the new master is read", || server.detail("anna", "y") == "revoked");
    assert!(hung.elapsed() < Duration::from_secs(20));
    group.master.thaw();
    assert_eq!(server.check("anna", "x"), "revoked");
}
