//! Where a setting was found, and how it was read.

use std::fmt;
use std::path::PathBuf;

/// Where a setting was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// In the process's environment.
    Environment,
    /// In the file of settings.
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// Where the text says.
    Elsewhere(String),
}

impl fmt::Display for Given {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => out.write_str("environment"),
            Self::Line { path, line } => write!(out, "{}:{line}", path.display()),
            Self::Elsewhere(place) => out.write_str(place),
        }
    }
}

/// How a program reads a setting, from the least that it can do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reading {
    /// Whether it is set.
    Asked,
    /// As one value.
    One,
    /// As a switch.
    Switch,
    /// As a list.
    List,
    /// As a table.
    Map,
}
