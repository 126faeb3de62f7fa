//! `token-server undo ID`

use axum::http::StatusCode;
use clap::Args;
use serde_json::{Map, Value, json};
use service::exit;

use super::Desk;
use super::why::Why;
use crate::cli::ask::{self, Answer};
use crate::cli::error::CliError;
use crate::cli::outcome::Outcome;
use crate::cli::output::Output;
use crate::cli::percent::percent_encoded;
use crate::cli::words;

/// A change that shall not have been.
#[derive(Debug, Args)]
pub(crate) struct Undo {
    /// The id of the change, as history tells it
    id: String,
    #[command(flatten)]
    why: Why,
    /// Yes, also where the rule was changed again since
    #[arg(long, alias = "confirm")]
    yes: bool,
}

impl Undo {
    pub(super) async fn run(&self, desk: &Desk<'_>) -> Result<Outcome, CliError> {
        let path = format!("/v1/audit/{}/undo", percent_encoded(&self.id));
        let undone = match desk.admin.post(&path, self.document(self.yes)).await {
            Err(CliError::Refused { status: StatusCode::CONFLICT, error, .. }) if !self.yes => {
                if ask::unless_said(false, error, "--yes")? == Answer::No {
                    return Ok(Outcome::No);
                }
                desk.admin.post(&path, self.document(true)).await?
            }
            Err(error @ CliError::Refused { status: StatusCode::NOT_FOUND, .. }) => {
                exit::say("token-server", &words::shown(&error.to_string()));
                return Ok(Outcome::No);
            }
            done => done?,
        };
        let entry = undone.get("entry").filter(|entry| !entry.is_null());
        Output::new(desk.target.json).answer(&undone, |_| match entry {
            Some(entry) => super::history::in_words(entry, crate::cli::time()),
            None => "nothing was changed; the rule stands as it stood before that change".to_owned(),
        })?;
        Ok(if entry.is_some() { Outcome::Done } else { Outcome::No })
    }

    fn document(&self, confirm: bool) -> String {
        let mut members = Map::from_iter([("confirm".to_owned(), json!(confirm))]);
        members.extend(self.why.members());
        Value::Object(members).to_string()
    }
}
