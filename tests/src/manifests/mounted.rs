//! A container's files and environment, as they would be in its pod.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::{items, text};
use crate::keys::{jwks, key};

/// What an operator brings beside Secrets: the ConfigMap `jwt-agent`, by its keys.
pub type Brought = [(&'static str, String)];

/// The files of a container's volumes, below a folder of this test.
#[derive(Debug)]
pub struct Mounted {
    folder: TempDir,
    paths: Vec<(String, String)>,
}

impl Mounted {
    /// Writes them.
    ///
    /// # Panics
    ///
    /// A volume is missing.
    pub fn new(objects: &[Value], pod: &Value, container: &Value) -> Self {
        let folder = TempDir::with_prefix("kubernetes-").unwrap();
        let mut paths = Vec::new();
        for mount in items(&container["volumeMounts"]) {
            let own = folder.path().join(text(&mount["name"]));
            fs::create_dir_all(&own).unwrap();
            let volume = items(&pod["volumes"]).find(|volume| volume["name"] == mount["name"]).unwrap();
            let map = objects.iter().find(|object| {
                object["kind"] == "ConfigMap" && object["metadata"]["name"] == volume["configMap"]["name"]
            });
            for (name, file) in map.into_iter().flat_map(|map| map["data"].as_object().unwrap()) {
                fs::write(own.join(name), text(file)).unwrap();
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

    /// A path of the container, where it is here.
    pub fn path(&self, text: &str) -> String {
        let below = |(path, own): &(String, String)| text.contains(path).then(|| text.replace(path, own));
        self.paths.iter().find_map(below).unwrap_or_else(|| text.to_owned())
    }

    /// Where they are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the container's programs find set; a key that is optional and not brought is not.
    ///
    /// # Panics
    ///
    /// A key that is not optional was not brought.
    pub fn environment(&self, container: &Value, brought: &Brought) -> Vec<(String, String)> {
        let value = |variable: &Value| -> Option<String> {
            if variable["valueFrom"]["secretKeyRef"]["name"] == "token-server-redis" {
                return Some("redis://redis:6379".to_owned());
            }
            let reference = &variable["valueFrom"]["configMapKeyRef"];
            if reference.is_null() {
                return Some(self.path(&text(&variable["value"])));
            }
            let found = brought.iter().find(|(key, _)| reference["key"] == *key);
            assert!(found.is_some() || reference["optional"] == true, "{variable}");
            found.map(|(_, value)| self.path(value))
        };
        items(&container["env"])
            .filter_map(|variable| Some((text(&variable["name"]), value(variable)?)))
            .collect()
    }
}
