//! Several issuers and policies: whose keys are tried, and what is asked on top.

use std::time::Duration;

use jose::{
    Algorithm, AlgorithmSet, ClaimCondition, ClaimRule, ClaimValue, IssuerName, IssuerPolicy, KeySet, Policy,
    Profile, Refusal, Reject, Requirements, Tenants, Trust, TrustedIssuer, UnixTime, Verdict,
};
use serde_json::json;

use crate::support::{NOW, STRICT, Signer, parse};

fn keys(signer: &Signer, kid: &str) -> KeySet {
    let mut jwk = signer.jwk();
    jwk["kid"] = json!(kid);
    KeySet::parse(json!({ "keys": [jwk] }).to_string().as_bytes(), &STRICT).unwrap()
}

fn issuer(name: &str, keys: usize, audiences: &[&str], algorithms: AlgorithmSet) -> TrustedIssuer {
    let audiences = audiences.iter().map(|audience| (*audience).to_owned()).collect();
    let policy = IssuerPolicy {
        issuers: vec![name.into()],
        audiences,
        algorithms,
        ..IssuerPolicy::of(Profile::Standard)
    };
    TrustedIssuer { policy, keys, signers: Vec::new() }
}

fn policy(name: &str, issuers: &[usize]) -> Policy {
    Policy::of(name, issuers.to_vec())
}

fn verdict(trust: &Trust, token: &str, keys: &[KeySet], policy: &str) -> Result<(), Reject> {
    match trust.verify(token, keys, trust.policy(Some(policy)).unwrap(), NOW) {
        Verdict::Accept(_) => Ok(()),
        Verdict::Refuse(Refusal { reject, .. }) => Err(reject),
    }
}

#[test]
fn a_token_is_only_tried_with_the_keys_of_its_own_issuer() {
    let (ann, bob) = (Signer::generate(Algorithm::ES256), Signer::generate(Algorithm::ES256));
    // The same kid in both sets: only the issuer tells them apart.
    let sets = [keys(&ann, "k"), keys(&bob, "k")];
    let issuers = vec![issuer("ann", 0, &[], AlgorithmSet::ALL), issuer("bob", 1, &[], AlgorithmSet::ALL)];
    let policies = vec![policy("default", &[0, 1]), policy("only-ann", &[0])];
    let trust = Trust::new(Profile::Standard, issuers, policies).unwrap();
    let payload = |iss: &str| format!(r#"{{"iss":{iss},"exp":1700000600}}"#);
    for (signer, iss, policy, expected) in [
        (&ann, r#""ann""#, "default", Ok(())),
        (&bob, r#""bob""#, "default", Ok(())),
        (&ann, r#""ann""#, "only-ann", Ok(())),
        (&bob, r#""bob""#, "only-ann", Err(Reject::Issuer)),
        (&ann, r#""bob""#, "default", Err(Reject::Signature)),
        (&bob, r#""ann""#, "only-ann", Err(Reject::Signature)),
        (&ann, r#""eve""#, "default", Err(Reject::Issuer)),
        (&ann, r#"["ann"]"#, "default", Err(Reject::Issuer)),
        (&ann, "null", "default", Err(Reject::Issuer)),
    ] {
        let token = signer.plain_token(Algorithm::ES256, &payload(iss));
        assert_eq!(verdict(&trust, &token, &sets, policy), expected, "{iss} {policy}");
    }
    let twice = ann.plain_token(Algorithm::ES256, r#"{"iss":"ann","iss":"bob","exp":1700000600}"#);
    assert_eq!(verdict(&trust, &twice, &sets, "default"), Err(Reject::Malformed));
}

/// An issuer that is one tenant, with the keys of the endpoint that all tenants share: other tenants' keys are there too.
#[test]
fn a_key_that_names_another_tenant_signs_nothing_for_an_issuer_that_is_one() {
    const ONE: &str = "11111111-2222-3333-4444-5555555555aa";
    const TWO: &str = "99999999-8888-7777-6666-aaaaaaaaaaaa";
    let v2 = |tenant: &str| format!("https://login.example/{tenant}/v2.0");
    let (v1, unknown) = (format!("https://sts.example/{ONE}/"), Err(Reject::UnknownKey));
    for (iss, key, expected) in [
        (v2(ONE), json!(null), Ok(())),
        (v2(ONE), json!(v2("{tenantid}")), Ok(())),
        (v2(ONE), json!(v2(ONE)), Ok(())),
        (v2(ONE), json!(v2(&ONE.to_uppercase())), Ok(())),
        (v1.clone(), json!(v2(ONE)), Ok(())),
        (v2(ONE), json!(v2(TWO)), unknown),
        (v1, json!(v2(TWO)), unknown),
        ("https://id.example".to_owned(), json!(v2(TWO)), Ok(())),
    ] {
        let signer = Signer::generate(Algorithm::ES256);
        let keys = parse(&json!({"keys": [signer.jwk_with(json!({"issuer": key}))]}), &STRICT);
        let token = signer.plain_token(Algorithm::ES256, &format!(r#"{{"iss":{iss:?},"exp":1700000600}}"#));
        let only = issuer(&iss, 0, &[], AlgorithmSet::ALL);
        let alone = Trust::new(Profile::Standard, vec![only.clone()], vec![policy("default", &[0])]).unwrap();
        let beside = Trust::new(
            Profile::Standard,
            vec![issuer("bob", 1, &[], AlgorithmSet::ALL), only],
            vec![policy("default", &[0, 1])],
        )
        .unwrap();
        let sets = [keys, KeySet::empty()];
        for trust in [&alone, &beside] {
            assert_eq!(verdict(trust, &token, &sets, "default"), expected, "{iss} {key}");
        }
    }
}

/// The keys of Entra's `common` endpoint: most are every tenant's, some one's own.
#[test]
fn a_token_of_a_tenant_is_verified_by_keys_of_that_tenant_or_of_all() {
    const ONE: &str = "11111111-2222-3333-4444-555555555555";
    const TWO: &str = "99999999-8888-7777-6666-aaaaaaaaaaaa";
    const OTHER: &str = "22222222-3333-4444-5555-666666666666";
    const V2: &str = "https://login.example/{tenantid}/v2.0";
    let name_of = |tenant: &str| V2.replace("{tenantid}", tenant);
    let own = name_of(TWO);
    let keys: Vec<(&str, serde_json::Value, Signer)> = [
        ("all", json!(V2)),
        ("silent", json!(null)),
        ("two", json!(own)),
        ("near", json!(format!("{own}/"))),
        ("odd", json!(7)),
    ]
    .map(|(kid, issuer)| (kid, issuer, Signer::generate(Algorithm::ES256)))
    .into();
    let jwks: Vec<_> = keys
        .iter()
        .map(|(kid, issuer, signer)| signer.jwk_with(json!({"kid": kid, "issuer": issuer})))
        .collect();
    let sets = [parse(&json!({ "keys": jwks }), &STRICT), KeySet::empty()];
    let template = |tenants: &[&str]| {
        let tenants = tenants.iter().map(|tenant| (*tenant).to_owned()).collect::<Vec<_>>();
        let mut issuer = issuer("", 0, &[], AlgorithmSet::ALL);
        let tenants = Tenants::parse(&tenants).unwrap();
        issuer.policy.issuers =
            vec![IssuerName::with_tenants(V2, &tenants).unwrap(), IssuerName::from("https://alias.example")];
        issuer
    };
    let alone = |tenants: &[&str]| {
        Trust::new(Profile::Standard, vec![template(tenants)], vec![policy("default", &[0])]).unwrap()
    };
    let beside = Trust::new(
        Profile::Standard,
        vec![issuer("bob", 1, &[], AlgorithmSet::ALL), template(&[ONE, TWO])],
        vec![policy("default", &[0, 1])],
    )
    .unwrap();
    let (unknown, refused) = (Err(Reject::UnknownKey), Err(Reject::Issuer));
    let alias = "https://alias.example";
    for (kid, iss, tid, of_both, of_every) in [
        ("all", name_of(ONE), ONE, Ok(()), Ok(())),
        ("all", name_of(TWO), TWO, Ok(()), Ok(())),
        ("silent", name_of(ONE), ONE, Ok(()), Ok(())),
        ("two", name_of(TWO), TWO, Ok(()), Ok(())),
        ("two", name_of(ONE), ONE, unknown, unknown),
        ("two", name_of(ONE), TWO, refused, refused),
        ("near", name_of(TWO), TWO, unknown, unknown),
        ("odd", name_of(TWO), TWO, unknown, unknown),
        ("all", name_of(OTHER), OTHER, refused, Ok(())),
        ("two", name_of(OTHER), OTHER, refused, unknown),
        ("all", name_of(ONE), TWO, refused, refused),
        ("all", V2.to_owned(), "{tenantid}", refused, refused),
        ("all", name_of(""), "", refused, refused),
        ("silent", alias.to_owned(), "", Ok(()), Ok(())),
        ("all", alias.to_owned(), "", unknown, unknown),
        ("all", alias.to_owned(), ONE, Ok(()), Ok(())),
        ("two", alias.to_owned(), ONE, unknown, unknown),
    ] {
        let (_, _, signer) = keys.iter().find(|(name, ..)| *name == kid).unwrap();
        let header = json!({"alg": "ES256", "kid": kid}).to_string();
        let payload = json!({"iss": iss, "tid": tid, "exp": 1_700_000_600}).to_string();
        let token = signer.token(Algorithm::ES256, &header, &payload);
        for (what, trust, expected) in [
            ("alone", &alone(&[ONE, TWO]), of_both),
            ("beside another issuer", &beside, of_both),
            ("every tenant", &alone(&["*"]), of_every),
        ] {
            assert_eq!(verdict(trust, &token, &sets, "default"), expected, "{what}: {kid} {payload}");
        }
    }
    let token = |payload: serde_json::Value| {
        let header = json!({"alg": "ES256", "kid": "all"}).to_string();
        keys[0].2.token(Algorithm::ES256, &header, &payload.to_string())
    };
    for payload in [
        json!({"iss": name_of(ONE), "exp": 1_700_000_600}),
        json!({"iss": name_of(ONE), "tid": [ONE], "exp": 1_700_000_600}),
        json!({"iss": [name_of(ONE)], "tid": ONE, "exp": 1_700_000_600}),
        json!({"tid": ONE, "exp": 1_700_000_600}),
    ] {
        assert_eq!(verdict(&alone(&["*"]), &token(payload.clone()), &sets, "default"), refused, "{payload}");
    }
    let trust = alone(&[ONE]);
    let explained = trust.explain(
        &token(json!({"iss": name_of(ONE), "tid": ONE})),
        &sets,
        trust.policy(None).unwrap(),
        NOW,
    );
    let outcomes: Vec<_> = explained.keys.iter().map(|trial| trial.outcome).collect();
    use jose::TrialOutcome::{OtherKid, OtherTenant, Verified};
    assert_eq!(outcomes, [Verified, OtherKid, OtherTenant, OtherTenant, OtherTenant]);
}

#[test]
fn a_policy_asks_on_top_of_its_issuer() {
    let signer = Signer::generate(Algorithm::RS256);
    let sets = [keys(&signer, "k")];
    let rsa: AlgorithmSet = [Algorithm::RS256, Algorithm::PS256].into_iter().collect();
    let admin = Policy {
        algorithms: [Algorithm::PS256].into_iter().collect(),
        audiences: vec!["admin".to_owned()],
        requirements: Requirements {
            max_lifetime: Some(Duration::from_secs(900)),
            all_scopes: vec!["write".to_owned()],
            claims: vec![ClaimRule {
                path: "realm.roles[0]".to_owned(),
                condition: ClaimCondition::OneOf(vec![ClaimValue::String("root".to_owned())]),
            }],
            ..Requirements::default()
        },
        ..policy("admin", &[0])
    };
    let issuers = vec![issuer("ann", 0, &["api", "admin"], rsa)];
    let trust = Trust::new(Profile::Standard, issuers, vec![policy("default", &[0]), admin]).unwrap();
    let good = r#"{"iss":"ann","aud":["api","admin"],"iat":1700000000,"exp":1700000600,"scope":"read write","realm":{"roles":["root"]}}"#;
    let cases = [
        (Algorithm::RS256, good.to_owned(), Ok(()), Err(Reject::Algorithm)),
        (Algorithm::RS512, good.to_owned(), Err(Reject::Algorithm), Err(Reject::Algorithm)),
        (Algorithm::PS256, good.to_owned(), Ok(()), Ok(())),
        (Algorithm::PS256, good.replace(r#","admin"]"#, "]"), Ok(()), Err(Reject::Audience)),
        (
            Algorithm::PS256,
            good.replace(r#"["api","admin"]"#, r#""x""#),
            Err(Reject::Audience),
            Err(Reject::Audience),
        ),
        (Algorithm::PS256, good.replace("1700000600", "1700000901"), Ok(()), Err(Reject::Lifetime)),
        (Algorithm::PS256, good.replace("read write", "read"), Ok(()), Err(Reject::Scope)),
        (Algorithm::PS256, good.replace("root", "user"), Ok(()), Err(Reject::Claim)),
        (
            Algorithm::PS256,
            good.replace("1700000600", "1700000000"),
            Err(Reject::Expired),
            Err(Reject::Expired),
        ),
    ];
    for (algorithm, payload, by_default, as_admin) in cases {
        let token = signer.plain_token(algorithm, &payload);
        assert_eq!(verdict(&trust, &token, &sets, "default"), by_default, "{payload}");
        assert_eq!(verdict(&trust, &token, &sets, "admin"), as_admin, "{payload}");
    }
}

#[test]
fn a_key_set_that_is_not_there_decides_nothing() {
    let signer = Signer::generate(Algorithm::HS256);
    let trust = Trust::single(IssuerPolicy::of(Profile::Standard));
    let token = signer.plain_token(Algorithm::HS256, r#"{"exp":1700000600}"#);
    assert_eq!(verdict(&trust, &token, &[], "default"), Err(Reject::NoKeys));
    assert_eq!(verdict(&trust, &token, &[KeySet::empty()], "default"), Err(Reject::NoKeys));
    assert_eq!(verdict(&trust, &token, &[keys(&signer, "k")], "default"), Ok(()));
}

#[test]
fn the_only_issuer_gives_the_window_whatever_iss_says_and_several_by_theirs() {
    let signer = Signer::generate(Algorithm::ES256);
    let sets = [keys(&signer, "k")];
    let with_leeway = |name: &str, seconds: u64| {
        let mut issuer = issuer(name, 0, &[], AlgorithmSet::ALL);
        issuer.policy.leeway = jose::Leeway::both(Duration::from_secs(seconds));
        issuer
    };
    let mut any = with_leeway("any", 5);
    any.policy.issuers.clear();
    let one = Trust::new(Profile::Standard, vec![any], vec![policy("default", &[0])]).unwrap();
    let issuers = vec![with_leeway("ann", 7), with_leeway("bob", 9)];
    let two = Trust::new(Profile::Standard, issuers, vec![policy("default", &[0, 1])]).unwrap();
    for (trust, iss, until) in [
        (&one, "", Ok(605)),
        (&one, r#""iss":"ann","#, Ok(605)),
        (&one, r#""iss":7,"#, Ok(605)),
        (&two, r#""iss":"ann","#, Ok(607)),
        (&two, r#""iss":"bob","#, Ok(609)),
        (&two, r#""iss":"eve","#, Err(Reject::Issuer)),
        (&two, "", Err(Reject::Issuer)),
    ] {
        let token = signer.plain_token(Algorithm::ES256, &format!(r#"{{{iss}"exp":1700000600}}"#));
        let signed = one.verify_signature(&token, &sets, one.policy(None).unwrap()).unwrap();
        let seconds = |until: i64| Some(UnixTime::from_secs(1_700_000_000 + until));
        assert_eq!(
            trust.window(&signed, trust.policy(None).unwrap()).map(|window| window.until),
            until.map(seconds),
            "{iss}"
        );
    }
}

#[test]
fn an_explanation_accounts_for_every_key_and_repeats_the_verdict() {
    use jose::TrialOutcome::{Failed, NotAllowed, NotReached, OtherAlgorithm, OtherKid, Verified};
    let (good, other, rsa) = (
        Signer::generate(Algorithm::ES256),
        Signer::generate(Algorithm::ES256),
        Signer::generate(Algorithm::RS256),
    );
    let sets = [KeySet::merge(&[
        keys(&rsa, "rsa"),
        keys(&other, "other"),
        keys(&other, "good"),
        keys(&good, "good"),
        keys(&good, "good"),
    ])];
    let trust = Trust::single(IssuerPolicy::of(Profile::Standard));
    let outcomes = |trust: &Trust, token: &str| {
        let policy = trust.policy(None).unwrap();
        let explanation = trust.explain(token, &sets, policy, NOW);
        assert_eq!(explanation.verdict, trust.verify(token, &sets, policy, NOW));
        assert_eq!(explanation.claims.unwrap().as_json(), r#"{"exp":1}"#);
        explanation.keys.iter().map(|trial| trial.outcome).collect::<Vec<_>>()
    };
    let token =
        good.token(Algorithm::ES256, &json!({"alg": "ES256", "kid": "good"}).to_string(), r#"{"exp":1}"#);
    assert_eq!(outcomes(&trust, &token), [OtherAlgorithm, OtherKid, Failed, Verified, NotReached]);
    let without_kid = good.plain_token(Algorithm::ES256, r#"{"exp":1}"#);
    assert_eq!(outcomes(&trust, &without_kid), [OtherAlgorithm, Failed, Failed, Verified, NotReached]);
    let only_rsa = AlgorithmSet::RSA;
    let strict = Trust::single(IssuerPolicy { algorithms: only_rsa, ..IssuerPolicy::of(Profile::Standard) });
    assert_eq!(outcomes(&strict, &token), [NotAllowed; 5]);
    let left_out = |token: &str| {
        let set = json!({"keys": [
            good.jwk_with(json!({"kid": "good", "use": "enc"})),
            rsa.jwk_with(json!({"kid": "bad", "alg": "ES256"})),
            rsa.jwk_with(json!({"kid": "rsa"})),
        ]});
        let explanation = trust.explain(token, &[parse(&set, &STRICT)], trust.policy(None).unwrap(), NOW);
        explanation.left_out.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let (used, fits) = (
        r#"key "good": its use is "enc", not "sig""#,
        r#"key "bad": algorithm ES256 does not fit the key's type, curve or size"#,
    );
    assert_eq!(left_out(&token), [used], "of the token's kid alone");
    assert_eq!(left_out(&without_kid), [used, fits]);
    let explanation = trust.explain("a.b", &sets, trust.policy(None).unwrap(), NOW);
    assert!(explanation.header.is_none() && explanation.keys.is_empty());
}

#[test]
fn where_no_keys_are_configured_a_signed_token_is_a_legacy_one_in_ms_users() {
    for (profile, of_garbage, of_signed) in [
        (Profile::Standard, Reject::Malformed, Reject::NoKeys),
        (Profile::MsUsers, Reject::Legacy, Reject::Legacy),
    ] {
        let trust = Trust::single(IssuerPolicy::of(profile)).without_keys();
        let good =
            Signer::generate(Algorithm::HS256).plain_token(Algorithm::HS256, r#"{"st":1,"exp":4000000000}"#);
        for (token, expected) in [("a.b.c", of_garbage), (&*good, of_signed), ("", Reject::Missing)] {
            let verdict = trust.verify(token, &[KeySet::empty()], trust.policy(None).unwrap(), NOW);
            let Verdict::Refuse(Refusal { reject, signed: None }) = verdict else {
                panic!("{token}: {verdict:?}")
            };
            assert_eq!(reject, expected, "{profile} {token}");
        }
        // Keys that are configured and not there yet are another thing.
        let keyed = Trust::single(IssuerPolicy::of(profile));
        let verdict = keyed.verify(&good, &[KeySet::empty()], keyed.policy(None).unwrap(), NOW);
        assert!(matches!(verdict, Verdict::Refuse(Refusal { reject: Reject::NoKeys, .. })), "{profile}");
    }
}
