//! The TOML file below the environment: which settings it holds, or where it is faulty.

use std::collections::BTreeMap;

use config::{Config, File, FileFormat, Value};

use super::value::{flatten, tables};
use super::{ConfigError, Settings};

impl Settings {
    pub(super) fn read_file(
        &mut self,
        path: &str,
        prefix: &str,
        config_variable: &str,
    ) -> Result<(), ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            ConfigError::one(config_variable, format!("cannot read the file {path}: {error}"))
        })?;
        // The parser would quote the faulty line, which may hold a secret; this says where it is and what was expected.
        if let Err(error) = toml::from_str::<toml::Table>(&text) {
            let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or_default();
            let line = before.matches('\n').count().saturating_add(1);
            let what = format!("{path}: line {line}: the file is not TOML: {}", error.message());
            return Err(ConfigError::one(config_variable, what));
        }
        let file = Config::builder()
            .add_source(File::from_str(&text, FileFormat::Toml))
            .build()
            .and_then(Config::try_deserialize::<BTreeMap<String, Value>>)
            .map_err(|_| ConfigError::one(config_variable, format!("{path}: the file is not understood")))?;
        for (key, value) in file {
            match tables(value) {
                Ok(tables) => {
                    self.tables.insert(key, tables);
                }
                Err(value) => flatten(&key.to_uppercase(), value, &mut self.found),
            }
        }
        if let Some(stranger) = self.found.keys().find(|name| !name.starts_with(prefix)) {
            let what = format!("no such setting in the file {path}; names start with {prefix}");
            return Err(ConfigError::one(stranger.clone(), what));
        }
        Ok(())
    }
}
