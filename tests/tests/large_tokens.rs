//! Tokens as long as ML-DSA makes them, with the settings that haproxy/README.md names for them.

use integration_tests::edge::Edge;
use integration_tests::http::Request;
use integration_tests::keys::key;
use integration_tests::setup::Setup;
use integration_tests::token::{forge_payload, forge_signature, token};
use serde_json::{Value, json};

/// A token of that algorithm with so many bytes of claims, roughly.
fn with_claims(algorithm: &str, bytes: usize) -> String {
    token(key(algorithm), json!({"blob": "x".repeat(bytes)}))
}

fn admits_whole(edge: &Edge, what: &str, token: &str, blob: usize) {
    let seen = edge.admits(what, &Request::get("/").bearer(token));
    let body: Value = serde_json::from_str(seen.header("x-tkn-body").unwrap()).unwrap();
    assert_eq!(body["blob"].as_str().unwrap().len(), blob, "{what}");
}

#[test]
fn a_token_of_ml_dsa_with_usual_claims_passes_by_the_defaults() {
    let edge = Setup::denying().start();
    for (algorithm, blob) in [("ML-DSA-44", 3000), ("ML-DSA-65", 2400), ("ML-DSA-87", 1100)] {
        let good = with_claims(algorithm, blob);
        assert!(good.len() < 8192, "{algorithm}: {}", good.len());
        admits_whole(&edge, algorithm, &good, blob);
        let root = forge_payload(&good, &json!({"sub": "root"}));
        for (what, token) in [("one bit of the signature", forge_signature(&good)), ("other claims", root)] {
            let response = edge.refuses(what, 401, &Request::get("/").bearer(&token));
            let challenge = response.header("www-authenticate").unwrap();
            assert!(challenge.contains("\"signature\""), "{algorithm}: {what}: {challenge}");
        }
        let long = with_claims(algorithm, 5000);
        let response = edge.refuses(algorithm, 401, &Request::get("/").bearer(&long));
        let challenge = response.header("www-authenticate").unwrap();
        assert!(challenge.contains("\"token_size\""), "{algorithm}: {challenge}");
    }
}

#[test]
fn a_longer_one_passes_with_the_two_settings_that_the_readme_names() {
    let readme = include_str!("../../haproxy/README.md");
    let settings = ["JWT_MAX_TOKEN_BYTES=16384", "tune.bufsize 32768"];
    for setting in settings {
        assert!(readme.contains(setting), "haproxy/README.md does not name {setting}");
    }
    let edge = Setup::denying()
        .agent_env("JWT_MAX_TOKEN_BYTES", "16384")
        .extra("global\n    tune.bufsize 32768\n")
        .start();
    for algorithm in ["ML-DSA-65", "ML-DSA-87"] {
        // The longest ones, beside headers of 4 KB, as applications with cookies have them.
        for blob in [3000, 6500] {
            let good = with_claims(algorithm, blob);
            assert!((8192..16_384).contains(&good.len()), "{algorithm}: {}", good.len());
            let what = format!("{algorithm}, {} bytes", good.len());
            admits_whole(&edge, &what, &good, blob);
            let request = Request::get("/").bearer(&good).header("Cookie", format!("a={}", "y".repeat(4000)));
            edge.admits(&what, &request);
            edge.refuses(&what, 401, &Request::get("/").bearer(&forge_signature(&good)));
        }
    }
}

#[test]
fn one_of_the_two_settings_alone_lets_no_long_token_by_undecided() {
    let good = with_claims("ML-DSA-87", 6500);
    assert!((14_900..15_360).contains(&good.len()), "{}", good.len());
    let forged = forge_signature(&good);
    let agent_alone = Setup::denying().agent_env("JWT_MAX_TOKEN_BYTES", "16384").start();
    let haproxy_alone = Setup::denying().extra("global\n    tune.bufsize 32768\n").start();
    for (what, edge) in [("the agent's alone", agent_alone), ("HAProxy's alone", haproxy_alone)] {
        for token in [&good, &forged] {
            let request = Request::get("/").bearer(token).to_bytes();
            edge.refuses_bytes(what, &[400, 401, 431, 500, 503], &request);
        }
    }
}

/// Bytes of cookies beside a token: with the first all tokens of the default limit fit, with the others not.
const BESIDE: [usize; 3] = [0, 3000, 5000];

/// Requests with tokens of all lengths that may come near to HAProxy's room for headers, each with how long its blob is.
fn near_the_limit(beside: usize, longest: usize) -> impl Iterator<Item = (usize, Request)> {
    (2000..longest).step_by(61).map(move |blob| {
        let token = with_claims("ES256", blob);
        let request = Request::get("/").header("Authorization", format!("JWT {token}"));
        (blob, request.header("Cookie", format!("a={}", "y".repeat(beside))))
    })
}

#[test]
fn a_token_whose_claims_do_not_fit_beside_it_is_refused_with_a_reason_and_never_with_500() {
    let edge = Setup::denying().start();
    for beside in BESIDE {
        let mut seen = [0, 0];
        for (blob, request) in near_the_limit(beside, 5900) {
            let response = edge.send(&request);
            let what = format!("{blob} beside {beside}");
            match response.status {
                200 => {
                    let body = edge.admits(&what, &request).header("x-tkn-body").map(str::to_owned);
                    let body: Value = serde_json::from_str(&body.unwrap()).unwrap();
                    assert_eq!(body["blob"].as_str().unwrap().len(), blob, "{what}");
                    assert_eq!(seen[1], 0, "{what}: a shorter one was refused");
                    seen[0] += 1;
                }
                431 => {
                    let told = String::from_utf8(response.body).unwrap();
                    assert!(told.contains("too large"), "{what}: {told}");
                    seen[1] += 1;
                }
                status => panic!("{what}: {status}"),
            }
        }
        assert!(seen[0] > 3 && (seen[1] > 3 || beside == 0), "{beside}: {seen:?}");
    }
}

#[test]
fn an_answer_that_does_not_fit_is_none_to_a_backend_that_decides_by_itself() {
    let edge = Setup::annotating().start();
    for beside in BESIDE {
        let mut seen = [0, 0];
        for (blob, request) in near_the_limit(beside, 5900) {
            let what = format!("{blob} beside {beside}");
            let found = edge.admits(&what, &request);
            match found.header("x-tkn-reason").unwrap() {
                "E_BACKEND_UNAVAIL" => {
                    assert_eq!(found.header("x-tkn-valid"), Some("0"), "{what}");
                    for name in ["x-tkn-body", "x-tkn-header", "x-tkn-stateless", "x-tkn-legacy"] {
                        assert_eq!(found.header(name), None, "{what}");
                    }
                    seen[1] += 1;
                }
                _ => {
                    let body: Value = serde_json::from_str(found.header("x-tkn-body").unwrap()).unwrap();
                    assert_eq!(body["blob"].as_str().unwrap().len(), blob, "{what}");
                    assert_eq!(seen[1], 0, "{what}: a shorter one did not fit");
                    seen[0] += 1;
                }
            }
        }
        assert!(seen[0] > 3 && (seen[1] > 3 || beside == 0), "{beside}: {seen:?}");
    }
}
