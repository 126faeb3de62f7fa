//! `token-server audit ..`

use clap::Subcommand;
use serde_json::Value;

use super::admin::{Admin, Missing};
use super::error::CliError;
use super::outcome::Outcome;
use super::output;
use super::pages::rows_of;
use super::percent::percent_encoded;
use super::target::Target;
use crate::config::Config;

/// What can be done with the audit trail.
#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Write the whole audit trail to standard output, one JSON object a line, the newest first
    Export,
}

pub(super) async fn run(command: Audit, target: &Target, config: Config) -> Result<Outcome, CliError> {
    let Audit::Export = command;
    let admin = Admin::open(target, config, Missing::Refuse).await?;
    let mut cursor = String::new();
    loop {
        let page = admin.get(&format!("/v1/audit?limit=1000{cursor}")).await?;
        for entry in rows_of(&page, "entries") {
            output::line(entry.clone())?;
        }
        match page.get("next").and_then(Value::as_str) {
            Some(next) => cursor = format!("&cursor={}", percent_encoded(next)),
            None => return Ok(Outcome::Done),
        }
    }
}
