//! Settings as operators give them, faults included.

use super::*;
use std::io::Write as _;
use std::path::Path;

fn config(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::from_environment(variables.iter().map(|(name, value)| (name.into(), value.into())))
}

#[test]
fn everything_has_a_default() {
    let config = config(&[("PATH", "/bin")]).unwrap();
    assert_eq!(config.listen.as_str(), "0.0.0.0:4000");
    assert_eq!(config.admin_listen.as_str(), "127.0.0.1:4001");
    let StoreSettings::Embedded(path) = config.store else { panic!("no Redis is configured") };
    assert_eq!(path, Path::new("token-server.redb"));
    assert_eq!((config.lifetimes.ttl.as_secs(), config.lifetimes.max_stale.as_secs()), (7, 30));
    assert_eq!(config.profile, Profile::Standard);
    assert!(config.compat);
    assert!(config.admin_socket.is_none() && config.admin_tokens.is_none() && config.agent_tokens.is_none());
}

#[test]
fn the_environment_wins_over_the_file() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(
        file,
        "[TOKEN_SERVER.STORE]\nPATH = \"/from/file\"\n[TOKEN_SERVER.ADMIN]\nLISTEN = \"localhost:1\"\n"
    )
    .unwrap();
    let path = file.path().to_str().unwrap();
    let config = config(&[(CONFIG, path), (STORE_PATH, "/from/environment")]).unwrap();
    let StoreSettings::Embedded(path) = config.store else { panic!("no Redis is configured") };
    assert_eq!(path, Path::new("/from/environment"));
    assert_eq!(config.admin_listen.as_str(), "localhost:1");
}

#[test]
fn all_faults_are_told_by_name_and_without_values() {
    let error = config(&[
        (LISTEN, "4000"),
        (ADMIN_LISTEN, "::1:4001"),
        (PROFILE, "secret"),
        (COMPAT_ENABLED, "maybe"),
        (ADMIN_TOKENS_FILE, "/nonexistent"),
        ("TOKEN_SERVER__STORE__PTAH", "x"),
        (REDIS_URLS, "http://secret"),
        (CACHE_TTL, "soon"),
        (TLS_KEY, "/nonexistent"),
        (PREVIEW_SUBJECTS, "100001"),
    ])
    .unwrap_err();
    let text = error.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 10, "{text}");
    for expected in [
        "TOKEN_SERVER__LISTEN: expected host:port",
        "TOKEN_SERVER__ADMIN__LISTEN: expected host:port",
        "TOKEN_SERVER__PROFILE: expected standard or ms-users",
        "TOKEN_SERVER__COMPAT__ENABLED: expected true or false",
        "TOKEN_SERVER__ADMIN__TOKENS_FILE: cannot read the file: No such file or directory (os error 2)",
        "TOKEN_SERVER__TLS__CERT: is missing; a certificate, its key and client certificates belong together",
        "TOKEN_SERVER__PREVIEW__SUBJECTS: expected at most 100000",
        "TOKEN_SERVER__STORE__PTAH: no such setting; did you mean TOKEN_SERVER__STORE__PATH?",
        "TOKEN_SERVER__REDIS__URLS: expected a comma-separated list of redis://[user:password@]host:port or rediss://...",
        "TOKEN_SERVER__CACHE__TTL: expected a whole number of seconds",
    ] {
        assert!(lines.contains(&expected), "{expected} in\n{text}");
    }
    assert!(!text.contains("secret"));
}

#[test]
fn settings_of_a_store_that_is_not_used_are_faults() {
    let redis = (REDIS_URLS, "redis://127.0.0.1:1,redis://127.0.0.1:2");
    for (variables, faults) in [
        (&[redis][..], &[][..]),
        (&[redis, (REDIS_MODE, "sentinel"), (REDIS_MASTER, "m"), (CONSUL_URL, "http://127.0.0.1:8500")], &[]),
        (&[redis, (REDIS_MODE, "cluster"), (REDIS_MIN_REPLICAS, "1")], &[]),
        (&[redis, (REDIS_MODE, "sentinel")], &[REDIS_MASTER]),
        (&[redis, (REDIS_MASTER, "m")], &[REDIS_MASTER]),
        (&[redis, (REDIS_MODE, "cluster"), (REDIS_PREFIX, "plain")], &[REDIS_PREFIX]),
        (&[redis, (STORE_PATH, "rules.redb")], &[STORE_PATH]),
        (&[redis, (CONSUL_URL, "127.0.0.1:8500")], &[CONSUL_URL]),
        (&[redis, (REDIS_CA_FILE, "/nonexistent")], &[REDIS_CA_FILE]),
        (&[(CONSUL_URL, "http://127.0.0.1:8500"), (REDIS_MODE, "cluster")], &[REDIS_MODE, CONSUL_URL]),
    ] {
        let found = config(variables).err().map(|error| error.to_string()).unwrap_or_default();
        let names: Vec<_> = found.lines().filter_map(|line| line.split(':').next()).collect();
        assert_eq!(names, faults, "{variables:?}: {found}");
    }
}

#[test]
fn what_kubernetes_adds_is_no_setting() {
    let links = [
        ("TOKEN_SERVER_SERVICE_HOST", "10.0.0.1"),
        ("TOKEN_SERVER_SERVICE_PORT_HTTP", "4000"),
        ("TOKEN_SERVER_PORT", "tcp://10.0.0.1:4000"),
        ("TOKEN_SERVER_PORT_4000_TCP_ADDR", "10.0.0.1"),
    ];
    assert!(config(&links).is_ok());
    assert!(config(&[("TOKEN_SERVER_PORTS", "1")]).is_err());
    assert!(config(&[("TOKEN_SERVER_PORT", "4000")]).is_err());
    assert!(config(&[("TOKEN_SERVER_LISTEN", "127.0.0.1:1")]).is_err());
}
