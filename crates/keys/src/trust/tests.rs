mod own_tokens;

use super::*;
use jose::{Binding, Leeway};
use std::io::Write as _;

pub(super) const NAMES: TrustNames = TrustNames {
    config: "APP_CONFIG",
    file: "APP_KEYS",
    oidc_issuers: "APP_OIDC_ISSUERS",
    sync_interval: "APP_SYNC_INTERVAL",
    allow_short_secrets: "APP_ALLOW_SHORT_SECRETS",
    allow_mixed_keys: "APP_ALLOW_MIXED_KEYS",
    issuers: "APP_ISSUERS",
    audiences: "APP_AUDIENCES",
    algorithms: "APP_ALGORITHMS",
    leeway: "APP_LEEWAY",
    binding: "APP_BINDING",
    opaque: "APP_OPAQUE",
    required: "APP_REQUIRED",
    challenge: ChallengeNames {
        resource: "APP_RESOURCE",
        resource_metadata: "APP_RESOURCE_METADATA",
        realm: "APP_REALM",
        scopes: "APP_CHALLENGE_SCOPES",
        acr_values: "APP_ACR_VALUES",
        max_age: "APP_MAX_AGE",
    },
    fetch: FetchNames { ca_file: "APP_CA", ..FetchNames::TABLE },
};

fn load(
    toml: &str,
    profile: Profile,
    flat_issuers: &[&str],
    flat_keys: bool,
) -> Result<(Trust, Vec<IssuerKeys>), String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(toml.as_bytes()).unwrap();
    let variables = [("APP_CONFIG".into(), file.path().into()), ("APP_CA".into(), "/flat-ca".into())];
    let mut settings = Settings::load("APP_", "APP_CONFIG", variables).unwrap();
    let fetch = Fetch::read(&mut settings, NAMES.fetch);
    let flat = Flat {
        policy: IssuerPolicy {
            issuers: flat_issuers.iter().map(|name| (*name).into()).collect(),
            audiences: vec!["base".to_owned()],
            leeway: Leeway::default(),
            binding: Binding::Ignore,
            ..IssuerPolicy::of(profile)
        },
        keys: IssuerKeys { file: flat_keys.then(|| "/flat".into()), fetch, ..IssuerKeys::default() },
        challenged: Challenged::default(),
        opaque: None,
        names: NAMES,
    };
    let read = read(&mut settings, flat);
    settings.finish().map_err(|error| error.to_string())?;
    read.ok_or_else(|| "no issuer is trusted".to_owned())
}

#[test]
fn tables_become_issuers_and_policies() {
    let (trust, keys) = load(
        r#"
        [[issuers]]
        issuer = "https://a.example"
        discovery = true
        audiences = ["api"]
        algorithms = ["RS256", "ES256"]
        leeway = 7
        required = ["email"]

        [[issuers]]
        issuer = "b"
        keys_file = "/b.json"
        keys_url = ["https://b.example/1", "https://b.example/2"]

        [[policies]]
        name = "admin"
        issuers = ["b"]
        audiences = ["admin"]
        types = ["at+jwt"]
        max_lifetime = 900
        subjects = ["user-*"]
        all_scopes = ["read", "write"]
        any_scope = ["eu"]
        forbidden = ["act"]
        claims = { "realm.roles" = ["root", 7], verified = true }
        not_claims = { tenant = "guest" }
        "#,
        Profile::Standard,
        &["flat"],
        true,
    )
    .unwrap();
    let names: Vec<_> = trust.issuers().iter().map(|issuer| issuer.policy.issuers[0].as_str()).collect();
    assert_eq!(names, ["https://a.example", "b", "flat"]);
    let [found] = keys[0].discovery.as_slice() else { panic!("{keys:?}") };
    assert_eq!((found.issuer.as_str(), found.url.as_deref()), ("https://a.example", None));
    assert_eq!((keys[1].urls.len(), keys[2].file.clone()), (2, Some("/flat".into())));
    let [first, second, _] = trust.issuers() else { panic!("{trust:?}") };
    assert_eq!(first.policy.leeway, Leeway::both(Duration::from_secs(7)));
    assert_eq!(second.policy.leeway, Leeway::default());
    assert!(trust.issuers().iter().all(|issuer| issuer.policy.binding == Binding::Ignore));
    assert_eq!((first.policy.audiences[0].as_str(), second.policy.audiences[0].as_str()), ("api", "base"));
    assert_eq!(first.policy.algorithms.iter().count(), 2);
    assert_eq!(first.policy.requirements.claims.len(), 1);

    assert_eq!(trust.policy(None).unwrap().issuers, [0, 1, 2]);
    let admin = trust.policy(Some("admin")).unwrap();
    assert_eq!((admin.issuers.as_slice(), admin.audiences[0].as_str()), (&[1][..], "admin"));
    let wanted = &admin.requirements;
    assert_eq!(wanted.max_lifetime, Some(Duration::from_secs(900)));
    assert_eq!((wanted.types.len(), wanted.subjects.len()), (1, 1));
    assert_eq!((wanted.all_scopes.len(), wanted.any_scope.len()), (2, 1));
    let conditions: Vec<_> =
        wanted.claims.iter().map(|rule| format!("{} {:?}", rule.path, rule.condition)).collect();
    assert_eq!(
        conditions,
        [
            "act Absent",
            r#"realm.roles OneOf([String("root"), Int(7)])"#,
            "verified OneOf([Bool(true)])",
            r#"tenant NoneOf([String("guest")])"#
        ]
    );
}

#[test]
fn a_table_has_certificates_of_its_own_or_those_of_the_flat_setting() {
    let table = |field: &str| {
        let toml = format!("[[issuers]]\nissuer = \"a\"\nkeys_url = \"https://a.example\"\n{field}");
        let (_, keys) = load(&toml, Profile::Standard, &[], false).unwrap();
        (keys[0].fetch.ca_file.clone(), keys[0].fetch.ca_setting.clone())
    };
    assert_eq!(table("ca_file = \"/own\""), (Some("/own".into()), "issuers[0].ca_file".to_owned()));
    assert_eq!(table(""), (Some("/flat-ca".into()), "APP_CA".to_owned()));
}

#[test]
fn an_issuer_may_go_by_other_names_and_have_its_document_elsewhere() {
    let names = |trust: &Trust| {
        let names = trust.issuers()[0].policy.issuers.iter();
        names.map(ToString::to_string).collect::<Vec<_>>()
    };
    let good = "[[issuers]]\nissuer = \"https://a.example\"\nissuer_aliases = [\"a\", \"b\"]\n";
    let url = "discovery_url = \"https://in.example/d?p=x\"\n";
    for (fields, found) in [
        ("keys_file = \"/k\"", None),
        ("discovery = true", Some(None)),
        (url, Some(Some("https://in.example/d?p=x"))),
        (&format!("{url}discovery = true"), Some(Some("https://in.example/d?p=x"))),
    ] {
        let (trust, keys) = load(&format!("{good}{fields}"), Profile::Standard, &[], false).unwrap();
        assert_eq!(names(&trust), ["https://a.example", "a", "b"]);
        let read = keys[0].discovery.first();
        assert_eq!(read.map(|found| found.url.as_deref()), found, "{fields}");
        for (name, expected) in [("https://a.example", true), ("b", true), ("c", false)] {
            assert_eq!(read.is_none_or(|found| found.goes_by(name)), expected || found.is_none(), "{name}");
        }
    }
    let (trust, _) = load(
        &format!("{good}{url}[[policies]]\nname = \"p\"\nissuers = [\"https://a.example\"]"),
        Profile::Standard,
        &[],
        false,
    )
    .unwrap();
    assert_eq!(trust.policy(Some("p")).unwrap().issuers, [0]);
    for (fields, expected) in [
        (
            "discovery_url = \"in.example/d\"",
            "issuers[0].discovery_url: expected the http:// or https:// URL",
        ),
        ("discovery_url = \"file:///d\"", "issuers[0].discovery_url: expected the http:// or https:// URL"),
        ("discovery_url = \"https://\"", "issuers[0].discovery_url: expected the http:// or https:// URL"),
        (&format!("{url}discovery = false"), "issuers[0].discovery: is false, though discovery_url is set"),
        ("discovery = false", "set keys_file, keys_url, discovery = true or discovery_url"),
        (
            "keys_file = \"/k\"\n[[issuers]]\nissuer = \"b\"\nkeys_file = \"/k\"",
            "[[issuers]], [[policies]]: b comes twice",
        ),
        (
            "keys_file = \"/k\"\n[[policies]]\nname = \"p\"\nissuers = [\"b\"]",
            "policies[0].issuers: names what is the issuer of no [[issuers]] table; an issuer with aliases",
        ),
    ] {
        let text = load(&format!("{good}{fields}"), Profile::Standard, &[], false).unwrap_err();
        assert!(text.contains(expected), "{expected} in {text}");
    }
    let twice = good.replace("\"b\"", "\"https://a.example\"");
    let text = load(&format!("{twice}{url}"), Profile::Standard, &[], false).unwrap_err();
    assert!(text.contains("https://a.example comes twice"), "{text}");
}

#[test]
fn a_template_needs_the_tenants_that_are_trusted_and_the_place_of_its_document() {
    const ONE: &str = "11111111-2222-3333-4444-555555555555";
    let table =
        |fields: &str| format!("[[issuers]]\nissuer = \"https://h.example/{{tenantid}}/v2.0\"\n{fields}");
    let (tenants, url) =
        (format!("tenants = [{ONE:?}]\n"), "discovery_url = \"https://h.example/common/d\"\n");
    for (fields, every) in [
        (format!("{tenants}{url}"), false),
        (format!("{tenants}keys_url = \"https://h.example/k\""), false),
        (format!("tenants = {ONE:?}\n{url}issuer_aliases = \"https://sts.example/{{tenantid}}/\""), false),
        (format!("tenants = \"*\"\n{url}"), true),
        (format!("tenants = [\"*\"]\n{url}"), true),
    ] {
        let (trust, _) = load(&table(&fields), Profile::Standard, &[], false).unwrap();
        let warning = every_tenant_warning(&trust);
        assert_eq!(warning.is_some_and(|text| text.contains("every tenant of https://h.example/")), every);
    }
    let plain = "[[issuers]]\nissuer = \"https://h.example/\"\nkeys_file = \"/k\"\n";
    for (toml, expected) in [
        (table(url), "issuers[0].tenants: is required: {tenantid} in issuer stands for a tenant"),
        (table(&format!("{url}tenants = []")), "issuers[0].tenants: is an empty list"),
        (
            table(&format!("{url}tenants = [\"contoso.com\"]")),
            "issuers[0].tenants: expected tenants as GUIDs",
        ),
        (table(&format!("{url}tenants = [\"*\", {ONE:?}]")), "issuers[0].tenants: expected tenants as GUIDs"),
        (table(&format!("{tenants}discovery = true")), "issuers[0].discovery_url: is required"),
        (
            table(&format!("{tenants}{url}issuer_aliases = [\"https://{{tenantid}}.example/\"]")),
            "issuers[0].issuer_aliases: expected {tenantid} once, as a whole part of the path",
        ),
        (
            table(&format!("{tenants}{url}")).replace("{tenantid}", "x{tenantid}"),
            "issuers[0].issuer: expected {tenantid} once, as a whole part of the path",
        ),
        (
            format!("{plain}issuer_aliases = [\"https://h.example/{{tenantid}}/\"]"),
            "issuers[0].tenants: is required",
        ),
        (format!("{plain}{tenants}"), "issuers[0].tenants: are for an issuer with {tenantid} in it"),
        (
            format!(
                "{}{plain}issuer_aliases = [\"https://h.example/{ONE}/v2.0\"]",
                table(&format!("{tenants}{url}"))
            ),
            "[[issuers]], [[policies]]: https://h.example/11111111-2222-3333-4444-555555555555/v2.0 comes twice",
        ),
    ] {
        let text = load(&toml, Profile::Standard, &[], false).unwrap_err();
        assert!(text.contains(expected), "{expected} in {text}");
    }
}

#[test]
fn a_default_policy_can_be_written_and_the_flat_settings_alone_suffice() {
    let table = "[[policies]]\nname = \"default\"\nall_scopes = [\"read\"]";
    let (trust, keys) = load(table, Profile::MsUsers, &[], true).unwrap();
    assert_eq!((trust.policies().len(), keys.len()), (1, 1));
    assert_eq!(trust.policy(None).unwrap().requirements.all_scopes, ["read"]);
}

#[test]
fn faults_say_which_table_and_field() {
    use Profile::{MsUsers, Standard};
    let good = "[[issuers]]\nissuer = \"a\"\nkeys_file = \"/a\"\n";
    for (toml, profile, flat_issuers, flat_keys, expected) in [
        (String::new(), Standard, &[][..], false, "no issuer is trusted"),
        ("[[issuers]]\nkeys_file = \"/a\"".into(), Standard, &[], false, "issuers[0].issuer: is required"),
        ("[[issuers]]\nissuer = \"a\"".into(), Standard, &[], false, "issuers[0].issuer: has no keys"),
        (format!("{good}leeway = 301"), Standard, &[], false, "issuers[0].leeway: expected seconds, at most"),
        (
            format!("{good}algorithms = [\"none\"]"),
            Standard,
            &[],
            false,
            "issuers[0].algorithms: none is no signature algorithm; there are ES256",
        ),
        (format!("{good}audience = \"x\""), Standard, &[], false, "did you mean audiences?"),
        (format!("{good}{good}"), Standard, &[], false, "a comes twice"),
        (good.into(), Standard, &[], true, "APP_KEYS: beside [[issuers]]"),
        (good.into(), MsUsers, &[], false, "[[issuers]]: the ms-users profile"),
        (
            format!("{good}[[policies]]\nall_scopes = [\"x\"]"),
            Standard,
            &[],
            false,
            "policies[0].name: is required",
        ),
        (
            format!("{good}[[policies]]\nname = \"p\"\nissuers = [\"z\"]"),
            Standard,
            &[],
            false,
            "policies[0].issuers: names",
        ),
        (
            format!("{good}[[policies]]\nname = \"p\"\nclaims = [\"x\"]"),
            Standard,
            &[],
            false,
            "policies[0].claims: expected a table",
        ),
    ] {
        let text = load(&toml, profile, flat_issuers, flat_keys).unwrap_err();
        assert!(text.contains(expected), "{expected} in {text}");
    }
}

#[test]
fn an_empty_list_restricts_nothing_and_is_a_fault_that_names_the_cure() {
    let issuer = "[[issuers]]\nissuer = \"a\"\nkeys_file = \"/a\"\n";
    let policy = "[[policies]]\nname = \"p\"\n";
    let both =
        ["audiences", "types", "algorithms", "all_scopes", "any_scope", "subjects", "required", "forbidden"];
    let mut lines: Vec<(String, &str, &str)> = Vec::new();
    for value in ["[]", "[\"\"]", "[\" \", \"\"]", "\"\"", "\",\""] {
        let line = |name: &str| format!("{name} = {value}");
        for name in both {
            lines.push((format!("{issuer}{}", line(name)), "issuers[0].", name));
            lines.push((format!("{issuer}{policy}{}", line(name)), "policies[0].", name));
        }
        for name in ["keys_url", "issuer_aliases", "tenants"] {
            lines.push((format!("{issuer}{}", line(name)), "issuers[0].", name));
        }
        lines.push((format!("{issuer}{policy}{}", line("issuers")), "policies[0].", "issuers"));
    }
    for name in ["claims", "not_claims"] {
        for value in ["{}", "{ x = [] }", "{ x = [1], y = [] }"] {
            lines.push((format!("{issuer}{name} = {value}"), "issuers[0].", name));
            lines.push((format!("{issuer}{policy}{name} = {value}"), "policies[0].", name));
        }
    }
    for (toml, place, name) in &lines {
        let text = load(toml, Profile::Standard, &[], false).unwrap_err();
        let expected = format!("{place}{name}: is an empty ");
        let fault = text.lines().find(|line| line.starts_with(&expected));
        let fault = fault.unwrap_or_else(|| panic!("{expected} in {text} for {toml}"));
        assert!(fault.ends_with("; name at least one value, or leave it out"), "{fault}");
    }
    for (line, name) in [("max_lifetime = \"\"", "max_lifetime"), ("leeway = \" \"", "leeway")] {
        let text = load(&format!("{issuer}{line}"), Profile::Standard, &[], false).unwrap_err();
        assert!(text.starts_with(&format!("issuers[0].{name}: is empty; give it a value")), "{text}");
    }
}

#[test]
fn claims_may_have_short_names_and_grant_scopes_by_other_names() {
    let table = "[[issuers]]\nissuer = \"a\"\nkeys_file = \"/k\"\n";
    let policy = "[[policies]]\nname = \"p\"\n";
    let fields = "scope_claim = \"permission\"\nclaim_names = { role = \"http://a.example/role\", r = \"realm.roles\" }\n";
    let several = "scope_claim = [\"permission\", \"permissions\"]\n";
    let (trust, _) =
        load(&format!("{table}{fields}{policy}{several}"), Profile::Standard, &[], false).unwrap();
    let issuer = &trust.issuers()[0].policy.requirements;
    assert_eq!(issuer.scope_claims, ["permission"]);
    let pairs: Vec<_> = issuer.names.iter().collect();
    assert_eq!(pairs, [("r", "realm.roles"), ("role", "http://a.example/role")]);
    let own = &trust.policy(Some("p")).unwrap().requirements;
    assert_eq!((own.scope_claims.len(), own.names.iter().count()), (2, 0));
    for (field, what) in [
        ("claim_names = { \"a.b\" = \"c\" }", "claim_names: a.b: expected a short name of letters, digits"),
        (
            "claim_names = { sub = \"nameid\" }",
            "claim_names: sub is judged as the claim of exactly that name",
        ),
        ("claim_names = { role = \" \" }", "claim_names: role stands for no claim"),
        ("claim_names = { role = [\"a\", \"b\"] }", "claim_names: role stands for no claim"),
        ("claim_names = { role = 7 }", "claim_names: role stands for no claim"),
        ("claim_names = {}", "claim_names: is an empty table"),
        ("claim_names = \"role=a\"", "claim_names: expected a table"),
        ("scope_claim = []", "scope_claim: is an empty list"),
        ("scope_claims = \"a\"", "did you mean"),
    ] {
        for toml in [format!("{table}{field}\n"), format!("{table}{policy}{field}\n")] {
            let error = load(&toml, Profile::Standard, &[], false).unwrap_err();
            assert!(error.contains(what), "{toml} {error}");
        }
    }
}
