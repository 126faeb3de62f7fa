//! What the settings of a program are: one description, of which the list, the reference, the schema, the sample, the
//! manual page and `--print-config` are made.
//!
//! A program writes its [`Program`] beside the code that reads the settings, and tests hold the two against each other. Texts
//! are Markdown of one line; links in them start from the folder `docs/`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

mod command;
mod default;
mod in_use;
mod listing;
mod pages;
mod plain;
mod reference;
mod sample;
mod schema;

pub use command::Describe;
pub use default::{Default, LookUp};
pub use in_use::{Format, InUse};
pub use plain::plain;

use crate::settings::Reading;

/// All settings of one program.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// One line about it.
    pub about: &'static str,
    /// What the names of its variables begin with.
    pub prefix: &'static str,
    /// The variable that names the file of settings.
    pub config: &'static str,
    /// The settings, as an operator looks for them.
    pub groups: Vec<Group>,
    /// The tables that stand in the file alone.
    pub tables: Vec<Table>,
}

/// Settings that belong together.
#[derive(Debug, Clone)]
pub struct Group {
    /// What they are about.
    pub title: &'static str,
    /// In the order in which they are told.
    pub settings: Vec<Setting>,
}

/// Tables `[[name]]` of the file.
#[derive(Debug, Clone)]
pub struct Table {
    /// The name.
    pub name: &'static str,
    /// What one of them is.
    pub meaning: Cow<'static, str>,
    /// What stands in it.
    pub fields: Vec<Setting>,
}

/// One setting, or one field of a table.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Its name as a variable and in the file.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// What it is where it is not given.
    pub default: Default,
    /// What it does.
    pub meaning: Cow<'static, str>,
    /// What SIGHUP does with it.
    pub reload: Reload,
    /// What may be shown of its value.
    pub shown: Shown,
    /// A value that could be given, other than the default; a list has commas, a map is written as in TOML.
    pub example: Cow<'static, str>,
}

/// What a value may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A text of this form.
    Text(&'static str),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number.
    Number {
        /// What it counts.
        unit: &'static str,
        /// The least.
        least: u64,
        /// The most.
        most: u64,
    },
    /// `true` or `false`.
    Switch,
    /// Texts of this form; in a variable with commas between them, in the file also an array.
    List(&'static str),
    /// A table of names with values of this form, in the file alone.
    Map(&'static str),
}

/// What SIGHUP does with a setting that has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// It is taken over.
    TakenOver,
    /// It is taken over, but not in the case that is named.
    TakenOverUnless(&'static str),
    /// The whole reload is refused.
    NeedsRestart,
}

/// What may be shown of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// All of it.
    Whole,
    /// A URL, or a list of them: no user, password, query and fragment.
    WithoutSecrets,
    /// Nothing but its fingerprint.
    Never,
}

impl Program {
    /// All settings, without the fields of tables.
    pub fn settings(&self) -> impl Iterator<Item = &Setting> {
        self.groups.iter().flat_map(|group| &group.settings)
    }

    /// The setting of that name.
    pub fn setting(&self, name: &str) -> Option<&Setting> {
        self.settings().find(|setting| setting.name == name)
    }

    /// What SIGHUP does with a setting, or with a table that is named as `[[name]]`; absent: there is none.
    pub fn reload(&self, name: &str) -> Option<Reload> {
        match name.strip_prefix("[[").and_then(|name| name.strip_suffix("]]")) {
            // They say whom we trust, as the settings do that are taken over.
            Some(name) => self.tables.iter().any(|table| table.name == name).then_some(Reload::TakenOver),
            None => self.setting(name).map(|setting| setting.reload),
        }
    }
}

impl Program {
    /// Where the description is not what the code does: a name that one of them lacks, or a value that is read otherwise than it is
    /// described. `readings` are those of [`Settings::readings`](crate::settings::Settings::readings), of a
    /// configuration with one table of each kind.
    pub fn differences(&self, readings: &BTreeMap<String, Reading>) -> Vec<String> {
        let fields = self.tables.iter().flat_map(|table| {
            table.fields.iter().map(move |field| (format!("{}.{}", table.name, field.name), &field.kind))
        });
        let flat = self.settings().map(|setting| (setting.name.to_owned(), &setting.kind));
        let described: Vec<(String, &Kind)> = flat.chain(fields).collect();
        let names: BTreeSet<&str> = described.iter().map(|(name, _)| name.as_str()).collect();
        let mut differences: Vec<String> = described
            .iter()
            .filter_map(|(name, kind)| match readings.get(name) {
                None => Some(format!("{name} is described, and not read")),
                Some(Reading::Asked) => None,
                Some(reading) if *reading == kind.reading() => None,
                Some(reading) => Some(format!("{name} is described as {kind:?} and read as {reading:?}")),
            })
            .collect();
        if names.len() < described.len() {
            differences.push("a name is described twice".to_owned());
        }
        let untold = readings.keys().filter(|name| !names.contains(name.as_str()));
        differences.extend(untold.map(|name| format!("{name} is read, and not described")));
        differences
    }
}

impl Setting {
    /// A setting that may be shown, has no default, and is taken over by SIGHUP.
    pub fn new(
        name: &'static str,
        kind: Kind,
        example: impl Into<Cow<'static, str>>,
        meaning: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            name,
            kind,
            default: Default::unset(""),
            meaning: meaning.into(),
            reload: Reload::TakenOver,
            shown: Shown::Whole,
            example: example.into(),
        }
    }

    /// The same with a default.
    #[must_use]
    pub fn or(self, default: impl Into<Default>) -> Self {
        Self { default: default.into(), ..self }
    }

    /// The same for a URL, or a list of URLs.
    #[must_use]
    pub fn without_secrets(self) -> Self {
        Self { shown: Shown::WithoutSecrets, ..self }
    }

    /// The same for a secret.
    #[must_use]
    pub fn secret(self) -> Self {
        Self { shown: Shown::Never, ..self }
    }

    /// The same for what only a restart can change.
    #[must_use]
    pub fn restart(self) -> Self {
        Self { reload: Reload::NeedsRestart, ..self }
    }

    /// The same for what only a restart can change in that case.
    #[must_use]
    pub fn restart_if(self, case: &'static str) -> Self {
        Self { reload: Reload::TakenOverUnless(case), ..self }
    }
}

impl Kind {
    /// How a program reads such a value.
    pub const fn reading(&self) -> Reading {
        match self {
            Self::Text(_) | Self::Word(_) | Self::Number { .. } => Reading::One,
            Self::Switch => Reading::Switch,
            Self::List(_) => Reading::List,
            Self::Map(_) => Reading::Map,
        }
    }

    /// The type and the form, in words.
    pub fn in_words(&self) -> String {
        match self {
            Self::Text(form) => (*form).to_owned(),
            Self::Word(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
            Self::Number { unit, least, most: u64::MAX } => format!("{unit}, {least} or more"),
            Self::Number { unit, least, most } => format!("{unit}, {least} to {most}"),
            Self::Switch => "`true` or `false`".to_owned(),
            Self::List(form) => format!("list of {form}"),
            Self::Map(form) => format!("table of {form}"),
        }
    }
}

impl Reload {
    /// Whether a reload takes a change over where none of the cases is at hand.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::TakenOver => "yes",
            Self::TakenOverUnless(case) => case,
            Self::NeedsRestart => "restart",
        }
    }
}

#[cfg(test)]
mod tests;
