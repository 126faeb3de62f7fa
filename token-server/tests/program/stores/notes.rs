//! Notes and rules on trial beside rules in Redis, in its three forms.

use integration_tests::stores::{Cluster, Redis, SentinelGroup};
use redis::Commands as _;
use serde_json::{Value, json};

use super::{FOREVER, RedisBacked, eventually};
use crate::harness::{connect_socket, delete, post};

const NOTIFYING: [&str; 4] = ["--notify-keyspace-events", "Kzg", "--repl-diskless-sync-delay", "0"];

impl RedisBacked {
    fn post(&self, group: &str, body: &str) {
        let answer = post(connect_socket(&self.socket), &format!("/v1/rules/{group}"), &[], body);
        assert_eq!(answer.status, 201, "{}", answer.body);
    }

    pub(super) fn rules(&self, group: &str) -> Vec<Value> {
        let listed = self.admin(&format!("/v1/rules/{group}"));
        assert_eq!(listed.status, 200, "{}", listed.body);
        listed.json()["rules"].as_array().unwrap().clone()
    }

    /// Rules on trial that this server knows.
    pub(super) fn tried(&self) -> String {
        let metrics = self.admin("/metrics").body;
        metrics.lines().find_map(|line| line.strip_prefix("token_server_shadow_rules ")).unwrap().to_owned()
    }
}

/// What is in Redis besides the rules and the name of the store.
fn own_keys(redis: &Redis) -> Vec<String> {
    let keys: Vec<String> = redis.connect().keys("{ms-users}token-server:*").unwrap();
    keys.into_iter().filter(|key| key.ends_with(":shadows") || key.contains(":notes:")).collect()
}

/// The life of a note and of a rule on trial, seen by two servers.
fn hold_notes(one: &RedisBacked, other: &RedisBacked, master: &Redis) {
    one.post("anna", r#"{"rule":{"rt":"x"},"note":"stolen phone","by":"olga"}"#);
    for server in [one, other] {
        let rule = &server.rules("anna")[0];
        assert_eq!((&rule["note"], &rule["by"]), (&json!("stolen phone"), &json!("olga")));
        assert!(rule["writtenAt"].is_u64(), "{rule}");
    }
    let members: Vec<(String, i64)> =
        master.connect().zrange_withscores("{ms-users}jwt-rules:anna", 0, -1).unwrap();
    assert_eq!(members, [(r#"{"rt":"x"}"#.to_owned(), 0)], "other readers find the rule they know");
    // The other server tells what it replaces, as it is in Redis.
    for (end, before) in [(super::LATER, 0), (super::LATER + 1, super::LATER), (0, super::LATER + 1)] {
        let body = format!(r#"{{"rule":{{"rt":"x"}},"note":"stolen phone","by":"olga","expireAt":{end}}}"#);
        let answer = post(connect_socket(&other.socket), "/v1/rules/anna", &[], &body);
        let old = &answer.json()["replaced"][0];
        assert_eq!(
            (&old["expireAt"], &old["note"]),
            (&json!(before), &json!("stolen phone")),
            "{}",
            answer.body
        );
    }

    one.post("ben", r#"{"rule":{"rt":"y"},"mode":"shadow","note":"is it safe?"}"#);
    eventually("the other server tries it too", || other.tried() == "1");
    assert!(!master.connect().exists::<_, bool>("{ms-users}jwt-rules:ben").unwrap(), "no reader enforces it");
    for (server, hits) in [(one, 1), (other, 2)] {
        eventually("the rules of ben are known", || server.check("ben", "none") == "ok");
        (0..hits).for_each(|_| assert_eq!(server.check("ben", "y"), "ok"));
        let rule = &server.rules("ben")[0];
        assert_eq!(
            (&rule["mode"], &rule["hits"], &rule["note"]),
            (&json!("shadow"), &json!(hits), &json!("is it safe?"))
        );
    }
    let groups = other.admin("/v1/rules").json();
    let tried = groups["groups"].as_array().unwrap().iter().find(|group| group["group"] == "ben");
    assert_eq!(tried, Some(&json!({"group": "ben", "rules": 0, "unreadable": 0, "shadow": 1})));

    other.post("ben", r#"{"rule":{"rt":"y"}}"#);
    eventually("enforced, it is tried by neither server", || one.tried() == "0" && other.tried() == "0");
    eventually("and refuses", || one.check("ben", "y") == "revoked");
    other.post("carl", r#"{"rule":{},"mode":"shadow"}"#);
    eventually("a rule on trial comes", || one.tried() == "1");
    for group in ["anna", "ben", "carl"] {
        let deleted = delete(connect_socket(&one.socket), &format!("/v1/rules/{group}"), "");
        assert_eq!(deleted.json()["deleted"], 1, "{group}");
    }
    eventually("a rule on trial goes", || other.tried() == "0");
    assert_eq!(own_keys(master), Vec::<String>::new(), "nothing is left behind");
}

#[test]
fn notes_and_rules_on_trial_are_kept_in_redis_beside_the_rules() {
    let redis = Redis::start(&NOTIFYING);
    let settings = [("TOKEN_SERVER__REDIS__URLS", redis.url()), ("TOKEN_SERVER__CACHE__TTL", FOREVER)];
    let (one, other) = (RedisBacked::start(&settings), RedisBacked::start(&settings));
    other.wait_until_complete();
    one.wait_until_complete();
    hold_notes(&one, &other, &redis);

    one.post("anna", r#"{"rule":{"rt":"x"},"note":"one"}"#);
    one.post("anna", r#"{"rule":{"rt":"y"},"mode":"shadow"}"#);
    let one_of_two = delete(connect_socket(&other.socket), "/v1/rules/anna", r#"{"rule":{"rt":"x"}}"#);
    assert_eq!(one_of_two.json()["deleted"], 1);
    assert_eq!(one.rules("anna").len(), 1);
    let third = RedisBacked::start(&settings);
    eventually("a server that starts later tries it", || third.tried() == "1");
}

#[test]
fn notes_whose_rules_are_gone_are_removed_and_the_others_stay() {
    let redis = Redis::start(&NOTIFYING);
    let settings = [("TOKEN_SERVER__REDIS__URLS", redis.url()), ("TOKEN_SERVER__CACHE__TTL", FOREVER)];
    let first = RedisBacked::start(&settings);
    first.wait_until_complete();
    for (group, rule) in [("anna", "kept"), ("anna", "removed"), ("ben", "removed"), ("carl", "ended")] {
        first.post(group, &format!(r#"{{"rule":{{"rt":"{rule}"}},"note":"why"}}"#));
    }
    first.post("dora", r#"{"rule":{"rt":"kept"},"mode":"shadow"}"#);
    drop(first);
    redis.command(&["ZREM", "{ms-users}jwt-rules:anna", r#"{"rt":"removed"}"#]);
    redis.command(&["DEL", "{ms-users}jwt-rules:ben"]);
    redis.write("carl", r#"{"rt":"ended"}"#, 1_000);
    let ended = json!({"mode": "shadow", "writtenAt": 1, "expireAt": 1_000}).to_string();
    redis.command(&["HSET", "{ms-users}token-server:shadows", r#"["dora","{\"rt\":\"ended\"}"]"#, &ended]);

    let server = RedisBacked::start(&settings);
    eventually("what has no rule any more is gone", || {
        let mut connection = redis.connect();
        let anna: Vec<String> = connection.hkeys("{ms-users}token-server:notes:anna").unwrap();
        let tried: Vec<String> = connection.hkeys("{ms-users}token-server:shadows").unwrap();
        let mut keys = own_keys(&redis);
        keys.sort_unstable();
        anna == [r#"{"rt":"kept"}"#]
            && tried == [r#"["dora","{\"rt\":\"kept\"}"]"#]
            && keys == ["{ms-users}token-server:notes:anna", "{ms-users}token-server:shadows"]
    });
    eventually("the rule on trial is known", || server.tried() == "1");
    assert_eq!(server.rules("anna")[0]["note"], "why");
}

#[test]
fn notes_and_rules_on_trial_outlive_a_failover_of_sentinel() {
    let mut group = SentinelGroup::start(&NOTIFYING);
    let urls = group.urls();
    let settings = [
        ("TOKEN_SERVER__REDIS__MODE", "sentinel"),
        ("TOKEN_SERVER__REDIS__MASTER", "rules"),
        ("TOKEN_SERVER__REDIS__URLS", urls.as_str()),
        ("TOKEN_SERVER__REDIS__MIN_REPLICAS", "1"),
        ("TOKEN_SERVER__CACHE__TTL", FOREVER),
    ];
    let (one, other) = (RedisBacked::start(&settings), RedisBacked::start(&settings));
    one.wait_until_complete();
    other.wait_until_complete();
    eventually("the replica takes part", || one.write("dora", r#"{"rt":"x"}"#).status == 201);
    assert_eq!(delete(connect_socket(&one.socket), "/v1/rules/dora", "").json()["deleted"], 1);
    hold_notes(&one, &other, &group.master);
    one.post("anna", r#"{"rule":{"rt":"x"},"note":"stolen phone"}"#);
    one.post("ben", r#"{"rule":{"rt":"x"},"mode":"shadow"}"#);

    group.master.kill();
    eventually("the replica is master", || group.replica.is_master());
    one.wait_until_complete();
    other.wait_until_complete();
    for server in [&one, &other] {
        eventually("the note is there", || {
            let listed = server.admin("/v1/rules/anna");
            listed.status == 200 && listed.json()["rules"][0]["note"] == "stolen phone"
        });
        eventually("the rule is tried", || server.tried() == "1");
    }
}

#[test]
fn notes_and_rules_on_trial_lie_in_the_slot_of_the_rules_in_a_cluster() {
    let cluster = Cluster::start(&NOTIFYING);
    let urls = cluster.urls();
    let settings = [
        ("TOKEN_SERVER__REDIS__MODE", "cluster"),
        ("TOKEN_SERVER__REDIS__URLS", urls.as_str()),
        ("TOKEN_SERVER__CACHE__TTL", FOREVER),
    ];
    let (one, other) = (RedisBacked::start(&settings), RedisBacked::start(&settings));
    one.wait_until_complete();
    other.wait_until_complete();
    hold_notes(&one, &other, &cluster.nodes[cluster.owner()]);
}
