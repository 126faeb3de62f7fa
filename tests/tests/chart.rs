//! The chart in deploy/chart, as Helm renders it: the same objects as those of the manifests, and no value that does nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use integration_tests::key_server::KeyServer;
use integration_tests::keys::{jwks, key};
use integration_tests::manifests::chart::{ask, folder};
use integration_tests::manifests::{Manifests, containers, items, text};
use integration_tests::process::repository;
use serde_json::{Map, Value, json};

use crate::kubernetes::schema::{VERSIONS, fits};
use crate::kubernetes::{layouts, parse, pods, takes};

/// The values that make each layout of deploy/kubernetes.
const LAYOUTS: [(&str, &[&str]); 4] = [
    ("base", &[]),
    ("overlays/oidc", &["keys.from=oidc"]),
    ("overlays/token-server", &["tokenServer.enabled=true"]),
    ("overlays/oidc-token-server", &["keys.from=oidc", "tokenServer.enabled=true"]),
];

/// Each value, another than it is without.
const ALL: [&str; 47] = [
    "images.agent=registry.example/jwt-agent:1",
    "images.tokenServer=registry.example/token-server:1",
    "images.haproxy=haproxy:3.0",
    "images.pullPolicy=Always",
    "images.pullSecrets=[\"registry\"]",
    "trust.configMap=trusted",
    "trust.issuers=[\"https://id.example.com\"]",
    "trust.audiences=[\"api\",\"web\"]",
    "keys.from=file",
    "keys.secret=keys",
    "edge.replicas=3",
    "edge.resources={\"limits\":{\"memory\":\"1Gi\"}}",
    "edge.configMap=own",
    "edge.env={\"AGENT_TIMEOUT\":\"200ms\"}",
    "agent.env={\"JWT_LEEWAY\":5,\"JWT_LOG_REFUSALS\":\"sample\"}",
    "agent.config=JWT_CACHE_TTL = 1",
    "agent.secrets=[\"authority.example\"]",
    "agent.resources={\"limits\":{\"memory\":\"1Gi\"}}",
    "app.service=shop",
    "app.port=3000",
    "app.labels={\"app\":\"shop\"}",
    "service.type=LoadBalancer",
    "service.port=8000",
    "tokenServer.enabled=true",
    "tokenServer.replicas=3",
    "tokenServer.bearerSecret=bearer",
    "tokenServer.redis.mode=sentinel",
    "tokenServer.redis.secret=redis",
    "tokenServer.redis.port=26379",
    "tokenServer.redis.labels={\"app\":\"redis\"}",
    "tokenServer.env={\"TOKEN_SERVER__REDIS__MASTER\":\"mymaster\"}",
    "tokenServer.config=TOKEN_SERVER__CACHE__TTL = 5",
    "tokenServer.secrets=[\"redis-authority\"]",
    "tokenServer.resources={\"limits\":{\"memory\":\"1Gi\"}}",
    "podDisruptionBudget.enabled=true",
    "podDisruptionBudget.maxUnavailable=50%",
    "networkPolicy.enabled=true",
    "networkPolicy.monitoringNamespace=watching",
    "networkPolicy.dnsNamespace=names",
    "networkPolicy.issuer=[{\"ipBlock\":{\"cidr\":\"203.0.113.0/24\"}}]",
    "networkPolicy.edgeEgress=[{\"ports\":[{\"port\":443}]}]",
    "networkPolicy.tokenServerEgress=[{\"ports\":[{\"port\":444}]}]",
    "podMonitor.enabled=true",
    "podMonitor.interval=30s",
    "podMonitor.labels={\"release\":\"prometheus\"}",
    "nodeSelector={\"disk\":\"ssd\"}",
    "tolerations=[{\"key\":\"edge\",\"operator\":\"Exists\"}]",
];

fn chart(layout: &'static str, values: &[&str]) -> Manifests {
    Manifests::of_chart(layout, values, parse).unwrap_or_else(|why| panic!("{values:?}: {why}"))
}

fn is_of(object: &Value, kind: &str) -> bool {
    object["kind"] == kind
}

/// The same in one order: variables, volumes and mounts by their names, which say it all.
fn in_order(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), in_order(value))).collect()
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(in_order).collect();
            if items.iter().all(|item| item["name"].is_string()) {
                items.sort_by_key(|item| text(&item["name"]));
            }
            items.into()
        }
        other => other.clone(),
    }
}

/// Objects by kind and name, without what only one of both ways has a need of: the namespace, which Helm is told beside the
/// chart; kustomize's names of ConfigMaps, which change with what is in them; and the sum that says so to Helm's pods.
fn comparable(objects: &[Value]) -> BTreeMap<String, Value> {
    let short = |name: &str| {
        let hashed = name
            .split_once('-')
            .filter(|(name, hash)| ["haproxy", "probes"].contains(name) && hash.len() == 10);
        hashed.map_or(name, |(name, _)| name).to_owned()
    };
    let mut found = BTreeMap::new();
    for object in objects.iter().filter(|object| !is_of(object, "Namespace")) {
        let mut object = in_order(object);
        object["metadata"].as_object_mut().unwrap().remove("namespace");
        object["metadata"]["name"] = short(&text(&object["metadata"]["name"])).into();
        if let Some(pod) = object.pointer_mut("/spec/template") {
            pod["metadata"].as_object_mut().unwrap().remove("annotations");
            for volume in pod["spec"]["volumes"].as_array_mut().unwrap() {
                if let Some(name) = volume["configMap"]["name"].as_str().map(short) {
                    volume["configMap"]["name"] = name.into();
                }
            }
        }
        let name = format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]));
        assert!(found.insert(name.clone(), object).is_none(), "{name} comes twice");
    }
    found
}

#[test]
fn the_chart_makes_what_the_manifests_make() {
    for (manifests, (layout, values)) in layouts().zip(LAYOUTS) {
        assert_eq!(manifests.layout, layout);
        let (theirs, ours) = (comparable(&manifests.objects), comparable(&chart(layout, values).objects));
        assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{layout}");
        for (name, object) in &theirs {
            assert_eq!(&ours[name], object, "{layout}: {name}");
        }
    }
}

#[test]
fn a_changed_file_gives_new_pods() {
    let sum = |values: &[&str]| {
        let objects = chart("base", values).objects;
        let edge = objects.iter().find(|object| is_of(object, "Deployment")).unwrap();
        edge.pointer("/spec/template/metadata/annotations").unwrap().clone()
    };
    assert_eq!(sum(&[]), sum(&["edge.replicas=3"]));
    assert_ne!(sum(&[]), sum(&["agent.config=JWT_CACHE_TTL = 1"]));
    assert_ne!(sum(&[]), sum(&["trust.issuers=[\"a\"]", "trust.audiences=[\"b\"]"]));
}

/// The places of a chart's values, as `--set` names them. A map that the user fills is one place.
fn places(values: &Map<String, Value>, before: &str, found: &mut BTreeSet<String>) {
    /// Maps whose members are the user's.
    const OPEN: [&str; 5] = ["env", "labels", "resources", "nodeSelector", "issuer"];
    for (name, value) in values {
        let place = format!("{before}{name}");
        match value {
            Value::Object(members) if !members.is_empty() && !OPEN.contains(&name.as_str()) => {
                places(members, &format!("{place}."), found);
            }
            _ => _ = found.insert(place),
        }
    }
}

#[test]
fn each_value_does_something_and_is_told_of() {
    let values = parse(&fs::read_to_string(folder().join("values.yaml")).unwrap()).remove(0);
    let mut known = BTreeSet::new();
    places(values.as_object().unwrap(), "", &mut known);
    let tried: BTreeSet<String> =
        ALL.iter().filter_map(|value| Some(value.split_once('=')?.0.to_owned())).collect();
    assert_eq!(tried, known, "values.yaml has other values than this test tries");
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    for place in &known {
        assert!(readme.contains(&format!("`{place}`")), "README.md says nothing of {place}");
    }
    // With all the others set as well, since some do nothing alone. Where keys are in a file no agent looks for an issuer.
    let with = |from: &'static str| ALL.map(|value| if value == "keys.from=file" { from } else { value });
    let [file, oidc] = ["keys.from=file", "keys.from=oidc"].map(with);
    let made = |values: &[&str]| chart("all", values).objects;
    let (all_by_file, all_by_oidc) = (made(&file), made(&oidc));
    for value in ALL {
        let (place, _) = value.split_once('=').unwrap();
        let by_oidc = place == "networkPolicy.issuer";
        let (values, all) = if by_oidc { (&oidc, &all_by_oidc) } else { (&file, &all_by_file) };
        let without: &[&str] = match place {
            "keys.from" => &["keys.from=oidc"],
            // What they are in values.yaml.
            "podDisruptionBudget.enabled" => &["podDisruptionBudget.enabled=false"],
            "networkPolicy.enabled" => &["networkPolicy.enabled=false"],
            // Both or none.
            "trust.issuers" | "trust.audiences" => &["trust.issuers=[]", "trust.audiences=[]"],
            _ => &[],
        };
        let others = values.iter().copied().filter(|other| *other != value);
        let changed: Vec<&str> = others.chain(without.iter().copied()).collect();
        assert_ne!(made(&changed), *all, "{value} changes nothing");
    }
}

#[test]
fn labels_of_the_users_pods_replace_ours() {
    let made = chart("all", &ALL);
    for (name, label) in [("app", "shop"), ("redis", "redis")] {
        let policies = made.of_kind("NetworkPolicy");
        let policy = policies.iter().find(|policy| policy["metadata"]["name"] == name).unwrap();
        assert_eq!(policy["spec"]["podSelector"], json!({"matchLabels": {"app": label}}));
    }
}

#[test]
fn objects_with_every_value_are_those_of_each_promised_version_of_kubernetes() {
    for values in [&ALL[..], &[&["keys.from=oidc"], &ALL[..]].concat()] {
        let made = chart("all", values);
        // The schema of the Prometheus operator's own kind is not one of Kubernetes.
        let (monitors, objects): (Vec<&Value>, Vec<&Value>) =
            made.objects.iter().partition(|object| is_of(object, "PodMonitor"));
        assert_eq!(monitors.len(), 2);
        for version in VERSIONS {
            assert_eq!(fits(objects.iter().copied(), version), Ok(()), "{version}");
        }
    }
}

#[test]
fn prometheus_finds_each_port_of_metrics_under_the_job_that_the_alerts_name() {
    let made = chart("all", &["podMonitor.enabled=true", "tokenServer.enabled=true"]);
    let alerts = fs::read_to_string(repository().join("dashboards/alerts.yml")).unwrap();
    let jobs: BTreeSet<&str> =
        alerts.split("job=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let mut found = BTreeSet::new();
    for monitor in made.of_kind("PodMonitor") {
        let name = &monitor["metadata"]["name"];
        assert_eq!(monitor["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"], *name);
        let deployments = made.of_kind("Deployment");
        let deployment = deployments.iter().find(|each| each["metadata"]["name"] == *name).unwrap();
        let ports: BTreeSet<String> = containers(&deployment["spec"]["template"]["spec"])
            .flat_map(|container| items(&container["ports"]))
            .map(|port| text(&port["name"]))
            .collect();
        for endpoint in items(&monitor["spec"]["podMetricsEndpoints"]) {
            assert!(ports.contains(&text(&endpoint["port"])), "{endpoint}");
            assert_eq!(endpoint["relabelings"][0]["targetLabel"], "job");
            found.insert(text(&endpoint["relabelings"][0]["replacement"]));
        }
    }
    assert!(jobs.iter().all(|job| found.contains(*job)), "{jobs:?}, {found:?}");
    assert!(chart("base", &[]).of_kind("PodMonitor").is_empty());
}

#[test]
fn the_programs_take_what_the_values_set() {
    let issuer = KeyServer::issuer(&jwks([key("ES256")]));
    let table = format!("[[issuers]]\nissuer = '{issuer}'\ndiscovery = true\naudiences = ['api']\n");
    let config =
        format!("agent={}", json!({"config": table, "env": {"JWT_LEEWAY": 5, "JWT_LOG_REFUSALS": "sample"}}));
    let made = chart("config", &["keys.from=config", &config]);
    takes("jwt-agent", "JWT_MADE_UP", &made.objects, &pods(&made), &[]);
    let config = "tokenServer={\"enabled\":true,\"config\":\"TOKEN_SERVER__CACHE__TTL = 5\"}";
    let made = chart("config", &[config]);
    let brought = [("issuers", issuer), ("audiences", "api".to_owned())];
    takes("token-server", "TOKEN_SERVER__MADE__UP", &made.objects, &pods(&made), &brought);
}

#[test]
fn a_value_that_is_misspelt_or_of_another_kind_is_refused_with_its_name() {
    for (values, named) in [
        (&["tokenserver.enabled=true"][..], "tokenserver"),
        (&["keys.from=url"], "from"),
        (&["edge.replicas=two"], "replicas"),
        (&["app.port=70000"], "port"),
        (&["agent.env={\"jwt_leeway\":5}"], "jwt_leeway"),
        // What the chart sets itself would stand there twice.
        (&["agent.env={\"JWT_AGENT_LISTEN\":\"0.0.0.0:1\"}"], "JWT_AGENT_LISTEN"),
        (&["tokenServer.env={\"TOKEN_SERVER__LISTEN\":\"0.0.0.0:1\"}"], "TOKEN_SERVER__LISTEN"),
        // Tokens of every audience.
        (&["trust.issuers=[\"https://id.example.com\"]"], "audiences"),
        // No keys from anywhere.
        (&["keys.from=config"], "config"),
        (&["networkPolicy.enabled=no"], "enabled"),
    ] {
        let refused = Manifests::of_chart("refused", values, parse).unwrap_err();
        assert!(refused.contains(named), "{values:?}: {refused}");
    }
}

#[test]
fn helm_finds_no_fault_in_the_chart_and_packs_it_whole() {
    let chart = folder().display().to_string();
    let told = ask(&["lint", "--strict", &chart]);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stdout));
    let packed = tempfile::tempdir().unwrap();
    let to = packed.path().display().to_string();
    assert!(ask(&["package", "--destination", &to, &chart]).status.success());
    let version = fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    let version =
        version.lines().find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"')).unwrap();
    // The files of HAProxy are links here, and files there.
    let package = packed.path().join(format!("haproxy-jwt-{version}.tgz"));
    let package = package.display().to_string();
    let rendered = ask(&["template", "edge", &package]);
    let text = String::from_utf8_lossy(&rendered.stdout);
    assert!(rendered.status.success() && text.contains("filter spoe engine jwt"), "{text}");
    let shown = String::from_utf8_lossy(&ask(&["show", "chart", &package]).stdout).into_owned();
    assert!(shown.contains(&format!("appVersion: {version}")), "{shown}");
}
