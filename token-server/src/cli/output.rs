//! Answers on standard output: for people, or as JSON.

use std::fmt;
use std::io::{self, Write};

use serde_json::Value;

use super::error::CliError;
use super::words::{end, shown, shown_lines};

/// How answers look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    People,
    Json,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        if json { Self::Json } else { Self::People }
    }

    /// Prints an answer: as it is, or as `for_people` puts it.
    pub(super) fn answer(
        self,
        value: &Value,
        for_people: impl FnOnce(&Value) -> String,
    ) -> Result<(), CliError> {
        match self {
            // Whatever a text has in it, the terminal does nothing but show it.
            Self::People => line(shown_lines(&for_people(value))),
            Self::Json => line(value),
        }
    }
}

/// One line, or as many as the text has.
pub(super) fn line(text: impl fmt::Display) -> Result<(), CliError> {
    match writeln!(io::stdout().lock(), "{text}") {
        // The reader has seen enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(CliError::Output),
    }
}

/// A rule of a list on one line: mode, end, text, and who wrote it and why.
pub(super) fn rule(rule: &Value) -> String {
    let text = |name: &str| rule.get(name).and_then(Value::as_str);
    let end = end(rule.get("expireAt").and_then(Value::as_i64));
    let condition = match rule.get("rule") {
        Some(condition) => condition.to_string(),
        None => shown(text("text").unwrap_or_default()),
    };
    let mut line = format!("{}  {end}  {condition}", text("mode").unwrap_or_default());
    if let Some(hits) = rule.get("hits") {
        line += &format!("  would have hit {hits}");
    }
    for (label, name) in [("not understood: ", "error"), ("by ", "by"), ("", "note")] {
        if let Some(found) = text(name) {
            line += &format!("  ({label}{})", shown(found));
        }
    }
    line
}

/// The rules that a written one replaced, each on a line of its own.
pub(super) fn replaced(answer: &Value) -> String {
    let replaced = answer.get("replaced").and_then(Value::as_array).into_iter().flatten();
    replaced.map(|old| format!("\nreplaced: {}", rule(old))).collect()
}

/// The warnings of an answer, each on a line of its own.
pub(super) fn warnings(answer: &Value) -> String {
    let warnings = answer.get("warnings").and_then(Value::as_array).into_iter().flatten();
    warnings.filter_map(Value::as_str).map(|warning| format!("\nwarning: {warning}")).collect()
}
