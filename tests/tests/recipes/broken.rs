//! Each recipe broken in one place, as a user who copies it might, and a request that is answered wrongly then.

use std::panic::{AssertUnwindSafe, catch_unwind};

use integration_tests::edge::Edge;
use integration_tests::haproxy::Shipped;
use integration_tests::setup::Setup;

use super::{
    assert_cloudflare, assert_cookies, assert_guests, assert_origins, assert_pages, assert_queries,
    assert_websockets,
};

/// A recipe, its assertions, what stands there, and what a user might make of it.
type Broken = (Shipped, fn(&Edge), &'static str, &'static str);

const BROKEN: &[Broken] = &[
    (Shipped::Browsers, assert_origins, "-m str \"${CORS_ORIGIN}\"", "-m sub \"${CORS_ORIGIN}\""),
    (Shipped::Browsers, assert_origins, "-m str \"${CORS_ORIGIN}\"", "-m str -i \"${CORS_ORIGIN}\""),
    (
        Shipped::Browsers,
        assert_origins,
        "req.fhdr(origin) -m str \"${CORS_ORIGIN}\"",
        "req.fhdr(origin) -m found",
    ),
    (Shipped::Browsers, assert_origins, " { req.fhdr_cnt(origin) eq 1 }", ""),
    (Shipped::Browsers, assert_origins, "    http-after-response add-header Vary Origin\n", ""),
    (Shipped::Browsers, assert_origins, " { req.fhdr(access-control-request-method) -m found }", ""),
    (
        Shipped::Browsers,
        assert_origins,
        " { req.fhdr(access-control-request-method) -m found } { var(txn.tkn_origin) -m found }",
        " { req.fhdr(access-control-request-method) -m found }",
    ),
    (
        Shipped::Browsers,
        assert_origins,
        "http-after-response set-header Access-Control-Allow-Origin",
        "http-response set-header Access-Control-Allow-Origin",
    ),
    (Shipped::Cookie, assert_cookies, "req.fhdr_cnt(cookie)", "int(1)"),
    (
        Shipped::Cookie,
        assert_cookies,
        "set-var(txn.tkn_cookies) req.fhdr(cookie)",
        "set-var(txn.tkn_token) req.cook(__Host-token)",
    ),
    (Shipped::Cookie, assert_cookies, "__Host-token", "__host-token"),
    (Shipped::Cookie, assert_pages, "if !{ method GET HEAD }", "if { method POST PUT DELETE }"),
    (Shipped::Cookie, assert_pages, "{ req.fhdr_cnt(origin) eq 1 } ", ""),
    (Shipped::Cookie, assert_pages, "-m str \"${SITE_ORIGIN}\"", "-m beg \"${SITE_ORIGIN}\""),
    (Shipped::Cookie, assert_pages, "if !{ req.fhdr(origin) -m found } ", "if "),
    (Shipped::Cookie, assert_pages, "-m str same-origin", "-m beg same"),
    (
        Shipped::Cookie,
        assert_pages,
        "{ req.fhdr_cnt(sec-fetch-site) eq 1 } { req.fhdr(sec-fetch-site) -m str same-origin }",
        "{ req.hdr(sec-fetch-site),lower -m str same-origin none }",
    ),
    (
        Shipped::Cookie,
        assert_pages,
        "    http-request deny status 403 default-errorfiles if { req.fhdr(upgrade) -m found } { req.fhdr(cookie) -m sub __Host-token } !{ var(txn.tkn_own_page) -m found }\n",
        "",
    ),
    (
        Shipped::Cookie,
        assert_pages,
        "if !{ method GET HEAD } { req.fhdr(cookie) -m sub __Host-token }",
        "if !{ method GET HEAD }",
    ),
    (
        Shipped::Cookie,
        assert_pages,
        "{ req.fhdr(cookie) -m sub __Host-token }",
        "{ req.cook_cnt(__Host-token) gt 0 }",
    ),
    (Shipped::Optional, assert_guests, " !{ req.fhdr(authorization) -m sub . }", ""),
    (
        Shipped::Optional,
        assert_guests,
        "{ var(txn.tkn.detail) -m str missing scheme }",
        "{ var(txn.tkn.detail) -m found }",
    ),
    (
        Shipped::Optional,
        assert_guests,
        "req.fhdr_cnt(authorization) eq 0",
        "req.fhdr(authorization),length eq 0",
    ),
    (
        Shipped::Optional,
        assert_guests,
        "req.fhdr_cnt(authorization) eq 0",
        "req.fhdr(authorization) -m reg -i ^(?!bearer)",
    ),
    (
        Shipped::Query,
        assert_queries,
        "set-var(txn.tkn_query) query",
        "set-var(txn.tkn_token) url_param(token)",
    ),
    (Shipped::Query, assert_queries, "set-var(txn.tkn_query) query", "set-var(txn.tkn_query) query,url_dec"),
    (Shipped::Header, assert_cloudflare, "\"req.fhdr_cnt(${TOKEN_HEADER})\"", "int(1)"),
    (Shipped::Header, assert_cloudflare, "req.fhdr(${TOKEN_HEADER})", "req.hdr(${TOKEN_HEADER})"),
    (Shipped::Header, assert_cloudflare, "set-var(txn.tkn_token) ", "set-var(txn.tkn_other) "),
    (
        Shipped::Header,
        assert_cloudflare,
        "    http-request set-var(txn.tkn_token_count) \"req.fhdr_cnt(${TOKEN_HEADER})\"\n",
        "",
    ),
    (
        Shipped::Header,
        assert_cloudflare,
        "presetenv TOKEN_HEADER  cf-access-jwt-assertion",
        "presetenv TOKEN_HEADER  x-forwarded-access-token",
    ),
    (Shipped::WebSocket, assert_websockets, "req.fhdr_cnt(sec-websocket-protocol)", "int(1)"),
    (
        Shipped::WebSocket,
        assert_websockets,
        "set-var(txn.tkn_ws_protocol) req.fhdr(sec-websocket-protocol)",
        "set-var(txn.tkn_ws_protocol) req.hdr(sec-websocket-protocol)",
    ),
    (Shipped::WebSocket, assert_websockets, "([Bb][Ee][Aa][Rr][Ee][Rr]|[Jj][Ww][Tt])", "(bearer|jwt)"),
    (Shipped::WebSocket, assert_websockets, "|[Jj][Ww][Tt])", ")"),
    (
        Shipped::WebSocket,
        assert_websockets,
        "replace-header sec-websocket-protocol '^(.*,)?",
        "replace-header x-other '^(.*,)?",
    ),
    (
        Shipped::WebSocket,
        assert_websockets,
        "replace-header sec-websocket-protocol '^(.*)base64url",
        "replace-header x-other '^(.*)base64url",
    ),
    (
        Shipped::WebSocket,
        assert_websockets,
        "replace-header sec-websocket-protocol '^(.*),[ ]*base64url",
        "replace-header x-other '^(.*),[ ]*base64url",
    ),
    (Shipped::WebSocket, assert_websockets, "del-header sec-websocket-protocol if", "del-header x-other if"),
    (
        Shipped::WebSocket,
        assert_websockets,
        "http-response set-header sec-websocket-protocol bearer if",
        "http-response set-header x-other bearer if",
    ),
    (Shipped::WebSocket, assert_websockets, "'(^|,)[ ]*bearer[ ]*,'", "bearer"),
];

#[test]
fn whatever_is_broken_in_a_recipe_is_found_by_a_request() {
    let unfound = BROKEN.iter().filter(|(shipped, assert, from, to)| {
        let edge = Setup::new(*shipped).change(from, to).start();
        catch_unwind(AssertUnwindSafe(|| assert(&edge))).is_ok()
    });
    let unfound: Vec<_> = unfound.map(|(shipped, _, from, to)| (shipped, from, to)).collect();
    assert!(unfound.is_empty(), "{unfound:#?}");
}
