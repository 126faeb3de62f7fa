//! What a support desk does: revoke a user, restore him, see who is revoked and what was done, undo it. Each is a few calls of
//! the admin API, told in words.

mod history;
mod restore;
mod revoke;
mod revoked;
mod subject;
mod undo;
mod why;

use clap::Subcommand;

use super::admin::{Admin, Missing};
use super::error::CliError;
use super::outcome::Outcome;
use super::target::Target;
use super::words::argument;
use crate::config::Config;

/// What can be done about people.
#[derive(Debug, Subcommand)]
pub(super) enum People {
    /// Refuse the tokens that a user has now; new logins are not touched
    Revoke(revoke::Revoke),
    /// Take back what revokes a user; exit with 2 if nothing does
    Restore(restore::Restore),
    /// Who is revoked, since when, until when, by whom and why; rules for everybody first
    Revoked(revoked::Revoked),
    /// What was done, by whom, when and why; the newest first
    History(history::History),
    /// Take back one change of the history: the rule is as it was before
    Undo(undo::Undo),
}

/// What a command speaks with.
struct Desk<'t> {
    admin: Admin,
    target: &'t Target,
}

pub(super) async fn run(command: People, target: &Target, config: Config) -> Result<Outcome, CliError> {
    command.judge()?;
    let desk = Desk { admin: Admin::open(target, config, Missing::Refuse).await?, target };
    match command {
        People::Revoke(revoke) => revoke.run(&desk).await,
        People::Restore(restore) => restore.run(&desk).await,
        People::Revoked(revoked) => revoked.run(&desk).await,
        People::History(history) => history.run(&desk).await,
        People::Undo(undo) => undo.run(&desk).await,
    }
}

impl People {
    /// What can be told wrong before anything is asked.
    fn judge(&self) -> Result<(), CliError> {
        match self {
            Self::Revoke(revoke) => revoke.judge(),
            Self::Restore(restore) => restore.judge(),
            Self::History(history) => history.judge(),
            Self::Revoked(_) | Self::Undo(_) => Ok(()),
        }
    }
}

impl Desk<'_> {
    /// A command of ours that can be typed as it stands: it asks the same server or store.
    fn command(&self, words: &str) -> String {
        format!("token-server {words}{}", self.target.words())
    }

    /// The same about a user, whose name may look like an option.
    fn command_about(&self, words: &str, name: &str) -> String {
        let (typed, target) = (argument(name), self.target.words());
        if name.starts_with('-') {
            format!("token-server {words}{target} -- {typed}")
        } else {
            format!("token-server {words} {typed}{target}")
        }
    }
}
