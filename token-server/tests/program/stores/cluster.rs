//! Redis Cluster: three masters made with redis-cli, and a replica that takes over the slot of the rules.

use std::process::Command;

use super::processes::Redis;
use super::{FOREVER, RedisBacked, eventually};

/// Three masters that share the slots.
fn cluster() -> [Redis; 3] {
    let nodes = [node(), node(), node()];
    let addresses = nodes.each_ref().map(|node| format!("127.0.0.1:{}", node.port));
    let made = Command::new("redis-cli")
        .args(["--cluster", "create"])
        .args(&addresses)
        .args(["--cluster-replicas", "0", "--cluster-yes"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
    eventually("the cluster is whole", || nodes.iter().all(is_whole));
    nodes
}

fn node() -> Redis {
    Redis::start(&[
        "--cluster-enabled",
        "yes",
        "--cluster-node-timeout",
        "2000",
        "--cluster-replica-validity-factor",
        "0",
        "--notify-keyspace-events",
        "Kzg",
        "--repl-diskless-sync-delay",
        "0",
    ])
}

fn is_whole(node: &Redis) -> bool {
    let info: String = redis::cmd("CLUSTER").arg("INFO").query(&mut node.connect()).unwrap();
    info.contains("cluster_state:ok")
}

fn id(node: &Redis) -> String {
    redis::cmd("CLUSTER").arg("MYID").query(&mut node.connect()).unwrap()
}

/// The node on which a key of ours can be written.
fn owner(nodes: &[Redis]) -> usize {
    let is_owner = |node: &Redis| {
        redis::cmd("EXISTS").arg("{ms-users}jwt-rules:g").query::<i64>(&mut node.connect()).is_ok()
    };
    nodes.iter().position(is_owner).expect("some node has the slot")
}

#[test]
fn rules_lie_on_the_master_of_their_slot_and_follow_it() {
    let mut nodes = cluster();
    let urls = nodes.each_ref().map(|node| node.url().to_owned()).join(",");
    let settings = [
        ("TOKEN_SERVER__REDIS__MODE", "cluster"),
        ("TOKEN_SERVER__REDIS__URLS", urls.as_str()),
        ("TOKEN_SERVER__CACHE__TTL", FOREVER),
    ];
    let (one, other) = (RedisBacked::start(&settings), RedisBacked::start(&settings));
    one.wait_until_complete();
    other.wait_until_complete();
    let owner = owner(&nodes);
    let master = &nodes[owner];
    master.write("anna", r#"{"rt":"x"}"#, 0);
    assert_eq!(one.write("anna", r#"{"rt":"y"}"#).status, 201);
    for server in [&one, &other] {
        eventually("both rules are heard of", || {
            server.check("anna", "x") == "revoked" && server.check("anna", "y") == "revoked"
        });
    }
    assert_eq!(one.admin("/v1/rules").json()["groups"][0]["rules"], 2);

    let replica = node();
    for node in &nodes {
        replica.command(&["CLUSTER", "MEET", "127.0.0.1", &node.port.to_string()]);
    }
    let master_id = id(master);
    eventually("the replica knows its master", || {
        redis::cmd("CLUSTER").arg("REPLICATE").arg(&master_id).exec(&mut replica.connect()).is_ok()
    });
    eventually("the replica has what the master has", || {
        let info: String = redis::cmd("INFO").arg("replication").query(&mut replica.connect()).unwrap();
        info.contains("master_link_status:up")
    });
    let replica_id = id(&replica);
    eventually("all know all, so that the others agree on a death and on its heir", || {
        nodes.iter().chain([&replica]).all(|node| {
            let known: String = redis::cmd("CLUSTER").arg("NODES").query(&mut node.connect()).unwrap();
            let is_settled = |line: &str| line.contains(" connected") && !line.contains("handshake");
            known.lines().count() == 4
                && known.lines().all(is_settled)
                && known.lines().any(|line| line.starts_with(&replica_id) && line.contains("slave"))
        })
    });
    nodes[owner].kill();
    eventually("the replica is master", || replica.is_master() && is_whole(&replica));
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
fn a_slot_on_the_move_is_followed_key_by_key_and_vouched_for_by_nobody() {
    let nodes = cluster();
    let urls = nodes.each_ref().map(|node| node.url().to_owned()).join(",");
    let server = RedisBacked::start(&[
        ("TOKEN_SERVER__REDIS__MODE", "cluster"),
        ("TOKEN_SERVER__REDIS__URLS", urls.as_str()),
        ("TOKEN_SERVER__CACHE__TTL", "1"),
    ]);
    server.wait_until_complete();
    assert_eq!(server.check("anna", "x"), "ok");
    let from = &nodes[owner(&nodes)];
    from.write("ben", r#"{"rt":"x"}"#, 0);
    let to = nodes.iter().find(|node| node.port != from.port).unwrap();
    let slot: i64 =
        redis::cmd("CLUSTER").arg("KEYSLOT").arg("{ms-users}").query(&mut from.connect()).unwrap();
    let slot = slot.to_string();
    to.command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &id(from)]);
    from.command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &id(to)]);
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
    eventually("nobody vouches meanwhile", || !server.is_complete());

    from.command(&["MIGRATE", "127.0.0.1", &to.port.to_string(), "{ms-users}jwt-rules:ben", "0", "5000"]);
    for node in [to, from] {
        node.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &id(to)]);
    }
    server.wait_until_complete();
    assert_eq!((server.check("anna", "x"), server.check("ben", "x")), ("revoked".into(), "revoked".into()));
    assert_eq!(server.write("carl", r#"{"rt":"x"}"#).status, 201);
    assert_eq!(server.check("carl", "x"), "revoked");
}
