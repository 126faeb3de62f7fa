//! Claims as HAProxy variables, and the other ways to ask: a cookie's token, a rule that asks, a policy by name.

use std::fmt::Write;

use integration_tests::edge::Edge;
use integration_tests::http::{Request, Response};
use integration_tests::keys::key;
use integration_tests::setup::Setup;
use integration_tests::token::{claims, forge_signature, sign_raw, token};
use serde_json::{Value, json};

/// A frontend that answers with the named variables as headers `v-<number>`, if they are set, instead of passing on.
fn showing(engine: &str, rules: &str, variables: &[&str]) -> String {
    let mut text = format!(
        "frontend extra\n    mode http\n    timeout client 30s\n    bind \"${{EXTRA_BIND}}\"\n    \
         filter spoe engine {engine} config \"${{SPOE_CONF}}\"\n{rules}    http-request return status 200\n"
    );
    for (number, name) in variables.iter().enumerate() {
        writeln!(
            text,
            "    http-after-response set-header v-{number} %[var(txn.tkn.{name})] if {{ var(txn.tkn.{name}) -m found }}"
        )
        .unwrap();
    }
    text
}

fn shown<'a>(response: &'a Response, variables: &[&str], name: &str) -> Option<&'a str> {
    let number = variables.iter().position(|known| *known == name).unwrap();
    response.header(&format!("v-{number}"))
}

/// Sends a payload, byte for byte, and compares variables with what they must be.
fn assert_variables(setup: Setup, payload: &str, expected: &[(&str, Option<&str>)]) -> (Edge, Response) {
    let names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
    let edge = setup.extra(&showing("jwt", "", &names)).start();
    let token = sign_raw(key("ES256"), r#"{"alg":"ES256","kid":"ES256"}"#, payload);
    let response = edge.send_extra(&Request::get("/").bearer(&token));
    for (name, value) in expected {
        assert_eq!(shown(&response, &names, name), *value, "{name}");
    }
    (edge, response)
}

/// A payload that does not expire during a test, with these members too.
fn payload(members: &str) -> String {
    format!(r#"{{"exp":4102444800,{members}}}"#)
}

#[test]
fn a_claim_becomes_a_variable_without_losing_a_digit() {
    let members = concat!(
        r#""sub":"alice","n":42,"neg":-7,"big":12345678901234567,"huge":123456789012345678901234567890,"#,
        r#""float":1.50,"exponent":1e3,"yes":true,"no":false,"empty":"","none":null,"#,
        r#""text":"a \"b\" é \u00e9","list":[1,"two",[]],"void":[],"object":{"a":{"b":[1.0,12345678901234567]}}"#
    );
    let body = payload(members);
    assert_variables(
        Setup::denying(),
        &body,
        &[
            ("valid", Some("1")),
            ("reason", Some("ok")),
            ("detail", Some("ok")),
            ("body", Some(&body)),
            ("header", Some(r#"{"alg":"ES256","kid":"ES256"}"#)),
            ("payload.exp", Some("4102444800")),
            ("payload.sub", Some("alice")),
            ("payload.n", Some("42")),
            ("payload.neg", Some("-7")),
            ("payload.big", Some("12345678901234567")),
            ("payload.huge", Some("123456789012345678901234567890")),
            ("payload.float", Some("1.50")),
            ("payload.exponent", Some("1e3")),
            ("payload.yes", Some("1")),
            ("payload.no", Some("0")),
            ("payload.text", Some("a \"b\" é é")),
            ("payload.list", Some(r#"[1,"two",[]]"#)),
            ("payload.void", Some("[]")),
            ("payload.object", Some(r#"{"a":{"b":[1.0,12345678901234567]}}"#)),
            ("payload.absent", None),
        ],
    );
}

#[test]
fn white_space_between_tokens_of_json_is_left_out_and_nothing_else() {
    let body = "{ \"exp\" : 4102444800 ,\n\t\"text\" : \" a  b \" , \"list\" : [ 1 , 2 ] }";
    let compact = r#"{"exp":4102444800,"text":" a  b ","list":[1,2]}"#;
    let expected =
        [("body", Some(compact)), ("payload.text", Some(" a  b ")), ("payload.list", Some("[1,2]"))];
    // HAProxy writes headers without white space at their ends.
    let trimmed = expected.map(|(name, value)| (name, value.map(str::trim)));
    assert_variables(Setup::denying(), body, &trimmed);
}

#[test]
fn a_claim_name_is_folded_into_what_haproxy_can_name() {
    let longest = "l".repeat(56 - "txn.tkn.payload.".len());
    let too_long = format!("{longest}x");
    let members = format!(
        r#""https://id.test/roles":["a"],"a-b":1,"a_b":2,"c-d":1,"c d":2,"ключ":1,"{longest}":"fits","{too_long}":"does not""#
    );
    let (fits, does_not) = (format!("payload.{longest}"), format!("payload.{too_long}"));
    assert_variables(
        Setup::denying(),
        &payload(&members),
        &[
            ("valid", Some("1")),
            ("payload.https___id.test_roles", Some(r#"["a"]"#)),
            ("payload.a_b", Some("2")),
            ("payload.c_d", None),
            (&fits, Some("fits")),
            (&does_not, None),
        ],
    );
}

#[test]
fn nested_claims_become_variables_on_request() {
    assert_variables(
        Setup::denying().agent_env("JWT_CLAIMS", "sub,realm_access.roles"),
        &payload(r#""sub":"alice","other":1,"realm_access":{"roles":["a","b"]}"#),
        &[
            ("payload.sub", Some("alice")),
            ("payload.realm_access.roles", Some(r#"["a","b"]"#)),
            ("payload.realm_access", None),
            ("payload.other", None),
        ],
    );
}

#[test]
fn a_short_name_is_the_variable_of_its_claim_and_no_other_claim_takes_its_place() {
    const ROLE: &str = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role";
    let folder = tempfile::TempDir::with_prefix("variables-").unwrap();
    let file = folder.path().join("agent.toml");
    let policy = format!("[[policies]]\nname = \"default\"\nclaim_names = {{ role = \"{ROLE}\" }}\n");
    std::fs::write(&file, policy).unwrap();
    let setup = Setup::denying()
        .agent_env("JWT_CONFIG", &file.display().to_string())
        .agent_env("JWT_REQUIRED", "email");
    let names = ["valid", "detail", "payload.role"];
    let edge = setup.extra(&showing("jwt", "", &names)).start();
    for (members, expected) in [
        (format!(r#""email":"a@b","role":"root","{ROLE}":"user""#), [Some("1"), Some("ok"), Some("user")]),
        (r#""email":"a@b","role":"root""#.to_owned(), [Some("1"), Some("ok"), None]),
        (format!(r#""email":null,"{ROLE}":"user""#), [Some("0"), Some("claim"), None]),
        (format!(r#""{ROLE}":"user""#), [Some("0"), Some("claim"), None]),
    ] {
        let token = sign_raw(key("ES256"), r#"{"alg":"ES256","kid":"ES256"}"#, &payload(&members));
        let response = edge.send_extra(&Request::get("/").bearer(&token));
        assert_eq!(names.map(|name| shown(&response, &names, name)), expected, "{members}");
    }
}

#[test]
fn a_refused_token_sets_nothing_that_it_claims() {
    let names = ["valid", "reason", "detail", "body", "header", "payload.sub", "payload.exp"];
    let edge = Setup::denying().extra(&showing("jwt", "", &names)).start();
    let table = [
        (forge_signature(&token(key("ES256"), json!({}))), "signature"),
        (token(key("ES256"), json!({"exp": 1})), "expired"),
    ];
    for (token, detail) in table {
        let response = edge.send_extra(&Request::get("/").bearer(&token));
        let shown = names.map(|name| shown(&response, &names, name));
        assert_eq!(shown, [Some("0"), Some("E_TKN_INVALID"), Some(detail), None, None, None, None]);
    }
}

#[test]
fn the_fingerprint_is_stable_and_not_the_token() {
    let names = ["id", "policy"];
    let edge = Setup::denying().extra(&showing("jwt", "", &names)).start();
    let fingerprint = |token: &str| {
        let response = edge.send_extra(&Request::get("/").bearer(token));
        assert!(shown(&response, &names, "policy").is_some());
        shown(&response, &names, "id").unwrap().to_owned()
    };
    let (one, other) = (token(key("ES256"), json!({})), token(key("ES256"), json!({"sub": "bob"})));
    assert_eq!(fingerprint(&one), fingerprint(&one));
    assert_ne!(fingerprint(&one), fingerprint(&other));
    assert!(!one.contains(&fingerprint(&one)));
}

#[test]
fn an_answer_that_would_not_fit_is_a_refusal() {
    let edge = Setup::denying().agent_env("JWT_MAX_TOKEN_BYTES", "14000").start();
    let mut many = claims(json!({}));
    for number in 0..900 {
        many[format!("c{number}")] = Value::from(1);
    }
    let token = integration_tests::token::sign(key("ES256"), &many);
    assert!(token.len() < 14_000, "{}", token.len());
    let response = edge.refuses("900 claims", 401, &Request::get("/").bearer(&token));
    let challenge = response.header("www-authenticate").unwrap();
    assert!(challenge.contains("error_description=\"answer_size\""), "{challenge}");
}

#[test]
fn a_token_can_come_from_a_cookie() {
    let edge = Setup::denying()
        .edit_spoe(
            "auth_count=req.fhdr_cnt(authorization)\n    event",
            "auth_count=req.fhdr_cnt(authorization) token=req.cook(access_token)\n    event",
        )
        .start();
    let (token, other) = (token(key("ES256"), json!({})), token(key("ES256"), json!({"sub": "bob"})));
    let cookie = |token: &str| Request::get("/").header("Cookie", format!("a=b; access_token={token}; c=d"));
    edge.admits("a cookie", &cookie(&token));
    edge.admits("a header", &Request::get("/").bearer(&token));
    edge.refuses("another cookie", 401, &Request::get("/").header("Cookie", format!("token={token}")));
    edge.refuses("a bad cookie", 401, &cookie(&forge_signature(&token)));
    let both = edge.refuses("a header and another token in the cookie", 401, &cookie(&token).bearer(&other));
    assert!(both.header("www-authenticate").unwrap().contains("ambiguous"), "{both:?}");
    edge.admits("a good cookie and another scheme", &cookie(&token).header("Authorization", "Basic x"));
    let forged = format!("DPoP {}", forge_signature(&token));
    edge.refuses("a good cookie and another token", 401, &cookie(&token).header("Authorization", &forged));
}

#[test]
fn a_second_cookie_of_the_name_is_refused_since_the_application_may_read_the_first() {
    let edge = Setup::denying()
        .edit_spoe(
            "auth_count=req.fhdr_cnt(authorization)\n    event",
            "auth_count=req.fhdr_cnt(authorization) token=req.cook(t) token_count=req.cook_cnt(t)\n    event",
        )
        .start();
    let (token, other) = (token(key("ES256"), json!({})), token(key("ES256"), json!({"sub": "bob"})));
    let cookies = |cookies: &str| Request::get("/").header("Cookie", cookies);
    edge.admits("one", &cookies(&format!("a=b; t={token}")));
    edge.admits("none beside a header", &cookies("a=b").bearer(&token));
    for (what, request) in [
        ("two in one header", cookies(&format!("t=x; t={token}"))),
        ("two that agree", cookies(&format!("t={token}; t={token}"))),
        ("two in two headers", cookies(&format!("t={other}")).header("Cookie", format!("t={token}"))),
        ("an empty one first", cookies(&format!("t=; t={token}"))),
        ("two empty ones beside a header", cookies("t=; t=").bearer(&token)),
    ] {
        let response = edge.refuses(what, 401, &request);
        let challenge = response.header("www-authenticate").unwrap();
        assert!(challenge.contains("duplicate_header"), "{what}: {challenge}");
    }
    edge.refuses("none at all", 401, &cookies("a=b"));
}

#[test]
fn a_rule_can_decide_whether_to_ask() {
    let names = ["valid", "payload.sub"];
    let rules = "    http-request send-spoe-group jwt-group jwt unless { path_beg /public/ }\n";
    let edge = Setup::denying().extra(&showing("jwt-group", rules, &names)).start();
    let ask = |path: &str| {
        let response = edge.send_extra(&Request::get(path).bearer(&token(key("ES256"), json!({}))));
        names.map(|name| shown(&response, &names, name).map(str::to_owned))
    };
    assert_eq!(ask("/"), [Some("1".to_owned()), Some("alice".to_owned())]);
    assert_eq!(ask("/public/"), [None, None]);
}

#[test]
fn a_policy_that_is_not_configured_is_our_fault_and_not_the_tokens() {
    for (arguments, detail) in [
        ("(authorization) policy=str(novel)\n    event", "unknown_policy"),
        ("(authorization) policy=bin(6e6f)\n    event", "argument"),
    ] {
        let edge = Setup::denying().edit_spoe("(authorization)\n    event", arguments).start();
        let good = Request::get("/").bearer(&token(key("ES256"), json!({})));
        let response = edge.refuses(detail, 503, &good);
        assert_eq!(response.header("www-authenticate"), None, "{response:?}");
        let metrics = edge.agents[0].admin("/metrics");
        let counted = format!(
            "jwt_agent_decisions_total{{reason=\"E_BACKEND_UNAVAIL\",detail=\"{detail}\",policy=\"\",issuer=\"\"}} 1"
        );
        let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
        assert!(metrics.contains(&counted), "{metrics}");
    }
}
