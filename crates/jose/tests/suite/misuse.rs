//! Good tokens that were made for something else than access, or for a client that has to prove itself.

use jose::{
    Algorithm, AuthScheme, Binding, Claims, Confirmation, Evidence, IssuerPolicy, Policy, Profile, Refusal,
    Reject, Requirements, Signed, Thumbprint, TokenVersion, Trust, TrustedIssuer, Verdict, verify,
};
use serde_json::json;

use crate::support::{NOW, Signer, keys};

fn refused(verdict: Verdict) -> Option<Reject> {
    match verdict {
        Verdict::Accept(_) => None,
        Verdict::Refuse(Refusal { reject, .. }) => Some(reject),
    }
}

#[test]
fn a_token_that_is_made_for_something_else_is_refused_in_both_profiles_signed_or_encrypted() {
    let signer = Signer::generate(Algorithm::ES256);
    let keys = keys([signer.jwk()]);
    for (typ, more, expected) in [
        (json!(null), json!({}), Some(Reject::Type)),
        (json!("JWT"), json!({}), None),
        (json!("at+jwt"), json!({}), None),
        (json!("logout+jwt"), json!({}), Some(Reject::Type)),
        (json!("application/Logout+JWT"), json!({}), Some(Reject::Type)),
        (json!("dpop+jwt"), json!({}), Some(Reject::Type)),
        (json!("token-introspection+jwt; a=b"), json!({}), Some(Reject::Type)),
        (json!("oauth-id-jag+jwt"), json!({"exp": 1}), Some(Reject::Type)),
        (json!("JWT"), json!({"events": {}}), Some(Reject::Type)),
        (json!("JWT"), json!({"events": {}, "exp": 1}), Some(Reject::Type)),
        (json!("JWT"), json!({"cnf": {"jkt": "x"}}), Some(Reject::Binding)),
        (json!("JWT"), json!({"cnf": "x", "exp": 1}), Some(Reject::Binding)),
        (json!("JWT"), json!({"cnf": null}), None),
        (json!("JWT"), json!({"exp": 1}), Some(Reject::Expired)),
    ] {
        let header = json!({"alg": "ES256", "typ": typ}).to_string();
        let mut payload = json!({"sub": "a", "username": "a", "st": 1, "exp": 1_700_000_600});
        payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let payload = payload.to_string();
        let token = signer.token(Algorithm::ES256, &header, &payload);
        for profile in [Profile::Standard, Profile::MsUsers] {
            let of_one = IssuerPolicy::of(profile);
            let trust = Trust::single(of_one.clone());
            let policy = trust.policy(None).unwrap();
            assert_eq!(refused(verify(&token, &keys, &of_one, NOW)), expected, "{header} {payload}");
            let sets = std::slice::from_ref(&keys);
            assert_eq!(refused(trust.verify(&token, sets, policy, NOW)), expected, "{header} {payload}");
            let claims = Claims::parse(payload.as_bytes()).unwrap();
            let signed = Signed { header: header.clone(), claims, version: TokenVersion::Stateless };
            assert_eq!(
                refused(trust.validate_decrypted(signed, policy, NOW)),
                expected,
                "{header} {payload}"
            );
        }
    }
}

#[test]
fn a_policy_or_an_issuer_that_names_such_a_type_accepts_it_and_no_other() {
    let signer = Signer::generate(Algorithm::ES256);
    let sets = [keys([signer.jwk()])];
    let policy = |name: &str, types: &[&str]| Policy {
        requirements: requirements(types),
        ..Policy::of(name, vec![0])
    };
    let trust = |types: &[&str]| {
        let issuer =
            IssuerPolicy { requirements: requirements(types), ..IssuerPolicy::of(Profile::Standard) };
        let policies = vec![policy("default", &[]), policy("events", &["secevent+jwt"])];
        Trust::new(
            Profile::Standard,
            vec![TrustedIssuer { policy: issuer, keys: 0, signers: Vec::new() }],
            policies,
        )
        .unwrap()
    };
    let by_route = trust(&[]);
    let by_issuer = trust(&["secevent+jwt", "JWT"]);
    for (typ, payload, trust, policy, expected) in [
        ("secevent+jwt", r#"{"events":{},"exp":1700000600}"#, &by_route, "events", None),
        ("secevent+jwt", r#"{"events":{},"exp":1700000600}"#, &by_route, "default", Some(Reject::Type)),
        ("secevent+jwt", r#"{"events":{},"exp":1}"#, &by_route, "events", Some(Reject::Expired)),
        ("logout+jwt", r#"{"events":{},"exp":1700000600}"#, &by_route, "events", Some(Reject::Type)),
        ("JWT", r#"{"events":{},"exp":1700000600}"#, &by_route, "events", Some(Reject::Type)),
        ("JWT", r#"{"exp":1700000600}"#, &by_route, "events", Some(Reject::Type)),
        ("JWT", r#"{"exp":1700000600}"#, &by_route, "default", None),
        ("secevent+jwt", r#"{"events":{},"exp":1700000600}"#, &by_issuer, "default", None),
        ("secevent+jwt", r#"{"events":{},"exp":1700000600}"#, &by_issuer, "events", None),
        ("JWT", r#"{"events":{},"exp":1700000600}"#, &by_issuer, "default", Some(Reject::Type)),
        ("kb+jwt", r#"{"exp":1700000600}"#, &by_issuer, "default", Some(Reject::Type)),
    ] {
        let token = signer.token(Algorithm::ES256, &json!({"alg": "ES256", "typ": typ}).to_string(), payload);
        let verdict = trust.verify(&token, &sets, trust.policy(Some(policy)).unwrap(), NOW);
        assert_eq!(refused(verdict), expected, "{typ} {payload} {policy}");
    }
}

fn requirements(types: &[&str]) -> Requirements {
    Requirements { types: types.iter().map(|name| (*name).to_owned()).collect(), ..Requirements::default() }
}

#[test]
fn a_bound_token_is_accepted_where_binding_is_ignored() {
    let signer = Signer::generate(Algorithm::ES256);
    let keys = keys([signer.jwk()]);
    let token = signer.plain_token(Algorithm::ES256, r#"{"exp":1700000600,"st":1,"cnf":{"x5t#S256":"x"}}"#);
    for profile in [Profile::Standard, Profile::MsUsers] {
        for (binding, expected) in [(Binding::IfBound, Some(Reject::Binding)), (Binding::Ignore, None)] {
            let trust = Trust::single(IssuerPolicy { binding, ..IssuerPolicy::of(profile) });
            let verdict = trust.verify(&token, std::slice::from_ref(&keys), trust.policy(None).unwrap(), NOW);
            assert_eq!(refused(verdict), expected, "{profile} {binding:?}");
            assert_eq!(trust.ignores_binding(), expected.is_none());
        }
    }
}

#[test]
fn a_bound_token_is_good_for_a_client_that_shows_what_it_is_bound_to_and_a_policy_may_ask_for_more() {
    let signer = Signer::generate(Algorithm::ES256);
    let sets = [keys([signer.jwk()])];
    let hash = "A".repeat(43);
    let token = |cnf: &str| {
        let payload = format!(r#"{{"exp":1700000600,"st":1,"cnf":{}}}"#, cnf.replace('$', &hash));
        signer.plain_token(Algorithm::ES256, &payload)
    };
    let zero = Thumbprint::from_bytes(&[0; 32]);
    let certificate = Evidence { certificate: zero, ..Evidence::NONE };
    let both = Evidence { key: zero, certificate: zero };
    let (unbound, mtls, dpop, double) =
        ("null", r#"{"x5t#S256":"$"}"#, r#"{"jkt":"$"}"#, r#"{"x5t#S256":"$","jkt":"$"}"#);
    let refused = Err(Reject::Binding);
    for (issuer, policy, cnf, nothing, by_certificate, by_both) in [
        (Binding::IfBound, None, unbound, Ok(()), Ok(()), Ok(())),
        (Binding::IfBound, None, mtls, refused, Ok(()), Ok(())),
        (Binding::IfBound, None, dpop, refused, refused, Ok(())),
        (Binding::IfBound, None, double, refused, refused, Ok(())),
        (Binding::IfBound, Some(Binding::Mtls), unbound, refused, refused, refused),
        (Binding::IfBound, Some(Binding::Mtls), mtls, refused, Ok(()), Ok(())),
        (Binding::IfBound, Some(Binding::Mtls), dpop, refused, refused, refused),
        (Binding::IfBound, Some(Binding::Any), dpop, refused, refused, Ok(())),
        // A policy asks on top of what its issuer asks for, and never for less.
        (Binding::Mtls, Some(Binding::IfBound), unbound, refused, refused, refused),
        (Binding::Mtls, Some(Binding::Ignore), mtls, refused, Ok(()), Ok(())),
        (Binding::Mtls, Some(Binding::Dpop), double, refused, refused, Ok(())),
        (Binding::Mtls, Some(Binding::Dpop), mtls, refused, refused, refused),
        (Binding::Ignore, None, mtls, Ok(()), Ok(()), Ok(())),
        (Binding::Ignore, Some(Binding::IfBound), mtls, refused, Ok(()), Ok(())),
        (Binding::Ignore, Some(Binding::IfBound), r#"{"kid":"$"}"#, refused, refused, refused),
    ] {
        for profile in [Profile::Standard, Profile::MsUsers] {
            let of_one = IssuerPolicy { binding: issuer, ..IssuerPolicy::of(profile) };
            let route = Policy { binding: policy, ..Policy::of("default", vec![0]) };
            let issuers = vec![TrustedIssuer { policy: of_one.clone(), keys: 0, signers: Vec::new() }];
            let trust = Trust::new(profile, issuers, vec![route]).unwrap();
            let route = trust.policy(None).unwrap();
            let judged = |evidence: &Evidence| match trust.verify(&token(cnf), &sets, route, NOW) {
                Verdict::Accept(signed) => {
                    trust.confirmation(&signed, route, AuthScheme::Bearer)?.judge(evidence)
                }
                Verdict::Refuse(Refusal { reject, .. }) => Err(reject),
            };
            for (evidence, expected) in
                [(Evidence::NONE, nothing), (certificate, by_certificate), (both, by_both)]
            {
                assert_eq!(judged(&evidence), expected, "{issuer:?} {policy:?} {cnf} {evidence:?}");
            }
            if policy.is_none() {
                let alone = match verify(&token(cnf), &sets[0], &of_one, NOW) {
                    Verdict::Accept(_) => Ok(()),
                    Verdict::Refuse(Refusal { reject, .. }) => Err(reject),
                };
                assert_eq!(alone, nothing, "nothing is proved to one issuer's policy alone: {cnf}");
            }
        }
    }
    assert!(Confirmation::NONE.judge(&Evidence::NONE).is_ok());
}
