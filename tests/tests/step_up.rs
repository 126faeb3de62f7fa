//! How users must have logged in (RFC 9470), through a real HAProxy: what is not enough, what helps, and when it ends. The same
//! for verdicts in HAProxy's map stands in `edge/agents.rs`.

use integration_tests::http::Request;
use integration_tests::kept_verdicts::now_ms;
use integration_tests::keys::key;
use integration_tests::setup::Setup;
use integration_tests::token::{now, token};
use integration_tests::wait::eventually;
use serde_json::{Value, json};

const MAX_AGE: u64 = 300;

fn of(claims: Value) -> Request {
    Request::get("/").bearer(&token(key("ES256"), claims))
}

#[test]
fn a_weak_login_is_told_which_one_is_needed_and_that_one_passes() {
    let edge =
        Setup::denying().agent_env("JWT_ACR_VALUES", "urn:mfa,2").agent_env("JWT_REALM", "shop").start();
    let expected = r#"Bearer realm="shop", error="insufficient_user_authentication", error_description="acr", acr_values="urn:mfa 2""#;
    for claims in [json!({}), json!({"acr": "1"}), json!({"acr": "2 "}), json!({"acr": "URN:MFA"})] {
        // Twice: the second answer is a kept one.
        for _ in 0..2 {
            let refused = edge.refuses("a weak login", 401, &of(claims.clone()));
            assert_eq!(refused.header("www-authenticate"), Some(expected), "{claims}");
        }
    }
    for acr in ["2", "urn:mfa"] {
        edge.admits(acr, &of(json!({ "acr": acr })));
    }
    let forged = edge.refuses("no string", 401, &of(json!({"acr": ["2"]})));
    assert!(forged.header("www-authenticate").unwrap().contains(r#""claim_type""#), "{forged}");
}

#[test]
fn a_kept_verdict_ends_at_the_second_at_which_the_login_is_too_old() {
    let edge = Setup::denying().agent_env("JWT_MAX_AGE", &MAX_AGE.to_string()).start();
    let expected = r#"Bearer realm="api", error="insufficient_user_authentication", error_description="auth_time", max_age="300""#;
    for claims in
        [json!({"auth_time": now() - MAX_AGE - 1}), json!({"auth_time": now() - MAX_AGE}), json!({})]
    {
        let refused = edge.refuses("an old login", 401, &of(claims.clone()));
        assert_eq!(refused.header("www-authenticate"), Some(expected), "{claims}");
    }
    let login = now() - MAX_AGE + 4;
    let end = (login + MAX_AGE) * 1000;
    let request = of(json!({ "auth_time": login }));
    edge.admits("a young login", &request);
    edge.admits("the same, kept", &request);
    assert!(edge.count("jwt_agent_cache_hits_total") >= 1);
    let refused = eventually("its end", || {
        let sent = now_ms();
        let response = edge.send(&request);
        assert!(response.status == 401 || sent < end, "{sent} of {end}: {response}");
        assert!(response.status == 200 || now_ms() >= end, "too early for {end}: {response}");
        (response.status == 401).then_some(response)
    });
    assert_eq!(refused.header("www-authenticate"), Some(expected));
}
