//! The command line, alike in both programs: options, faults and exit codes, and what `--check` looks at.

use std::fs;
use std::process::{Command, Stdio};

use integration_tests::agent::{command, program};
use integration_tests::keys::key;
use integration_tests::token::{now, token};
use integration_tests::token_server::TokenServer;
use serde_json::{Value, json};

use crate::operators::{Folder, run, text};

fn server() -> Command {
    let mut command = Command::new(program("token-server"));
    command.env_clear();
    command
}

#[test]
fn a_check_refuses_what_a_start_refuses_and_asks_others_only_where_that_is_said() {
    let folder = Folder::new();
    let keys = folder.path("keys.json");
    let bearer = folder.write("bearer", "s3cret of two words\n");
    let socket = format!("unix@{}", folder.path("absent/agent.sock"));
    let dead = "http://127.0.0.1:1";
    for (what, settings, arguments, code, expected) in [
        (
            "a token file that is none",
            vec![("JWT_TOKEN_SERVER_BACKEND", dead), ("JWT_TOKEN_SERVER_TOKEN_FILE", &bearer)],
            vec![],
            64,
            "JWT_TOKEN_SERVER_TOKEN_FILE: expected one bearer token",
        ),
        (
            "a folder that is not there",
            vec![("JWT_AGENT_LISTEN", &socket)],
            vec![],
            64,
            "JWT_AGENT_LISTEN: cannot listen on",
        ),
        (
            "one port twice",
            vec![("JWT_AGENT_LISTEN", "127.0.0.1:7,127.0.0.1:9464")],
            vec![],
            64,
            "JWT_ADMIN_LISTEN: 127.0.0.1:9464 meets 127.0.0.1:9464 of JWT_AGENT_LISTEN",
        ),
        (
            "a URL with a password",
            vec![("JWT_TOKEN_SERVER_BACKEND", "http://agent:s3cret@127.0.0.1:1")],
            vec![],
            64,
            "takes no user and password",
        ),
        (
            "an algorithm that is none",
            vec![("JWT_ALGORITHMS", "RS256,none")],
            vec![],
            64,
            "JWT_ALGORITHMS: none is no signature algorithm",
        ),
        (
            "a dead token-server",
            vec![("JWT_TOKEN_SERVER_BACKEND", dead)],
            vec![],
            0,
            "token-servers: asked with --online",
        ),
        (
            "a dead token-server, asked",
            vec![("JWT_TOKEN_SERVER_BACKEND", dead)],
            vec!["--online"],
            1,
            "http://127.0.0.1:1: not reachable",
        ),
        (
            "a dead key URL",
            vec![("JWT_JWKS_URL", "http://127.0.0.1:1/keys")],
            vec![],
            0,
            "http://127.0.0.1:1/keys: asked with --online",
        ),
        (
            "a dead key URL, asked",
            vec![("JWT_JWKS_URL", "http://127.0.0.1:1/keys")],
            vec!["--online"],
            1,
            "http://127.0.0.1:1/keys: ",
        ),
    ] {
        let mut check = command();
        check.arg("--check").args(arguments).env("JWT_JWKS_FILE", &keys).envs(settings);
        let output = run(&mut check, "");
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{what}: {said}");
        assert!(said.contains(expected) && !said.contains("s3cret"), "{what}: {said}");
    }

    let bearer = folder.write("bearer", "s3cret-of-the-agent\n");
    let server = TokenServer::start_with(
        folder.0.path(),
        "standard",
        &[("TOKEN_SERVER__AGENT__TOKENS_FILE", bearer.as_str())],
    );
    for (what, settings, code, expected) in [
        ("the right token", vec![("JWT_TOKEN_SERVER_TOKEN_FILE", bearer.as_str())], 0, "answers, store "),
        ("no token", vec![], 1, "answered 401 Unauthorized; it wants another bearer token"),
    ] {
        let mut check = command();
        check.args(["--check", "--online"]).env("JWT_JWKS_FILE", &keys).envs(settings);
        let output = run(check.env("JWT_TOKEN_SERVER_BACKEND", server.url()), "");
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{what}: {said}");
        assert!(said.contains(expected) && !said.contains("s3cret"), "{what}: {said}");
    }
}

#[test]
fn a_wrong_command_line_ends_alike_in_both_programs() {
    for (arguments, nearest) in [
        (&["--chekc"][..], "--check"),
        (&["verfiy"], "verify"),
        (&["verify", "--jsno"], "--json"),
        (&["--online"], "--check --online"),
    ] {
        for mut program in [command(), server()] {
            let output = run(program.args(arguments), "");
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(64), "{arguments:?}: {said}");
            assert!(said.contains(nearest), "{arguments:?}: {said}");
        }
    }
    let broken = Folder::new().write("broken.toml", "a = 1\nb = s3cret\n");
    let folder = Folder::new();
    let file = folder.write("broken.toml", "JWT_LEEWAY = 1\nJWT_X = s3cret\n");
    assert!(!std::path::Path::new(&broken).exists(), "its folder is gone");
    for (name, mut program) in [("JWT_CONFIG", command()), ("TOKEN_SERVER_CONFIG", server())] {
        for (path, expected) in [(&file, "line 2: the file is not TOML"), (&broken, "cannot read the file")] {
            let output = run(program.arg("--check").env(name, path), "");
            program = if name == "JWT_CONFIG" { command() } else { server() };
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(64), "{said}");
            assert!(
                said.contains(path.as_str()) && said.contains(expected) && !said.contains("s3cret"),
                "{said}"
            );
        }
    }
}

#[test]
fn a_token_may_have_its_scheme_before_it_and_options_stand_on_both_sides_of_a_command() {
    let folder = Folder::new();
    let keys = folder.path("keys.json");
    let cfg = folder.write("haproxy.cfg", &format!("global\n    setenv JWT_JWKS_FILE {keys}\n"));
    let good = token(key("ES256"), json!({"sub": "alice"}));
    let scheme = format!("bEaReR {good}");
    for (arguments, code) in [
        (vec!["--haproxy-cfg", &cfg, "verify", &scheme], 0),
        (vec!["verify", "--haproxy-cfg", &cfg, "Bearer", &good], 0),
        (vec!["verify", "--log-format", "json", "--keys", &keys, "JWT", &good], 0),
        (vec!["verify", "--keys", &keys, "Basic", &good], 2),
        (vec!["verify", "--keys", &keys, "a", "b", "c"], 64),
    ] {
        let output = run(command().args(&arguments), "");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
        if code == 2 {
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(
                (&answer["detail"], &answer["cure"]),
                (&json!("scheme"), &json!("the schemes that are accepted are JWT, Bearer, DPoP"))
            );
        }
    }
    let output = run(command().args(["verify", "--keys", &keys]), &format!("{scheme}\n"));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn verify_tells_a_refused_token_from_what_cannot_be_done_in_both_programs() {
    let folder = Folder::new();
    let keys = folder.path("keys.json");
    let good = token(key("ES256"), json!({"sub": "alice", "exp": now() + 600}));
    let expired = token(key("ES256"), json!({"sub": "alice", "exp": now() - 1}));
    let dead = "http://127.0.0.1:1/keys";
    let full = || Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    for (what, is_url, source, arguments, code) in [
        ("a good token", false, keys.as_str(), &[good.as_str()][..], 0),
        ("a refused token", false, &keys, &[&expired], 2),
        ("a key server that does not answer", true, dead, &[&good], 1),
        ("a key file that is none", false, "/dev/null", &[&good], 64),
        ("a policy that is none", false, &keys, &["--policy", "nix", &good], 64),
    ] {
        let names = if is_url {
            ["JWT_JWKS_URL", "TOKEN_SERVER__JWKS__URL"]
        } else {
            ["JWT_JWKS_FILE", "TOKEN_SERVER__JWKS__FILE"]
        };
        for (name, mut program) in names.into_iter().zip([command(), server()]) {
            let output = run(program.arg("verify").args(arguments).env(name, source), "");
            assert_eq!(output.status.code(), Some(code), "{what}, {name}: {}", text(&output.stderr));
        }
    }
    for (name, mut program) in [("JWT_JWKS_FILE", command()), ("TOKEN_SERVER__JWKS__FILE", server())] {
        let output = program.args(["verify", &good]).env(name, &keys).stdout(full()).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("standard output: "), "{said}");
    }
}
