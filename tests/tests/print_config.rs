//! `--config` and `--print-config` of both programs: which file is read, what is in use and where it comes from, and that no secret
//! is shown.

use std::process::{Command, Output};

use integration_tests::agent::program;
use serde_json::{Value, json};

use crate::operators::{Folder, run, text};

/// What must never be seen, in the places where secrets stand.
const CANARY: &str = "s3cret-canary-4711";

fn print(name: &str, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(program(name));
    command.env_clear().envs(variables.iter().copied()).arg("--print-config").args(arguments);
    run(&mut command, "")
}

/// Lines without the blanks between a value and its origin.
fn lines(output: &Output) -> String {
    text(&output.stdout)
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n")
        .collect()
}

#[test]
fn each_value_in_use_stands_there_with_its_origin() {
    let folder = Folder::new();
    let cfg = folder.write(
        "haproxy.cfg",
        "global\n    setenv JWT_LEEWAY 7\n    presetenv JWT_AUDIENCES of-haproxy\n    setenv OTHER x\n",
    );
    let file = folder.write(
        "agent.toml",
        "JWT_JWKS_URL = \"https://id.example.com/keys\"\nJWT_CACHE_TTL = 400\n\n\
         [[issuers]]\nissuer = \"https://partner.example\"\nkeys_file = \"/k\"\n\n\
         [[policies]]\nname = \"mcp-read\"\n\n\
         [[mcp]]\npolicy = \"mcp\"\nuse = \"mcp-read\"\nmethods = [\"tools/call\"]\nnames = [\"read_*\"]\n",
    );
    let variables = [("JWT_ISSUERS", "https://id.example.com"), ("JWT_AUDIENCES", "of-the-environment")];
    let arguments = ["--config", &file, "--haproxy-cfg", &cfg];
    let output = print("jwt-agent", &variables, &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = lines(&output);
    for expected in [
        &format!("JWT_LEEWAY = 7 # --haproxy-cfg {cfg}:2\n"),
        "JWT_AUDIENCES = [\"of-the-environment\"] # environment\n",
        &format!("JWT_JWKS_URL = [\"https://id.example.com/keys\"] # {file}:1\n"),
        &format!("JWT_CACHE_TTL = 400 # {file}:2\n"),
        "#JWT_CACHE_TTL_MAX = 400 # default\n",
        "#JWT_TIMEOUT_MS = 80 # default\n",
        "#JWT_CLAIMS = # not set\n",
        &format!(
            "[[issuers]]\nissuer = \"https://partner.example\" # {file}:5\nkeys_file = \"/k\" # {file}:6\n"
        ),
        &format!(
            "[[mcp]]\nmethods = [\"tools/call\"] # {file}:14\nnames = [\"read_*\"] # {file}:15\n\
             policy = \"mcp\" # {file}:12\nuse = \"mcp-read\" # {file}:13\n"
        ),
    ] {
        assert!(said.contains(expected), "{expected} is not in {said}");
    }
    // What it prints is a file that is in use in the same way.
    let printed = folder.write("printed.toml", &text(&output.stdout));
    let again = print("jwt-agent", &[], &["--config", &printed, "--format", "json"]);
    let again: Value = serde_json::from_slice(&again.stdout).unwrap();
    let first = print("jwt-agent", &variables, &[&arguments[..], &["--format", "json"]].concat());
    let first: Value = serde_json::from_slice(&first.stdout).unwrap();
    for (name, setting) in first["settings"].as_object().unwrap() {
        assert_eq!(setting["value"], again["settings"][name]["value"], "{name}");
    }
    assert_eq!(first["settings"]["JWT_LEEWAY"]["from"], format!("--haproxy-cfg {cfg}:2"));
    assert_eq!(first["tables"]["issuers"][0]["issuer"]["from"], format!("{file}:5"));
    assert_eq!(first["tables"]["mcp"][0]["names"]["value"], json!(["read_*"]));
}

#[test]
fn no_secret_is_printed_by_either_program_in_either_format() {
    let folder = Folder::new();
    let url = format!("https://user:{CANARY}@id.example.com/keys?key={CANARY}");
    let table = format!(
        "[[issuers]]\nissuer = 'i'\nkeys_url = '{url}'\nfetch_headers = ['X-Key: {CANARY}']\n\
         fetch_proxy = 'http://u:{CANARY}@127.0.0.1:1'\n"
    );
    let file = folder.write("settings.toml", &table);
    let faulty = folder.write("faulty.toml", &format!("{table}typo = '{CANARY}'\nleeway = '{CANARY}'\n"));
    let header = format!("X-Key: {CANARY}");
    let redis = format!("redis://:{CANARY}@127.0.0.1:6379");
    let consul = format!("http://u:{CANARY}@127.0.0.1:8500");
    let proxy = format!("http://u:{CANARY}@127.0.0.1:3128");
    let agent = [
        ("JWT_JWKS_URL", url.as_str()),
        ("JWT_ISSUERS", "f"),
        ("JWT_FETCH_HEADERS", &header),
        ("JWT_FETCH_PROXY", &proxy),
        ("HTTPS_PROXY", &proxy),
    ];
    let server = [
        ("TOKEN_SERVER__REDIS__URLS", redis.as_str()),
        ("TOKEN_SERVER__CONSUL__URL", &consul),
        ("TOKEN_SERVER__JWKS__URL", &url),
        ("TOKEN_SERVER__VERIFY__ISSUERS", "f"),
        ("TOKEN_SERVER__JWKS__FETCH_HEADERS", &header),
    ];
    for (program, variables, prefix) in
        [("jwt-agent", &agent, "JWT_"), ("token-server", &server, "TOKEN_SERVER__")]
    {
        for (file, code) in [(&file, 0), (&faulty, 64)] {
            let level = format!("{prefix}{}", if program == "jwt-agent" { "LEWEAY" } else { "LISTTEN" });
            let mut variables = variables.to_vec();
            if code == 64 {
                variables.push((&level, CANARY));
            }
            for format in ["toml", "json"] {
                let output = print(program, &variables, &["--config", file, "--format", format]);
                let said = text(&output.stdout) + &text(&output.stderr);
                assert_eq!(output.status.code(), Some(code), "{program}: {said}");
                assert!(!said.contains(CANARY), "{program}, {format}: {said}");
                assert!(said.matches("sha256:").count() >= 5, "{program}, {format}: {said}");
                assert!(said.contains("id.example.com/keys"), "{program}, {format}: {said}");
            }
        }
    }
}

#[test]
fn one_file_of_settings_is_read_whichever_way_it_is_named() {
    let folder = Folder::new();
    for (name, variable, setting, found) in [
        ("jwt-agent", "JWT_CONFIG", "JWT_JWKS_FILE = '/k'\nJWT_TIMEOUT_MS", "JWT_TIMEOUT_MS"),
        ("token-server", "TOKEN_SERVER_CONFIG", "TOKEN_SERVER__CACHE__TTL", "TOKEN_SERVER__CACHE__TTL"),
    ] {
        let one = folder.write("one.toml", &format!("{setting} = 11\n"));
        let other = folder.write("other.toml", &format!("{setting} = 12\n"));
        for (variables, arguments, expected) in [
            (vec![(variable, one.as_str())], vec![], Ok("= 11")),
            (vec![], vec!["--config", &one], Ok("= 11")),
            (vec![(variable, &one)], vec!["--config", &one], Ok("= 11")),
            (vec![(variable, " ")], vec!["--config", &other], Ok("= 12")),
            (vec![(variable, &one)], vec!["--config", &other], Err("leave one of them out")),
            (
                vec![],
                vec!["--config", "/nonexistent/x.toml"],
                Err("--config: cannot read the file /nonexistent/x.toml"),
            ),
        ] {
            let output = print(name, &variables, &arguments);
            match expected {
                Ok(value) => {
                    let line = format!("{found} {value} ");
                    assert!(lines(&output).contains(&line), "{arguments:?}: {}", text(&output.stdout));
                }
                Err(fault) => {
                    assert_eq!(output.status.code(), Some(64));
                    assert!(text(&output.stderr).contains(fault), "{}", text(&output.stderr));
                }
            }
        }
    }
    let cfg = folder.write("haproxy.cfg", "global\n    setenv JWT_CONFIG /etc/other.toml\n");
    let one = folder.write("one.toml", "JWT_JWKS_FILE = '/k'\n");
    let output = print("jwt-agent", &[], &["--config", &one, "--haproxy-cfg", &cfg]);
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("JWT_CONFIG names /etc/other.toml"), "{}", text(&output.stderr));
}

#[test]
fn options_that_mean_nothing_together_are_refused() {
    for name in ["jwt-agent", "token-server"] {
        for arguments in [&["--check"][..], &["verify"], &["--format", "yaml"]] {
            let output = print(name, &[], arguments);
            assert_eq!(output.status.code(), Some(64), "{name} {arguments:?}: {}", text(&output.stdout));
        }
        let alone = run(Command::new(program(name)).env_clear().args(["--format", "json"]), "");
        assert_eq!(alone.status.code(), Some(64), "{name}");
        let none = run(Command::new(program(name)).env_clear().args(["settings", "nonsense"]), "");
        assert_eq!(none.status.code(), Some(2), "{name}: {}", text(&none.stderr));
    }
}
