//! Recipes that decide by a claim of a verified token: limits, tenants, a second version of the application. Each is tried as
//! it is, and broken in one place as a user who copies it might.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use integration_tests::backend::Backend;
use integration_tests::edge::Edge;
use integration_tests::haproxy::Shipped;
use integration_tests::http::{Request, Response};
use integration_tests::http2;
use integration_tests::keys::key;
use integration_tests::setup::Setup;
use integration_tests::socket::Address;
use integration_tests::token::{forge_signature, token};
use integration_tests::wait::{DEADLINE, eventually};
use serde_json::{Value, json};

/// What is done to the file before it is tried.
type Change<'a> = &'a dyn Fn(Setup) -> Setup;

fn signed(claims: Value) -> String {
    token(key("ES256"), claims)
}

/// Where the address of a client is told by the PROXY protocol, and no window ends while the test runs.
pub(super) fn told_addresses(text: &str, _: &Path) -> String {
    text.replace("bind \"${EDGE_BIND}\"", "bind \"${EDGE_BIND}\" accept-proxy")
        .replace("http_req_rate(10s)", "http_req_rate(1h)")
        .replace("gpc0_rate(1m)", "gpc0_rate(1h)")
        .replace("expire 1m ", "expire 2h ")
        .replace("expire 5m ", "expire 2h ")
}

fn limited() -> Setup {
    [("RATE_LIMIT", "3"), ("RATE_LIMIT_PAID", "5"), ("REFUSED_LIMIT", "3")]
        .into_iter()
        .fold(Setup::new(Shipped::Limits), |setup, (name, value)| setup.haproxy_env(name, value))
        .edit(told_addresses)
}

fn from(edge: &Edge, address: &str, request: &Request) -> Response {
    let told = format!("PROXY TCP4 {address} 127.0.0.1 1 80\r\n");
    edge.exchange(&[told.as_bytes(), &request.to_bytes()].concat()).unwrap()
}

fn statuses(edge: &Edge, address: &str, token: &str, count: usize) -> Vec<u16> {
    let request = Request::get("/").bearer(token);
    (0..count).map(|_| from(edge, address, &request).status).collect()
}

/// An address of which no guess comes.
const HOME: &str = "192.0.2.1";

fn assert_limits(change: Change) {
    let edge = change(limited()).start();
    let asked = |claims: Value, count| statuses(&edge, HOME, &signed(claims), count);
    assert_eq!(asked(json!({}), 5), [200, 200, 200, 429, 429], "alice");
    let response = from(&edge, HOME, &Request::get("/").bearer(&signed(json!({}))));
    assert_eq!(
        (response.status, response.header("retry-after")),
        (429, Some("10")),
        "alice with another token"
    );
    assert_eq!(asked(json!({"sub": "bob"}), 1), [200], "another subject");
    assert_eq!(asked(json!({"iss": "https://other.example"}), 1), [200], "alice of another issuer");
    assert_eq!(asked(json!({"sub": "dora", "plan": "paid"}), 6), [200, 200, 200, 200, 200, 429], "a plan");
    assert_eq!(asked(json!({"sub": "erik", "plan": "paid?"}), 4)[3], 429, "another plan");
    for name in ["a", "b"] {
        let long = format!("{}{name}", "x".repeat(80));
        assert_eq!(asked(json!({"sub": long}), 3), [200; 3], "a long name");
    }
    for name in ["first", "second"] {
        let without = signed(json!({"sub": null, "jti": name}));
        assert_eq!(statuses(&edge, HOME, &without, 4), [200, 200, 200, 429], "without a subject");
    }
    // A name that is not verified costs its owner nothing.
    let forged = forge_signature(&signed(json!({"sub": "carol"})));
    assert_eq!(statuses(&edge, "192.0.2.2", &forged, 4), [401; 4]);
    assert_eq!(asked(json!({"sub": "carol"}), 3), [200; 3], "carol");
}

fn assert_guesses(change: Change) {
    let edge = change(limited()).start();
    let good = signed(json!({}));
    let forged = forge_signature(&good);
    for _ in 0..6 {
        assert_eq!(from(&edge, "192.0.2.3", &Request::get("/")).status, 401, "no token");
        let basic = Request::get("/").header("Authorization", "Basic YTpi");
        assert_eq!(from(&edge, "192.0.2.3", &basic).status, 401, "another scheme");
    }
    assert_eq!(statuses(&edge, "192.0.2.3", &good, 1), [200], "no guess");
    assert_eq!(statuses(&edge, "192.0.2.4", &forged, 6), [401, 401, 401, 401, 429, 429], "guesses");
    let response = from(&edge, "192.0.2.4", &Request::get("/").bearer(&good));
    assert_eq!(
        (response.status, response.header("retry-after")),
        (429, Some("60")),
        "a good token after guesses"
    );
    assert_eq!(statuses(&edge, "192.0.2.3", &good, 1), [200], "another address");
}

#[test]
fn a_subject_is_limited_by_its_plan_and_only_verified_tokens_count() {
    assert_limits(&|setup| setup);
}

#[test]
fn an_address_whose_tokens_are_refused_again_and_again_has_to_wait() {
    assert_guesses(&|setup| setup);
}

#[test]
fn what_haproxy_is_not_told_is_no_way_around_a_limit() {
    let edge = Setup::new(Shipped::Limits).agent_env("JWT_VARIABLES", "body").start();
    edge.refuses("nothing to count", 503, &Request::get("/").bearer(&signed(json!({}))));
}

fn assert_tenants(change: Change) {
    let edge = change(Setup::new(Shipped::Tenant).haproxy_env("TENANT_DOMAIN", "example.com")).start();
    let acme = json!({"tenant": "acme"});
    for (host, claims, status) in [
        ("acme.example.com", &acme, 200),
        ("ACME.Example.COM", &acme, 200),
        ("acme.example.com:8443", &acme, 200),
        ("7.example.com", &json!({"tenant": 7}), 200),
        ("other.example.com", &acme, 403),
        ("acme.evil.example", &acme, 403),
        ("acme.example.com.evil.example", &acme, 403),
        ("x.acme.example.com", &acme, 403),
        ("acme.example.com.", &acme, 403),
        ("example.com", &acme, 403),
        ("acme", &acme, 403),
        ("acme.example.com", &json!({}), 403),
        ("acme.example.com", &json!({"tenant": "ACME"}), 403),
        ("acme.example.com", &json!({"tenant": ["acme"]}), 403),
        (".example.com", &json!({"tenant": ""}), 403),
        (".example.com", &json!({}), 403),
    ] {
        let what = format!("{host} with {claims}");
        let request = Request::get("/").bearer(&signed(claims.clone()));
        let bytes = String::from_utf8(request.to_bytes()).unwrap();
        let bytes = bytes.replacen("Host: edge.test", &format!("Host: {host}"), 1);
        let response = edge.exchange(bytes.as_bytes()).unwrap();
        assert_eq!(response.status, status, "{what}: {response}");
        let challenge = response.header("www-authenticate").unwrap_or_default();
        assert_eq!(challenge.contains("insufficient_scope"), status == 403, "{what}: {challenge}");
    }
    let bearer = || vec![("authorization", format!("Bearer {}", signed(acme.clone())))];
    for (authority, status) in [("acme.example.com", 200), ("other.example.com", 403)] {
        let mut connection = edge.address().connect(DEADLINE).unwrap();
        let statuses = http2::statuses_at(&mut connection, authority, &[("/", bearer())]).unwrap();
        assert_eq!(statuses, [status], "{authority}, HTTP/2");
    }
}

#[test]
fn a_token_opens_the_host_of_its_own_tenant_and_no_other() {
    assert_tenants(&|setup| setup);
}

/// An edge with a second version, and how to ask which one a token meets.
fn canary(change: Change, percent: &str) -> (Edge, Backend) {
    let second = Backend::start(&Address::free_port().unwrap()).unwrap();
    let setup = Setup::new(Shipped::Canary)
        .server("CANARY_SERVER", second.address())
        .haproxy_env("CANARY_PERCENT", percent);
    (change(setup).start(), second)
}

fn meets_the_second(edge: &Edge, second: &Backend, request: &Request) -> bool {
    let before = (edge.backend.seen().len(), second.seen().len());
    assert_eq!(edge.send(request).status, 200);
    let after = (edge.backend.seen().len(), second.seen().len());
    assert_eq!(after.0 + after.1, before.0 + before.1 + 1, "one of them has answered");
    after.1 > before.1
}

fn assert_versions(change: Change) {
    let (edge, second) = canary(change, "0");
    for (claims, is_second) in [
        (json!({"beta": true}), true),
        (json!({"beta": false}), false),
        (json!({"beta": "no"}), false),
        (json!({"beta": []}), false),
        (json!({}), false),
    ] {
        let request = Request::get("/?beta=true").bearer(&signed(claims.clone())).header("X-Beta", "true");
        assert_eq!(meets_the_second(&edge, &second, &request), is_second, "{claims}");
    }
    edge.refuses(
        "a forged token",
        401,
        &Request::get("/").bearer(&forge_signature(&signed(json!({"beta": true})))),
    );
    let (edge, second) = canary(change, "50");
    let of = |number: usize| {
        let request =
            Request::get("/").bearer(&signed(json!({"sub": format!("user-{number}"), "jti": number})));
        meets_the_second(&edge, &second, &request)
    };
    let (first, again): (Vec<bool>, Vec<bool>) = (0..24).map(|number| (of(number), of(number))).unzip();
    assert_eq!(first, again, "a subject meets the same version each time");
    assert!(first.contains(&true) && first.contains(&false), "{first:?}");
}

#[test]
fn who_meets_the_second_version_is_decided_by_the_verified_token_and_stays() {
    assert_versions(&|setup| setup);
}

#[test]
fn while_the_second_version_is_down_its_users_meet_the_first() {
    let free = Address::free_port().unwrap();
    let edge = Setup::new(Shipped::Canary).server("CANARY_SERVER", &free).start();
    let request = Request::get("/").bearer(&signed(json!({"beta": true})));
    eventually("the first version answers", || (edge.send(&request).status == 200).then_some(()));
}

/// What is checked, what stands there, and what a user might make of it.
type Broken = (fn(Change), &'static str, &'static str);

const BROKEN: &[Broken] = &[
    (assert_limits, "track-sc1 var(txn.tkn_who),sha2(256),hex ", "track-sc1 var(txn.tkn_who) "),
    (
        assert_limits,
        "\"%[var(txn.tkn.payload.iss)] %[var(txn.tkn.payload.sub)]\"",
        "\"%[var(txn.tkn.payload.sub)]\"",
    ),
    (assert_limits, " if { var(txn.tkn.payload.sub) -m len ge 1 }", ""),
    (assert_limits, "-m str paid", "-m beg paid"),
    (assert_limits, "track-sc1 ", "track-sc0 "),
    (assert_limits, "Retry-After %[var(txn.tkn_limited)]", "X-Retry-After %[var(txn.tkn_limited)]"),
    (assert_guesses, " !{ var(txn.tkn.detail) -m str missing scheme }\n", "\n"),
    (assert_guesses, "-m str missing scheme }\n    # Last", "-m str missing }\n    # Last"),
    (assert_guesses, "track-sc2 src ", "track-sc2 dst "),
    (assert_guesses, "sc-inc-gpc0(2)", "sc-inc-gpc0(1)"),
    (assert_tenants, "host_only,strcmp", "strcmp"),
    (assert_tenants, "host_only,strcmp", "lower,strcmp"),
    (
        assert_tenants,
        "host_only,strcmp(txn.tkn_tenant)",
        "host_only,field(1,.),strcmp(txn.tkn.payload.tenant)",
    ),
    (
        assert_tenants,
        ".${TENANT_DOMAIN}\" if { var(txn.tkn.payload.tenant) -m len ge 1 }",
        ".${TENANT_DOMAIN}\"",
    ),
    (
        assert_tenants,
        "error_description=\\\"tenant\\\"\"",
        "error_description=\\\"tenant\\\"\" if { always_false }",
    ),
    (assert_versions, "{ var(txn.tkn.payload.beta) -m bool }", "{ var(txn.tkn.payload.beta) -m found }"),
    (assert_versions, "{ var(txn.tkn.payload.beta) -m bool }", "{ url_param(beta) -m bool }"),
    (assert_versions, "var(txn.tkn.payload.sub),xxh32,mod(100),", "rand(100),"),
];

#[test]
fn whatever_is_broken_in_a_recipe_of_claims_is_found_by_a_request() {
    let unfound = BROKEN.iter().filter(|(assert, from, to)| {
        let change = |setup: Setup| setup.change(from, to);
        catch_unwind(AssertUnwindSafe(|| assert(&change))).is_ok()
    });
    let unfound: Vec<_> = unfound.map(|(_, from, to)| (from, to)).collect();
    assert!(unfound.is_empty(), "{unfound:#?}");
}
