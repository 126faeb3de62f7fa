//! What the documents name exists: files, headings, settings, alerts. `metrics.rs` does the same for metrics.

mod commands;
mod guides;
mod revoking;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use integration_tests::process::repository;

/// Every file of the project below the repository's root, without what is built or fetched.
pub(crate) fn files() -> BTreeSet<String> {
    fn below(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let path = format!("{prefix}{name}");
            if !entry.file_type().unwrap().is_dir() {
                found.insert(path);
            } else if !["target", ".git", "node_modules"].contains(&name.as_str()) {
                below(&entry.path(), &format!("{path}/"), found);
            }
        }
    }
    let mut found = BTreeSet::new();
    below(repository(), "", &mut found);
    found
}

fn read(file: &str) -> String {
    fs::read_to_string(repository().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The documents that tell how things are; CHANGELOG.md tells how they were as well.
fn documents(files: &BTreeSet<String>) -> Vec<&str> {
    let documents: Vec<&str> = files
        .iter()
        .map(String::as_str)
        .filter(|file| file.ends_with(".md") && !file.starts_with("fuzz/") && *file != "CHANGELOG.md")
        .collect();
    assert!(documents.len() > 12, "{documents:?}");
    documents
}

/// `a/{b,c}.rs` names two files.
fn expanded(word: &str) -> Vec<String> {
    let parts = word.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
    let Some((before, (names, after))) = parts else { return vec![word.to_owned()] };
    names.split(',').flat_map(|name| expanded(&format!("{before}{name}{after}"))).collect()
}

/// What a text names in this repository: words that begin with one of its folders, and names of Rust files.
fn named_paths(text: &str, top: &BTreeSet<&str>) -> BTreeSet<String> {
    let is_border = |letter: char| letter.is_whitespace() || "`'\"|()[]".contains(letter);
    text.split(is_border)
        .flat_map(|word| expanded(word.trim_matches(['.', ',', ';', ':', '*'])))
        .map(|word| word.split(['#', ':']).next().unwrap().trim_end_matches('/').to_owned())
        .filter(|word| {
            word.ends_with(".rs") || word.split_once('/').is_some_and(|(folder, _)| top.contains(folder))
        })
        .collect()
}

#[test]
fn every_file_that_a_document_names_exists() {
    let files = files();
    let top: BTreeSet<&str> =
        files.iter().filter_map(|file| file.split_once('/').map(|(top, _)| top)).collect();
    let exists = |path: &str| {
        let (folder, end) = (format!("{path}/"), format!("/{path}"));
        files.iter().any(|file| {
            file == path || file.starts_with(&folder) || (path.ends_with(".rs") && file.ends_with(&end))
        })
    };
    let mut missing = Vec::new();
    for document in documents(&files) {
        let named = named_paths(&read(document), &top);
        if document == "ARCHITECTURE.md" {
            assert!(named.len() > 30, "{named:?}");
        }
        let absent = named.into_iter().filter(|path| !exists(path));
        missing.extend(absent.map(|path| format!("{document}: {path}")));
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The anchors of a document's headings, as GitHub makes them: of two that are alike the second ends with `-1`.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut in_code = false;
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    text.lines()
        .filter(|line| {
            in_code ^= line.starts_with("```");
            !in_code && line.starts_with('#')
        })
        .map(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let anchor: String = heading
                .chars()
                .filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter))
                .map(|letter| if letter == ' ' { '-' } else { letter })
                .collect();
            let before = seen.entry(anchor.clone()).or_default();
            *before += 1;
            if *before == 1 { anchor } else { format!("{anchor}-{}", *before - 1) }
        })
        .collect()
}

#[test]
fn headings_that_are_alike_have_anchors_of_their_own() {
    let text = "# A `b`, c\n```\n# no heading\n```\n## Twice\n### Twice\n## twice\n";
    let expected = ["a-b-c", "twice", "twice-1", "twice-2"];
    assert_eq!(anchors(text), expected.map(str::to_owned).into());
}

#[test]
fn every_link_between_documents_leads_to_a_file_and_a_heading() {
    let files = files();
    let anchors: BTreeMap<&str, BTreeSet<String>> = files
        .iter()
        .filter(|file| file.ends_with(".md"))
        .map(|file| (file.as_str(), anchors(&read(file))))
        .collect();
    let (mut broken, mut links) = (Vec::new(), 0);
    for document in anchors.keys() {
        let text = read(document);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(link, _)| link)) {
            if link.contains("://") || link.contains(char::is_whitespace) {
                continue;
            }
            links += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let mut parts: Vec<&str> = document.split('/').collect();
            if !path.is_empty() {
                parts.pop();
            }
            for part in path.split('/').filter(|part| !part.is_empty()) {
                match part {
                    ".." => parts.truncate(parts.len() - 1),
                    _ => parts.push(part),
                }
            }
            let path = parts.join("/");
            let leads = if anchor.is_empty() {
                repository().join(&path).exists()
            } else {
                anchors.get(path.as_str()).is_some_and(|known| known.contains(anchor))
            };
            if !leads {
                broken.push(format!("{document}: {link}"));
            }
        }
    }
    assert!(links > 100, "{links}");
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_alert_has_a_section_of_the_runbook_and_every_section_an_alert() {
    let alerts = read("dashboards/alerts.yml");
    let values = |key: &str| -> Vec<&str> {
        let values = alerts.lines().filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix(key));
        values.map(|value| value.trim().trim_matches('"')).collect()
    };
    let (names, urls) = (values("alert:"), values("runbook_url:"));
    assert!(names.len() > 20, "{names:?}");
    let wanted: Vec<String> =
        names.iter().map(|name| format!("docs/RUNBOOK.md#{}", name.to_lowercase())).collect();
    assert_eq!(urls, wanted, "each alert has its own section as its runbook_url");
    let runbook = read("docs/RUNBOOK.md");
    let sections: Vec<&str> = runbook.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert_eq!(sections, names, "docs/RUNBOOK.md has the alerts in the order of dashboards/alerts.yml");
}

fn is_name(letter: char) -> bool {
    letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_'
}

/// The settings that a line names. `__URL` behind `TOKEN_SERVER__JWKS__FILE` is short for `TOKEN_SERVER__JWKS__URL`.
fn settings_in(line: &str) -> BTreeSet<String> {
    let mut last = String::new();
    let mut found = BTreeSet::new();
    for word in line.split(|letter: char| !is_name(letter) && !letter.is_ascii_lowercase()) {
        if !word.chars().all(is_name) {
            continue;
        }
        if word.starts_with("JWT_") || word.starts_with("TOKEN_SERVER_") {
            word.clone_into(&mut last);
        } else if let (true, Some((table, _))) = (word.starts_with("__"), last.rsplit_once("__")) {
            last = format!("{table}{word}");
        } else {
            continue;
        }
        // `JWT_FETCH_..` means several.
        if !last.ends_with('_') {
            found.insert(last.clone());
        }
    }
    found
}

/// The settings that the programs read: texts in the code that are one whole name. What only tests say is left out, and so
/// is what Kubernetes writes beside our settings.
fn settings_of_the_code(files: &BTreeSet<String>) -> BTreeSet<String> {
    let sources = files.iter().filter(|file| {
        let ours = file.starts_with("agent/src/")
            || file.starts_with("token-server/src/")
            || (file.starts_with("crates/") && file.contains("/src/"));
        ours && file.ends_with(".rs") && !file.contains("tests") && !file.ends_with("/kubernetes.rs")
    });
    let mut found = BTreeSet::new();
    for source in sources {
        let text = read(source);
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let texts = code.split('"').skip(1);
        found.extend(
            texts
                .filter(|text| text.starts_with("JWT_") || text.starts_with("TOKEN_SERVER_"))
                .filter(|text| text.chars().all(is_name) && !text.ends_with('_'))
                .map(str::to_owned),
        );
    }
    found
}

#[test]
fn every_setting_is_in_the_reference_and_every_setting_that_a_document_names_exists() {
    let files = files();
    let code = settings_of_the_code(&files);
    assert!(code.len() > 70, "{code:?}");
    let reference: BTreeSet<String> = read("docs/REFERENCE.md").lines().flat_map(settings_in).collect();
    let untold: Vec<_> = code.difference(&reference).collect();
    assert!(untold.is_empty(), "docs/REFERENCE.md does not name {untold:?}");
    let mut unknown = BTreeSet::new();
    for document in documents(&files) {
        let named: BTreeSet<String> = read(document).lines().flat_map(settings_in).collect();
        let of_kubernetes =
            |name: &String| name.starts_with("JWT_AGENT_SERVICE_") || name == "JWT_AGENT_PORT";
        unknown.extend(
            named
                .difference(&code)
                .filter(|name| !of_kubernetes(name))
                .map(|name| format!("{document}: {name}")),
        );
    }
    assert!(unknown.is_empty(), "no program reads {unknown:#?}");
}
