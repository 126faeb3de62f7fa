//! A token-server that asks a provider about opaque tokens.

use std::fs;
use std::path::PathBuf;

use integration_tests::token_server::TokenServer;
use tempfile::TempDir;

/// What the names of its settings begin with; tests leave it out.
const PREFIX: &str = "TOKEN_SERVER__INTROSPECTION__";

/// The token of no client.
pub(crate) const STRANGE: &str = "a-text-that-no-provider-has-issued";

/// Names of settings, and what they say.
pub(crate) type Pairs<'a> = &'a [(&'a str, &'a str)];

/// The server, and the files that say who it is.
pub(crate) struct Asking {
    pub(crate) server: TokenServer,
    folder: TempDir,
}

impl Asking {
    /// It asks as this client with this secret.
    pub(crate) fn start(issuer: &str, client: (&str, &str), more: Pairs<'_>) -> Self {
        let files = [("CLIENT_SECRET_FILE", client.1)];
        Self::with_files(issuer, &files, &[&[("CLIENT_ID", client.0)], more].concat())
    }

    /// `files` are settings that name files, and what is in those.
    pub(crate) fn with_files(issuer: &str, files: Pairs<'_>, more: Pairs<'_>) -> Self {
        let folder = TempDir::with_prefix("introspection-").unwrap();
        let mut settings = vec![("RUST_LOG".to_owned(), "trace".to_owned())];
        let mut set = |name: &str, value: &str| settings.push((format!("{PREFIX}{name}"), value.to_owned()));
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            set(name, &path.display().to_string());
        }
        for (name, value) in [&[("ISSUER", issuer), ("TIMEOUT_MS", "10000")], more].concat() {
            set(name, value);
        }
        let settings: Vec<(&str, &str)> =
            settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let server = TokenServer::start_with(folder.path(), "standard", &settings);
        Self { server, folder }
    }

    /// Puts something else into the file of a setting.
    pub(crate) fn writes(&self, setting: &str, text: &str) {
        let path: PathBuf = self.folder.path().join(setting);
        assert!(path.exists(), "{setting} names no file");
        fs::write(path, text).unwrap();
    }

    /// The verdicts of agents and proxies, in this order.
    pub(crate) fn verdicts(&self, token: &str) -> (String, u16) {
        (self.server.detail_on_token(token), self.server.status_of_token(token))
    }

    /// It can have no answer about the token, which is no verdict, and its log says why.
    pub(crate) fn has_no_answer(&self, token: &str, why: &str) {
        assert_eq!(self.verdicts(token), ("introspection".to_owned(), 503), "{why}");
        let log = self.server.process.log();
        assert!(log.contains(why), "{why} in\n{log}");
    }

    /// Neither tokens nor the secret are in what it prints and shows.
    pub(crate) fn tells_no_secret(&self, secrets: &[&str]) {
        let (log, metrics) = (self.server.process.log(), self.server.metrics());
        assert!(log.contains(r#""level":"TRACE""#));
        for secret in secrets {
            assert!(!log.contains(secret) && !metrics.contains(secret), "{secret} is shown");
        }
    }
}
