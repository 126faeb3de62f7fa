//! How Redis is reached, as an operator says it.

use std::str::FromStr;

use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, TlsCertificates};

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

/// Redis, as configured.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    pub(super) mode: RedisMode,
    pub(super) servers: Vec<ConnectionInfo>,
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
    /// Certificates that cannot be read.
    #[error("expected a file of certificates in PEM")]
    Certificates,
}

impl RedisSettings {
    /// Settings for servers of one kind, all reached in the same way.
    ///
    /// `authority` holds the certificates (PEM) that `rediss://` servers are verified with instead of the system's.
    ///
    /// # Errors
    /// See [`RedisSettingsError`].
    pub fn new(
        mode: RedisMode,
        urls: &[String],
        prefix: &str,
        min_replicas: usize,
        authority: Option<&[u8]>,
    ) -> Result<Self, RedisSettingsError> {
        let servers = urls.iter().map(|url| server(url, authority)).collect::<Result<_, _>>()?;
        let keys = Keys::new(prefix);
        if mode == RedisMode::Cluster && !keys.have_a_hash_tag() {
            return Err(RedisSettingsError::NoHashTag);
        }
        Ok(Self { mode, servers, keys, min_replicas, accepts_eviction: false })
    }

    /// The same for a Redis that may remove rules when its memory is full.
    #[must_use]
    pub fn accepting_eviction(self) -> Self {
        Self { accepts_eviction: true, ..self }
    }
}

fn server(url: &str, authority: Option<&[u8]>) -> Result<ConnectionInfo, RedisSettingsError> {
    if !url.starts_with("redis://") && !url.starts_with("rediss://") {
        return Err(RedisSettingsError::Url);
    }
    let info = url.into_connection_info().map_err(|_| RedisSettingsError::Url)?;
    match (info.addr(), authority) {
        (ConnectionAddr::TcpTls { .. }, Some(authority)) => {
            let tls = TlsCertificates { client_tls: None, root_cert: Some(authority.to_vec()) };
            let client = Client::build_with_tls(info, tls).map_err(|_| RedisSettingsError::Certificates)?;
            Ok(client.get_connection_info().clone())
        }
        _ => Ok(info),
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

impl FromStr for RedisModeName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "standalone" => Ok(Self::Standalone),
            "sentinel" => Ok(Self::Sentinel),
            "cluster" => Ok(Self::Cluster),
            _ => Err(()),
        }
    }
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
