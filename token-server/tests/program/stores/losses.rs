//! What may cost rules while Redis answers: memory that runs out, data that are gone.

use integration_tests::stores::{Cluster, Redis};
use serde_json::json;

use super::{RedisBacked, eventually};
use crate::harness::{connect_socket, delete, post};

const EVICTING: [&str; 2] = ["--maxmemory-policy", "allkeys-lru"];

fn fault(server: &RedisBacked, cause: &str) -> i64 {
    server.metric(&format!(r#"token_server_store_fault{{cause="{cause}"}}"#))
}

#[test]
fn a_redis_that_may_remove_rules_makes_the_server_not_ready_until_it_is_mended_or_accepted() {
    let redis = Redis::start(&EVICTING);
    let server = RedisBacked::launch(&[("TOKEN_SERVER__REDIS__URLS", redis.url())]);
    server.server.log_line(|line| line["level"] == "ERROR" && line["fault"].is_string());
    let ready = server.admin("/ready");
    assert_eq!(ready.status, 503);
    for told in ["allkeys-lru", "TOKEN_SERVER__REDIS__ACCEPT_EVICTION"] {
        assert!(ready.body.contains(told), "{}", ready.body);
    }
    assert_eq!(fault(&server, "evicts"), 1);
    for good in ["noeviction", "volatile-lru"] {
        redis.command(&["CONFIG", "SET", "maxmemory-policy", good]);
        eventually("mended, it is ready", || server.admin("/ready").status == 200);
        assert_eq!(fault(&server, "evicts"), 0);
        redis.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-random"]);
        eventually("a change while it runs is seen", || server.admin("/ready").status == 503);
    }
    let accepting =
        [("TOKEN_SERVER__REDIS__URLS", redis.url()), ("TOKEN_SERVER__REDIS__ACCEPT_EVICTION", "true")];
    RedisBacked::start(&accepting).server.log_line(|line| line["policy"] == "allkeys-random");
}

#[test]
fn the_master_of_the_slot_is_asked_in_a_cluster_and_its_heir_too() {
    let mut cluster = Cluster::start(&[]);
    let urls = cluster.urls();
    let server = RedisBacked::start(&[
        ("TOKEN_SERVER__REDIS__MODE", "cluster"),
        ("TOKEN_SERVER__REDIS__URLS", urls.as_str()),
    ]);
    let owner = cluster.owner();
    let replica = cluster.replicate(owner, &EVICTING);
    assert_eq!(server.admin("/ready").status, 200, "a replica removes nothing by itself");
    cluster.nodes[owner].kill();
    eventually("the replica is master", || replica.is_master() && replica.is_in_whole_cluster());
    eventually("and is found to remove rules", || server.admin("/ready").body.contains("allkeys-lru"));
}

#[test]
fn a_user_of_redis_who_may_not_ask_for_the_policy_is_warned_and_one_of_two_permissions_does() {
    let redis = Redis::start(&EVICTING);
    for (number, (allowed, warned)) in
        [("-info", true), ("+info", false), ("+config|get", false)].into_iter().enumerate()
    {
        let user = format!("user{number}");
        redis.command(&[
            "ACL", "SETUSER", &user, "on", ">secret", "~*", "&*", "+@all", "-info", "-config", allowed,
        ]);
        let url = format!("redis://{user}:secret@127.0.0.1:{}", redis.port);
        let server = RedisBacked::launch(&[("TOKEN_SERVER__REDIS__URLS", url.as_str())]);
        let line = server.server.log_line(|line| {
            line["message"].as_str().is_some_and(|text| text.contains("maxmemory-policy"))
                || line["fault"].is_string()
        });
        assert_eq!(line["level"] == "WARN", warned, "{allowed}: {line}");
        eventually("it is ready or not", || (server.admin("/ready").status == 200) == warned);
    }
}

#[test]
fn a_redis_that_lost_what_it_had_is_told_and_counted() {
    let mut redis = Redis::start(&[]);
    let server = RedisBacked::start(&[("TOKEN_SERVER__REDIS__URLS", redis.url())]);
    let lost = |line: &serde_json::Value| {
        line["level"] == "ERROR"
            && line["message"].as_str().is_some_and(|text| text.starts_with("Redis has lost what it had"))
    };
    redis.command(&["FLUSHALL"]);
    server.server.wait_for_log(lost);
    eventually("it is counted", || server.metric("token_server_store_emptied_total") == 1);
    redis.kill();
    redis.start_again();
    server.server.wait_for_log(lost);
    eventually("it is counted", || server.metric("token_server_store_emptied_total") == 2);
    redis.command(&["SET", "{ms-users}token-server:store-id", "another"]);
    eventually("another store is counted too", || server.metric("token_server_store_emptied_total") == 3);
}

#[test]
fn a_redis_without_memory_lets_rules_be_removed_and_says_so() {
    let redis = Redis::start(&["--maxmemory", "4mb"]);
    let server = RedisBacked::start(&[("TOKEN_SERVER__REDIS__URLS", redis.url())]);
    for (group, rule) in [("anna", "x"), ("anna", "y"), ("ben", "x")] {
        let body = format!(r#"{{"rule":{{"rt":"{rule}"}},"note":"why"}}"#);
        let written = post(connect_socket(&server.socket), &format!("/v1/rules/{group}"), &[], &body);
        assert_eq!(written.status, 201, "{}", written.body);
    }
    let mut connection = redis.connect();
    let mut fill = |bytes: usize| {
        let filler = "x".repeat(bytes);
        (0..100_000).any(|number| {
            let key = format!("filler {bytes} {number}");
            redis::cmd("SET").arg(key).arg(&filler).exec(&mut connection).is_err()
        })
    };
    assert!(fill(10_000) && fill(100), "the memory never ends");
    // What connections need comes and goes, so that there may be room for a little once more.
    redis.command(&["CONFIG", "SET", "maxmemory", "1mb"]);
    assert_eq!(server.write("carl", r#"{"rt":"x"}"#).status, 503, "no room for more");
    for (group, body, left) in
        [("anna", r#"{"rule":{"rt":"x"}}"#, 1), ("anna", "", 0), ("ben", r#"{"rule":{"rt":"x"}}"#, 0)]
    {
        let deleted = delete(connect_socket(&server.socket), &format!("/v1/rules/{group}"), body);
        assert_eq!(deleted.status, 200, "{group} {body}: {}", deleted.body);
        assert_eq!(deleted.json()["deleted"], 1, "{group} {body}: {}", deleted.body);
        assert_eq!(redis.rules(group), left, "{group} {body}");
    }
    eventually("it is let in again", || server.detail("ben", "x") == "ok");
    for group in ["anna", "anna", "ben"] {
        let lost = server.server.wait_for_log(|line| line["target"] == "audit" && line["id"].is_null());
        assert_eq!(lost["message"], "a rule was removed, and its entry in the audit trail is lost");
        assert_eq!((&lost["group"], &lost["kind"]), (&json!(group), &json!("peer")), "{lost}");
        assert!(lost["rule"].is_string() && lost["before"].is_string(), "{lost}");
    }
    let told = server.admin("/v1/audit").json();
    assert_eq!(told["entries"].as_array().unwrap().len(), 3, "what was written before: {told}");
}
