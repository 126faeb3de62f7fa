use jose::Claims;

use super::*;
use crate::answer::tests::lines::Lines;

fn signed(version: TokenVersion) -> Signed {
    let claims = Claims::parse(br#"{"sub":"ann"}"#).unwrap();
    Signed { header: r#"{"alg":"none of the log"}"#.to_owned(), claims, version }
}

fn refused(reject: Reject) -> Outcome {
    Outcome::Refused { reject, signed: Some(signed(TokenVersion::Stateless)) }
}

#[test]
fn an_outcome_tells_its_code_its_word_and_no_more_of_the_token_than_it_may() {
    let accepted = Outcome::Accepted(signed(TokenVersion::Stateless));
    let stateless = TokenVersion::Stateless;
    for (outcome, reject, reason, detail, version, is_shown) in [
        (accepted, None, Reason::Ok, "ok", stateless, true),
        (refused(Reject::Legacy), Some(Reject::Legacy), Reason::Legacy, "legacy", stateless, true),
        (refused(Reject::Expired), Some(Reject::Expired), Reason::Invalid, "expired", stateless, false),
        (
            Outcome::refused(Reject::Legacy),
            Some(Reject::Legacy),
            Reason::Legacy,
            "legacy",
            TokenVersion::Legacy,
            false,
        ),
    ] {
        assert_eq!((outcome.reject(), outcome.reason(), outcome.detail()), (reject, reason, detail));
        let told = outcome.version(Profile::MsUsers, Some(TokenForm::Jws));
        assert_eq!((told, outcome.shown().is_some()), (Some(version), is_shown), "{outcome:?}");
        assert_eq!(outcome.version(Profile::Standard, Some(TokenForm::Jws)), None);
    }
}

#[test]
fn a_token_of_five_parts_is_stateless_whether_it_opens_or_not_unless_nothing_could_be_decided() {
    let (stateless, legacy) = (TokenVersion::Stateless, TokenVersion::Legacy);
    let says = |version| Some(signed(version));
    for (reject, signed, form, version) in [
        (Reject::Decryption, None, Some(TokenForm::Jwe), Some(stateless)),
        (Reject::Malformed, None, Some(TokenForm::Jwe), Some(stateless)),
        (Reject::Revoked, says(stateless), Some(TokenForm::Jwe), Some(stateless)),
        (Reject::Expired, says(legacy), Some(TokenForm::Jwe), Some(stateless)),
        (Reject::NoTokenServer, None, Some(TokenForm::Jwe), None),
        (Reject::Timeout, None, Some(TokenForm::Jwe), None),
        (Reject::Timeout, says(stateless), Some(TokenForm::Jws), None),
        (Reject::KeysStale, None, Some(TokenForm::Jws), None),
        (Reject::Revoked, says(stateless), Some(TokenForm::Jws), Some(stateless)),
        (Reject::Signature, None, Some(TokenForm::Jws), Some(legacy)),
        (Reject::Legacy, None, Some(TokenForm::Other), Some(legacy)),
        (Reject::Missing, None, None, Some(legacy)),
        (Reject::UnknownPolicy, None, None, None),
    ] {
        let outcome = Outcome::Refused { reject, signed };
        assert_eq!(outcome.version(Profile::MsUsers, form), version, "{reject:?} {form:?}");
        assert_eq!(outcome.version(Profile::Standard, form), None, "{reject:?}");
    }
    let opened = Outcome::Accepted(signed(stateless));
    assert_eq!(opened.version(Profile::MsUsers, Some(TokenForm::Jwe)), Some(stateless));
}

#[test]
fn what_newer_keys_might_verify_is_undecided_and_nothing_is_known_of_it() {
    for (outcome, expected) in [
        (refused(Reject::Signature), Reject::KeysStale),
        (refused(Reject::UnknownKey), Reject::KeysStale),
        (refused(Reject::NoKeys), Reject::NoKeys),
        (Outcome::Accepted(signed(TokenVersion::Legacy)), Reject::KeysStale),
    ] {
        let undecided = outcome.undecided();
        assert_eq!(undecided.reject(), Some(expected));
        assert_eq!(undecided.signed().is_some(), expected == Reject::NoKeys);
    }
}

#[test]
fn a_decision_is_logged_by_names_and_never_with_the_token() {
    let outcome = Outcome::Accepted(signed(TokenVersion::Legacy));
    let decision = Decision {
        outcome,
        confirmation: Confirmation::NONE,
        names: ClaimNames::default(),
        id: Some("fp".to_owned()),
        version: None,
        policy: Some("api".to_owned()),
        challenges: None,
        scheme: jose::AuthScheme::Bearer,
    };
    let line = r#"message=decided request="r1" id="fp" reason="ok" detail="ok" policy="api""#;
    assert_eq!(Lines::of(|| decision.log(Some("r1"))), [line]);
    let other = decision.refused(Reject::AnswerSize);
    assert_eq!((other.outcome.reject(), other.id.as_deref()), (Some(Reject::AnswerSize), Some("fp")));
    let line = r#"message=decided id="fp" reason="E_TKN_TOO_LARGE" detail="answer_size" policy="api""#;
    assert_eq!(Lines::of(|| other.log(None)), [line]);
}
