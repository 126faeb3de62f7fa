//! Where the configuration is read from: the environment, and the file of `--haproxy-cfg`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use service::settings::{ConfigError, glance};

use crate::config::{ADMIN_LISTEN, Config};
use crate::haproxy::cfg::{CfgError, HaproxyCfg};

/// Where the configuration is read from, each time.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The process's environment.
    pub environment: Vec<(OsString, OsString)>,
    /// The file of `--haproxy-cfg`.
    pub haproxy_cfg: Option<PathBuf>,
}

/// Why a configuration cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// The file of `--haproxy-cfg` cannot be read.
    #[error("--haproxy-cfg {path}: {error}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// It cannot be understood.
    #[error("--haproxy-cfg {path}: {error}", path = .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, and why not.
        error: CfgError,
    },
    /// A setting is faulty.
    #[error(transparent)]
    Settings(#[from] ConfigError),
}

impl Origin {
    /// The file of `--haproxy-cfg`, if there is one.
    ///
    /// # Errors
    ///
    /// It cannot be read or understood.
    pub fn haproxy_cfg(&self) -> Result<Option<HaproxyCfg>, OriginError> {
        let read = |path: &Path| {
            let text = fs::read_to_string(path)
                .map_err(|error| OriginError::File { path: path.to_owned(), error })?;
            HaproxyCfg::parse(&text).map_err(|error| OriginError::Line { path: path.to_owned(), error })
        };
        self.haproxy_cfg.as_deref().map(read).transpose()
    }

    /// Where the agent that runs answers questions about itself, as far as the configuration can be read: it may be faulty
    /// by now, which does not stop an agent that runs.
    pub fn admin_listen(&self) -> String {
        let cfg = self.haproxy_cfg.as_deref().and_then(|path| fs::read_to_string(path).ok());
        let environment = match cfg {
            Some(text) => HaproxyCfg::apply_readable(&text, &self.environment),
            None => self.environment.clone(),
        };
        glance("JWT_ADMIN_LISTEN", "JWT_CONFIG", &environment).unwrap_or_else(|| ADMIN_LISTEN.to_string())
    }

    /// The configuration as it stands there now.
    ///
    /// # Errors
    ///
    /// What cannot be read, or every faulty setting.
    pub fn load(&self) -> Result<Config, OriginError> {
        let cfg = self.haproxy_cfg()?;
        Ok(Config::load(self.environment.iter().cloned(), cfg.as_ref(), None)?)
    }
}
