//! Whom operators' commands ask: options that may stand before the command or behind it.

use std::path::PathBuf;

use clap::Args;

use super::error::CliError;
use super::words::argument;

/// Whom operators' commands ask.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Target {
    /// The running server's admin API: http(s)://host:port, or unix:/path; unset: TOKEN_SERVER__ADMIN__SOCKET
    #[arg(long, global = true, value_name = "URL")]
    pub(super) server: Option<String>,
    /// A file that holds the bearer token for --server
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// The authorities of an https:// server's certificate, PEM
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,
    /// Our own certificate, where the server asks for one, PEM
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) cert_file: Option<PathBuf>,
    /// The key of our own certificate, PEM
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) key_file: Option<PathBuf>,
    /// The embedded store's file, while no server uses it
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) store: Option<PathBuf>,
    /// The store that the configuration names: Redis, beside its servers, or the embedded one, while no server uses it
    #[arg(long, global = true)]
    pub(super) configured_store: bool,
    /// Answers as JSON, one object a line
    #[arg(long, global = true)]
    pub(super) json: bool,
}

impl Target {
    /// Options that stand on both sides of the command are seen together here alone.
    pub(super) fn judge(&self) -> Result<(), CliError> {
        let refuse = |name, why: &str| Err(CliError::Argument { name, why: why.to_owned() });
        match (&self.server, &self.store, self.configured_store) {
            (Some(_), Some(_), _) => return refuse("--store", "cannot be used with --server"),
            (Some(_), None, true) => return refuse("--configured-store", "cannot be used with --server"),
            (None, Some(_), true) => return refuse("--configured-store", "cannot be used with --store"),
            (Some(_), None, false) | (None, Some(_), false) | (None, None, _) => {}
        }
        match (&self.cert_file, &self.key_file) {
            (Some(_), None) => refuse("--key-file", "is missing; it belongs to --cert-file"),
            (None, Some(_)) => refuse("--cert-file", "is missing; it belongs to --key-file"),
            (Some(_), Some(_)) | (None, None) => Ok(()),
        }
    }

    /// The options that name whom to ask, as they are typed behind a command.
    pub(super) fn words(&self) -> String {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
        let mut words = String::new();
        for (name, value) in [
            ("--server", self.server.clone()),
            ("--token-file", path(&self.token_file)),
            ("--ca-file", path(&self.ca_file)),
            ("--cert-file", path(&self.cert_file)),
            ("--key-file", path(&self.key_file)),
            ("--store", path(&self.store)),
        ] {
            if let Some(value) = value {
                words += &format!(" {name} {}", argument(&value));
            }
        }
        if self.configured_store {
            words += " --configured-store";
        }
        words
    }

    /// For commands that ask nothing of another process: an option that has no effect may hide a mistake.
    pub(super) fn refuse(&self) -> Result<(), CliError> {
        let given = [
            ("--server", self.server.is_some()),
            ("--token-file", self.token_file.is_some()),
            ("--ca-file", self.ca_file.is_some()),
            ("--cert-file", self.cert_file.is_some()),
            ("--key-file", self.key_file.is_some()),
            ("--store", self.store.is_some()),
            ("--configured-store", self.configured_store),
            ("--json", self.json),
        ];
        match given.into_iter().find_map(|(name, is_given)| is_given.then_some(name)) {
            None => Ok(()),
            Some(name) => {
                let why =
                    "has no effect here; it is for commands about users, `rules` and `token`".to_owned();
                Err(CliError::Argument { name, why })
            }
        }
    }
}
