//! What an operator does by hand: check a configuration, ask about a token, take an old haproxy.cfg along, and find out
//! why an agent is not ready.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use integration_tests::agent::{Agent, command};
use integration_tests::http::Request;
use integration_tests::keys::{jwks, key};
use integration_tests::socket::Address;
use integration_tests::token::{forge_signature, now, token};
use integration_tests::token_server::TokenServer;
use integration_tests::wait::eventually;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) struct Folder(pub(crate) TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Self(TempDir::with_prefix("operators-").unwrap());
        folder.write("keys.json", &jwks([key("ES256"), key("RS256")]));
        folder
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.0.path().join(name), text).unwrap();
        self.path(name)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
}

pub(crate) fn run(command: &mut Command, input: &str) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that does not read its input has closed it; that is its own affair.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    child.wait_with_output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_check_says_what_is_good_and_every_fault_at_once() {
    let folder = Folder::new();
    let keys = folder.path("keys.json");
    let weak = folder.write("weak.json", r#"{"keys":[{"kty":"oct","kid":"w","k":"QUJD"}]}"#);
    let broken = folder.write("broken.json", "{");
    for (what, environment, code, expected) in [
        (
            "good",
            vec![("JWT_JWKS_FILE", keys.as_str())],
            0,
            vec!["2 keys", "warning: no audience is validated"],
        ),
        ("no keys", vec![], 64, vec!["JWT_JWKS_FILE: no key source"]),
        ("a broken file", vec![("JWT_JWKS_FILE", broken.as_str())], 64, vec!["broken.json", "not JSON"]),
        ("weak keys", vec![("JWT_JWKS_FILE", weak.as_str())], 64, vec!["no usable key"]),
        ("a missing file", vec![("JWT_JWKS_FILE", "/nonexistent")], 64, vec!["cannot read the file"]),
        (
            "typos",
            vec![("JWT_JWKS_FIL", keys.as_str()), ("JWT_LEEWAY", "much"), ("JWT_JWKS_FILE", keys.as_str())],
            64,
            vec!["did you mean JWT_JWKS_FILE?", "JWT_LEEWAY: expected seconds"],
        ),
    ] {
        let output = run(command().arg("--check").envs(environment), "");
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{what}: {said}");
        for expected in expected {
            assert!(said.contains(expected), "{what}: {expected} in {said}");
        }
    }
}

#[test]
fn an_agent_does_not_start_with_what_it_cannot_use() {
    let folder = Folder::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let keys = folder.path("keys.json");
    for (what, environment, code, expected) in [
        (
            "a broken key file",
            [("JWT_JWKS_FILE", "/dev/null"), ("JWT_ADMIN_LISTEN", "127.0.0.1:0")],
            64,
            "JWT_JWKS_FILE: /dev/null",
        ),
        (
            "a port in use",
            [("JWT_JWKS_FILE", keys.as_str()), ("JWT_ADMIN_LISTEN", taken.as_str())],
            1,
            "JWT_ADMIN_LISTEN: cannot listen",
        ),
    ] {
        let output = run(command().env("JWT_AGENT_LISTEN", "127.0.0.1:0").envs(environment), "");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{what}: {said}");
        assert!(said.lines().any(|line| line.contains(expected)), "{what}: {said}");
    }
}

#[test]
fn verify_answers_one_line_for_each_token() {
    let folder = Folder::new();
    let good = token(key("ES256"), json!({"sub": "alice"}));
    let expired = token(key("ES256"), json!({"exp": now() - 1}));
    let forged = forge_signature(&good);
    let stranger = token(key("EdDSA"), json!({}));
    let input = [good.as_str(), &expired, "", &forged, &stranger, "a.b"].join("\n");
    let verify = |arguments: &[&str], input: &str| {
        let keys = folder.path("keys.json");
        let output = run(command().args(["verify", "--keys", keys.as_str()]).args(arguments), input);
        let lines: Vec<Value> =
            text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (output.status.code().unwrap(), lines)
    };
    let (code, lines) = verify(&["-"], &input);
    let told: Vec<_> = lines
        .iter()
        .map(|line| format!("{} {} {}", line["valid"], line["reason"], line["detail"]).replace('"', ""))
        .collect();
    assert_eq!(
        told,
        [
            "true ok ok",
            "false E_TKN_INVALID expired",
            "false E_TKN_INVALID signature",
            "false E_TKN_INVALID unknown_key",
            "false E_TKN_INVALID malformed"
        ]
    );
    assert_eq!(code, 2);
    assert_eq!(lines[0]["claims"]["sub"], "alice");
    let outcomes: Vec<_> =
        lines[2]["keys"].as_array().unwrap().iter().map(|key| key["outcome"].as_str().unwrap()).collect();
    assert_eq!(
        outcomes,
        ["tried, did not make the signature", "not tried: it cannot verify the token's algorithm"]
    );

    let long = token(key("ES256"), json!({"blob": "x".repeat(9000)}));
    let (code, lines) = verify(&[&long], "");
    assert_eq!((code, &lines[0]["detail"]), (2, &json!("token_size")));
    let cure =
        format!("the token has {} bytes, and JWT_MAX_TOKEN_BYTES allows 8192: set it higher", long.len());
    assert!(lines[0]["cure"].as_str().unwrap().starts_with(&cure), "{}", lines[0]);

    let (code, lines) = verify(&["--signature-only", &expired], "");
    assert_eq!((code, &lines[0]["valid"]), (0, &json!(true)));
    let (code, lines) = verify(&[&good], "");
    assert_eq!((code, lines.len()), (0, 1));
    let output = run(command().args(["verify", "--keys", "/nonexistent", &good]), "");
    assert_eq!(output.status.code(), Some(64), "{}", text(&output.stderr));
}

#[test]
fn an_old_haproxy_cfg_configures_the_agent() {
    let folder = Folder::new();
    let cfg = folder.write(
        "haproxy.cfg",
        &format!(
            "global\n    presetenv KEYS {}\n    setenv JWT_JWKS_FILE \"${{KEYS}}/keys.json\"\n    setenv JWT_ISSUERS ann\n\
             program agent\n    command jwt-agent\n",
            folder.0.path().display()
        ),
    );
    let output = run(command().args(["--check", "--haproxy-cfg", cfg.as_str()]), "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("2 keys"), "{}", text(&output.stdout));
    folder.write("haproxy.cfg", "global\n    setenv JWT_JWKS_FILE \"open\n");
    let output = run(command().args(["--check", "--haproxy-cfg", cfg.as_str()]), "");
    assert_eq!(output.status.code(), Some(64));
    assert!(
        text(&output.stderr).contains("line 2: a double quote is not closed"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn the_check_names_each_policy_that_a_rule_sets_and_the_configuration_lacks() {
    let folder = Folder::new();
    let keys = folder.0.path().join("keys.json");
    let rules = |rule: &str| {
        folder.write(
            "haproxy.cfg",
            &format!(
                "global\n    setenv JWT_JWKS_FILE {}\n    setenv JWT_ISSUERS ann\nfrontend web\n    {rule}\n",
                keys.display()
            ),
        )
    };
    for (rule, code) in [
        ("http-request set-var(txn.tkn_policy) str(admn) if { path_beg /admin }", 64),
        ("http-request set-var-fmt(txn.tkn_policy) admn", 64),
        ("http-request set-var(txn.policy) str(admn)", 64),
        ("http-request set-var(txn.tkn_policy) str(default)", 0),
        ("http-request set-var(txn.tkn_policy) path", 0),
    ] {
        let cfg = rules(rule);
        let output = run(command().args(["--check", "--haproxy-cfg", cfg.as_str()]), "");
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{rule}: {stderr}");
        if code != 0 {
            for part in ["line 5", "the policy admn", "[[policies]]"] {
                assert!(stderr.contains(part), "{rule}: {stderr}");
            }
        }
    }
}

/// What `health` says of a program, with the code of its end.
fn health(mut command: Command, arguments: &[&str]) -> (Option<i32>, String) {
    let told = run(command.args(arguments), "");
    (told.status.code(), text(&told.stderr))
}

#[test]
fn a_fault_that_comes_into_the_configuration_makes_no_running_agent_unhealthy() {
    let folder = Folder::new();
    let listen = |name: &str| Address::Unix(folder.0.path().join(format!("{name}.sock")));
    // Where the address is said in the environment, in the file, in haproxy.cfg, or on the command line alone.
    let agent = Agent::start("agent", listen("a"), &[("JWT_JWKS_FILE".to_owned(), folder.path("keys.json"))]);
    agent.wait_ready();
    let address = agent.admin.to_string();
    let typo = "JWT_LEEWAY = 'soon'\nJWT_TYPO = 1\n";
    for (what, toml, cfg, environment, arguments) in [
        ("the environment", typo.to_owned(), String::new(), true, vec![]),
        (
            "a file with faults",
            format!("{typo}JWT_ADMIN_LISTEN = '{address}'\n"),
            String::new(),
            false,
            vec![],
        ),
        (
            "a file that is no TOML",
            format!("JWT_ADMIN_LISTEN = '{address}'\n= no\n"),
            String::new(),
            false,
            vec![],
        ),
        (
            "haproxy.cfg",
            typo.to_owned(),
            format!("setenv JWT_A= x\nsetenv JWT_ADMIN_LISTEN {address}\n"),
            false,
            vec![],
        ),
        ("an argument", "= no".to_owned(), String::new(), false, vec!["--address", address.as_str()]),
    ] {
        let (toml, cfg) = (folder.write("agent.toml", &toml), folder.write("haproxy.cfg", &cfg));
        let ask = || {
            let mut ask = command();
            ask.env("JWT_CONFIG", &toml).args(["--haproxy-cfg", &cfg]);
            if environment {
                ask.env("JWT_ADMIN_LISTEN", &address);
            }
            ask
        };
        // The fault is one: a start and a check refuse it.
        assert_eq!(health(ask(), &["--check"]).0, Some(64), "{what}");
        let arguments = [&["health"], arguments.as_slice()].concat();
        assert_eq!(health(ask(), &arguments), (Some(0), String::new()), "{what}");
    }
    let (code, why) = health(command(), &["health", "--address", "127.0.0.1:1"]);
    assert!(code == Some(1) && why.contains("no answer at 127.0.0.1:1"), "{code:?} {why}");
}

#[test]
fn a_fault_that_comes_into_the_configuration_makes_no_running_token_server_unhealthy() {
    let folder = Folder::new();
    let server = TokenServer::start_with(folder.0.path(), "standard", &[]);
    let (admin, socket) = (server.admin.to_string(), folder.path("token-server.sock"));
    let typo = "[TOKEN_SERVER.CACHE]\nTTL = 'soon'\n";
    for (toml, arguments) in [
        (format!("{typo}[TOKEN_SERVER.ADMIN]\nLISTEN = '{admin}'\n"), vec![]),
        (format!("TOKEN_SERVER__ADMIN__LISTEN = '{admin}'\n= no\n"), vec![]),
        (format!("{typo}[TOKEN_SERVER.ADMIN]\nLISTEN = '127.0.0.1:1'\nSOCKET = '{socket}'\n"), vec![]),
        (typo.to_owned(), vec!["--address".to_owned(), admin.clone()]),
        (typo.to_owned(), vec!["--address".to_owned(), format!("unix:{socket}")]),
    ] {
        let file = folder.write("token-server.toml", &toml);
        let ask = || {
            let mut ask = Command::new(integration_tests::agent::program("token-server"));
            ask.env_clear().env("TOKEN_SERVER_CONFIG", &file);
            ask
        };
        assert_eq!(health(ask(), &["--check"]).0, Some(64), "{toml}");
        let arguments: Vec<_> = ["health"].into_iter().chain(arguments.iter().map(String::as_str)).collect();
        assert_eq!(health(ask(), &arguments), (Some(0), String::new()), "{toml}");
    }
}

#[test]
fn an_agent_of_another_profile_than_the_token_servers_is_not_ready_and_says_why() {
    let folder = Folder::new();
    let bearer = folder.write("bearer", "s3cret-of-the-agent\n");
    let other = folder.write("other", "s3cret-of-another-agent\n");
    let server = TokenServer::start_with(
        folder.0.path(),
        "standard",
        &[("TOKEN_SERVER__AGENT__TOKENS_FILE", bearer.as_str())],
    );
    let start = |name: &str, extra: &[(&str, &str)]| {
        let mut environment = vec![
            ("JWT_JWKS_FILE".to_owned(), folder.path("keys.json")),
            ("JWT_TOKEN_SERVER_BACKEND".to_owned(), server.url()),
        ];
        environment.extend(extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Agent::start(name, Address::Unix(folder.0.path().join(format!("{name}.sock"))), &environment)
    };
    let right = start("right", &[("JWT_TOKEN_SERVER_TOKEN_FILE", bearer.as_str())]);
    right.wait_ready();
    for (name, extra, expected) in [
        ("without", vec![], "it refuses our bearer token"),
        ("wrong", vec![("JWT_TOKEN_SERVER_TOKEN_FILE", other.as_str())], "it refuses our bearer token"),
        (
            "profile",
            vec![("JWT_TOKEN_SERVER_TOKEN_FILE", bearer.as_str()), ("JWT_PROFILE", "ms-users")],
            "it runs another profile",
        ),
    ] {
        let agent = start(name, &extra);
        eventually("the agent says why it is not ready", || {
            let answer = agent.admin("/ready");
            let said = text(&answer.body);
            (answer.status == 503 && said.contains(expected)).then_some(())
        });
        assert!(!agent.process.log().contains("s3cret"), "{}", agent.process.log());
    }
    assert_eq!(integration_tests::agent::ask(&right.admin, &Request::get("/health")).status, 200);
}
