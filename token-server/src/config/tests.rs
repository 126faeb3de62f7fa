//! Settings as operators give them, faults included.

use super::*;
use crate::api::forward_auth::TokenPlace;
use jose::Binding;
use std::io::Write as _;
use std::path::Path;

fn config(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::from_environment(variables.iter().map(|(name, value)| (name.into(), value.into())))
}

#[test]
fn everything_has_a_default() {
    let config = config(&[("PATH", "/bin")]).unwrap();
    assert_eq!(config.listen.as_str(), "127.0.0.1:4000");
    assert_eq!(config.admin_listen.as_str(), "127.0.0.1:4001");
    let StoreSettings::Embedded(path) = config.store else { panic!("no Redis is configured") };
    assert_eq!(path, Path::new("token-server.redb"));
    assert_eq!((config.lifetimes.ttl.as_secs(), config.lifetimes.max_stale.as_secs()), (7, 30));
    assert_eq!(config.cache_bytes, 268_435_456);
    assert_eq!(config.profile, Profile::Standard);
    assert_eq!(config.compat, Compat::Off);
    assert!(config.admin_socket.is_none() && config.admin_tokens.is_none() && config.agent_tokens.is_none());
}

#[test]
fn old_callers_are_answered_in_their_own_profile_or_where_it_is_said() {
    let ms_users = (PROFILE, "ms-users");
    let (on, off) = ((COMPAT_ENABLED, "true"), (COMPAT_ENABLED, "false"));
    let open = (COMPAT_OPEN, "true");
    for (variables, compat) in [
        (&[][..], Compat::Off),
        (&[on], Compat::Guarded),
        (&[on, open], Compat::Open),
        (&[ms_users], Compat::Guarded),
        (&[ms_users, open], Compat::Open),
        (&[ms_users, (COMPAT_OPEN, "false")], Compat::Guarded),
        (&[ms_users, off], Compat::Off),
    ] {
        assert_eq!(config(variables).unwrap().compat, compat, "{variables:?}");
    }
    for variables in [&[open][..], &[ms_users, off, open]] {
        let fault = config(variables).unwrap_err().to_string();
        assert!(fault.starts_with("TOKEN_SERVER__COMPAT__OPEN: has no effect"), "{fault}");
    }
}

#[test]
fn the_environment_wins_over_the_file() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(
        file,
        "[TOKEN_SERVER.STORE]\nPATH = \"/from/file\"\n[TOKEN_SERVER.ADMIN]\nLISTEN = \"localhost:1\"\n[TOKEN_SERVER.CACHE]\nBYTES = 0\n"
    )
    .unwrap();
    let path = file.path().to_str().unwrap();
    let config =
        config(&[(CONFIG, path), (STORE_PATH, "/from/environment"), (CACHE_BYTES, "1073741824")]).unwrap();
    let StoreSettings::Embedded(path) = config.store else { panic!("no Redis is configured") };
    assert_eq!(path, Path::new("/from/environment"));
    assert_eq!(config.admin_listen.as_str(), "localhost:1");
    assert_eq!(config.cache_bytes, 1 << 30);
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
        (CACHE_BYTES, "1 GiB"),
        (TLS_KEY, "/nonexistent"),
        (PREVIEW_SUBJECTS, "100001"),
    ])
    .unwrap_err();
    let text = error.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 11, "{text}");
    for expected in [
        "TOKEN_SERVER__LISTEN: expected host:port",
        "TOKEN_SERVER__ADMIN__LISTEN: expected host:port",
        "TOKEN_SERVER__PROFILE: expected standard, at+jwt or ms-users",
        "TOKEN_SERVER__COMPAT__ENABLED: expected true or false",
        "TOKEN_SERVER__ADMIN__TOKENS_FILE: cannot read the file: No such file or directory (os error 2)",
        "TOKEN_SERVER__TLS__CERT: is missing; a certificate, its key and client certificates belong together",
        "TOKEN_SERVER__PREVIEW__SUBJECTS: expected at most 100000",
        "TOKEN_SERVER__STORE__PTAH: no such setting; did you mean TOKEN_SERVER__STORE__PATH?",
        "TOKEN_SERVER__REDIS__URLS: expected a comma-separated list of redis://[user:password@]host:port or rediss://...",
        "TOKEN_SERVER__CACHE__TTL: expected a whole number of seconds",
        "TOKEN_SERVER__CACHE__BYTES: expected bytes",
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

#[test]
fn forward_auth_is_there_when_an_issuer_is_trusted_and_its_faults_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (keys, file) = (path("keys.json"), path("settings.toml"));
    std::fs::write(&keys, integration_tests::keys::jwks([integration_tests::keys::key("ES256")])).unwrap();
    let flat = [("TOKEN_SERVER__JWKS__FILE", keys.as_str())];
    assert!(config(&[]).unwrap().verify.is_none());
    assert_eq!(config(&flat).unwrap().verify.unwrap().trust.policies().len(), 1);
    let required = [flat[0], ("TOKEN_SERVER__VERIFY__REQUIRED", "email,realm.roles")];
    let trust = config(&required).unwrap().verify.unwrap().trust;
    let rules = trust.issuers()[0].policy.requirements.claims.iter();
    assert_eq!(rules.map(|rule| rule.path.as_str()).collect::<Vec<_>>(), ["email", "realm.roles"]);
    let table = format!("[[issuers]]\nissuer = \"a\"\nkeys_file = \"{keys}\"\n");
    for (toml, variables, expected) in [
        (String::new(), &[("TOKEN_SERVER__VERIFY__PROXY", "traefik")][..], "PROXY: no source of keys is configured"),
        (
            table.clone(),
            &[("TOKEN_SERVER__VERIFY__PROXY", "caddy")],
            "PROXY: expected traefik, nginx or envoy",
        ),
        (table.clone(), &[("TOKEN_SERVER__VERIFY__QUERY", "t")], "QUERY: needs TOKEN_SERVER__VERIFY__PROXY"),
        (table.clone(), &[("TOKEN_SERVER__VERIFY__PREFLIGHT", "true")], "PREFLIGHT: needs"),
        (table.clone(), &[("TOKEN_SERVER__VERIFY__HEADERS", "X-User")], "HEADERS: expected pairs"),
        (
            table.clone(),
            &[("TOKEN_SERVER__VERIFY__HEADERS", "Host=sub")],
            "HEADERS: names a header that HTTP",
        ),
        (table.clone(), &[("TOKEN_SERVER__VERIFY__REALM", "a\"b")], "REALM: expected letters, digits"),
        (
            table.clone(),
            &[("TOKEN_SERVER__VERIFY__MAX_TOKEN_BYTES", "9")],
            "MAX_TOKEN_BYTES: expected 256 to",
        ),
        (table.clone(), &[("TOKEN_SERVER__VERIFY__LEEWAY", "301")], "LEEWAY: expected seconds, at most"),
        (
            table.clone(),
            &[("TOKEN_SERVER__VERIFY__BINDING", "off")],
            "BINDING: expected if-bound, dpop, mtls, any or ignore",
        ),
        (
            table.clone(),
            &[("TOKEN_SERVER__VERIFY__PROXXY", "envoy")],
            "did you mean TOKEN_SERVER__VERIFY__PROXY?",
        ),
        (
            String::new(),
            &[flat[0], ("TOKEN_SERVER__VERIFY__ISSUERS", "a,b")],
            "ISSUERS: more than one issuer",
        ),
        (String::new(), &[("TOKEN_SERVER__JWKS__URL", "ftp://a")], "JWKS__URL: expected http://"),
        (
            String::new(),
            &[("TOKEN_SERVER__JWKS__OIDC_ISSUERS", "https://a.example/{tenantid}/")],
            "OIDC_ISSUERS: {tenantid} stands for a tenant",
        ),
        (
            String::new(),
            &[flat[0], ("TOKEN_SERVER__VERIFY__ISSUERS", "https://a.example/{tenantid}/")],
            "VERIFY__ISSUERS: {tenantid} stands for a tenant",
        ),
        (
            "[[issuers]]\nissuer = \"https://a.example/{tenantid}/\"\ndiscovery_url = \"https://a.example/d\"".into(),
            &[],
            "issuers[0].tenants: is required",
        ),
        (format!("{table}[[verify]]\npolicy = \"p\""), &[], "verify[0].policy: names a policy that is in no"),
        (format!("{table}[[verify]]\n[[verify]]\n"), &[], "verify[1].policy: comes twice"),
        (format!("{table}[[verify]]\nheaders = {{ \"X-A\" = 1 }}"), &[], "verify[0].headers: expected pairs"),
        (format!("{table}[[verify]]\ncookies = \"a\""), &[], "did you mean cookie?"),
        (
            format!("{table}[[verify]]\nplaces = [\"body\"]"),
            &[],
            "verify[0].places: expected a comma-separated list of authorization",
        ),
        (
            format!("{table}[[verify]]\nplaces = [\"websocket\"]\nquery = \"t\""),
            &[],
            "verify[0].query: places names",
        ),
        (
            format!("{table}[[verify]]\nplaces = [\"header:a\", \"header:A\"]"),
            &[],
            "places: names a place twice",
        ),
        (
            format!("{table}[[verify]]\ncookie = \"a=b\""),
            &[],
            "verify[0].cookie: expected the name of a cookie",
        ),
        (
            format!("{table}[[verify]]\ncookie = \"c\""),
            &[("TOKEN_SERVER__VERIFY__PLACES", "authorization")],
            "verify[0].cookie: a list of places holds",
        ),
        (
            table.clone(),
            &[("TOKEN_SERVER__VERIFY__PLACES", "query:t")],
            "QUERY: needs TOKEN_SERVER__VERIFY__PROXY",
        ),
    ] {
        std::fs::write(&file, toml).unwrap();
        let mut all = vec![(CONFIG, file.as_str())];
        all.extend(variables);
        let text = config(&all).unwrap_err().to_string();
        assert!(text.contains(expected), "{expected} in {text}");
    }
    let tables = "[[policies]]\nname = \"p\"\n[[verify]]\npolicy = \"p\"\ncookie = \"c\"\n";
    std::fs::write(&file, format!("{table}{tables}")).unwrap();
    let read = config(&[(CONFIG, &file), ("TOKEN_SERVER__VERIFY__COOKIE", "d")]).unwrap().verify.unwrap();
    for (value, binding) in
        [("", Binding::IfBound), ("if-bound", Binding::IfBound), ("ignore", Binding::Ignore)]
    {
        let read = config(&[(CONFIG, &file), ("TOKEN_SERVER__VERIFY__BINDING", value)]).unwrap();
        assert_eq!(read.verify.unwrap().trust.issuers()[0].policy.binding, binding, "{value}");
    }
    let places: Vec<_> = read.forward_auth.guards.iter().map(|guard| guard.places.as_slice()).collect();
    let usual = |cookie: &str| vec![TokenPlace::Authorization, TokenPlace::Cookie(cookie.to_owned())];
    assert_eq!(places, [usual("d"), usual("c")]);
    let tables =
        "[[policies]]\nname = \"p\"\n[[verify]]\npolicy = \"p\"\nplaces = [\"websocket\", \"header:X-A\"]\n";
    std::fs::write(&file, format!("{table}{tables}")).unwrap();
    let read =
        config(&[(CONFIG, &file), ("TOKEN_SERVER__VERIFY__PLACES", "cookie:d,authorization")]).unwrap();
    let places: Vec<_> =
        read.verify.unwrap().forward_auth.guards.into_iter().map(|guard| guard.places).collect();
    let own = [TokenPlace::WebSocket, TokenPlace::Header("x-a".parse().unwrap())];
    assert_eq!(places, [vec![TokenPlace::Cookie("d".to_owned()), TokenPlace::Authorization], own.to_vec()]);
}

#[test]
fn a_list_that_is_set_to_nothing_is_a_fault() {
    for name in [
        "TOKEN_SERVER__VERIFY__ISSUERS",
        "TOKEN_SERVER__VERIFY__AUDIENCES",
        "TOKEN_SERVER__VERIFY__REQUIRED",
        "TOKEN_SERVER__VERIFY__ALGORITHMS",
        "TOKEN_SERVER__VERIFY__SCHEMES",
        "TOKEN_SERVER__VERIFY__HEADERS",
        "TOKEN_SERVER__VERIFY__PLACES",
        "TOKEN_SERVER__JWKS__URL",
        REDIS_URLS,
    ] {
        for value in ["", " ", ","] {
            let text = config(&[(name, value)]).unwrap_err().to_string();
            assert_eq!(text, format!("{name}: is an empty list; name at least one value, or leave it out"));
        }
    }
}

#[test]
fn debug_output_holds_no_password() {
    let config = config(&[
        (REDIS_URLS, "redis://anna:hidden-1@localhost:6379"),
        (CONSUL_URL, "http://anna:hidden-2@localhost:8500"),
        ("TOKEN_SERVER__JWKS__URL", "https://anna:hidden-3@keys.test/?key=hidden-4"),
    ])
    .unwrap();
    let shown = format!("{config:?}");
    assert!(shown.contains("keys.test") && !shown.contains("hidden"), "{shown}");
}
