//! The commands of ours in documents are commands and options that the programs have, as their own `--help` tells.

use std::collections::{BTreeMap, BTreeSet};

use integration_tests::reference::{PROGRAMS, printed};

use super::{documents, files, read};

/// What `--help` of one command tells.
#[derive(Clone)]
struct Help {
    commands: BTreeSet<String>,
    /// Each option, and whether a value follows it.
    options: BTreeMap<String, bool>,
}

/// The help of each command that was looked at.
#[derive(Default)]
struct Programs(BTreeMap<Vec<String>, Help>);

impl Programs {
    fn help(&mut self, path: &[&str]) -> Help {
        let key: Vec<String> = path.iter().map(|word| (*word).to_owned()).collect();
        if let Some(known) = self.0.get(&key) {
            return known.clone();
        }
        let arguments: Vec<&str> = path[1..].iter().copied().chain(["--help"]).collect();
        let text = printed(path[0], &arguments).unwrap();
        let mut help = Help { commands: BTreeSet::new(), options: BTreeMap::new() };
        let mut in_commands = false;
        for line in text.lines() {
            if !line.starts_with(' ') && line.ends_with(':') {
                in_commands = line == "Commands:";
            }
            let mut words = line.split_whitespace();
            let first = words.next().unwrap_or_default();
            if in_commands && line.starts_with("  ") && !line.starts_with("   ") {
                help.commands.insert(first.to_owned());
            }
            let (option, rest) = if first.starts_with('-') && first.ends_with(',') {
                help.options.insert(first.trim_end_matches(',').to_owned(), false);
                (words.next().unwrap_or_default(), words.next())
            } else {
                (first, words.next())
            };
            if option.starts_with("--") && line.starts_with("  ") {
                help.options.insert(option.to_owned(), rest.is_some_and(|word| word.starts_with('<')));
            }
        }
        self.0.insert(key, help.clone());
        help
    }

    /// What is wrong with a command line that begins with one of our programs.
    fn fault(&mut self, line: &str) -> Option<String> {
        let mut path = vec![line.split_whitespace().next()?];
        let mut help = self.help(&path);
        let mut words = line.split_whitespace().skip(1);
        let mut is_command = true;
        while let Some(word) = words.next() {
            // What follows is for the shell, for people, or a value that says nothing of the command.
            if word.starts_with(['#', '>', '<', '(', '&', '…']) || word.starts_with("..") {
                break;
            }
            if let Some(option) = word.strip_prefix("--").filter(|option| !option.is_empty()) {
                let name = format!("--{}", option.split('=').next().unwrap());
                match help.options.get(&name) {
                    None => return Some(format!("{} has no option {name}", path.join(" "))),
                    Some(true) if !option.contains('=') => _ = words.next(),
                    Some(_) => {}
                }
            } else if word.starts_with('-') || !is_command {
                is_command &= word.starts_with('-');
            } else if help.commands.contains(word) {
                path.push(word);
                help = self.help(&path);
            } else if help.commands.is_empty() {
                is_command = false;
            } else {
                return Some(format!("{} has no command {word}", path.join(" ")));
            }
        }
        None
    }
}

/// The command lines of ours in a text: what stands in code and begins with a program, perhaps behind variables.
fn command_lines(text: &str) -> Vec<String> {
    let mut in_fence = false;
    let mut code: Vec<String> = Vec::new();
    let mut continued = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
            continue;
        }
        if !in_fence && !line.starts_with("    ") {
            continued = false;
            code.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
            continue;
        }
        let part = line.trim().trim_end_matches('\\').to_owned();
        match code.last_mut().filter(|_| continued) {
            Some(last) => *last += &format!(" {part}"),
            None => code.push(part),
        }
        continued = line.ends_with('\\');
    }
    code.iter().flat_map(|line| line.split(['|', ';', '&', '$', ')', '('])).filter_map(ours).collect()
}

fn ours(part: &str) -> Option<String> {
    let is_variable = |word: &&str| {
        let name = word.split('=').next().unwrap_or_default();
        word.contains('=')
            && name
                .chars()
                .all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_')
    };
    let words: Vec<&str> =
        part.split_whitespace().skip_while(|word| is_variable(word) || *word == "...").collect();
    let program = words.first()?.rsplit('/').next()?;
    // A name alone, and a path with more behind it than a program, is no command line.
    (PROGRAMS.contains(&program) && words.len() > 1).then(|| format!("{program} {}", words[1..].join(" ")))
}

#[test]
fn every_command_of_ours_in_a_document_exists_with_its_options() {
    let files = files();
    let mut programs = Programs::default();
    let (mut faults, mut seen) = (Vec::new(), 0);
    for document in documents(&files) {
        for line in command_lines(&read(document)) {
            seen += 1;
            faults.extend(programs.fault(&line).map(|fault| format!("{document}: {fault}: {line}")));
        }
    }
    assert!(seen > 40, "{seen}");
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn a_command_or_option_that_does_not_exist_is_found_where_documents_have_them() {
    let mut programs = Programs::default();
    for (text, expected) in [
        ("    jwt-agent --chekc", Some("jwt-agent has no option --chekc")),
        ("    jwt-agent --config x.toml --check", None),
        ("    JWT_CONFIG=x jwt-agent verfiy", Some("jwt-agent has no command verfiy")),
        (
            "```\njwt-agent verify --keys a.json --nope < t\n```",
            Some("jwt-agent verify has no option --nope"),
        ),
        ("try `jwt-agent verify --keys jwks.json < t`", None),
        ("`token-server rules ad x`", Some("token-server rules has no command ad")),
        (
            "    X=1 \\\n    token-server \\\n    rules add --nix",
            Some("token-server rules add has no option --nix"),
        ),
        ("    echo | /usr/bin/token-server --server unix:/s rules list --everybody", None),
        ("`token-server rules add ...`", None),
        ("jwt-agent --chekc in a sentence", None),
        ("`jwt-agent`", None),
    ] {
        let found = command_lines(text).iter().find_map(|line| programs.fault(line));
        assert_eq!(found.as_deref(), expected, "{text}");
    }
}
