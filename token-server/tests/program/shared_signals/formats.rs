//! Subjects of each format (RFC 9493, SSF 1.0 section 3), pushed: the tokens that are meant end, and no other one.

use super::*;

const OTHER: &str = "https://other.example.com";

/// What is told, and of whom.
struct Case {
    what: &'static str,
    sub_id: Value,
    /// What a token says besides its issuer and its time; each of these ends.
    ends: Vec<Value>,
    /// Each of these goes on working, of any issuer and time.
    lives: Vec<Value>,
}

fn opaque(id: &str) -> Value {
    json!({ "format": "opaque", "id": id })
}

fn complex(members: Value) -> Value {
    let mut subject = json!({ "format": "complex" });
    subject.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    subject
}

fn email(address: &str, verified: Value) -> Value {
    json!({ "sub": "whoever", "email": address, "email_verified": verified })
}

fn cases() -> Vec<Case> {
    let case = |what, sub_id, ends, lives| Case { what, sub_id, ends, lives };
    let of = |sub: &str| json!({ "format": "iss_sub", "iss": ISSUER, "sub": sub });
    let mail = |address: &str| json!({ "format": "email", "email": address });
    vec![
        case(
            "opaque",
            opaque("o1"),
            vec![json!({ "sub": "o1" }), json!({ "sub": "o1", "sid": "s" })],
            vec![json!({ "sub": "o2" }), json!({ "sub": "O1" }), json!({ "sub": "o2", "sid": "o1" })],
        ),
        case(
            "iss_sub",
            of("i1"),
            vec![json!({ "sub": "i1" })],
            vec![json!({ "sub": "i2" }), json!({ "sub": "i1 " })],
        ),
        case(
            "email",
            mail("e1@x.example"),
            vec![email("e1@x.example", json!(true))],
            vec![
                email("e1@x.example", json!(false)),
                email("e1@x.example", json!("true")),
                json!({ "sub": "e1", "email": "e1@x.example" }),
                email("E1@x.example", json!(true)),
                email("e2@x.example", json!(true)),
                json!({ "sub": "e1@x.example" }),
            ],
        ),
        case(
            "jwt_id",
            json!({ "format": "jwt_id", "iss": ISSUER, "jti": "j1" }),
            vec![json!({ "sub": "j", "jti": "j1" })],
            vec![json!({ "sub": "j", "jti": "j2" }), json!({ "sub": "j1" }), json!({ "sub": "j" })],
        ),
        case(
            "aliases",
            json!({ "format": "aliases", "identifiers": [mail("a1@x.example"), of("a1")] }),
            vec![json!({ "sub": "a1" })],
            // The subject is the more exact one.
            vec![email("a1@x.example", json!(true)), json!({ "sub": "a2" })],
        ),
        case(
            "a user's session",
            complex(json!({ "user": of("c1"), "session": opaque("c-s1") })),
            vec![json!({ "sub": "c1", "sid": "c-s1" })],
            vec![
                json!({ "sub": "c1", "sid": "c-s2" }),
                json!({ "sub": "c1" }),
                json!({ "sub": "c2", "sid": "c-s1" }),
            ],
        ),
        case(
            "a session",
            complex(json!({ "session": opaque("s1") })),
            vec![json!({ "sub": "x", "sid": "s1" }), json!({ "sub": "y", "sid": "s1" })],
            vec![json!({ "sub": "s1" }), json!({ "sub": "x", "sid": "s2" })],
        ),
        case(
            "a tenant",
            complex(json!({ "tenant": opaque("t1") })),
            vec![json!({ "sub": "x", "tid": "t1" })],
            vec![json!({ "sub": "x", "tid": "t2" }), json!({ "sub": "t1" }), json!({ "sub": "x" })],
        ),
        case(
            "a user of a tenant",
            complex(json!({ "user": of("u1"), "tenant": opaque("u-t1") })),
            vec![json!({ "sub": "u1", "tid": "u-t1" })],
            vec![
                json!({ "sub": "u1", "tid": "u-t2" }),
                json!({ "sub": "u1" }),
                json!({ "sub": "u2", "tid": "u-t1" }),
            ],
        ),
        case(
            "a user's device",
            complex(json!({ "user": of("d1"), "device": opaque("phone") })),
            vec![],
            vec![
                json!({ "sub": "d1" }),
                json!({ "sub": "d1", "device": "phone" }),
                json!({ "sub": "phone" }),
            ],
        ),
        case(
            "a user, and what is not known",
            complex(json!({ "user": of("n1"), "colour": opaque("red") })),
            vec![],
            vec![json!({ "sub": "n1" }), json!({ "sub": "n1", "colour": "red" })],
        ),
        case(
            "a group of users",
            complex(json!({ "group": opaque("admins") })),
            vec![],
            vec![json!({ "sub": "admins" }), json!({ "sub": "x", "groups": ["admins"] })],
        ),
        case(
            "phone_number",
            json!({ "format": "phone_number", "phone_number": "+12065550100" }),
            vec![],
            vec![
                json!({ "sub": "+12065550100" }),
                json!({ "sub": "p", "phone_number": "+12065550100", "phone_number_verified": true }),
            ],
        ),
        case(
            "account",
            json!({ "format": "account", "uri": "acct:k@x.example" }),
            vec![],
            vec![json!({ "sub": "acct:k@x.example" }), email("k@x.example", json!(true))],
        ),
        case(
            "uri",
            json!({ "format": "uri", "uri": "https://x.example/u" }),
            vec![],
            vec![json!({ "sub": "https://x.example/u" })],
        ),
        case(
            "did",
            json!({ "format": "did", "url": "did:example:123" }),
            vec![],
            vec![json!({ "sub": "did:example:123" })],
        ),
        case(
            "another issuer's subject",
            json!({ "format": "iss_sub", "iss": OTHER, "sub": "f1" }),
            vec![],
            vec![json!({ "sub": "f1" })],
        ),
        case("the name of everybody's group", opaque("g"), vec![], vec![json!({ "sub": "x" })]),
    ]
}

#[test]
fn no_more_ends_than_was_told_whatever_the_format_of_the_subject() {
    let streams = Streams::one("tenant_claim = 'tid'\n");
    let at = now() - 30;
    let verdict = |iss: &str, iat: u64, says: &Value| {
        let mut payload = json!({ "iss": iss, "iat": iat, "exp": at + 900 });
        payload.as_object_mut().unwrap().extend(says.as_object().unwrap().clone());
        streams.server.check(&payload.to_string())
    };
    for Case { what, sub_id, ends, lives } in cases() {
        let all: Vec<&Value> = ends.iter().chain(&lives).collect();
        for says in &all {
            assert_eq!(verdict(ISSUER, at, says), "ok", "{what}, before: {says}");
        }
        let outcome = if ends.is_empty() { "inexact" } else { "revoked" };
        let before = streams.counted(outcome);
        let token = set(key("RS256"), &told(json!({ "iat": at, "sub_id": sub_id })));
        let answer = streams.push("okta", &token);
        assert_eq!((answer.status, streams.counted(outcome)), (202, before + 1), "{what}: {}", answer.body);
        let is_dated = !["a user's session", "a session", "jwt_id"].contains(&what);
        for says in &ends {
            assert_eq!(verdict(ISSUER, at, says), "revoked", "{what}: {says}");
            // A session, and one token, end whenever they were issued.
            let later = if is_dated { "ok" } else { "revoked" };
            assert_eq!(verdict(ISSUER, at + 1, says), later, "{what}, later: {says}");
        }
        for says in &lives {
            assert_eq!(verdict(ISSUER, at, says), "ok", "{what}: {says}");
        }
        for says in all {
            assert_eq!(verdict(OTHER, at, says), "ok", "{what}, of another issuer: {says}");
        }
    }
}

#[test]
fn an_account_that_is_enabled_again_gives_no_token_back() {
    let streams = Streams::one("");
    let event = |name: &str, jti: &str| {
        let kind = format!("https://schemas.openid.net/secevent/risc/event-type/{name}");
        set(key("RS256"), &told(json!({ "jti": jti, "events": { kind: {} } })))
    };
    assert_eq!(streams.push("okta", &event("account-disabled", "1")).status, 202);
    let rules = streams.rules("anna");
    assert_eq!(rules.len(), 1);
    assert_eq!(streams.push("okta", &event("account-enabled", "2")).status, 202);
    assert_eq!((streams.rules("anna"), streams.counted("ignored")), (rules, 1));
}
