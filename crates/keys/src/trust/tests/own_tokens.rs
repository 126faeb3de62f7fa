//! Issuers whose tokens have a form of their own: of load balancers, and opaque ones.

use super::*;
use jose::Opaque;

#[test]
fn load_balancers_are_named_beside_the_place_of_their_keys_and_only_there() {
    const ARN: &str = "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/a/1";
    let table =
        |lines: &str| load(&format!("[[issuers]]\nissuer = \"a\"\n{lines}"), Profile::Standard, &[], false);
    let url = r#"keys_url = "https://keys.example/{kid}""#;
    let (trust, keys) = table(&format!("{url}\nalb_signers = [{ARN:?}]")).unwrap();
    assert_eq!(trust.issuers()[0].signers, [ARN]);
    assert_eq!(keys[0].urls, ["https://keys.example/{kid}"]);
    let other = r#"keys_url = "https://keys.example/jwks""#;
    for (lines, expected) in [
        (url.to_owned(), "alb_signers: is required"),
        (format!("{other}\nalb_signers = [{ARN:?}]"), "keys_url: expected {kid}"),
        (format!("keys_file = \"/k\"\nalb_signers = [{ARN:?}]"), "keys_url: expected {kid}"),
        (
            format!(
                "keys_url = [\"https://a.example/{{kid}}\", \"https://a.example/k\"]\nalb_signers = [{ARN:?}]"
            ),
            "keys_url: expected {kid}",
        ),
        (format!("{url}\nalb_signers = [\"shop\"]"), "alb_signers: expected the whole ARNs"),
        (format!("{url}\nalb_signers = []"), "alb_signers"),
        (format!("{url}\ndiscovery = true\nalb_signers = [{ARN:?}]"), "leave discovery out"),
    ] {
        let fault = table(&lines).unwrap_err();
        assert!(fault.contains(expected), "{lines}: {fault}");
    }
}

#[test]
fn an_issuer_of_opaque_tokens_has_no_keys_and_signs_nothing() {
    let issuers =
        "[[issuers]]\nissuer = \"a\"\nkeys_file = \"/k\"\n[[issuers]]\nissuer = \"keys\"\nopaque = true\n";
    let (trust, keys) = load(issuers, Profile::Standard, &[], false).unwrap();
    let [signs, opaque] = trust.issuers() else { panic!("{trust:?}") };
    assert!(!signs.policy.algorithms.is_empty() && opaque.policy.algorithms.is_empty());
    assert!(keys[1].is_empty());
    for (table, expected) in [
        ("issuer = \"a\"\nopaque = true\nkeys_file = \"/k\"", "opaque: is for an issuer without keys"),
        ("issuer = \"a\"\nopaque = false", "has no keys: set keys_file"),
        ("issuer = \"a\"\nopaque = \"introspect\"", "opaque: expected true or false"),
    ] {
        let fault = load(&format!("[[issuers]]\n{table}\n"), Profile::Standard, &[], false).unwrap_err();
        assert!(fault.contains(expected), "{table}: {fault}");
    }
}

#[test]
fn opaque_tokens_are_refused_unless_a_policy_has_them_asked_about() {
    let issuers = "[[issuers]]\nissuer = \"a\"\nkeys_file = \"/k\"\n";
    let policies = "[[policies]]\nname = \"p\"\nopaque = \"introspect\"\n[[policies]]\nname = \"q\"\n";
    let (trust, _) = load(&format!("{issuers}{policies}"), Profile::Standard, &[], false).unwrap();
    let opaque = |name| trust.policy(Some(name)).unwrap().opaque;
    let told = [opaque("default"), opaque("p"), opaque("q")];
    assert_eq!(told, [Opaque::Refuse, Opaque::Introspect, Opaque::Refuse]);
    let table = format!("{issuers}[[policies]]\nname = \"p\"\nopaque = \"ask\"\n");
    let fault = load(&table, Profile::Standard, &[], false).unwrap_err();
    assert!(fault.contains("opaque: expected refuse or introspect"), "{fault}");
    let fault = load("APP_OPAQUE = \"introspect\"\n", Profile::MsUsers, &[], true);
    assert!(fault.is_err(), "in ms-users the backend decides on them");
}
