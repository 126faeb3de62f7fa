//! `.if` blocks: what is on cannot be known here, so that a configuration is read once for each way in which they may stand.

use std::collections::BTreeSet;

use crate::haproxy::config::Version;

/// More conditions of other kinds than this stand all or not at all.
const MAX_FREE_CONDITIONS: usize = 4;

/// The oldest HAProxy that our lines work with.
const OLDEST: Version = Version(2, 6);

/// One way in which the conditions may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    version: Version,
    /// Conditions that are not about the version, and are true.
    holding: BTreeSet<String>,
}

/// What a condition says.
enum Condition<'a> {
    Constant(bool),
    AtLeast(Version),
    Before(Version),
    Other(&'a str),
}

fn read(text: &str) -> (bool, Condition<'_>) {
    let text = text.trim();
    let (is_negated, text) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest.trim()));
    let version = |name: &str| -> Option<Version> {
        let inside = text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')')?;
        Version::read(inside.trim_matches(['"', '\'']))
    };
    let condition = match text {
        "0" | "false" => Condition::Constant(false),
        "1" | "true" => Condition::Constant(true),
        other => match (version("version_atleast"), version("version_before")) {
            (Some(version), _) => Condition::AtLeast(version),
            (None, Some(version)) => Condition::Before(version),
            (None, None) => Condition::Other(other),
        },
    };
    (is_negated, condition)
}

impl World {
    /// Every way that these conditions tell apart.
    pub fn all<'a>(conditions: impl Iterator<Item = &'a str>) -> Vec<Self> {
        let mut versions = BTreeSet::from([OLDEST]);
        let mut others: BTreeSet<&str> = BTreeSet::new();
        for condition in conditions {
            match read(condition).1 {
                Condition::Constant(_) => {}
                // Older ones are not in use with our lines.
                Condition::AtLeast(version) | Condition::Before(version) => {
                    versions.insert(version.max(OLDEST));
                }
                Condition::Other(text) => {
                    others.insert(text);
                }
            }
        }
        let mut choices = vec![BTreeSet::new()];
        if others.len() > MAX_FREE_CONDITIONS {
            choices.push(others.iter().map(|text| (*text).to_owned()).collect());
        } else {
            for text in &others {
                let with: Vec<BTreeSet<String>> = choices
                    .iter()
                    .map(|holding| holding.iter().cloned().chain([(*text).to_owned()]).collect())
                    .collect();
                choices.extend(with);
            }
        }
        let of = |version: &Version| {
            let version = *version;
            choices.iter().map(move |holding| Self { version, holding: holding.clone() }).collect::<Vec<_>>()
        };
        versions.iter().flat_map(of).collect()
    }

    fn holds(&self, text: &str) -> bool {
        let (is_negated, condition) = read(text);
        let is_true = match condition {
            Condition::Constant(value) => value,
            Condition::AtLeast(version) => self.version >= version,
            Condition::Before(version) => self.version < version,
            Condition::Other(text) => self.holding.contains(text),
        };
        is_true != is_negated
    }
}

/// The blocks that are open at a line.
#[derive(Debug, Default)]
pub struct Blocks(Vec<Block>);

#[derive(Debug)]
struct Block {
    is_on: bool,
    /// One of its branches was on.
    is_done: bool,
}

impl Blocks {
    /// Whether the line itself counts in this world. A line that opens or closes a block never does.
    pub fn take(&mut self, line: &str, world: &World) -> bool {
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match word {
            ".if" => {
                let is_on = world.holds(rest);
                self.0.push(Block { is_on, is_done: is_on });
            }
            ".elif" => {
                if let Some(block) = self.0.last_mut() {
                    block.is_on = !block.is_done && world.holds(rest);
                    block.is_done |= block.is_on;
                }
            }
            ".else" => {
                if let Some(block) = self.0.last_mut() {
                    block.is_on = !block.is_done;
                    block.is_done = true;
                }
            }
            ".endif" => {
                self.0.pop();
            }
            ".notice" | ".warning" | ".alert" | ".diag" => {}
            _ => return self.0.iter().all(|block| block.is_on),
        }
        false
    }
}

/// What `.if` and `.elif` ask for in a text.
pub fn conditions(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let line = line.trim();
        line.strip_prefix(".if ").or_else(|| line.strip_prefix(".elif "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<Vec<&str>> {
        World::all(conditions(text))
            .iter()
            .map(|world| {
                let mut blocks = Blocks::default();
                text.lines().filter(|line| blocks.take(line, world)).collect()
            })
            .collect()
    }

    #[test]
    fn each_branch_is_on_in_one_world() {
        let text = ".if version_atleast(3.1)\nspop\n.else\ntcp\n.endif\nboth";
        assert_eq!(lines(text), [["tcp", "both"], ["spop", "both"]]);
        let text = ".if defined(X)\na\n.elif version_before(3.0)\nb\n.else\nc\n.endif";
        assert_eq!(lines(text), [["b"], ["a"], ["c"], ["a"]]);
        let text = ".if !1\na\n.else\nb\n.if version_atleast(2.0)\nc\n.endif\n.endif";
        assert_eq!(lines(text), [["b", "c"]]);
    }
}
