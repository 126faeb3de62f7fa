use jose::{ClaimNames, IssuerPolicy, Policy, Profile, Requirements, TokenVersion, TrustedIssuer};
use serde_json::json;

use super::*;
use crate::config::signals::{Provider, Scope};

const NOW: i64 = 1_700_000_000;

fn settings(names: &[(&str, &str)], mode: Mode) -> Settings {
    let names =
        ClaimNames::new(names.iter().map(|(short, claim)| ((*short).to_owned(), (*claim).to_owned())))
            .unwrap();
    let policy = IssuerPolicy {
        issuers: vec!["https://id.example".into()],
        requirements: Requirements { names, ..Requirements::default() },
        ..IssuerPolicy::of(Profile::Standard)
    };
    let issuer = TrustedIssuer { policy: policy.clone(), keys: 0, signers: Vec::new() };
    let trust = Trust::new(Profile::Standard, vec![issuer], vec![Policy::of("default", vec![0])]).unwrap();
    Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        max_age: Duration::from_secs(300),
        hold: Duration::from_secs(86_400),
        rate: 50,
        email: false,
        clients: None,
        senders: None,
        trust: Some(trust),
        streams: Vec::new(),
        providers: vec![Provider {
            issuer: "https://id.example".into(),
            names: policy.issuers.clone(),
            keys: 0,
            algorithms: policy.algorithms,
            leeway: policy.leeway,
            hold: Duration::from_secs(1),
            audiences: vec!["shop".to_owned()],
            logout: true,
            scope: Scope::default(),
            subject_claim: "sub".to_owned(),
            mode,
        }],
    }
}

fn told_of(settings: &Settings, header: Value, claims: &Value, client: &Client) -> Result<Told, Unrevoked> {
    let claims = Claims::parse(claims.to_string().as_bytes()).unwrap();
    let signed = Signed { header: header.to_string(), version: TokenVersion::of(&claims), claims };
    Issued { in_use: settings, now: UnixTime::from_secs(NOW) }.told(&signed, client)
}

fn told(claims: &Value, client: &Client) -> Result<Told, Unrevoked> {
    told_of(&settings(&[], Mode::Enforce), json!({ "alg": "ES256" }), claims, client)
}

fn token() -> Value {
    json!({
        "iss": "https://id.example", "sub": "anna", "client_id": "shop", "azp": "other", "aud": "api", "jti": "J",
        "iat": NOW - 10, "exp": NOW + 100, "scope": "read", "roles": ["x"],
    })
}

/// The token with other claims; `null` takes one away.
fn with(changes: Value) -> Value {
    let mut token = token();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => _ = token.as_object_mut().unwrap().remove(name),
            value => token[name] = value.clone(),
        }
    }
    token
}

fn bearer() -> Client {
    Client::Bearer(None)
}

#[test]
fn a_token_is_named_by_its_jti_in_its_subjects_group_for_as_long_as_it_lives() {
    let heard = told(&token(), &Client::Known("shop".into())).unwrap();
    assert_eq!((&*heard.sender, &*heard.by, heard.jti), ("shop", "https://id.example", None));
    assert_eq!(heard.weight, Weight::Enforce);
    let [End { issuers, group, which, hold }] = heard.ends.as_slice() else { panic!() };
    assert_eq!(issuers, &["https://id.example"]);
    assert_eq!(group, &Group::Subject("anna".to_owned()));
    assert_eq!(which, &Which::Token(vec![("jti".to_owned(), json!("J"))]));
    assert_eq!(hold.as_secs(), 101);
    assert_eq!(&*told(&token(), &bearer()).unwrap().sender, "https://id.example");
}

#[test]
fn without_a_subject_it_is_a_rule_of_everybodys_and_without_a_jti_all_else_must_be_equal() {
    let end = |claims: Value| told(&claims, &bearer()).map(|told| told.ends.into_iter().next().unwrap());
    assert_eq!(end(with(json!({ "sub": null }))).unwrap().group, Group::Everybody);
    assert_eq!(end(with(json!({ "sub": 42 }))).unwrap().group, Group::Subject("42".to_owned()));
    let equal = |claims: Value| {
        let claims = claims.as_array().unwrap().iter();
        let pair = |pair: &Value| (pair[0].as_str().unwrap().to_owned(), pair[1].clone());
        Which::Token(claims.map(pair).collect())
    };
    let most = json!([
        ["iat", NOW - 10],
        ["exp", NOW + 100],
        ["client_id", "shop"],
        ["azp", "other"],
        ["aud", "api"],
        ["scope", "read"],
    ]);
    for jti in [json!(null), json!(""), json!(["J"]), json!("J".repeat(1025))] {
        assert_eq!(end(with(json!({ "jti": jti }))).unwrap().which, equal(most.clone()), "{jti}");
    }
    assert_eq!(end(with(json!({ "jti": 7 }))).unwrap().which, equal(json!([["jti", 7]])));
    // An ID token that was issued beside the access token is told from it.
    let id_token = with(
        json!({ "jti": null, "azp": null, "scope": null, "aud": ["shop"], "at_hash": "H", "nonce": "N" }),
    );
    let expected = json!([
        ["iat", NOW - 10],
        ["exp", NOW + 100],
        ["client_id", "shop"],
        ["nonce", "N"],
        ["at_hash", "H"],
    ]);
    assert_eq!(end(id_token).unwrap().which, equal(expected));
}

#[test]
fn a_token_that_is_refused_anyway_needs_no_rule() {
    for claims in [
        with(json!({ "exp": NOW })),
        with(json!({ "exp": NOW - 1 })),
        with(json!({ "exp": null })),
        with(json!({ "exp": "tomorrow" })),
        with(json!({ "sub": "g" })),
        with(json!({ "sub": "" })),
        with(json!({ "sub": ["anna"] })),
    ] {
        assert_eq!(told(&claims, &bearer()).unwrap_err(), Unrevoked::Useless, "{claims}");
    }
}

#[test]
fn a_client_revokes_what_was_issued_to_it_and_nothing_else() {
    let known = |id: &str| Client::Known(id.into());
    let says = |id: &str| Client::Bearer(Some(id.to_owned()));
    let cases = [
        (token(), "shop", true),
        // `azp` counts where there is no `client_id`.
        (token(), "other", false),
        (with(json!({ "client_id": null })), "other", true),
        (with(json!({ "client_id": null, "azp": null })), "shop", false),
        (with(json!({ "client_id": ["shop"], "azp": null })), "shop", false),
        // Not for whom it is.
        (token(), "api", false),
    ];
    for (claims, id, expected) in cases {
        for client in [known(id), says(id)] {
            let refused = told(&claims, &client).err();
            assert_eq!(refused, (!expected).then_some(Unrevoked::NotYours), "{claims} {client:?}");
        }
    }
    let named = settings(&[("client_id", "cid")], Mode::Enforce);
    let claims = with(json!({ "client_id": null, "cid": "shop" }));
    assert!(told_of(&named, json!({}), &claims, &known("shop")).is_ok());
    assert_eq!(told_of(&named, json!({}), &token(), &known("shop")).unwrap_err(), Unrevoked::NotYours);
}

#[test]
fn what_is_no_access_token_or_cannot_be_told_from_others_is_not_supported() {
    let plain = settings(&[], Mode::Enforce);
    for (header, claims) in [
        (json!({ "typ": "logout+jwt" }), token()),
        (json!({ "typ": "secevent+jwt" }), token()),
        (json!({ "typ": "dpop+jwt" }), token()),
        (json!({}), with(json!({ "events": {} }))),
        (json!({}), with(json!({ "iss": null }))),
    ] {
        let refused = told_of(&plain, header, &claims, &bearer()).unwrap_err();
        assert!(matches!(refused, Unrevoked::Unsupported(_)), "{claims}: {refused:?}");
    }
    // Bound to a key that is not shown here, it can still be revoked.
    assert!(told(&with(json!({ "cnf": { "jkt": "x" } })), &bearer()).is_ok());
}

#[test]
fn a_token_with_the_name_of_another_issuer_is_refused_anyway_also_where_one_alone_is_trusted() {
    for name in ["https://other.example", "https://id.example/"] {
        let refused = told(&with(json!({ "iss": name })), &bearer()).unwrap_err();
        assert_eq!(refused, Unrevoked::Useless, "{name}");
    }
}

#[test]
fn of_an_issuer_whose_messages_are_tried_a_revocation_is_tried_too() {
    let heard = told_of(&settings(&[], Mode::Shadow), json!({}), &token(), &bearer()).unwrap();
    assert_eq!(heard.weight, Weight::Shadow);
}
