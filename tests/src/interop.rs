//! Two other implementations of JOSE, in programs of their own: jose (npm) and joserfc (PyPI).

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::process::{repository, target_folder};

/// A program of `tests/interop` that has jose at hand.
pub fn node(program: &str) -> Command {
    let mut node = Command::new(installed().join("bin/node"));
    node.arg(installed().join(program));
    node
}

/// A program of `tests/interop` that has joserfc at hand.
pub fn python(program: &str) -> Command {
    let mut python = Command::new("python3");
    python.arg(sources().join(program)).env("PYTHONPATH", installed().join("python"));
    python
}

/// The JSON that a program prints.
///
/// # Panics
///
/// It fails; with what it said.
pub fn output(mut program: Command) -> Value {
    let name = format!("{program:?}");
    let output = program.output().unwrap_or_else(|error| panic!("{name}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {}\n{stderr}", output.status);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{name}: {error}\n{stderr}"))
}

fn sources() -> PathBuf {
    repository().join("tests/interop")
}

/// The folder in which both implementations are, installed once.
fn installed() -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let folder = target_folder().join("interop");
            let setup = Command::new(sources().join("setup.sh")).arg(&folder).output().unwrap();
            let log = String::from_utf8_lossy(&setup.stderr);
            assert!(
                setup.status.success(),
                "tests/interop/setup.sh could not install what this needs:\n{log}"
            );
            folder
        })
        .clone()
}
