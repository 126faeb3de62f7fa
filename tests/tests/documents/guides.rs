//! The documents for people in trouble and for those who copy: each word of the programs has an entry, each recipe a section.

use std::collections::BTreeMap;

use jose::{Reason, Reject};
use service::readiness::Cause;

use super::{files, read};

/// The rows of the tables below a heading, without its sub-headings' names, by their first cell, which is one word of code.
fn entries(text: &str, heading: &str) -> BTreeMap<String, Vec<String>> {
    let level = heading.chars().take_while(|letter| *letter == '#').count();
    let below = text.lines().skip_while(|line| *line != heading).skip(1);
    let section = below.take_while(|line| {
        let depth = line.chars().take_while(|letter| *letter == '#').count();
        depth == 0 || depth > level
    });
    let mut found = BTreeMap::new();
    for line in section.filter(|line| line.starts_with("| `")) {
        let mut cells = line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned());
        let word = cells.next().unwrap().trim_matches('`').to_owned();
        let rest: Vec<String> = cells.collect();
        assert!(rest.len() == 3 && rest.iter().all(|cell| !cell.is_empty()), "{line}");
        assert!(found.insert(word, rest).is_none(), "two entries: {line}");
    }
    found
}

/// What the shipped files answer.
fn status(reject: Reject) -> &'static str {
    if reject == Reject::McpHeader {
        // haproxy-mcp.cfg, the only one with calls: the request is malformed, whatever its token is.
        return "400";
    }
    match reject.reason() {
        Reason::Ok => "200",
        Reason::Invalid
        | Reason::Legacy
        | Reason::AccessTokenRequired
        | Reason::AudienceMismatch
        | Reason::StepUp
        | Reason::TooLarge => "401",
        Reason::Forbidden => "403",
        Reason::BackendUnavailable => "503",
    }
}

#[test]
fn every_word_for_a_refusal_has_one_entry_with_its_status() {
    let entries = entries(&read("docs/TROUBLESHOOTING.md"), "## The words of `detail`");
    let told: BTreeMap<&str, &str> =
        entries.iter().map(|(word, cells)| (word.as_str(), cells[0].as_str())).collect();
    let wanted = Reject::ALL.iter().map(|reject| (reject.detail(), status(*reject))).collect();
    assert_eq!(told, wanted);
    let variables = read("docs/VARIABLES.md");
    let unnamed: Vec<_> =
        Reject::ALL.iter().filter(|reject| !variables.contains(&format!("`{}`", reject.detail()))).collect();
    assert!(unnamed.is_empty(), "docs/VARIABLES.md does not name {unnamed:?}");
}

#[test]
fn every_cause_of_not_being_ready_has_one_entry() {
    let entries = entries(&read("docs/TROUBLESHOOTING.md"), "## What `/ready` says");
    let told: Vec<&str> = entries.keys().map(String::as_str).collect();
    let wanted: Vec<&str> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
    assert_eq!(told, wanted);
}

/// The lines of code of a section, without what they are indented by.
fn code(section: &str) -> Vec<&str> {
    section.lines().filter_map(|line| line.strip_prefix("    ")).map(str::trim).collect()
}

#[test]
fn every_recipe_has_a_section_and_the_lines_shown_there_are_its_own() {
    let text = read("docs/RECIPES.md");
    let sections: Vec<&str> = text.split("\n## ").skip(1).collect();
    let mut shown = 0;
    for file in files().iter().filter(|file| file.starts_with("haproxy/recipes/") && file.ends_with(".cfg")) {
        let link = format!("\n[{file}](../{file}).");
        let of_it: Vec<_> = sections.iter().filter(|section| section.contains(&link)).collect();
        assert_eq!(of_it.len(), 1, "docs/RECIPES.md has one section of {file}");
        let recipe = read(file);
        for line in code(of_it[0]) {
            assert!(recipe.lines().any(|own| own.trim() == line), "{file} has no line {line:?}");
            shown += 1;
        }
    }
    assert!(sections.len() > 9 && shown > 10, "{} sections, {shown} lines", sections.len());
    for section in sections {
        assert!(section.contains("](../haproxy/recipes/"), "no recipe: {section}");
    }
}

#[test]
fn the_guide_for_an_upgrade_has_a_section_for_each_area_of_what_breaks() {
    // The newest table of both.
    let changelog = read("CHANGELOG.md");
    let newest = changelog.split("\n### Breaking\n").nth(1).unwrap().split("\n### ").next().unwrap();
    let areas: Vec<&str> = newest
        .lines()
        .filter_map(|line| line.strip_prefix("| **")?.split_once("**").map(|(area, _)| area))
        .collect();
    assert!(!areas.is_empty(), "rows of what breaks stand below the area that they belong to");
    let guide = read("docs/UPGRADING.md");
    let newest = guide.split("\n## From ").nth(1).unwrap();
    let sections: Vec<&str> = newest.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert_eq!(sections, areas);
}

/// `1.2.3 (2026-11-27)`.
fn version(heading: &str) -> Option<(Vec<u32>, &str)> {
    let (numbers, date) = heading.split_once(" (")?;
    let date = date.strip_suffix(')')?;
    let digits = date.split('-').map(|part| part.chars().filter(char::is_ascii_digit).count());
    let numbers: Option<Vec<u32>> = numbers.split('.').map(|number| number.parse().ok()).collect();
    (digits.eq([4, 2, 2]) && date.len() == 10).then_some((numbers?, date))
}

#[test]
fn the_changelog_has_what_is_not_released_first_and_then_versions_with_their_dates() {
    let changelog = read("CHANGELOG.md");
    let mut sections = changelog.lines().filter_map(|line| line.strip_prefix("## "));
    assert_eq!(sections.next(), Some("Unreleased"));
    let versions: Vec<_> = sections
        .map(|heading| version(heading).unwrap_or_else(|| panic!("no version: {heading:?}")))
        .collect();
    let is_newest_first = |pair: &[(Vec<u32>, &str)]| pair[0].0 > pair[1].0 && pair[0].1 >= pair[1].1;
    assert!(versions.windows(2).all(is_newest_first), "{versions:?}");
    if let Some((newest, _)) = versions.first() {
        let numbers: Vec<String> = newest.iter().map(u32::to_string).collect();
        let workspace = format!("version = \"{}\"", numbers.join("."));
        assert!(
            read("Cargo.toml").lines().any(|line| line == workspace),
            "Cargo.toml has no line {workspace}"
        );
    }
    for (text, is_version) in [
        ("0.2.0 (2026-11-27)", true),
        ("0.2.0", false),
        ("0.2 beta (2026-11-27)", false),
        ("0.2.0 (27.11.2026)", false),
    ] {
        assert_eq!(version(text).is_some(), is_version, "{text}");
    }
}

/// Every word counts, those of code and of links' addresses too.
const WORDS_OF_THE_README: usize = 600;

#[test]
fn the_readme_is_short_has_a_picture_and_leads_on() {
    let text = read("README.md");
    let words = text.split_whitespace().count();
    assert!(words <= WORDS_OF_THE_README, "README.md has {words} words");
    assert!(text.contains("](docs/overview.svg)") && read("docs/overview.svg").contains("<title"));
    for needed in
        ["make run", "make test", "JWT_OIDC_ISSUERS=", "](docs/REFERENCE.md)", "](docs/TROUBLESHOOTING.md)"]
    {
        assert!(text.contains(needed), "README.md does not say {needed:?}");
    }
    // The commands are those that a test runs from there.
    let commands: Vec<&str> =
        code(&text).into_iter().filter(|line| line.contains("/etc/haproxy/jwt")).collect();
    assert_eq!(commands.len(), 2, "{commands:?}");
    let explained = read("haproxy/README.md");
    for command in commands {
        assert!(explained.contains(command), "haproxy/README.md does not have {command:?}");
    }
    // A document that no other leads to is not found.
    for document in files().iter().filter(|file| file.starts_with("docs/") && file.ends_with(".md")) {
        assert!(text.contains(&format!("]({document}")), "README.md does not lead to {document}");
    }
}
