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
    eventually("the cluster is whole", || nodes.iter().all(|node| info(node).contains("cluster_state:ok")));
    nodes
}

fn node() -> Redis {
    Redis::start(&[
        "--cluster-enabled",
        "yes",
        "--cluster-node-timeout",
        "2000",
        "--notify-keyspace-events",
        "Kzg",
        "--repl-diskless-sync-delay",
        "0",
    ])
}

fn info(node: &Redis) -> String {
    redis::cmd("CLUSTER").arg("INFO").query(&mut node.connect()).unwrap()
}

fn id(node: &Redis) -> String {
    redis::cmd("CLUSTER").arg("MYID").query(&mut node.connect()).unwrap()
}

/// The node on which a key of ours can be written.
fn owner(nodes: &[Redis]) -> &Redis {
    let is_owner = |node: &&Redis| {
        redis::cmd("EXISTS").arg("{ms-users}jwt-rules:g").query::<i64>(&mut node.connect()).is_ok()
    };
    nodes.iter().find(is_owner).expect("some node has the slot")
}

#[test]
fn rules_lie_on_the_master_of_their_slot_and_follow_it() {
    let nodes = cluster();
    let urls = nodes.each_ref().map(|node| node.url().to_owned()).join(",");
    let settings = [
        ("TOKEN_SERVER__REDIS__MODE", "cluster"),
        ("TOKEN_SERVER__REDIS__URLS", urls.as_str()),
        ("TOKEN_SERVER__CACHE__TTL", FOREVER),
    ];
    let (one, other) = (RedisBacked::start(&settings), RedisBacked::start(&settings));
    one.wait_until_complete();
    other.wait_until_complete();
    let master = owner(&nodes);
    master.write("anna", r#"{"rt":"x"}"#, 0);
    assert_eq!(one.write("anna", r#"{"rt":"y"}"#).status, 201);
    for server in [&one, &other] {
        eventually("both rules are heard of", || {
            server.check("anna", "x") == "revoked" && server.check("anna", "y") == "revoked"
        });
    }
    assert_eq!(one.admin("/v1/rules").json()["groups"][0]["rules"], 2);

    let replica = node();
    replica.command(&["CLUSTER", "MEET", "127.0.0.1", &master.port.to_string()]);
    let master_id = id(master);
    eventually("the replica knows its master", || {
        redis::cmd("CLUSTER").arg("REPLICATE").arg(&master_id).exec(&mut replica.connect()).is_ok()
    });
    eventually("the replica takes over", || {
        let asked = redis::cmd("CLUSTER").arg("FAILOVER").exec(&mut replica.connect());
        asked.is_ok() && replica.is_master() || replica.is_master()
    });
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
