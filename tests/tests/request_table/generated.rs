//! What `jwt-agent haproxy-config` prints answers the same table as the file that we ship for that purpose.

use std::fs;
use std::path::Path;

use integration_tests::agent;
use integration_tests::edge::Edge;
use integration_tests::haproxy::Shipped;
use integration_tests::http::Request;
use integration_tests::process::repository;
use integration_tests::setup::Setup;
use tempfile::TempDir;

use super::{assert_all, assert_claim_headers, setup, user};

/// A configuration made from the shipped file's `global` and `defaults`, and from what the program wrote.
type Shape = fn(&str, &Path) -> String;

/// What each shape must answer as, and the shape.
const SHAPES: [(Shipped, Shape); 9] = [
    (Shipped::Backend, backend),
    (Shipped::Backend, backend_with_claims),
    (Shipped::Denying, frontend_with_a_public_path),
    (Shipped::Denying, backend_with_a_public_path),
    (Shipped::Routes, frontend_with_policies),
    (Shipped::Routes, backend_with_policies),
    (Shipped::Backend, backend_of_this_version),
    (Shipped::Denying, frontend_with_verdicts),
    (Shipped::Routes, backend_with_verdicts),
];

const POLICIES: [&str; 10] = [
    "--policy",
    "*=admin",
    "--policy",
    "/=default",
    "--policy",
    "/api/users=default",
    "--policy",
    "/api/users/*=default",
    "--policy",
    "/api/orders/*=default",
];

/// The files that the program writes, as text.
struct Written {
    lines: String,
    behind: String,
    agents: String,
}

fn write(folder: &Path, options: &[&str]) -> Written {
    let out = folder.join("written");
    let agent = format!("unix@{}", folder.join("agent1.sock").display());
    let output = agent::command()
        .arg("haproxy-config")
        .args(options)
        // A single agent is both servers of the backend, as in the shipped files' tests.
        .args(["--agents", &format!("{agent},{agent}")])
        .args(["--out", &out.display().to_string(), "--force"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{options:?}: {output:?}");
    let spoe = repository().join("haproxy/spoe-jwt.conf");
    assert_eq!(fs::read(out.join("spoe-jwt.conf")).unwrap(), fs::read(spoe).unwrap());
    let read = |name: &str| fs::read_to_string(out.join(name)).unwrap_or_default();
    Written {
        lines: read("haproxy-lines.cfg"),
        behind: read("backend-lines.cfg"),
        agents: read("jwt-agents.cfg"),
    }
}

/// `global` and `defaults` of a shipped file.
fn head(shipped: &str) -> &str {
    shipped.split_once("\nfrontend edge\n").unwrap().0
}

fn in_a_frontend(shipped: &str, folder: &Path, options: &[&str]) -> String {
    let Written { lines, behind, agents } = write(folder, &[&["--frontend", "edge"], options].concat());
    format!(
        "{}\nfrontend edge\n    mode http\n    bind \"${{EDGE_BIND}}\"\n{lines}    default_backend app\n\n\
         backend app\n    mode http\n{behind}    server app \"${{APP_SERVER}}\"\n\n{agents}",
        head(shipped)
    )
}

/// The protected backend is all that the frontend leads to.
fn in_the_only_backend(shipped: &str, folder: &Path, options: &[&str]) -> String {
    let Written { lines, agents, .. } = write(folder, &[&["--backend", "api"], options].concat());
    format!(
        "{}\nfrontend edge\n    mode http\n    bind \"${{EDGE_BIND}}\"\n    default_backend api\n\n\
         backend api\n    mode http\n{lines}    server app \"${{APP_SERVER}}\"\n\n{agents}",
        head(shipped)
    )
}

/// One backend of two is protected.
fn in_one_backend(shipped: &str, folder: &Path, options: &[&str]) -> String {
    let Written { lines, agents, .. } = write(folder, &[&["--backend", "api"], options].concat());
    let others = shipped.split_once("\nbackend api\n").unwrap().0;
    format!("{others}\nbackend api\n    mode http\n{lines}    server app \"${{APP_SERVER}}\"\n\n{agents}")
}

fn backend(shipped: &str, folder: &Path) -> String {
    in_one_backend(shipped, folder, &[])
}

fn backend_with_claims(shipped: &str, folder: &Path) -> String {
    in_one_backend(shipped, folder, &["--claims", "sub,email"])
}

fn frontend_with_a_public_path(shipped: &str, folder: &Path) -> String {
    in_a_frontend(shipped, folder, &["--open", "/public/*", "--claims", "sub"])
}

fn backend_with_a_public_path(shipped: &str, folder: &Path) -> String {
    in_the_only_backend(shipped, folder, &["--open", "/public/*", "--claims", "sub"])
}

fn frontend_with_policies(shipped: &str, folder: &Path) -> String {
    in_a_frontend(shipped, folder, &POLICIES)
}

fn backend_with_policies(shipped: &str, folder: &Path) -> String {
    in_the_only_backend(shipped, folder, &POLICIES)
}

/// The maps are empty, so that each request is asked about; `edge.rs` has the shipped files' lines, which are the same, with entries.
fn frontend_with_verdicts(shipped: &str, folder: &Path) -> String {
    with_socket(
        &in_a_frontend(shipped, folder, &["--edge", "--open", "/public/*", "--claims", "sub"]),
        folder,
    )
}

fn backend_with_verdicts(shipped: &str, folder: &Path) -> String {
    with_socket(&in_the_only_backend(shipped, folder, &[&["--edge"], &POLICIES[..]].concat()), folder)
}

fn with_socket(text: &str, folder: &Path) -> String {
    let lines = fs::read_to_string(folder.join("written/global-lines.cfg")).unwrap();
    let here = lines.replace("/run/haproxy", &folder.display().to_string());
    text.replacen("global\n", &format!("global\n{here}"), 1)
}

fn backend_of_this_version(shipped: &str, folder: &Path) -> String {
    let (major, minor) = integration_tests::haproxy::version();
    in_one_backend(shipped, folder, &["--haproxy-version", &format!("{major}.{minor}")])
}

/// Every shape, with an edit of the whole file perhaps.
fn each(edit: Option<Shape>, assert: impl Fn(Shipped, &Edge)) {
    for (shipped, shape) in SHAPES {
        let folder = TempDir::with_prefix("table-").unwrap();
        let setup = setup(shipped, &folder).edit(shape);
        let edge = edit.into_iter().fold(setup, Setup::edit).start();
        assert(shipped, &edge);
    }
}

#[test]
fn generated_lines_answer_the_table_as_the_shipped_files_do() {
    each(None, assert_all);
}

#[test]
fn generated_lines_answer_the_table_beside_a_users_own_configuration() {
    each(Some(user::surround), |shipped, edge| {
        assert_all(shipped, edge);
        user::assert_own_rules_work(shipped, edge);
    });
}

#[test]
fn generated_claim_headers_cannot_be_mistaken() {
    let with_claims = |shape: Shape| Setup::new(Shipped::Backend).edit(shape).start();
    let only: Shape = |shipped, folder| in_the_only_backend(shipped, folder, &["--claims", "sub,email"]);
    assert_claim_headers(&with_claims(only));
    // A public path carries none, though its token is good.
    let edge = Setup::new(Shipped::Denying).edit(frontend_with_a_public_path).start();
    let token = integration_tests::token::token(integration_tests::keys::key("ES256"), serde_json::json!({}));
    let request = |path| Request::get(path).bearer(&token).header("X-User-Id", "root");
    assert_eq!(edge.admits("a public path", &request("/public/")).header("x-user-id"), None);
    assert_eq!(edge.admits("another path", &request("/private")).header("x-user-id"), Some("alice"));
}

/// Options of every kind at once, on every version that a condition tells apart.
#[test]
fn whatever_the_options_haproxy_accepts_the_lines() {
    let all = [
        &["--open", "/health", "--open", "/.well-known/x+y$&a=b,c~d!e/*", "--claims", "sub,a.b,a_c"][..],
        &POLICIES,
    ]
    .concat();
    for (shipped, shape) in [
        (Shipped::Denying, in_a_frontend as fn(&str, &Path, &[&str]) -> String),
        (Shipped::Backend, in_one_backend),
        (Shipped::Denying, in_the_only_backend),
    ] {
        let folder = TempDir::with_prefix("table-").unwrap();
        let text = fs::read_to_string(shipped.path()).unwrap();
        let file = folder.path().join("haproxy.cfg");
        fs::write(&file, shape(&text, folder.path(), &all)).unwrap();
        let output = std::process::Command::new(integration_tests::haproxy::program())
            .args(["-c", "-f"])
            .arg(&file)
            .env("SPOE_CONF", repository().join("haproxy/spoe-jwt.conf"))
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && !told.contains("WARNING"),
            "{told}\n{}",
            fs::read_to_string(&file).unwrap()
        );
    }
}
