//! docker-compose.yml and its overlays, as files: which containers share a network, and what every one is denied.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use integration_tests::process::repository;
use serde_json::{Map, Value, json};

const BASE: &str = "docker-compose.yml";
const KEYS: &str = "deploy/compose/keys.yml";
const OIDC: &str = "deploy/compose/oidc.yml";
const SERVERS: &str = "deploy/compose/token-server.yml";
const METRICS: &str = "deploy/compose/metrics.yml";

/// Every way to combine them: one source of keys, and any of the others.
const LAYOUTS: [&[&str]; 8] = [
    &[BASE, KEYS],
    &[BASE, OIDC],
    &[BASE, KEYS, SERVERS],
    &[BASE, OIDC, SERVERS],
    &[BASE, KEYS, METRICS],
    &[BASE, OIDC, METRICS],
    &[BASE, KEYS, SERVERS, METRICS],
    &[BASE, OIDC, SERVERS, METRICS],
];

/// A mapping with what its `<<` brings.
fn merged(value: &Value) -> Value {
    let Some(mapping) = value.as_object() else { return value.clone() };
    let mut all =
        mapping.get("<<").map(merged).and_then(|each| each.as_object().cloned()).unwrap_or_default();
    all.extend(
        mapping.iter().filter(|(name, _)| *name != "<<").map(|(name, each)| (name.clone(), merged(each))),
    );
    Value::Object(all)
}

fn document(file: &str) -> Value {
    let text = fs::read_to_string(repository().join(file)).unwrap();
    let mut documents: Vec<Value> =
        serde_saphyr::from_multiple(&text).unwrap_or_else(|why| panic!("{file}: {why}"));
    assert_eq!(documents.len(), 1, "{file}");
    merged(&documents.remove(0))
}

/// The names in a list or in a mapping: networks are written both ways.
fn names(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(mapping) => mapping.keys().cloned().collect(),
        Value::Array(list) => list.iter().map(|each| each.as_str().unwrap().to_owned()).collect(),
        Value::Null => BTreeSet::new(),
        other => panic!("{other}"),
    }
}

/// What docker-compose makes of a few files, as far as it is asked here.
#[derive(Default)]
struct Composed {
    networks: BTreeMap<String, BTreeSet<String>>,
    environment: BTreeMap<String, Map<String, Value>>,
    internal: BTreeSet<String>,
    text: String,
}

impl Composed {
    fn of(files: &[&str]) -> Self {
        let mut all = Self::default();
        for file in files {
            let document = document(file);
            for (service, settings) in document["services"].as_object().unwrap() {
                // A network that is not said would be `default`, which all such services share.
                assert_ne!(settings["network_mode"], "host", "{service}");
                all.networks.entry(service.clone()).or_default().extend(names(&settings["networks"]));
                let environment = settings["environment"].as_object().cloned().unwrap_or_default();
                all.environment.entry(service.clone()).or_default().extend(environment);
                all.text += &settings.to_string();
            }
            for (network, settings) in document["networks"].as_object().into_iter().flatten() {
                if settings["internal"] == true {
                    all.internal.insert(network.clone());
                }
            }
        }
        all
    }

    /// The services that share a network with this one.
    fn neighbours(&self, service: &str) -> BTreeSet<&str> {
        let own = &self.networks[service];
        let meets =
            |(name, networks): &(&String, &BTreeSet<String>)| *name != service && !networks.is_disjoint(own);
        self.networks.iter().filter(meets).map(|(name, _)| name.as_str()).collect()
    }
}

#[test]
fn the_application_shares_a_network_with_haproxy_alone_and_has_no_way_out() {
    for files in LAYOUTS {
        let composed = Composed::of(files);
        assert_eq!(composed.neighbours("app"), ["haproxy"].into(), "{files:?}");
        assert!(composed.networks["app"].is_subset(&composed.internal), "{files:?}");
    }
}

#[test]
fn redis_is_reached_by_token_servers_and_by_redis_and_token_servers_by_agents_and_prometheus() {
    for files in LAYOUTS {
        let composed = Composed::of(files);
        let is_store =
            |name: &str| ["redis", "sentinel", "cluster"].iter().any(|each| name.starts_with(each));
        let may_ask = |name: &str| name.starts_with("agent") || name == "prometheus";
        let servers = files.contains(&SERVERS);
        assert_eq!(composed.networks.keys().any(|name| is_store(name)), servers, "{files:?}");
        for (service, networks) in &composed.networks {
            assert!(!networks.is_empty(), "{files:?}: {service} is in the network of all");
            for other in composed.neighbours(service) {
                let server = other.starts_with("token-server");
                if is_store(service) {
                    assert!(server || is_store(other), "{files:?}: {other} reaches {service}");
                }
                if service.starts_with("token-server") {
                    assert!(
                        server || is_store(other) || may_ask(other),
                        "{files:?}: {other} reaches {service}"
                    );
                }
            }
            if is_store(service) || service.starts_with("token-server") {
                assert!(networks.is_subset(&composed.internal), "{files:?}: {service} has a way out");
            }
        }
    }
}

#[test]
fn agents_have_a_way_out_and_need_no_file_of_keys_where_an_issuer_is_discovered() {
    for files in LAYOUTS {
        let composed = Composed::of(files);
        let (discovery, servers) = (files.contains(&OIDC), files.contains(&SERVERS));
        assert_eq!(composed.text.contains("KEYS_FILE"), !discovery, "{files:?}");
        for agent in ["agent1", "agent2"] {
            let outside: Vec<_> = composed.networks[agent].difference(&composed.internal).collect();
            assert_eq!(!outside.is_empty(), discovery, "{files:?}: {outside:?}");
            let environment = &composed.environment[agent];
            assert_eq!(environment.contains_key("JWT_OIDC_ISSUERS"), discovery, "{files:?}");
            assert_eq!(environment.contains_key("JWT_JWKS_FILE"), !discovery, "{files:?}");
            assert_eq!(environment.contains_key("JWT_TOKEN_SERVER_BACKEND"), servers, "{files:?}");
            // An empty list is a fault: these are passed by name, and not set where they are not set outside.
            assert_eq!(environment["JWT_AUDIENCES"], Value::Null, "{files:?}");
            assert_eq!(environment.get("JWT_ISSUERS"), (!discovery).then_some(&Value::Null), "{files:?}");
        }
        for (service, environment) in &composed.environment {
            if service.starts_with("token-server") {
                assert_eq!(environment["TOKEN_SERVER__LISTEN"], "0.0.0.0:4000", "{service}");
            }
        }
    }
}

#[test]
fn every_container_is_confined_and_publishes_on_loopback_alone() {
    let mut count = 0;
    for file in [BASE, SERVERS, METRICS] {
        for (service, settings) in document(file)["services"].as_object().unwrap() {
            // What an overlay adds to a service of the first file.
            if settings["image"].is_null() {
                assert!(!document(BASE)["services"][service]["image"].is_null(), "{file}: {service}");
                continue;
            }
            count += 1;
            assert_eq!(settings["read_only"], true, "{service}");
            assert_eq!(settings["cap_drop"], json!(["ALL"]), "{service}");
            assert_eq!(settings["security_opt"], json!(["no-new-privileges:true"]), "{service}");
            assert!(settings["privileged"].is_null() && settings["cap_add"].is_null(), "{service}");
            for port in names(&settings["ports"]) {
                assert!(port.starts_with("127.0.0.1:"), "{service}: {port}");
            }
        }
    }
    assert!(count > 10, "{count}");
}
