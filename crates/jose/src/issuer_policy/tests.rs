use super::*;

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

fn validated(policy: &IssuerPolicy, payload: &str) -> Result<(), Reject> {
    policy.validate(&Claims::parse(payload.as_bytes()).unwrap(), NOW)
}

#[test]
fn the_standard_profile_judges_time_by_the_second() {
    let mut policy = IssuerPolicy::of(Profile::Standard);
    for (payload, expected) in [
        (r#"{"exp":1700000001}"#, Ok(())),
        (r#"{"exp":1700000000.5}"#, Ok(())),
        (r#"{"exp":1700000000}"#, Err(Reject::Expired)),
        (r#"{"exp":1699999999}"#, Err(Reject::Expired)),
        (r#"{"exp":-1}"#, Err(Reject::Expired)),
        (r#"{"exp":0}"#, Err(Reject::Expired)),
        (r#"{}"#, Err(Reject::MissingExpiry)),
        (r#"{"exp":null}"#, Err(Reject::ClaimType)),
        (r#"{"exp":"1700000001"}"#, Err(Reject::ClaimType)),
        (r#"{"exp":1e400}"#, Err(Reject::ClaimType)),
        (r#"{"exp":99999999999999999999}"#, Err(Reject::ClaimType)),
        (r#"{"exp":1700000001000}"#, Ok(())),
        (r#"{"exp":1700000001,"nbf":1700000000}"#, Ok(())),
        (r#"{"exp":1700000009,"nbf":1700000000.001}"#, Err(Reject::NotYetValid)),
        (r#"{"exp":1700000009,"nbf":1700000001}"#, Err(Reject::NotYetValid)),
        (r#"{"exp":1700000009,"nbf":"0"}"#, Err(Reject::ClaimType)),
        (r#"{"exp":1,"nbf":false}"#, Err(Reject::ClaimType)),
        (r#"{"exp":1700000009,"iat":1900000000}"#, Ok(())),
        (r#"{"exp":1700000009,"iat":"now"}"#, Err(Reject::ClaimType)),
        (r#"{"exp":1700000009,"st":1,"irt":1}"#, Ok(())),
        (r#"{"exp":1,"events":{}}"#, Err(Reject::Type)),
        (r#"{"exp":1,"cnf":{"jkt":"x"}}"#, Err(Reject::Binding)),
    ] {
        assert_eq!(validated(&policy, payload), expected, "{payload}");
    }
    policy.leeway = Leeway::both(Duration::from_secs(60));
    for (payload, expected) in [
        (r#"{"exp":1699999941}"#, Ok(())),
        (r#"{"exp":1699999940}"#, Err(Reject::Expired)),
        (r#"{"exp":1700000100,"nbf":1700000060}"#, Ok(())),
        (r#"{"exp":1700000100,"nbf":1700000061}"#, Err(Reject::NotYetValid)),
    ] {
        assert_eq!(validated(&policy, payload), expected, "{payload} with leeway");
    }
    policy.leeway = Leeway::both(Duration::MAX);
    assert_eq!(validated(&policy, r#"{"exp":1}"#), Ok(()));
}

#[test]
fn a_leeway_that_is_not_set_is_for_clocks_ahead_and_one_that_is_set_for_both_ends() {
    let (expired, early) = (Err(Reject::Expired), Err(Reject::NotYetValid));
    for (leeway, payload, expected) in [
        (Leeway::default(), r#"{"exp":1700000001}"#, Ok(())),
        (Leeway::default(), r#"{"exp":1700000000}"#, expired),
        (Leeway::default(), r#"{"exp":1700000100,"nbf":1700000030}"#, Ok(())),
        (Leeway::default(), r#"{"exp":1700000100,"nbf":1700000030.001}"#, early),
        (Leeway::default(), r#"{"exp":1700000100,"nbf":1700000031}"#, early),
        (Leeway::NONE, r#"{"exp":1700000001}"#, Ok(())),
        (Leeway::NONE, r#"{"exp":1700000000}"#, expired),
        (Leeway::NONE, r#"{"exp":1700000100,"nbf":1700000000}"#, Ok(())),
        (Leeway::NONE, r#"{"exp":1700000100,"nbf":1700000001}"#, early),
        (Leeway::both(Duration::from_secs(5)), r#"{"exp":1699999996}"#, Ok(())),
        (Leeway::both(Duration::from_secs(5)), r#"{"exp":1699999995}"#, expired),
        (Leeway::both(Duration::from_secs(5)), r#"{"exp":1700000100,"nbf":1700000005}"#, Ok(())),
        (Leeway::both(Duration::from_secs(5)), r#"{"exp":1700000100,"nbf":1700000006}"#, early),
    ] {
        for profile in [Profile::Standard, Profile::MsUsers] {
            let policy = IssuerPolicy { leeway, ..IssuerPolicy::of(profile) };
            let claims = Claims::parse(payload.as_bytes()).unwrap();
            assert_eq!(policy.validate_time(&claims, NOW), expected, "{leeway:?} {profile}: {payload}");
        }
    }
}

#[test]
fn the_standard_profile_judges_issuer_and_audience_where_they_are_set() {
    let open = IssuerPolicy::of(Profile::Standard);
    assert_eq!(validated(&open, r#"{"exp":1800000000,"iss":7,"aud":{}}"#), Ok(()));

    let strict = IssuerPolicy {
        issuers: vec!["i".into(), "j".into()],
        audiences: vec!["a".into(), "b".into()],
        ..open
    };
    for (claims, expected) in [
        (r#""iss":"i","aud":"a""#, Ok(())),
        (r#""iss":"j","aud":["x","b"]"#, Ok(())),
        (r#""iss":"\u0069","aud":["\u0061"]"#, Ok(())),
        (r#""aud":"a""#, Err(Reject::Issuer)),
        (r#""iss":"I","aud":"a""#, Err(Reject::Issuer)),
        (r#""iss":"i/","aud":"a""#, Err(Reject::Issuer)),
        (r#""iss":["i"],"aud":"a""#, Err(Reject::ClaimType)),
        (r#""iss":null,"aud":"a""#, Err(Reject::ClaimType)),
        (r#""iss":"i""#, Err(Reject::Audience)),
        (r#""iss":"i","aud":"A""#, Err(Reject::Audience)),
        (r#""iss":"i","aud":"a b""#, Err(Reject::Audience)),
        (r#""iss":"i","aud":"""#, Err(Reject::Audience)),
        (r#""iss":"i","aud":[]"#, Err(Reject::Audience)),
        (r#""iss":"i","aud":["x"]"#, Err(Reject::Audience)),
        (r#""iss":"i","aud":["a",7]"#, Err(Reject::ClaimType)),
        (r#""iss":"i","aud":[["a"]]"#, Err(Reject::ClaimType)),
        (r#""iss":"i","aud":["a",null]"#, Err(Reject::ClaimType)),
        (r#""iss":"i","aud":{"a":"a"}"#, Err(Reject::ClaimType)),
        (r#""iss":"i","aud":null"#, Err(Reject::ClaimType)),
        (r#""iss":"i","aud":true"#, Err(Reject::ClaimType)),
    ] {
        assert_eq!(validated(&strict, &format!(r#"{{"exp":1800000000,{claims}}}"#)), expected, "{claims}");
    }
}

#[test]
fn the_ms_users_profile_judges_time_and_then_the_version() {
    let policy = IssuerPolicy {
        issuers: vec!["i".into()],
        audiences: vec!["a".into()],
        ..IssuerPolicy::of(Profile::MsUsers)
    };
    for (payload, expected) in [
        (r#"{"st":1}"#, Ok(())),
        (r#"{"st":1,"exp":1700000001}"#, Ok(())),
        (r#"{"st":1,"exp":1700000001000}"#, Ok(())),
        (r#"{"st":1,"exp":1700000000000}"#, Err(Reject::Expired)),
        (r#"{"st":1,"exp":100000000000}"#, Err(Reject::Expired)),
        (r#"{"st":1,"exp":99999999999}"#, Ok(())),
        (r#"{"st":1,"nbf":1700000000000}"#, Ok(())),
        (r#"{"st":1,"nbf":1700000000001}"#, Err(Reject::NotYetValid)),
        (r#"{"st":1,"exp":"never"}"#, Err(Reject::ClaimType)),
        (r#"{"st":1,"iss":"x","aud":"y"}"#, Ok(())),
        (r#"{}"#, Err(Reject::Legacy)),
        (r#"{"st":0}"#, Err(Reject::Legacy)),
        (r#"{"st":"","irt":1}"#, Err(Reject::Legacy)),
        (r#"{"exp":1}"#, Err(Reject::Expired)),
        (r#"{"st":1,"irt":1}"#, Err(Reject::RefreshToken)),
        (r#"{"st":1,"irt":1,"exp":1}"#, Err(Reject::RefreshToken)),
        (r#"{"st":1,"irt":1,"exp":"never"}"#, Err(Reject::RefreshToken)),
        (r#"{"st":1,"irt":1,"nbf":1900000000}"#, Err(Reject::RefreshToken)),
        (r#"{"st":1,"irt":1,"events":{},"cnf":{}}"#, Err(Reject::RefreshToken)),
        (r#"{"irt":1,"exp":1}"#, Err(Reject::Expired)),
        (r#"{"st":1,"events":{},"exp":1}"#, Err(Reject::Type)),
        (r#"{"st":1,"cnf":{},"exp":1}"#, Err(Reject::Binding)),
        (r#"{"cnf":{"jkt":"x"}}"#, Err(Reject::Binding)),
        (r#"{"st":true,"irt":"1"}"#, Err(Reject::RefreshToken)),
        (r#"{"st":true,"irt":null}"#, Ok(())),
    ] {
        assert_eq!(validated(&policy, payload), expected, "{payload}");
    }
}
#[test]
fn misuse_is_told_by_header_and_claims_and_may_be_allowed_by_name() {
    let strict = IssuerPolicy::of(Profile::MsUsers);
    let named = Requirements { types: vec!["secevent+jwt".into()], ..Requirements::default() };
    let lax = IssuerPolicy { binding: Binding::Ignore, requirements: named, ..strict.clone() };
    let event = Some(r#"{"typ":"secevent+jwt"}"#);
    for (header, payload, strictly, laxly) in [
        (None, "{}", Ok(()), Ok(())),
        (None, r#"{"events":{}}"#, Err(Reject::Type), Err(Reject::Type)),
        (None, r#"{"cnf":{}}"#, Err(Reject::Binding), Ok(())),
        (Some("{}"), r#"{"events":{},"cnf":1}"#, Err(Reject::Type), Err(Reject::Type)),
        (event, r#"{"events":{}}"#, Err(Reject::Type), Ok(())),
        (event, "{}", Err(Reject::Type), Ok(())),
        (Some(r#"{"typ":"logout+jwt"}"#), "{}", Err(Reject::Type), Err(Reject::Type)),
        (Some("x"), "{}", Err(Reject::Malformed), Err(Reject::Malformed)),
    ] {
        let claims = Claims::parse(payload.as_bytes()).unwrap();
        assert_eq!(strict.refuse_misuse(header, &claims), strictly, "{header:?} {payload}");
        assert_eq!(lax.refuse_misuse(header, &claims), laxly, "{header:?} {payload}");
    }
}

#[test]
fn the_expiry_is_told_whatever_the_leeway_and_in_the_unit_that_the_profile_reads() {
    for (profile, payload, expected) in [
        (Profile::Standard, "{}", Ok(None)),
        (Profile::Standard, r#"{"exp":7}"#, Ok(Some(7_000))),
        (Profile::Standard, r#"{"exp":7.25}"#, Ok(Some(7_250))),
        (Profile::Standard, r#"{"exp":1700000000000}"#, Ok(Some(1_700_000_000_000_000))),
        (Profile::Standard, r#"{"exp":"7"}"#, Err(Reject::ClaimType)),
        (Profile::MsUsers, r#"{"exp":99999999999}"#, Ok(Some(99_999_999_999_000))),
        (Profile::MsUsers, r#"{"exp":100000000000}"#, Ok(Some(100_000_000_000))),
        (Profile::MsUsers, r#"{"exp":1700000000000}"#, Ok(Some(1_700_000_000_000))),
    ] {
        let policy =
            IssuerPolicy { leeway: Leeway::both(Duration::from_secs(60)), ..IssuerPolicy::of(profile) };
        let claims = Claims::parse(payload.as_bytes()).unwrap();
        let expected = expected.map(|millis: Option<i64>| millis.map(UnixTime::from_millis));
        assert_eq!(policy.expiry(&claims), expected, "{profile:?} {payload}");
    }
}

#[test]
fn operators_know_an_issuer_by_the_first_of_its_names() {
    let named = |names: &[&str]| IssuerPolicy {
        issuers: names.iter().map(|name| (*name).into()).collect(),
        ..IssuerPolicy::of(Profile::Standard)
    };
    assert_eq!(named(&[]).name(), None);
    assert_eq!(named(&["https://a.example", "https://b.example"]).name(), Some("https://a.example"));
}

#[test]
fn what_is_left_is_whole_seconds_and_never_less_than_there_is() {
    let ends = |until, login_until| Window { from: None, until, login_until };
    let after = |millis| Some(UnixTime::from_millis(NOW.as_millis() + millis));
    for (window, expected) in [
        (Window::ALWAYS, None),
        (ends(after(1), None), Some(1)),
        (ends(after(1_000), None), Some(1)),
        (ends(after(1_001), None), Some(2)),
        (ends(after(9_000), after(3_000)), Some(3)),
        (ends(None, after(3_000)), Some(3)),
        (ends(after(0), None), Some(0)),
        (ends(after(-5_000), None), Some(0)),
        (ends(Some(UnixTime::from_millis(i64::MAX)), None), Some((i64::MAX - NOW.as_millis()) / 1000 + 1)),
    ] {
        assert_eq!(window.seconds_left(NOW), expected, "{window:?}");
    }
}
