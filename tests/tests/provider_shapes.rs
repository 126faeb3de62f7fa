//! The lines that docs/IDENTITY_PROVIDERS.md gives for each provider, run as they stand there: against documents and tokens
//! in the shape of that provider's, with keys that are made here. Only the hosts are others.
//!
//! tests/interop/shapes/ has the shapes: what discovery and key set look like, a good token, and what must be refused.

mod shape;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use integration_tests::agent;
use integration_tests::process::repository;
use serde_json::Value;
use tempfile::TempDir;

use shape::Shape;

#[test]
fn the_documented_lines_accept_each_providers_tokens_and_refuse_what_is_not_for_this_api() {
    let (mut accepted, mut refused) = (0, 0);
    let mut faults = Vec::new();
    for shape in Shape::all() {
        let folder = TempDir::new().unwrap();
        let cases = shape.serve_and_make_tokens(&lines_of(&shape.section), folder.path());
        let tokens: Vec<&str> = cases.iter().map(|case| case.token.as_str()).collect();
        let verdicts = verify(&shape.section, folder.path(), &tokens);
        for (case, verdict) in cases.iter().zip(&verdicts) {
            if verdict["detail"] != case.detail {
                faults.push(format!(
                    "{}: {}: {}, not {}",
                    shape.section, case.what, verdict["detail"], case.detail
                ));
            }
            *(if case.detail == "ok" { &mut accepted } else { &mut refused }) += 1;
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    println!("{accepted} accepted, {refused} refused");
    assert!(accepted >= 24 && refused >= 24 * 6, "{accepted} accepted, {refused} refused");
}

#[test]
fn every_documented_provider_has_a_shape_and_every_shape_is_documented() {
    let document = document();
    let told: BTreeSet<&str> =
        sections(&document).filter(|(_, text)| text.contains("```toml")).map(|(name, _)| name).collect();
    let shapes: Vec<Shape> = Shape::all();
    let shown: BTreeSet<&str> = shapes.iter().map(|shape| shape.section.as_str()).collect();
    assert_eq!(told, shown);
}

fn document() -> String {
    fs::read_to_string(repository().join("docs/IDENTITY_PROVIDERS.md")).unwrap()
}

/// The chapters of the document, by their headings.
fn sections(document: &str) -> impl Iterator<Item = (&str, &str)> {
    document.split("\n## ").skip(1).filter_map(|section| section.split_once('\n'))
}

/// The first lines of configuration in a chapter.
fn lines_of(name: &str) -> String {
    let document = document();
    let chapter = sections(&document).find(|(heading, _)| *heading == name);
    let (_, text) = chapter.unwrap_or_else(|| panic!("the document has no chapter {name}"));
    let block = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    block.unwrap_or_else(|| panic!("{name} has no lines of configuration")).to_owned()
}

/// What the agent says of tokens under the lines of a folder.
fn verify(name: &str, folder: &std::path::Path, tokens: &[&str]) -> Vec<Value> {
    let mut command = agent::command();
    command.args(["verify", "--json"]).env("JWT_CONFIG", folder.join("jwt-agent.toml"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut agent = command.spawn().unwrap();
    let mut stdin = agent.stdin.take().unwrap();
    let text = tokens.join("\n");
    let writing = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = agent.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    // An agent that refuses its settings reads no tokens.
    let written = writing.join().unwrap();
    assert_eq!(output.status.code(), Some(2), "{name}: some tokens must be refused: {told}");
    written.unwrap();
    let verdicts: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(verdicts.len(), tokens.len(), "{name}: {told}");
    verdicts
}
