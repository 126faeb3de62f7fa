use jose::{IssuerPolicy, Policy, Profile, Tenants, Trust, TrustedIssuer};

use super::*;

const ONE: &str = "11111111-2222-3333-4444-555555555555";
const TWO: &str = "99999999-8888-7777-6666-aaaaaaaaaaaa";

fn trust(issuers: &[&[&str]]) -> Trust {
    let tenants = Tenants::parse(&[ONE.to_owned(), TWO.to_owned()]).unwrap();
    let issuers: Vec<_> = issuers
        .iter()
        .enumerate()
        .map(|(keys, names)| {
            let names = names.iter().map(|name| IssuerName::with_tenants(name, &tenants).unwrap());
            let policy = IssuerPolicy { issuers: names.collect(), ..IssuerPolicy::of(Profile::Standard) };
            TrustedIssuer { policy, keys, signers: Vec::new() }
        })
        .collect();
    let all = (0..issuers.len()).collect();
    Trust::new(Profile::Standard, issuers, vec![Policy::of("default", all)]).unwrap()
}

fn spoken(trust: &Trust, bound: Option<&str>, subject: &str) -> Result<Vec<String>, Fault> {
    let subject = Subject::parse(&serde_json::from_str(subject).unwrap()).unwrap();
    Spoken::of(Some(trust), bound, &subject).map(|spoken| spoken.names)
}

fn of(issuer: &str) -> String {
    format!(r#"{{"format":"iss_sub","iss":"{issuer}","sub":"anna"}}"#)
}

const OPAQUE: &str = r#"{"format":"opaque","id":"anna"}"#;

#[test]
fn a_sender_speaks_of_the_issuer_that_its_token_is_bound_to_else_of_the_one_that_is_named() {
    let one = trust(&[&["https://a.example", "https://alias.example"]]);
    let two = trust(&[&["https://a.example", "https://alias.example"], &["https://b.example"]]);
    let a = || Ok(vec!["https://a.example".to_owned(), "https://alias.example".to_owned()]);
    let b = || Ok(vec!["https://b.example".to_owned()]);
    let (of_a, of_alias, of_b, of_c) = (
        of("https://a.example"),
        of("https://alias.example"),
        of("https://b.example"),
        of("https://c.example"),
    );
    let both = format!(r#"{{"format":"aliases","identifiers":[{of_a},{of_b}]}}"#);
    let with_foreign = format!(r#"{{"format":"aliases","identifiers":[{of_c},{of_b}]}}"#);
    let session = format!(r#"{{"format":"complex","session":{OPAQUE},"user":{of_b}}}"#);
    for (trust, bound, subject, expected) in [
        (&one, None, OPAQUE, a()),
        (&one, None, &*of_a, a()),
        (&one, None, &of_alias, a()),
        (&one, Some("https://a.example"), OPAQUE, a()),
        (&two, None, OPAQUE, Err(Fault::Unnamed)),
        (&two, None, &of_a, a()),
        (&two, None, &of_b, b()),
        (&two, None, &of_c, Err(Fault::Foreign)),
        (&two, None, &both, Err(Fault::Unnamed)),
        (&two, None, &with_foreign, b()),
        (&two, None, &session, b()),
        (&two, Some("https://b.example"), OPAQUE, b()),
        (&two, Some("https://alias.example"), OPAQUE, a()),
        // It is the issuer that the token is bound to; that the subject is another's is found where it is mapped.
        (&two, Some("https://b.example"), &of_a, b()),
        (&two, Some("https://b.example"), &both, b()),
        (&two, Some("https://c.example"), &of_a, Err(Fault::Foreign)),
        (&two, Some("https://a.example/"), &of_a, Err(Fault::Foreign)),
    ] {
        assert_eq!(spoken(trust, bound, subject), expected, "{bound:?} {subject}");
    }
    let subject = Subject::parse(&serde_json::from_str(&of_a).unwrap()).unwrap();
    assert_eq!(Spoken::of(None, None, &subject).map(|spoken| spoken.names), Err(Fault::Foreign));
}

#[test]
fn of_a_provider_of_many_tenants_one_is_meant() {
    let template = "https://login.example/{tenantid}/v2.0";
    let trust = trust(&[&[template, "https://sts.example/{tenantid}/"]]);
    let text = |tenant: &str| format!("https://login.example/{tenant}/v2.0");
    let names = |tenant: &str| Ok(vec![text(tenant), format!("https://sts.example/{tenant}/")]);
    for (bound, subject, expected) in [
        (None, of(&text(ONE)), names(ONE)),
        (Some(template.to_owned()), of(&text(TWO)), names(TWO)),
        (Some(text(ONE)), OPAQUE.to_owned(), names(ONE)),
        // Bound to one tenant, a sender names another in vain.
        (Some(text(ONE)), of(&text(TWO)), names(ONE)),
        (None, OPAQUE.to_owned(), Err(Fault::NoTenant)),
        (Some(template.to_owned()), OPAQUE.to_owned(), Err(Fault::NoTenant)),
        (Some(template.to_owned()), of("https://login.example/other/v2.0"), Err(Fault::Foreign)),
        (None, of(template), Err(Fault::Foreign)),
    ] {
        assert_eq!(spoken(&trust, bound.as_deref(), &subject), expected, "{bound:?} {subject}");
    }
}

#[test]
fn where_any_issuer_is_accepted_the_senders_token_has_to_name_it() {
    let trust = trust(&[&[]]);
    for (bound, subject, expected) in [
        (None, of("https://a.example"), Err(Fault::Unnamed)),
        (Some("https://a.example"), of("https://a.example"), Ok(vec!["https://a.example".to_owned()])),
    ] {
        assert_eq!(spoken(&trust, bound, &subject), expected);
    }
}
