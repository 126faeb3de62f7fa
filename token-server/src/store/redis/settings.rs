//! How Redis is reached, as an operator says it.

use std::sync::Arc;

use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisResult, TlsCertificates};
use service::pem;
use service::secret_file::SecretFile;

use super::keys::Keys;

/// What stands behind the addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisMode {
    /// The servers themselves; the first that is a master is used.
    Standalone,
    /// Sentinels, which tell the master of this name.
    Sentinel {
        /// The name under which they watch it.
        master: String,
    },
    /// Some nodes of a cluster, which tell the master of our keys' slot.
    Cluster,
}

/// The certificates (PEM) that `rediss://` servers are verified with instead of the system's.
#[derive(Clone)]
pub struct Authorities(Vec<u8>);

impl Authorities {
    /// Reads the content of a file.
    ///
    /// # Errors
    /// It cannot be used, without a word of what it holds.
    pub fn parse(pem: &[u8]) -> Result<Self, String> {
        pem::roots(pem)?;
        Ok(Self(pem.to_vec()))
    }
}

/// Redis, as configured.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    pub(super) mode: RedisMode,
    servers: Vec<ConnectionInfo>,
    authorities: Option<Arc<SecretFile<Authorities>>>,
    pub(super) keys: Keys,
    pub(super) min_replicas: usize,
    pub(super) accepts_eviction: bool,
}

/// Why settings do not lead to a Redis. Addresses may hold passwords and are not quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedisSettingsError {
    /// An address that is none, or of a scheme that is not known.
    #[error("expected a comma-separated list of redis://[user:password@]host:port or rediss://...")]
    Url,
    /// A prefix that spreads the keys over several masters.
    #[error(
        "in a cluster the prefix needs a hash tag, such as {{ms-users}}: only from one master are changes heard in order"
    )]
    NoHashTag,
}

impl RedisSettings {
    /// Settings for servers of one kind, all reached in the same way.
    ///
    /// `rediss://` servers are verified with `authorities` as they are at each connection; absent: with the system's.
    ///
    /// # Errors
    /// See [`RedisSettingsError`].
    pub fn new(
        mode: RedisMode,
        urls: &[String],
        prefix: &str,
        min_replicas: usize,
        authorities: Option<Arc<SecretFile<Authorities>>>,
    ) -> Result<Self, RedisSettingsError> {
        let servers = urls.iter().map(String::as_str).map(server).collect::<Result<_, _>>()?;
        let keys = Keys::new(prefix);
        if mode == RedisMode::Cluster && !keys.have_a_hash_tag() {
            return Err(RedisSettingsError::NoHashTag);
        }
        Ok(Self { mode, servers, authorities, keys, min_replicas, accepts_eviction: false })
    }

    /// The same for a Redis that may remove rules when its memory is full.
    #[must_use]
    pub fn accepting_eviction(self) -> Self {
        Self { accepts_eviction: true, ..self }
    }

    /// What is read again.
    pub fn authorities(&self) -> Option<&Arc<SecretFile<Authorities>>> {
        self.authorities.as_ref()
    }

    /// The configured servers, as they are reached now.
    pub(super) fn servers(&self) -> RedisResult<Vec<ConnectionInfo>> {
        let authorities = self.authorities.as_ref().map(|authorities| authorities.current());
        self.servers.iter().map(|server| trusting(server, authorities.as_deref())).collect()
    }
}

fn server(url: &str) -> Result<ConnectionInfo, RedisSettingsError> {
    if !url.starts_with("redis://") && !url.starts_with("rediss://") {
        return Err(RedisSettingsError::Url);
    }
    url.into_connection_info().map_err(|_| RedisSettingsError::Url)
}

fn trusting(server: &ConnectionInfo, authorities: Option<&Authorities>) -> RedisResult<ConnectionInfo> {
    match (server.addr(), authorities) {
        (ConnectionAddr::TcpTls { .. }, Some(Authorities(pem))) => {
            let tls = TlsCertificates { client_tls: None, root_cert: Some(pem.clone()) };
            Ok(Client::build_with_tls(server.clone(), tls)?.get_connection_info().clone())
        }
        _ => Ok(server.clone()),
    }
}

/// The three words of `TOKEN_SERVER__REDIS__MODE`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RedisModeName {
    /// `standalone`
    #[default]
    Standalone,
    /// `sentinel`
    Sentinel,
    /// `cluster`
    Cluster,
}

impl RedisModeName {
    /// The three of them.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("standalone", Self::Standalone), ("sentinel", Self::Sentinel), ("cluster", Self::Cluster)];
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(mode: RedisMode, urls: &[&str], prefix: &str) -> Result<RedisSettings, RedisSettingsError> {
        let urls: Vec<String> = urls.iter().map(|url| (*url).to_owned()).collect();
        RedisSettings::new(mode, &urls, prefix, 0, None)
    }

    #[test]
    fn addresses_are_of_redis_and_nothing_else() {
        for (url, good) in [
            ("redis://127.0.0.1:6379", true),
            ("rediss://user:secret@redis.example:6380/3", true),
            ("redis://:secret@[::1]", true),
            ("127.0.0.1:6379", false),
            ("http://127.0.0.1", false),
            ("redis://", false),
            ("redis+unix:///tmp/redis", false),
            ("", false),
        ] {
            assert_eq!(settings(RedisMode::Standalone, &[url], "p").is_ok(), good, "{url}");
        }
    }

    #[test]
    fn the_keys_of_a_cluster_lie_on_one_master() {
        let urls = ["redis://127.0.0.1:6379"];
        for (prefix, good) in
            [("{ms-users}", true), ("a{b}:", true), ("ms-users", false), ("{}", false), ("}{", false)]
        {
            assert_eq!(settings(RedisMode::Cluster, &urls, prefix).is_ok(), good, "{prefix}");
            assert!(settings(RedisMode::Standalone, &urls, prefix).is_ok());
        }
    }
}
