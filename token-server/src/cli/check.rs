//! `token-server --check`: the settings were read; what remains is what key sources give now.

use super::output::line;
use super::{CliError, Outcome};
use crate::config::Config;

pub(super) async fn run(config: Config) -> Result<Outcome, CliError> {
    let keys = config.keys;
    let keys::Report { lines, faults } = keys::report(&keys.sources, &keys.configured.rules).await;
    if !faults.is_empty() {
        return Err(CliError::Sources(faults));
    }
    let lines = lines.iter().map(String::as_str);
    for text in lines.chain(["configuration and keys are good"]) {
        line(text)?;
    }
    Ok(Outcome::Done)
}
