use super::*;
use crate::issuer_policy::tests::policy as issuer_policy;

fn issuer(iss: &str, keys: usize) -> TrustedIssuer {
    let policy = IssuerPolicy {
        name: iss.to_owned(),
        issuers: if iss.is_empty() { Vec::new() } else { vec![iss.into()] },
        ..issuer_policy(Profile::Standard)
    };
    TrustedIssuer { policy, keys, signers: Vec::new() }
}

fn policy(name: &str, issuers: &[usize]) -> Policy {
    Policy::of(name, issuers.to_vec())
}

#[test]
fn a_default_policy_that_judges_no_audience_is_told_whatever_the_issuers() {
    let of = |iss: &str, audiences: &[&str]| {
        let mut issuer = issuer(iss, 0);
        issuer.policy.audiences = audiences.iter().map(|name| (*name).to_owned()).collect();
        issuer
    };
    let asking = Policy { audiences: vec!["api".into()], ..policy("default", &[0, 1]) };
    for (issuers, default, expected) in [
        (vec![of("", &[])], policy("default", &[0]), true),
        (vec![of("a", &[])], policy("default", &[0]), true),
        (vec![of("a", &["api"])], policy("default", &[0]), false),
        (vec![of("a", &["api"]), of("b", &[])], policy("default", &[0, 1]), true),
        (vec![of("a", &["api"]), of("b", &[])], policy("default", &[0]), false),
        (vec![of("a", &[]), of("b", &[])], asking, false),
    ] {
        let trust = Trust::new(Profile::Standard, issuers, vec![default, policy("open", &[0])]).unwrap();
        assert_eq!(trust.accepts_any_audience(), expected, "{trust:?}");
    }
}

#[test]
fn no_token_may_have_the_names_of_two_issuers() {
    const ONE: &str = "11111111-2222-3333-4444-555555555555";
    let named = |name: IssuerName| {
        let mut issuer = issuer("", 0);
        issuer.policy.issuers = vec![name];
        issuer
    };
    let template = |tenants: &str| {
        let tenants = crate::Tenants::parse(&[tenants.to_owned()]).unwrap();
        named(IssuerName::with_tenants("https://h.example/{tenantid}/", &tenants).unwrap())
    };
    let of_one = || named(format!("https://h.example/{ONE}/").into());
    let twice = |name: &str| Err(TrustError::Twice(name.to_owned()));
    for (first, second, expected) in [
        (template(ONE), of_one(), twice(&format!("https://h.example/{ONE}/"))),
        (of_one(), template("*"), twice("https://h.example/{tenantid}/")),
        (template("*"), template(ONE), twice("https://h.example/{tenantid}/")),
        (template("99999999-2222-3333-4444-555555555555"), of_one(), Ok(())),
    ] {
        let trust = Trust::new(Profile::Standard, vec![first, second], vec![policy("d", &[0, 1])]);
        assert_eq!(trust.map(drop), expected);
    }
    let every = |issuer| Trust::new(Profile::Standard, vec![issuer], vec![policy("d", &[0])]).unwrap();
    assert!(every(template("*")).every_tenant_of().is_some());
    assert!(every(template(ONE)).every_tenant_of().is_none() && every(of_one()).every_tenant_of().is_none());
}

#[test]
fn refuses_what_would_let_one_issuer_sign_for_another() {
    use Profile::Standard;
    for (issuers, policies, expected) in [
        (vec![], vec![policy("default", &[])], TrustError::Empty),
        (vec![issuer("a", 0)], vec![], TrustError::Empty),
        (vec![issuer("a", 0), issuer("", 1)], vec![policy("default", &[0])], TrustError::AnyIssuer),
        (vec![issuer("a", 0), issuer("a", 1)], vec![policy("d", &[0])], TrustError::Twice("a".into())),
        (vec![issuer("a", 0)], vec![policy("d", &[0]), policy("d", &[0])], TrustError::Twice("d".into())),
        (vec![issuer("a", 0)], vec![policy("d", &[1])], TrustError::NoIssuer("d".into())),
        (vec![issuer("a", 0)], vec![policy("d", &[])], TrustError::NoIssuer("d".into())),
    ] {
        assert_eq!(Trust::new(Standard, issuers, policies), Err(expected));
    }
    let trust =
        Trust::new(Standard, vec![issuer("", 0)], vec![policy("a", &[0]), policy("b", &[0])]).unwrap();
    assert_eq!(trust.policy(None).unwrap().name, "a");
    assert_eq!(trust.policy(Some("b")).unwrap().name, "b");
    assert_eq!(trust.policy(Some("B")), None);
}
