use std::sync::Arc;
use std::time::Instant;

use jose::{Evidence, KeySet, TokenHash};
use keys::Keys;
use revocation::lease::{ServerId, Stamp};

use super::*;
use crate::cache::Key;
use crate::config::tests::trust;
use crate::decide::tests::signing::{KEY, OTHER_KEY, keys, token, token_of};

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);
const GOOD: &str = r#"{"sub":"ann","exp":1700000060,"iat":1699999990}"#;
const EXPIRED: &str = r#"{"sub":"ann","exp":1699999000,"iat":1699998000}"#;

fn question(token: String, set: KeySet) -> Question<'static> {
    let key = Key { token: TokenHash::of(&token), policy: 0, keys: 1, scheme: jose::AuthScheme::Bearer };
    let keys = Arc::new(Keys { version: 1, sets: vec![set] });
    Question {
        token: token.into(),
        evidence: Evidence::NONE,
        proof: None,
        key,
        keys,
        request: None,
        may_stay_open: false,
        stream: None,
    }
}

fn signed(payload: &str) -> Signed {
    let claims = Claims::parse(payload.as_bytes()).unwrap();
    Signed { header: "{}".to_owned(), claims, version: TokenVersion::Stateless }
}

fn word() -> Word {
    let asked = Instant::now();
    let stamp = Stamp {
        server: ServerId(0),
        epoch: "e".into(),
        revision: 1,
        vouched: true,
        asked,
        read: asked,
        until: None,
    };
    Word::new(stamp, None)
}

/// Why it was refused, and whether what was signed is known.
fn told(outcome: &Outcome) -> (Option<Reject>, bool) {
    (outcome.reject(), outcome.signed().is_some())
}

#[test]
fn an_outcome_may_be_used_again_as_long_as_what_it_rests_on_lasts() {
    let trust = trust();
    let until = |secs| Some(Window { until: Some(UnixTime::from_secs(secs)), ..Window::ALWAYS });
    let (always, own) = (Some(Window::ALWAYS), until(1_700_000_060));
    let accepted = |payload| Outcome::Accepted(signed(payload));
    let refused = |reject, payload: Option<&str>| Outcome::Refused { reject, signed: payload.map(signed) };
    for (what, outcome, alone, with_word) in [
        ("accepted", accepted(GOOD), own, own),
        ("of no end", accepted("{}"), None, None),
        ("of no good signature", refused(Reject::Signature, None), always, always),
        ("for others", refused(Reject::Audience, Some(GOOD)), own, own),
        ("over", refused(Reject::Expired, Some(EXPIRED)), always, always),
        ("not begun", refused(Reject::NotYetValid, Some(GOOD)), None, None),
        ("revoked", refused(Reject::Revoked, Some(GOOD)), None, own),
        ("not checked in time", refused(Reject::Timeout, Some(GOOD)), None, None),
        ("without rules", refused(Reject::Rules, Some(GOOD)), None, None),
    ] {
        for (word, expected) in [(None, alone), (Some(word()), with_word)] {
            let with = word.is_some();
            let finding = Finding { outcome: outcome.clone(), word, hint: None };
            assert_eq!(
                finding.window(&trust, &trust.policies()[0], NOW),
                expected,
                "{what}, with a server's word: {with}"
            );
        }
    }
}

#[test]
fn newer_keys_are_asked_for_only_where_they_might_verify_the_token() {
    let issued = Some(UnixTime::from_secs(1_699_999_990));
    for (what, token, set, expected, hint) in [
        ("good", token(KEY, GOOD), keys(KEY), (None, true), None),
        ("over", token(KEY, EXPIRED), keys(KEY), (Some(Reject::Expired), true), None),
        ("garbage", "a.b.c".to_owned(), keys(KEY), (Some(Reject::Malformed), false), None),
        ("another key's", token(OTHER_KEY, GOOD), keys(KEY), (Some(Reject::Signature), false), Some(issued)),
        ("without a time", token(OTHER_KEY, "{}"), keys(KEY), (Some(Reject::Signature), false), Some(None)),
        (
            "an unknown key's",
            token_of("unknown", KEY, GOOD),
            keys(KEY),
            (Some(Reject::UnknownKey), false),
            Some(issued),
        ),
        ("before all keys", token(KEY, GOOD), KeySet::empty(), (Some(Reject::NoKeys), false), Some(issued)),
    ] {
        let finding = verify(&trust(), &question(token, set), NOW);
        assert_eq!(told(&finding.outcome), expected, "{what}");
        assert_eq!(finding.hint.map(|hint| hint.issued), hint, "{what}");
        assert!(finding.word.is_none(), "{what}");
    }
    let question = question(token(KEY, GOOD), keys(KEY));
    let elsewhere = Question { key: Key { policy: 7, ..question.key }, ..question };
    let finding = verify(&trust(), &elsewhere, NOW);
    assert_eq!(told(&finding.outcome), (Some(Reject::UnknownPolicy), false));
    assert!(finding.hint.is_none());
}

#[test]
fn an_encrypted_token_passes_only_by_what_is_in_it_and_by_the_server_s_word_together() {
    let json = |text: &str| Some(RawValue::from_string(text.to_owned()).unwrap());
    let nested = |token| CheckResult { token: Some(token), ..CheckResult::default() };
    let plain = |header: &str, claims: &str| CheckResult {
        header: json(header),
        claims: json(claims),
        ..CheckResult::default()
    };
    let header_alone = CheckResult { header: json("{}"), ..CheckResult::default() };
    let claims_alone = CheckResult { claims: json(GOOD), ..CheckResult::default() };
    let revoked = (Some(Reject::Revoked), true);
    for (what, result, by_word, hint, where_revoked) in [
        ("a signed one", nested(token(KEY, GOOD)), (None, true), false, revoked),
        ("one that is over", nested(token(KEY, EXPIRED)), (Some(Reject::Expired), true), false, revoked),
        (
            "another key's",
            nested(token(OTHER_KEY, GOOD)),
            (Some(Reject::Signature), false),
            true,
            (Some(Reject::Revoked), false),
        ),
        (
            "garbage",
            nested("a.b.c".to_owned()),
            (Some(Reject::Malformed), false),
            false,
            (Some(Reject::Revoked), false),
        ),
        ("claims", plain("{}", GOOD), (None, true), false, revoked),
        ("claims that are over", plain("{}", EXPIRED), (Some(Reject::Expired), true), false, revoked),
        (
            "claims of no object",
            plain("{}", "[]"),
            (Some(Reject::Malformed), false),
            false,
            (Some(Reject::Revoked), false),
        ),
        ("a header", header_alone, (Some(Reject::Unsupported), false), false, (Some(Reject::Revoked), false)),
        (
            "claims without a header",
            claims_alone,
            (Some(Reject::Unsupported), false),
            false,
            (Some(Reject::Revoked), false),
        ),
        (
            "nothing",
            CheckResult::default(),
            (Some(Reject::Unsupported), false),
            false,
            (Some(Reject::Revoked), false),
        ),
    ] {
        let question = question("e30.YQ.YQ.YQ.YQ".to_owned(), keys(KEY));
        for (detail, expected, hint) in [("ok", by_word, hint), ("revoked", where_revoked, false)] {
            let result = CheckResult { detail: detail.to_owned(), ..result.clone() };
            let finding = verify_opened(&trust(), &question, result, word(), NOW);
            assert_eq!(told(&finding.outcome), expected, "{what}, {detail}");
            assert_eq!(finding.hint.is_some(), hint, "{what}, {detail}");
            assert!(finding.word.is_some(), "it rests on the server's word: {what}, {detail}");
        }
    }
}

#[test]
fn an_opaque_token_passes_by_the_claims_that_a_server_knows_of_it_and_by_nothing_else() {
    let json = |text: &str| Some(RawValue::from_string(text.to_owned()).unwrap());
    let of = |claims: &str| CheckResult { claims: json(claims), ..CheckResult::default() };
    let with_header = CheckResult { header: json("{\"alg\":\"dir\"}"), ..of(GOOD) };
    let nested = CheckResult { token: Some(token(KEY, GOOD)), ..CheckResult::default() };
    let unsupported = (Some(Reject::Unsupported), false);
    for (what, result, expected) in [
        ("claims", of(GOOD), (None, true)),
        ("claims that are over", of(EXPIRED), (Some(Reject::Expired), true)),
        ("claims of no object", of("[]"), (Some(Reject::Malformed), false)),
        ("what was decrypted", with_header, unsupported),
        ("a signed token", nested, unsupported),
        ("nothing", CheckResult::default(), unsupported),
    ] {
        let question = question("an-opaque-token-of-sorts".to_owned(), keys(KEY));
        let good = CheckResult { detail: "ok".to_owned(), ..result.clone() };
        let finding = verify_opened(&trust(), &question, good, word(), NOW);
        assert_eq!(told(&finding.outcome), expected, "{what}");
        assert!(finding.outcome.signed().is_none_or(|signed| signed.protected_header().is_none()), "{what}");
        let inactive = CheckResult { detail: "inactive".to_owned(), ..result };
        let finding = verify_opened(&trust(), &question, inactive, word(), NOW);
        assert_eq!(told(&finding.outcome).0, Some(Reject::Inactive), "{what}");
    }
}

#[test]
fn an_encrypted_refresh_token_says_so_before_it_says_that_it_is_expired_or_revoked() {
    let signed = || {
        let claims = Claims::parse(br#"{"irt":1}"#).unwrap();
        Some(Signed { header: "{}".to_owned(), claims, version: TokenVersion::Stateless })
    };
    let reject_of =
        |theirs, ours, signed| match of_both(theirs, Verdict::Refuse(Refusal { reject: ours, signed })) {
            Outcome::Refused { reject, signed } => (reject, signed.is_some()),
            Outcome::Accepted(_) => panic!("two refusals are no verdict to accept"),
        };
    for theirs in [Reject::Expired, Reject::Revoked, Reject::NotYetValid, Reject::Rules] {
        for (ours, expected) in [
            (Reject::RefreshToken, Reject::RefreshToken),
            (Reject::Expired, theirs),
            (Reject::Signature, theirs),
        ] {
            assert_eq!(reject_of(Err(theirs), ours, signed()), (expected, true), "{theirs:?} {ours:?}");
            assert_eq!(reject_of(Err(theirs), ours, None), (expected, false), "{theirs:?} {ours:?}");
        }
    }
    assert_eq!(reject_of(Ok(()), Reject::RefreshToken, signed()), (Reject::RefreshToken, true));
    let good = |theirs| of_both(theirs, Verdict::Accept(signed().unwrap()));
    assert!(matches!(good(Ok(())), Outcome::Accepted(_)));
    let revoked = good(Err(Reject::Revoked));
    assert!(matches!(revoked, Outcome::Refused { reject: Reject::Revoked, signed: Some(_) }));
}
