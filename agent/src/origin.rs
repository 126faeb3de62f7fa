//! Where the configuration is read from: the environment, and the file of `--haproxy-cfg`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use service::description::InUse;
use service::settings::{ConfigError, Environment, glance, with_file};

use crate::config::{ADMIN_LISTEN, Config, TRUST, description};
use crate::haproxy::cfg::{CfgError, HaproxyCfg};

/// Where the configuration is read from, each time.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The process's environment.
    pub environment: Vec<(OsString, OsString)>,
    /// The file of `--config`.
    pub config: Option<PathBuf>,
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
            let cfg = HaproxyCfg::parse(&text);
            Ok(cfg.map_err(|error| OriginError::Line { path: path.to_owned(), error })?.at(path))
        };
        self.haproxy_cfg.as_deref().map(read).transpose()
    }

    /// Where the agent that runs answers questions about itself, as far as the configuration can be read: it may be faulty
    /// by now, which does not stop an agent that runs.
    pub fn admin_listen(&self) -> String {
        let cfg = self.haproxy_cfg.as_deref().and_then(|path| fs::read_to_string(path).ok());
        let environment = match &cfg {
            Some(text) => HaproxyCfg::apply_readable(text, &self.environment),
            None => self.environment.clone(),
        };
        let environment = with_file(&environment, TRUST.config, self.config.as_deref());
        glance("JWT_ADMIN_LISTEN", TRUST.config, &environment).unwrap_or_else(|| ADMIN_LISTEN.to_string())
    }

    /// The configuration as it stands there now.
    ///
    /// # Errors
    ///
    /// What cannot be read, or every faulty setting.
    pub fn load(&self) -> Result<Config, OriginError> {
        let cfg = self.haproxy_cfg()?;
        Ok(Config::read(self.environment(), cfg.as_ref(), None)?)
    }

    /// Every setting as it is in use, with what is wrong with it.
    ///
    /// # Errors
    ///
    /// What cannot be read.
    pub fn in_use(&self) -> Result<(InUse, Option<ConfigError>), OriginError> {
        let cfg = self.haproxy_cfg()?;
        let settings = Config::collect(self.environment(), cfg.as_ref())?;
        let faults = Config::understand(settings.clone(), cfg.as_ref(), None).err();
        let faulty = faults.iter().flat_map(ConfigError::names).map(str::to_owned).collect();
        Ok((InUse::new(&description(), env!("CARGO_PKG_VERSION"), &settings, &faulty), faults))
    }

    /// Variables, and the file that the command line names.
    pub fn environment(&self) -> Environment {
        Environment { config: self.config.clone(), ..Environment::of(self.environment.iter().cloned()) }
    }
}
