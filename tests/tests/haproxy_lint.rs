//! `jwt-agent haproxy-lint` as a program, and its corpus before a real HAProxy: what is found there is nothing that HAProxy finds.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use integration_tests::agent;
use integration_tests::haproxy::program;
use integration_tests::process::repository;
use serde_json::Value;
use tempfile::TempDir;

fn corpus() -> PathBuf {
    repository().join("tests/data/haproxy_lint")
}

fn files(end: &str) -> Vec<PathBuf> {
    let paths = fs::read_dir(corpus()).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = paths.filter(|path| path.extension().is_some_and(|found| found == end)).collect();
    found.sort();
    found
}

fn lint(arguments: &[&Path], input: &str) -> Output {
    let mut command = agent::command();
    command.arg("haproxy-lint").args(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that does not read its input may be gone.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    child.wait_with_output().unwrap()
}

#[test]
fn haproxy_accepts_what_is_found_faulty() {
    let folder = TempDir::with_prefix("lint-").unwrap();
    let here = |text: &str| text.replace("/etc/haproxy/", &format!("{}/", folder.path().display()));
    fs::copy(repository().join("haproxy/spoe-jwt.conf"), folder.path().join("spoe-jwt.conf")).unwrap();
    for map in ["jwt-verdicts.map", "jwt-leases.map"] {
        fs::write(folder.path().join(map), "").unwrap();
    }
    let waf = "[waf]\nspoe-agent waf\n    messages ask\n    timeout processing 1s\n    use-backend waf\n\
               spoe-message ask\n    args path=path\n    event on-frontend-http-request\n";
    fs::write(folder.path().join("waf.conf"), waf).unwrap();
    for own in files("spoe") {
        fs::copy(&own, folder.path().join(own.file_name().unwrap())).unwrap();
    }
    let (mut accepted, mut refused) = (0, Vec::new());
    for case in files("cfg") {
        let text = fs::read_to_string(&case).unwrap();
        let second = text.lines().nth(1).unwrap();
        let is_refused = second.contains("HAProxy") && second.contains("refuses this");
        let file = folder.path().join("haproxy.cfg");
        fs::write(&file, here(&text)).unwrap();
        let output = Command::new(program()).args(["-c", "-f"]).arg(&file).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            accepted += 1;
        } else if !is_refused {
            refused.push(format!("{}: {told}", case.display()));
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    assert!(accepted >= 100, "{accepted}");
}

#[test]
fn exit_codes_and_formats_are_for_scripts() {
    let spoe = repository().join("haproxy/spoe-jwt.conf");
    let (good, bad) = (corpus().join("good_small.cfg"), corpus().join("bad_no_deny.cfg"));
    let output = lint(&[&repository().join("haproxy/haproxy.cfg"), &spoe], "");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), b"nothing found\n".as_slice()));

    let output = lint(&[&good, &spoe], "");
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains(": hint: challenge-unused: "), "{told}");

    let output = lint(&[&bad, &spoe], "");
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("bad_no_deny.cfg:") && told.contains(": no-deny: "), "{told}");

    let output = lint(&[Path::new("--format"), Path::new("json"), &bad, &spoe], "");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &told["findings"][0]["id"]), (Some(1), &Value::from("no-deny")));

    let output = lint(&[Path::new("-"), &spoe], &fs::read_to_string(&bad).unwrap());
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.code() == Some(1) && told.starts_with("-:"), "{told}");

    for wrong in [&[][..], &[Path::new("/nowhere.cfg")], &[Path::new("--format"), Path::new("xml"), &good]] {
        let output = lint(wrong, "");
        assert_eq!(output.status.code(), Some(64), "{wrong:?}: {output:?}");
        assert!(!output.stderr.is_empty(), "{wrong:?}");
    }
    let output = lint(&[Path::new("--agent-config"), Path::new("/nowhere.toml"), &good, &spoe], "");
    assert_eq!(output.status.code(), Some(64), "{output:?}");
}

/// What is written is not only accepted, it is found good.
#[test]
fn generated_lines_are_found_good() {
    let folder = TempDir::with_prefix("lint-").unwrap();
    let written = |options: &[&str]| {
        let out = folder.path().join("jwt");
        let mut command = agent::command();
        command.arg("haproxy-config").args(options).arg("--out").arg(&out).arg("--force");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{options:?}: {output:?}");
        ["haproxy-lines.cfg", "backend-lines.cfg", "jwt-agents.cfg", "global-lines.cfg"]
            .map(|name| fs::read_to_string(out.join(name)).unwrap_or_default())
    };
    let policies = ["--policy", "*=admin", "--policy", "/=default", "--policy", "/api/users/*=default"];
    for options in [
        &["--open", "/public/*", "--open", "/health"][..],
        &["--claims", "sub,email,a.b", "--open", "/public/*"],
        &policies,
        &[&policies[..], &["--open", "/health", "--claims", "sub"]].concat(),
        &["--haproxy-version", "2.6"],
        &["--haproxy-version", "3.2"],
        &["--edge", "--claims", "sub", "--open", "/health"],
        &["--streams", "--claims", "sub", "--open", "/health"],
        &[&policies[..], &["--streams", "--edge"]].concat(),
    ] {
        for is_frontend in [true, false] {
            let place = if is_frontend { ["--frontend", "web"] } else { ["--backend", "app"] };
            let [lines, behind, agents, global] = written(&[&place, options].concat());
            let (in_frontend, in_backend) =
                if is_frontend { (lines, behind) } else { (String::new(), lines) };
            let text = format!(
                "global\n{global}defaults\n    mode http\n    timeout client 1m\n    timeout server 1m\n    timeout connect 5s\n\
                 frontend web\n    bind :80\n{in_frontend}    default_backend app\n\
                 backend app\n{in_backend}    server app1 10.0.0.1:80\n{agents}"
            );
            let file = folder.path().join("haproxy.cfg");
            fs::write(&file, &text).unwrap();
            let output = lint(&[&file], "");
            let told = String::from_utf8_lossy(&output.stdout);
            let found = (output.status.code(), told.as_ref());
            assert_eq!(found, (Some(0), "nothing found\n"), "{options:?} {place:?}\n{text}");
        }
    }
}
