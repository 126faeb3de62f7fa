//! Reads what concerns us out of a haproxy.cfg: the environment it sets for its programs, and the variables it uses.
//!
//! A `program` section inherits what `setenv` and `presetenv` set in `global` (HAProxy configuration manual, sections
//! 2.3 and 3.1). HAProxy 3.3 has no `program` any more; with `--haproxy-cfg` the same lines go on to work. This is no
//! HAProxy parser: only these keywords are read, with the manual's quoting (section 2.2).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

/// Whose environment we speak for.
const OURS: &str = "JWT_";
/// How a variable of ours is written in rules and logs.
const VARIABLE: &str = "txn.tkn.";

/// What one haproxy.cfg says.
#[derive(Debug, Clone)]
pub struct HaproxyCfg {
    assignments: Vec<Assignment>,
    variables: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Assignment {
    overrides: bool,
    name: String,
    value: Vec<Piece>,
}

/// A part of a word: text, or a variable that HAProxy would have put in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(String),
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
    /// A `setenv` or `presetenv` line whose quotes do not close, or that does not have a name and a value, or whose name begins
    /// like ours and is none.
    pub fn parse(text: &str) -> Result<Self, CfgError> {
        let mut assignments = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let keyword = line.split_whitespace().next().unwrap_or_default();
            let overrides = match keyword {
                "setenv" => true,
                "presetenv" => false,
                _ => continue,
            };
            let fault = |what| CfgError { line: index + 1, what };
            let words = split_words(line).map_err(fault)?;
            let mut words = words.into_iter().skip(1);
            let (Some(name), Some(value), None) = (words.next(), words.next(), words.next()) else {
                return Err(fault("expected a name and one value"));
            };
            let [Piece::Text(name)] = name.as_slice() else {
                return Err(fault("expected a plain name"));
            };
            // Names are quoted in messages; what is none may hold a value, as in `setenv "JWT_A=secret" x`.
            if name.starts_with(OURS)
                && !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            {
                return Err(fault("expected a name of letters, digits and _"));
            }
            assignments.push(Assignment { overrides, name: name.clone(), value });
        }
        Ok(Self { assignments, variables: variables_in(text) })
    }

    /// The names behind `txn.tkn.` that the file mentions.
    pub fn variables(&self) -> BTreeSet<String> {
        self.variables.clone()
    }

    /// The environment that a `program` section would see: `setenv` replaces, `presetenv` only fills.
    pub fn apply(&self, environment: Vec<(OsString, OsString)>) -> Vec<(OsString, OsString)> {
        let mut merged: BTreeMap<OsString, OsString> = environment.into_iter().collect();
        for assignment in &self.assignments {
            let name = OsString::from(&assignment.name);
            if assignment.overrides || !merged.contains_key(&name) {
                let mut value = OsString::new();
                for piece in &assignment.value {
                    match piece {
                        Piece::Text(text) => value.push(text),
                        Piece::Variable(name) => {
                            value.push(merged.get(&OsString::from(name)).cloned().unwrap_or_default());
                        }
                    }
                }
                merged.insert(name, value);
            }
        }
        merged.into_iter().filter(|(name, _)| name.to_string_lossy().starts_with(OURS)).collect()
    }
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

/// Splits a line into words: blanks separate, `\` takes the next character as it is, `'..'` is literal, `".."` expands
/// `$NAME` and `${NAME}`, `#` outside of quotes ends the line.
fn split_words(line: &str) -> Result<Vec<Vec<Piece>>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' => words.extend(word.take().map(Word::finish)),
            '#' => break,
            '\\' => {
                let next = chars.next().ok_or("ends in a backslash")?;
                word.get_or_insert_default().push(next);
            }
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or("a single quote is not closed")? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or("a double quote is not closed")? {
                        '"' => break,
                        '\\' => word.push(chars.next().ok_or("ends in a backslash")?),
                        '$' => {
                            let braces = chars.next_if_eq(&'{').is_some();
                            let mut name = String::new();
                            while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                                name.push(c);
                            }
                            if braces && chars.next_if_eq(&'}').is_none() {
                                return Err("${NAME} is not closed");
                            }
                            word.variable(name);
                        }
                        c => word.push(c),
                    }
                }
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word.map(Word::finish));
    Ok(words)
}

#[derive(Default)]
struct Word {
    pieces: Vec<Piece>,
    text: String,
}

impl Word {
    fn push(&mut self, c: char) {
        self.text.push(c);
    }

    fn variable(&mut self, name: String) {
        if !self.text.is_empty() {
            self.pieces.push(Piece::Text(std::mem::take(&mut self.text)));
        }
        self.pieces.push(Piece::Variable(name));
    }

    fn finish(mut self) -> Vec<Piece> {
        if !self.text.is_empty() || self.pieces.is_empty() {
            self.pieces.push(Piece::Text(self.text));
        }
        self.pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(cfg: &str, process: &[(&str, &str)]) -> BTreeMap<String, String> {
        let process = process.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
        HaproxyCfg::parse(cfg)
            .unwrap()
            .apply(process)
            .into_iter()
            .map(|(n, v)| (n.into_string().unwrap(), v.into_string().unwrap()))
            .collect()
    }

    #[test]
    fn reads_what_a_program_section_would_inherit() {
        let cfg = r#"
global
    presetenv BASE /etc/keys
    setenv JWT_JWKS_FILE "${BASE}/jwks.json"   # a comment
    setenv JWT_ISSUERS 'https://a.example/$x'
    setenv JWT_SCHEMES JWT,\ Bearer
    presetenv JWT_LEEWAY 5
    presetenv JWT_TIMEOUT_MS 50
    # setenv JWT_PROFILE ms-users
    setenv OTHER 1
"#;
        let found = environment(cfg, &[("BASE", "/srv"), ("JWT_TIMEOUT_MS", "20"), ("JWT_ISSUERS", "old")]);
        let expected = [
            ("JWT_ISSUERS", "https://a.example/$x"),
            ("JWT_JWKS_FILE", "/srv/jwks.json"),
            ("JWT_LEEWAY", "5"),
            ("JWT_SCHEMES", "JWT, Bearer"),
            ("JWT_TIMEOUT_MS", "20"),
        ];
        assert_eq!(found, expected.map(|(n, v)| (n.to_owned(), v.to_owned())).into());
    }

    #[test]
    fn names_the_line_that_it_cannot_read() {
        for (cfg, what) in [
            ("setenv JWT_A \"x", "line 1: a double quote is not closed"),
            ("\nsetenv JWT_A 'x", "line 2: a single quote is not closed"),
            ("setenv JWT_A", "line 1: expected a name and one value"),
            ("setenv JWT_A b c", "line 1: expected a name and one value"),
            ("setenv \"JWT_A=secret\" x", "line 1: expected a name of letters, digits and _"),
            ("setenv JWT_A\\ secret x", "line 1: expected a name of letters, digits and _"),
            ("setenv JWT_A\0secret x", "line 1: expected a name of letters, digits and _"),
            ("setenv \"JWT_A${B}\" x", "line 1: expected a plain name"),
            ("setenv JWT_A \"${B\"", "line 1: ${NAME} is not closed"),
            ("setenv JWT_A x\\", "line 1: ends in a backslash"),
        ] {
            assert_eq!(HaproxyCfg::parse(cfg).unwrap_err().to_string(), what, "{cfg}");
        }
    }

    #[test]
    fn finds_the_variables_that_the_file_uses() {
        let cfg = HaproxyCfg::parse(
            "http-request deny unless { var(txn.tkn.valid) -m bool }\n\
             http-request set-header x-user %[var(txn.tkn.payload.sub)] if { var(txn.tkn.payload.a.b) -m found }\n\
             log-format \"%[var(txn.tkn.reason)]\"\n # var(txn.tkn.body)\n",
        )
        .unwrap();
        let expected = ["payload.a.b", "payload.sub", "reason", "valid"];
        assert_eq!(cfg.variables(), expected.map(str::to_owned).into());
    }
}
