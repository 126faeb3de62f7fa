//! What HAProxy asks an agent: the file that a `filter spoe` line names.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::Place;
use super::sections::{Line, Text, words};

/// What names the variables of our shipped files.
pub const PREFIX: &str = "tkn";

/// One engine of a SPOE file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    pub name: String,
    pub place: Place,
    /// `option var-prefix`.
    pub prefix: Option<String>,
    /// `option set-on-error`, without the prefix.
    pub set_on_error: Option<String>,
    /// Messages that an event sends.
    pub has_event: bool,
    pub timeouts: BTreeMap<String, Line>,
    pub use_backend: Option<String>,
    is_verify: bool,
    /// The messages that it sends, at an event or as a group.
    sent: BTreeSet<String>,
    /// The lines `args`, each with its message.
    args: Vec<(String, Line)>,
    /// The message whose lines are being read.
    message: String,
}

impl Engine {
    /// Whether it asks jwt-agent.
    pub fn is_ours(&self) -> bool {
        self.is_verify
            || self.prefix.as_deref() == Some(PREFIX)
            || self.use_backend.as_deref() == Some("jwt-agents")
    }

    /// What its variables begin with, behind the scope.
    pub fn prefix(&self) -> &str {
        self.prefix.as_deref().unwrap_or(&self.name)
    }

    /// The arguments of the messages that it sends: the line, the name, the sample.
    pub fn arguments(&self) -> impl Iterator<Item = (&Line, &str, &str)> {
        let sent = self.args.iter().filter(|(message, _)| self.sent.contains(message));
        sent.flat_map(|(_, line)| {
            line.from(1).iter().filter_map(move |word| {
                let (name, sample) = word.split_once('=')?;
                Some((line, name, sample))
            })
        })
    }
}

/// Whether a text is a SPOE file.
pub fn is_spoe(text: &str) -> bool {
    text.lines().any(|line| {
        ["spoe-agent", "spoe-message"].contains(&line.split_whitespace().next().unwrap_or_default())
    })
}

/// The engines of a file. Lines before the first `[name]` are of an engine without a name.
pub fn engines(file: usize, text: &Text, environment: &BTreeMap<String, String>) -> Vec<Engine> {
    let mut engines: Vec<Engine> = Vec::new();
    for (index, raw) in text.text.lines().enumerate() {
        let line =
            Line { place: Place { file, line: index.saturating_add(1) }, words: words(raw, environment) };
        if line.word(0).is_empty() {
            continue;
        }
        let scope = line.word(0).strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        if scope.is_some() || engines.is_empty() {
            engines.push(Engine {
                name: scope.unwrap_or_default().to_owned(),
                place: line.place,
                prefix: None,
                set_on_error: None,
                has_event: false,
                timeouts: BTreeMap::new(),
                use_backend: None,
                is_verify: false,
                sent: BTreeSet::new(),
                args: Vec::new(),
                message: String::new(),
            });
        }
        if let Some(engine) = engines.last_mut() {
            engine.take(line);
        }
    }
    engines
}

impl Engine {
    fn take(&mut self, line: Line) {
        let value = |index| Some(line.word(index).to_owned()).filter(|word| !word.is_empty());
        match (line.word(0), line.word(1)) {
            ("option", "var-prefix") => self.prefix = value(2),
            ("option", "set-on-error") => self.set_on_error = value(2),
            ("use-backend", _) => self.use_backend = value(1),
            ("event", _) => self.has_event = true,
            ("spoe-message", name) => {
                self.is_verify |= name == "verify-jwt";
                name.clone_into(&mut self.message);
            }
            ("messages", _) => self.sent.extend(line.from(1).iter().cloned()),
            ("timeout", kind) => {
                self.timeouts.insert(kind.to_owned(), line);
            }
            ("args", _) => self.args.push((self.message.clone(), line)),
            _ => {}
        }
    }
}
