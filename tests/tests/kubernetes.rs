//! The manifests of deploy/kubernetes: what they refer to is there, and the programs take what they are told.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use integration_tests::agent::{self, program};
use integration_tests::haproxy;
use integration_tests::keys::{jwks, key};
use integration_tests::process::repository;
use serde_json::{Value, json};
use tempfile::TempDir;

/// What README.md tells an operator to bring.
const BROUGHT_CONFIG_MAPS: [&str; 2] = ["jwt-agent", "jwt-spoe"];
const BROUGHT_SECRETS: [&str; 3] = ["jwt-keys", "jwt-agent-bearer", "token-server-redis"];
/// Pods of somebody else, by `app.kubernetes.io/name`.
const BROUGHT_PODS: [&str; 2] = ["app", "redis"];

fn folder() -> PathBuf {
    repository().join("deploy/kubernetes")
}

fn documents(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    serde_saphyr::from_multiple(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// All objects that `kubectl apply -k` makes of the listed files.
fn objects() -> Vec<Value> {
    let kustomization = documents(&folder().join("kustomization.yaml")).remove(0);
    let files = texts(&kustomization["resources"]);
    files
        .iter()
        .filter(|name| name.ends_with(".yaml"))
        .flat_map(|name| documents(&folder().join(name)))
        .collect()
}

fn of_kind(kind: &str) -> Vec<Value> {
    let found: Vec<Value> = objects().into_iter().filter(|object| object["kind"] == kind).collect();
    assert!(!found.is_empty(), "no {kind}");
    found
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    list(value).iter().map(text).collect()
}

fn names(values: &[Value]) -> BTreeSet<String> {
    values.iter().map(|value| text(&value["name"])).collect()
}

/// The pod of each Deployment, and of the ingress controller as far as its values tell.
fn pods() -> Vec<Value> {
    let mut pods: Vec<Value> = of_kind("Deployment")
        .iter()
        .map(|deployment| deployment["spec"]["template"]["spec"].clone())
        .collect();
    let values = documents(&folder().join("ingress-controller.yaml")).remove(0);
    let controller = &values["controller"];
    pods.push(json!({
        "initContainers": controller["initContainers"],
        "containers": [{"name": "controller", "volumeMounts": controller["extraVolumeMounts"]}],
        "volumes": controller["extraVolumes"],
    }));
    pods
}

fn containers(pod: &Value) -> Vec<Value> {
    [list(&pod["initContainers"]), list(&pod["containers"])].concat()
}

fn ours(image: &str) -> Vec<(Value, Value)> {
    let of_pod = |pod: Value| containers(&pod).into_iter().map(move |container| (pod.clone(), container));
    let found: Vec<_> =
        pods().into_iter().flat_map(of_pod).filter(|(_, each)| each["image"] == image).collect();
    assert!(!found.is_empty(), "no container of {image}");
    found
}

/// The ConfigMaps that the two kustomizations make, each with its files.
fn generated() -> Vec<(String, Vec<PathBuf>)> {
    [folder(), repository().join("haproxy")]
        .iter()
        .flat_map(|folder| {
            let kustomization = documents(&folder.join("kustomization.yaml")).remove(0);
            let maps = list(&kustomization["configMapGenerator"]);
            maps.into_iter().map(|map| {
                let files = texts(&map["files"]).iter().map(|name| folder.join(name)).collect();
                (text(&map["name"]), files)
            })
        })
        .collect()
}

#[test]
fn the_folder_holds_nothing_that_is_not_applied_or_explained() {
    let kustomization = documents(&folder().join("kustomization.yaml")).remove(0);
    let mut listed: BTreeSet<String> = texts(&kustomization["resources"]).into_iter().collect();
    assert!(listed.remove("../../haproxy"), "{listed:?}");
    let known =
        ["kustomization.yaml", "README.md", "probes.cfg", "ingress-controller.yaml", "ingress-controller.sh"];
    listed.extend(known.map(str::to_owned));
    let there: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(listed, there);
    for (map, files) in generated() {
        for file in files {
            assert!(file.is_file(), "{map}: {}", file.display());
        }
    }
}

#[test]
fn every_volume_is_mounted_and_every_config_map_and_secret_is_made_or_asked_for() {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    for name in BROUGHT_CONFIG_MAPS.iter().chain(&BROUGHT_SECRETS) {
        assert!(readme.contains(&format!(" {name} ")), "README.md says nothing of {name}");
    }
    let made: Vec<String> = generated().into_iter().map(|(name, _)| name).collect();
    let config_map =
        |name: &Value| made.contains(&text(name)) || BROUGHT_CONFIG_MAPS.contains(&text(name).as_str());
    let secret = |name: &Value| BROUGHT_SECRETS.contains(&text(name).as_str());
    for pod in pods() {
        let containers = containers(&pod);
        let mounts: Vec<Value> = containers.iter().flat_map(|each| list(&each["volumeMounts"])).collect();
        assert_eq!(names(&mounts), names(&list(&pod["volumes"])));
        for volume in list(&pod["volumes"]) {
            let known = match (&volume["configMap"]["name"], &volume["secret"]["secretName"]) {
                (Value::Null, Value::Null) => volume["emptyDir"].is_object(),
                (name, Value::Null) => config_map(name),
                (_, name) => secret(name),
            };
            assert!(known, "{volume}");
        }
        for variable in containers.iter().flat_map(|each| list(&each["env"])) {
            let from = &variable["valueFrom"];
            let known = match (&from["configMapKeyRef"]["name"], &from["secretKeyRef"]["name"]) {
                (Value::Null, Value::Null) => variable["value"].is_string(),
                (name, Value::Null) => config_map(name),
                (_, name) => secret(name),
            };
            assert!(known, "{variable}");
        }
    }
}

#[test]
fn selectors_meet_labels_and_ports_are_those_of_containers() {
    let deployments = of_kind("Deployment");
    // The Deployments whose pods have these labels.
    let selected = |labels: &Value| -> Vec<&Value> {
        let labels = labels.as_object().unwrap();
        let has = |deployment: &&Value| {
            labels
                .iter()
                .all(|(name, value)| deployment["spec"]["template"]["metadata"]["labels"][name] == *value)
        };
        deployments.iter().filter(has).collect()
    };
    let ports = |deployment: &Value| -> Vec<Value> {
        let all = containers(&deployment["spec"]["template"]["spec"]);
        all.iter()
            .flat_map(|each| list(&each["ports"]))
            .flat_map(|port| [port["name"].clone(), port["containerPort"].clone()])
            .collect()
    };
    for deployment in &deployments {
        assert_eq!(selected(&deployment["spec"]["selector"]["matchLabels"]), [deployment]);
        for container in containers(&deployment["spec"]["template"]["spec"]) {
            let own: Vec<Value> = list(&container["ports"]).iter().map(|port| port["name"].clone()).collect();
            for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
                let port = &container[probe]["httpGet"]["port"];
                assert!(port.is_null() || own.contains(port), "{probe}: {container}");
            }
        }
    }
    for budget in of_kind("PodDisruptionBudget") {
        assert_eq!(selected(&budget["spec"]["selector"]["matchLabels"]).len(), 1, "{budget}");
    }
    for service in of_kind("Service") {
        let [deployment] = selected(&service["spec"]["selector"])[..] else { panic!("{service}") };
        for port in list(&service["spec"]["ports"]) {
            assert!(ports(deployment).contains(&port["targetPort"]), "{port}");
        }
    }
    let mut guarded = 0;
    for policy in of_kind("NetworkPolicy") {
        let [deployment] = selected(&policy["spec"]["podSelector"]["matchLabels"])[..] else {
            panic!("{policy}")
        };
        guarded += 1;
        for port in list(&policy["spec"]["ingress"]).iter().flat_map(|rule| list(&rule["ports"])) {
            assert!(ports(deployment).contains(&port["port"]), "{port}");
        }
        for rule in [list(&policy["spec"]["ingress"]), list(&policy["spec"]["egress"])].concat() {
            for peer in [list(&rule["from"]), list(&rule["to"])].concat() {
                let labels = &peer["podSelector"]["matchLabels"];
                let name = &labels["app.kubernetes.io/name"];
                let brought = name.as_str().is_some_and(|name| BROUGHT_PODS.contains(&name));
                if !labels.is_null() && !brought {
                    assert_eq!(selected(labels).len(), 1, "{peer}");
                }
            }
        }
    }
    assert_eq!(guarded, deployments.len(), "a Deployment without a NetworkPolicy");
}

#[test]
fn images_are_those_of_docker_compose() {
    let compose = documents(&repository().join("docker-compose.yml")).remove(0);
    let of = |value: &Value| {
        // `haproxy:${HAPROXY_VERSION:-3.2}`: the version that it has unless somebody asks for another.
        let image = text(&value["image"]);
        image.split_once(":${").map_or(image.clone(), |(name, version)| {
            format!("{name}:{}", version.split_once(":-").unwrap().1.trim_end_matches('}'))
        })
    };
    let known = ["x-agent", "x-token-server"].map(|name| of(&compose[name]));
    let known: BTreeSet<String> = known.into_iter().chain([of(&compose["services"]["haproxy"])]).collect();
    let used: BTreeSet<String> = pods()
        .iter()
        .flat_map(containers)
        .filter_map(|each| each["image"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(used, known);
}

#[test]
fn every_container_is_a_nobody_on_a_read_only_file_system() {
    for namespace in of_kind("Namespace") {
        assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
    }
    for deployment in of_kind("Deployment") {
        let pod = &deployment["spec"]["template"]["spec"];
        assert_eq!(pod["automountServiceAccountToken"], false);
        let user = &pod["securityContext"];
        assert_eq!((&user["runAsUser"], &user["runAsNonRoot"]), (&json!(65532), &json!(true)));
        assert_eq!(user["seccompProfile"]["type"], "RuntimeDefault");
    }
    for container in pods().iter().flat_map(containers).filter(|each| each["image"].is_string()) {
        let context = &container["securityContext"];
        assert_eq!(context["readOnlyRootFilesystem"], true, "{container}");
        assert_eq!(context["allowPrivilegeEscalation"], false, "{container}");
        assert_eq!(context["capabilities"]["drop"], json!(["ALL"]), "{container}");
    }
}

/// The files of a container's volumes, below a folder of this test.
struct Mounted {
    folder: TempDir,
    paths: Vec<(String, String)>,
}

impl Mounted {
    fn new(pod: &Value, container: &Value) -> Self {
        let folder = TempDir::with_prefix("kubernetes-").unwrap();
        let mut paths = Vec::new();
        for mount in list(&container["volumeMounts"]) {
            let own = folder.path().join(text(&mount["name"]));
            fs::create_dir_all(&own).unwrap();
            let volume =
                list(&pod["volumes"]).into_iter().find(|volume| volume["name"] == mount["name"]).unwrap();
            let made = generated().into_iter().find(|(name, _)| volume["configMap"]["name"] == name.as_str());
            for file in made.map(|(_, files)| files).unwrap_or_default() {
                fs::copy(&file, own.join(file.file_name().unwrap())).unwrap();
            }
            match volume["secret"]["secretName"].as_str() {
                Some("jwt-keys") => fs::write(own.join("keys"), jwks([key("ES256")])).unwrap(),
                Some("jwt-agent-bearer") => {
                    fs::write(own.join("token"), "a-bearer-token-of-this-test\n").unwrap()
                }
                Some(_) | None => (),
            }
            paths.push((text(&mount["mountPath"]), own.display().to_string()));
        }
        // `/etc/haproxy-probes` before `/etc/haproxy`.
        paths.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        Self { folder, paths }
    }

    fn path(&self, text: &str) -> String {
        let below = |(path, own): &(String, String)| text.contains(path).then(|| text.replace(path, own));
        self.paths.iter().find_map(below).unwrap_or_else(|| text.to_owned())
    }

    fn environment(&self, container: &Value) -> Vec<(String, String)> {
        let value = |variable: &Value| match variable["valueFrom"]["secretKeyRef"]["name"].as_str() {
            Some("token-server-redis") => "redis://redis:6379".to_owned(),
            Some(_) | None => self.path(variable["value"].as_str().unwrap_or("brought")),
        };
        list(&container["env"]).iter().map(|variable| (text(&variable["name"]), value(variable))).collect()
    }
}

/// Whether it takes its configuration, and what it says.
fn checks(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), said)
}

#[test]
fn the_programs_take_what_the_manifests_set_beside_what_kubernetes_adds() {
    // Services named as ours, and `jwt-agent`, in a pod's environment.
    let links = [
        ("TOKEN_SERVER_SERVICE_HOST", "10.0.0.7"),
        ("TOKEN_SERVER_SERVICE_PORT", "4000"),
        ("TOKEN_SERVER_PORT", "tcp://10.0.0.7:4000"),
        ("TOKEN_SERVER_PORT_4000_TCP_ADDR", "10.0.0.7"),
        ("JWT_AGENT_SERVICE_PORT_HTTP", "9464"),
        ("JWT_AGENT_PORT_9464_TCP", "tcp://10.0.0.8:9464"),
    ];
    for (image, made_up) in [("jwt-agent", "JWT_MADE_UP"), ("token-server", "TOKEN_SERVER__MADE__UP")] {
        for (pod, container) in ours(image) {
            let mounted = Mounted::new(&pod, &container);
            let mut command = Command::new(program(image));
            command.env_clear().arg("--check").envs(mounted.environment(&container)).envs(links);
            command.current_dir(mounted.folder.path());
            let (good, said) = checks(&mut command);
            assert!(good, "{image}: {said}");
            let (good, said) = checks(command.env(made_up, "1"));
            assert!(!good, "{image} takes any setting: {said}");
        }
    }
    assert!(checks(agent::command().args(["health", "--help"])).0);
    assert!(checks(Command::new(program("token-server")).args(["health", "--help"])).0);
}

#[test]
fn haproxy_takes_the_files_and_the_environment_of_its_container() {
    for (pod, container) in ours("haproxy:3.2") {
        let mounted = Mounted::new(&pod, &container);
        let arguments: Vec<String> =
            texts(&container["command"]).iter().skip(1).map(|argument| mounted.path(argument)).collect();
        let mut command = Command::new(haproxy::program());
        command.arg("-c").args(arguments).envs(mounted.environment(&container));
        // The Service `app` is no name on this machine.
        let (good, said) = checks(command.env("APP_SERVER", "127.0.0.1:8081"));
        assert!(good, "{said}");
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
