//! Tokens of AWS load balancers: padded, signed with ES256, of a named load balancer; and no padding for anybody else.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE;
use jose::{
    Algorithm, Claims, IssuerPolicy, KeySet, Policy, Profile, Refusal, Reject, Signed, TokenVersion, Trust,
    TrustedIssuer, Uuid, Verdict,
};
use serde_json::json;

use crate::support::{NOW, STRICT, Signer};

const SIGNER: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/shop/50dc6c495c0c9188";
const KID: &str = "0123abcd-2222-3333-4444-555555555555";

fn issuer(name: &str, keys: usize, signers: &[&str]) -> TrustedIssuer {
    let policy = IssuerPolicy { issuers: vec![name.into()], ..IssuerPolicy::of(Profile::Standard) };
    TrustedIssuer { policy, keys, signers: signers.iter().map(|signer| (*signer).to_owned()).collect() }
}

fn trust(issuers: Vec<TrustedIssuer>) -> Trust {
    let policy = Policy::of("default", (0..issuers.len()).collect());
    Trust::new(Profile::Standard, issuers, vec![policy]).unwrap()
}

fn verdict(trust: &Trust, token: &str, keys: &[KeySet]) -> Option<Reject> {
    match trust.verify(token, keys, &trust.policies()[0], NOW) {
        Verdict::Accept(_) => None,
        Verdict::Refuse(Refusal { reject, .. }) => Some(reject),
    }
}

/// A token as a load balancer writes it.
fn padded(signer: &Signer, algorithm: Algorithm, header: &str, payload: &str) -> String {
    let message = format!("{}.{}", BASE64_URL_SAFE.encode(header), BASE64_URL_SAFE.encode(payload));
    let signature = signer.sign(algorithm, message.as_bytes());
    format!("{message}.{}", BASE64_URL_SAFE.encode(signature))
}

fn header(alg: &str, signer: &str) -> String {
    format!(
        r#"{{"typ":"JWT","kid":"{KID}","alg":"{alg}","iss":"alb","client":"c","signer":{signer},"exp":1700000600}}"#
    )
}

fn payload(iss: &str) -> String {
    format!(r#"{{"sub":"a","exp":1700000600,"iss":"{iss}"}}"#)
}

fn set(signer: &Signer) -> KeySet {
    let keys = json!({"keys": [signer.jwk_with(json!({"kid": KID}))]});
    KeySet::parse(keys.to_string().as_bytes(), &STRICT).unwrap()
}

#[test]
fn padding_is_accepted_in_its_one_form_and_the_signature_is_over_it() {
    let signer = Signer::generate(Algorithm::ES256);
    let keys = [set(&signer)];
    let trust = trust(vec![issuer("alb", 0, &[SIGNER])]);
    let header = header("ES256", &format!("{SIGNER:?}"));
    // Each length of a header and of a payload, so that each has two, one and no sign of padding.
    for spaces in 0..9 {
        let header = header.replacen('{', &format!("{{{}", " ".repeat(spaces / 3)), 1);
        let payload = payload("alb").replacen('{', &format!("{{{}", " ".repeat(spaces % 3)), 1);
        let good = padded(&signer, Algorithm::ES256, &header, &payload);
        assert_eq!(verdict(&trust, &good, &keys), None, "{good}");
        let [head, body, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
        let bare = |part: &str| part.trim_end_matches('=').to_owned();
        for other in [
            format!("{head}.{body}.{}", bare(signature)),
            format!("{head}.{body}.{}=", bare(signature)),
            format!("{head}.{body}.{signature}="),
            format!("{head}.{body}.{signature}===="),
            format!("{head}.{body}={}.{signature}", "=".repeat(3)),
            format!("{head}====.{body}.{signature}"),
            format!("{}.{}.{}", bare(head), bare(body), bare(signature)),
            format!("{head}.{body}.{}", signature.replace('=', "%3D")),
            format!("{head}.{body}.{signature} "),
            format!("{head}.{body}.{signature}."),
        ] {
            assert_eq!(verdict(&trust, &other, &keys), Some(Reject::Malformed), "{other}");
        }
        if head.ends_with('=') || body.ends_with('=') {
            let other = format!("{}.{}.{signature}", bare(head), bare(body));
            assert_eq!(verdict(&trust, &other, &keys), Some(Reject::Malformed), "{other}");
        }
        // Signed without padding, then padded: not the bytes that were signed.
        let unpadded = signer.token(Algorithm::ES256, &header, &payload);
        let (_, of_unpadded) = unpadded.rsplit_once('.').unwrap();
        if unpadded != good.replace('=', "") && (head.ends_with('=') || body.ends_with('=')) {
            let forged = format!("{head}.{body}.{of_unpadded}==");
            assert_eq!(verdict(&trust, &forged, &keys), Some(Reject::Signature), "{forged}");
        }
    }
}

#[test]
fn the_header_names_one_of_the_load_balancers_letter_for_letter() {
    let signer = Signer::generate(Algorithm::ES256);
    let keys = [set(&signer)];
    let trust = trust(vec![issuer("alb", 0, &["arn:aws:x:y", SIGNER])]);
    for (named, expected) in [
        (format!("{SIGNER:?}"), None),
        (r#""arn:aws:x:y""#.to_owned(), None),
        (format!("{:?}", SIGNER.to_uppercase()), Some(Reject::Issuer)),
        (format!("\"{SIGNER} \""), Some(Reject::Issuer)),
        (format!("{:?}", &SIGNER[..SIGNER.len() - 1]), Some(Reject::Issuer)),
        (format!("\"{SIGNER}1\""), Some(Reject::Issuer)),
        (format!("[{SIGNER:?}]"), Some(Reject::Issuer)),
        ("null".to_owned(), Some(Reject::Issuer)),
        ("7".to_owned(), Some(Reject::Issuer)),
        (r#""""#.to_owned(), Some(Reject::Issuer)),
        (r#""*""#.to_owned(), Some(Reject::Issuer)),
        (format!(r#""x","signer":{SIGNER:?}"#), Some(Reject::Malformed)),
    ] {
        let token = padded(&signer, Algorithm::ES256, &header("ES256", &named), &payload("alb"));
        assert_eq!(verdict(&trust, &token, &keys), expected, "{named}");
    }
    let unnamed = padded(&signer, Algorithm::ES256, r#"{"alg":"ES256"}"#, &payload("alb"));
    assert_eq!(verdict(&trust, &unnamed, &keys), Some(Reject::Issuer));
}

#[test]
fn nothing_but_es256_is_a_load_balancers_signature() {
    let named = format!("{SIGNER:?}");
    let trust = trust(vec![issuer("alb", 0, &[SIGNER])]);
    for algorithm in [Algorithm::RS256, Algorithm::HS256, Algorithm::PS256] {
        let signer = Signer::generate(algorithm);
        let token = padded(&signer, algorithm, &header(algorithm.as_str(), &named), &payload("alb"));
        assert_eq!(verdict(&trust, &token, &[set(&signer)]), Some(Reject::Algorithm), "{algorithm:?}");
    }
    let none = padded(&Signer::generate(Algorithm::ES256), Algorithm::ES256, &header("none", &named), "{}");
    assert_eq!(verdict(&trust, &none, &[KeySet::empty()]), Some(Reject::Algorithm));
}

#[test]
fn padding_is_malformed_for_every_other_issuer() {
    let signer = Signer::generate(Algorithm::ES256);
    let keys = [set(&signer), set(&signer)];
    let header = header("ES256", &format!("{SIGNER:?}"));
    let of = |iss: &str| padded(&signer, Algorithm::ES256, &header, &payload(iss));
    let plain = |iss: &str| signer.token(Algorithm::ES256, &header, &payload(iss));
    let only = trust(vec![issuer("id", 0, &[])]);
    let both = trust(vec![issuer("id", 0, &[]), issuer("alb", 1, &[SIGNER])]);
    for (trust, token, expected) in [
        (&only, of("id"), Some(Reject::Malformed)),
        (&only, of("alb"), Some(Reject::Malformed)),
        (&both, of("id"), Some(Reject::Malformed)),
        (&both, of("alb"), None),
        (&both, of("eve"), Some(Reject::Issuer)),
        (&both, plain("id"), None),
        (&both, plain("alb"), Some(Reject::Malformed)),
    ] {
        assert_eq!(verdict(trust, &token, &keys), expected, "{token}");
    }
}

#[test]
fn without_a_key_the_kid_is_told_and_no_other_text() {
    let signer = Signer::generate(Algorithm::ES256);
    let both = trust(vec![issuer("id", 0, &[]), issuer("alb", 1, &[SIGNER])]);
    let policy = &both.policies()[0];
    let header = header("ES256", &format!("{SIGNER:?}"));
    let token = padded(&signer, Algorithm::ES256, &header, &payload("alb"));
    let none = [KeySet::empty(), KeySet::empty()];
    assert_eq!(verdict(&both, &token, &none), Some(Reject::UnknownKey), "there may be one");
    assert_eq!(both.hint(&token, policy).kid, Uuid::parse(KID));
    for kid in ["../../x", &KID.to_uppercase(), "a", &format!("{KID}?")] {
        let token = padded(&signer, Algorithm::ES256, &header.replace(KID, kid), &payload("alb"));
        assert_eq!(verdict(&both, &token, &none), Some(Reject::UnknownKey), "{kid}");
        assert_eq!(both.hint(&token, policy).kid, None, "{kid}");
    }
    let others = signer.token(Algorithm::ES256, &header, &payload("id"));
    assert_eq!(both.hint(&others, policy).kid, None, "of an issuer with a key set");
}

#[test]
fn a_shared_secret_does_not_speak_for_a_load_balancer() {
    let trust = trust(vec![issuer("alb", 0, &[SIGNER])]);
    let claims = Claims::parse(payload("alb").as_bytes()).unwrap();
    let decrypted =
        Signed { header: r#"{"alg":"dir"}"#.to_owned(), claims, version: TokenVersion::Stateless };
    let Verdict::Refuse(Refusal { reject, .. }) =
        trust.validate_decrypted(decrypted, &trust.policies()[0], NOW)
    else {
        panic!("accepted");
    };
    assert_eq!(reject, Reject::Issuer);
}
