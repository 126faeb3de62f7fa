//! Redis Cluster: three masters made with redis-cli, and a replica that takes over the slot of the rules.

use integration_tests::stores::Cluster;
use redis::Commands as _;

use super::{FOREVER, RedisBacked, eventually};
use crate::harness::{connect_socket, delete};

/// Every node tells of every change of a key.
const TELLING: [&str; 2] = ["--notify-keyspace-events", "Kzg"];

#[test]
fn rules_lie_on_the_master_of_their_slot_and_follow_it() {
    let mut cluster = Cluster::start(&TELLING);
    let urls = cluster.urls();
    let settings = [
        ("TOKEN_SERVER__REDIS__MODE", "cluster"),
        ("TOKEN_SERVER__REDIS__URLS", urls.as_str()),
        ("TOKEN_SERVER__CACHE__TTL", FOREVER),
    ];
    let (one, other) = (RedisBacked::start(&settings), RedisBacked::start(&settings));
    one.wait_until_complete();
    other.wait_until_complete();
    let owner = cluster.owner();
    let master = &cluster.nodes[owner];
    master.write("anna", r#"{"rt":"x"}"#, 0);
    assert_eq!(one.write("anna", r#"{"rt":"y"}"#).status, 201);
    for server in [&one, &other] {
        eventually("both rules are heard of", || {
            server.check("anna", "x") == "revoked" && server.check("anna", "y") == "revoked"
        });
    }
    assert_eq!(one.admin("/v1/rules").json()["groups"][0]["rules"], 2);

    let replica = cluster.replicate(owner, &TELLING);
    cluster.nodes[owner].kill();
    eventually("the replica is master", || replica.is_master() && replica.is_in_whole_cluster());
    replica.write("ben", r#"{"rt":"x"}"#, 0);
    for server in [&one, &other] {
        eventually("the new master is read", || {
            assert_ne!(server.detail("anna", "x"), "ok");
            server.detail("ben", "x") == "revoked"
        });
        server.wait_until_complete();
    }
    assert_eq!(one.write("carl", r#"{"rt":"x"}"#).status, 201);
    eventually("the other hears it", || other.check("carl", "x") == "revoked");
}

#[test]
fn a_slot_on_the_move_is_followed_key_by_key_and_not_vouched_for() {
    let cluster = Cluster::start(&TELLING);
    let urls = cluster.urls();
    let server = RedisBacked::start(&[
        ("TOKEN_SERVER__REDIS__MODE", "cluster"),
        ("TOKEN_SERVER__REDIS__URLS", urls.as_str()),
        ("TOKEN_SERVER__CACHE__TTL", "1"),
    ]);
    server.wait_until_complete();
    assert_eq!(server.check("anna", "x"), "ok");
    let from = &cluster.nodes[cluster.owner()];
    from.write("ben", r#"{"rt":"x"}"#, 0);
    let to = cluster.nodes.iter().find(|node| node.port != from.port).unwrap();
    let slot: i64 =
        redis::cmd("CLUSTER").arg("KEYSLOT").arg("{ms-users}").query(&mut from.connect()).unwrap();
    let slot = slot.to_string();
    to.command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from.cluster_id()]);
    from.command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to.cluster_id()]);
    let mut connection = to.connect();
    redis::cmd("ASKING").exec(&mut connection).unwrap();
    redis::cmd("ZADD")
        .arg("{ms-users}jwt-rules:anna")
        .arg(0)
        .arg(r#"{"rt":"x"}"#)
        .exec(&mut connection)
        .unwrap();
    eventually("what is written where the slot goes is read", || server.detail("anna", "x") == "revoked");
    assert_eq!(server.check("ben", "x"), "revoked", "what has not moved yet is read where it is");
    eventually("nothing is vouched for meanwhile", || !server.is_complete());
    for (group, rt) in [("ben", "y"), ("anna", "y"), ("dora", "x"), ("emil", "x")] {
        let written = server.write(group, &format!(r#"{{"rt":"{rt}"}}"#));
        assert_eq!(written.status, 201, "{group}: {}", written.body);
        eventually("what is written here meanwhile is read", || server.detail(group, rt) == "revoked");
    }
    let unmoved: Vec<String> = from.connect().keys("{ms-users}jwt-rules:*").unwrap();
    assert_eq!(unmoved, ["{ms-users}jwt-rules:ben"], "new ones are written where the slot goes");
    assert!(server.rules("dora")[0]["writtenAt"].is_u64(), "with its note");
    let deleted = delete(connect_socket(&server.socket), "/v1/rules/emil", "");
    assert_eq!(deleted.json()["deleted"], 1, "{}", deleted.body);
    let told = server.admin("/v1/audit").json();
    let told: Vec<_> =
        told["entries"].as_array().unwrap().iter().rev().map(|entry| &entry["group"]).collect();
    assert_eq!(told, ["ben", "anna", "dora", "emil", "emil"], "each change has its entry");

    // All keys: a node does not let go of a slot of which it holds one.
    let port = to.port.to_string();
    let left: Vec<String> = from.connect().keys("{ms-users}*").unwrap();
    let left = left.iter().map(String::as_str);
    let move_all = ["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "REPLACE", "KEYS"];
    from.command(&move_all.into_iter().chain(left).collect::<Vec<_>>());
    for node in [to, from] {
        node.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &to.cluster_id()]);
    }
    server.wait_until_complete();
    for (group, rt) in [("anna", "x"), ("anna", "y"), ("ben", "x"), ("ben", "y"), ("dora", "x")] {
        assert_eq!(server.check(group, rt), "revoked", "{group}");
    }
    assert_eq!(server.check("emil", "x"), "ok");
    assert_eq!(server.write("carl", r#"{"rt":"x"}"#).status, 201);
    assert_eq!(server.check("carl", "x"), "revoked");
}
