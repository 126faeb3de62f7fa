//! Tokens that are bound to a key, and the proofs that come with them.

use jose::{Reject, Thumbprint};

use super::agent::{Agent, accepted, asking, refused};
use super::signing::{KEY, base64url, proof, thumbprint, token};
use super::*;
use crate::request::SentProof;

const ANNS: u8 = 7;
const BOBS: u8 = 8;

/// A token of Ann's that is bound to her key.
fn bound(claims: &str) -> String {
    let key = thumbprint(ANNS);
    token(KEY, &format!(r#"{{"exp":32503680000,"cnf":{{"jkt":"{key}"}}{claims}}}"#))
}

/// The claims of a proof for a token, made now.
fn claims(jti: &str, token: &str) -> String {
    let hash = base64url(Thumbprint::of(token.as_bytes()).as_bytes());
    let now = UnixTime::from_system(SystemTime::now()).as_millis() / 1000;
    format!(r#"{{"jti":"{jti}","htm":"GET","htu":"https://api.example/a","iat":{now},"ath":"{hash}"}}"#)
}

fn good(jti: &str, token: &str) -> String {
    proof(ANNS, &claims(jti, token))
}

/// Behind the scheme `DPoP`, with this proof.
fn showing<'a>(token: &str, proof: Option<String>, request_id: Option<&'a str>) -> Request<'a> {
    Request {
        authorization: Text::Given(format!("DPoP {token}").into()),
        proof: proof.map(|proof| Box::new(SentProof::of(proof, request_id))),
        ..Request::default()
    }
}

/// The variable of that name in an ACK, where it is there.
fn variable(ack: &[u8], name: &str) -> Option<String> {
    let start = [&[u8::try_from(name.len()).unwrap()], name.as_bytes(), b"\x08"].concat();
    let at = ack.windows(start.len()).position(|window| window == start)? + start.len();
    let length = usize::from(ack[at]);
    // Lengths of 240 and more take further bytes, and none of these texts is so long.
    Some(String::from_utf8(ack[at + 1..=at + length].to_vec()).unwrap())
}

#[tokio::test]
async fn a_token_bound_to_a_key_is_good_with_a_proof_of_its_own_and_with_nothing_else_however_often_it_was_proved()
 {
    let agent = Agent::new(None).await;
    let token = bound("");
    let altered = |from: &str, to: &str| proof(ANNS, &claims("j", &token).replace(from, to));
    let bad = |reject| Err(reject);
    for round in 0..2 {
        let jti = |name: &str| format!("{name}{round}");
        for (what, request, expected) in [
            ("no proof", showing(&token, None, None), bad(Reject::Binding)),
            ("good", showing(&token, Some(good(&jti("a"), &token)), None), Ok(())),
            ("the same", showing(&token, Some(good(&jti("a"), &token)), None), bad(Reject::ProofReplayed)),
            ("another", showing(&token, Some(good(&jti("b"), &token)), None), Ok(())),
            ("as a bearer token", asking(&token), bad(Reject::Binding)),
            (
                "as a bearer token with a proof",
                Request {
                    proof: Some(Box::new(SentProof::of(good(&jti("c"), &token), None))),
                    ..asking(&token)
                },
                bad(Reject::Binding),
            ),
            (
                "a thief's key",
                showing(&token, Some(proof(BOBS, &claims("j", &token))), None),
                bad(Reject::Binding),
            ),
            (
                "for another token of hers",
                showing(&token, Some(good("j", &bound(r#","sub":"ann""#))), None),
                bad(Reject::Proof),
            ),
            ("another method", showing(&token, Some(altered("GET", "get")), None), bad(Reject::Proof)),
            (
                "another path",
                showing(&token, Some(altered("example/a", "example/b")), None),
                bad(Reject::Proof),
            ),
            ("without TLS", showing(&token, Some(altered("https", "http")), None), bad(Reject::Proof)),
            ("old", showing(&token, Some(altered("\"iat\":1", "\"iat\":0.1")), None), bad(Reject::ProofTime)),
            ("garbage", showing(&token, Some("a.b.c".to_owned()), None), bad(Reject::Proof)),
            ("empty", showing(&token, Some(String::new()), None), bad(Reject::Proof)),
            ("one that was not used up", showing(&token, Some(good(&jti("c"), &token)), None), Ok(())),
        ] {
            let expected = expected.map_or_else(refused, |()| accepted());
            assert_eq!(agent.answer(request).await, expected, "{round}: {what}");
        }
    }
    assert_eq!(agent.decider.metrics.proofs_remembered.get(), 6);
}

#[tokio::test(start_paused = true)]
async fn beside_a_known_token_a_proof_is_judged_at_once_while_time_is_left_and_once_in_either_way() {
    let agent = Agent::new(None).await;
    let token = bound("");
    assert_eq!(agent.answer(showing(&token, Some(good("a", &token)), None)).await, accepted());
    for (jti, expected) in [("a", refused(Reject::ProofReplayed)), ("b", accepted()), ("c", accepted())] {
        let request = showing(&token, Some(good(jti, &token)), None);
        let notify = Notify { ids: Ids { stream: 1, frame: 1 }, request };
        let mut time = DecidingTime::default();
        let mut now = Vec::new();
        assert!(agent.decider.answer(&notify, 65_536, &mut time, &mut now).is_none(), "{jti}");
        assert_eq!(super::agent::told(&now), expected, "{jti}");
        tokio::time::advance(Duration::from_micros(100)).await;
        let mut out = Vec::new();
        let later = agent.decider.answer(&notify, 65_536, &mut time, &mut out).unwrap().await;
        assert_eq!(super::agent::told(&later), refused(Reject::ProofReplayed), "{jti}");
        assert!(out.is_empty(), "{jti}");
    }
}

#[tokio::test]
async fn an_unbound_token_is_no_better_for_a_proof_nor_behind_its_scheme() {
    let agent = Agent::new(None).await;
    let plain = token(KEY, r#"{"exp":32503680000}"#);
    let beside = |token: &str| Request {
        proof: Some(Box::new(SentProof::of("rubbish".to_owned(), None))),
        ..asking(token)
    };
    for _ in 0..2 {
        assert_eq!(agent.answer(asking(&plain)).await, accepted());
        assert_eq!(agent.answer(beside(&plain)).await, accepted(), "beside Bearer a proof is not looked at");
        let request = showing(&plain, Some(good("j", &plain)), None);
        assert_eq!(agent.answer(request).await, refused(Reject::Binding));
    }
    for (binding, expected) in
        [("ignore", Reject::Scheme), ("mtls", Reject::Scheme), ("dpop", Reject::Binding)]
    {
        let agent = Agent::with(&[("JWT_BINDING", binding)], None).await;
        assert_eq!(agent.answer(showing(&plain, None, None)).await, refused(expected), "{binding}");
    }
    let settings = [("JWT_BINDING", "ignore"), ("JWT_SCHEMES", "DPoP")];
    let trusting = Agent::with(&settings, None).await;
    assert_eq!(trusting.answer(showing(&bound(""), None, None)).await, accepted(), "the application looks");
}

#[tokio::test]
async fn a_token_that_is_refused_uses_up_no_proof() {
    let agent = Agent::new(None).await;
    let expired = token(KEY, &format!(r#"{{"exp":1,"cnf":{{"jkt":"{}"}}}}"#, thumbprint(ANNS)));
    let request = showing(&expired, Some(good("j", &expired)), None);
    assert_eq!(agent.answer(request).await, refused(Reject::Expired));
    assert_eq!(agent.decider.metrics.proofs_remembered.get(), 0);
    let both = token(
        KEY,
        &format!(
            r#"{{"exp":32503680000,"cnf":{{"jkt":"{}","x5t#S256":"{}"}}}}"#,
            thumbprint(ANNS),
            base64url(Thumbprint::of(b"anns").as_bytes())
        ),
    );
    let certificate = || Some(Box::new(Certificate::of_hash(Thumbprint::of(b"anns"))));
    let proved = || showing(&both, Some(good("k", &both)), None);
    assert_eq!(agent.answer(proved()).await, refused(Reject::Binding), "without the certificate");
    let whole = Request { certificate: certificate(), ..proved() };
    assert_eq!(agent.answer(whole).await, accepted(), "the proof was not used up");
    let alone = Request { certificate: certificate(), ..showing(&both, None, None) };
    assert_eq!(agent.answer(alone).await, refused(Reject::Binding));
}

#[tokio::test]
async fn the_same_request_may_be_asked_about_twice_and_another_one_not() {
    let agent = Agent::new(None).await;
    let token = bound("");
    let shown = good("j", &token);
    for (request_id, expected) in [
        (Some("r1"), accepted()),
        (Some("r1"), accepted()),
        (Some("r2"), refused(Reject::ProofReplayed)),
        (None, refused(Reject::ProofReplayed)),
        (Some(""), refused(Reject::ProofReplayed)),
    ] {
        assert_eq!(
            agent.answer(showing(&token, Some(shown.clone()), request_id)).await,
            expected,
            "{request_id:?}"
        );
    }
}

#[tokio::test]
async fn when_no_more_proofs_can_be_remembered_further_ones_are_503_and_counted() {
    let agent = Agent::with(&[("JWT_DPOP_REPLAY_SIZE", "1")], None).await;
    let token = bound("");
    let ask = async |jti: &str| agent.answer(showing(&token, Some(good(jti, &token)), None)).await;
    assert_eq!(ask("a").await, accepted());
    assert_eq!(ask("b").await, refused(Reject::Overloaded));
    assert_eq!(ask("a").await, refused(Reject::ProofReplayed), "nothing was forgotten for it");
    let metrics = &agent.decider.metrics;
    assert_eq!((metrics.proofs_unremembered.get(), metrics.proofs_remembered.get()), (1, 1));
    for replay in ["haproxy", "off"] {
        let agent = Agent::with(&[("JWT_DPOP_REPLAY", replay)], None).await;
        let mut named = Vec::new();
        for jti in ["a", "a", "b"] {
            let ack = agent.ack(showing(&token, Some(good(jti, &token)), None)).await;
            assert_eq!(super::agent::told(&ack), accepted(), "{replay}");
            named.push(variable(&ack, "proof").unwrap());
        }
        assert!(named[0].len() == 32 && named[0] == named[1] && named[0] != named[2], "{named:?}");
    }
}

#[tokio::test]
async fn a_proof_needs_a_nonce_that_was_given_out_and_each_answer_has_the_next() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, "0f".repeat(32).as_bytes()).unwrap();
    let path = file.path().display().to_string();
    let settings = [("JWT_DPOP_NONCE", "required"), ("JWT_DPOP_NONCE_SECRET_FILE", path.as_str())];
    let agent = Agent::with(&settings, None).await;
    let (bound, plain) = (bound(""), token(KEY, r#"{"exp":32503680000}"#));
    let with = |jti: &str, nonce: &str| {
        proof(ANNS, &claims(jti, &bound).replace(r#""htm""#, &format!(r#""nonce":"{nonce}","htm""#)))
    };
    let first = agent.ack(showing(&bound, Some(good("a", &bound)), None)).await;
    assert_eq!(super::agent::told(&first), refused(Reject::Nonce));
    let nonce = variable(&first, "dpop_nonce").unwrap();
    assert!(variable(&first, "challenge").unwrap().contains(r#"error="use_dpop_nonce""#));
    assert_eq!(variable(&first, "proof"), None);
    let ours = nonce_secret(&file);
    let long_ago = |minutes: i64| {
        let then =
            UnixTime::from_millis(UnixTime::from_system(SystemTime::now()).as_millis() - minutes * 60_000);
        ours.nonce(then)
    };
    for (what, shown, expected) in [
        ("the one that was given", with("b", &nonce), accepted()),
        ("once more in another proof", with("c", &nonce), accepted()),
        ("of a minute ago", with("d", &long_ago(1)), accepted()),
        ("of five minutes ago", with("e", &long_ago(5)), refused(Reject::Nonce)),
        ("one of the client's own", with("f", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), refused(Reject::Nonce)),
    ] {
        let ack = agent.ack(showing(&bound, Some(shown), None)).await;
        assert_eq!(super::agent::told(&ack), expected, "{what}");
        assert_eq!(variable(&ack, "dpop_nonce").map(|nonce| nonce.len()), Some(32), "{what}");
    }
    for (what, request) in [
        ("nothing sent", Request::default()),
        ("a bearer token", asking(&plain)),
        ("a token that is none", asking("a.b.c")),
    ] {
        let ack = agent.ack(request).await;
        assert!(variable(&ack, "dpop_nonce").is_some(), "{what}");
    }
    let certificates = Agent::with(&[&settings[..], &[("JWT_BINDING", "mtls")]].concat(), None).await;
    let ack = certificates.ack(asking(&plain)).await;
    assert_eq!(variable(&ack, "dpop_nonce"), None, "no proof could be of use");
}

fn nonce_secret(file: &tempfile::NamedTempFile) -> jose::NonceSecret {
    jose::NonceSecret::of_file(&std::fs::read(file.path()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_refusal_is_told_in_the_scheme_that_was_used() {
    let agent = Agent::new(None).await;
    let dpop = Agent::with(&[("JWT_BINDING", "dpop")], None).await;
    let token = bound("");
    for (what, agent, request, starts, has) in [
        ("bearer", &agent, asking(&token), "Bearer ", r#"error="invalid_token""#),
        ("no proof", &agent, showing(&token, None, None), "DPoP ", r#"error="invalid_token""#),
        (
            "a bad one",
            &agent,
            showing(&token, Some("x".to_owned()), None),
            "DPoP ",
            r#"error="invalid_dpop_proof""#,
        ),
        ("nothing", &agent, Request::default(), "Bearer ", "realm"),
        ("nothing, where DPoP is a must", &dpop, Request::default(), "DPoP ", "algs"),
        ("bearer, where DPoP is a must", &dpop, asking(&token), "DPoP ", r#"error="invalid_token""#),
    ] {
        for _ in 0..2 {
            let challenge = variable(&agent.ack(request.clone()).await, "challenge").unwrap();
            assert!(challenge.starts_with(starts) && challenge.contains(has), "{what}: {challenge}");
        }
    }
}
