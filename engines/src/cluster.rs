//! A Redis Cluster of several servers.

use std::{net::SocketAddr, process::Command};

use crate::{Redis, keeper, port, wait_until};

/// How long a node may be silent before the others take it for dead, in milliseconds.
const NODE_TIMEOUT: &str = "3000";

/// Masters that share all slots, and their replicas.
pub struct RedisCluster {
    nodes: Vec<Redis>,
    masters: usize,
}

impl RedisCluster {
    /// Starts the servers and waits until every one says that the cluster works and every replica follows.
    ///
    /// # Panics
    ///
    /// Without Redis; with fewer than three masters, which `redis-cli` refuses.
    pub fn start(masters: usize, replicas_per_master: usize) -> Self {
        let nodes = (0..masters * (1 + replicas_per_master)).map(|_| {
            let bus = port::free().port().to_string();
            Redis::start_with(&[
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                &bus,
                "--cluster-node-timeout",
                NODE_TIMEOUT,
                "--repl-diskless-sync-delay",
                "0",
            ])
        });
        let cluster = Self { nodes: nodes.collect(), masters };
        let mut command = Command::new("redis-cli");
        command.args(["--cluster", "create"]).args(cluster.nodes.iter().map(|node| node.address().to_string()));
        command.args(["--cluster-replicas", &replicas_per_master.to_string(), "--cluster-yes"]);
        keeper::run(&mut command, "redis-tools");
        wait_until("the cluster is whole", || cluster.nodes.iter().all(|node| cluster.is_whole_to(node)));
        cluster
    }

    /// The addresses of all nodes.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Redis::url).collect()
    }

    /// One of the nodes. The first are masters in the beginning.
    pub fn node(&self, i: usize) -> &Redis {
        &self.nodes[i]
    }

    /// All nodes.
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// Waits until every replica has all that its master has now.
    ///
    /// # Panics
    ///
    /// When one does not get there.
    pub fn replicas_catch_up(&self) {
        for replica in &self.nodes[self.masters..] {
            let of = replica.field(&["info", "replication"], "master_port");
            let master = self.nodes.iter().find(|node| node.address().port().to_string() == of).unwrap();
            replica.catches_up_with(master);
        }
    }

    /// Waits until every node but this one, which is dead, knows who has its slots now. Each hears it for itself, so the
    /// word of one is not enough: another may still send its clients to the dead, or refuse them.
    ///
    /// # Panics
    ///
    /// When no replica takes its place.
    pub fn wait_until_replaced(&self, dead: usize) {
        let (gone, others) = (self.nodes[dead].address(), self.nodes.iter().enumerate().filter(|(i, _)| *i != dead));
        wait_until("every node knows the replica that took the place of the master", || {
            others.clone().all(|(_, node)| self.works_to(node) && !masters_to(node).contains(&gone))
        });
    }

    fn is_whole_to(&self, node: &Redis) -> bool {
        let follows = |node: &Redis| node.field(&["info", "replication"], "master_link_status") == "up";
        self.works_to(node)
            && node.field(&["cluster", "info"], "cluster_known_nodes") == self.nodes.len().to_string()
            && (node.field(&["info", "replication"], "role") == "master" || follows(node))
    }

    fn works_to(&self, node: &Redis) -> bool {
        node.field(&["cluster", "info"], "cluster_state") == "ok" && masters_to(node).len() == self.masters
    }
}

/// The addresses of the living masters that have slots, as this node sees the cluster.
fn masters_to(node: &Redis) -> Vec<SocketAddr> {
    let nodes = node.cli(&["cluster", "nodes"]);
    let fields = nodes.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let masters = fields.filter(|fields| fields.len() > 8 && matches!(fields[2], "master" | "myself,master"));
    masters.map(|fields| fields[1].split('@').next().unwrap().parse().unwrap()).collect()
}
