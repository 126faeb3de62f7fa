//! The audit trail in Redis, in its three forms: whatever is killed, it tells of the rules that are there.

use integration_tests::stores::{Cluster, Redis, SentinelGroup};
use integration_tests::token::now;
use integration_tests::trail::Told;
use redis::Commands as _;
use serde_json::json;

use super::{RedisBacked, eventually};
use crate::changing::Changing;
use crate::harness::{connect_socket, delete, post};

/// What was acknowledged survives.
const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

fn agree(server: &RedisBacked, at_least: usize) {
    let (told, disagreements) = Told::settled(|path| server.admin(path).json(), now(), |_| true);
    assert!(told.entries.len() >= at_least, "{} entries", told.entries.len());
    assert_eq!(disagreements, Vec::<String>::new());
}

/// Two servers change rules all the time; one is killed, then what `kill` kills. Returns when `is_back` says that the store
/// is.
fn hold_against(settings: &[(&str, &str)], mut kill: impl FnMut(), is_back: impl Fn(&RedisBacked) -> bool) {
    let (one, other) = (RedisBacked::start(settings), RedisBacked::start(settings));
    eventually("rules are taken", || one.write("dora", r#"{"rt":"x"}"#).status == 201);
    let changing = Changing::start(&[one.socket.clone(), other.socket.clone()], 0);
    changing.wait(60);
    one.server.kill();
    changing.wait(90);
    changing.end();
    agree(&other, 50);

    let one = RedisBacked::start(settings);
    let changing = Changing::start(&[one.socket.clone(), other.socket.clone()], 1);
    changing.wait(40);
    kill();
    eventually("the store is back", || is_back(&other));
    changing.wait(changing.done() + 40);
    changing.end();
    agree(&one, 50);
    agree(&other, 50);
}

#[test]
fn rules_and_trail_agree_when_servers_or_redis_are_killed() {
    let mut redis = Redis::start(&DURABLE);
    let url = redis.url().to_owned();
    let kill = || {
        redis.kill();
        redis.start_again();
    };
    hold_against(&[("TOKEN_SERVER__REDIS__URLS", &url)], kill, |server| {
        server.admin("/v1/audit").status == 200
    });
}

#[test]
fn rules_and_trail_agree_after_a_failover_of_sentinel() {
    let mut group = SentinelGroup::start(&DURABLE);
    let urls = group.urls();
    let settings = [
        ("TOKEN_SERVER__REDIS__MODE", "sentinel"),
        ("TOKEN_SERVER__REDIS__MASTER", "rules"),
        ("TOKEN_SERVER__REDIS__URLS", urls.as_str()),
    ];
    hold_against(&settings, || group.master.kill(), |server| server.admin("/v1/audit").status == 200);
}

#[test]
fn rules_and_trail_agree_when_a_master_of_a_cluster_is_killed() {
    let mut cluster = Cluster::start(&DURABLE);
    let urls = cluster.urls();
    let settings = [("TOKEN_SERVER__REDIS__MODE", "cluster"), ("TOKEN_SERVER__REDIS__URLS", urls.as_str())];
    let owner = cluster.owner();
    let _replica = cluster.replicate(owner, &DURABLE);
    let kill = || cluster.nodes[owner].kill();
    hold_against(&settings, kill, |server| server.admin("/v1/audit").status == 200);
}

#[test]
fn two_servers_write_one_redis_and_neither_overlooks_the_others_change() {
    let redis = Redis::start(&[]);
    let settings = [("TOKEN_SERVER__REDIS__URLS", redis.url())];
    let (one, other) = (RedisBacked::start(&settings), RedisBacked::start(&settings));
    let sockets = [one.socket.clone(), one.socket.clone(), other.socket.clone(), other.socket.clone()];
    let changing = Changing::start(&sockets, 0);
    changing.wait(200);
    changing.end();
    agree(&one, 150);

    // A rule that others wrote is told of when it is changed here, as it was.
    redis.write("emil", r#"{"rt":"x"}"#, 4_000_000_000);
    redis.write("emil", "no rule", 0);
    assert_eq!(delete(connect_socket(&one.socket), "/v1/rules/emil", "").json()["deleted"], 2);
    let told = other.admin("/v1/audit?group=emil").json();
    let mut removed: Vec<_> =
        told["entries"].as_array().unwrap().iter().map(|entry| (&entry["rule"], &entry["before"])).collect();
    removed.sort_by_key(|(rule, _)| rule.to_string());
    assert_eq!(
        removed,
        [
            (&json!("no rule"), &json!({"mode": "enforce", "expireAt": 0})),
            (&json!({"rt": "x"}), &json!({"mode": "enforce", "expireAt": 4_000_000_000_u64})),
        ]
    );
}

#[test]
fn a_change_by_another_server_is_seen_before_one_is_undone() {
    let redis = Redis::start(&[]);
    let settings = [("TOKEN_SERVER__REDIS__URLS", redis.url())];
    let (one, other) = (RedisBacked::start(&settings), RedisBacked::start(&settings));
    assert_eq!(one.write("anna", r#"{"rt":"x"}"#).status, 201);
    assert_eq!(delete(connect_socket(&one.socket), "/v1/rules/anna", "").json()["deleted"], 1);
    let removed = other.admin("/v1/audit?limit=1").json()["entries"][0].clone();
    let undo = format!("/v1/audit/{}/undo", removed["id"].as_str().unwrap());
    let undone = post(connect_socket(&other.socket), &undo, &[], r#"{"note":"too soon"}"#);
    assert_eq!(undone.status, 200, "{}", undone.body);
    assert_eq!(undone.json()["entry"]["undoes"], removed["id"]);
    assert_eq!(other.check("anna", "x"), "revoked");
    let again = post(connect_socket(&one.socket), &undo, &[], "");
    assert_eq!(again.status, 409, "{}", again.body);
    redis.command(&["DEL", "{ms-users}jwt-rules:anna"]);
    assert_eq!(post(connect_socket(&one.socket), &undo, &[], "").status, 200, "it is as the entry left it");
}

#[test]
fn a_key_that_holds_no_rules_is_deleted_with_its_entry() {
    let redis = Redis::start(&[]);
    let server = RedisBacked::start(&[("TOKEN_SERVER__REDIS__URLS", redis.url())]);
    redis.command(&["SET", "{ms-users}jwt-rules:anna", "a text"]);
    let deleted = delete(connect_socket(&server.socket), "/v1/rules/anna", r#"{"all":true,"note":"broken"}"#);
    assert_eq!(deleted.json()["deleted"], 1, "{}", deleted.body);
    assert!(!redis.connect().exists::<_, bool>("{ms-users}jwt-rules:anna").unwrap());
    let entry = server.admin("/v1/audit").json()["entries"][0].clone();
    assert_eq!((&entry["rule"], &entry["note"]), (&json!("the group's key held no rules"), &json!("broken")));
}

#[test]
fn a_user_of_redis_who_may_not_write_the_trail_changes_no_rule_and_is_told_the_cure() {
    let redis = Redis::start(&[]);
    redis.command(&["ACL", "SETUSER", "rules", "on", ">secret", "~*", "&*", "+@all", "-@stream"]);
    let url = format!("redis://rules:secret@127.0.0.1:{}", redis.port);
    let server = RedisBacked::start(&[("TOKEN_SERVER__REDIS__URLS", url.as_str())]);
    redis.write("anna", r#"{"rt":"x"}"#, 0);
    for answer in [
        server.write("anna", r#"{"rt":"y"}"#),
        delete(connect_socket(&server.socket), "/v1/rules/anna", ""),
        server.admin("/v1/audit"),
    ] {
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert!(answer.body.contains("+@stream"), "{}", answer.body);
    }
    assert_eq!(redis.rules("anna"), 1, "nothing was changed");
}

#[test]
fn where_the_key_of_the_trail_holds_something_else_no_rule_is_changed() {
    let redis = Redis::start(&[]);
    let server = RedisBacked::start(&[("TOKEN_SERVER__REDIS__URLS", redis.url())]);
    redis.write("anna", r#"{"rt":"x"}"#, 0);
    redis.command(&["SET", "{ms-users}jwt-audit", "a text"]);
    for answer in [
        server.write("anna", r#"{"rt":"y"}"#),
        delete(connect_socket(&server.socket), "/v1/rules/anna", r#"{"rule":{"rt":"x"}}"#),
        delete(connect_socket(&server.socket), "/v1/rules/anna", ""),
    ] {
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert!(answer.body.contains("jwt-audit holds no stream"), "{}", answer.body);
    }
    assert_eq!(redis.rules("anna"), 1, "nothing was changed");
    redis.command(&["DEL", "{ms-users}jwt-audit"]);
    assert_eq!(server.write("anna", r#"{"rt":"y"}"#).status, 201);
}

#[test]
fn old_entries_are_removed_from_redis() {
    let redis = Redis::start(&[]);
    let settings = [("TOKEN_SERVER__REDIS__URLS", redis.url()), ("TOKEN_SERVER__AUDIT__MAX", "3")];
    let entry = json!({
        "who": {"name": "anna", "kind": "token"}, "action": "write", "group": "anna", "rule": {"rt": "x"},
        "before": null, "after": {"mode": "enforce", "expireAt": 0}
    });
    let entry = entry.to_string();
    let long_ago = (1..1_500).map(|number| format!("1000-{number}"));
    let mut adding = redis::pipe();
    for id in long_ago.chain(std::iter::repeat_n("*".to_owned(), 5)) {
        adding.cmd("XADD").arg("{ms-users}jwt-audit").arg(id).arg("entry").arg(&entry);
    }
    adding.exec(&mut redis.connect()).unwrap();
    redis.command(&["XADD", "{ms-users}jwt-audit", "*", "something", "else"]);
    let server = RedisBacked::start(&settings);
    eventually("what is old or too much is gone", || {
        let length = redis::cmd("XLEN").arg("{ms-users}jwt-audit").query::<u64>(&mut redis.connect());
        length.unwrap() == 3
    });
    let told = server.admin("/v1/audit").json();
    assert_eq!(told["entries"].as_array().unwrap().len(), 2, "what is no entry is left out: {told}");
    assert_eq!(told["entries"][0]["rule"], json!({"rt": "x"}));
}
