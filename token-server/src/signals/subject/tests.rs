use serde_json::{Value, json};

use super::*;
use crate::signals::told::{Group, Which};

const HOME: &str = "https://id.example";

fn subject(text: &str) -> Subject {
    Subject::parse(&serde_json::from_str(text).unwrap()).unwrap()
}

fn mapped(text: &str, email: bool, tenant_claim: Option<&str>) -> Mapping {
    let issuers = [HOME.to_owned(), "https://alias.example".to_owned()];
    subject(text).ends(&Voice { issuers: &issuers, email, tenant_claim })
}

/// Where rules stand, what they say beside the issuer, and why that is not exactly what was told.
type Told = (Vec<(Group, Which)>, Option<String>);

/// At the time 7.
fn told(mapping: Mapping) -> Option<Told> {
    let (places, because) = match mapping {
        Mapping::Exact(places) => (places, None),
        Mapping::Inexact { near, because } => (near, Some(because.to_string())),
        Mapping::Foreign => return None,
    };
    Some((places.into_iter().map(|place| (place.group.clone(), place.which(7))).collect(), because))
}

fn of(sub: &str) -> Group {
    Group::Subject(sub.to_owned())
}

fn until(claims: Value) -> Which {
    let claims = claims.as_object().unwrap().iter().map(|(name, value)| (name.clone(), value.clone()));
    Which::IssuedUntil { at: 7, and: claims.collect() }
}

#[test]
fn the_examples_of_the_specifications_are_read() {
    // RFC 9493 section 3.2, Shared Signals Framework 1.0 sections 3.2 and 3.4.
    for text in [
        r#"{"format":"account","uri":"acct:example.user@service.example.com"}"#,
        r#"{"format":"email","email":"user@example.com"}"#,
        r#"{"format":"iss_sub","iss":"https://issuer.example.com/","sub":"145234573"}"#,
        r#"{"format":"opaque","id":"11112222333344445555"}"#,
        r#"{"format":"phone_number","phone_number":"+12065550100"}"#,
        r#"{"format":"did","url":"did:example:123456"}"#,
        r#"{"format":"did","url":"did:example:123456/did/url/path?versionId=1"}"#,
        r#"{"format":"uri","uri":"https://user.example.com/"}"#,
        r#"{"format":"uri","uri":"urn:uuid:4e851e98-83c4-4743-a5da-150ecb53042f"}"#,
        r#"{"format":"aliases","identifiers":[{"format":"email","email":"user@example.com"},
            {"format":"phone_number","phone_number":"+12065550100"},{"format":"email","email":"user+qualifier@example.com"}]}"#,
        r#"{"format":"complex","user":{"format":"email","email":"bar@example.com"},
            "tenant":{"format":"iss_sub","iss":"https://example.com/idp1","sub":"1234"}}"#,
        r#"{"format":"complex","session":{"format":"opaque","id":"dMTlD|1600802906337.16|16008.16"},
            "user":{"format":"iss_sub","iss":"https://idp.example.com/3957ea72-1b66-44d6-a044-d805712b9288/","sub":"jane.smith@example.com"},
            "device":{"format":"iss_sub","iss":"https://idp.example.com/3957ea72-1b66-44d6-a044-d805712b9288/","sub":"e9297990-14d2-42ec-a4a9-4036db86509a"},
            "tenant":{"format":"opaque","id":"123456789"}}"#,
        r#"{"format":"jwt_id","iss":"https://idp.example.com/123456789/","jti":"B70BA622-9515-4353-A866-823539EECBC8"}"#,
        r#"{"format":"saml_assertion_id","issuer":"https://idp.example.com/123456789/","assertion_id":"_8e8dc5f69a98cc4c1ff3427e5ce34606fd672f91e6"}"#,
        r#"{"format":"ip-addresses","ip-addresses":["10.29.37.75","2001:0db8:0000:0000:0000:8a2e:0370:7334"]}"#,
    ] {
        let value = serde_json::from_str(text).unwrap();
        assert!(Subject::parse(&value).is_ok(), "{text}");
    }
}

#[test]
fn what_is_not_of_its_format_to_the_letter_is_a_fault_that_names_it() {
    let long = "a".repeat(1025);
    let many: Vec<_> = (0..17).map(|id| json!({ "format": "opaque", "id": id.to_string() })).collect();
    let parts: serde_json::Map<_, _> = (0..17)
        .map(|number| (format!("m{number}"), json!({ "format": "opaque", "id": "x" })))
        .chain([("format".to_owned(), json!("complex"))])
        .collect();
    for (value, fault) in [
        (json!(null), "a subject identifier is a JSON object"),
        (json!("anna"), "a subject identifier is a JSON object"),
        (json!([]), "a subject identifier is a JSON object"),
        (json!({}), "the subject identifier has no text in the member `format`"),
        (json!({ "email": "a@b.c" }), "the subject identifier has no text in the member `format`"),
        (json!({ "format": 7 }), "the subject identifier has no text in the member `format`"),
        (json!({ "format": null }), "the subject identifier has no text in the member `format`"),
        (json!({ "format": "Email", "email": "a@b.c" }), "the subject identifier's format is not known here"),
        (
            json!({ "format": "iss-sub", "iss": "i", "sub": "s" }),
            "the subject identifier's format is not known here",
        ),
        (json!({ "format": "" }), "the subject identifier's format is not known here"),
        (
            json!({ "format": "iss_sub", "iss": "i" }),
            "a subject identifier of the format iss_sub has the member `sub`",
        ),
        (
            json!({ "format": "iss_sub", "sub": "s" }),
            "a subject identifier of the format iss_sub has the member `iss`",
        ),
        (json!({ "format": "email" }), "a subject identifier of the format email has the member `email`"),
        (
            json!({ "format": "email", "email": "a@b.c", "sub": "s" }),
            "the subject identifier has a member that the format email does not describe",
        ),
        (
            json!({ "format": "iss_sub", "iss": "i", "sub": "s", "device": "d" }),
            "the subject identifier has a member that the format iss_sub does not describe",
        ),
        (
            json!({ "format": "iss_sub", "iss": "i", "sub": 7 }),
            "the member `sub` of a subject identifier of the format iss_sub is a text of 1 to 1024 bytes",
        ),
        (
            json!({ "format": "iss_sub", "iss": "i", "sub": "" }),
            "the member `sub` of a subject identifier of the format iss_sub is a text of 1 to 1024 bytes",
        ),
        (
            json!({ "format": "iss_sub", "iss": "", "sub": "s" }),
            "the member `iss` of a subject identifier of the format iss_sub is a text of 1 to 1024 bytes",
        ),
        (
            json!({ "format": "opaque", "id": long }),
            "the member `id` of a subject identifier of the format opaque is a text of 1 to 1024 bytes",
        ),
        (
            json!({ "format": "opaque", "id": ["x"] }),
            "the member `id` of a subject identifier of the format opaque is a text of 1 to 1024 bytes",
        ),
        (
            json!({ "format": "jwt_id", "iss": "i", "jti": null }),
            "the member `jti` of a subject identifier of the format jwt_id is a text of 1 to 1024 bytes",
        ),
        (
            json!({ "format": "email", "email": "anna" }),
            "the member `email` of a subject identifier of the format email is an address of the form user@host",
        ),
        (
            json!({ "format": "email", "email": "@example.com" }),
            "the member `email` of a subject identifier of the format email is an address of the form user@host",
        ),
        (
            json!({ "format": "email", "email": "a@b.c\r\nx" }),
            "the member `email` of a subject identifier of the format email is an address of the form user@host",
        ),
        (
            json!({ "format": "account", "uri": "mailto:a@b.c" }),
            "the member `uri` of a subject identifier of the format account is a URI of the form acct:user@host",
        ),
        (
            json!({ "format": "phone_number", "phone_number": "0049123" }),
            "the member `phone_number` of a subject identifier of the format phone_number is a + and up to 15 digits",
        ),
        (
            json!({ "format": "phone_number", "phone_number": "+1234567890123456" }),
            "the member `phone_number` of a subject identifier of the format phone_number is a + and up to 15 digits",
        ),
        (
            json!({ "format": "did", "url": "did::x" }),
            "the member `url` of a subject identifier of the format did is a URL of the form did:method:id",
        ),
        (
            json!({ "format": "uri", "uri": "//host/path" }),
            "the member `uri` of a subject identifier of the format uri is a URI with a scheme",
        ),
        (
            json!({ "format": "ip-addresses", "ip-addresses": ["10.0.0"] }),
            "the member `ip-addresses` of a subject identifier of the format ip-addresses is an array of addresses",
        ),
        (
            json!({ "format": "ip-addresses", "ip-addresses": [] }),
            "the subject identifier of the format ip-addresses identifies nothing",
        ),
        (
            json!({ "format": "aliases", "identifiers": [] }),
            "the subject identifier of the format aliases identifies nothing",
        ),
        (
            json!({ "format": "aliases", "identifiers": { "format": "opaque", "id": "x" } }),
            "the member `identifiers` of a subject identifier of the format aliases is an array",
        ),
        (
            json!({ "format": "aliases", "identifiers": many }),
            "the subject identifier of the format aliases has more than 16 parts",
        ),
        (
            json!({ "format": "aliases", "identifiers": [{ "format": "aliases", "identifiers": [] }] }),
            "a subject identifier of the format aliases does not stand inside of another",
        ),
        // One that cannot be read spoils the rest: what it would have said is not known.
        (
            json!({ "format": "aliases", "identifiers": [{ "format": "opaque", "id": "x" }, { "format": "new" }] }),
            "the subject identifier's format is not known here",
        ),
        (json!({ "format": "complex" }), "the subject identifier of the format complex identifies nothing"),
        (Value::Object(parts), "the subject identifier of the format complex has more than 16 parts"),
        (json!({ "format": "complex", "user": "anna" }), "a subject identifier is a JSON object"),
        (
            json!({ "format": "complex", "user": { "format": "complex", "user": { "format": "opaque", "id": "x" } } }),
            "a subject identifier of the format complex does not stand inside of another",
        ),
    ] {
        let found = Subject::parse(&value).unwrap_err();
        assert_eq!(found.to_string(), fault, "{value}");
    }
}

#[test]
fn a_subject_is_mapped_exactly_or_it_is_said_why_not() {
    let (sub, alias) = (
        r#"{"format":"iss_sub","iss":"https://id.example","sub":"anna"}"#,
        r#"{"format":"iss_sub","iss":"https://alias.example","sub":"anna"}"#,
    );
    let opaque = r#"{"format":"opaque","id":"anna"}"#;
    let anna = || vec![(of("anna"), until(json!({})))];
    for text in [sub, alias, opaque] {
        assert_eq!(told(mapped(text, false, None)), Some((anna(), None)), "{text}");
    }
    assert_eq!(
        told(mapped(r#"{"format":"jwt_id","iss":"https://id.example","jti":"J"}"#, false, None)),
        Some((vec![(Group::Everybody, Which::Token(vec![("jti".to_owned(), json!("J"))]))], None))
    );
    for (text, because) in [
        (
            r#"{"format":"email","email":"a@b.c"}"#,
            "a subject of the format email needs TOKEN_SERVER__SIGNALS__EMAIL=true",
        ),
        (
            r#"{"format":"phone_number","phone_number":"+1"}"#,
            "no claim of a token is known to hold a subject of the format phone_number",
        ),
        (
            r#"{"format":"uri","uri":"a:b"}"#,
            "no claim of a token is known to hold a subject of the format uri",
        ),
        (
            r#"{"format":"did","url":"did:a:b"}"#,
            "no claim of a token is known to hold a subject of the format did",
        ),
        (
            r#"{"format":"account","uri":"acct:a@b"}"#,
            "no claim of a token is known to hold a subject of the format account",
        ),
        // Such a token is never accepted, and the group would be everybody's.
        (r#"{"format":"opaque","id":"g"}"#, "no group of rules can have the name of the subject"),
    ] {
        assert_eq!(told(mapped(text, false, None)), Some((Vec::new(), Some(because.to_owned()))), "{text}");
    }
    let long = format!(r#"{{"format":"opaque","id":"{}"}}"#, "x".repeat(513));
    assert_eq!(
        told(mapped(&long, false, None)),
        Some((Vec::new(), Some("no group of rules can have the name of the subject".to_owned())))
    );
}

#[test]
fn an_email_is_a_verified_one_of_everybodys_and_letter_case_counts() {
    let email = r#"{"format":"email","email":"Anna@Example.com"}"#;
    let rule = until(json!({ "email": "Anna@Example.com", "email_verified": true }));
    assert_eq!(told(mapped(email, true, None)), Some((vec![(Group::Everybody, rule)], None)));
}

#[test]
fn a_sender_speaks_of_no_other_issuers_subjects() {
    for text in [
        r#"{"format":"iss_sub","iss":"https://other.example","sub":"anna"}"#,
        // Letter for letter.
        r#"{"format":"iss_sub","iss":"https://id.example/","sub":"anna"}"#,
        r#"{"format":"iss_sub","iss":"HTTPS://id.example","sub":"anna"}"#,
        r#"{"format":"jwt_id","iss":"https://other.example","jti":"J"}"#,
        r#"{"format":"aliases","identifiers":[{"format":"iss_sub","iss":"https://other.example","sub":"anna"}]}"#,
        r#"{"format":"complex","user":{"format":"iss_sub","iss":"https://other.example","sub":"anna"},
            "session":{"format":"opaque","id":"S"}}"#,
    ] {
        assert_eq!(mapped(text, true, Some("tid")), Mapping::Foreign, "{text}");
    }
}

#[test]
fn one_alias_that_is_known_is_enough_and_a_subject_is_preferred() {
    let (foreign, phone) = (
        r#"{"format":"iss_sub","iss":"https://other.example","sub":"x"}"#,
        r#"{"format":"phone_number","phone_number":"+1"}"#,
    );
    let (email, sub) = (
        r#"{"format":"email","email":"a@b.c"}"#,
        r#"{"format":"iss_sub","iss":"https://id.example","sub":"anna"}"#,
    );
    let anna = (of("anna"), until(json!({})));
    let by_email = (Group::Everybody, until(json!({ "email": "a@b.c", "email_verified": true })));
    for (aliases, places) in [
        (vec![foreign, phone, email, sub], vec![anna.clone()]),
        (vec![sub, sub], vec![anna.clone()]),
        (vec![sub, r#"{"format":"opaque","id":"bert"}"#], vec![anna, (of("bert"), until(json!({})))]),
        (vec![phone, email], vec![by_email]),
    ] {
        let text = format!(r#"{{"format":"aliases","identifiers":[{}]}}"#, aliases.join(","));
        assert_eq!(told(mapped(&text, true, None)), Some((places, None)), "{text}");
    }
    let text = format!(r#"{{"format":"aliases","identifiers":[{foreign},{phone}]}}"#);
    let (places, because) = told(mapped(&text, true, None)).unwrap();
    assert!(places.is_empty() && because.unwrap().ends_with("phone_number"));
}

#[test]
fn of_a_complex_subject_everything_must_hold_and_what_cannot_be_mapped_is_not_left_out() {
    let user = r#""user":{"format":"iss_sub","iss":"https://id.example","sub":"anna"}"#;
    let by_email = r#""user":{"format":"email","email":"a@b.c"}"#;
    let session = r#""session":{"format":"opaque","id":"S"}"#;
    let tenant = r#""tenant":{"format":"opaque","id":"T"}"#;
    let device = r#""device":{"format":"opaque","id":"D"}"#;
    let odd = r#""colour":{"format":"opaque","id":"red"}"#;
    let foreign_tenant = r#""tenant":{"format":"iss_sub","iss":"https://other.example","sub":"T"}"#;
    let unknown = |member: &str| {
        Some(format!("no claim of a token is known to hold what a complex subject says of its {member}"))
    };
    for (members, tenant_claim, places, because) in [
        (vec![user], None, vec![(of("anna"), until(json!({})))], None),
        (vec![session], None, vec![(Group::Everybody, Which::Session("S".to_owned()))], None),
        (vec![user, session], None, vec![(of("anna"), Which::Session("S".to_owned()))], None),
        (vec![session, user], None, vec![(of("anna"), Which::Session("S".to_owned()))], None),
        (vec![user, tenant], Some("tid"), vec![(of("anna"), until(json!({ "tid": "T" })))], None),
        (vec![tenant], Some("tid"), vec![(Group::Everybody, until(json!({ "tid": "T" })))], None),
        (
            vec![user, tenant, session],
            Some("tid"),
            vec![(
                of("anna"),
                Which::IssuedUntil {
                    at: 7,
                    and: vec![("tid".to_owned(), json!("T")), ("sid".to_owned(), json!("S"))],
                },
            )],
            None,
        ),
        (
            vec![by_email, session],
            None,
            vec![(
                Group::Everybody,
                Which::IssuedUntil {
                    at: 7,
                    and: vec![
                        ("email".to_owned(), json!("a@b.c")),
                        ("email_verified".to_owned(), json!(true)),
                        ("sid".to_owned(), json!("S")),
                    ],
                },
            )],
            None,
        ),
        (vec![user, tenant], None, vec![(of("anna"), until(json!({})))], unknown("tenant")),
        (vec![user, foreign_tenant], Some("tid"), vec![(of("anna"), until(json!({})))], unknown("tenant")),
        (vec![user, device], None, vec![(of("anna"), until(json!({})))], unknown("device")),
        (vec![user, odd], None, vec![(of("anna"), until(json!({})))], unknown("a member of another name")),
        (vec![device], None, Vec::new(), unknown("device")),
    ] {
        let text = format!(r#"{{"format":"complex",{}}}"#, members.join(","));
        assert_eq!(told(mapped(&text, true, tenant_claim)), Some((places, because)), "{text}");
    }
}
