//! What is wrong with settings: by name, and never with a value.

use std::fmt;

/// One thing that is wrong with one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub(super) name: String,
    pub(super) what: String,
}

/// Everything that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    pub(super) faults: Vec<Fault>,
}

impl ConfigError {
    /// One fault found outside of [`Settings`].
    pub fn one(name: impl Into<String>, what: impl Into<String>) -> Self {
        let fault = Fault { name: name.into(), what: what.into() };
        Self { faults: vec![fault] }
    }

    /// The names of what is wrong.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.faults.iter().map(|fault| fault.name.as_str())
    }

    /// How many settings are wrong.
    pub fn len(&self) -> usize {
        self.faults.len()
    }

    /// Never true for an error that [`Settings::finish`] returned.
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            write!(out, "{newline}{}: {}", fault.name, fault.what)?;
        }
        Ok(())
    }
}
