//! API keys: made by the command, judged through HAProxy and by forward-auth, ended by rules and by their file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use integration_tests::agent::{ask, program};
use integration_tests::edge::Edge;
use integration_tests::haproxy::Shipped;
use integration_tests::http::Request;
use integration_tests::keys::{jwks, key};
use integration_tests::scan;
use integration_tests::setup::Setup;
use integration_tests::token::token;
use integration_tests::token_server::TokenServer;
use integration_tests::wait::eventually;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::operators::text;
use crate::places::word;

/// Seconds that no test lives to see: what is seen was told.
const FOREVER: &str = "3600";

/// A file of keys, and the command that changes it.
pub(crate) struct Keys(TempDir);

impl Keys {
    pub(crate) fn new() -> Self {
        Self(TempDir::with_prefix("api-keys-").unwrap())
    }

    pub(crate) fn path(&self) -> String {
        self.0.path().join("keys.toml").display().to_string()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(program("token-server"));
        command.env_clear().env("TOKEN_SERVER__API_KEYS__FILE", self.path());
        command.arg("keys").args(arguments).output().unwrap()
    }

    /// A new key.
    pub(crate) fn add(&self, arguments: &[&str]) -> String {
        let made = self.run(&[&["add"], arguments].concat());
        assert!(made.status.success(), "{}", text(&made.stderr));
        let key = text(&made.stdout).trim_end().to_owned();
        scan::note("an API key", &key);
        key
    }

    /// The id of the key of this name, as the list has it.
    pub(crate) fn id(&self, name: &str) -> String {
        let listed = self.run(&["list", "--json"]);
        let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
        let key = listed["keys"].as_array().unwrap().iter().find(|key| key["name"] == name).unwrap().clone();
        key["id"].as_str().unwrap().to_owned()
    }

    /// Rewrites the file.
    fn edit(&self, change: impl FnOnce(String) -> String) {
        let changed = change(fs::read_to_string(self.path()).unwrap());
        fs::write(self.path(), changed).unwrap();
    }
}

fn with(key: &str) -> Request {
    Request::get("/").bearer(key)
}

/// An edge whose agents ask a token-server that knows these keys.
fn edge(keys: &Keys, shipped: Shipped) -> Edge {
    Setup::new(shipped)
        .agent_env("JWT_OPAQUE", "introspect")
        .agent_env("JWT_CACHE_TTL", FOREVER)
        .agent_env("JWT_CACHE_TTL_MAX", FOREVER)
        .token_server_env("TOKEN_SERVER__API_KEYS__FILE", &keys.path())
        .start()
}

/// What is no good key, however near it comes to one.
pub(crate) fn forgeries(good: &str) -> Vec<(&'static str, String)> {
    let (prefix, random) = good.split_once('_').unwrap();
    let other: String = random.chars().rev().collect();
    vec![
        ("another key of the prefix", format!("{prefix}_{other}")),
        ("a part of it", good[..good.len() - 1].to_owned()),
        ("more than it", format!("{good}A")),
        ("in other letters", good.to_uppercase()),
        ("without its prefix", random.to_owned()),
        ("with padding", format!("{good}=")),
        ("too short for a key", format!("{prefix}_x")),
    ]
}

#[test]
fn a_key_is_good_until_a_rule_or_its_file_says_otherwise() {
    let keys = Keys::new();
    let good = keys.add(&["ci", "--sub", "shop", "--scope", "read write", "--claim", "aud=orders"]);
    let other = keys.add(&["other", "--sub", "shop", "--forever", "--prefix", "acme_live"]);
    assert!(other.starts_with("acme_live_") && good.starts_with("hj_"));
    let edge = edge(&keys, Shipped::Denying);
    edge.comes_to("the key", 200, &with(&good));
    let seen = edge.admits("the key", &with(&good));
    let body: Value = serde_json::from_str(seen.header("x-tkn-body").unwrap()).unwrap();
    let told = (&body["sub"], &body["scope"], &body["aud"], &body["jti"]);
    assert_eq!(told, (&json!("shop"), &json!("read write"), &json!("orders"), &json!(keys.id("ci"))));
    assert_eq!(seen.header("x-tkn-header"), None, "it has none");
    edge.admits("one that never ends", &with(&other));
    let hash = fs::read_to_string(keys.path()).unwrap();
    let hash =
        hash.lines().find_map(|line| line.strip_prefix("sha256 = ")).unwrap().trim_matches('"').to_owned();
    let forged = forgeries(&good).into_iter().chain([("its hash", hash)]);
    for (what, forged) in forged {
        edge.refuses(what, 401, &with(&forged));
    }
    let twice = with(&good).header("Authorization", format!("Bearer {other}"));
    edge.refuses("two headers", 401, &twice);

    let server = edge.token_server.as_ref().unwrap();
    server.revoke("shop", &json!({ "jti": keys.id("ci") }));
    edge.comes_to("its own rule", 401, &with(&good));
    edge.admits("the other of its subject", &with(&other));
    server.restore("shop");
    edge.comes_to("restored", 200, &with(&good));
    server.revoke("shop", &json!({ "iat": { "lt": 4_000_000_000_u64 } }));
    for (what, key) in [("its subject's rule", &good), ("the other's too", &other)] {
        edge.comes_to(what, 401, &with(key));
    }
    server.restore("shop");
    edge.comes_to("restored again", 200, &with(&good));
    edge.comes_to("the other too", 200, &with(&other));

    assert_eq!(keys.run(&["remove", "ci"]).status.code(), Some(0));
    edge.comes_to("removed", 401, &with(&good));
    edge.admits("the other is no worse for it", &with(&other));
    keys.edit(|file| file.replace("\"shop\"", "\"shop2\""));
    eventually("it is another subject's now", || {
        let seen = edge.admits("the other", &with(&other));
        seen.header("x-tkn-body").unwrap().contains("shop2").then_some(())
    });
}

#[test]
fn a_file_that_cannot_be_used_changes_nothing() {
    let keys = Keys::new();
    let good = keys.add(&["ci"]);
    let edge = edge(&keys, Shipped::Denying);
    edge.comes_to("the key", 200, &with(&good));
    let server = edge.token_server.as_ref().unwrap();
    let before = fs::read_to_string(keys.path()).unwrap();
    for garbage in ["", "[[keys]]\n"] {
        keys.edit(|file| format!("{file}{garbage}expires = 5\n"));
        eventually("the fault is seen", || {
            let metrics = server.metrics();
            let shown = "token_server_secret_file_unusable{setting=\"TOKEN_SERVER__API_KEYS__FILE\"} 1";
            metrics.contains(shown).then_some(())
        });
        edge.admits("what it said before holds", &with(&good));
        keys.edit(|_| before.clone());
    }
    keys.edit(|_| String::new());
    edge.comes_to("no key is a good file", 401, &with(&good));
}

#[test]
fn a_key_may_stand_in_a_header_of_its_own_and_two_places_may_not_differ() {
    let keys = Keys::new();
    let good = keys.add(&["ci"]);
    let edge = Setup::new(Shipped::Header)
        .haproxy_env("TOKEN_HEADER", "x-api-key")
        .agent_env("JWT_OPAQUE", "introspect")
        .token_server_env("TOKEN_SERVER__API_KEYS__FILE", &keys.path())
        .start();
    let own = || Request::get("/").header("X-Api-Key", &good);
    edge.comes_to("its own header", 200, &own());
    edge.comes_to("as a bearer token", 200, &with(&good));
    edge.refuses("twice", 401, &own().header("X-Api-Key", &good));
    edge.refuses("beside a JWT", 401, &own().bearer(&token(key("ES256"), json!({}))));
    for (what, forged) in forgeries(&good) {
        edge.refuses(what, 401, &Request::get("/").header("X-Api-Key", &forged));
    }
}

#[test]
fn a_key_is_no_token_of_an_agent_that_was_not_told_of_any() {
    let keys = Keys::new();
    let good = keys.add(&["ci"]);
    let setup = Setup::denying().token_server_env("TOKEN_SERVER__API_KEYS__FILE", &keys.path());
    let edge = setup.start();
    edge.refuses("opaque tokens are refused", 401, &with(&good));
    assert_eq!(edge.count("jwt_agent_token_server_calls_total"), 0, "and no token-server is asked");
}

/// Forward-auth with these keys and these tables.
fn forward_auth(folder: &Path, keys: &Keys, tables: &str) -> TokenServer {
    fs::write(folder.join("jwks.json"), jwks([key("ES256")])).unwrap();
    fs::write(folder.join("token-server.toml"), tables).unwrap();
    let path = |name: &str| folder.join(name).display().to_string();
    let (jwks, config, keys) = (path("jwks.json"), path("token-server.toml"), keys.path());
    TokenServer::start_with(
        folder,
        "standard",
        &[
            ("TOKEN_SERVER__JWKS__FILE", &jwks),
            ("TOKEN_SERVER_CONFIG", &config),
            ("TOKEN_SERVER__VERIFY__ISSUERS", "https://id.example"),
            ("TOKEN_SERVER__VERIFY__PLACES", "authorization,header:x-api-key"),
            ("TOKEN_SERVER__API_KEYS__FILE", &keys),
            ("TOKEN_SERVER__API_KEYS__ISSUER", "https://keys.example"),
        ],
    )
}

const TABLES: &str = "
[[issuers]]
issuer = \"https://keys.example\"
opaque = true

[[policies]]
name = \"write\"
all_scopes = [\"write\"]

[[policies]]
name = \"jwt\"
opaque = \"refuse\"

[[policies]]
name = \"people\"
issuers = [\"https://id.example\"]
";

#[test]
fn forward_auth_judges_a_key_by_its_policy_as_any_token() {
    let (folder, keys) = (TempDir::with_prefix("api-keys-verify-").unwrap(), Keys::new());
    let reader = keys.add(&["reader", "--scope", "read"]);
    let writer = keys.add(&["writer", "--scope", "read write"]);
    let ended = keys.add(&["ended"]);
    let bound = keys.add(&["bound"]);
    keys.edit(|file| {
        let (before, last) = file.split_at(file.find("name = \"ended\"").unwrap());
        let ended = last.replacen("made = 20", "made = 19", 1).replacen("ends = 20", "ends = 19", 1);
        let cnf = "{ cnf = { jkt = \"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I\" }, sub = \"bound\"";
        format!("{before}{}", ended.replace("{ sub = \"bound\"", cnf))
    });
    let server = forward_auth(folder.path(), &keys, TABLES);
    let asked = |path: &str, name: &str, value: String| {
        word(&ask(&server.address, &Request::get(path).header(name, value)))
    };
    let bearer = |path: &str, key: &str| asked(path, "Authorization", format!("Bearer {key}"));
    let jwt = token(key("ES256"), json!({ "iss": "https://id.example", "sub": "anna" }));
    for (path, key, expected) in [
        ("/verify", &reader, "ok"),
        ("/verify/write", &reader, "scope"),
        ("/verify/write", &writer, "ok"),
        ("/verify/jwt", &writer, "malformed"),
        ("/verify/people", &writer, "issuer"),
        ("/verify/people", &jwt, "ok"),
        ("/verify/jwt", &jwt, "ok"),
        ("/verify", &ended, "expired"),
        ("/verify", &bound, "binding"),
        ("/verify", &"hj_none-of-these-keys-at-all".to_owned(), "inactive"),
    ] {
        assert_eq!(bearer(path, key), expected, "{path} {expected}");
    }
    let signed = token(key("ES256"), json!({ "iss": "https://keys.example", "sub": "reader" }));
    assert_eq!(bearer("/verify", &signed), "algorithm", "no JWT is of the issuer of keys");
    assert_eq!(asked("/verify", "X-Api-Key", reader.clone()), "ok");
    let both = Request::get("/verify").header("X-Api-Key", &reader);
    assert_eq!(word(&ask(&server.address, &both.bearer(&writer))), "ambiguous");
    let twice = Request::get("/verify").header("X-Api-Key", &reader).header("X-Api-Key", &reader);
    assert_eq!(word(&ask(&server.address, &twice)), "duplicate_header");

    let seen = ask(&server.address, &Request::get("/verify").bearer(&reader));
    assert_eq!(seen.header("x-user-id"), Some("reader"));
    server.revoke("reader", &json!({ "jti": keys.id("reader") }));
    eventually("revoked", || (bearer("/verify", &reader) == "revoked").then_some(()));
    keys.run(&["remove", "writer"]);
    eventually("removed", || (bearer("/verify", &writer) == "inactive").then_some(()));
}

#[test]
fn the_commands_show_a_key_once_and_keep_what_people_wrote() {
    let keys = Keys::new();
    let made = keys.run(&["add", "first", "--claim", "role=a", "--claim", "role=b", "--ends", "30d"]);
    let (key, told) = (text(&made.stdout), text(&made.stderr));
    assert_eq!(key.trim_end().len(), 46, "three of the prefix and 256 bits: {key}");
    assert_eq!(key.lines().count(), 1);
    assert!(
        told.contains(&format!("first (id {})", keys.id("first"))) && !told.contains(key.trim_end()),
        "{told}"
    );
    let mode = fs::metadata(keys.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "of its owner alone");
    let file = fs::read_to_string(keys.path()).unwrap();
    assert!(!file.contains(key.trim_end()) && file.contains(r#"role = ["a","b"]"#), "{file}");
    keys.edit(|file| format!("# for the shop\n{file}\n# the end\n"));
    fs::set_permissions(keys.path(), fs::Permissions::from_mode(0o644)).unwrap();
    keys.add(&["second", "--forever"]);
    let mode = fs::metadata(keys.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640, "never of all users");
    let listed = text(&keys.run(&["list"]).stdout);
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.contains("first  of first  id ") && listed.contains("second  of second"), "{listed}");
    assert!(listed.contains("never ends") && listed.contains("(in 30 days)"), "{listed}");
    assert_eq!(keys.run(&["remove", "third"]).status.code(), Some(2));
    assert_eq!(keys.run(&["remove", "first"]).status.code(), Some(0));
    let file = fs::read_to_string(keys.path()).unwrap();
    assert!(file.starts_with("# for the shop\n") && file.contains("# the end\n"), "{file}");
    assert!(!file.contains("first") && file.contains("second"), "{file}");
    let left: Vec<_> = fs::read_dir(keys.0.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["keys.toml"], "nothing is left beside it");

    for (arguments, code, expected) in [
        (&["add", "second"][..], 64, "NAME: is that of another key"),
        (&["add", "a b"], 64, "NAME: has 1 to 128 letters"),
        (&["add", "x", "--ends", "yesterday"], 64, "--ends: is no time"),
        (&["add", "x", "--ends", "1h ago"], 64, "--ends: is no time to come"),
        (&["add", "x", "--ends", "1d", "--forever"], 64, "cannot be used with"),
        (&["add", "x", "--prefix", "a-b"], 64, "--prefix: has 1 to 32 letters"),
        (&["add", "x", "--sub", "g"], 64, "claims must have sub"),
        (&["add", "x", "--claim", "exp=5"], 64, "claims must not have exp"),
        (&["add", "x", "--claim", "sub=y"], 64, "--claim: has a claim that another option says"),
        (&["add", "x", "--claim", "y"], 64, "--claim: expected NAME=VALUE"),
        (&["list", "--server", "http://127.0.0.1:1"], 64, "--server: has no effect here"),
        (&["list", "--file", "/nonexistent/keys"], 1, "/nonexistent"),
    ] {
        let output = keys.run(arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "no key is shown that does not count: {arguments:?}");
    }
    keys.edit(|file| format!("{file}\nsurprise = 5\n"));
    let before = fs::read_to_string(keys.path()).unwrap();
    for arguments in [&["add", "x"][..], &["list"], &["remove", "second"]] {
        let output = keys.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text(&output.stderr).contains("line "), "{}", text(&output.stderr));
    }
    assert_eq!(fs::read_to_string(keys.path()).unwrap(), before);
}

#[test]
fn commands_at_the_same_time_lose_no_key() {
    let keys = Keys::new();
    let names: Vec<String> = (0..8).map(|number| format!("k{number}")).collect();
    std::thread::scope(|scope| {
        for name in &names {
            scope.spawn(|| keys.add(&[name]));
        }
    });
    let listed = text(&keys.run(&["list"]).stdout);
    assert!(names.iter().all(|name| listed.contains(&format!("{name}  of {name} "))), "{listed}");
}
