//! Settings as they were found, for what shows them. Values may be secrets: only a description knows which.

use config::{Value, ValueKind};
use serde_json::{Map, json};

use super::value::{Found, found};
use super::{Given, Settings};

/// A value as it was found.
pub(crate) enum Raw {
    /// As a text, a number or a truth value, without blanks around it.
    Text(String),
    /// As an array.
    Items(Vec<String>),
    /// As a table.
    Map(Map<String, serde_json::Value>),
}

/// One field of a table: name, value, place.
pub(crate) type RawField = (String, Raw, Option<Given>);

impl Settings {
    /// A setting, and where it was found; absent where it counts as unset.
    pub(crate) fn raw(&self, name: &str) -> Option<(Raw, Option<Given>)> {
        let raw = raw(self.found.get(name)?);
        let is_blank = matches!(&raw, Raw::Text(text) if text.is_empty());
        (!is_blank).then(|| (raw, self.given.get(name).cloned()))
    }

    /// The tables `[[name]]`: what stands before the names of their fields in faults, and the fields.
    pub(crate) fn raw_tables(&self, name: &str) -> Vec<(String, Vec<RawField>)> {
        let tables = self.tables.get(name).into_iter().flatten().enumerate();
        let table = |(index, table): (usize, &std::collections::BTreeMap<String, Value>)| {
            let place = format!("{name}[{index}].");
            let fields = table.iter().map(|(field, value)| {
                let given = self.given.get(&format!("{place}{field}")).cloned();
                (field.clone(), raw(&found(value.clone())), given)
            });
            let fields = fields.collect();
            (place, fields)
        };
        tables.map(table).collect()
    }
}

fn raw(found: &Found) -> Raw {
    match found {
        Found::Text(text) => Raw::Text(text.trim().to_owned()),
        Found::Items(items) => Raw::Items(items.iter().map(ToString::to_string).collect()),
        Found::Table(table) => {
            Raw::Map(table.iter().map(|(name, value)| (name.clone(), as_json(value))).collect())
        }
    }
}

fn as_json(value: &Value) -> serde_json::Value {
    match &value.kind {
        ValueKind::Boolean(truth) => json!(truth),
        ValueKind::I64(number) => json!(number),
        ValueKind::Array(items) => items.iter().map(as_json).collect(),
        _ => json!(value.to_string()),
    }
}
