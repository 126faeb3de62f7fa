use super::*;

fn issuer(iss: &str, keys: usize) -> TrustedIssuer {
    let policy = IssuerPolicy {
        name: iss.to_owned(),
        issuers: if iss.is_empty() { Vec::new() } else { vec![iss.into()] },
        ..IssuerPolicy::of(Profile::Standard)
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

#[test]
fn what_was_put_together_is_told_as_it_was() {
    let (issuers, policies) = (vec![issuer("a", 0), issuer("b", 1)], vec![policy("default", &[1])]);
    let trust = Trust::new(Profile::MsUsers, issuers.clone(), policies.clone()).unwrap();
    assert_eq!(trust.profile(), Profile::MsUsers);
    assert_eq!((trust.issuers(), trust.policies()), (&issuers[..], &policies[..]));
    let single = Trust::single(IssuerPolicy::of(Profile::MsUsers));
    assert_eq!(single.profile(), Profile::MsUsers);
    assert_eq!((single.issuers().len(), single.policies().len()), (1, 1));
}

#[test]
fn the_leeway_of_all_is_the_largest_of_any_at_each_end() {
    let seconds = std::time::Duration::from_secs;
    let of = |iss: &str, start, end| {
        let mut issuer = issuer(iss, 0);
        issuer.policy.leeway = Leeway { start: seconds(start), end: seconds(end) };
        issuer
    };
    for (issuers, start, end) in [
        (vec![of("a", 0, 0)], 0, 0),
        (vec![of("a", 30, 0)], 30, 0),
        (vec![of("a", 30, 0), of("b", 5, 60)], 30, 60),
    ] {
        let trust = Trust::new(Profile::Standard, issuers, vec![policy("default", &[0])]).unwrap();
        assert_eq!(trust.max_leeway(), Leeway { start: seconds(start), end: seconds(end) });
    }
}

#[test]
fn the_longest_lifetime_is_that_of_all_issuers_under_all_policies_or_none() {
    let seconds = std::time::Duration::from_secs;
    let of = |iss: &str, limit: Option<u64>, leeway| {
        let mut issuer = issuer(iss, 0);
        issuer.policy.requirements.max_lifetime = limit.map(seconds);
        issuer.policy.leeway = Leeway { start: seconds(500), end: seconds(leeway) };
        issuer
    };
    let asking = |name: &str, issuers: &[usize], limit: Option<u64>| {
        let mut policy = policy(name, issuers);
        policy.requirements.max_lifetime = limit.map(seconds);
        policy
    };
    for (what, issuers, policies, expected) in [
        ("no limit", vec![of("a", None, 0)], vec![asking("p", &[0], None)], None),
        ("the issuer's", vec![of("a", Some(60), 0)], vec![asking("p", &[0], None)], Some(60)),
        ("the policy's", vec![of("a", None, 0)], vec![asking("p", &[0], Some(60))], Some(60)),
        ("the shorter", vec![of("a", Some(90), 0)], vec![asking("p", &[0], Some(60))], Some(60)),
        ("with leeway", vec![of("a", Some(60), 7)], vec![asking("p", &[0], None)], Some(67)),
        (
            "of two issuers the longer",
            vec![of("a", Some(60), 0), of("b", Some(80), 0)],
            vec![asking("p", &[0, 1], None)],
            Some(80),
        ),
        (
            "of two policies the longer",
            vec![of("a", None, 0)],
            vec![asking("p", &[0], Some(60)), asking("q", &[0], Some(70))],
            Some(70),
        ),
        ("one without", vec![of("a", Some(60), 0), of("b", None, 0)], vec![asking("p", &[0, 1], None)], None),
        (
            "one that no policy accepts",
            vec![of("a", Some(60), 0), of("b", None, 0)],
            vec![asking("p", &[0], None)],
            Some(60),
        ),
    ] {
        let trust = Trust::new(Profile::Standard, issuers, policies).unwrap();
        assert_eq!(trust.longest_lifetime(), expected.map(seconds), "{what}");
    }
}

#[test]
fn short_names_are_the_policys_and_below_them_those_of_the_tokens_issuer() {
    let names = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().map(|(short, claim)| ((*short).to_owned(), (*claim).to_owned()));
        ClaimNames::new(pairs).unwrap()
    };
    let mut naming = issuer("a", 0);
    naming.policy.requirements.names = names(&[("role", "its/role"), ("mail", "its/mail")]);
    let mut asking = policy("default", &[0]);
    asking.requirements.names = names(&[("role", "own/role")]);
    let both = &[("mail", "its/mail"), ("role", "own/role")][..];
    let own = &[("role", "own/role")][..];
    for (issuers, iss, expected) in [
        (vec![naming.clone()], "a", both),
        (vec![naming.clone(), issuer("b", 1)], "a", both),
        (vec![naming.clone(), issuer("b", 1)], "b", own),
        (vec![naming, issuer("b", 1)], "a stranger", own),
        (vec![issuer("a", 0)], "a", own),
    ] {
        let trust = Trust::new(Profile::Standard, issuers, vec![asking.clone()]).unwrap();
        let claims = Claims::parse(format!(r#"{{"iss":"{iss}"}}"#).as_bytes()).unwrap();
        let signed = Signed { header: "{}".into(), version: crate::TokenVersion::of(&claims), claims };
        let found = trust.claim_names(&asking, &signed);
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{iss}");
    }
}
