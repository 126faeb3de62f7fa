//! `examples/migrate`: what stood there before and what takes its place, both run with one table of requests. After answers the
//! table right; where before answered otherwise, `docs/MIGRATING.md` says so, and says nothing else.

#[path = "migrating/before.rs"]
mod before;
#[path = "migrating/ms_users.rs"]
mod ms_users;
#[path = "migrating/table.rs"]
mod table;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use before::Before;
use integration_tests::edge::Edge;
use integration_tests::haproxy::Shipped;
use integration_tests::http::Request;
use integration_tests::key_server::{Answer, KeyServer};
use integration_tests::keys::{jwks, key};
use integration_tests::process::repository;
use integration_tests::setup::Setup;
use integration_tests::token::{claims, forge_signature, sign, token};
use integration_tests::wait::eventually;
use serde_json::json;
use table::{Issuer, Outcome, Row, outcome, rows};
use tempfile::TempDir;

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

macro_rules! after {
    ($($name:ident = $folder:literal,)+) => {
        $(fn $name(_: &str, _: &Path) -> String {
            read(concat!("examples/migrate/", $folder, "/after/haproxy.cfg"))
        })+
    };
}

after! {
    native = "native",
    lua = "lua",
    jwt_spoa = "jwt-spoa",
    envoy = "envoy",
    oauth2_proxy = "oauth2-proxy",
    of_ms_users = "ms-users",
}

/// A configuration that takes the place of another, and its keys.
struct After {
    edge: Edge,
    keys: Option<KeyServer>,
    _folder: TempDir,
}

/// Starts what is in `examples/migrate/<folder>/after`, with the issuer's key.
fn after(folder: &str, file: fn(&str, &Path) -> String, issuer: &Issuer) -> After {
    let temporary = TempDir::with_prefix("migrate-").unwrap();
    let settings = temporary.path().join("agent.toml");
    let text = read(&format!("examples/migrate/{folder}/after/agent.toml"));
    let url = "https://id.example.com/jwks.json";
    let keys = text.contains(url).then(|| KeyServer::start(Answer::Body(jwks([issuer.key]))));
    fs::write(&settings, keys.iter().fold(text, |text, keys| text.replace(url, &keys.url()))).unwrap();
    let setup =
        Setup::new(Shipped::Backend).edit(file).agent_env("JWT_CONFIG", &settings.display().to_string());
    let setup = if keys.is_some() { setup.no_key_file() } else { setup.keys(jwks([issuer.key])) };
    let edge = setup.start();
    edge.agents[0].wait_ready();
    edge.haproxy.wait_agents_up(&[("agent1", true), ("agent2", true)]);
    After { edge, keys, _folder: temporary }
}

impl After {
    /// The issuer publishes a new key beside its old one.
    fn rotate(&self, issuer: &Issuer) {
        let both = jwks([issuer.key, issuer.next]);
        match &self.keys {
            Some(keys) => keys.set(Answer::Body(both)),
            None => self.edge.replace_keys(&both),
        }
        let new = Request::get("/api/x").bearer(&issuer.token_of_the_new_key());
        eventually("the new key is used", || (self.edge.send(&new).status == 200).then_some(()));
    }

    fn outcome(&self, row: &Row) -> Outcome {
        outcome(&self.edge.backend, |bytes| self.edge.exchange(bytes).ok(), row)
    }
}

/// What the section of a migration says of the rows that are answered otherwise: before and after of each.
fn told(folder: &str) -> BTreeMap<String, (String, String)> {
    let text = read("docs/MIGRATING.md");
    let folder = format!("examples/migrate/{folder}/");
    let section =
        text.split("\n## ").find(|section| section.contains(&folder)).expect("a section of each folder");
    let rows = section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| request"));
    let cells = rows.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>());
    cells
        .filter(|cells| cells.len() == 4)
        .map(|cells| (cells[0].to_owned(), (cells[1].to_owned(), cells[2].to_owned())))
        .collect()
}

/// After answers every row right; before differs where the document says so.
fn compare(folder: &str, file: fn(&str, &Path) -> String, issuer: &Issuer, before: Option<&Before>) {
    let after = after(folder, file, issuer);
    after.rotate(issuer);
    let rows = rows(issuer);
    assert!(rows.len() >= 25, "{}", rows.len());
    let mut found = BTreeMap::new();
    for row in &rows {
        let now = after.outcome(row);
        assert_eq!(now.to_string(), row.right, "{folder}, after: {}", row.what);
        let Some(before) = before else { continue };
        let then = before.outcome(row);
        if then.to_string() != now.to_string() {
            found.insert(row.what.to_owned(), (then.to_string(), now.to_string()));
        }
    }
    assert_eq!(found, told(folder), "{folder}: what docs/MIGRATING.md tells");
}

#[test]
fn from_haproxys_own_converters() {
    let issuer = Issuer::of("RS256");
    compare("native", native, &issuer, Some(&Before::native(&issuer)));
}

#[test]
fn from_a_lua_script() {
    let issuer = Issuer::of("HS256");
    compare("lua", lua, &issuer, Some(&Before::lua(&issuer)));
}

#[test]
fn from_envoys_filter() {
    let issuer = Issuer::of("RS256");
    compare("envoy", envoy, &issuer, Some(&Before::envoy(&issuer)));
}

/// What stood before these two cannot be had here, as the document says.
#[test]
fn from_another_agent_and_from_oauth2_proxy() {
    let issuer = Issuer::of("RS256");
    for (folder, file) in
        [("jwt-spoa", jwt_spoa as fn(&str, &Path) -> String), ("oauth2-proxy", oauth2_proxy)]
    {
        compare(folder, file, &issuer, None);
    }
}

#[test]
fn from_the_script_of_ms_users() {
    let temporary = TempDir::with_prefix("migrate-").unwrap();
    let settings = temporary.path().join("agent.toml");
    // The token-server is that of the test.
    let text = read("examples/migrate/ms-users/after/agent.toml");
    let lines = text.lines().filter(|line| !line.starts_with("JWT_TOKEN_SERVER_BACKEND"));
    fs::write(&settings, lines.collect::<Vec<_>>().join("\n")).unwrap();
    let edge = Setup::annotating()
        .edit(of_ms_users)
        .agent_env("JWT_CONFIG", &settings.display().to_string())
        .token_server()
        .start();
    let good = token(key("ES256"), json!({"username": "alice", "st": 1}));
    let scheme = |token: &str| Request::get("/").header("Authorization", format!("JWT {token}"));
    for (what, request, valid, reason) in [
        ("a good token", scheme(&good), "1", "ok"),
        ("a forged one", scheme(&forge_signature(&good)), "0", "E_TKN_INVALID"),
        ("none", Request::get("/").header("X-Tkn-Valid", "1"), "0", "E_TKN_INVALID"),
        (
            "an expired one",
            scheme(&sign(key("ES256"), &claims(json!({"username": "alice", "exp": 2})))),
            "0",
            "E_TKN_INVALID",
        ),
    ] {
        let seen = edge.admits(what, &request);
        assert_eq!(seen.header("x-tkn-valid"), Some(valid), "{what}");
        assert_eq!(seen.header("x-tkn-reason"), Some(reason), "{what}");
    }
}

/// What is mended in the shipped file is mended here.
#[test]
fn the_files_that_come_after_have_every_line_of_the_shipped_one() {
    let ours = |text: &str| -> Vec<String> {
        let (_, below) = text.split_once("\nglobal\n").unwrap();
        let lines = below.lines().map(str::trim).filter(|line| !line.starts_with('#') && !line.is_empty());
        lines.filter(|line| !line.contains("x-user") && !line.contains("+user$")).map(str::to_owned).collect()
    };
    let shipped = ours(&read("haproxy/haproxy-backend.cfg"));
    for folder in ["native", "lua", "jwt-spoa", "envoy", "oauth2-proxy"] {
        assert_eq!(ours(&read(&format!("examples/migrate/{folder}/after/haproxy.cfg"))), shipped, "{folder}");
    }
    assert_eq!(read("examples/migrate/ms-users/after/haproxy.cfg"), read("haproxy/haproxy-ms-users.cfg"));
}

#[test]
fn each_folder_has_a_section_and_says_whether_its_before_is_run() {
    let text = read("docs/MIGRATING.md");
    let mut folders = 0;
    for entry in fs::read_dir(repository().join("examples/migrate")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let of_it = text
            .split("\n## ")
            .skip(1)
            .filter(|section| section.contains(&format!("examples/migrate/{name}/")));
        let of_it: Vec<_> = of_it.collect();
        assert_eq!(of_it.len(), 1, "one section of {name}");
        let is_run = ["native", "lua", "envoy"].contains(&name.as_str());
        assert_eq!(
            of_it[0].split_whitespace().collect::<Vec<_>>().join(" ").contains("is not run by our tests"),
            !is_run,
            "{name}"
        );
        folders += 1;
    }
    assert_eq!(folders, 6);
}
