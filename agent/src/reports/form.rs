//! The form in which token-servers are told.

use std::collections::BTreeMap;

use hyper::body::Bytes;
use jose::{Reason, Reject, UnixTime};
use keys::KeysView;
use keys::refusals::shown_kid;
use revocation::report::{self, MAX_KEYS_BYTES, Report, Totals, cut};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::answer::told::{About, Told};

/// One decision.
pub(super) fn told(told: Told) -> report::Told {
    let about: &About = &told.about;
    let reason = about.reject.map_or(Reason::Ok, Reject::reason);
    // Of an accepted token its header tells, which is read for the few that are told.
    let header = about.header.as_deref().and_then(|header| serde_json::from_str::<Value>(header).ok());
    let named = |name: &str| match header.as_ref()?.get(name)? {
        Value::String(text) => Some(shown_kid(text)),
        Value::Number(number) => Some(shown_kid(&number.to_string())),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    report::Told {
        at: UnixTime::from_system(told.at).as_millis(),
        id: about.id.clone(),
        policy: about.policy.clone().map(cut),
        reason: reason.as_str().to_owned(),
        detail: about.reject.map_or("ok", Reject::detail).to_owned(),
        issuer: about.stranger.clone().or_else(|| about.issuer.clone()).map(cut),
        kid: about.kid.clone().or_else(|| named("kid")),
        alg: about.alg.map(str::to_owned).or_else(|| named("alg")),
        subject: about.subject.clone(),
    }
}

/// All decisions, by reason.
pub(super) fn totals(numbers: impl Iterator<Item = (Reason, u64)>) -> Totals {
    let mut totals = Totals::default();
    for (reason, number) in numbers.filter(|(_, number)| *number > 0) {
        let add = |table: &mut BTreeMap<String, u64>| {
            table.insert(reason.as_str().to_owned(), number);
        };
        match reason {
            Reason::Ok => totals.accepted = number,
            Reason::BackendUnavailable => add(&mut totals.undecided),
            Reason::Invalid
            | Reason::Legacy
            | Reason::AccessTokenRequired
            | Reason::AudienceMismatch
            | Reason::Forbidden
            | Reason::StepUp
            | Reason::TooLarge => add(&mut totals.refused),
        }
    }
    totals
}

/// The keys in use; absent where there are too many to be told.
pub(super) fn keys(view: &KeysView) -> Option<Box<RawValue>> {
    to_raw_value(view).ok().filter(|keys| keys.get().len() <= MAX_KEYS_BYTES)
}

/// A report as it is sent.
pub(super) fn body(report: &Report) -> Option<Bytes> {
    serde_json::to_vec(report).ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, UNIX_EPOCH};

    use prometheus_client::metrics::counter::Counter;
    use revocation::report::{Author, MAX_REPORT_BYTES, MAX_TEXT_CHARS};

    use super::*;

    fn about(reject: Option<Reject>) -> About {
        About {
            reject,
            policy: Some("api".to_owned()),
            issuer: None,
            stranger: None,
            kid: None,
            alg: None,
            header: None,
            id: Some("fp".to_owned()),
            subject: None,
            tally: Counter::default(),
        }
    }

    fn told_of(about: About) -> report::Told {
        told(Told { at: UNIX_EPOCH + Duration::from_millis(1_500), about: Arc::new(about) })
    }

    #[test]
    fn an_accepted_token_is_told_of_by_its_header_and_a_refused_one_by_what_it_claims() {
        let header = Some(r#"{"alg":"ES256","kid":"k\n1"}"#.into());
        let good = told_of(About { header, issuer: Some("https://i".to_owned()), ..about(None) });
        assert_eq!((good.at, good.reason.as_str(), good.detail.as_str()), (1_500, "ok", "ok"));
        assert_eq!((good.kid.as_deref(), good.alg.as_deref()), (Some("k?1"), Some("ES256")));
        let (stranger, kid) = (Some("https://evil".to_owned()), Some("k".to_owned()));
        let bad = told_of(About { stranger, kid, alg: Some("RS256"), ..about(Some(Reject::Issuer)) });
        assert_eq!((bad.reason.as_str(), bad.detail.as_str()), ("E_TKN_INVALID", "issuer"));
        assert_eq!((bad.issuer.as_deref(), bad.kid.as_deref()), (Some("https://evil"), Some("k")));
        assert_eq!((bad.alg.as_deref(), bad.id.as_deref(), bad.subject), (Some("RS256"), Some("fp"), None));
    }

    #[test]
    fn reasons_are_told_apart_as_the_page_shows_them() {
        let numbers =
            [(Reason::Ok, 5), (Reason::Forbidden, 2), (Reason::Invalid, 0), (Reason::BackendUnavailable, 1)];
        let told = serde_json::to_value(totals(numbers.into_iter())).unwrap();
        let expected = serde_json::json!({"accepted": 5, "refused": {"E_TKN_FORBIDDEN": 2}, "undecided": {"E_BACKEND_UNAVAIL": 1}});
        assert_eq!(told, expected);
    }

    #[test]
    fn the_longest_report_fits_whatever_tokens_say() {
        // Of all characters this one takes most bytes in JSON.
        let long = || Some("\u{1}".repeat(MAX_TEXT_CHARS * 2));
        let one = || {
            let texts = About {
                policy: long(),
                stranger: long(),
                kid: long().map(|kid| shown_kid(&kid)),
                ..about(Some(Reject::Issuer))
            };
            told_of(About { subject: long().map(cut), ..texts })
        };
        let keys = format!("\"{}\"", "k".repeat(MAX_KEYS_BYTES - 2));
        let report = Report {
            agent: Author { name: "n".repeat(64), version: "0".to_owned() },
            dropped: u64::MAX,
            totals: Totals::default(),
            decisions: (0..51).map(|_| one()).collect(),
            keys: serde_json::from_str(&keys).ok(),
            streams: None,
            edge: None,
            ready: true,
            lag_ms: None,
        };
        let body = body(&report).unwrap();
        assert!(body.len() > MAX_KEYS_BYTES && body.len() <= MAX_REPORT_BYTES, "{}", body.len());
    }
}
