//! The values in use and where each comes from: what `--print-config` prints.
//!
//! A secret is shown as its fingerprint, so that two machines can be compared; the value of a faulty setting is not shown
//! at all, since it may be a secret in the wrong place.

use std::collections::BTreeSet;
use std::io;

use aws_lc_rs::digest::{SHA256, digest};
use clap::ValueEnum;
use serde_json::{Map, Value, json};

use super::command::write_out;
use super::{Kind, Program, Setting, Shown};
use crate::settings::{Given, Raw, Settings, toml_text};
use crate::shown;

/// How far the origins stand from the edge, where a line is not longer.
const COLUMN: usize = 56;
/// How many bytes of the digest are shown.
const FINGERPRINT_BYTES: usize = 4;

/// How `--print-config` prints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A file of settings, with comments.
    #[default]
    Toml,
    /// One JSON object.
    Json,
}

/// All settings of a program as they are.
pub struct InUse {
    program: &'static str,
    version: &'static str,
    settings: Vec<Entry>,
    tables: Vec<(String, Vec<Entry>)>,
    proxies: Vec<(&'static str, String)>,
}

struct Entry {
    name: String,
    value: Shape,
    given: Option<Given>,
}

/// What can be shown.
enum Shape {
    Unset,
    Faulty,
    /// In TOML and as JSON.
    Whole(String, Value),
    /// What is left of it without secrets, and the fingerprint of all.
    Secret(Option<Value>, String),
}

impl InUse {
    /// What these settings say, of which the named ones are faulty.
    pub fn new(
        program: &Program,
        version: &'static str,
        settings: &Settings,
        faulty: &BTreeSet<String>,
    ) -> Self {
        let flat = program.settings().map(|setting| {
            let given = settings.raw(setting.name);
            let value = match &given {
                Some(_) if faulty.contains(setting.name) => Shape::Faulty,
                Some((raw, _)) => setting.shape(raw),
                None => match setting.default.value(&|name| in_use(program, settings, name)) {
                    Some(value) => setting.shape(&Raw::Text(value)),
                    None => Shape::Unset,
                },
            };
            Entry { name: setting.name.to_owned(), value, given: given.and_then(|(_, given)| given) }
        });
        let settings_in_use = flat.collect();
        let tables = program.tables.iter().flat_map(|table| {
            settings.raw_tables(table.name).into_iter().map(move |(place, fields)| {
                let entries = fields.into_iter().map(|(name, raw, given)| {
                    let whole = format!("{place}{name}");
                    let field = table.fields.iter().find(|field| field.name == name);
                    let value = match field {
                        Some(field) if !faulty.contains(&whole) => field.shape(&raw),
                        _ => Shape::Faulty,
                    };
                    Entry { name, value, given }
                });
                (table.name.to_owned(), entries.collect())
            })
        });
        let tables = tables.collect();
        let proxies = settings
            .proxies()
            .each()
            .map(|variable| (variable.name, without_secrets(variable.value.expose())));
        Self { program: program.name, version, settings: settings_in_use, tables, proxies: proxies.collect() }
    }

    /// Prints them on standard output.
    ///
    /// # Errors
    ///
    /// The output cannot be written.
    pub fn print(&self, format: Format) -> io::Result<()> {
        let text = match format {
            Format::Toml => self.toml(),
            Format::Json => format!("{:#}", self.json()),
        };
        write_out(format!("{text}\n").as_bytes())
    }

    /// As a file of settings, with comments. What is not given, and what cannot be shown, is a comment too.
    pub fn toml(&self) -> String {
        let mut text = format!(
            "# {} {}: the values in use, and where each comes from. Secrets are shown as fingerprints.\n",
            self.program, self.version
        );
        self.settings.iter().for_each(|entry| text += &entry.line());
        for (name, value) in &self.proxies {
            text += &aligned(&format!("#{name} = {}", toml_text(value)), "environment");
        }
        for (name, entries) in &self.tables {
            text += &format!("\n[[{name}]]\n");
            entries.iter().for_each(|entry| text += &entry.line());
        }
        text.trim_end().to_owned()
    }

    /// As one JSON object.
    pub fn json(&self) -> Value {
        let object = |entries: &[Entry]| -> Map<String, Value> {
            entries.iter().map(|entry| (entry.name.clone(), entry.json())).collect()
        };
        let mut tables: Map<String, Value> = Map::new();
        for (name, entries) in &self.tables {
            let one = Value::Object(object(entries));
            match tables.get_mut(name).and_then(Value::as_array_mut) {
                Some(list) => list.push(one),
                None => _ = tables.insert(name.clone(), json!([one])),
            }
        }
        let proxies: Map<_, _> =
            self.proxies.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        json!({
            "program": self.program, "version": self.version, "settings": object(&self.settings),
            "tables": tables, "proxies": proxies,
        })
    }
}

/// What a setting is: as it was given, or its default.
fn in_use(program: &Program, settings: &Settings, name: &str) -> Option<String> {
    match settings.raw(name) {
        Some((Raw::Text(text), _)) => Some(text),
        Some((Raw::Items(items), _)) => Some(items.join(",")),
        Some((Raw::Map(_), _)) => None,
        None => program.setting(name)?.default.value(&|name| in_use(program, settings, name)),
    }
}

impl Setting {
    fn shape(&self, raw: &Raw) -> Shape {
        let (toml, whole) = match raw {
            Raw::Text(text) => (self.kind.toml(text), self.kind.json(text)),
            Raw::Items(items) => {
                let quoted: Vec<_> = items.iter().map(|item| toml_text(item)).collect();
                (format!("[{}]", quoted.join(", ")), json!(items))
            }
            Raw::Map(pairs) => {
                let members = pairs.iter().map(|(name, value)| format!("{} = {value}", toml_text(name)));
                (format!("{{ {} }}", members.collect::<Vec<_>>().join(", ")), Value::Object(pairs.clone()))
            }
        };
        match (self.shown, raw) {
            (Shown::Never, _) => Shape::Secret(None, fingerprint(&toml)),
            (Shown::WithoutSecrets, Raw::Text(text)) => {
                let items: Vec<_> = text.split(',').map(str::trim).collect();
                let left: Vec<_> = items.iter().map(|item| without_secrets(item)).collect();
                if left == items {
                    return Shape::Whole(toml, whole);
                }
                Shape::Secret(Some(self.kind.json(&left.join(","))), fingerprint(text))
            }
            (Shown::WithoutSecrets, Raw::Items(items)) => {
                let left: Vec<_> = items.iter().map(|item| without_secrets(item)).collect();
                if left == *items {
                    return Shape::Whole(toml, whole);
                }
                Shape::Secret(Some(json!(left)), fingerprint(&items.join(",")))
            }
            (Shown::WithoutSecrets, Raw::Map(_)) => Shape::Secret(None, fingerprint(&toml)),
            (Shown::Whole, _) => Shape::Whole(toml, whole),
        }
    }
}

impl Kind {
    /// A value that is written as in a variable, as JSON.
    fn json(&self, value: &str) -> Value {
        match self {
            Self::List(_) => json!(value.split(',').map(str::trim).collect::<Vec<_>>()),
            Self::Number { .. } => value.parse::<u64>().map_or_else(|_| json!(value), |number| json!(number)),
            Self::Switch => match value.to_ascii_lowercase().as_str() {
                "true" | "1" => json!(true),
                "false" | "0" => json!(false),
                _ => json!(value),
            },
            Self::Text(_) | Self::Word(_) | Self::Map(_) => json!(value),
        }
    }
}

impl Entry {
    fn origin(&self) -> String {
        match (&self.given, &self.value) {
            (Some(given), _) => given.to_string(),
            (None, Shape::Unset) => "not set".to_owned(),
            (None, _) => "default".to_owned(),
        }
    }

    fn line(&self) -> String {
        let Self { name, value, .. } = self;
        let line = match value {
            Shape::Unset => format!("#{name} ="),
            Shape::Faulty => {
                return aligned(&format!("#{name} ="), &format!("{}; faulty, not shown", self.origin()));
            }
            Shape::Whole(toml, _) if self.given.is_some() => format!("{name} = {toml}"),
            Shape::Whole(toml, _) => format!("#{name} = {toml}"),
            Shape::Secret(None, fingerprint) => format!("#{name} = ({fingerprint})"),
            Shape::Secret(Some(left), fingerprint) => format!("#{name} = {left} ({fingerprint})"),
        };
        aligned(&line, &self.origin())
    }

    fn json(&self) -> Value {
        let mut object = match &self.value {
            Shape::Unset => json!({"value": null}),
            Shape::Faulty => json!({"faulty": true}),
            Shape::Whole(_, value) => json!({"value": value}),
            Shape::Secret(None, fingerprint) => json!({"fingerprint": fingerprint}),
            Shape::Secret(Some(left), fingerprint) => {
                json!({"without_secrets": left, "fingerprint": fingerprint})
            }
        };
        if let Some(object) = object.as_object_mut() {
            object.insert("from".to_owned(), json!(self.origin()));
        }
        object
    }
}

fn aligned(line: &str, origin: &str) -> String {
    format!("{line:COLUMN$} # {origin}\n")
}

/// A URL as logs show it; of a text that a lenient reader may take for one what stands behind user and password.
fn without_secrets(text: &str) -> String {
    if text.contains("://") {
        return shown::url(text);
    }
    let host = text.rsplit('@').next().unwrap_or_default();
    host.split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// Enough to tell two values apart.
fn fingerprint(text: &str) -> String {
    let digest = digest(&SHA256, text.as_bytes());
    let bytes = digest.as_ref().iter().take(FINGERPRINT_BYTES);
    bytes.fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}
