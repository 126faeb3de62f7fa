//! Signed answers about tokens (RFC 9701): what is believed, and what an attacker or a broken server may send in their place.

use jose::{Algorithm, AnswerFault, IssuerName, KeySet, Reject, verify_introspection};
use serde_json::{Value, json};

use crate::support::{NOW, Signer, b64, keys};

const ISSUER: &str = "https://id.example.com";
const CLIENT: &str = "edge";
const TYPED: &str = r#"{"alg":"ES256","kid":"one","typ":"token-introspection+jwt"}"#;
const SAYS: &str = r#"{"active":true,"n":12345678901234567890}"#;

fn now() -> i64 {
    NOW.as_millis() / 1_000
}

/// A good answer with these changes; `null` takes a member away.
fn answer(changes: &Value) -> String {
    let mut claims = json!({ "iss": ISSUER, "aud": CLIENT, "iat": now() });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let claims = claims.to_string();
    let says = if changes.get("token_introspection").is_some() {
        String::new()
    } else {
        format!(r#","token_introspection":{SAYS}"#)
    };
    format!("{}{says}}}", claims.strip_suffix('}').unwrap())
}

struct Issuer {
    signer: Signer,
    keys: KeySet,
}

impl Issuer {
    fn new() -> Self {
        let signer = Signer::generate(Algorithm::ES256);
        let keys = keys([signer.jwk_with(json!({ "kid": "one", "alg": "ES256" }))]);
        Self { signer, keys }
    }

    fn judge(&self, answer: &str) -> Result<String, AnswerFault> {
        verify_introspection(answer, &[IssuerName::from(ISSUER)], &self.keys, CLIENT, NOW)
    }

    fn judge_signed(&self, header: &str, payload: &str) -> Result<String, AnswerFault> {
        self.judge(&self.signer.token(Algorithm::ES256, header, payload))
    }
}

#[test]
fn a_signed_answer_says_what_its_member_says_and_nothing_beside_it_counts() {
    let issuer = Issuer::new();
    let says = |changes: Value| issuer.judge_signed(TYPED, &answer(&changes));
    for changes in [
        json!({}),
        json!({ "aud": [CLIENT] }),
        json!({ "aud": ["https://api.example.com", CLIENT] }),
        json!({ "iat": now() - 60 }),
        json!({ "iat": now() + 60 }),
        json!({ "exp": now() + 1, "nbf": now() }),
        // What stands beside the member is no answer.
        json!({ "active": false, "sub": "root", "token_type": "N_A" }),
    ] {
        assert_eq!(says(changes.clone()).as_deref(), Ok(SAYS), "{changes}");
    }
    let inactive = json!({ "active": true, "sub": "root", "token_introspection": { "active": false } });
    assert_eq!(says(inactive).as_deref(), Ok(r#"{"active":false}"#));
    for typ in ["application/token-introspection+jwt", "Token-Introspection+JWT"] {
        let header = format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#);
        assert_eq!(issuer.judge_signed(&header, &answer(&json!({}))).as_deref(), Ok(SAYS), "{typ}");
    }
}

#[test]
fn an_answer_that_no_key_of_the_issuer_has_signed_by_its_algorithm_is_none() {
    let issuer = Issuer::new();
    let payload = answer(&json!({}));
    let refused = |answer: &str| match issuer.judge(answer) {
        Err(AnswerFault::Refused(reject)) => reject,
        other => panic!("{answer}: {other:?}"),
    };
    let good = issuer.signer.token(Algorithm::ES256, TYPED, &payload);
    let unsigned = |alg: &str| {
        let header = format!(r#"{{"alg":"{alg}","typ":"token-introspection+jwt"}}"#);
        format!("{}.{}.", b64(header), b64(&payload))
    };
    for alg in ["none", "None", "NONE"] {
        assert!(!refused(&unsigned(alg)).suggests_newer_keys(), "{alg}");
    }
    // Under the public key, in each form in which an attacker has it, as if it were a secret.
    let jwk = issuer.signer.jwk_with(json!({ "kid": "one", "alg": "ES256" })).to_string();
    for secret in [issuer.signer.spki(), issuer.signer.pem().into_bytes(), jwk.into_bytes()] {
        let header = TYPED.replace("ES256", "HS256");
        refused(&Signer::Hmac(secret).token(Algorithm::HS256, &header, &payload));
    }
    let other = Signer::generate(Algorithm::ES256).token(Algorithm::ES256, TYPED, &payload);
    assert_eq!(refused(&other), Reject::Signature);
    let unknown = TYPED.replace("one", "two");
    assert_eq!(refused(&issuer.signer.token(Algorithm::ES256, &unknown, &payload)), Reject::UnknownKey);
    let (message, _) = good.rsplit_once('.').unwrap();
    let (header, _) = message.split_once('.').unwrap();
    let (_, signature) = good.rsplit_once('.').unwrap();
    let forged = payload.replace("true", "false");
    refused(&format!("{header}.{}.{signature}", b64(forged)));
    for text in ["", "{\"active\":true}", "a.b", "a.b.c.d", &format!("{good}\n"), &payload] {
        refused(text);
    }
    // A secret of both sides is no key of the issuer, though it be in its set.
    let secret = Signer::generate(Algorithm::HS256);
    let shared = keys([secret.jwk_with(json!({ "kid": "one", "alg": "HS256" }))]);
    let signed = secret.token(Algorithm::HS256, &TYPED.replace("ES256", "HS256"), &payload);
    let judged = verify_introspection(&signed, &[IssuerName::from(ISSUER)], &shared, CLIENT, NOW);
    assert!(matches!(judged, Err(AnswerFault::Refused(_))), "{judged:?}");
    let judged = verify_introspection(&good, &[IssuerName::from(ISSUER)], &KeySet::empty(), CLIENT, NOW);
    assert_eq!(judged, Err(AnswerFault::Refused(Reject::NoKeys)));
}

#[test]
fn an_answer_of_another_issuer_for_another_client_or_of_another_time_is_none() {
    let issuer = Issuer::new();
    for (changes, expected) in [
        (json!({ "iss": "https://id.example.com/" }), AnswerFault::Issuer),
        (json!({ "iss": "https://other.example.com" }), AnswerFault::Issuer),
        (json!({ "iss": null }), AnswerFault::Issuer),
        (json!({ "iss": [ISSUER] }), AnswerFault::Issuer),
        (json!({ "aud": "another-client" }), AnswerFault::Audience),
        (json!({ "aud": ["https://api.example.com"] }), AnswerFault::Audience),
        (json!({ "aud": [CLIENT, 7] }), AnswerFault::Audience),
        (json!({ "aud": { CLIENT: CLIENT } }), AnswerFault::Audience),
        (json!({ "aud": null }), AnswerFault::Audience),
        (json!({ "iat": null }), AnswerFault::Time("iat")),
        (json!({ "iat": "1700000000" }), AnswerFault::Time("iat")),
        (json!({ "iat": now() - 61 }), AnswerFault::Time("iat")),
        (json!({ "iat": now() + 61 }), AnswerFault::Time("iat")),
        (json!({ "exp": now() - 60 }), AnswerFault::Time("exp")),
        (json!({ "exp": "soon" }), AnswerFault::Time("exp")),
        (json!({ "nbf": now() + 61 }), AnswerFault::Time("nbf")),
        (json!({ "token_introspection": null, "active": true }), AnswerFault::Member),
        (json!({ "token_introspection": SAYS }), AnswerFault::Member),
        (json!({ "token_introspection": [{ "active": true }] }), AnswerFault::Member),
        (json!({ "token_introspection": true }), AnswerFault::Member),
    ] {
        assert_eq!(issuer.judge_signed(TYPED, &answer(&changes)), Err(expected), "{changes}");
    }
    for header in [
        r#"{"alg":"ES256"}"#,
        r#"{"alg":"ES256","typ":"JWT"}"#,
        r#"{"alg":"ES256","typ":"at+jwt"}"#,
        r#"{"alg":"ES256","typ":"logout+jwt"}"#,
        r#"{"alg":"ES256","typ":"token-introspection+jwt;v=1"}"#,
        r#"{"alg":"ES256","typ":["token-introspection+jwt"]}"#,
    ] {
        assert_eq!(issuer.judge_signed(header, &answer(&json!({}))), Err(AnswerFault::Type), "{header}");
    }
    let twice = answer(&json!({})).replace(r#""aud":"edge""#, r#""aud":"edge","aud":"edge""#);
    assert_eq!(issuer.judge_signed(TYPED, &twice), Err(AnswerFault::Refused(Reject::Malformed)));
}

#[test]
fn an_encrypted_answer_is_none_and_says_what_helps() {
    let encrypted = format!("{}.a.b.c.d", b64(r#"{"alg":"RSA-OAEP","enc":"A256GCM","cty":"JWT"}"#));
    let fault = Issuer::new().judge(&encrypted).unwrap_err();
    assert_eq!(fault, AnswerFault::Encrypted);
    assert!(fault.to_string().contains("no introspection_encrypted_response_alg"), "{fault}");
}
