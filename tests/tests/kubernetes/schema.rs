//! The manifests against the schemas of Kubernetes: a member that is misspelt would be left out in silence there, and one of another
//! type is refused only when it is applied. What refers to what, no schema knows: see the other tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::{controller, folder, layouts};

/// The oldest that README.md promises, and the newest whose schemas are there.
pub(crate) const VERSIONS: [&str; 2] = ["1.29", "1.37"];

/// The last one without side-cars that start first and end last.
const TOO_OLD: &str = "1.27";

/// Where `tests/kubernetes/setup.sh` puts the schemas: in the target folder.
pub(crate) fn schemas() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let unpacked = this.ancestors().map(|folder| folder.join("kubernetes/python")).find(|path| path.is_dir());
    unpacked.unwrap_or_else(|| {
        panic!(
            "Kubernetes' schemas are missing beside {}: run tests/kubernetes/setup.sh",
            Path::display(&this)
        )
    })
}

/// Whether each object is one of this version of Kubernetes, with no member that it does not know.
pub(crate) fn fits<'a>(objects: impl IntoIterator<Item = &'a Value>, version: &str) -> Result<(), String> {
    let file = NamedTempFile::with_suffix(".yaml").unwrap();
    // JSON is YAML.
    let documents: Vec<String> = objects.into_iter().map(Value::to_string).collect();
    fs::write(file.path(), documents.join("\n---\n")).unwrap();
    let output = Command::new("python3")
        .args(["-m", "kubernetes_validate", "--strict", "--kubernetes-version", version])
        .arg(file.path())
        .env("PYTHONPATH", schemas())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let said =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    let passed = said.lines().filter(|line| line.contains(" passed for resource ")).count();
    if output.status.success() && passed == documents.len() { Ok(()) } else { Err(said) }
}

/// The pod of HAProxy's ingress controller, as far as our values tell.
fn controllers_pod() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "controller"}, "spec": controller()})
}

#[test]
fn every_object_is_one_of_each_promised_version_of_kubernetes() {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    assert!(readme.contains(&format!("Kubernetes {}", VERSIONS[0])), "README.md promises another version");
    let pod = controllers_pod();
    let made: Vec<_> = layouts().collect();
    let objects = || made.iter().flat_map(|manifests| &manifests.objects).chain([&pod]);
    for version in VERSIONS {
        assert_eq!(fits(objects(), version), Ok(()), "{version}");
    }
    assert!(fits(objects(), TOO_OLD).is_err_and(|why| why.contains("restartPolicy")), "{TOO_OLD}");
}

#[test]
fn what_kubernetes_does_not_know_or_misses_does_not_pass() {
    let good = layouts().next().unwrap().objects;
    for (place, faulty, why) in [
        ("/spec/template/spec/containers/0/readinesProbe", json!({}), "readinesProbe"),
        ("/spec/template/spec/containers/0/ports/0/containerPort", json!("8080"), "containerPort"),
        ("/spec/template/spec/volumes/0/configmap", json!({"name": "x"}), "configmap"),
        ("/spec/replicas", json!("2"), "replicas"),
        ("/spec/selector", Value::Null, "selector"),
    ] {
        let mut objects = good.clone();
        let deployment = objects.iter_mut().find(|object| object["kind"] == "Deployment").unwrap();
        let (parent, name) = place.rsplit_once('/').unwrap();
        let parent = deployment.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match faulty {
            Value::Null => _ = parent.remove(name).unwrap(),
            faulty => _ = parent.insert(name.to_owned(), faulty),
        }
        let told = fits(&objects, VERSIONS[0]).unwrap_err();
        assert!(told.contains(why), "{place}: {told}");
    }
    assert!(fits([&json!({"apiVersion": "apps/v9", "kind": "Deployment"})], VERSIONS[0]).is_err());
}
