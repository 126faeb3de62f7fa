//! What settings are read from: variables, and the file that a variable or the command line names.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::ConfigError;

/// The option that names the file of settings.
const OPTION: &str = "--config";

/// What settings are read from.
#[derive(Clone, Default)]
pub struct Environment {
    /// The variables.
    pub variables: Vec<(OsString, OsString)>,
    /// The file of settings, if the command line names one.
    pub config: Option<PathBuf>,
    /// The variables that something else than the process's environment set, and what, with its place.
    pub set_by: BTreeMap<String, String>,
}

impl Environment {
    /// Variables alone.
    pub fn of(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self { variables: variables.into_iter().collect(), ..Self::default() }
    }
}

/// The file of settings and what names it. Two that differ are a fault: one of them would be left out, and that is found
/// out late.
pub(super) fn chosen_file<'a>(
    option: Option<&'a Path>,
    named: Option<&'a Path>,
    variable: &'static str,
) -> Result<Option<(&'static str, &'a Path)>, ConfigError> {
    match (option, named) {
        (Some(option), Some(named)) if !are_one(option, named) => {
            let what = format!(
                "names {}, and {variable} names {}; leave one of them out",
                option.display(),
                named.display()
            );
            Err(ConfigError::one(OPTION, what))
        }
        (Some(option), _) => Ok(Some((OPTION, option))),
        (None, Some(named)) => Ok(Some((variable, named))),
        (None, None) => Ok(None),
    }
}

fn are_one(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// The variables with the file that the command line names, for [`super::glance`].
pub fn with_file(
    variables: &[(OsString, OsString)],
    variable: &str,
    config: Option<&Path>,
) -> Vec<(OsString, OsString)> {
    let mut variables = variables.to_vec();
    if let Some(config) = config {
        variables.retain(|(name, _)| name != OsStr::new(variable));
        variables.push((variable.into(), config.into()));
    }
    variables
}
