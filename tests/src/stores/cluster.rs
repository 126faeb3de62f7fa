//! Redis Cluster.

use std::process::Command;

use super::Redis;
use crate::wait::eventually;

/// Three masters that share the slots, made with redis-cli; replicas as a test adds them.
#[derive(Debug)]
pub struct Cluster {
    pub nodes: [Redis; 3],
}

impl Cluster {
    /// Starts the masters with these further arguments and waits until all agree.
    ///
    /// # Panics
    ///
    /// It does not come up.
    pub fn start(arguments: &[&str]) -> Self {
        let nodes = [(); 3].map(|()| node(arguments));
        let addresses = nodes.each_ref().map(|node| format!("127.0.0.1:{}", node.port));
        let made = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(&addresses)
            .args(["--cluster-replicas", "0", "--cluster-yes"])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        eventually("the cluster is whole", || nodes.iter().all(Redis::is_in_whole_cluster).then_some(()));
        Self { nodes }
    }

    /// The nodes, as a token-server's setting names them.
    pub fn urls(&self) -> String {
        self.nodes.each_ref().map(|node| node.url().to_owned()).join(",")
    }

    /// The index of the node on which keys of ms-users are.
    ///
    /// # Panics
    ///
    /// No node has them.
    pub fn owner(&self) -> usize {
        let is_owner = |node: &Redis| {
            redis::cmd("EXISTS").arg("{ms-users}jwt-rules:g").query::<i64>(&mut node.connect()).is_ok()
        };
        self.nodes.iter().position(is_owner).unwrap()
    }

    /// Starts a replica of a master and waits until it has what the master has, and all know it, so that the others
    /// agree on a death and on its heir.
    ///
    /// # Panics
    ///
    /// It does not come up.
    pub fn replicate(&self, master: usize, arguments: &[&str]) -> Redis {
        let replica = node(arguments);
        for node in &self.nodes {
            replica.command(&["CLUSTER", "MEET", "127.0.0.1", &node.port.to_string()]);
        }
        let master_id = self.nodes[master].cluster_id();
        eventually("the replica knows its master", || {
            redis::cmd("CLUSTER").arg("REPLICATE").arg(&master_id).exec(&mut replica.connect()).ok()
        });
        eventually("the replica has what the master has", || {
            let info: String = redis::cmd("INFO").arg("replication").query(&mut replica.connect()).ok()?;
            info.contains("master_link_status:up").then_some(())
        });
        let replica_id = replica.cluster_id();
        let knows_all = |node: &Redis| {
            let known: String = redis::cmd("CLUSTER").arg("NODES").query(&mut node.connect()).unwrap();
            let is_settled = |line: &str| line.contains(" connected") && !line.contains("handshake");
            known.lines().count() == 4
                && known.lines().all(is_settled)
                && known.lines().any(|line| line.starts_with(&replica_id) && line.contains("slave"))
        };
        eventually("all know all", || self.nodes.iter().chain([&replica]).all(knows_all).then_some(()));
        replica
    }
}

fn node(arguments: &[&str]) -> Redis {
    let cluster = [
        "--cluster-enabled",
        "yes",
        "--cluster-node-timeout",
        "2000",
        "--cluster-replica-validity-factor",
        "0",
        "--repl-diskless-sync-delay",
        "0",
    ];
    Redis::start(&[&cluster, arguments].concat())
}
