//! The manifests of deploy/kubernetes, as kubectl builds them: what they refer to is there, the programs take what they are told,
//! and a pod that may not connect to another one cannot.

pub(crate) mod schema;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use integration_tests::agent::{self, program};
use integration_tests::haproxy;
use integration_tests::key_server::KeyServer;
use integration_tests::keys::{jwks, key};
use integration_tests::manifests::mounted::{Brought, Mounted};
use integration_tests::manifests::{LAYOUTS, Manifests, Peer, containers, items, text};
use integration_tests::process::repository;
use serde_json::{Value, json};
use tempfile::TempDir;

fn folder() -> PathBuf {
    repository().join("deploy/kubernetes")
}

pub(crate) fn parse(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap_or_else(|why| panic!("{why}: {text}"))
}

fn documents(path: &Path) -> Vec<Value> {
    parse(&fs::read_to_string(path).unwrap())
}

pub(crate) fn layouts() -> impl Iterator<Item = Manifests> {
    LAYOUTS.into_iter().map(|layout| Manifests::build(layout, parse))
}

fn names<'a>(values: impl Iterator<Item = &'a Value>) -> BTreeSet<String> {
    values.map(|value| text(&value["name"])).collect()
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

/// The pod of each Deployment.
pub(crate) fn pods(manifests: &Manifests) -> Vec<Value> {
    let deployments = manifests.of_kind("Deployment");
    assert!(!deployments.is_empty(), "{} runs nothing", manifests.layout);
    deployments.iter().map(|deployment| deployment["spec"]["template"]["spec"].clone()).collect()
}

/// The pod of HAProxy's ingress controller, as far as our values tell.
fn controller() -> Value {
    let values = documents(&folder().join("ingress-controller.yaml")).remove(0);
    let controller = &values["controller"];
    json!({
        "initContainers": controller["initContainers"],
        "containers": [{"name": "controller", "volumeMounts": controller["extraVolumeMounts"]}],
        "volumes": controller["extraVolumes"],
    })
}

/// What pods of a layout refer to and it does not make: ConfigMaps, then Secrets.
fn brought(pods: &[Value], made: &BTreeSet<String>) -> [BTreeSet<String>; 2] {
    let variables = || pods.iter().flat_map(containers).flat_map(|each| items(&each["env"]));
    let volumes = || pods.iter().flat_map(|pod| items(&pod["volumes"]));
    let of = |reference: &str, volume: &str| -> BTreeSet<String> {
        let in_variables = variables().map(|each| each.pointer(&format!("/valueFrom/{reference}/name")));
        let named = in_variables.chain(volumes().map(|each| each.pointer(volume)));
        named.flatten().map(text).filter(|name| !made.contains(name)).collect()
    };
    [of("configMapKeyRef", "/configMap/name"), of("secretKeyRef", "/secret/secretName")]
}

fn made(manifests: &Manifests) -> BTreeSet<String> {
    names(manifests.of_kind("ConfigMap").into_iter().map(|map| &map["metadata"]))
}

#[test]
fn every_layout_asks_for_what_it_needs_and_for_nothing_else() {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    let secrets = [
        set(["jwt-keys"]),
        set([]),
        set(["jwt-agent-bearer", "jwt-keys", "token-server-redis"]),
        set(["jwt-agent-bearer", "token-server-redis"]),
    ];
    for (manifests, secrets) in layouts().zip(secrets) {
        let brought = brought(&pods(&manifests), &made(&manifests));
        assert_eq!(brought, [set(["jwt-agent"]), secrets], "{}", manifests.layout);
        for name in brought.iter().flatten() {
            assert!(readme.contains(&format!(" {name} ")), "README.md says nothing of {name}");
        }
        assert!(
            readme.contains(&format!("`{}`", manifests.layout)),
            "README.md says nothing of {}",
            manifests.layout
        );
    }
    // Of the controller's, one ConfigMap tells which of the Secrets there must be.
    let pod = controller();
    assert_eq!(
        brought(std::slice::from_ref(&pod), &set([])),
        [set(["jwt-agent", "jwt-spoe"]), set(["jwt-agent-bearer", "jwt-keys"])]
    );
    for volume in items(&pod["volumes"]).filter(|volume| volume["secret"].is_object()) {
        assert_eq!(volume["secret"]["optional"], true, "{volume}");
    }
}

#[test]
fn every_volume_is_mounted_and_every_variable_has_a_value() {
    for manifests in layouts() {
        for pod in [pods(&manifests), vec![controller()]].concat() {
            let mounts = containers(&pod).flat_map(|each| items(&each["volumeMounts"]));
            assert_eq!(names(mounts), names(items(&pod["volumes"])), "{}", manifests.layout);
            for variable in containers(&pod).flat_map(|each| items(&each["env"])) {
                assert!(variable["value"].is_string() != variable["valueFrom"].is_object(), "{variable}");
            }
        }
    }
}

#[test]
fn selectors_meet_labels_and_ports_are_those_of_containers() {
    for manifests in layouts() {
        let deployments = manifests.of_kind("Deployment");
        // The Deployments whose pods have these labels.
        let selected = |labels: &Value| -> Vec<&Value> {
            let labels = labels.as_object().unwrap();
            let has = |deployment: &&&Value| {
                let own = &deployment["spec"]["template"]["metadata"]["labels"];
                labels.iter().all(|(name, value)| own[name] == *value)
            };
            deployments.iter().filter(has).copied().collect()
        };
        let ports = |deployment: &Value| -> Vec<Value> {
            containers(&deployment["spec"]["template"]["spec"])
                .flat_map(|each| items(&each["ports"]))
                .flat_map(|port| [port["name"].clone(), port["containerPort"].clone()])
                .collect()
        };
        for deployment in &deployments {
            assert_eq!(selected(&deployment["spec"]["selector"]["matchLabels"]), [*deployment]);
            for container in containers(&deployment["spec"]["template"]["spec"]) {
                let own: Vec<&Value> = items(&container["ports"]).map(|port| &port["name"]).collect();
                for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
                    let port = &container[probe]["httpGet"]["port"];
                    assert!(port.is_null() || own.contains(&port), "{probe}: {container}");
                }
            }
        }
        for budget in manifests.of_kind("PodDisruptionBudget") {
            assert_eq!(selected(&budget["spec"]["selector"]["matchLabels"]).len(), 1, "{budget}");
        }
        for service in manifests.of_kind("Service") {
            let [deployment] = selected(&service["spec"]["selector"])[..] else { panic!("{service}") };
            for port in items(&service["spec"]["ports"]) {
                assert!(ports(deployment).contains(&port["targetPort"]), "{port}");
            }
        }
    }
}

#[test]
fn the_network_lets_by_what_has_to_meet_and_nothing_else() {
    let outside = |text: &str| Peer::Address(text.parse().unwrap());
    let (edge, server, redis, app) =
        (Peer::Pod("edge"), Peer::Pod("token-server"), Peer::Pod("redis"), Peer::Pod("app"));
    let other = Peer::Pod("another");
    for manifests in layouts() {
        let servers = manifests.layout.contains("token-server");
        let discovery = manifests.layout.contains("oidc");
        let mut cases = vec![
            (outside("203.0.113.7"), edge, 8080, true),
            (edge, app, 8081, true),
            // Nothing but HAProxy reaches the application, which believes its headers.
            (other, app, 8081, false),
            (outside("203.0.113.7"), app, 8081, false),
            (edge, app, 22, false),
            // What agents and HAProxy tell of themselves is for Prometheus.
            (app, edge, 9464, false),
            (app, edge, 9465, false),
            (app, edge, 8405, false),
            (edge, redis, 6379, false),
            // The agents' way out is one to the issuer.
            (edge, outside("203.0.113.7"), 443, discovery),
            (edge, outside("203.0.113.7"), 80, false),
            (edge, outside("10.96.0.1"), 443, false),
            (edge, outside("169.254.169.254"), 443, false),
            (edge, outside("192.168.3.4"), 443, false),
            // Whatever else runs in this namespace.
            (app, redis, 6379, false),
            (app, server, 4000, false),
            (app, server, 4001, false),
            (other, redis, 6379, false),
            (other, server, 4000, false),
        ];
        if servers {
            cases.extend([
                (edge, server, 4000, true),
                (edge, server, 4001, false),
                (server, redis, 6379, true),
                (redis, redis, 6379, true),
                (server, outside("203.0.113.7"), 443, false),
                (server, app, 8081, false),
            ]);
        }
        for (from, to, port, expected) in cases {
            let layout = manifests.layout;
            assert_eq!(
                manifests.allows(from, to, port),
                expected,
                "{layout}: {from:?} to {to:?}, port {port}"
            );
        }
    }
}

#[test]
fn images_are_those_of_docker_compose() {
    let compose = documents(&repository().join("docker-compose.yml")).remove(0);
    let servers = documents(&repository().join("deploy/compose/token-server.yml")).remove(0);
    let of = |value: &Value| {
        // `haproxy:${HAPROXY_VERSION:-3.2}`: the version that it has unless another one is asked for.
        let image = text(&value["image"]);
        image.split_once(":${").map_or(image.clone(), |(name, version)| {
            format!("{name}:{}", version.split_once(":-").unwrap().1.trim_end_matches('}'))
        })
    };
    let known: BTreeSet<String> =
        [&compose["x-agent"], &servers["x-token-server"], &compose["services"]["haproxy"]].map(of).into();
    let pods: Vec<Value> = layouts().flat_map(|manifests| pods(&manifests)).chain([controller()]).collect();
    let used: BTreeSet<String> = pods
        .iter()
        .flat_map(containers)
        .filter_map(|each| each["image"].as_str())
        .map(str::to_owned)
        .collect();
    assert_eq!(used, known);
}

#[test]
fn every_container_runs_unprivileged_on_a_read_only_file_system() {
    let mut all = vec![controller()];
    for manifests in layouts() {
        let [namespace] = manifests.of_kind("Namespace")[..] else { panic!("{}", manifests.layout) };
        assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
        for object in &manifests.objects {
            let inside = object["kind"] == "Namespace"
                || object["metadata"]["namespace"] == namespace["metadata"]["name"];
            assert!(inside, "{object}");
        }
        for pod in pods(&manifests) {
            assert_eq!(pod["automountServiceAccountToken"], false);
            let user = &pod["securityContext"];
            assert_eq!((&user["runAsUser"], &user["runAsNonRoot"]), (&json!(65532), &json!(true)));
            assert_eq!(user["seccompProfile"]["type"], "RuntimeDefault");
            all.push(pod);
        }
    }
    for container in all.iter().flat_map(containers).filter(|each| each["image"].is_string()) {
        let context = &container["securityContext"];
        assert_eq!(context["readOnlyRootFilesystem"], true, "{container}");
        assert_eq!(context["allowPrivilegeEscalation"], false, "{container}");
        assert_eq!(context["capabilities"]["drop"], json!(["ALL"]), "{container}");
    }
}

/// Whether it takes its configuration, and what it says.
fn checks(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), said)
}

/// Each container of this image takes what it is told, beside what Kubernetes adds; `--check` looks for the keys, too.
pub(crate) fn takes(image: &str, made_up: &str, objects: &[Value], pods: &[Value], brought: &Brought) {
    // Services named as ours, and `jwt-agent`, in a pod's environment.
    let links = [
        ("TOKEN_SERVER_SERVICE_HOST", "10.0.0.7"),
        ("TOKEN_SERVER_SERVICE_PORT", "4000"),
        ("TOKEN_SERVER_PORT", "tcp://10.0.0.7:4000"),
        ("TOKEN_SERVER_PORT_4000_TCP_ADDR", "10.0.0.7"),
        ("JWT_AGENT_SERVICE_PORT_HTTP", "9464"),
        ("JWT_AGENT_PORT_9464_TCP", "tcp://10.0.0.8:9464"),
    ];
    let mut count = 0;
    for pod in pods {
        for container in containers(pod).filter(|each| each["image"] == image) {
            count += 1;
            let mounted = Mounted::new(objects, pod, container);
            let mut command = Command::new(program(image));
            command.env_clear().arg("--check").envs(mounted.environment(container, brought)).envs(links);
            // The folders of sockets are volumes of the pod, which are not here.
            command.env("JWT_AGENT_LISTEN", "127.0.0.1:0").env("TOKEN_SERVER__ADMIN__SOCKET", "admin.sock");
            command.current_dir(mounted.folder());
            let (good, said) = checks(&mut command);
            assert!(good, "{image}, {brought:?}: {said}");
            let (good, said) = checks(command.env(made_up, "1"));
            assert!(!good, "{image} takes any setting: {said}");
        }
    }
    assert!(count > 0, "no container of {image}");
}

#[test]
fn the_programs_take_what_the_manifests_set_beside_what_kubernetes_adds() {
    let issuer = KeyServer::issuer(&jwks([key("ES256")]));
    for manifests in layouts() {
        let pods = pods(&manifests);
        let brought = [("issuers", issuer.clone()), ("audiences", "api".to_owned())];
        takes("jwt-agent", "JWT_MADE_UP", &manifests.objects, &pods, &brought);
        if manifests.layout.contains("token-server") {
            takes("token-server", "TOKEN_SERVER__MADE__UP", &manifests.objects, &pods, &brought);
        }
    }
    assert!(checks(agent::command().args(["health", "--help"])).0);
    assert!(checks(Command::new(program("token-server")).args(["health", "--help"])).0);
}

#[test]
fn the_agents_of_haproxys_ingress_controller_need_no_more_than_their_config_map_names() {
    let audience = ("audiences", "api".to_owned());
    let file = [
        ("jwks-file", "/etc/haproxy-jwt/keys/keys".to_owned()),
        ("issuers", "https://issuer.example".to_owned()),
    ];
    let discovery = [("oidc-issuers", KeyServer::issuer(&jwks([key("ES256")])))];
    let servers = [
        ("token-servers", "http://token-server.haproxy-jwt:4000".to_owned()),
        ("token-file", "/etc/haproxy-jwt/bearer/token".to_owned()),
    ];
    for keys in [&file[..], &discovery] {
        for servers in [&[][..], &servers] {
            let brought = [std::slice::from_ref(&audience), keys, servers].concat();
            takes("jwt-agent", "JWT_MADE_UP", &[], &[controller()], &brought);
        }
    }
    // Without keys they do not start.
    let pod = controller();
    let container = items(&pod["initContainers"]).next().unwrap();
    let environment = Mounted::new(&[], &pod, container).environment(container, &[audience]);
    assert!(!checks(Command::new(program("jwt-agent")).env_clear().arg("--check").envs(environment)).0);
}

#[test]
fn haproxy_takes_the_files_and_the_environment_of_its_container() {
    for manifests in layouts() {
        for pod in pods(&manifests) {
            for container in containers(&pod).filter(|each| each["name"] == "haproxy") {
                let mounted = Mounted::new(&manifests.objects, &pod, container);
                let arguments = items(&container["command"]).skip(1).map(|each| mounted.path(&text(each)));
                let mut command = Command::new(haproxy::program());
                command.arg("-c").args(arguments).envs(mounted.environment(container, &[]));
                // The Service `app` is no name on this machine.
                let (good, said) = checks(command.env("APP_SERVER", "127.0.0.1:8081"));
                assert!(good, "{said}");
            }
        }
    }
}

#[test]
fn haproxys_ingress_controller_gets_every_rule_of_the_shipped_file() {
    let folder = TempDir::with_prefix("kubernetes-").unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (done, said) = checks(Command::new(self::folder().join("ingress-controller.sh")).arg(folder.path()));
    assert!(done, "{said}");
    let shipped = fs::read_to_string(repository().join("haproxy/haproxy.cfg")).unwrap();
    let begins = |line: &str| {
        ["filter ", "acl ", "http-request ", "http-after-response "]
            .iter()
            .any(|word| line.trim().starts_with(word))
    };
    let snippet = fs::read_to_string(path("frontend.cfg")).unwrap();
    assert_eq!(snippet.lines().count(), shipped.lines().filter(|line| begins(line)).count());
    assert!(!snippet.contains("${"), "{snippet}");

    // A frontend as the controller makes it, with the snippet in it.
    fs::copy(repository().join("haproxy/spoe-jwt.conf"), path("spoe-jwt.conf")).unwrap();
    let frontend = snippet.replace("/haproxy-jwt/spoe", &folder.path().display().to_string());
    let main = "global\n    log stdout format raw local0\ndefaults\n    log global\n    timeout client 1s\n    timeout connect 1s\n    \
                timeout server 1s\nfrontend http\n    mode http\n    bind 127.0.0.1:8080\n";
    fs::write(
        path("haproxy.cfg"),
        format!("{main}{frontend}    default_backend app\nbackend app\n    mode http\n"),
    )
    .unwrap();
    let (good, said) = checks(Command::new(haproxy::program()).args([
        "-c",
        "-f",
        &path("haproxy.cfg"),
        "-f",
        &path("haproxy-aux.cfg"),
    ]));
    assert!(good, "{said}");
}
