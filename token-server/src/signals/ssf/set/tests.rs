use jose::Claims;
use serde_json::json;

use super::*;
use crate::signals::ssf::tests::stream;

const NOW: i64 = 1_700_000_000;

fn event(typ: Option<&str>, claims: &Value) -> SecurityEvent {
    let parsed = Claims::parse(claims.to_string().as_bytes()).unwrap();
    let list = |value: &Value| match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many.iter().map(|one| one.as_str().unwrap().to_owned()).collect(),
        _ => Vec::new(),
    };
    let events = claims["events"].as_object().unwrap();
    SecurityEvent {
        typ: typ.map(str::to_owned),
        claims: parsed,
        issuer: "https://idp.example.com".to_owned(),
        audiences: list(&claims["aud"]),
        issued: UnixTime::from_secs(claims["iat"].as_i64().unwrap()),
        expires: claims["exp"].as_i64().map(UnixTime::from_secs),
        jti: claims["jti"].as_str().map(str::to_owned),
        events: events.iter().map(|(name, value)| (name.clone(), value.to_string())).collect(),
    }
}

fn claims(changed: Value) -> Value {
    let mut claims = json!({
        "iss": "https://idp.example.com", "aud": "edge", "iat": NOW, "jti": "1",
        "sub_id": {"format": "opaque", "id": "anna"}, "events": {"urn:x": {"a": 1}},
    });
    for (name, value) in changed.as_object().unwrap() {
        match value {
            Value::Null => _ = claims.as_object_mut().unwrap().remove(name),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

fn read(profile: &str, typ: Option<&str>, changed: Value) -> Result<Set, SetFault> {
    let stream = stream(&format!(
        "issuer = 'https://idp.example.com'\naudiences = ['edge', 'two']\nprofile = '{profile}'"
    ));
    Set::read(&event(typ, &claims(changed)), &stream, UnixTime::from_secs(NOW))
}

#[test]
fn a_token_of_the_stream_is_read_and_what_is_not_known_is_passed_over() {
    for changed in [
        json!({}),
        json!({"aud": ["other", "two"]}),
        json!({"txn": 7, "toe": 1, "unknown": {"x": []}}),
        json!({"iat": NOW + 30}),
        json!({"iat": NOW - 86_400}),
    ] {
        let set = read("ssf", Some("application/secevent+JWT"), changed.clone()).unwrap();
        assert_eq!(
            (set.jti.as_str(), set.kind.as_str(), set.subject),
            ("1", "urn:x", Some(json!({"format": "opaque", "id": "anna"}))),
            "{changed}"
        );
    }
}

#[test]
fn what_could_be_another_kind_of_token_is_none_of_a_stream() {
    let secevent = Some("secevent+jwt");
    let typed = |draft| SetFault::Type { draft };
    let long = "j".repeat(513);
    for (profile, typ, changed, fault) in [
        ("ssf", None, json!({}), typed(false)),
        ("ssf", Some("JWT"), json!({}), typed(false)),
        ("ssf", Some("at+jwt"), json!({}), typed(false)),
        ("ssf", Some("logout+jwt"), json!({}), typed(false)),
        ("ssf", Some("secevent+jwt;v=1"), json!({}), typed(false)),
        ("draft", Some("at+jwt"), json!({}), typed(true)),
        ("draft", Some("logout+jwt"), json!({}), typed(true)),
        ("ssf", secevent, json!({"exp": NOW + 60}), SetFault::Forbidden("exp")),
        ("ssf", secevent, json!({"sub": "anna"}), SetFault::Forbidden("sub")),
        ("ssf", secevent, json!({"nonce": "n"}), SetFault::Forbidden("nonce")),
        ("draft", None, json!({"exp": NOW + 60}), SetFault::Forbidden("exp")),
        ("draft", None, json!({"nonce": "n"}), SetFault::Forbidden("nonce")),
        ("ssf", secevent, json!({"aud": "other"}), SetFault::Audience),
        ("ssf", secevent, json!({"aud": ["EDGE", "edge/"]}), SetFault::Audience),
        ("ssf", secevent, json!({"aud": null}), SetFault::Audience),
        ("ssf", secevent, json!({"jti": null}), SetFault::Jti),
        ("ssf", secevent, json!({"jti": ""}), SetFault::Jti),
        ("ssf", secevent, json!({"jti": long}), SetFault::Jti),
        ("ssf", secevent, json!({"iat": NOW + 31}), SetFault::Future),
        ("ssf", secevent, json!({"iat": NOW - 86_431}), SetFault::Old),
        ("ssf", secevent, json!({"events": {}}), SetFault::Events(0)),
        ("ssf", secevent, json!({"events": {"a": {}, "b": {}}}), SetFault::Events(2)),
        ("ssf", secevent, json!({"events": {"a": []}}), SetFault::NotAnObject),
        ("ssf", secevent, json!({"events": {"a": null}}), SetFault::NotAnObject),
    ] {
        let refused = read(profile, typ, changed.clone()).unwrap_err();
        assert_eq!(refused, fault, "{profile} {typ:?} {changed}");
        let code = if fault == SetFault::Audience { "invalid_audience" } else { "invalid_request" };
        assert_eq!(refused.code(), code);
    }
}

#[test]
fn a_draft_may_have_its_subject_in_the_event_in_its_own_words() {
    let subject = |told: Value| {
        let changed = json!({"sub_id": null, "sub": "x", "events": {"urn:x": {"subject": told}}});
        read("draft", Some("JWT"), changed).unwrap().subject.unwrap()
    };
    let iss_sub = json!({"format": "iss_sub", "iss": "i", "sub": "s"});
    for (told, expected) in [
        (json!({"subject_type": "iss-sub", "iss": "i", "sub": "s", "email": "e@x"}), iss_sub.clone()),
        (json!({"subject_type": "iss_sub", "iss": "i", "sub": "s"}), iss_sub.clone()),
        (iss_sub.clone(), iss_sub.clone()),
        (json!({"subject_type": "email", "email": "e@x"}), json!({"format": "email", "email": "e@x"})),
        (
            json!({"subject_type": "phone", "phone_number": "+1"}),
            json!({"format": "phone_number", "phone_number": "+1"}),
        ),
        (
            json!({"user": {"subject_type": "iss-sub", "iss": "i", "sub": "s"}}),
            json!({"format": "complex", "user": iss_sub}),
        ),
        (json!({"user": {}, "x": 1}), json!({"user": {}, "x": 1})),
        (json!("anna"), json!("anna")),
    ] {
        assert_eq!(subject(told.clone()), expected, "{told}");
    }
    let inside = json!({"sub_id": null, "events": {"urn:x": {"subject": {"format": "opaque", "id": "a"}}}});
    assert_eq!(
        read("ssf", Some("secevent+jwt"), inside).unwrap().subject,
        None,
        "SSF 1.0 has it in sub_id alone"
    );
}
