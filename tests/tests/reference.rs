//! What is made of the description of the settings: the reference, the schemas, the samples, and the forms for packages.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use integration_tests::process::repository;
use integration_tests::reference::{PROGRAMS, made, printed};

use crate::kubernetes::schema::schemas;
use crate::operators::Folder;

/// Holds files of settings against a schema, with the validator that `tests/kubernetes/setup.sh` brings. It prints one line
/// for each file: nothing, or the first fault.
const VALIDATE: &str = r#"
import json, sys, tomllib
from jsonschema import Draft202012Validator as Validator
schema = json.load(open(sys.argv[1]))
Validator.check_schema(schema)
for path in sys.argv[2:]:
    faults = [fault.message for fault in Validator(schema).iter_errors(tomllib.load(open(path, "rb")))]
    print(" ".join(" ".join(faults)[:300].split()))
"#;

/// What is wrong with each text as the program's file of settings; empty: nothing.
fn judge(program: &str, texts: &[String]) -> Vec<String> {
    let folder = Folder::new();
    let files: Vec<String> =
        texts.iter().enumerate().map(|(index, text)| folder.write(&format!("{index}.toml"), text)).collect();
    let output = Command::new("python3")
        .args(["-c", VALIDATE])
        .arg(repository().join(format!("deploy/config/{program}.schema.json")))
        .args(files)
        .env("PYTHONPATH", schemas())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(said.len(), texts.len(), "{said:?}");
    said
}

/// The sample with the marks before its lines taken away.
fn used_sample(program: &str) -> String {
    let sample = printed(program, &["sample"]).unwrap();
    let lines = sample.lines().filter_map(|line| line.strip_prefix('#'));
    let lines = lines.filter(|line| line.starts_with(|letter: char| letter.is_alphabetic() || letter == '['));
    lines
        .filter(|line| line.contains(" = ") || line.starts_with('['))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// The files of settings in documents and examples: each is the agent's, or that of a server, whose tables and names it has. A
/// list of API keys is none.
fn of_documents() -> Vec<(&'static str, String, String)> {
    let mut found = Vec::new();
    let folder = repository().join("docs");
    let documents = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    for document in documents.filter(|path| path.extension().is_some_and(|end| end == "md")) {
        let text = fs::read_to_string(&document).unwrap();
        for block in text.split("```toml\n").skip(1).filter_map(|rest| rest.split_once("```")) {
            if block.0.contains("[[keys]]") {
                continue;
            }
            let is_servers =
                ["[[verify]]", "[[introspection]]", "TOKEN_SERVER"].iter().any(|it| block.0.contains(it));
            let program = if is_servers { "token-server" } else { "jwt-agent" };
            found.push((program, document.display().to_string(), block.0.to_owned()));
        }
    }
    for file in below(&repository().join("examples")) {
        let program = match file.file_name().and_then(|name| name.to_str()) {
            Some("agent.toml") => "jwt-agent",
            Some("token-server.toml") => "token-server",
            _ => continue,
        };
        found.push((program, file.display().to_string(), fs::read_to_string(&file).unwrap()));
    }
    found
}

/// The files below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] }).collect()
}

#[test]
fn what_is_made_of_the_description_is_current() {
    let stale: Vec<_> =
        made().unwrap().into_iter().filter(|file| !file.is_current()).map(|file| file.path).collect();
    assert!(stale.is_empty(), "run make reference: {stale:?} differ from what the programs say");
}

#[test]
fn the_schema_accepts_the_samples_and_every_file_of_settings_in_documents_and_examples() {
    let documents = of_documents();
    assert!(documents.len() > 25, "{}", documents.len());
    for program in PROGRAMS {
        let used = used_sample(program);
        assert!(used.lines().count() > 60, "{used}");
        let lower: String = used
            .lines()
            .map(|line| match line.split_once(" = ") {
                Some((name, value)) => format!("{} = {value}\n", name.to_lowercase()),
                None => format!("{line}\n"),
            })
            .collect();
        let own = documents.iter().filter(|(whose, ..)| *whose == program);
        let (mut names, mut texts) =
            (vec!["the sample".to_owned(), "in small letters".to_owned()], vec![used, lower]);
        for (_, name, text) in own {
            names.push(format!("{name}: {text}"));
            texts.push(text.clone());
        }
        for (name, fault) in names.iter().zip(judge(program, &texts)) {
            assert_eq!(fault, "", "{program}, {name}");
        }
    }
}

#[test]
fn the_schema_and_the_program_agree_about_single_lines() {
    let issuer = "[[issuers]]\nissuer = 'i'\nkeys_url = 'http://127.0.0.1:1/k'\n";
    for (program, above, line, below, good) in [
        ("jwt-agent", "", "JWT_LEEWAY = 5", issuer, true),
        ("jwt-agent", "", "jwt_leeway = '5'", issuer, true),
        ("jwt-agent", "", "JWT_LEEWAY = 301", issuer, false),
        ("jwt-agent", "", "JWT_LEEWAY = true", issuer, false),
        ("jwt-agent", "", "JWT_LEWAY = 5", issuer, false),
        ("jwt-agent", "", "LEEWAY = 5", issuer, false),
        ("jwt-agent", "", "JWT_PROFILE = 'none'", issuer, false),
        ("jwt-agent", "", "JWT_AUDIENCES = []", issuer, false),
        ("jwt-agent", "", "JWT_AUDIENCES = 'a,b'", issuer, true),
        ("jwt-agent", "", "JWT_AUDIENCES = { a = 1 }", issuer, false),
        ("jwt-agent", "", "JWT_ALLOW_MIXED_KEYS = 'maybe'", issuer, false),
        ("jwt-agent", "", "JWT_ALLOW_MIXED_KEYS = 1", issuer, true),
        ("jwt-agent", issuer, "audiences = ['a']", "", true),
        ("jwt-agent", issuer, "audience = ['a']", "", false),
        ("jwt-agent", issuer, "claims = { a = 1, b = ['x', true] }", "", true),
        ("jwt-agent", issuer, "claims = { a = 1.5 }", "", false),
        ("jwt-agent", issuer, "claims = {}", "", false),
        ("jwt-agent", issuer, "[[policies]]\nall_scopes = ['a']", "", false),
        ("jwt-agent", issuer, "[[policys]]\nname = 'a'", "", false),
        ("token-server", "", "[TOKEN_SERVER.CACHE]\nTTL = 3", "", true),
        ("token-server", "", "[token_server.cache]\nttl = 3", "", true),
        ("token-server", "", "TOKEN_SERVER__CACHE__TTL = 3", "", true),
        ("token-server", "", "[TOKEN_SERVER.CACHE]\nTTTL = 3", "", false),
        ("token-server", "", "[TOKEN_SERVER.CASH]\nTTL = 3", "", false),
        ("token-server", "", "TOKEN_SERVER__CACHE__TTL = -1", "", false),
        ("token-server", issuer, "[[verify]]\npreflight = 'x'", "", false),
    ] {
        let text = format!("{above}{line}\n{below}");
        let fault = judge(program, std::slice::from_ref(&text)).remove(0);
        assert_eq!(fault.is_empty(), good, "the schema on {line}: {fault}");
        let folder = Folder::new();
        let file = folder.write("settings.toml", &text);
        let output = Command::new(integration_tests::agent::program(program))
            .args(["--config", &file, "--print-config"])
            .env_clear()
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(if good { 0 } else { 64 }), "{program} on {line}: {said}");
    }
}

#[test]
fn every_setting_is_in_each_form() {
    for program in PROGRAMS {
        let schema: serde_json::Value =
            serde_json::from_str(&printed(program, &["schema"]).unwrap()).unwrap();
        let names: BTreeSet<&String> = schema["$defs"].as_object().unwrap().keys().collect();
        assert!(names.len() > 40, "{names:?}");
        let forms = ["settings", "sample", "man", "reference"].map(|form| {
            // A manual page marks what could end a line.
            (form, printed(program, &[form]).unwrap().replace("\\-", "-").replace("\\_", "_"))
        });
        for name in names {
            for (form, text) in &forms {
                assert!(text.contains(name.as_str()), "{program} {form} lacks {name}");
            }
        }
        for shell in ["bash", "zsh", "fish"] {
            let script = printed(program, &["completions", shell]).unwrap();
            assert!(script.contains("print-config") && script.contains("verify"), "{program} for {shell}");
        }
        let folder = Folder::new();
        let script = folder.write("completion", &printed(program, &["completions", "bash"]).unwrap());
        let read = Command::new("bash").args(["-n", &script]).output().unwrap();
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    }
}
