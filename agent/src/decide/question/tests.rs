use std::time::Duration;

use jose::{KeySet, Signed, TokenVersion, UnixTime, Verdict};
use keys::KeyMetrics;
use service::readiness::Readiness;

use super::*;
use crate::answer::tests::lines::Lines;
use crate::config::tests::load;
use crate::decide::tests::signing::{KEY, keys, token};
use crate::mcp::Row;
use crate::request::{McpHeaders, Text};

/// One issuer, and two policies.
fn trust(settings: &[(&str, &str)]) -> Trust {
    let trust = load(&[&[("JWT_JWKS_FILE", "/k")], settings].concat()).unwrap().trust;
    let policies = ["first", "second"].map(|name| Policy::of(name.to_owned(), vec![0]));
    Trust::new(trust.profile(), trust.issuers().to_vec(), policies.into()).unwrap()
}

fn reading() -> Reading {
    let schemes = vec!["Bearer".to_owned()];
    Reading {
        schemes,
        max_token_bytes: 1000,
        mcp: Rows::default(),
        certificates: CertificateForm::Tls,
        unknown_policies: UnknownPolicies::default(),
    }
}

fn ring() -> KeyRing {
    KeyRing::new(1, &[], Duration::ZERO, Readiness::new(), KeyMetrics::default())
}

fn request(token: &str, policy: &str) -> Request<'static> {
    let text = |text: &str| if text.is_empty() { Text::Absent } else { Text::Given(text.to_owned().into()) };
    Request { token: text(token), policy: text(policy), request_id: text("r1"), ..Request::default() }
}

#[test]
fn a_request_is_judged_by_the_policy_that_it_names_or_by_the_first() {
    for (profile, version) in [("standard", None), ("ms-users", Some(TokenVersion::Legacy))] {
        let trust = trust(&[("JWT_PROFILE", profile)]);
        for (policy, index, name) in [("", 0, "first"), ("first", 0, "first"), ("second", 1, "second")] {
            let request = request("a.b.c", policy);
            let question = Question::of(&request, &reading(), &trust, &ring()).map_err(|_| policy).unwrap();
            let question = question.into_owned();
            assert_eq!((question.key.policy, question.request.as_deref()), (index, Some("r1")), "{policy}");
            assert_eq!(question.policy(&trust).unwrap().name, name);
            let decided = question.decided(&trust, Outcome::refused(Reject::Malformed));
            assert_eq!((decided.policy.as_deref(), decided.version), (Some(name), version));
            let sealed = Question { token: "a.b.c.d.e".into(), ..question.clone() }
                .decided(&trust, Outcome::refused(Reject::Decryption));
            assert_eq!(sealed.version, version.map(|_| TokenVersion::Stateless));
            assert_eq!(decided.id, Some(TokenHash::of("a.b.c").fingerprint()));
        }
        for (token, policy, reject, name) in [
            ("", "", Reject::Missing, Some("first")),
            ("", "second", Reject::Missing, Some("second")),
            ("a.b.c", "third", Reject::UnknownPolicy, None),
            ("a.b.c", "First", Reject::UnknownPolicy, None),
        ] {
            let request = request(token, policy);
            let refused = Question::of(&request, &reading(), &trust, &ring()).map(drop).unwrap_err();
            assert_eq!((refused.outcome.reject(), refused.policy.as_deref()), (Some(reject), name));
            let version = version.filter(|_| reject != Reject::UnknownPolicy);
            assert_eq!((refused.version, refused.id), (version, None));
        }
    }
}

#[test]
fn a_policy_that_is_not_configured_is_logged_once() {
    let (trust, reading) = (trust(&[]), reading());
    let lines = Lines::of(|| {
        for policy in ["third", "third", "second", "fourth"] {
            Question::of(&request("a.b.c", policy), &reading, &trust, &ring()).map(drop).ok();
        }
    });
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains(r#"policy="third""#) && lines[1].contains(r#"policy="fourth""#), "{lines:?}");
}

#[test]
fn a_token_is_counted_as_its_issuer_s_and_named_by_its_key_where_it_is_refused() {
    let issuer = "https://i.example";
    let trust = trust(&[("JWT_ISSUERS", issuer)]);
    let claims = format!(r#"{{"iss":"{issuer}","exp":32503680000,"role":"r"}}"#);
    let request = request(&token(KEY, &claims), "");
    let question = Question::of(&request, &reading(), &trust, &ring()).map_err(|_| "refused").unwrap();
    let policy = question.policy(&trust).unwrap();
    let now = UnixTime::from_secs(1_700_000_000);
    let Verdict::Accept(signed) = trust.verify(&question.token, &[keys(KEY)], policy, now) else {
        panic!("a good token");
    };
    let refused =
        |signed: Option<&Signed>| Outcome::Refused { reject: Reject::Audience, signed: signed.cloned() };
    for (outcome, kid) in [
        (Outcome::Accepted(signed.clone()), None),
        (refused(Some(&signed)), Some("k")),
        (refused(None), Some("k")),
    ] {
        let claimed = question.claimed(&trust, &outcome);
        assert_eq!((claimed.issuer, claimed.kid.as_deref()), (Some(issuer), kid), "{outcome:?}");
    }
    let elsewhere = Question { key: Key { policy: 7, ..question.key }, ..question.clone() };
    assert_eq!(elsewhere.claimed(&trust, &refused(None)), Claimed::default());
    assert_eq!(elsewhere.decided(&trust, refused(None)).policy, None);
}

#[test]
fn short_names_of_claims_are_those_of_the_policy() {
    let plain = trust(&[]);
    let mut policies = plain.policies().to_vec();
    let names = ClaimNames::new([("short".to_owned(), "role".to_owned())]).unwrap();
    policies[1].requirements.names = names.clone();
    let trust = Trust::new(plain.profile(), plain.issuers().to_vec(), policies).unwrap();
    let request = request(&token(KEY, "{}"), "second");
    let question = Question::of(&request, &reading(), &trust, &ring()).map_err(|_| "refused").unwrap();
    let policy = question.policy(&trust).unwrap();
    let verdict = trust.verify(&question.token, &[keys(KEY)], policy, UnixTime::from_secs(0));
    assert_eq!(question.decided(&trust, verdict.into()).names, names);
    let refused = question.decided(&trust, Outcome::refused(Reject::Signature));
    assert_eq!(refused.names, ClaimNames::default());
}

#[test]
fn other_keys_make_another_question() {
    let (trust, request) = (trust(&[]), request("a.b.c", ""));
    let mut question = Question::of(&request, &reading(), &trust, &ring()).map_err(|_| "refused").unwrap();
    let before = question.key;
    question.renew(Arc::new(Keys { version: 5, sets: vec![KeySet::empty()] }));
    assert_eq!(question.key, Key { keys: 5, ..before });
    assert_eq!(question.keys.version, 5);
}

#[test]
fn a_call_is_judged_by_the_policy_of_its_row_and_by_no_other_that_a_client_could_choose() {
    let trust = trust(&[]);
    let row = |decider, name: &str| Row {
        policy: "mcp".to_owned(),
        decider,
        methods: vec!["tools/call".to_owned()],
        names: Some(vec![name.to_owned()]),
        versions: None,
    };
    let reading = Reading { mcp: vec![row(0, "read_*"), row(1, "delete_*")].into(), ..reading() };
    for (name, policy, expected) in [
        ("read_x", "mcp", Ok("first")),
        ("delete_x", "mcp", Ok("second")),
        ("other", "mcp", Err(Reject::Mcp)),
        ("", "mcp", Err(Reject::McpHeader)),
        // The headers choose among the rows of the name that HAProxy sent, and no policy beside them.
        ("read_x", "second", Ok("second")),
        ("read_x", "", Ok("first")),
        ("read_x", "MCP", Err(Reject::UnknownPolicy)),
    ] {
        let mcp = Some(Box::new(McpHeaders::of("tools/call", name)));
        let request = Request { mcp, ..request("a.b.c", policy) };
        let decided = Question::of(&request, &reading, &trust, &ring())
            .map(|question| question.policy(&trust).unwrap().name.clone())
            .map_err(|decision| decision.outcome.reject().unwrap());
        assert_eq!(decided.as_deref().map_err(|reject| *reject), expected, "{name} {policy}");
    }
    let without = request("a.b.c", "mcp");
    let refused = Question::of(&without, &reading, &trust, &ring()).map(drop).unwrap_err();
    assert_eq!((refused.outcome.reject(), refused.policy), (Some(Reject::McpHeader), None));
}
