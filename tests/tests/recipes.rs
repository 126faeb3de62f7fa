//! What each recipe adds: browsers of another origin, a cookie, guests, the query, other headers, WebSockets; and what is
//! decided by claims.

#[path = "recipes/broken.rs"]
mod broken;
#[path = "recipes/claims.rs"]
mod claims;
#[path = "recipes/signals.rs"]
mod signals;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
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
    assert_origins(&Setup::new(Shipped::Browsers).start());
    let edge = Setup::new(Shipped::Browsers).shipped_timeouts().no_agent().start();
    let response = edge.refuses("no agent", 503, &Request::get("/").bearer(&good()).header("Origin", ORIGIN));
    assert_allows("503", &response);
    assert_eq!(response.header("retry-after"), Some("1"));
}

fn assert_origins(edge: &Edge) {
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
    edge.refuses("OPTIONS that is no preflight", 401, &from(Request::line("OPTIONS /x HTTP/1.1")));
    edge.refuses("two origins", 401, &from(preflight("https://evil.example")));
}

fn cookie(value: &str) -> Request {
    Request::get("/").header("Cookie", value)
}

#[test]
fn one_cookie_is_a_token_and_two_are_none() {
    assert_cookies(&Setup::new(Shipped::Cookie).start());
}

fn assert_cookies(edge: &Edge) {
    let (good, other) = (good(), token(key("ES256"), json!({"sub": "bob"})));
    edge.admits("a cookie", &cookie(&format!("a=b; __Host-token={good}; c=d")));
    edge.admits("a header", &Request::get("/").bearer(&good));
    for (what, value, why) in [
        ("two", format!("__Host-token={good}; __Host-token={other}"), "ambiguous"),
        ("the same twice", format!("__Host-token={good}; __Host-token={good}"), "ambiguous"),
        ("a good one and an empty one", format!("__Host-token={good}; __Host-token="), "ambiguous"),
        ("joined by a comma", format!("__Host-token={other},__Host-token={good}"), "unsupported"),
        ("an encoded name", format!("__Host%2Dtoken={other}; __Host-token={good}"), "ambiguous"),
        ("another encoded name", format!("%5F_Host-token={other}; __Host-token={good}"), "ambiguous"),
        ("an encoded name alone", format!("__Host%2Dtoken={good}"), "ambiguous"),
    ] {
        assert_eq!(detail(&edge.refuses(what, 401, &cookie(&value))), why, "{what}");
    }
    let twice = cookie(&format!("__Host-token={good}")).header("Cookie", format!("__Host-token={other}"));
    edge.refuses("two headers", 401, &twice);
    edge.refuses("a forged cookie", 401, &cookie(&format!("__Host-token={}", forge_signature(&good))));
    edge.refuses("another name", 401, &cookie(&format!("__host-token={good}")));
    edge.admits("a quoted cookie", &cookie(&format!("__Host-token=\"{good}\"")));
    edge.admits("a cookie with a scheme", &cookie(&format!("__Host-token=Bearer%20{good}")));
    edge.admits("a name and a value with a percent sign", &cookie(&format!("a%3D=%20; __Host-token={good}")));
    let basic = cookie(&format!("__Host-token={good}")).header("Authorization", "Basic YTpi");
    edge.admits("Basic beside a cookie", &basic);
    let both = cookie(&format!("__Host-token={good}")).bearer(&other);
    assert_eq!(detail(&edge.refuses("a header and another cookie", 401, &both)), "ambiguous");
}

#[test]
fn a_cookie_of_another_sites_page_changes_nothing() {
    assert_pages(&Setup::new(Shipped::Cookie).start());
}

fn assert_pages(edge: &Edge) {
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
    // Where HAProxy would see no cookie of that name, and the agent does.
    for cookie in [
        format!("a=\"x; __Host-token={good}"),
        format!("a=b;__Host-token={good}"),
        format!("\"; __Host-token={good}"),
    ] {
        let request = Request::line("POST / HTTP/1.1")
            .header("Cookie", &cookie)
            .header("Origin", "https://evil.example");
        edge.refuses(&cookie, 403, &request);
    }
    let upgrade = [("Connection", "Upgrade"), ("Upgrade", "websocket"), origin("https://evil.example")];
    let upgrade = send("GET", &upgrade)
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", WEBSOCKET_KEY);
    edge.refuses("a WebSocket of another page", 403, &upgrade);
    edge.admits("no browser", &Request::line("POST / HTTP/1.1").bearer(&good));
}

#[test]
fn a_guest_passes_unannotated_and_a_bad_token_does_not() {
    assert_guests(&Setup::new(Shipped::Optional).start());
    let edge = Setup::new(Shipped::Optional).shipped_timeouts().no_agent().start();
    edge.admits("a guest without an agent", &Request::get("/"));
    edge.refuses("a token without an agent", 503, &Request::get("/").bearer(&good()));
}

fn assert_guests(edge: &Edge) {
    let seen = edge.admits("a guest", &Request::get("/").header("X-Tkn-Valid", "1"));
    assert_eq!(seen.header("x-tkn-valid"), None);
    assert_eq!(edge.admits("a token", &Request::get("/").bearer(&good())).header("x-tkn-valid"), Some("1"));
    edge.refuses("a forged token", 401, &Request::get("/").bearer(&forge_signature(&good())));
    for value in ["", "Bearer", "Basic YTpi", "Negotiate YII="] {
        let seen =
            edge.admits(value, &Request::get("/").header("Authorization", value).header("X-Tkn-Valid", "1"));
        assert_eq!(seen.header("x-tkn-valid"), None, "{value}");
    }
    for value in [format!("Basic {}", good()), format!("DPoP {}", good()), good(), "Bearer x".to_owned()] {
        edge.refuses(&value, 401, &Request::get("/").header("Authorization", &value));
    }
    for values in [["Basic YTpi", "Basic YTpi"], ["Bearer a.b.c", "Basic YTpi"], ["Basic YTpi", ""]] {
        let request =
            values.iter().fold(Request::get("/"), |request, value| request.header("Authorization", value));
        edge.refuses(&format!("{values:?}"), 401, &request);
    }
}

fn refused_queries(edge: &Edge, queries: &[String]) {
    for query in queries {
        let response = edge.refuses(query, 401, &Request::get(&format!("/x?{query}")));
        assert!(["ambiguous", "malformed", "api"].contains(&detail(&response)), "{query}: {response}");
    }
}

#[test]
fn a_token_of_the_query_is_the_only_one_that_an_application_could_read() {
    assert_queries(&Setup::new(Shipped::Query).start());
}

fn assert_queries(edge: &Edge) {
    let (good, bad) = (good(), "a.b.c");
    for query in [
        format!("token={good}"),
        format!("a=b&token={good}&c=d"),
        format!("filter%5Bname%5D=x&token={good}"),
        format!("filter=a%26token=x&token={good}"),
        format!("token={good}&token_type=x&mytoken=y&tokens=z&my.token=q"),
        format!("%74oken={good}"),
        format!("a=b&t%6Fken=Bearer%20{good}"),
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
        format!("%74oken={good}&token={good}"),
        format!("token={good};x=1"),
        format!("token&token={good}"),
        format!("token={good}&token"),
        format!("Token={good}"),
    ]);
    refused_queries(edge, &queries);
}

#[test]
fn the_token_of_another_proxys_header_is_decided_and_no_other() {
    for (header, alg, claims) in [
        (
            CLOUDFLARE,
            "RS256",
            json!({"iss": "https://team.cloudflareaccess.com", "aud": ["f5d1"], "type": "app", "email": "a@b.example",
                   "identity_nonce": "6ei69kawdKzMIAPF", "country": "US"}),
        ),
        (
            "X-Goog-IAP-JWT-Assertion",
            "ES256",
            json!({"iss": "https://cloud.google.com/iap", "aud": "/projects/1/global/backendServices/2",
                   "sub": "accounts.google.com:1", "email": "a@b.example", "hd": "b.example",
                   "google": {"access_levels": ["x"]}}),
        ),
    ] {
        let edge =
            Setup::new(Shipped::Header).haproxy_env("TOKEN_HEADER", &header.to_ascii_lowercase()).start();
        assert_header(&edge, header, &token(key(alg), claims));
    }
}

/// The header that the recipe names unless it is told otherwise.
const CLOUDFLARE: &str = "Cf-Access-Jwt-Assertion";

fn assert_cloudflare(edge: &Edge) {
    assert_header(edge, CLOUDFLARE, &token(key("RS256"), json!({"email": "a@b.example"})));
}

/// A header of another proxy, and a good token of it that tells an address.
fn assert_header(edge: &Edge, header: &str, good: &str) {
    let seen = edge.admits(header, &Request::get("/").header(header, good));
    assert!(seen.header("x-tkn-body").unwrap().contains("a@b.example"), "{seen:?}");
    let basic = Request::get("/").header(header, good).header("Authorization", "Basic YTpi");
    edge.admits("Basic beside it", &basic);
    for (what, values) in [
        ("none", vec![]),
        ("two", vec![good.to_owned(), good.to_owned()]),
        ("two in one", vec![format!("{good}, {good}")]),
        ("a forged one", vec![forge_signature(good)]),
        ("an empty one", vec![String::new()]),
    ] {
        let request = values.iter().fold(Request::get("/"), |request, value| request.header(header, value));
        edge.refuses(what, 401, &request);
    }
    let both = Request::get("/").header(header, good).bearer(&token(key("ES256"), json!({"sub": "bob"})));
    assert_eq!(detail(&edge.refuses("another token", 401, &both)), "ambiguous", "{header}");
}

/// HAProxy splits the line of a SPOE file into words before it reads an argument: quotes go round the whole word.
#[test]
fn an_argument_of_the_spoe_file_with_spaces_is_quoted_as_a_whole_word() {
    let shipped =
        "args  authorization=req.fhdr(authorization) auth_count=req.fhdr_cnt(authorization)\n    event";
    let edited = "args  \"token=req.fhdr(x-token),field(2,','),ltrim(' ')\"\n    event";
    let edge = Setup::denying().edit_spoe(shipped, edited).start();
    edge.admits("the second field", &Request::get("/").header("X-Token", format!("v1, {}", good())));
    edge.refuses("no second field", 401, &Request::get("/").header("X-Token", good()));
}

fn upgrade(protocols: &str) -> Request {
    Request::get("/")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", WEBSOCKET_KEY)
        .header("Sec-WebSocket-Protocol", protocols)
}

#[test]
fn a_websocket_shows_its_token_among_the_subprotocols_and_the_application_sees_none() {
    assert_websockets(&Setup::new(Shipped::WebSocket).start());
}

fn assert_websockets(edge: &Edge) {
    let good = good();
    let encoded = format!("base64url.bearer.authorization.k8s.io.{}", URL_SAFE_NO_PAD.encode(&good));
    for (offered, passed, chosen) in [
        (format!("bearer, {good}"), Some("bearer"), Some("bearer")),
        (format!("chat, bearer, {good}, soap"), Some("chat, bearer, soap"), Some("bearer")),
        (format!("Bearer,{good},chat"), Some("Bearer,chat"), None),
        (format!("jwt, {good}"), Some("jwt"), None),
        (format!("{encoded}, v4.channel.k8s.io"), Some("v4.channel.k8s.io"), None),
        (format!("v4.channel.k8s.io, {encoded}"), Some("v4.channel.k8s.io"), None),
        (format!("a, {encoded}, b"), Some("a, b"), None),
        (encoded.clone(), None, None),
    ] {
        let before = edge.backend.seen().len();
        let response = edge.send(&upgrade(&offered));
        assert_eq!(response.status, 101, "{offered}: {response}");
        assert_eq!(response.header("sec-websocket-protocol"), chosen, "{offered}");
        let seen = edge.backend.seen().split_off(before);
        assert_eq!(seen[0].header("sec-websocket-protocol"), passed, "{offered}");
        assert_eq!(seen[0].header("x-tkn-valid"), Some("1"));
    }
    for (offered, why) in [
        ("chat".to_owned(), ""),
        (format!("chat, {good}"), ""),
        (format!("bearer, {}", forge_signature(&good)), "signature"),
        (format!("bearer, {good}, {encoded}"), "ambiguous"),
        (format!("bearer, {good}, bearer, {good}"), "ambiguous"),
        (format!("{encoded}="), "malformed"),
    ] {
        let response = edge.refuses(&offered, 401, &upgrade(&offered));
        let told = detail(&response);
        assert_eq!(if told == "api" { "" } else { told }, why, "{offered}");
    }
    let twice = upgrade(&format!("bearer, {good}")).header("Sec-WebSocket-Protocol", "chat");
    assert_eq!(detail(&edge.refuses("two headers", 401, &twice)), "duplicate_header");
    edge.admits("a header", &Request::get("/").bearer(&good));
}
