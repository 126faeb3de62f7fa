//! A configuration as HAProxy has it in one world: `global`, and proxies with the lines of their `defaults` before their own.

use std::collections::BTreeMap;

use super::finding::Place;
use super::worlds::{Blocks, World};
use crate::haproxy::cfg::words::{Piece, split_words};

/// A file, with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// As it is told.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// A line of words, quotes and variables resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub place: Place,
    pub words: Vec<String>,
}

impl Line {
    /// The word at a position, or nothing.
    pub fn word(&self, index: usize) -> &str {
        self.words.get(index).map_or("", String::as_str)
    }

    /// The words behind a position.
    pub fn from(&self, index: usize) -> &[String] {
        self.words.get(index..).unwrap_or_default()
    }

    /// Whether it begins with these words.
    pub fn begins(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(index, word)| self.word(index) == *word)
    }

    /// All of it, with single spaces.
    pub fn text(&self) -> String {
        self.words.join(" ")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Frontend,
    Backend,
    Listen,
}

/// A frontend, a backend, or both in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    pub kind: Kind,
    pub name: String,
    pub head: Place,
    pub lines: Vec<Line>,
}

impl Proxy {
    /// The lines that begin with these words.
    pub fn with<'a>(&'a self, words: &'a [&'a str]) -> impl Iterator<Item = &'a Line> {
        self.lines.iter().filter(move |line| line.begins(words))
    }

    pub fn takes_clients(&self) -> bool {
        self.kind != Kind::Backend
    }

    pub fn has_servers(&self) -> bool {
        self.kind != Kind::Frontend
    }

    /// The backends that it leads to, with the line for each; nothing, where one is chosen while a request runs.
    pub fn targets(&self) -> Option<Vec<(&str, &Line)>> {
        let lines =
            self.lines.iter().filter(|line| ["use_backend", "default_backend"].contains(&line.word(0)));
        lines.map(|line| (!line.word(1).contains("%[")).then_some((line.word(1), line))).collect()
    }

    /// The addresses of its servers.
    pub fn servers(&self) -> impl Iterator<Item = (&str, &Line)> {
        let lines = self.lines.iter().filter(|line| ["server", "server-template"].contains(&line.word(0)));
        lines.map(|line| {
            let address = if line.word(0) == "server" { line.word(2) } else { line.word(3) };
            (address, line)
        })
    }
}

/// The whole, in one world.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    pub global: Vec<Line>,
    pub proxies: Vec<Proxy>,
    /// What `setenv` and `presetenv` make.
    pub environment: BTreeMap<String, String>,
}

/// What begins a section that is none of ours.
const OTHER_SECTIONS: [&str; 15] = [
    "peers",
    "resolvers",
    "mailers",
    "userlist",
    "cache",
    "program",
    "ring",
    "http-errors",
    "log-forward",
    "fcgi-app",
    "crt-store",
    "traces",
    "acme",
    "log-profile",
    "namespace_list",
];

enum Open {
    Nothing,
    Global,
    Defaults,
    Proxy,
}

impl Config {
    /// Reads files as one configuration.
    pub fn read(texts: &[Text], world: &World) -> Self {
        let mut config = Self::default();
        let mut defaults: Vec<(String, Vec<Line>)> = Vec::new();
        let mut open = Open::Nothing;
        for (file, text) in texts.iter().enumerate() {
            let mut blocks = Blocks::default();
            for (index, raw) in text.text.lines().enumerate() {
                if !blocks.take(raw, world) {
                    continue;
                }
                let words = words(raw, &config.environment);
                let place = Place { file, line: index.saturating_add(1) };
                let line = Line { place, words };
                match line.word(0) {
                    "" => {}
                    "global" => open = Open::Global,
                    "defaults" => {
                        let parent = from_of(&line, &defaults).map(|(_, lines)| lines.clone());
                        defaults.push((line.word(1).to_owned(), parent.unwrap_or_default()));
                        open = Open::Defaults;
                    }
                    kind @ ("frontend" | "backend" | "listen") => {
                        let kind = match kind {
                            "frontend" => Kind::Frontend,
                            "backend" => Kind::Backend,
                            _ => Kind::Listen,
                        };
                        let inherited = from_of(&line, &defaults).or(defaults.last());
                        config.proxies.push(Proxy {
                            kind,
                            name: line.word(1).to_owned(),
                            head: place,
                            lines: inherited.map(|(_, lines)| lines.clone()).unwrap_or_default(),
                        });
                        open = Open::Proxy;
                    }
                    other if OTHER_SECTIONS.contains(&other) => open = Open::Nothing,
                    _ => match open {
                        Open::Nothing => {}
                        Open::Global => config.take_global(line),
                        Open::Defaults => {
                            if let Some((_, lines)) = defaults.last_mut() {
                                lines.push(line);
                            }
                        }
                        Open::Proxy => {
                            if let Some(proxy) = config.proxies.last_mut() {
                                proxy.lines.push(line);
                            }
                        }
                    },
                }
            }
        }
        config
    }

    fn take_global(&mut self, line: Line) {
        let (name, value) = (line.word(1), line.word(2));
        match line.word(0) {
            "setenv" => {
                self.environment.insert(name.to_owned(), value.to_owned());
            }
            "presetenv" => {
                self.environment.entry(name.to_owned()).or_insert_with(|| value.to_owned());
            }
            "unsetenv" => self.environment.retain(|known, _| !line.words.contains(known)),
            _ => {}
        }
        self.global.push(line);
    }

    pub fn proxy(&self, name: &str) -> Option<&Proxy> {
        self.proxies.iter().find(|proxy| proxy.name == name && proxy.has_servers())
    }
}

/// The `defaults` that a head names behind `from`.
fn from_of<'a>(head: &Line, defaults: &'a [(String, Vec<Line>)]) -> Option<&'a (String, Vec<Line>)> {
    let position = head.words.iter().position(|word| word == "from")?;
    let name = head.word(position.saturating_add(1));
    defaults.iter().find(|(known, _)| known == name)
}

/// The words of a line. What cannot be read as HAProxy does, it refuses to start with.
pub fn words(raw: &str, environment: &BTreeMap<String, String>) -> Vec<String> {
    let Ok(words) = split_words(raw) else {
        return raw.split_whitespace().map(str::to_owned).collect();
    };
    let resolved = |pieces: Vec<Piece>| {
        let text = |piece| match piece {
            Piece::Text(text) => text,
            Piece::Variable(name, default) => match environment.get(&name) {
                Some(value) => value.clone(),
                None if default.is_empty() => format!("${{{name}}}"),
                None => default,
            },
        };
        pieces.into_iter().map(text).collect::<String>()
    };
    words.into_iter().map(resolved).collect()
}
