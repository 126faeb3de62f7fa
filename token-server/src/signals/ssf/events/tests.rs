use serde_json::json;

use super::*;

fn holds(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[test]
fn each_event_type_has_its_usual_action_and_no_name_comes_twice() {
    let of = |action: Option<Action>| {
        TYPES.iter().filter(|kind| kind.usual == action).map(|kind| kind.name).collect::<Vec<_>>()
    };
    assert_eq!(
        of(REVOKE),
        [
            "session-revoked",
            "credential-change",
            "account-disabled",
            "account-purged",
            "account-credential-change-required",
            "credential-compromise",
            "sessions-revoked",
            "tokens-revoked",
        ]
    );
    assert_eq!(
        of(SHADOW),
        ["token-claims-change", "assurance-level-change", "device-compliance-change", "risk-level-change"]
    );
    assert_eq!(of(Some(Action::Session)), Vec::<&str>::new());
    for (index, kind) in TYPES.iter().enumerate() {
        assert_eq!(TYPES.iter().position(|other| other.name == kind.name), Some(index), "{}", kind.name);
        let told = json!({ "change_type": "revoke", "change_direction": "decrease", "current_level": "HIGH",
            "current_status": "not-compliant" });
        let meant = meaning(&format!("{}{}", kind.base, kind.name), &holds(told)).unwrap();
        let expected = if kind.usual.is_some() { Meaning::Ended(*kind) } else { Meaning::Nothing(*kind) };
        assert_eq!(meant, expected);
    }
}

#[test]
fn an_event_ends_something_only_with_the_values_that_say_so() {
    for (kind, told, expected) in [
        ("credential-change", json!({"change_type": "revoke"}), Ok(true)),
        ("credential-change", json!({"change_type": "update"}), Ok(true)),
        ("credential-change", json!({"change_type": "delete"}), Ok(true)),
        ("credential-change", json!({"change_type": "create"}), Ok(false)),
        ("credential-change", json!({"change_type": "other"}), Err(EventFault::Member("change_type"))),
        ("credential-change", json!({"change_type": ["revoke"]}), Err(EventFault::Member("change_type"))),
        ("credential-change", json!({}), Err(EventFault::Member("change_type"))),
        ("risk-level-change", json!({"current_level": "HIGH"}), Ok(true)),
        ("risk-level-change", json!({"current_level": "high"}), Ok(true)),
        ("risk-level-change", json!({"current_level": "MEDIUM", "previous_level": "HIGH"}), Ok(false)),
        ("risk-level-change", json!({"previous_level": "HIGH"}), Err(EventFault::Member("current_level"))),
        ("device-compliance-change", json!({"current_status": "not-compliant"}), Ok(true)),
        ("device-compliance-change", json!({"current_status": "compliant"}), Ok(false)),
        ("device-compliance-change", json!({}), Err(EventFault::Member("current_status"))),
        ("assurance-level-change", json!({"change_direction": "decrease"}), Ok(true)),
        ("assurance-level-change", json!({"change_direction": "increase"}), Ok(false)),
        ("assurance-level-change", json!({"current_level": "nist-aal1"}), Ok(false)),
        (
            "assurance-level-change",
            json!({"change_direction": 1}),
            Err(EventFault::Member("change_direction")),
        ),
        ("session-revoked", json!({"initiating_entity": "user", "unknown": {"x": 1}}), Ok(true)),
        ("session-established", json!({}), Ok(false)),
    ] {
        let meant = meaning(&format!("{CAEP}{kind}"), &holds(told.clone()));
        let ended = meant.map(|meaning| matches!(meaning, Meaning::Ended(_)));
        assert_eq!(ended, expected, "{kind} {told}");
    }
}

#[test]
fn what_no_table_has_is_unknown_and_what_is_of_the_stream_ends_nothing() {
    let meant = |kind: &str| meaning(kind, &Map::new());
    for kind in [
        "",
        "session-revoked",
        "https://schemas.openid.net/secevent/caep/event-type/",
        "https://schemas.openid.net/secevent/caep/event-type/Session-Revoked",
        "https://schemas.openid.net/secevent/caep/event-type/account-disabled",
        "http://schemas.openid.net/secevent/caep/event-type/session-revoked",
        "https://schemas.openid.net/secevent/caep/event-type/verification",
    ] {
        assert_eq!(meant(kind), Ok(Meaning::Unknown), "{kind}");
    }
    for base in [SSF, SSE, RISC] {
        assert_eq!(meant(&format!("{base}verification")), Ok(Meaning::Verification));
        assert_eq!(meant(&format!("{base}stream-updated")), Ok(Meaning::StreamUpdated));
    }
    assert_eq!(meant(LOGOUT), Err(EventFault::Logout));
}

#[test]
fn a_time_is_whole_seconds_whether_it_counts_seconds_or_milliseconds() {
    for (told, expected) in [
        (json!(1_615_304_991), Ok(Some(1_615_304_991))),
        (json!(1_615_304_991.9), Ok(Some(1_615_304_991))),
        (json!(1_615_304_991_999_u64), Ok(Some(1_615_304_991))),
        (json!(1), Ok(Some(1))),
        (json!(0), Err(EventFault::Timestamp)),
        (json!(-5), Err(EventFault::Timestamp)),
        (json!(1e300), Err(EventFault::Timestamp)),
        (json!("1615304991"), Err(EventFault::Timestamp)),
        (json!(null), Err(EventFault::Timestamp)),
        (json!([1]), Err(EventFault::Timestamp)),
    ] {
        assert_eq!(timestamp(&holds(json!({ "event_timestamp": told }))), expected, "{told}");
    }
    assert_eq!(timestamp(&Map::new()), Ok(None));
}
