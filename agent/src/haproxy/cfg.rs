//! Reads what concerns us out of a haproxy.cfg: the environment it sets for its programs, the variables it uses, the
//! policies that its rules name, and the layouts of verdicts that they take.
//!
//! A `program` section inherits what `setenv` and `presetenv` set in `global` (HAProxy configuration manual, sections
//! 2.3 and 3.1). HAProxy 3.3 has no `program` any more; with `--haproxy-cfg` the same lines go on to work. This is no
//! HAProxy parser: only these keywords are read, with the manual's quoting (section 2.2).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use service::settings::Environment;

pub use layouts::TakenLayout;
pub(in crate::haproxy) use layouts::of_sample as layout_of;
pub use policies::NamedPolicy;
use policies::Policies;
use words::{Piece, plain, split_words};

mod layouts;
mod policies;
pub(in crate::haproxy) mod words;

/// Whose environment we speak for.
const OURS: &str = "JWT_";
/// How a variable of ours is written in rules and logs.
const VARIABLE: &str = "txn.tkn.";
/// What the error says of a line whose effect depends on a condition.
const CONDITIONAL: &str =
    "a setting of ours under .if, and which branch is on cannot be known here; move it out of the condition";
/// How the variables are called that HAProxy sets before it reads the file.
const HAPROXYS_OWN: &str = "HAPROXY_";

/// What one haproxy.cfg says.
#[derive(Debug, Clone)]
pub struct HaproxyCfg {
    path: PathBuf,
    assignments: Vec<Assignment>,
    variables: BTreeSet<String>,
    policies: Policies,
    layouts: Vec<TakenLayout>,
}

/// A line that changes the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Assignment {
    line: usize,
    change: Change,
    /// What stands behind the keyword; absent where a foreign line cannot be read.
    words: Option<Vec<Vec<Piece>>>,
    /// The name as it is written, for a foreign line that cannot be read.
    raw_name: String,
    conditional: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Set,
    Preset,
    Unset,
    Reset,
}

/// Why a line cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct CfgError {
    line: usize,
    what: &'static str,
}

impl HaproxyCfg {
    /// Reads the text of a haproxy.cfg.
    ///
    /// # Errors
    ///
    /// A line of ours whose quotes do not close, that does not have a name and a value, whose name begins like ours and is
    /// none, or that stands under `.if`. Foreign lines are HAProxy's to judge.
    pub fn parse(text: &str) -> Result<Self, CfgError> {
        let mut assignments = Vec::new();
        let mut policies = Policies::default();
        let mut layouts = Vec::new();
        let mut depth = 0_usize;
        for (index, line) in text.lines().enumerate() {
            let fault = |what| CfgError { line: index + 1, what };
            let words = split_words(line);
            let first = match words.as_deref() {
                Ok([first, ..]) => plain(first),
                Ok([]) => None,
                Err(_) => line.split_whitespace().next(),
            };
            let change = match first.unwrap_or_default() {
                ".if" => {
                    depth = depth.saturating_add(1);
                    continue;
                }
                ".endif" => {
                    depth = depth.saturating_sub(1);
                    continue;
                }
                "setenv" => Change::Set,
                "presetenv" => Change::Preset,
                "unsetenv" => Change::Unset,
                "resetenv" => Change::Reset,
                _ => {
                    let words = words.as_deref().unwrap_or_default();
                    policies.read(index + 1, words);
                    layouts.extend(layouts::read(index + 1, words));
                    continue;
                }
            };
            let raw_name = line.split_whitespace().nth(1).unwrap_or_default().to_owned();
            let words = match words {
                Ok(words) => Some(words.into_iter().skip(1).collect::<Vec<_>>()),
                Err(what) if line.contains(OURS) => return Err(fault(what)),
                Err(_) => None,
            };
            let is_ours =
                |word: &Vec<Piece>| matches!(word.first(), Some(Piece::Text(text)) if text.starts_with(OURS));
            let named = words.as_deref().unwrap_or_default();
            let named = if matches!(change, Change::Set | Change::Preset) {
                named.get(..1).unwrap_or(named)
            } else {
                named
            };
            for word in named.iter().filter(|word| is_ours(word)) {
                let name = plain(word).ok_or_else(|| fault("expected a plain name"))?;
                // Names are quoted in messages; what is none may hold a value, as in `setenv "JWT_A=secret" x`.
                if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                    return Err(fault("expected a name of letters, digits and _"));
                }
                let values = words.as_deref().map_or(0, <[_]>::len);
                if matches!(change, Change::Set | Change::Preset) && values != 2 {
                    return Err(fault("expected a name and one value"));
                }
            }
            // What `resetenv` keeps is named, what it takes away is not.
            if depth > 0 && (change == Change::Reset || named.iter().any(is_ours)) {
                return Err(fault(CONDITIONAL));
            }
            assignments.push(Assignment { line: index + 1, change, words, raw_name, conditional: depth > 0 });
        }
        Ok(Self {
            path: PathBuf::from("haproxy.cfg"),
            assignments,
            variables: variables_in(text),
            policies,
            layouts,
        })
    }

    /// The same, read from this file.
    #[must_use]
    pub fn at(self, path: &Path) -> Self {
        Self { path: path.to_owned(), ..self }
    }

    /// The environment that the lines of a file make which can be read, whatever stands in the others.
    pub fn apply_readable(text: &str, environment: &[(OsString, OsString)]) -> Vec<(OsString, OsString)> {
        let mut lines: Vec<_> = text.lines().collect();
        // Each turn leaves out one line more.
        for _ in 0..=lines.len() {
            let read = Self::parse(&lines.join("\n"));
            match read.and_then(|cfg| cfg.apply(environment.to_vec())) {
                Ok(environment) => return environment,
                Err(CfgError { line, .. }) => match lines.get_mut(line.saturating_sub(1)) {
                    Some(line) => *line = "",
                    None => break,
                },
            }
        }
        environment.to_vec()
    }

    /// The names behind `txn.tkn.` that the file mentions.
    pub fn variables(&self) -> BTreeSet<String> {
        self.variables.clone()
    }

    /// The policies that its rules name.
    pub const fn policies(&self) -> &BTreeSet<NamedPolicy> {
        self.policies.named()
    }

    /// The layouts of verdicts that its rules look for.
    pub fn layouts(&self) -> &[TakenLayout] {
        &self.layouts
    }

    /// The environment that a `program` section would see: `setenv` replaces, `presetenv` only fills, `unsetenv` and
    /// `resetenv` take away.
    ///
    /// # Errors
    ///
    /// A setting of ours uses a variable whose value cannot be known here.
    pub fn apply(
        &self,
        environment: Vec<(OsString, OsString)>,
    ) -> Result<Vec<(OsString, OsString)>, CfgError> {
        Ok(self.apply_to(environment)?.variables)
    }

    /// The same, with the line that set each variable.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply).
    pub fn apply_to(&self, environment: Vec<(OsString, OsString)>) -> Result<Environment, CfgError> {
        let mut lines: BTreeMap<OsString, usize> = BTreeMap::new();
        let mut merged: BTreeMap<OsString, OsString> = environment.into_iter().collect();
        // Set under a condition, or by a line that cannot be read.
        let mut unknown: BTreeSet<OsString> = BTreeSet::new();
        for assignment in &self.assignments {
            let fault = |what| CfgError { line: assignment.line, what };
            let Some(words) = &assignment.words else {
                unknown.insert(assignment.raw_name.clone().into());
                continue;
            };
            let expanded: Vec<_> = words.iter().map(|word| expand(word, &merged, &unknown)).collect();
            let mut expanded = expanded.into_iter();
            match assignment.change {
                Change::Set | Change::Preset => {
                    let (Some(name), Some(value), None) = (expanded.next(), expanded.next(), expanded.next())
                    else {
                        continue;
                    };
                    let name = name.ok_or_else(|| fault("a name that is made of a variable under .if"))?;
                    let is_ours = name.to_string_lossy().starts_with(OURS);
                    if is_ours && value.as_ref().is_some_and(|value| value.is_empty()) {
                        return Err(fault(
                            "an empty value, with which HAProxy does not start; drop the line, or write unsetenv",
                        ));
                    }
                    if assignment.change == Change::Preset
                        && merged.contains_key(&name)
                        && !unknown.contains(&name)
                    {
                        continue;
                    }
                    if is_ours && assignment.conditional {
                        return Err(fault(CONDITIONAL));
                    }
                    match value {
                        Some(value) if !assignment.conditional => {
                            // Where a preset meets a name that may be set, the value stays unknown.
                            if assignment.change == Change::Set {
                                unknown.remove(&name);
                            }
                            lines.insert(name.clone(), assignment.line);
                            merged.insert(name, value);
                        }
                        None if is_ours => {
                            return Err(fault(
                                "uses a variable that is set under .if, by a line that cannot be read, or by HAProxy itself; write its value here",
                            ));
                        }
                        Some(_) | None => {
                            unknown.insert(name);
                        }
                    }
                }
                Change::Unset => {
                    for name in expanded {
                        let name =
                            name.ok_or_else(|| fault("a name that is made of a variable under .if"))?;
                        if assignment.conditional {
                            if name.to_string_lossy().starts_with(OURS) {
                                return Err(fault(CONDITIONAL));
                            }
                            unknown.insert(name);
                        } else {
                            unknown.remove(&name);
                            merged.remove(&name);
                        }
                    }
                }
                Change::Reset => {
                    let kept: Option<BTreeSet<OsString>> = expanded.collect();
                    let kept = kept.ok_or_else(|| fault("a name that is made of a variable under .if"))?;
                    merged.retain(|name, _| kept.contains(name));
                    unknown.retain(|name| kept.contains(name));
                }
            }
        }
        merged.retain(|name, _| name.to_string_lossy().starts_with(OURS));
        // What a line set and another took away again is not asked for.
        let set_by = lines.into_iter().map(|(name, line)| {
            (name.to_string_lossy().into_owned(), format!("--haproxy-cfg {}:{line}", self.path.display()))
        });
        Ok(Environment { variables: merged.into_iter().collect(), config: None, set_by: set_by.collect() })
    }
}

/// A word with its variables put in; absent where one of them cannot be known.
fn expand(
    word: &[Piece],
    environment: &BTreeMap<OsString, OsString>,
    unknown: &BTreeSet<OsString>,
) -> Option<OsString> {
    let mut value = OsString::new();
    for piece in word {
        match piece {
            Piece::Text(text) => value.push(text),
            Piece::Variable(name, _) if unknown.contains(&OsString::from(name)) => return None,
            Piece::Variable(name, default) => match environment.get(&OsString::from(name)) {
                Some(found) => value.push(found),
                None if name.starts_with(HAPROXYS_OWN) => return None,
                None => value.push(default),
            },
        }
    }
    Some(value)
}

fn variables_in(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| line.split(VARIABLE).skip(1))
        .map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.');
            rest.get(..end.unwrap_or(rest.len())).unwrap_or_default().trim_end_matches('.').to_owned()
        })
        .filter(|name| !name.is_empty())
        .collect()
}

#[cfg(test)]
mod tests;
