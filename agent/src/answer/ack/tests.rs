use jose::{ClaimNames, Claims, Confirmation, Signed, TokenVersion};
use prometheus_client::registry::Registry;

use super::*;
use crate::answer::tests::lines::Lines;
use crate::decision::Outcome;

const LARGE: u32 = 16_380;

fn acks(variables: Variables, claims: Option<&str>, log: LogLines) -> (Acks, Arc<Metrics>) {
    let metrics = Metrics::register(&mut Registry::default());
    let claims = claims.map(|claim| vec![claim.to_owned()]);
    (Acks::new(variables, claims, log, None, Arc::clone(&metrics)), metrics)
}

fn decision(outcome: Outcome) -> Decision {
    let (id, policy) = (Some("fp".to_owned()), Some("api".to_owned()));
    let (names, confirmation) = (ClaimNames::default(), Confirmation::NONE);
    Decision {
        outcome,
        confirmation,
        names,
        id,
        version: None,
        policy,
        challenges: None,
        scheme: jose::AuthScheme::Bearer,
    }
}

fn accepted(payload: &str) -> Decision {
    let claims = Claims::parse(payload.as_bytes()).unwrap();
    decision(Outcome::Accepted(Signed { header: "{}".to_owned(), claims, version: TokenVersion::Legacy }))
}

fn asker(name: Option<&str>, max_frame_size: u32) -> Asker<'_> {
    Asker { ids: Ids { stream: 1, frame: 1 }, max_frame_size, name }
}

/// Sends to a request of whose token no more can be said.
fn send(acks: &Acks, ack: &Ack, to: Asker<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    acks.send(&[], ack, to, &mut out, || panic!("it fits"));
    out
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn each_request_that_an_ack_answers_is_counted_and_each_refusal_is_logged() {
    let (issuer, kid) = (Some("https://i.example"), Some("k1".to_owned()));
    let claimed = Claimed { issuer, kid, ..Claimed::default() };
    let expected = |request: &str| {
        format!(
            "message=refused {request}reason=\"E_TKN_INVALID\" detail=\"signature\" policy=\"api\" \
             issuer=\"https://i.example\" kid=\"k1\" id=\"fp\""
        )
    };
    let logged = vec![expected("request=\"r1\" "), expected("")];
    for (decision, log, lines) in [
        (decision(Outcome::refused(Reject::Signature)), LogLines::All, logged),
        (decision(Outcome::refused(Reject::Signature)), LogLines::Off, Vec::new()),
        (accepted("{}"), LogLines::All, Vec::new()),
    ] {
        let (acks, metrics) = acks(Variables::All, None, log);
        let reject = decision.outcome.reject();
        let ack = acks.of(&decision, &claimed);
        let counted = || metrics.decisions(reject, Some("api"), Some("https://i.example")).get();
        assert_eq!(counted(), 0, "no request was answered yet: {reject:?}");
        let written = Lines::of(|| {
            for name in [Some("r1"), None] {
                send(&acks, &ack, asker(name, LARGE));
            }
        });
        assert_eq!(written, lines, "{log:?}");
        assert_eq!(counted(), 2, "{reject:?}");
    }
}

#[test]
fn an_ack_holds_the_chosen_variables_and_claims_and_counts_claims_without_a_variable() {
    let only = |name: &str| Variables::Only([name.to_owned()].into());
    let long = "x".repeat(60);
    let payload = format!(r#"{{"sub":"ann","role":"r","{long}":1}}"#);
    for (variables, claims, present, absent, long_names) in [
        (Variables::All, None, &["payload.sub", "payload.role", "body"][..], &[][..], 1),
        (Variables::All, Some("sub"), &["payload.sub", "body"], &["payload.role"], 0),
        (only("body"), None, &["body", "valid"], &["payload.sub", "policy", "header"], 0),
        (only("payload"), None, &["payload.sub", "payload.role"], &["body"], 1),
    ] {
        let (acks, metrics) = acks(variables, claims, LogLines::Off);
        let ack = acks.of(&accepted(&payload), &Claimed::default());
        for sent in 1..3 {
            let out = send(&acks, &ack, asker(None, LARGE));
            for (names, expected) in [(present, true), (absent, false)] {
                for name in names {
                    assert_eq!(has(&out, name), expected, "{name}");
                }
            }
            assert_eq!(metrics.long_names.get(), long_names * sent);
        }
    }
}

#[test]
fn an_answer_that_haproxy_cannot_take_becomes_a_refusal_that_it_can() {
    let claim = "c".repeat(400);
    let long_name = "p".repeat(250);
    for (what, policy, max, detail, valid) in [
        ("it fits", "api", LARGE, Some("ok"), true),
        ("the refusal fits", "api", 300, Some("answer_size"), false),
        ("no more than the reason fits", long_name.as_str(), 256, None, false),
    ] {
        let (acks, metrics) = acks(Variables::All, None, LogLines::All);
        let decision =
            Decision { policy: Some(policy.to_owned()), ..accepted(&format!(r#"{{"c":"{claim}"}}"#)) };
        let ack = acks.of(&decision, &Claimed::default());
        let mut out = vec![7];
        let lines = Lines::of(|| {
            acks.send(&[], &ack, asker(Some("r1"), max), &mut out, || decision.clone());
        });
        let (before, frame) = out.split_at(1);
        assert_eq!(before, [7], "what was written before stays: {what}");
        let len = u32::from_be_bytes(*frame.first_chunk().unwrap());
        assert_eq!(usize::try_from(len).unwrap() + 4, frame.len(), "one frame: {what}");
        assert!(len <= max, "{what}");
        assert_eq!(frame.last(), Some(&if valid { 0x11 } else { 0x01 }), "{what}");
        assert_eq!(has(frame, Reject::AnswerSize.reason().as_str()), !valid, "{what}");
        for word in ["ok", "answer_size"] {
            let shown =
                has(frame, &format!("detail\x08{}{word}", char::from(u8::try_from(word.len()).unwrap())));
            assert_eq!(shown, detail == Some(word), "{what}: {word}");
        }
        assert_eq!(has(frame, &claim), valid, "nothing is shown of a refused token: {what}");
        let counted = |reject| metrics.decisions(reject, Some(policy), None).get();
        assert_eq!((counted(None), counted(Some(Reject::AnswerSize))), (u64::from(valid), u64::from(!valid)));
        assert_eq!(lines.len(), usize::from(!valid), "{what}");
        assert!(lines.iter().all(|line| line.contains("request=\"r1\"") && line.contains("answer_size")));
    }
}
