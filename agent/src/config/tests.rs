use jose::{AlgorithmSet, Binding};

use super::*;

/// The configuration of these variables alone.
pub fn load(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::load(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())), None, None)
}

/// One issuer, of any name.
pub fn trust() -> Trust {
    load(&[("JWT_JWKS_FILE", "/k")]).unwrap().trust
}

fn faults(variables: &[(&str, &str)]) -> String {
    load(variables).unwrap_err().to_string()
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let config = load(&[("JWT_JWKS_FILE", "/keys.json"), ("PATH", "/bin")]).unwrap();
    assert_eq!(config.listen, [Address::Tcp("127.0.0.1:12345".into())]);
    assert_eq!(config.admin_listen.to_string(), "127.0.0.1:9464");
    assert_eq!(config.trust.profile(), Profile::Standard);
    assert_eq!(config.trust.issuers()[0].policy.algorithms, AlgorithmSet::ALL);
    assert_eq!(config.schemes, ["JWT", "Bearer", "DPoP"]);
    assert_eq!((config.max_token_bytes, config.timeout.as_millis()), (8192, 80));
    assert_eq!(config.keys.interval.as_secs(), 300);
    assert_eq!(config.variables, Variables::All);
    assert_eq!(config.cache, Limits { entries: 100_000, bytes: 268_435_456 });
    assert!(config.token_server.is_none() && config.claims.is_none());
    assert!(config.warnings[0].contains("set JWT_AUDIENCES"), "{:?}", config.warnings);
}

#[test]
fn the_ms_users_profile_brings_its_scheme_and_needs_no_key_with_a_token_server() {
    let config = load(&[
        ("JWT_PROFILE", "ms-users"),
        ("JWT_TOKEN_SERVER_BACKEND", "http://127.0.0.1:4000, http://127.0.0.1:4001"),
    ])
    .unwrap();
    assert_eq!(config.schemes, ["JWT"]);
    assert_eq!((config.max_token_bytes, config.trust.is_keyless()), (16_384, true));
    let TokenServers::Urls(urls) = config.token_server.unwrap().servers else { panic!("no URLs") };
    assert_eq!(urls.len(), 2);
    assert!(config.warnings.is_empty());
}

#[test]
fn every_fault_is_named_at_once_and_no_value_is_shown() {
    let text = faults(&[
        ("JWT_JWKS_FILE", "/k"),
        ("JWT_LEEWAY", "hunter2"),
        ("JWT_TIMEOUT_MS", "0"),
        ("JWT_AGENT_LISTEN", "hunter2"),
        ("JWT_ALGORITHMS", "RS256,none"),
        ("JWT_PROFILE", "hunter2"),
        ("JWT_TOKEN_SERVER_BACKND", "http://hunter2"),
    ]);
    let names: Vec<_> = text.lines().map(|line| line.split(':').next().unwrap()).collect();
    for name in [
        "JWT_LEEWAY",
        "JWT_TIMEOUT_MS",
        "JWT_AGENT_LISTEN",
        "JWT_ALGORITHMS",
        "JWT_PROFILE",
        "JWT_TOKEN_SERVER_BACKND",
    ] {
        assert!(names.contains(&name), "{name} in {text}");
    }
    assert!(text.contains("did you mean JWT_TOKEN_SERVER_BACKEND?"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn what_it_cannot_use_is_never_ignored() {
    let keys = ("JWT_JWKS_FILE", "/k");
    let socket = ("JWT_HAPROXY_SOCKET", "/run/h.sock");
    let server = ("JWT_TOKEN_SERVER_BACKEND", "http://127.0.0.1:4000");
    for (variables, expected) in [
        (&[][..], "JWT_JWKS_FILE: no key source"),
        (&[("JWT_PROFILE", "ms-users")], "JWT_JWKS_FILE: no key source"),
        (&[keys, ("JWT_TOKEN_SERVER_BACKEND", "token-servers")], "stats socket in JWT_HAPROXY_SOCKET"),
        (&[keys, socket, ("JWT_TOKEN_SERVER_BACKEND", "a,b")], "expected one backend's name"),
        (&[keys, socket, ("JWT_TOKEN_SERVER_BACKEND", "a;show info")], "expected one backend's name"),
        (&[keys, socket, ("JWT_TOKEN_SERVER_BACKEND", "http://a")], "expected one backend's name"),
        (&[keys, ("JWT_HAPROXY_SOCKET", "h.sock")], "JWT_HAPROXY_SOCKET: expected /path"),
        (&[keys, ("JWT_TOKEN_SERVER_BACKEND", "ftp://a")], "expected http:// or https:// URLs"),
        (&[keys, ("JWT_TOKEN_SERVER_BACKEND", "http://a/v1/check")], "URLs without a path"),
        (&[keys, ("JWT_TOKEN_SERVER_CERT_FILE", "/c")], "JWT_TOKEN_SERVER_KEY_FILE: missing"),
        (&[keys, ("JWT_TOKEN_SERVER_KEY_FILE", "/k")], "JWT_TOKEN_SERVER_CERT_FILE: missing"),
        (&[keys, socket], "JWT_TOKEN_SERVER_BACKEND: expected one backend's name"),
        (&[keys, ("JWT_ISSUERS", "a,b")], "JWT_ISSUERS: more than one issuer"),
        (&[("JWT_OIDC_ISSUERS", "https://a,https://b")], "JWT_OIDC_ISSUERS: more than one issuer"),
        (&[keys, ("JWT_VARIABLES", "auto")], "JWT_VARIABLES: auto needs --haproxy-cfg"),
        (&[keys, ("JWT_VARIABLES", "reason,bdy")], "JWT_VARIABLES: bdy is not a variable"),
        (&[keys, ("JWT_CACHE_TTL", "x")], "JWT_CACHE_TTL: expected seconds"),
        (&[keys, ("JWT_CACHE_TTL_MAX", "1")], "JWT_CACHE_TTL_MAX: is below JWT_CACHE_TTL"),
        (&[keys, ("JWT_MAX_TOKEN_BYTES", "1")], "JWT_MAX_TOKEN_BYTES: expected bytes, 256 to"),
        (&[keys, ("JWT_ALLOW_SHORT_SECRETS", "yes")], "JWT_ALLOW_SHORT_SECRETS: expected true or false"),
        (&[keys, ("JWT_OPAQUE", "yes")], "JWT_OPAQUE: expected refuse or introspect"),
        (&[keys, server, ("JWT_DECISIONS", "yes")], "JWT_DECISIONS: expected off, sample or full"),
        (
            &[keys, ("JWT_DECISIONS", "full")],
            "JWT_DECISIONS: has token-servers told of decisions, and none is set",
        ),
        (
            &[keys, ("JWT_OPAQUE", "introspect")],
            "JWT_OPAQUE: introspect has a token-server asked, and none is set",
        ),
        (
            &[keys, server, ("JWT_OPAQUE", "introspect"), ("JWT_PROFILE", "ms-users")],
            "JWT_OPAQUE: introspect is for the profile standard",
        ),
        (
            &[
                keys,
                server,
                ("JWT_OPAQUE", "introspect"),
                ("JWT_PROFILE", "at+jwt"),
                ("JWT_ISSUERS", "a"),
                ("JWT_AUDIENCES", "b"),
            ],
            "JWT_OPAQUE: introspect lets in tokens that are no JWT",
        ),
    ] {
        let text = faults(variables);
        assert!(text.contains(expected), "{expected} in {text}");
    }
}

#[test]
fn opaque_tokens_have_the_time_of_others_unless_they_have_their_own() {
    let asked = [
        ("JWT_JWKS_FILE", "/k"),
        ("JWT_TOKEN_SERVER_BACKEND", "http://127.0.0.1:4000"),
        ("JWT_OPAQUE", "introspect"),
        ("JWT_TIMEOUT_MS", "70"),
    ];
    let config = load(&asked).unwrap();
    assert_eq!((config.timeout.as_millis(), config.opaque_timeout.as_millis()), (70, 70));
    let config = load(&[&asked[..], &[("JWT_OPAQUE_TIMEOUT_MS", "900")]].concat()).unwrap();
    assert_eq!((config.timeout.as_millis(), config.opaque_timeout.as_millis()), (70, 900));
}

#[test]
fn a_bound_token_is_refused_unless_binding_is_ignored_and_any_other_value_is_a_fault() {
    for profile in ["standard", "ms-users"] {
        for (value, binding) in [
            (None, Binding::IfBound),
            (Some("if-bound"), Binding::IfBound),
            (Some("dpop"), Binding::Dpop),
            (Some("mtls"), Binding::Mtls),
            (Some("any"), Binding::Any),
            (Some("ignore"), Binding::Ignore),
        ] {
            let mut variables = vec![("JWT_JWKS_FILE", "/k"), ("JWT_PROFILE", profile)];
            variables.extend(value.map(|value| ("JWT_BINDING", value)));
            let config = load(&variables).unwrap();
            assert_eq!(config.trust.issuers()[0].policy.binding, binding, "{profile} {value:?}");
            let is_told = config.warnings.iter().any(|warning| warning.starts_with("JWT_BINDING=ignore"));
            assert_eq!(is_told, binding == Binding::Ignore, "{:?}", config.warnings);
        }
    }
    for value in ["off", "false", "IF-BOUND", "required"] {
        let text = faults(&[("JWT_JWKS_FILE", "/k"), ("JWT_BINDING", value)]);
        assert_eq!(text, "JWT_BINDING: expected if-bound, dpop, mtls, any or ignore");
    }
}

#[test]
fn a_start_without_an_audience_warns_whatever_the_issuers() {
    let keys = ("JWT_JWKS_FILE", "/k");
    for (variables, is_told) in [
        (&[keys][..], true),
        (&[keys, ("JWT_ISSUERS", "https://id.example")], true),
        (&[("JWT_OIDC_ISSUERS", "https://id.example")], true),
        (&[keys, ("JWT_AUDIENCES", "api")], false),
        (&[keys, ("JWT_PROFILE", "ms-users")], false),
    ] {
        let warnings = load(variables).unwrap().warnings;
        assert_eq!(
            warnings.iter().any(|warning| warning.contains("no audience is validated")),
            is_told,
            "{variables:?}"
        );
    }
}

#[test]
fn a_list_that_is_set_to_nothing_is_a_fault() {
    for name in [
        "JWT_ISSUERS",
        "JWT_AUDIENCES",
        "JWT_REQUIRED",
        "JWT_ALGORITHMS",
        "JWT_SCHEMES",
        "JWT_CLAIMS",
        "JWT_VARIABLES",
        "JWT_JWKS_URL",
        "JWT_OIDC_ISSUERS",
        "JWT_AGENT_LISTEN",
        "JWT_TOKEN_SERVER_BACKEND",
    ] {
        for value in ["", " ", ","] {
            let text = faults(&[("JWT_JWKS_FILE", "/k"), (name, value)]);
            assert_eq!(text, format!("{name}: is an empty list; name at least one value, or leave it out"));
        }
    }
    assert!(load(&[("JWT_JWKS_FILE", "/k"), ("JWT_PROFILE", ""), ("JWT_TIMEOUT_MS", "")]).is_ok());
}

#[test]
fn what_kubernetes_adds_is_noted_and_ignored_and_what_only_looks_alike_is_refused() {
    let keys = ("JWT_JWKS_FILE", "/k");
    let host = ("JWT_AGENT_SERVICE_HOST", "10.0.0.1");
    let config = load(&[keys, host, ("JWT_AGENT_PORT_12345_TCP", "tcp://10.0.0.1:12345")]).unwrap();
    assert!(config.warnings.iter().any(|warning| warning.contains("and 1 more are what Kubernetes writes")));
    assert!(faults(&[keys, ("JWT_AGENT_PORT", "12345")]).starts_with("JWT_AGENT_PORT: no such setting"));
    assert!(faults(&[keys, host, ("JWT_AGENT_LISTN", "x")]).starts_with("JWT_AGENT_LISTN: no such setting"));
}

#[test]
fn token_servers_may_be_a_backend_of_haproxy() {
    for (socket, expected) in [
        ("/run/h.sock", Address::Unix("/run/h.sock".into())),
        ("unix@/run/h.sock", Address::Unix("/run/h.sock".into())),
        ("127.0.0.1:9999", Address::Tcp("127.0.0.1:9999".into())),
    ] {
        let config = load(&[
            ("JWT_JWKS_FILE", "/k"),
            ("JWT_TOKEN_SERVER_BACKEND", "token-servers"),
            ("JWT_HAPROXY_SOCKET", socket),
        ]);
        let servers = config.unwrap().token_server.unwrap().servers;
        assert_eq!(servers, TokenServers::Backend { name: "token-servers".into(), socket: expected });
    }
}

#[test]
fn a_discovered_issuer_is_the_accepted_one() {
    let config = load(&[("JWT_OIDC_ISSUERS", "https://id.example")]).unwrap();
    assert_eq!(config.trust.issuers()[0].policy.issuers, ["https://id.example".into()]);
}

#[test]
fn a_template_of_many_tenants_is_for_the_tables_alone_and_all_tenants_are_a_warning() {
    let template = "https://login.example/{tenantid}/v2.0";
    for (name, others) in [
        ("JWT_OIDC_ISSUERS", vec![]),
        ("JWT_OIDC_ISSUERS", vec![("JWT_ISSUERS", "https://id.example")]),
        ("JWT_ISSUERS", vec![("JWT_JWKS_FILE", "/k")]),
    ] {
        let variables: Vec<_> = others.into_iter().chain([(name, template)]).collect();
        let text = load(&variables).unwrap_err().to_string();
        assert!(text.contains(&format!("{name}: {{tenantid}} stands for a tenant")), "{text}");
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let table = format!("[[issuers]]\nissuer = \"{template}\"\ntenants = \"*\"\nkeys_file = \"/k\"\n");
    std::io::Write::write_all(&mut file, table.as_bytes()).unwrap();
    let config = Config::load([("JWT_CONFIG".into(), file.path().into())], None, None).unwrap();
    let told = |text: &String| text.contains(&format!("tokens of every tenant of {template} are accepted"));
    assert!(config.warnings.iter().any(told), "{:?}", config.warnings);
}

#[test]
fn times_of_the_cache_are_judged_and_reported_as_without_effect() {
    for (ttl, ttl_max, expected) in [
        (None, None, (2, 300)),
        (Some("0"), None, (0, 300)),
        (Some("600"), None, (600, 600)),
        (None, Some("2"), (2, 2)),
        (Some("1"), Some("60"), (1, 60)),
    ] {
        let both = [("JWT_CACHE_TTL", ttl), ("JWT_CACHE_TTL_MAX", ttl_max)];
        let both = both.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let config = load(&[("JWT_JWKS_FILE", "/k")].into_iter().chain(both).collect::<Vec<_>>()).unwrap();
        let terms = Terms { ttl: Duration::from_secs(expected.0), ttl_max: Duration::from_secs(expected.1) };
        assert_eq!(config.terms, terms);
    }
}

#[test]
fn setenv_lines_of_a_haproxy_cfg_count_and_auto_takes_its_variables() {
    let cfg = HaproxyCfg::parse(
        "global\n setenv JWT_JWKS_FILE /k\n setenv JWT_LEEWAY 7\n setenv JWT_VARIABLES auto\n\
         frontend f\n http-request set-header x-user %[var(txn.tkn.payload.sub)]\n",
    )
    .unwrap();
    let config = Config::load([("JWT_LEEWAY".into(), "1".into())], Some(&cfg), None).unwrap();
    assert_eq!(config.trust.max_leeway().end.as_secs(), 7);
    assert_eq!(config.variables, Variables::Only(["payload.sub".to_owned()].into()));
}

#[test]
fn tables_of_the_file_are_issuers_and_a_given_key_file_replaces_all_sources() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(
        &mut file,
        b"JWT_AUDIENCES = [\"api\"]\n[[issuers]]\nissuer = \"a\"\nkeys_url = \"https://a.example/k\"\n\
          [[issuers]]\nissuer = \"b\"\nkeys_file = \"/b\"\n[[policies]]\nname = \"p\"\nissuers = [\"b\"]\n",
    )
    .unwrap();
    let environment = || [("JWT_CONFIG".into(), file.path().into())];
    let config = Config::load(environment(), None, None).unwrap();
    assert_eq!(config.keys.issuers[0].urls, ["https://a.example/k"]);
    assert_eq!(config.trust.issuers()[1].policy.audiences, ["api"]);
    assert_eq!(config.trust.policy(Some("p")).unwrap().issuers, [1]);
    assert!(config.warnings.is_empty());

    let config = Config::load(environment(), None, Some(Path::new("/given"))).unwrap();
    assert!(config.keys.issuers.iter().all(|keys| keys.file.as_deref() == Some(Path::new("/given"))));
    assert_eq!((config.keys.issuers.len(), config.keys.issuers[0].urls.len()), (2, 0));
    let alone = Config::load([], None, Some(Path::new("/given"))).unwrap();
    assert_eq!(alone.keys.issuers.len(), 1);
}

#[test]
fn claims_that_are_required_are_so_of_every_issuer_whose_table_does_not_say_otherwise() {
    let required = |config: &Config| {
        let issuers = config.trust.issuers().iter();
        let of = |issuer: &jose::TrustedIssuer| {
            let rules = issuer.policy.requirements.claims.iter();
            rules.map(|rule| format!("{} {:?}", rule.path, rule.condition)).collect::<Vec<_>>()
        };
        issuers.map(of).collect::<Vec<_>>()
    };
    let flat = load(&[("JWT_JWKS_FILE", "/k"), ("JWT_REQUIRED", "email, realm.roles")]).unwrap();
    assert_eq!(required(&flat), [["email Present", "realm.roles Present"]]);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(
        &mut file,
        b"JWT_REQUIRED = \"email\"\n[[issuers]]\nissuer = \"a\"\nkeys_file = \"/a\"\n\
          [[issuers]]\nissuer = \"b\"\nkeys_file = \"/b\"\nrequired = [\"role\"]\nforbidden = [\"act\"]\n",
    )
    .unwrap();
    let tables = Config::load([("JWT_CONFIG".into(), file.path().into())], None, None).unwrap();
    assert_eq!(required(&tables), [vec!["email Present"], vec!["role Present", "act Absent"]]);
}

#[test]
fn a_table_of_issuers_or_policies_may_say_whether_tokens_must_be_bound_and_a_policy_never_asks_for_less() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let read = |issuer: &str, policy: &str| {
        let text = format!(
            "[[issuers]]\nissuer = 'i'\nkeys_file = '/k'\n{issuer}\n[[policies]]\nname = 'pay'\n{policy}\n"
        );
        std::fs::write(file.path(), text).unwrap();
        load(&[("JWT_CONFIG", &file.path().display().to_string()), ("JWT_BINDING", "any")])
    };
    for (issuer, policy, expected) in [
        ("", "", (Binding::Any, None)),
        ("binding = 'ignore'", "binding = 'mtls'", (Binding::Ignore, Some(Binding::Mtls))),
        ("binding = 'mtls'", "binding = 'if-bound'", (Binding::Mtls, Some(Binding::IfBound))),
        ("", "binding = 'dpop'", (Binding::Any, Some(Binding::Dpop))),
    ] {
        let config = read(issuer, policy).unwrap();
        let pay = config.trust.policy(Some("pay")).unwrap().binding;
        assert_eq!((config.trust.issuers()[0].policy.binding, pay), expected, "{issuer} {policy}");
        assert_eq!(config.trust.policy(None).unwrap().binding, None);
        let is_told = config.warnings.iter().any(|warning| warning.contains("is accepted from any client"));
        assert_eq!(is_told, expected.0 == Binding::Ignore, "{:?}", config.warnings);
    }
    for (issuer, policy, expected) in [
        ("", "binding = 'ignore'", "policies[0].binding: a policy cannot ask for less than its issuers do"),
        ("", "binding = 'off'", "policies[0].binding: expected if-bound, dpop, mtls, any or ignore"),
        ("binding = true", "", "issuers[0].binding"),
    ] {
        let faults = read(issuer, policy).unwrap_err().to_string();
        assert!(faults.contains(expected), "{faults}");
    }
}

#[test]
fn certificates_are_told_by_the_connection_unless_a_header_is_asked_for() {
    for (value, expected) in [
        (None, CertificateForm::Tls),
        (Some("tls"), CertificateForm::Tls),
        (Some("rfc9440"), CertificateForm::Rfc9440),
    ] {
        let mut variables = vec![("JWT_JWKS_FILE", "/k")];
        variables.extend(value.map(|value| ("JWT_CLIENT_CERT", value)));
        assert_eq!(load(&variables).unwrap().certificates, expected, "{value:?}");
    }
    let text = faults(&[("JWT_JWKS_FILE", "/k"), ("JWT_CLIENT_CERT", "header")]);
    assert_eq!(text, "JWT_CLIENT_CERT: expected tls or rfc9440");
}
