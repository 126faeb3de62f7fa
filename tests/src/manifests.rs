//! The objects that `kubectl apply -k` makes of deploy/kubernetes, and which of their pods may speak to which.

pub mod chart;
pub mod mounted;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::process::repository;

/// The ways to install it, as folders of deploy/kubernetes.
pub const LAYOUTS: [&str; 4] =
    ["base", "overlays/oidc", "overlays/token-server", "overlays/oidc-token-server"];

const NAME: &str = "app.kubernetes.io/name";

/// What one end of a connection is.
#[derive(Debug, Clone, Copy)]
pub enum Peer<'a> {
    /// A pod of our namespace, with this `app.kubernetes.io/name`.
    Pod(&'a str),
    /// Something outside of the cluster, or a node of it.
    Address(Ipv4Addr),
}

/// Everything that a layout makes.
#[derive(Debug)]
pub struct Manifests {
    /// Its folder.
    pub layout: &'static str,
    /// What would be sent to the cluster.
    pub objects: Vec<Value>,
}

/// `KUBECTL`, or where `tests/kubectl.sh` unpacks it: in the target folder.
fn kubectl() -> PathBuf {
    if let Some(program) = std::env::var_os("KUBECTL") {
        return program.into();
    }
    let this = std::env::current_exe().unwrap();
    let unpacked = this.ancestors().map(|folder| folder.join("kubectl/kubectl")).find(|path| path.is_file());
    unpacked
        .unwrap_or_else(|| panic!("kubectl is missing beside {}: run tests/kubectl.sh", Path::display(&this)))
}

impl Manifests {
    /// Builds one. `parse` reads documents of YAML.
    ///
    /// # Panics
    ///
    /// kubectl refuses it.
    pub fn build(layout: &'static str, parse: impl FnOnce(&str) -> Vec<Value>) -> Self {
        let folder = repository().join("deploy/kubernetes").join(layout);
        let built = Command::new(kubectl()).arg("kustomize").arg(folder).output().unwrap();
        assert!(built.status.success(), "{layout}: {}", String::from_utf8_lossy(&built.stderr));
        let objects = parse(&String::from_utf8(built.stdout).unwrap());
        assert!(!objects.is_empty(), "{layout} makes nothing");
        Self { layout, objects }
    }

    /// All objects of a kind.
    pub fn of_kind(&self, kind: &str) -> Vec<&Value> {
        self.objects.iter().filter(|object| object["kind"] == kind).collect()
    }

    /// Whether the network lets `from` connect to a port of `to`: the policies of both ends have to.
    pub fn allows(&self, from: Peer<'_>, to: Peer<'_>, port: u16) -> bool {
        self.end_allows("Egress", from, to, to, port) && self.end_allows("Ingress", to, from, to, port)
    }

    /// Whether the policies of `end` let it speak with `other`, in one direction. No policy for a pod lets everything.
    fn end_allows(
        &self,
        direction: &str,
        end: Peer<'_>,
        other: Peer<'_>,
        server: Peer<'_>,
        port: u16,
    ) -> bool {
        let Peer::Pod(name) = end else { return true };
        let (rules, peers) = if direction == "Ingress" { ("ingress", "from") } else { ("egress", "to") };
        let policies: Vec<&Value> = self
            .of_kind("NetworkPolicy")
            .into_iter()
            .filter(|policy| selects(&policy["spec"]["podSelector"], name))
            .filter(|policy| items(&policy["spec"]["policyTypes"]).any(|each| each == direction))
            .collect();
        let rule_allows = |rule: &Value| {
            // Without a list of them, every peer and every port.
            (rule[peers].is_null() || items(&rule[peers]).any(|peer| is_peer(peer, other)))
                && (rule["ports"].is_null()
                    || items(&rule["ports"]).any(|each| self.is_port(&each["port"], server, port)))
        };
        policies.is_empty() || policies.iter().any(|policy| items(&policy["spec"][rules]).any(rule_allows))
    }

    /// Whether a policy's port, a number or a name of the serving pod's, is this one.
    fn is_port(&self, of_policy: &Value, server: Peer<'_>, port: u16) -> bool {
        if of_policy.is_number() {
            return *of_policy == port;
        }
        let Peer::Pod(name) = server else { return false };
        self.of_kind("Deployment")
            .into_iter()
            .filter(|deployment| deployment["metadata"]["name"] == name)
            .flat_map(|deployment| containers(&deployment["spec"]["template"]["spec"]))
            .any(|each| {
                items(&each["ports"])
                    .any(|known| known["name"] == *of_policy && known["containerPort"] == port)
            })
    }
}

/// All containers of a pod, side-cars first.
pub fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    items(&pod["initContainers"]).chain(items(&pod["containers"]))
}

/// The items of a list; none of what is no list.
pub fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A text.
///
/// # Panics
///
/// It is something else.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn selects(selector: &Value, name: &str) -> bool {
    let labels = selector["matchLabels"].as_object();
    labels.into_iter().flatten().all(|(label, value)| label == NAME && value == name)
}

/// Whether an entry of `from` or `to` is this one. Another namespace's pods are none of ours.
fn is_peer(of_policy: &Value, peer: Peer<'_>) -> bool {
    match peer {
        Peer::Pod(name) => {
            of_policy["namespaceSelector"].is_null()
                && of_policy["podSelector"].is_object()
                && selects(&of_policy["podSelector"], name)
        }
        Peer::Address(address) => {
            let block = &of_policy["ipBlock"];
            block["cidr"].as_str().is_some_and(|all| holds(all, address))
                && !items(&block["except"]).any(|part| holds(part.as_str().unwrap(), address))
        }
    }
}

/// Whether a block holds an IPv4 address.
fn holds(block: &str, address: Ipv4Addr) -> bool {
    let (first, length) = block.split_once('/').unwrap();
    let (Ok(first), Ok(length)) = (first.parse::<Ipv4Addr>(), length.parse::<u32>()) else { return false };
    let apart = address.to_bits() ^ first.to_bits();
    length == 0 || apart >> (32 - length) == 0
}
