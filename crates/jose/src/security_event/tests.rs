use super::*;
use crate::{KeyOrigin, KeyRules, Tenants};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const SECRET: &str = "a secret of this test, of 32 bytes and more";
const GOOD: &str = r#"{"iss":"i","aud":"a","iat":7,"jti":"j","events":{"e":{}}}"#;

fn keys() -> KeySet {
    let jwk = format!(r#"{{"keys":[{{"kty":"oct","k":"{}"}}]}}"#, URL_SAFE_NO_PAD.encode(SECRET));
    let rules = KeyRules {
        origin: KeyOrigin::File,
        profile: Profile::Standard,
        allow_short_secrets: false,
        allow_mixed_keys: false,
    };
    KeySet::parse(jwk.as_bytes(), &rules).unwrap()
}

fn signed(header: &str, payload: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn verify_by(names: &[IssuerName], header: &str, payload: &str) -> Result<SecurityEvent, EventFault> {
    let keys = keys();
    let issuer = EventIssuer { names, keys: &keys, algorithms: AlgorithmSet::ALL };
    SecurityEvent::verify(&signed(header, payload), &issuer)
}

fn verify(payload: &str) -> Result<SecurityEvent, EventFault> {
    verify_by(&["i".into()], r#"{"alg":"HS256"}"#, payload)
}

#[test]
fn an_event_is_read_as_it_was_signed() {
    let payload = r#"{"iss":"i","aud":["a","b"],"iat":7.5,"exp":9,"jti":"j","events":{"e":{"x":1},"f":[]}}"#;
    let event =
        verify_by(&["i".into()], r#"{"alg":"HS256","typ":"application/SecEvent+jwt"}"#, payload).unwrap();
    assert_eq!((event.issuer.as_str(), event.jti.as_deref()), ("i", Some("j")));
    assert_eq!((event.issued, event.expires), (UnixTime::from_millis(7_500), Some(UnixTime::from_secs(9))));
    assert_eq!(
        (event.event("e"), event.event("f"), event.event("g")),
        (Some(r#"{"x":1}"#), Some("[]"), None)
    );
    assert!(event.is_for(&["b".into()]) && !event.is_for(&["c".into()]) && !event.is_for(&[]));
    assert!(event.has_type("secevent+jwt") && !event.has_type("JWT"));
    let plain = verify(GOOD).unwrap();
    assert!(plain.typ.is_none() && plain.expires.is_none() && plain.is_for(&["a".into()]));
}

#[test]
fn a_claim_that_an_event_must_have_is_named_where_it_is_not_as_it_must_be() {
    for (payload, claim) in [
        (r#"{"iss":"i","events":{"e":{}}}"#, "iat"),
        (r#"{"iss":"i","iat":"7","events":{"e":{}}}"#, "iat"),
        (r#"{"iss":"i","iat":7,"exp":null,"events":{"e":{}}}"#, "exp"),
        (r#"{"iss":"i","iat":7,"jti":7,"events":{"e":{}}}"#, "jti"),
        (r#"{"iss":"i","iat":7,"aud":7,"events":{"e":{}}}"#, "aud"),
        (r#"{"iss":"i","iat":7,"aud":["a",7],"events":{"e":{}}}"#, "aud"),
        (r#"{"iss":"i","iat":7,"aud":{"a":1},"events":{"e":{}}}"#, "aud"),
        (r#"{"iss":"i","iat":7}"#, "events"),
        (r#"{"iss":"i","iat":7,"events":{}}"#, "events"),
        (r#"{"iss":"i","iat":7,"events":["e"]}"#, "events"),
        (r#"{"iss":"i","iat":7,"events":"e"}"#, "events"),
        (r#"{"iss":"i","iat":7,"events":null}"#, "events"),
    ] {
        assert_eq!(verify(payload), Err(EventFault::Claim(claim)), "{payload}");
    }
    let typed = |typ: &str| verify_by(&["i".into()], &format!(r#"{{"alg":"HS256","typ":{typ}}}"#), GOOD);
    assert_eq!(typed("7"), Err(EventFault::Type));
    assert!(typed(r#""x""#).is_ok());
}

#[test]
fn no_key_is_tried_for_a_name_that_is_not_the_issuers() {
    for (names, payload, accepted) in [
        (&["i"][..], GOOD, true),
        (&["h", "i"], GOOD, true),
        (&["h"], GOOD, false),
        (&["i/"], GOOD, false),
        (&[], GOOD, false),
        (&["i"], r#"{"aud":"a","iat":7,"events":{"e":{}}}"#, false),
        (&["7"], r#"{"iss":7,"iat":7,"events":{"e":{}}}"#, false),
    ] {
        let names: Vec<IssuerName> = names.iter().map(|name| (*name).into()).collect();
        let verified = verify_by(&names, r#"{"alg":"HS256"}"#, payload);
        assert_eq!(verified.is_ok(), accepted, "{payload} by {names:?}");
        assert!(accepted || verified == Err(Reject::Issuer.into()), "{verified:?}");
    }
}

#[test]
fn what_no_key_signed_is_refused_as_an_access_token_is() {
    let names = ["i".into()];
    let (keys, none) = (keys(), KeySet::empty());
    let by = |token: &str, keys: &KeySet, algorithms| {
        SecurityEvent::verify(token, &EventIssuer { names: &names, keys, algorithms }).err()
    };
    let (good, all) = (signed(r#"{"alg":"HS256"}"#, GOOD), AlgorithmSet::ALL);
    let forged = format!("{}A", good.trim_end_matches(|letter: char| letter != '.'));
    let unsigned = |alg: &str| signed(&format!(r#"{{"alg":"{alg}"}}"#), GOOD);
    for (token, keys, algorithms, reject) in [
        (good.as_str(), &none, all, Reject::NoKeys),
        (&good, &keys, [crate::Algorithm::RS256].into_iter().collect(), Reject::Algorithm),
        (&unsigned("none"), &keys, all, Reject::Algorithm),
        (&unsigned("HS384"), &keys, all, Reject::UnknownKey),
        (&unsigned("ES256"), &keys, all, Reject::UnknownKey),
        (&forged, &keys, all, Reject::Malformed),
        ("", &keys, all, Reject::Malformed),
        ("a.b.c.d.e", &keys, all, Reject::Malformed),
    ] {
        assert_eq!(by(token, keys, algorithms), Some(EventFault::Refused(reject)), "{token}");
    }
}

#[test]
fn an_event_of_a_tenant_names_all_names_of_that_tenant_and_of_no_other() {
    const ONE: &str = "11111111-2222-3333-4444-555555555555";
    let tenants = Tenants::parse(&["*".to_owned()]).unwrap();
    let name = |text: &str| IssuerName::with_tenants(text, &tenants).unwrap();
    let names = [name("https://h.example/{tenantid}/v2.0"), name("https://i.example/{tenantid}/"), name("x")];
    let payload = |tid: &str| {
        format!(r#"{{"iss":"https://h.example/{ONE}/v2.0","tid":"{tid}","iat":7,"events":{{"e":{{}}}}}}"#)
    };
    let event = verify_by(&names, r#"{"alg":"HS256"}"#, &payload(ONE)).unwrap();
    assert_eq!(
        IssuerName::all_of(&names, &event.claims),
        [format!("https://h.example/{ONE}/v2.0"), format!("https://i.example/{ONE}/"), "x".to_owned()]
    );
    let other = verify_by(&names, r#"{"alg":"HS256"}"#, &payload("99999999-2222-3333-4444-555555555555"));
    assert_eq!(other, Err(Reject::Issuer.into()));
}

#[test]
fn an_event_hints_at_its_own_keys_and_its_time() {
    let hint = event_hint(&signed(r#"{"alg":"HS256","kid":"k"}"#, GOOD), 3);
    assert_eq!((hint.keys, hint.issued), (Some(3), Some(UnixTime::from_secs(7))));
    assert_eq!(event_hint("nonsense", 3).issued, None);
}
