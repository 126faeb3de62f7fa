//! Settings by name: a TOML file below, environment variables above.
//!
//! Every setting is an environment variable. The same names can stand in a TOML file, either flat
//! (`JWT_LEEWAY = 5`) or as tables whose path is the name (`[TOKEN_SERVER.STORE]`, `PATH = ".."` is
//! `TOKEN_SERVER__STORE__PATH`); letter case does not matter in such names.
//! What has structure, such as `[[issuers]]`, stands in tables of the file alone ([`Settings::tables`]). Nothing is
//! reported until [`Settings::finish`]: an operator sees all faults at once, each with its name and never with its value, which may
//! be a secret.

mod environment;
mod fault;
mod file;
mod given;
mod glance;
mod known;
mod raw;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use config::Value;
use environment::chosen_file;
use fault::Fault;
use value::{Found, found, items, scalars};

pub use environment::{Environment, with_file};
pub use fault::ConfigError;
pub use given::{Given, Reading};
pub use glance::glance;
pub(crate) use raw::Raw;
pub use value::{Scalar, toml_text};

use crate::kubernetes::is_service_link;
use crate::proxy::ProxyVariables;

/// A longer word that is not known is not shown.
const MAX_SHOWN_WORD: usize = 32;

/// What is wrong with a list that names nothing.
const EMPTY_LIST: &str = "is an empty list; name at least one value, or leave it out";

/// The settings of one program while they are read.
#[derive(Clone)]
pub struct Settings {
    /// Where the settings stand, put before the name of each fault.
    place: String,
    found: BTreeMap<String, Found>,
    /// Where each was found; of a field of a table by its whole name.
    given: BTreeMap<String, Given>,
    tables: BTreeMap<String, Vec<BTreeMap<String, Value>>>,
    known_tables: BTreeSet<&'static str>,
    known: BTreeMap<&'static str, Reading>,
    /// Of the tables that were read, as `table.field`.
    known_fields: BTreeMap<String, Reading>,
    faults: Vec<Fault>,
    /// Variables that were left out, since Kubernetes wrote them.
    service_links: Vec<String>,
    proxies: ProxyVariables,
}

impl Settings {
    /// Collects every variable that starts with `prefix`, over the TOML file that `config_variable` names. What
    /// Kubernetes wrote about a Service whose name happens to begin alike is left out.
    ///
    /// # Errors
    ///
    /// The file cannot be read or is not TOML: without it no setting can be trusted.
    pub fn load(
        prefix: &str,
        config_variable: &'static str,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        Self::read(prefix, config_variable, Environment::of(environment))
    }

    /// The same where a command line names the file, or where something else than the process's environment set variables.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load); and where the command line and the variable name two files.
    pub fn read(
        prefix: &str,
        config_variable: &'static str,
        environment: Environment,
    ) -> Result<Self, ConfigError> {
        let Environment { variables: environment, config, set_by } = environment;
        let mut settings = Self::at(String::new(), BTreeMap::new());
        let mut variables = BTreeMap::new();
        let mut proxies = BTreeMap::new();
        for (name, value) in environment {
            let Some(name) = name.to_str() else { continue };
            if ProxyVariables::NAMES.contains(&name) {
                match value.into_string() {
                    Ok(value) => {
                        proxies.insert(name.to_owned(), value);
                    }
                    Err(_) => settings.fault(name, "is not UTF-8"),
                }
                continue;
            }
            if !name.starts_with(prefix) && name != config_variable {
                continue;
            }
            match value.into_string() {
                Ok(value) if is_service_link(name, &value) => settings.service_links.push(name.to_owned()),
                Ok(value) => {
                    variables.insert(name.to_owned(), Found::Text(value));
                }
                Err(_) => settings.fault(name, "is not UTF-8"),
            }
        }
        let named = match variables.remove(config_variable) {
            Some(Found::Text(path)) if !path.trim().is_empty() => Some(path.trim().to_owned()),
            _ => None,
        };
        if let Some((setting, path)) =
            chosen_file(config.as_deref(), named.as_deref().map(Path::new), config_variable)?
        {
            settings.read_file(path, prefix, setting)?;
        }
        for name in variables.keys() {
            let given = set_by.get(name).map_or(Given::Environment, |place| Given::Elsewhere(place.clone()));
            settings.given.insert(name.clone(), given);
        }
        settings.found.extend(variables);
        settings.proxies = ProxyVariables::read(|name| proxies.get(name).cloned());
        Ok(settings)
    }

    /// Where the settings stand, put before their names: empty, or `issuers[0].` and the like.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The variables that were left out, since Kubernetes wrote them about a Service.
    pub fn service_links(&self) -> &[String] {
        &self.service_links
    }

    /// What the environment says of forward proxies, whatever the names of the program's own settings begin with.
    pub fn proxies(&self) -> &ProxyVariables {
        &self.proxies
    }

    /// The value as text; absent when unset, or blank outside of a table: an environment often holds variables that are
    /// set to nothing. A table is written by hand, so that blank is a fault there.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        self.note(name, Reading::One);
        let text = match self.found.get(name)? {
            Found::Text(text) => text.trim().to_owned(),
            Found::Items(_) | Found::Table(_) => {
                self.fault(name, "expected one value, found a list or a table");
                return None;
            }
        };
        if text.is_empty() && !self.place.is_empty() {
            self.fault(name, "is empty; give it a value, or leave it out");
        }
        (!text.is_empty()).then_some(text)
    }

    /// The value as a `T`; what does not parse is a fault that says what was `expected`.
    pub fn parse<T: FromStr>(&mut self, name: &'static str, expected: &str) -> Option<T> {
        let text = self.text(name)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.fault(name, format!("expected {expected}"));
        }
        parsed
    }

    /// One of these words, as what it means; any other is a fault that names them.
    pub fn word<T: Copy>(&mut self, name: &'static str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(name)?;
        let meant = words.iter().find(|(word, _)| *word == text).map(|(_, meant)| *meant);
        if meant.is_none() {
            let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            let expected = match known.split_last() {
                Some((last, [first, more @ ..])) => {
                    format!(
                        "{first}{} or {last}",
                        more.iter().map(|word| format!(", {word}")).collect::<String>()
                    )
                }
                _ => known.concat(),
            };
            self.fault(name, format!("expected {expected}"));
        }
        meant
    }

    /// A switch: `true`, `false`, `1` or `0`.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        self.note(name, Reading::Switch);
        match self.text(name)?.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => {
                self.fault(name, "expected true or false");
                None
            }
        }
    }

    /// A comma-separated list (in the file also an array), blanks trimmed, empty items dropped; absent when unset. A list
    /// without an item is a fault: it could be meant as "none" and would be taken for "any".
    pub fn list(&mut self, name: &'static str) -> Option<Vec<String>> {
        self.note(name, Reading::List);
        let found = match self.found.get(name)? {
            Found::Text(text) => Some(text.split(',').map(str::to_owned).collect()),
            Found::Items(values) => items(values),
            Found::Table(_) => None,
        };
        let Some(found) = found else {
            self.fault(name, "expected a list of single values");
            return None;
        };
        let items: Vec<String> =
            found.iter().map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect();
        if items.is_empty() {
            self.fault(name, EMPTY_LIST);
            return None;
        }
        Some(items)
    }

    /// A list of words that are no secrets, each of which is one of these; the first that is none is named, with the nearest.
    pub fn words<T: FromStr>(
        &mut self,
        name: &'static str,
        kind: &str,
        known: impl IntoIterator<Item = &'static str>,
    ) -> Option<Vec<T>> {
        let items = self.list(name)?;
        let mut words = Vec::with_capacity(items.len());
        for item in &items {
            let Ok(word) = item.parse() else {
                let known: BTreeSet<_> = known.into_iter().collect();
                // What cannot be such a word may be a secret that was pasted here.
                let may_be_one = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
                let is_word = item.len() <= MAX_SHOWN_WORD && item.chars().all(may_be_one);
                let shown = if is_word { item.as_str() } else { "an item" };
                let near = nearest(shown, &known).unwrap_or_default();
                let names: Vec<_> = known.into_iter().collect();
                let what =
                    format!("{shown} is no {kind}; there are {}; did you mean {near}?", names.join(", "));
                self.fault(name, what);
                return None;
            };
            words.push(word);
        }
        Some(words)
    }

    /// Each item of [`list`](Self::list) as a `T`.
    pub fn parse_list<T: FromStr>(&mut self, name: &'static str, expected: &str) -> Option<Vec<T>> {
        let items = self.list(name)?;
        let parsed: Option<Vec<T>> = items.iter().map(|item| item.parse().ok()).collect();
        if parsed.is_none() {
            self.fault(name, format!("expected a comma-separated list of {expected}"));
        }
        parsed
    }

    /// A table of values, each alone or in an array, in the order of their names. Neither the table nor an array in it
    /// may be empty, as in [`list`](Self::list).
    pub fn values(&mut self, name: &'static str) -> Vec<(String, Vec<Scalar>)> {
        self.note(name, Reading::Map);
        let Some(found) = self.found.get(name) else {
            return Vec::new();
        };
        let read: Option<Vec<_>> = match found {
            Found::Table(table) => {
                table.iter().map(|(key, value)| Some((key.clone(), scalars(value)?))).collect()
            }
            Found::Text(_) | Found::Items(_) => None,
        };
        let fault = match &read {
            None => "expected a table of strings, integers, truth values, or arrays of them",
            Some(table) if table.is_empty() => "is an empty table; name at least one value, or leave it out",
            Some(table) if table.iter().any(|(key, _)| key.trim().is_empty()) => "has an empty name",
            Some(table) if table.iter().any(|(_, values)| values.is_empty()) => EMPTY_LIST,
            Some(_) => return read.unwrap_or_default(),
        };
        self.fault(name, fault);
        Vec::new()
    }

    /// The tables `[[name]]` of the file, each to be read and given back to [`adopt`](Self::adopt).
    pub fn tables(&mut self, name: &'static str) -> Vec<Self> {
        self.known_tables.insert(name);
        let tables = self.tables.get(name).cloned().unwrap_or_default();
        tables
            .into_iter()
            .enumerate()
            .map(|(index, table)| {
                let found = table.into_iter().map(|(key, value)| (key, found(value))).collect();
                Self::at(format!("{name}[{index}]."), found)
            })
            .collect()
    }

    /// Whether the file has tables `[[name]]`.
    pub fn has_tables(&self, name: &str) -> bool {
        self.tables.contains_key(name)
    }

    /// Takes the faults of a table that was read, unknown names included.
    pub fn adopt(&mut self, mut table: Self) {
        let name = table.place.split('[').next().unwrap_or_default();
        let fields = table.known.iter().map(|(field, reading)| (format!("{name}.{field}"), *reading));
        self.known_fields.extend(fields);
        if let Err(error) = table.finish() {
            self.faults.extend(error.faults);
        }
    }

    /// Records that a setting is wrong: `what` says why and what to do, without its value.
    pub fn fault(&mut self, name: &str, what: impl Into<String>) {
        let fault = Fault { name: format!("{}{name}", self.place), what: what.into() };
        // A setting that is read twice is wrong once.
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    fn at(place: String, found: BTreeMap<String, Found>) -> Self {
        Self {
            place,
            found,
            given: BTreeMap::new(),
            tables: BTreeMap::new(),
            known_tables: BTreeSet::new(),
            known: BTreeMap::new(),
            known_fields: BTreeMap::new(),
            faults: Vec::new(),
            service_links: Vec::new(),
            proxies: ProxyVariables::default(),
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    ///
    /// All faults, and every name that no setting has, with the nearest that one has.
    pub fn finish(&mut self) -> Result<(), ConfigError> {
        let known: BTreeSet<_> = self.known.keys().copied().collect();
        let unknown: Vec<_> =
            self.found.keys().filter(|name| !known.contains(name.as_str())).cloned().collect();
        for name in unknown {
            let what = match nearest(&name, &known) {
                Some(known) => format!("no such setting; did you mean {known}?"),
                None => "no such setting".to_owned(),
            };
            self.fault(&name, what);
        }
        for name in self.tables.keys().filter(|name| !self.known_tables.contains(name.as_str())) {
            let what = match nearest(name, &self.known_tables) {
                Some(known) => format!("no such table; did you mean [[{known}]]?"),
                None => "no such table".to_owned(),
            };
            self.faults.push(Fault { name: format!("[[{name}]]"), what });
        }
        let faults = std::mem::take(&mut self.faults);
        if faults.is_empty() { Ok(()) } else { Err(ConfigError { faults }) }
    }
}

/// Values may be secrets, and what a debugger shows ends in logs.
impl fmt::Debug for Settings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.found.keys()).entries(self.tables.keys()).finish()
    }
}

fn nearest<'a>(name: &str, known: &BTreeSet<&'a str>) -> Option<&'a str> {
    known.iter().copied().min_by_key(|candidate| strsim::damerau_levenshtein(name, candidate))
}

#[cfg(test)]
mod tests;
