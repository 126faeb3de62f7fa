use std::io::Write as _;

use jose::{AuthScheme, Reject, Trust};

use super::super::tests::NAMES;
use super::super::{Flat, Preset, read};
use super::*;

/// What these tables and variables say.
fn load(toml: &str, variables: &[(&str, &str)]) -> Result<Trust, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(toml.as_bytes()).unwrap();
    let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let variables = variables.chain([("APP_CONFIG".into(), file.path().into())]);
    let mut settings = Settings::load("APP_", "APP_CONFIG", variables).unwrap();
    let preset = settings.parse("APP_PROFILE", Preset::EXPECTED).unwrap_or_default();
    let flat = Flat::read(&mut settings, NAMES, preset);
    let trust = read(&mut settings, flat);
    settings.finish().map_err(|error| error.to_string())?;
    Ok(trust.unwrap().0)
}

const ISSUER: &str = "[[issuers]]\nissuer = \"https://id.example\"\nkeys_file = \"/k\"\n";
const RESOURCE: (&str, &str) = ("APP_RESOURCE", "https://h.example/mcp");

fn told(trust: &Trust, policy: &str, reject: Reject) -> String {
    trust
        .policy(Some(policy))
        .unwrap()
        .challenges
        .of(reject, AuthScheme::Bearer)
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn a_policy_tells_its_own_and_what_it_leaves_out_is_flat() {
    let toml = format!(
        r#"{ISSUER}
        acr_values = ["a", "b"]
        [[policies]]
        name = "write"
        all_scopes = ["read", "write"]
        any_scope = ["eu", "us"]
        acr_values = ["b", "c"]
        max_age = 60
        [[policies]]
        name = "other"
        resource = "https://h.example/other"
        realm = "other"
        any_scope = ["eu", "us"]
        max_age = 600
        "#
    );
    let variables = [RESOURCE, ("APP_REALM", "shop"), ("APP_MAX_AGE", "300")];
    let trust = load(&toml, &variables).unwrap();
    let meta = "https://h.example/.well-known/oauth-protected-resource";
    let login = r#"error="insufficient_user_authentication", error_description="acr""#;
    for (policy, expected) in [
        (
            "default",
            format!(
                r#"Bearer realm="shop", resource_metadata="{meta}/mcp", {login}, acr_values="a b", max_age="300""#
            ),
        ),
        (
            "write",
            format!(
                r#"Bearer realm="shop", scope="read write", resource_metadata="{meta}/mcp", {login}, acr_values="b", max_age="60""#
            ),
        ),
        (
            "other",
            format!(
                r#"Bearer realm="other", scope="eu us", resource_metadata="{meta}/other", {login}, acr_values="a b", max_age="300""#
            ),
        ),
    ] {
        assert_eq!(told(&trust, policy, Reject::Acr), expected);
    }
    let audiences: Vec<_> = trust.policies().iter().map(|policy| policy.audiences.join(",")).collect();
    assert_eq!(audiences, ["https://h.example/mcp", "https://h.example/mcp", "https://h.example/other"]);
    assert!(!trust.accepts_any_audience());
    let document = trust.metadata(trust.policy(Some("write")).unwrap()).unwrap();
    assert_eq!(
        serde_json::to_string(&document).unwrap(),
        r#"{"authorization_servers":["https://id.example"],"bearer_methods_supported":["header"],"resource":"https://h.example/mcp","scopes_supported":["read","write"]}"#
    );
}

#[test]
fn where_nothing_is_set_a_challenge_is_as_it_was() {
    let trust = load(ISSUER, &[]).unwrap();
    assert_eq!(
        told(&trust, "default", Reject::Expired),
        r#"Bearer realm="api", error="invalid_token", error_description="expired""#
    );
    assert_eq!(trust.metadata(trust.policy(None).unwrap()), None);
    let scopes = [("APP_CHALLENGE_SCOPES", "x"), ("APP_RESOURCE_METADATA", "https://m.example/a.json")];
    assert_eq!(
        told(&load(ISSUER, &scopes).unwrap(), "default", Reject::Missing),
        r#"Bearer realm="api", scope="x", resource_metadata="https://m.example/a.json""#
    );
}

#[test]
fn tokens_for_a_resource_are_accepted_or_it_is_a_fault() {
    let audiences = |list: &str| format!("{ISSUER}audiences = {list}\n");
    let policy = |fields: &str| format!("{ISSUER}[[policies]]\nname = \"p\"\n{fields}\n");
    let (with, other) = (r#"["x", "https://h.example/mcp"]"#, r#"["https://h.example/mcp/"]"#);
    for (toml, expected) in [
        (ISSUER.to_owned(), Ok(vec!["https://h.example/mcp"])),
        (audiences(with), Ok(vec![])),
        (audiences(other), Err("APP_RESOURCE: clients ask tokens for it")),
        (policy(&format!("audiences = {with}")), Ok(vec!["https://h.example/mcp"])),
        (policy(&format!("audiences = {other}")), Err("policies[0].resource: clients ask tokens for it")),
        (
            policy(r#"resource = "https://h.example/mcp/""#),
            Err("policies[0].resource: expected no slash at the end"),
        ),
        (
            policy(r#"resource = "https://h.example/a?b""#),
            Err("policies[0].resource: expected a URL without ?"),
        ),
    ] {
        match (load(&toml, &[RESOURCE]), expected) {
            (Ok(trust), Ok(audiences)) => assert_eq!(trust.policies()[0].audiences, audiences, "{toml}"),
            (Err(text), Err(expected)) => assert!(text.contains(expected), "{expected} in {text}"),
            (found, expected) => panic!("{found:?}, not {expected:?}, of {toml}"),
        }
    }
}

#[test]
fn what_cannot_stand_in_a_challenge_is_a_fault_with_its_name_and_without_its_value() {
    for (name, value, expected) in [
        ("APP_RESOURCE", "http://hunter2.example", "expected a URL that begins with https://"),
        ("APP_RESOURCE_METADATA", "https://hunter2.example/\"x", "expected a URL that begins with https://"),
        ("APP_REALM", "hunter2, \"x\"", "expected letters, digits"),
        ("APP_CHALLENGE_SCOPES", "hunter2\\", "expected printable ASCII"),
        ("APP_CHALLENGE_SCOPES", "read,offline_access", "leave it out"),
        ("APP_ACR_VALUES", "hunter 2", "expected printable ASCII"),
        ("APP_MAX_AGE", "0", "expected seconds, 1 to 31536000"),
        ("APP_MAX_AGE", "31536001", "expected seconds, 1 to 31536000"),
        ("APP_MAX_AGE", "-1", "expected seconds"),
    ] {
        let text = load(ISSUER, &[(name, value)]).unwrap_err();
        assert!(text.starts_with(&format!("{name}: ")) && text.contains(expected), "{value}: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    let long = "x".repeat(5000);
    let policy = |fields: &str| format!("{ISSUER}acr_values = \"a\"\n[[policies]]\nname = \"p\"\n{fields}\n");
    for (fields, expected) in [
        ("all_scopes = [\"a b\"]".to_owned(), "policies[0].challenge_scopes: must be set"),
        (
            format!("all_scopes = [{long:?}]"),
            "policies[0].challenge_scopes: the challenge (WWW-Authenticate) would be longer",
        ),
        ("acr_values = [\"b\"]".to_owned(), "policies[0].acr_values: has none of those"),
        ("max_age = 0".to_owned(), "policies[0].max_age: expected seconds"),
        (
            "challenge_scopes = [\"offline_access\"]".to_owned(),
            "policies[0].challenge_scopes: offline_access",
        ),
    ] {
        let text = load(&policy(&fields), &[]).unwrap_err();
        assert!(text.contains(expected), "{expected} in {text}");
    }
}

#[test]
fn access_tokens_alone_are_asked_for_with_issuers_and_audiences() {
    let (profile, flat) = (("APP_PROFILE", "at+jwt"), ("APP_KEYS", "/k"));
    for (toml, variables, expected) in [
        (ISSUER, &[profile, RESOURCE][..], None),
        (ISSUER, &[profile, ("APP_AUDIENCES", "api")], None),
        ("", &[profile, flat, ("APP_AUDIENCES", "api"), ("APP_ISSUERS", "https://id.example")], None),
        (ISSUER, &[profile], Some("APP_AUDIENCES: no audience is set")),
        ("", &[profile, flat, ("APP_AUDIENCES", "api")], Some("APP_ISSUERS: no issuer is set")),
        (
            "[[issuers]]\nissuer = \"a\"\nkeys_file = \"/k\"\n[[policies]]\nname = \"p\"\naudiences = \"x\"",
            &[profile],
            Some("APP_AUDIENCES: no audience is set"),
        ),
    ] {
        let found = load(toml, variables);
        match expected {
            None => assert!(found.unwrap().issuers()[0].policy.kind == jose::TokenKind::AccessToken),
            Some(expected) => {
                let text = found.unwrap_err();
                assert!(text.contains(expected), "{expected} in {text}");
            }
        }
    }
    assert!(load(ISSUER, &[("APP_PROFILE", "at")]).unwrap_err().contains("standard, at+jwt or ms-users"));
}
