//! What strangers, other issuers and other tokens may try at a stream.

use super::*;

const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";
const SESSION_REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";

/// Pushes what must not be taken, and expects this word of RFC 8935; nothing is revoked by it.
fn refused(streams: &Streams, name: &str, token: &str, err: &str, what: &str) {
    let before = streams.counted("refused");
    let answer = streams.push(name, token);
    assert_eq!((answer.status, &answer.json()["err"]), (400, &json!(err)), "{what}: {}", answer.body);
    assert!(token.is_empty() || !answer.body.contains(token), "{what}");
    assert_eq!(streams.counted("refused"), before + 1, "{what}");
    for group in ["anna", "alice", "g"] {
        assert_eq!(streams.rules(group), [], "{what}");
    }
}

#[test]
fn a_push_without_the_streams_authorization_is_answered_before_it_is_read() {
    let other = stream("other", "authorization_file = 'FOLDER/push2'\n");
    let polled = stream("polled", "authorization_file = 'FOLDER/push3'\npoll_url = 'http://127.0.0.1:1/'\n");
    let polled = polled.replace("authorization_file = 'FOLDER/push3'\n", "");
    let streams = Streams::one(&format!("{other}{polled}"));
    let token = set(key("RS256"), &told(json!({})));
    let wrong: [&[(&str, &str)]; 7] = [
        &[],
        &[("authorization", "")],
        &[("authorization", "Bearer 0123456789abcdeg")],
        &[("authorization", "bearer 0123456789abcdef")],
        &[("authorization", "Bearer 0123456789abcdef2")],
        &[("authorization", PUSH), ("authorization", PUSH)],
        &[("x-authorization", PUSH)],
    ];
    let mut answers = Vec::new();
    for name in ["okta", "other", "nobody", "polled", "%6Fkta/..", "OKTA"] {
        for shown in wrong {
            // Neither the type nor the body is right, which the answer must not depend on.
            for (kind, body) in [(SET, token.as_str()), ("text/plain", "x")] {
                let headers = [shown, &[("content-type", kind)]].concat();
                let answer = post(connect(streams.place), &format!("/ssf/{name}"), &headers, body);
                if !name.contains('/') {
                    answers.push((answer.status, answer.body));
                }
            }
        }
    }
    assert_eq!(answers[0].0, 401);
    assert_eq!(serde_json::from_str::<Value>(&answers[0].1).unwrap()["err"], "authentication_failed");
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "one answer tells no streams apart: {answers:?}"
    );
    assert_eq!(streams.rules("anna"), []);
    // Another stream's sender is no stranger, and no sender of this stream.
    for name in ["other", "nobody", "polled"] {
        assert_eq!(streams.push(name, &token).status, 404, "{name}");
    }
    assert_eq!(streams.rules("anna"), []);
    assert_eq!(streams.push("okta", &token).status, 202);
    assert_eq!(streams.rules("anna").len(), 1);
}

#[test]
fn a_token_that_is_none_of_the_streams_is_refused_with_its_word() {
    let own = stream("own", "keys_file = 'FOLDER/other'\nissuer = 'https://b.example'\n");
    let streams = Streams::one(&own);
    let rsa = key("RS256");
    let good = told(json!({}));
    let changed = |changes: Value| set(rsa, &told(changes));
    let event = |name: &str| json!({ "events": { name: {} } });
    let deep = format!("{}1{}", r#"{"a":"#.repeat(200), "}".repeat(200));
    let bomb = format!(
        r#"{{"iss":"{ISSUER}","aud":"edge","iat":{},"jti":"1","events":{{"{ACCOUNT_DISABLED}":{deep}}}}}"#,
        now()
    );
    let raw = |payload: &str| sign_raw(rsa, r#"{"alg":"RS256","kid":"RS256","typ":"secevent+jwt"}"#, payload);
    let twice = good.to_string().replacen("{", &format!(r#"{{"iss":"{ISSUER}","#), 1);
    let many: Map<String, Value> = (0..1_000).map(|number| (format!("urn:{number}"), json!({}))).collect();
    for (token, err, what) in [
        (sign(rsa, &claims(json!({"iss": ISSUER, "aud": "edge"}))), "invalid_request", "an access token"),
        (
            typed(rsa, "at+jwt", &claims(json!({"iss": ISSUER, "aud": "edge", "jti": "1"}))),
            "invalid_request",
            "an access token of RFC 9068",
        ),
        (
            typed(rsa, "logout+jwt", &told(json!({"events": {LOGOUT: {}}, "sub": "anna"}))),
            "invalid_request",
            "a logout token",
        ),
        (set(rsa, &told(event(LOGOUT))), "invalid_request", "a logout token's event"),
        (typed(rsa, "JWT", &good), "invalid_request", "typ JWT"),
        (typed(rsa, "dpop+jwt", &good), "invalid_request", "another typ"),
        (sign_raw(rsa, r#"{"alg":"RS256","kid":"RS256"}"#, &good.to_string()), "invalid_request", "no typ"),
        (changed(json!({"exp": now() + 600})), "invalid_request", "exp"),
        (changed(json!({"sub": "anna"})), "invalid_request", "sub"),
        (changed(json!({"nonce": "n"})), "invalid_request", "nonce"),
        (changed(json!({"jti": null})), "invalid_request", "no jti"),
        (changed(json!({"iat": null})), "invalid_request", "no iat"),
        (changed(json!({"iat": now() + 600})), "invalid_request", "iat in the future"),
        (changed(json!({"iat": now() - 90_000})), "invalid_request", "iat of last week"),
        (changed(json!({"sub_id": null})), "invalid_request", "no subject"),
        (
            changed(json!({"sub_id": {"format": "iss_sub", "iss": ISSUER}})),
            "invalid_request",
            "half a subject",
        ),
        (changed(json!({"sub_id": "anna"})), "invalid_request", "a subject that is a text"),
        (
            changed(json!({"events": {ACCOUNT_DISABLED: {}, SESSION_REVOKED: {}}})),
            "invalid_request",
            "two events",
        ),
        (changed(json!({"events": many})), "invalid_request", "a thousand events"),
        (changed(json!({"events": {}})), "invalid_request", "no event"),
        (changed(json!({"events": [ACCOUNT_DISABLED]})), "invalid_request", "events that are a list"),
        (
            changed(json!({"events": {ACCOUNT_DISABLED: {"event_timestamp": "now"}}})),
            "invalid_request",
            "a time that is none",
        ),
        (changed(json!({"aud": "other"})), "invalid_audience", "another audience"),
        (changed(json!({"aud": null})), "invalid_audience", "no audience"),
        (changed(json!({"iss": format!("{ISSUER}/")})), "invalid_issuer", "a trailing slash"),
        (changed(json!({"iss": "https://b.example"})), "invalid_issuer", "another stream's issuer"),
        (changed(json!({"iss": null})), "invalid_issuer", "no issuer"),
        (set(key("ES256"), &good), "invalid_key", "another stream's key"),
        (set(key("PS256"), &good), "invalid_key", "an unknown key"),
        (unsigned("none", &good), "invalid_key", "alg none"),
        (hs256_under(&rsa.spki(), "RS256", &good), "invalid_key", "HS256 under the public key"),
        (
            hs256_under(rsa.pem().as_bytes(), "RS256", &good),
            "invalid_key",
            "HS256 under the public key's text",
        ),
        (raw(&bomb), "invalid_request", "a deep event"),
        (raw(&twice), "invalid_request", "iss twice"),
        ("a.b.c".to_owned(), "invalid_request", "no token"),
        (String::new(), "invalid_request", "nothing"),
        ("x".repeat(65_537), "invalid_request", "a body that is too large"),
        (changed(json!({"pad": "x".repeat(70_000)})), "invalid_request", "a token that is too large"),
    ] {
        refused(&streams, "okta", &token, err, what);
    }
    let token = set(rsa, &good);
    let headers = [("authorization", PUSH), ("content-type", "application/jwt")];
    assert_eq!(post(connect(streams.place), "/ssf/okta", &headers, &token).status, 400);
    assert_eq!(streams.push("okta", &token).status, 202);
    assert_eq!(streams.counted("revoked"), 1);
}

#[test]
fn an_issuer_speaks_of_its_own_subjects_alone() {
    let two = stream("two", "issuer = 'https://b.example'\nkeys_file = 'FOLDER/other'\n");
    let streams = Streams::one(&two);
    let of = |iss: &str, sub_id: Value| told(json!({"iss": iss, "sub_id": sub_id}));
    // B about a user of A, in each format that names an issuer.
    for sub_id in [
        json!({"format": "iss_sub", "iss": ISSUER, "sub": "anna"}),
        json!({"format": "jwt_id", "iss": ISSUER, "jti": "t"}),
        json!({"format": "complex", "user": {"format": "iss_sub", "iss": ISSUER, "sub": "anna"}}),
        json!({"format": "aliases", "identifiers": [{"format": "iss_sub", "iss": ISSUER, "sub": "anna"}]}),
    ] {
        let before = streams.counted("inexact");
        let token = set(key("ES256"), &of("https://b.example", sub_id.clone()));
        assert_eq!(streams.push("two", &token).status, 202, "{sub_id}");
        assert_eq!(streams.counted("inexact"), before + 1, "{sub_id}");
        assert_eq!((streams.rules("anna"), streams.rules("g")), (vec![], vec![]), "{sub_id}");
    }
    // What names no issuer is of the stream's, and the rule says so.
    let opaque = set(key("ES256"), &of("https://b.example", json!({"format": "opaque", "id": "anna"})));
    assert_eq!(streams.push("two", &opaque).status, 202);
    assert_eq!(streams.rules("anna")[0].0["iss"], "https://b.example");
    // So is an address, which counts only where the token says that it is verified.
    let email =
        set(key("ES256"), &of("https://b.example", json!({"format": "email", "email": "a@x.example"})));
    assert_eq!(streams.push("two", &email).status, 202);
    let (rule, mode) = streams.rules("g").remove(0);
    assert_eq!(
        (&rule["iss"], &rule["email"], &rule["email_verified"]),
        (&json!("https://b.example"), &json!("a@x.example"), &json!(true))
    );
    assert_eq!(mode, "enforce");
}

#[test]
fn no_token_ends_that_is_issued_after_the_event_token() {
    let streams = Streams::one("");
    let at = now() - 10;
    for (number, (told_at, until)) in [
        (json!(at + 1_000_000), at),
        (json!((at + 1_000_000) * 1_000), at),
        (json!(at - 50), at - 50),
        (json!((at - 40) * 1_000), at - 40),
    ]
    .into_iter()
    .enumerate()
    {
        let sub = format!("user-{number}");
        let token = told(json!({
            "iat": at, "jti": sub, "sub_id": {"format": "opaque", "id": sub},
            "events": {SESSION_REVOKED: {"event_timestamp": told_at}},
        }));
        assert_eq!(streams.push("okta", &set(key("RS256"), &token)).status, 202);
        let rule = json!({"iss": ISSUER, "iat": {"lte": until}});
        assert_eq!(streams.rules(&sub), [(rule, "enforce".to_owned())], "{told_at}");
    }
}

#[test]
fn a_token_that_comes_again_writes_nothing_and_what_was_undone_stays_undone() {
    let streams = Streams::one("");
    let token = set(key("RS256"), &told(json!({})));
    assert_eq!(streams.push("okta", &token).status, 202);
    let restored = crate::harness::delete(streams.socket(), "/v1/rules/anna", r#"{"all":true}"#);
    assert_eq!(restored.status, 200);
    for _ in 0..3 {
        assert_eq!(streams.push("okta", &token).status, 202);
    }
    assert_eq!(streams.rules("anna"), []);
    assert_eq!((streams.counted("revoked"), streams.counted("known")), (1, 3));
}

#[test]
fn the_audit_trail_names_the_stream_and_the_token() {
    let streams = Streams::one("");
    assert_eq!(streams.push("okta", &set(key("RS256"), &told(json!({"jti": "event-7"})))).status, 202);
    let trail = get(streams.socket(), "/v1/audit?limit=1", &[]).json().to_string();
    for part in [r#""ssf okta""#, "jti event-7", ISSUER] {
        assert!(trail.contains(part), "{part}: {trail}");
    }
    let metrics = get(connect(streams.server.admin), "/metrics", &[]).body;
    assert!(metrics.contains(r#"token_server_ssf_heard_timestamp_seconds{stream="okta"} "#), "{metrics}");
}

#[test]
fn a_draft_senders_token_is_taken_only_where_the_table_says_so() {
    let google = stream("google", "profile = 'draft'\n");
    let streams = Streams::one(&google);
    let event = json!({"events": {ACCOUNT_DISABLED: {"subject": {"subject_type": "iss-sub", "iss": ISSUER, "sub": "anna"}, "reason": "hijacking"}}, "sub_id": null, "sub": "someone"});
    let token = sign(key("RS256"), &told(event));
    refused(&streams, "okta", &token, "invalid_request", "a draft's token");
    for (changed, what) in [
        (json!({"exp": now() + 60}), "exp"),
        (json!({"nonce": "n"}), "nonce"),
        (json!({"events": {LOGOUT: {}}}), "a logout token"),
    ] {
        refused(&streams, "google", &sign(key("RS256"), &told(changed)), "invalid_request", what);
    }
    refused(
        &streams,
        "google",
        &typed(key("RS256"), "logout+jwt", &told(json!({}))),
        "invalid_request",
        "typ",
    );
    assert_eq!(streams.push("google", &token).status, 202);
    assert_eq!(streams.rules("anna").len(), 1);
}

#[test]
fn sighup_takes_over_streams_and_their_secrets() {
    let streams = Streams::one("");
    let token = |jti: &str, sub: &str| {
        set(key("RS256"), &told(json!({"jti": jti, "sub_id": {"format": "opaque", "id": sub}})))
    };
    assert_eq!(streams.push("okta", &token("1", "one")).status, 202);
    let folder = streams.folder.path();
    fs::write(folder.join("push"), "Bearer another-value\n").unwrap();
    let config = folder.join("settings.toml");
    let tables = fs::read_to_string(&config).unwrap();
    fs::write(&config, tables.replace("'okta'", "'new'")).unwrap();
    streams.server.signal("-HUP");
    streams.server.wait_for_log(|line| line["message"] == "the new configuration is in use");
    assert_eq!(streams.push("okta", &token("2", "two")).status, 401);
    assert_eq!(streams.push("new", &token("2", "two")).status, 401, "the value of before");
    let headers = [("authorization", "Bearer another-value"), ("content-type", SET)];
    let answer = post(connect(streams.place), "/ssf/new", &headers, &token("2", "two"));
    assert_eq!((answer.status, streams.rules("two").len()), (202, 1));
}
