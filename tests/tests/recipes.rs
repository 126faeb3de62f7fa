//! What each recipe adds: browsers of another origin, a cookie, guests, the query.

use integration_tests::backend::WEBSOCKET_KEY;
use integration_tests::edge::Edge;
use integration_tests::haproxy::Shipped;
use integration_tests::http::{Request, Response};
use integration_tests::keys::key;
use integration_tests::setup::Setup;
use integration_tests::token::{forge_signature, token};
use serde_json::json;

const ORIGIN: &str = "https://app.example";

fn good() -> String {
    token(key("ES256"), json!({}))
}

fn detail(response: &Response) -> &str {
    response.header("www-authenticate").and_then(|text| text.split('"').rev().nth(1)).unwrap_or_default()
}

fn assert_allows(what: &str, response: &Response) {
    assert_eq!(response.header("access-control-allow-origin"), Some(ORIGIN), "{what}: {response}");
    assert_eq!(response.header("vary"), Some("Origin"), "{what}: {response}");
}

#[test]
fn a_script_of_the_known_origin_can_read_every_answer() {
    let edge = Setup::new(Shipped::Browsers).start();
    let from = |request: Request| request.header("Origin", ORIGIN);
    let preflight = |origin: &str| {
        Request::line("OPTIONS /x HTTP/1.1")
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "PUT")
    };
    let response = edge.refuses("a preflight", 204, &preflight(ORIGIN));
    assert_allows("a preflight", &response);
    assert!(response.header("access-control-allow-methods").unwrap().contains("PUT"));
    assert_allows("200", &edge.send(&from(Request::get("/")).bearer(&good())));
    let response = edge.refuses("no token", 401, &from(Request::get("/")));
    assert_allows("401", &response);
    assert!(!response.body.is_empty());
    assert_allows("400", &edge.send(&from(Request::get("http://edge.test/"))));
    for origin in [
        "https://app.example.evil",
        "https://evil-app.example",
        "http://app.example",
        "null",
        "https://APP.example",
    ] {
        let response = edge.refuses(origin, 401, &preflight(origin));
        assert_eq!(response.header("access-control-allow-origin"), None, "{origin}");
    }
    edge.refuses("OPTIONS without an origin", 401, &Request::line("OPTIONS /x HTTP/1.1"));
    edge.refuses("two origins", 401, &from(preflight("https://evil.example")));
    let edge = Setup::new(Shipped::Browsers).shipped_timeouts().no_agent().start();
    let response = edge.refuses("no agent", 503, &from(Request::get("/").bearer(&good())));
    assert_allows("503", &response);
    assert_eq!(response.header("retry-after"), Some("1"));
}

fn cookie(value: &str) -> Request {
    Request::get("/").header("Cookie", value)
}

#[test]
fn one_cookie_is_a_token_and_two_are_none() {
    let edge = Setup::new(Shipped::Cookie).start();
    let (good, other) = (good(), token(key("ES256"), json!({"sub": "bob"})));
    edge.admits("a cookie", &cookie(&format!("a=b; __Host-token={good}; c=d")));
    edge.admits("a header", &Request::get("/").bearer(&good));
    for (what, value) in [
        ("two", format!("__Host-token={good}; __Host-token={other}")),
        ("the same twice", format!("__Host-token={good}; __Host-token={good}")),
        ("a good one and an empty one", format!("__Host-token={good}; __Host-token=")),
        ("joined by a comma", format!("__Host-token={other},__Host-token={good}")),
    ] {
        let response = edge.refuses(what, 401, &cookie(&value));
        assert_eq!(detail(&response), "duplicate_header", "{what}");
    }
    let twice = cookie(&format!("__Host-token={good}")).header("Cookie", format!("__Host-token={other}"));
    edge.refuses("two headers", 401, &twice);
    edge.refuses("a forged cookie", 401, &cookie(&format!("__Host-token={}", forge_signature(&good))));
    edge.refuses("a quoted cookie", 401, &cookie(&format!("__Host-token=\"{good}\"")));
    edge.refuses("another name", 401, &cookie(&format!("__host-token={good}")));
    for name in ["__Host%2Dtoken", "%5F_Host-token", "a%3D"] {
        edge.refuses(name, 400, &cookie(&format!("{name}={other}; __Host-token={good}")));
    }
    edge.admits("a value with a percent sign", &cookie(&format!("a=%20; __Host-token={good}")));
    let both = cookie(&format!("__Host-token={good}")).bearer(&other);
    assert_eq!(detail(&edge.refuses("a header and another cookie", 401, &both)), "ambiguous");
}

#[test]
fn a_cookie_of_another_sites_page_changes_nothing() {
    let edge = Setup::new(Shipped::Cookie).start();
    let good = good();
    let send = |method: &str, headers: &[(&str, &str)]| {
        let request =
            Request::line(&format!("{method} / HTTP/1.1")).header("Cookie", format!("__Host-token={good}"));
        headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    };
    let site = |value| ("Sec-Fetch-Site", value);
    let origin = |value| ("Origin", value);
    for method in ["POST", "PUT", "PATCH", "DELETE", "NOVEL", "post"] {
        edge.admits("our page", &send(method, &[origin(ORIGIN)]));
        edge.admits("our page, told otherwise", &send(method, &[site("same-origin")]));
        for headers in [
            &[][..],
            &[origin("https://evil.example")],
            &[origin("null")],
            &[origin("https://app.example.evil")],
            &[origin(ORIGIN), origin("https://evil.example")],
            &[origin("https://evil.example"), site("same-origin")],
            &[site("cross-site")],
            &[site("same-site")],
            &[site("none")],
            &[site("same-origin"), site("cross-site")],
        ] {
            edge.refuses(&format!("{method} {headers:?}"), 403, &send(method, headers));
        }
    }
    edge.admits("what changes nothing", &send("GET", &[origin("https://evil.example")]));
    let upgrade = [("Connection", "Upgrade"), ("Upgrade", "websocket"), origin("https://evil.example")];
    let upgrade = send("GET", &upgrade)
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", WEBSOCKET_KEY);
    edge.refuses("a WebSocket of another page", 403, &upgrade);
    edge.admits("no browser", &Request::line("POST / HTTP/1.1").bearer(&good));
}

#[test]
fn a_guest_passes_unannotated_and_a_bad_token_does_not() {
    let edge = Setup::new(Shipped::Optional).start();
    let seen = edge.admits("a guest", &Request::get("/").header("X-Tkn-Valid", "1"));
    assert_eq!(seen.header("x-tkn-valid"), None);
    assert_eq!(edge.admits("a token", &Request::get("/").bearer(&good())).header("x-tkn-valid"), Some("1"));
    edge.refuses("a forged token", 401, &Request::get("/").bearer(&forge_signature(&good())));
    edge.refuses("an empty header", 401, &Request::get("/").header("Authorization", ""));
    edge.refuses("another scheme", 401, &Request::get("/").header("Authorization", "Basic YTpi"));
    edge.refuses("two headers", 401, &Request::get("/").bearer(&good()).header("Authorization", ""));
    let edge = Setup::new(Shipped::Optional).shipped_timeouts().no_agent().start();
    edge.admits("a guest without an agent", &Request::get("/"));
    edge.refuses("a token without an agent", 503, &Request::get("/").bearer(&good()));
}

fn refused_queries(edge: &Edge, queries: &[String]) {
    for query in queries {
        let response = edge.refuses(query, 401, &Request::get(&format!("/x?{query}")));
        assert_eq!(detail(&response), "duplicate_header", "{query}");
    }
}

#[test]
fn a_token_of_the_query_is_the_only_one_that_an_application_could_read() {
    let edge = Setup::new(Shipped::Query).start();
    let (good, bad) = (good(), "a.b.c");
    for query in [
        format!("token={good}"),
        format!("a=b&token={good}&c=d"),
        format!("filter%5Bname%5D=x&token={good}"),
        format!("token={good}&token_type=x&mytoken=y&tokens=z&my.token=q"),
    ] {
        edge.admits(&query, &Request::get(&format!("/x?{query}")));
    }
    edge.admits("a header", &Request::get("/x?a=b").bearer(&good));
    edge.refuses("none", 401, &Request::get("/x?a=b"));
    edge.refuses("a forged one", 401, &Request::get(&format!("/x?token={}", forge_signature(&good))));
    edge.refuses("another name", 401, &Request::get(&format!("/x?mytoken={good}")));
    let others = [
        "token",
        "Token",
        "TOKEN",
        "%74oken",
        "t%6Fken",
        "t%6fken",
        "token[]",
        "token%5B%5D",
        "token%00x",
        "+token",
        "%20token",
        "token%20",
    ];
    let mut queries = Vec::new();
    for name in others {
        queries.push(format!("{name}={bad}&token={good}"));
        queries.push(format!("token={good}&{name}={bad}"));
        queries.push(format!("token={good}&x=1;{name}={bad}"));
    }
    queries.extend([
        format!("x=1;token={good}"),
        format!("x=1?token={good}"),
        format!("token={good};x=1"),
        format!("token&token={good}"),
        format!("token={good}&token"),
        format!("Token={good}"),
        format!("%74oken={good}"),
    ]);
    refused_queries(&edge, &queries);
}
