//! What a program asks for by name, and what differs between two readings.

use std::collections::{BTreeMap, BTreeSet};

use super::{Reading, Settings};

impl Settings {
    /// The names of what the other has otherwise, or only one of the two; of tables as `[[name]]`.
    pub fn differing(&self, other: &Self) -> Vec<String> {
        let names: BTreeSet<_> = self.found.keys().chain(other.found.keys()).collect();
        let tables: BTreeSet<_> = self.tables.keys().chain(other.tables.keys()).collect();
        let differs = |name: &&String| self.found.get(*name) != other.found.get(*name);
        let table_differs = |name: &&String| self.tables.get(*name) != other.tables.get(*name);
        let names = names.into_iter().filter(differs).cloned();
        names.chain(tables.into_iter().filter(table_differs).map(|name| format!("[[{name}]]"))).collect()
    }

    /// The names of all that was read or asked for, set or not; of tables as `[[name]]`.
    pub fn known(&self) -> Vec<String> {
        let tables = self.known_tables.iter().map(|name| format!("[[{name}]]"));
        self.known.keys().map(|name| (*name).to_owned()).chain(tables).collect()
    }

    /// How each setting was read; of the tables that were read their fields, as `table.field`.
    pub fn readings(&self) -> BTreeMap<String, Reading> {
        let flat = self.known.iter().map(|(name, reading)| ((*name).to_owned(), *reading));
        flat.chain(self.known_fields.clone()).collect()
    }

    pub(super) fn note(&mut self, name: &'static str, reading: Reading) {
        let known = self.known.entry(name).or_insert(reading);
        *known = reading.max(*known);
    }

    /// Whether the setting was given, without judging it.
    pub fn is_set(&mut self, name: &'static str) -> bool {
        self.note(name, Reading::Asked);
        self.found.contains_key(name)
    }

    /// A setting that exists, but not in this build: to set it is a fault.
    pub fn unavailable(&mut self, name: &'static str, why: &str) {
        if self.is_set(name) {
            self.fault(name, format!("is not available in this version: {why}"));
        }
    }
}
