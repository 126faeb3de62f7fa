//! How the URLs of one issuer are fetched, as an operator writes it: fields of its table, or flat settings.

use std::path::PathBuf;

use crate::settings::Settings;

/// The names of the settings, as a table or a program's environment has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchNames {
    /// URLs of keys.
    pub keys_url: &'static str,
    /// Certificates that vouch for the URLs.
    pub ca_file: &'static str,
}

impl FetchNames {
    /// The fields of `[[issuers]]`.
    pub const TABLE: Self = Self { keys_url: "keys_url", ca_file: "ca_file" };
}

/// How the URLs of one issuer are fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// Certificates that vouch for the URLs, beside the system's.
    pub ca_file: Option<PathBuf>,
    /// The setting that names this file, or would.
    pub ca_setting: String,
    /// What stands before the names: empty, or the table.
    pub place: String,
    /// The names.
    pub names: FetchNames,
}

impl Default for Fetch {
    fn default() -> Self {
        Self::at(String::new(), FetchNames::TABLE)
    }
}

impl Fetch {
    fn at(place: String, names: FetchNames) -> Self {
        Self { ca_file: None, ca_setting: format!("{place}{}", names.ca_file), place, names }
    }

    /// Reads the settings of these names.
    pub fn read(settings: &mut Settings, names: FetchNames) -> Self {
        let mut fetch = Self::at(settings.place().to_owned(), names);
        fetch.ca_file = settings.text(names.ca_file).map(PathBuf::from);
        fetch
    }

    /// Reads the fields of one issuer's table. What it does not say of certificates, `flat` does.
    pub(super) fn of_table(table: &mut Settings, flat: &Self) -> Self {
        let mut fetch = Self::read(table, FetchNames::TABLE);
        if fetch.ca_file.is_none() && flat.ca_file.is_some() {
            (fetch.ca_file, fetch.ca_setting) = (flat.ca_file.clone(), flat.ca_setting.clone());
        }
        fetch
    }

    /// The setting of that name, with the table it stands in.
    pub fn setting(&self, name: impl FnOnce(&FetchNames) -> &'static str) -> String {
        format!("{}{}", self.place, name(&self.names))
    }
}
