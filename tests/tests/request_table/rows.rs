//! The requests.

use std::sync::OnceLock;

use integration_tests::haproxy::Shipped;
use integration_tests::http::Request;
use integration_tests::keys::key;
use integration_tests::token::{claims, forge_signature, token, unsigned};
use serde_json::json;

/// What a request shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    None,
    Good,
    Admin,
    Forged,
    Unsigned,
    Garbage,
    Expired,
    OtherAudience,
    OtherScope,
}

impl Token {
    /// The status under the default policy, or under the strictest one.
    pub(crate) fn status(self, strict: bool) -> u16 {
        match self {
            Self::Admin => 200,
            Self::Good if !strict => 200,
            Self::Good | Self::OtherScope => 403,
            Self::None
            | Self::Forged
            | Self::Unsigned
            | Self::Garbage
            | Self::Expired
            | Self::OtherAudience => 401,
        }
    }

    pub(crate) fn text(self) -> String {
        static GOOD: OnceLock<String> = OnceLock::new();
        static ADMIN: OnceLock<String> = OnceLock::new();
        let sign = |scope: &str, audience: &str| {
            token(key("ES256"), json!({"scope": scope, "aud": audience, "tenant": "edge"}))
        };
        let good = || GOOD.get_or_init(|| sign("read", "api")).clone();
        match self {
            Self::None => String::new(),
            Self::Good => good(),
            Self::Admin => ADMIN.get_or_init(|| sign("read write", "api")).clone(),
            Self::Forged => forge_signature(&good()),
            Self::Unsigned => unsigned("none", &claims(json!({"scope": "read write", "aud": "api"}))),
            Self::Garbage => "a.b.c".to_owned(),
            Self::Expired => token(key("ES256"), json!({"scope": "read", "aud": "api", "iat": 1, "exp": 2})),
            Self::OtherAudience => sign("read", "other"),
            Self::OtherScope => sign("none", "api"),
        }
    }
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    /// A path that needs a token, in every file.
    Place,
    /// The same, below the part of the file that is public or lax.
    Below(&'static str),
    /// As it stands; `PLACE` is the path.
    Raw(&'static str),
}

/// One request and what is known of it.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) token: Token,
    /// The status whatever the token, for the form of the request.
    pub(crate) refused: Option<u16>,
    target: Target,
    method: &'static str,
    version: &'static str,
    host: Option<&'static str>,
    headers: Vec<(&'static str, String)>,
    plain: bool,
}

/// A path that every good token opens.
pub(crate) fn place(shipped: Shipped) -> &'static str {
    match shipped.form() {
        Shipped::Routes => "/api/users",
        _ => "/api/x",
    }
}

impl Row {
    fn new(what: &str, token: Token, target: Target) -> Self {
        let bearer = (token != Token::None).then(|| ("Authorization", format!("Bearer {}", token.text())));
        Self {
            what: format!("{what}, {token:?}"),
            token,
            refused: None,
            target,
            method: "GET",
            version: "HTTP/1.1",
            host: Some("edge.test"),
            headers: bearer.into_iter().collect(),
            plain: false,
        }
    }

    /// Whether nothing is asked there.
    pub(crate) fn public(&self, shipped: Shipped) -> bool {
        shipped.form() == Shipped::Denying && self.plain && matches!(self.target, Target::Below(_))
    }

    /// Whether the route is one for every good token.
    pub(crate) fn lax(&self) -> bool {
        self.plain || self.target == Target::Place
    }

    /// Whether nothing of the target leads to the protected backend.
    pub(crate) fn is_routed_elsewhere(&self) -> bool {
        let is_protected =
            |target: &str| target.contains("PLACE") || target.to_ascii_lowercase().contains("/api/");
        matches!(self.target, Target::Raw(target) if !is_protected(target))
    }

    /// Whether it names no host, and so no tenant.
    pub(crate) fn has_no_host(&self) -> bool {
        self.host.is_none()
    }

    pub(crate) fn valid(&self) -> &'static str {
        if self.token.status(false) == 200 { "1" } else { "0" }
    }

    pub(crate) fn bytes(&self, shipped: Shipped) -> Vec<u8> {
        let target = match &self.target {
            Target::Place => place(shipped).to_owned(),
            Target::Below(rest) => match shipped.form() {
                Shipped::Denying => format!("/public{rest}"),
                Shipped::Routes => format!("/api/users{rest}"),
                _ => format!("/api{rest}"),
            },
            Target::Raw(text) => text.replace("PLACE", place(shipped)),
        };
        let request = Request::line(&format!("{} {target} {}", self.method, self.version));
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        let bytes = request.to_bytes();
        let host = self.host.map_or_else(String::new, |host| format!("Host: {host}\r\n"));
        String::from_utf8_lossy(&bytes).replacen("Host: edge.test\r\n", &host, 1).into_bytes()
    }
}

/// Below a public or lax path: what is of plain segments.
const PLAIN: [&str; 9] = [
    "/",
    "/a",
    "/a/",
    "/A.B.c/d",
    "/anna@example.com",
    "/x+y.js",
    "/a,b=c!d$e'f(g)*h:i~j_k-l",
    "/a?x=/../y",
    "/a&b",
];

/// What could be read in two ways, or is rare enough to be taken as strictly as that.
const ODD: [&str; 31] = [
    "/a%20b.html",
    "/.well-known/acme-challenge/x",
    "/../x",
    "/./x",
    "//x",
    "/a//b",
    "/%2e%2e/x",
    "/%2E%2E/x",
    "/.%2e/x",
    "/..;/x",
    "/..;x=y/x",
    "/a;b=c",
    "/a%2fb",
    "/a%2Fb",
    "/a%5cb",
    "/a\\b",
    "/..%2fx",
    "/..\\x",
    "/%252e%252e/x",
    "/a.",
    "/.git/config",
    "/a..b",
    "/a%00",
    "/%c0%ae%c0%ae/x",
    "/a%3bx",
    "/%70",
    "/a/..",
    "/a/.",
    "/a%20/../x",
    "/;/../x",
    "/a|b",
];

/// Every request of the table.
pub(crate) fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    for token in [
        Token::None,
        Token::Good,
        Token::Admin,
        Token::Forged,
        Token::Unsigned,
        Token::Garbage,
        Token::Expired,
        Token::OtherAudience,
        Token::OtherScope,
    ] {
        rows.push(Row::new("HTTP/1.1", token, Target::Place));
        rows.push(Row { version: "HTTP/1.0", ..Row::new("HTTP/1.0", token, Target::Place) });
    }
    for token in [Token::None, Token::Good] {
        for (paths, plain) in [(&PLAIN[..], true), (&ODD[..], false)] {
            rows.extend(paths.iter().map(|path| Row { plain, ..Row::new(path, token, Target::Below(path)) }));
        }
        rows.push(Row { version: "HTTP/1.0", host: None, ..Row::new("no host", token, Target::Place) });
        rows.push(Row { plain: true, ..Row::new("another case", token, Target::Raw("/API/Users/X")) });
        rows.extend(forms(token));
    }
    rows.extend(doubled());
    rows
}

/// Targets that are no path, and hosts that are none.
fn forms(token: Token) -> Vec<Row> {
    let form = |method, target, host| Row {
        refused: Some(400),
        method,
        host: Some(host),
        ..Row::new(&format!("{method} {target} of {host}"), token, Target::Raw(target))
    };
    vec![
        form("GET", "http://edge.testPLACE", "edge.test"),
        form("GET", "http:///public/private", ""),
        form("GET", "http:///x/admin", ""),
        form("GET", "http://h?/public/", "h?"),
        form("GET", "http://h?/api/users/", "h?"),
        form("OPTIONS", "http://edge.testPLACE", "edge.test"),
        form("GET", "*", "edge.test"),
        form("GET", "public/", "edge.test"),
        form("CONNECT", "edge.test:443", "edge.test:443"),
        form("CONNECT", "/public/", "edge.test"),
        form("GET", "PLACE", "h/private?"),
        form("GET", "PLACE", "h?access_token=x#"),
        form("GET", "PLACE", ""),
        form("GET", "PLACE", "h?"),
        form("GET", "PLACE", "h#"),
        form("GET", "PLACE", "h/x"),
        form("GET", "PLACE", "u@h"),
        form("GET", "PLACE", "h\\private"),
        form("GET", "PLACE#/public/", "edge.test"),
        Row { refused: Some(204), ..form("OPTIONS", "*", "edge.test") },
    ]
}

/// More than one credential in a request, or none that counts.
fn doubled() -> Vec<Row> {
    let good = Token::Good.text();
    let row = |what: &str, values: &[String]| Row {
        headers: values.iter().map(|value| ("Authorization", value.clone())).collect(),
        ..Row::new(what, Token::Garbage, Target::Place)
    };
    let bearer = format!("Bearer {good}");
    vec![
        row("two good headers", &[bearer.clone(), bearer.clone()]),
        row("a good header and another scheme", &[bearer.clone(), "Basic YTpi".to_owned()]),
        row("another scheme and a good header", &["Basic YTpi".to_owned(), bearer.clone()]),
        row("two tokens in one header", &[format!("{bearer}, {bearer}")]),
        row("another scheme", &[format!("Basic {good}")]),
        Row { token: Token::None, ..row("an empty header", &[String::new()]) },
        Row { token: Token::None, ..row("a scheme alone", &["Bearer".to_owned()]) },
    ]
}

/// Our headers as applications may fold them.
pub(crate) fn spellings() -> Vec<String> {
    let mut names: Vec<String> = "-_.!#$%&'*+^`|~"
        .chars()
        .flat_map(|s| {
            [
                format!("x{s}tkn{s}valid"),
                format!("X{s}Tkn{s}Body"),
                format!("x{s}{s}tkn{s}reason"),
                format!("X-TKN{s}header"),
            ]
        })
        .collect();
    let mixed = [
        "x_tkn-valid",
        "x.tkn_valid",
        "x-tkn.valid",
        "x._tkn-stateless",
        "x__tkn__legacy",
        "x-.-tkn-.-novel",
    ];
    names.extend(mixed.map(str::to_owned));
    names
}
