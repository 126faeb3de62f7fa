//! How a user must have logged in, under a policy and its issuer, and until when a verdict on that may be kept.

use std::num::NonZeroU32;

use jose::{
    Algorithm, IssuerPolicy, KeySet, Policy, Profile, Refusal, Reject, Requirements, StepUp, TokenKind,
    Trust, TrustedIssuer, UnixTime, Verdict, Window,
};

use crate::support::{STRICT, Signer};

const AUTH_TIME: i64 = 1_700_000_000;

fn step_up(acr: &[&str], max_age: u32) -> Requirements {
    let acr_values = acr.iter().map(|value| value.parse().unwrap()).collect();
    Requirements {
        step_up: StepUp { acr_values, max_age: NonZeroU32::new(max_age) },
        ..Requirements::default()
    }
}

fn trust(issuer: Requirements, policy: Requirements, audiences: &[&str]) -> Trust {
    let issuers = vec!["https://id.example".into()];
    let issuer = IssuerPolicy { issuers, requirements: issuer, ..IssuerPolicy::of(Profile::Standard) };
    let issuer = TrustedIssuer { policy: issuer, keys: 0, signers: Vec::new() };
    let audiences = audiences.iter().map(|audience| (*audience).to_owned()).collect();
    let policy = Policy { requirements: policy, audiences, ..Policy::of("default", vec![0]) };
    Trust::new(Profile::Standard, vec![issuer], vec![policy]).unwrap()
}

struct World {
    signer: Signer,
    keys: [KeySet; 1],
}

impl World {
    fn new() -> Self {
        let signer = Signer::generate(Algorithm::ES256);
        let jwks = serde_json::json!({ "keys": [signer.jwk()] }).to_string();
        Self { signer, keys: [KeySet::parse(jwks.as_bytes(), &STRICT).unwrap()] }
    }

    fn token(&self, more: &str) -> String {
        let payload = format!(r#"{{"iss":"https://id.example","exp":1700000600,"aud":"api"{more}}}"#);
        self.signer.plain_token(Algorithm::ES256, &payload)
    }

    fn verdict(&self, trust: &Trust, token: &str, now: i64) -> Result<Window, Reject> {
        let policy = trust.policy(None).unwrap();
        match trust.verify(token, &self.keys, policy, UnixTime::from_secs(now)) {
            Verdict::Accept(signed) => trust.window(&signed, policy),
            Verdict::Refuse(Refusal { reject, .. }) => Err(reject),
        }
    }
}

#[test]
fn the_issuers_demand_and_the_policys_must_both_hold() {
    let world = World::new();
    let trust = trust(step_up(&["1", "2"], 600), step_up(&["2", "3"], 300), &["api"]);
    for (more, expected) in [
        (r#","acr":"2","auth_time":1700000000"#, Ok(())),
        (r#","acr":"1","auth_time":1700000000"#, Err(Reject::Acr)),
        (r#","acr":"3","auth_time":1700000000"#, Err(Reject::Acr)),
        (r#","auth_time":1700000000"#, Err(Reject::Acr)),
        (r#","acr":"2""#, Err(Reject::AuthTime)),
        (r#","acr":"2","auth_time":1699999699"#, Err(Reject::AuthTime)),
        (r#","acr":"2","auth_time":"1700000000""#, Err(Reject::ClaimType)),
        (r#","acr":"2","auth_time":1700000001"#, Err(Reject::ClaimType)),
    ] {
        let found = world.verdict(&trust, &world.token(more), AUTH_TIME).map(|_| ());
        assert_eq!(found, expected, "{more}");
    }
}

#[test]
fn a_new_login_is_asked_for_only_where_it_would_help() {
    let world = World::new();
    let scoped = Requirements { all_scopes: vec!["read".to_owned()], ..step_up(&["2"], 300) };
    for (policy, audience, expected) in [
        (step_up(&["2"], 300), "api", Reject::Acr),
        (step_up(&["2"], 300), "other", Reject::Audience),
        (scoped, "api", Reject::Scope),
    ] {
        for issuer in [step_up(&[], 0), step_up(&["2"], 300)] {
            let trust = trust(issuer, policy.clone(), &[audience]);
            assert_eq!(world.verdict(&trust, &world.token(""), AUTH_TIME), Err(expected));
        }
    }
}

#[test]
fn a_verdict_ends_with_the_token_or_with_the_login_and_says_which() {
    let world = World::new();
    let token = world.token(r#","auth_time":1700000000"#);
    for (issuer, policy, ends_after, reject) in [
        (0, 300, 300, Reject::AuthTime),
        (300, 0, 300, Reject::AuthTime),
        (300, 200, 200, Reject::AuthTime),
        (200, 300, 200, Reject::AuthTime),
        (0, 600, 600, Reject::Expired),
        (0, 900, 600, Reject::Expired),
        (0, 0, 600, Reject::Expired),
    ] {
        let trust = trust(step_up(&[], issuer), step_up(&[], policy), &["api"]);
        let window = world.verdict(&trust, &token, AUTH_TIME).unwrap();
        let end = AUTH_TIME + ends_after;
        assert_eq!(window.end(), Some(UnixTime::from_secs(end)), "{issuer} {policy}");
        let last = UnixTime::from_millis(end * 1000 - 1);
        assert_eq!(window.validate(last), Ok(()));
        // What is kept and what is asked anew say the same.
        for at in [end, end + 1] {
            assert_eq!(window.validate(UnixTime::from_secs(at)), Err(reject), "{issuer} {policy}");
            assert_eq!(world.verdict(&trust, &token, at), Err(reject), "{issuer} {policy}");
        }
    }
}

#[test]
fn an_access_token_is_told_from_an_id_token_of_the_same_issuer() {
    let world = World::new();
    let mut issuers = trust(step_up(&[], 0), step_up(&[], 0), &["api"]).issuers().to_vec();
    issuers[0].policy.kind = TokenKind::AccessToken;
    let policy = Policy { audiences: vec!["api".to_owned()], ..Policy::of("default", vec![0]) };
    let strict = Trust::new(Profile::Standard, issuers, vec![policy]).unwrap();
    let more = r#","sub":"anna","client_id":"shop","iat":1700000000,"jti":"1""#;
    let payload = format!(r#"{{"iss":"https://id.example","exp":1700000600,"aud":"api"{more}}}"#);
    let signed =
        |typ: &str| world.signer.token(Algorithm::ES256, &format!(r#"{{"alg":"ES256"{typ}}}"#), &payload);
    for (typ, expected) in [
        (r#","typ":"at+jwt""#, Ok(())),
        (r#","typ":"application/at+JWT""#, Ok(())),
        (r#","typ":"JWT""#, Err(Reject::Type)),
        (r#","typ":"logout+jwt""#, Err(Reject::Type)),
        ("", Err(Reject::Type)),
    ] {
        let found = world.verdict(&strict, &signed(typ), AUTH_TIME).map(|_| ());
        assert_eq!(found, expected, "{typ}");
    }
    let missing = world.signer.token(
        Algorithm::ES256,
        r#"{"alg":"ES256","typ":"at+jwt"}"#,
        &payload.replace("client_id", "azp"),
    );
    assert_eq!(world.verdict(&strict, &missing, AUTH_TIME), Err(Reject::ClaimType));
}
