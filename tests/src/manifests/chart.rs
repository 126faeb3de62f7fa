//! What Helm makes of `deploy/chart`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::Manifests;
use crate::process::repository;

/// Where the chart is.
pub fn folder() -> PathBuf {
    repository().join("deploy/chart")
}

/// `HELM`, or where `tests/helm.sh` unpacks it: in the target folder.
fn helm() -> PathBuf {
    if let Some(program) = std::env::var_os("HELM") {
        return program.into();
    }
    let this = std::env::current_exe().unwrap();
    let unpacked = this.ancestors().map(|folder| folder.join("helm/helm")).find(|path| path.is_file());
    unpacked.unwrap_or_else(|| panic!("Helm is missing beside {}: run tests/helm.sh", Path::display(&this)))
}

/// Asks Helm for something, without a cluster and without the settings that a user of this machine may have.
pub fn ask(arguments: &[&str]) -> Output {
    let nowhere = tempfile::tempdir().unwrap();
    Command::new(helm()).env_clear().env("HOME", nowhere.path()).args(arguments).output().unwrap()
}

impl Manifests {
    /// What Helm makes of the chart with these values (`name=value`), or why it refuses them. `parse` reads documents of YAML.
    ///
    /// # Errors
    ///
    /// What Helm says.
    pub fn of_chart(
        layout: &'static str,
        values: &[&str],
        parse: impl FnOnce(&str) -> Vec<serde_json::Value>,
    ) -> Result<Self, String> {
        let chart = folder().display().to_string();
        let mut arguments = vec!["template", "edge", &chart, "--namespace", "haproxy-jwt"];
        for value in values {
            // Texts as they are, everything else as JSON.
            let is_json = value.split_once('=').is_some_and(|(_, value)| value.starts_with(['[', '{']));
            arguments.extend([if is_json { "--set-json" } else { "--set" }, value]);
        }
        let made = ask(&arguments);
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into_owned());
        }
        let mut objects = parse(&String::from_utf8_lossy(&made.stdout));
        // A template whose objects are not wanted leaves an empty document.
        objects.retain(serde_json::Value::is_object);
        Ok(Self { layout, objects })
    }
}
