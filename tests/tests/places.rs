//! One table of requests, with tokens wherever they may stand, through HAProxy and an agent and through forward-auth: both
//! find the same token, or refuse it with the same word.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use integration_tests::agent::ask;
use integration_tests::haproxy::Shipped;
use integration_tests::http::{Request, Response};
use integration_tests::keys::{jwks, key};
use integration_tests::setup::Setup;
use integration_tests::token::{forge_signature, now, token};
use integration_tests::token_server::TokenServer;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The shipped file with the lines of the other recipes, and the agent's word as a header.
fn all_places(shipped: &str, _: &Path) -> String {
    let group = "    http-request send-spoe-group jwt-places jwt\n";
    let lines = "    http-request set-var(txn.tkn_token) req.fhdr(x-token)\n    \
                 http-request set-var(txn.tkn_token_count) req.fhdr_cnt(x-token)\n    \
                 http-request set-var(txn.tkn_cookie) str(session)\n    \
                 http-request set-var(txn.tkn_cookies) req.fhdr(cookie)\n    \
                 http-request set-var(txn.tkn_cookies_count) req.fhdr_cnt(cookie)\n    \
                 http-request set-var(txn.tkn_parameter) str(t)\n    \
                 http-request set-var(txn.tkn_query) query\n";
    let told = "    http-after-response set-header x-detail %[var(txn.tkn.detail)]\n";
    assert!(shipped.contains(group));
    shipped.replace(group, &format!("{lines}{group}{told}"))
}

/// A request, as its client sends it.
struct Row {
    headers: Vec<(&'static str, String)>,
    query: String,
    expected: &'static str,
}

fn row(headers: &[(&'static str, &str)], query: &str, expected: &'static str) -> Row {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Row { headers, query: query.to_owned(), expected }
}

impl Row {
    fn to(&self, target: &str) -> Request {
        self.headers.iter().fold(Request::get(target), |request, (name, value)| request.header(name, value))
    }

    fn target(&self) -> String {
        if self.query.is_empty() { "/x".to_owned() } else { format!("/x?{}", self.query) }
    }

    fn shown(&self) -> String {
        format!("{:?} {}", self.headers, self.query)
    }
}

fn rows() -> Vec<Row> {
    let (good, other) = (token(key("ES256"), json!({})), token(key("ES256"), json!({"sub": "bob"})));
    let (good, other) = (good.as_str(), other.as_str());
    let bearer = &format!("Bearer {good}")[..];
    let kubernetes =
        &format!("base64url.bearer.authorization.k8s.io.{}, x", URL_SAFE_NO_PAD.encode(good))[..];
    let cookie = &format!("a=b; session={good}; c=d")[..];
    let mut rows = vec![
        row(&[], "", "missing"),
        row(&[("Authorization", bearer)], "", "ok"),
        row(&[("X-Token", good)], "", "ok"),
        row(&[("Cookie", cookie)], "", "ok"),
        row(&[], &format!("a=b&t={good}&c=d"), "ok"),
        row(&[("Sec-WebSocket-Protocol", &format!("chat, bearer, {good}"))], "", "ok"),
        row(&[("Sec-WebSocket-Protocol", kubernetes)], "", "ok"),
        row(&[("Sec-WebSocket-Protocol", "chat, soap")], "", "missing"),
        // With a scheme, in quotes, encoded.
        row(&[("X-Token", bearer)], "", "ok"),
        row(&[("X-Token", &format!("jwt {good}"))], "", "ok"),
        row(&[("Cookie", &format!("session={bearer}"))], "", "ok"),
        row(&[("Cookie", &format!("session=Bearer%20{good}"))], "", "ok"),
        row(&[("Cookie", &format!("session=\"{good}\""))], "", "ok"),
        row(&[("Cookie", &format!("session=\"{bearer}\""))], "", "ok"),
        row(&[], &format!("t=Bearer%20{good}"), "ok"),
        row(&[], &format!("t=Bearer+{good}"), "ok"),
        row(&[], &format!("%74={good}"), "ok"),
        row(&[("Authorization", good)], "", "scheme"),
        // Nothing that counts, beside a token and alone.
        row(&[("Authorization", "Basic YTpi")], "", "scheme"),
        row(&[("Authorization", "Basic YTpi"), ("Cookie", cookie)], "", "ok"),
        row(&[("Authorization", "Basic YTpi"), ("X-Token", good)], "", "ok"),
        row(&[("Authorization", "Basic YTpi")], &format!("t={good}"), "ok"),
        row(&[("Authorization", "Bearer "), ("Cookie", cookie)], "", "ok"),
        row(&[("Authorization", "Bearer"), ("Cookie", cookie)], "", "ok"),
        row(&[("Authorization", ""), ("Cookie", cookie)], "", "ok"),
        row(&[("Authorization", "Bearer ")], "", "missing"),
        row(&[("Cookie", "session="), ("X-Token", good)], "", "ok"),
        row(&[("Cookie", "session=")], "t=", "missing"),
        row(&[("X-Token", "Basic YTpi")], "", "scheme"),
        row(&[("X-Token", "Basic YTpi"), ("Cookie", cookie)], "", "ok"),
        // Another scheme with what an application might read as a token.
        row(
            &[("Authorization", &format!("DPoP {}", forge_signature(good))), ("Cookie", cookie)],
            "",
            "ambiguous",
        ),
        row(&[("Authorization", &format!("Basic {other}"))], &format!("t={good}"), "ambiguous"),
        row(&[("Authorization", other), ("Cookie", cookie)], "", "ambiguous"),
        row(&[("Authorization", &format!("GNAP {good}"))], "", "scheme"),
        // The same token in all places, and a place that is there twice.
        row(
            &[
                ("Authorization", bearer),
                ("X-Token", good),
                ("Cookie", cookie),
                ("Sec-WebSocket-Protocol", kubernetes),
            ],
            &format!("t={good}"),
            "ok",
        ),
        row(&[("Authorization", bearer), ("Authorization", bearer)], "", "duplicate_header"),
        row(&[("X-Token", good), ("X-Token", good)], "", "duplicate_header"),
        row(&[("Cookie", &format!("{cookie}; session={good}"))], "", "ambiguous"),
        row(&[("Cookie", &format!("{cookie}; session%5B%5D={other}"))], "", "ambiguous"),
        row(&[("Cookie", &format!("session[]={good}"))], "", "ambiguous"),
        row(&[], &format!("t={good}&t={good}"), "ambiguous"),
        row(&[], &format!("t={good}&%74={other}"), "ambiguous"),
        row(&[], &format!("T={good}"), "ambiguous"),
        row(&[], &format!("a=1;t={good}"), "ambiguous"),
        row(&[("Sec-WebSocket-Protocol", &format!("bearer, {good}, {kubernetes}"))], "", "ambiguous"),
        row(
            &[("Sec-WebSocket-Protocol", &format!("bearer, {good}")), ("Sec-WebSocket-Protocol", "x")],
            "",
            "duplicate_header",
        ),
        // No token at all.
        row(&[("Cookie", "session=x")], "", "malformed"),
        row(&[("X-Token", &format!("{good}, {good}"))], "", "scheme"),
        row(&[("Sec-WebSocket-Protocol", "base64url.bearer.authorization.k8s.io.!")], "", "malformed"),
    ];
    // Any two places with different tokens.
    let places = |token: &str| {
        [
            ("Authorization", format!("Bearer {token}")),
            ("X-Token", token.to_owned()),
            ("Cookie", format!("session={token}")),
            ("Sec-WebSocket-Protocol", format!("bearer, {token}")),
        ]
    };
    for (first, one) in places(good) {
        for (second, another) in places(other) {
            if first != second {
                rows.push(row(&[(first, &one), (second, &another)], "", "ambiguous"));
            }
        }
        rows.push(row(&[(first, &one)], &format!("t={other}"), "ambiguous"));
    }
    rows
}

/// A token-server that knows a key of each algorithm.
fn forward_auth(folder: &TempDir, settings: &[(&str, &str)]) -> TokenServer {
    let keys = folder.path().join("jwks.json");
    std::fs::write(&keys, jwks([key("ES256")])).unwrap();
    let keys = keys.display().to_string();
    let mut all = vec![("TOKEN_SERVER__JWKS__FILE", keys.as_str())];
    all.extend(settings);
    TokenServer::start_with(folder.path(), "standard", &all)
}

/// What forward-auth says: `ok`, or the word of its refusal.
pub(crate) fn word(response: &Response) -> String {
    if response.status == 200 {
        return "ok".to_owned();
    }
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_else(|_| panic!("{response}"));
    body["detail"].as_str().unwrap().to_owned()
}

#[test]
fn agent_and_forward_auth_find_the_same_token_or_refuse_it_with_the_same_word() {
    let folder = TempDir::with_prefix("places-").unwrap();
    let list = "authorization,header:x-token,cookie:session,query:t,websocket";
    let settings = [("TOKEN_SERVER__VERIFY__PLACES", list), ("TOKEN_SERVER__VERIFY__PROXY", "traefik")];
    let server = forward_auth(&folder, &settings);
    let edge = Setup::new(Shipped::WebSocket).edit(all_places).start();
    for row in rows() {
        let told = ask(&server.address, &row.to("/verify").header("X-Forwarded-Uri", row.target()));
        assert_eq!(word(&told), row.expected, "forward-auth: {}", row.shown());
        let answer = edge.send(&row.to(&row.target()));
        assert_eq!(answer.status, if row.expected == "ok" { 200 } else { 401 }, "HAProxy: {}", row.shown());
        assert_eq!(answer.header("x-detail").unwrap_or("ok"), row.expected, "HAProxy: {}", row.shown());
    }
}

/// Where no token is required, in the recipe for guests and by `allow_missing`.
#[test]
fn a_client_without_a_token_is_a_guest_of_both_and_one_with_a_bad_one_is_not() {
    let folder = TempDir::with_prefix("places-").unwrap();
    let server = forward_auth(&folder, &[("TOKEN_SERVER__VERIFY__ALLOW_MISSING", "true")]);
    let edge = Setup::new(Shipped::Optional).start();
    let good = token(key("ES256"), json!({}));
    for (authorization, status) in [
        (None, 200),
        (Some(String::new()), 200),
        (Some("Bearer ".to_owned()), 200),
        (Some("Basic YTpi".to_owned()), 200),
        (Some(format!("Bearer {good}")), 200),
        (Some("Bearer x".to_owned()), 401),
        (Some(format!("Bearer {}", forge_signature(&good))), 401),
        (Some(format!("DPoP {good}")), 401),
        (Some(good.clone()), 401),
    ] {
        let request = |target: &str| {
            authorization
                .iter()
                .fold(Request::get(target), |request, value| request.header("Authorization", value))
        };
        assert_eq!(
            ask(&server.address, &request("/verify")).status,
            status,
            "forward-auth: {authorization:?}"
        );
        assert_eq!(edge.send(&request("/x")).status, status, "HAProxy: {authorization:?}");
    }
}

/// Far enough from the borders, which other tests measure to the millisecond, for a slow machine.
#[test]
fn a_clock_that_is_ahead_is_granted_what_the_leeway_says_in_both_programs() {
    for leeway in [None, Some("0"), Some("200")] {
        let folder = TempDir::with_prefix("places-").unwrap();
        let set: Vec<_> =
            leeway.map(|seconds| ("TOKEN_SERVER__VERIFY__LEEWAY", seconds)).into_iter().collect();
        let server = forward_auth(&folder, &set);
        let mut setup = Setup::denying().token_server();
        if let Some(seconds) = leeway {
            setup = setup.agent_env("JWT_LEEWAY", seconds);
        }
        let edge = setup.start();
        for (expired, early, unset, none, wide) in [
            (0, 0, 200, 200, 200),
            (100, 0, 401, 401, 200),
            (1_000, 0, 401, 401, 401),
            (0, 25, 200, 401, 200),
            (0, 150, 401, 401, 200),
            (0, 1_000, 401, 401, 401),
        ] {
            let exp = if expired == 0 { now() + 3_000 } else { now() - expired };
            let nbf = if early == 0 { 1 } else { now() + early };
            let token = token(key("ES256"), json!({"iat": 1, "exp": exp, "nbf": nbf}));
            let status = match leeway {
                None => unset,
                Some("0") => none,
                Some(_) => wide,
            };
            let what = format!("{leeway:?}: {expired} {early}");
            assert_eq!(
                ask(&server.address, &Request::get("/verify").bearer(&token)).status,
                status,
                "forward-auth, {what}"
            );
            assert_eq!(edge.send(&Request::get("/x").bearer(&token)).status, status, "HAProxy, {what}");
        }
    }
}
