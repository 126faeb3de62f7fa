pub mod lines;

use jose::{Challenges, ClaimNames, Confirmation, Profile, Reason, Reject, Signed};

use super::*;

fn signed(payload: &str, version: TokenVersion) -> Signed {
    Signed {
        header: r#"{"alg":"HS256"}"#.to_owned(),
        claims: Claims::parse(payload.as_bytes()).unwrap(),
        version,
    }
}

fn decision(outcome: Outcome, profile: Profile) -> Decision {
    let policy = Some("default".into());
    let version = outcome.version(profile, None);
    Decision {
        outcome,
        confirmation: Confirmation::NONE,
        names: ClaimNames::default(),
        id: Some("fp".into()),
        version,
        policy,
        challenges: Some(Challenges::default()),
        scheme: jose::AuthScheme::Bearer,
    }
}

fn accepted(payload: &str) -> Decision {
    decision(Outcome::Accepted(signed(payload, TokenVersion::Legacy)), Profile::Standard)
}

fn shown(decision: &Decision, variables: &Variables, claims: Option<&[String]>) -> Vec<String> {
    answer(decision, variables, claims)
        .actions
        .into_iter()
        .map(|action| match action {
            Action::SetVar { scope: VarScope::Transaction, name, value } => format!("{name}={value:?}"),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn payload_of(payload: &str, claims: Option<&[String]>) -> Vec<String> {
    let all = shown(&accepted(payload), &Variables::All, claims);
    all.into_iter().filter(|line| line.starts_with("payload.")).collect()
}

#[test]
fn valid_is_the_last_action_of_every_answer() {
    let lines = shown(&accepted(r#"{"sub":"ann","n":[]}"#), &Variables::All, None);
    let expected = [
        r#"policy=String("default")"#,
        r#"id=String("fp")"#,
        r#"detail=String("ok")"#,
        r#"binding=String("none")"#,
        r#"header=String("{\"alg\":\"HS256\"}")"#,
        r#"body=String("{\"sub\":\"ann\",\"n\":[]}")"#,
        r#"payload.sub=String("ann")"#,
        r#"payload.n=String("[]")"#,
        r#"reason=String("ok")"#,
        "valid=Bool(true)",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_refused_token_shows_nothing_of_itself_unless_it_is_a_legacy_one() {
    let refused = |reject, signed| decision(Outcome::Refused { reject, signed }, Profile::MsUsers);
    let legacy = signed(r#"{"u":1}"#, TokenVersion::Legacy);
    let stateless = signed(r#"{"st":1}"#, TokenVersion::Stateless);
    for reject in Reject::ALL {
        let lines = shown(&refused(*reject, Some(stateless.clone())), &Variables::All, None);
        let shows = lines.iter().any(|line| line.starts_with("body=") || line.starts_with("payload."));
        assert_eq!(shows, *reject == Reject::Legacy, "{reject:?}");
        let tells = lines.contains(&"stateless=Bool(true)".to_owned());
        assert_eq!(tells, reject.reason() != Reason::BackendUnavailable, "{reject:?}");
        assert_eq!(lines.last().unwrap(), "valid=Bool(false)");
    }
    let lines = shown(&refused(Reject::Legacy, Some(legacy)), &Variables::All, None);
    assert!(lines.contains(&"legacy=Bool(true)".to_owned()));
    assert!(lines.contains(&"payload.u=Int64(1)".to_owned()));
    let lines = shown(&refused(Reject::Signature, None), &Variables::All, None);
    assert!(lines.contains(&"legacy=Bool(true)".to_owned()));
}

#[test]
fn each_kind_of_claim_has_its_type_and_loses_no_digit() {
    let payload = r#"{"i":-3,"big":12345678901234567890,"f":1.50,"t":true,"z":null,"s":"a\u0020b","o":{"b":[1, 2],"a":{}},"e":[]}"#;
    let expected = [
        "payload.i=Int64(-3)",
        r#"payload.big=String("12345678901234567890")"#,
        r#"payload.f=String("1.50")"#,
        "payload.t=Bool(true)",
        r#"payload.z=String("null")"#,
        r#"payload.s=String("a b")"#,
        r#"payload.o=String("{\"b\":[1,2],\"a\":{}}")"#,
        r#"payload.e=String("[]")"#,
    ];
    assert_eq!(payload_of(payload, None), expected);
}

#[test]
fn a_name_that_two_claims_would_share_goes_to_the_exact_one_or_to_none() {
    for (payload, expected) in [
        (r#"{"https://a.example/role":1}"#, &["payload.https___a.example_role=Int64(1)"][..]),
        (r#"{"a-b":1,"a_b":2}"#, &["payload.a_b=Int64(2)"]),
        (r#"{"a_b":2,"a-b":1,"a b":3}"#, &["payload.a_b=Int64(2)"]),
        (r#"{"a-b":1,"a b":2,"c":3}"#, &["payload.c=Int64(3)"]),
        (r#"{"é":1}"#, &["payload._=Int64(1)"]),
        (r#"{"":1}"#, &[]),
    ] {
        assert_eq!(payload_of(payload, None), expected, "{payload}");
    }
}

#[test]
fn names_that_are_too_long_are_left_out_and_counted() {
    let fits = "x".repeat(MAX_NAME_BYTES - PREFIX.len() - PAYLOAD.len());
    let decision = accepted(&format!(r#"{{"{fits}":1,"{fits}y":2}}"#));
    let answer = answer(&decision, &Variables::All, None);
    assert_eq!(answer.long_names, 1);
    let lines = shown(&decision, &Variables::All, None);
    assert!(lines.contains(&format!("payload.{fits}=Int64(1)")));
}

#[test]
fn only_the_chosen_claims_and_variables_are_sent() {
    let claims = ["sub".to_owned(), "realm.roles".to_owned(), "none".to_owned()];
    let payload = r#"{"sub":"ann","x":1,"realm":{"roles":["a"]}}"#;
    let expected = [r#"payload.sub=String("ann")"#, r#"payload.realm.roles=String("[\"a\"]")"#];
    assert_eq!(payload_of(payload, Some(&claims)), expected);

    let only = |names: &[&str]| Variables::Only(names.iter().map(|name| (*name).to_owned()).collect());
    let decision = accepted(payload);
    let expected = [r#"reason=String("ok")"#, "valid=Bool(true)"];
    assert_eq!(shown(&decision, &only(&[]), None), expected);
    let lines = shown(&decision, &only(&["payload.x"]), None);
    assert_eq!(lines.first().unwrap(), "payload.x=Int64(1)");
    assert_eq!(shown(&decision, &only(&["payload"]), None).len(), 5);
}

#[test]
fn knows_its_own_names() {
    for name in ["valid", "reason", "payload", "payload.sub"] {
        assert!(Variables::is_name(name), "{name}");
    }
    for name in ["payload.", "Valid", "spoe_error", ""] {
        assert!(!Variables::is_name(name), "{name}");
    }
}

#[test]
fn a_short_name_is_the_variable_of_its_claim_and_of_no_other() {
    let long = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role";
    let pairs = [("role", long), ("my_id", "id"), ("roles", "realm.roles")];
    let pairs = pairs.map(|(short, claim)| (short.to_owned(), claim.to_owned()));
    let names = ClaimNames::new(pairs).unwrap();
    let chosen = ["role", "role.x", "my-id", "id"].map(str::to_owned);
    for (payload, claims, expected) in [
        (format!(r#"{{"{long}":"a"}}"#), None, &[r#"role=String("a")"#][..]),
        (
            format!(r#"{{"role":"b","{long}":"a","role.x":1,"rolex":2}}"#),
            None,
            &["rolex=Int64(2)", r#"role=String("a")"#],
        ),
        (r#"{"role":"b","role.x":1,"my-id":2,"my_id":3}"#.into(), None, &[]),
        (
            r#"{"id":1,"my-id":2,"realm":{"roles":[7]}}"#.into(),
            None,
            &[
                "id=Int64(1)",
                r#"realm=String("{\"roles\":[7]}")"#,
                "my_id=Int64(1)",
                r#"roles=String("[7]")"#,
            ],
        ),
        (
            format!(r#"{{"role":{{"x":"b"}},"{long}":{{"x":"a"}},"my-id":2,"id":1}}"#),
            Some(&chosen[..]),
            &[r#"role=String("{\"x\":\"a\"}")"#, r#"role.x=String("a")"#, "id=Int64(1)"],
        ),
        (r#"{"role":{"x":"b"},"my-id":2}"#.into(), Some(&chosen), &[]),
    ] {
        let decision = Decision { names: names.clone(), ..accepted(&payload) };
        let lines = shown(&decision, &Variables::All, claims);
        let lines: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix(PAYLOAD)).collect();
        assert_eq!(lines, expected, "{payload}");
        assert_eq!(answer(&decision, &Variables::All, claims).long_names, 0, "{payload}");
    }
}

#[test]
fn a_claim_keeps_its_own_variable_beside_a_short_one_as_long_as_its_name_fits() {
    for (length, own, long_names) in [(2, true, 0), (40, true, 0), (41, false, 0), (60, false, 0)] {
        let claim = "c".repeat(length);
        let names = ClaimNames::new([("short".to_owned(), claim.clone())]).unwrap();
        let decision = Decision { names, ..accepted(&format!(r#"{{"{claim}":1}}"#)) };
        let lines = shown(&decision, &Variables::All, None);
        assert!(lines.contains(&"payload.short=Int64(1)".to_owned()), "{length}");
        assert_eq!(lines.contains(&format!("payload.{claim}=Int64(1)")), own, "{length}");
        assert_eq!(answer(&decision, &Variables::All, None).long_names, long_names, "{length}");
    }
    let names = ClaimNames::new([("short".to_owned(), "other".to_owned())]).unwrap();
    let decision = Decision { names, ..accepted(&format!(r#"{{"{}":1}}"#, "c".repeat(41))) };
    let answer = answer(&decision, &Variables::All, None);
    assert_eq!(answer.long_names, 1, "the short name is that of another claim");
}

#[test]
fn a_refused_client_is_told_what_would_help_and_one_that_may_have_a_good_token_is_not() {
    let challenge = |outcome| {
        let lines = shown(&decision(outcome, Profile::Standard), &Variables::All, None);
        lines.into_iter().find(|line| line.starts_with("challenge="))
    };
    let told = challenge(Outcome::refused(Reject::Expired)).unwrap();
    assert!(told.contains("error_description=\\\"expired"), "{told}");
    for reject in Reject::ALL {
        let is_told = challenge(Outcome::refused(*reject)).is_some();
        assert_eq!(is_told, reject.reason() != Reason::BackendUnavailable, "{reject:?}");
    }
    assert_eq!(challenge(Outcome::Accepted(signed("{}", TokenVersion::Legacy))), None);
    let unwanted = Variables::Only(["detail".to_owned()].into());
    let lines = shown(&decision(Outcome::refused(Reject::Expired), Profile::Standard), &unwanted, None);
    assert!(!lines.iter().any(|line| line.starts_with("challenge=")), "{lines:?}");
}
