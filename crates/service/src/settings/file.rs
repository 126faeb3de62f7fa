//! The TOML file below the environment: which settings it holds, or where it is faulty.

use std::collections::BTreeMap;
use std::path::Path;

use config::{Config, File, FileFormat, Value};
use toml::de::{DeTable, DeValue};

use super::value::{flatten, tables};
use super::{ConfigError, Given, Settings};

impl Settings {
    pub(super) fn read_file(&mut self, path: &Path, prefix: &str, setting: &str) -> Result<(), ConfigError> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::one(setting, format!("cannot read the file {shown}: {error}")))?;
        // The parser would quote the faulty line, which may hold a secret; this says where it is and what was expected.
        if let Err(error) = toml::from_str::<toml::Table>(&text) {
            let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or_default();
            let line = before.matches('\n').count().saturating_add(1);
            let what = format!("{shown}: line {line}: the file is not TOML: {}", error.message());
            return Err(ConfigError::one(setting, what));
        }
        let file = Config::builder()
            .add_source(File::from_str(&text, FileFormat::Toml))
            .build()
            .and_then(Config::try_deserialize::<BTreeMap<String, Value>>)
            .map_err(|_| ConfigError::one(setting, format!("{shown}: the file is not understood")))?;
        for (key, value) in file {
            match tables(value) {
                Ok(tables) => {
                    self.tables.insert(key, tables);
                }
                Err(value) => flatten(&key.to_uppercase(), value, &mut self.found),
            }
        }
        for (name, line) in lines(&text) {
            self.given.insert(name, Given::Line { path: path.to_owned(), line });
        }
        if let Some(stranger) = self.found.keys().find(|name| !name.starts_with(prefix)) {
            let what = format!("no such setting in the file {shown}; names start with {prefix}");
            return Err(ConfigError::one(stranger.clone(), what));
        }
        Ok(())
    }
}

/// The line of each setting, by the name that it has here; of a field of an array of tables by its place, `issuers[0].name`.
fn lines(text: &str) -> BTreeMap<String, usize> {
    let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
    let mut lines = BTreeMap::new();
    if let Ok(table) = DeTable::parse(text) {
        walk(table.get_ref(), "", &|at| ends.partition_point(|end| *end < at).saturating_add(1), &mut lines);
    }
    lines
}

fn walk(table: &DeTable<'_>, path: &str, line: &dyn Fn(usize) -> usize, lines: &mut BTreeMap<String, usize>) {
    for (key, value) in table {
        let name = format!("{path}{}", key.get_ref().to_uppercase());
        let at = line(key.span().start);
        match value.get_ref() {
            DeValue::Table(table) => walk(table, &format!("{name}__"), line, lines),
            DeValue::Array(items) if path.is_empty() => {
                let tables = items.iter().enumerate().filter_map(|(index, item)| match item.get_ref() {
                    DeValue::Table(table) => Some((index, table)),
                    _ => None,
                });
                for (index, table) in tables {
                    let fields = table.keys().map(|field| {
                        (format!("{}[{index}].{}", key.get_ref(), field.get_ref()), line(field.span().start))
                    });
                    lines.extend(fields);
                }
                lines.insert(name, at);
            }
            _ => {
                lines.insert(name, at);
            }
        }
    }
}
