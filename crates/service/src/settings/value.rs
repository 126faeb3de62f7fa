//! Values of a TOML file: how they are told apart before a setting asks for them.

use std::collections::BTreeMap;

use config::{Value, ValueKind};

/// A setting as it was found: text, the items of a TOML array, or a table within a table.
#[derive(Clone, PartialEq)]
pub(super) enum Found {
    Text(String),
    Items(Vec<Value>),
    Table(BTreeMap<String, Value>),
}

/// A single value of a TOML table, with its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scalar {
    /// A string.
    Text(String),
    /// An integer.
    Int(i64),
    /// A truth value.
    Bool(bool),
}

/// The tables of an array of tables, or the value if it is something else.
pub(super) fn tables(value: Value) -> Result<Vec<BTreeMap<String, Value>>, Value> {
    let ValueKind::Array(items) = &value.kind else {
        return Err(value);
    };
    let tables = items.iter().map(|item| match &item.kind {
        ValueKind::Table(table) => Some(table.clone().into_iter().collect()),
        _ => None,
    });
    match tables.collect::<Option<Vec<_>>>() {
        Some(tables) if !tables.is_empty() => Ok(tables),
        Some(_) | None => Err(value),
    }
}

/// Nested tables become one name, their keys joined by two underscores.
pub(super) fn flatten(name: &str, value: Value, settings: &mut BTreeMap<String, Found>) {
    match found(value) {
        Found::Table(table) => {
            for (key, value) in table {
                flatten(&format!("{name}__{}", key.to_uppercase()), value, settings);
            }
        }
        setting @ (Found::Text(_) | Found::Items(_)) => {
            settings.insert(name.to_owned(), setting);
        }
    }
}

pub(super) fn found(value: Value) -> Found {
    match value.kind {
        ValueKind::Table(table) => Found::Table(table.into_iter().collect()),
        ValueKind::Array(items) => Found::Items(items),
        scalar => Found::Text(scalar.to_string()),
    }
}

pub(super) fn scalars(value: &Value) -> Option<Vec<Scalar>> {
    match &value.kind {
        ValueKind::Array(items) => items.iter().map(scalar).collect(),
        _ => Some(vec![scalar(value)?]),
    }
}

fn scalar(value: &Value) -> Option<Scalar> {
    match &value.kind {
        ValueKind::String(text) => Some(Scalar::Text(text.clone())),
        ValueKind::I64(number) => Some(Scalar::Int(*number)),
        ValueKind::Boolean(truth) => Some(Scalar::Bool(*truth)),
        _ => None,
    }
}

/// The items of a list as texts; `None` if one of them is no single value.
pub(super) fn items(values: &[Value]) -> Option<Vec<String>> {
    let item = |value: &Value| match &value.kind {
        ValueKind::Array(_) | ValueKind::Table(_) | ValueKind::Nil => None,
        _ => Some(value.to_string()),
    };
    values.iter().map(item).collect()
}

/// A text as a basic string of TOML.
pub fn toml_text(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len().saturating_add(2));
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => quoted += &format!("\\u{:04X}", u32::from(letter)),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}
