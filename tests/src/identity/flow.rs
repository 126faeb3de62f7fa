//! What a client does at an identity provider, over plain HTTP: forms, cookies, redirects.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::http::{Client, Response};
use crate::socket::Address;
use crate::wait::DEADLINE;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::Value;

/// A browser, or a program: it has cookies and a place that it talks to.
pub struct Visitor {
    host: String,
    address: Address,
    cookies: BTreeMap<String, String>,
}

/// A form's fields, `application/x-www-form-urlencoded`.
pub type Form<'a> = &'a [(&'a str, &'a str)];

impl Visitor {
    /// `origin` is `http://127.0.0.1:<port>`, perhaps with a path.
    pub fn of(origin: &str) -> Self {
        let host = origin.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
        let address = Address::Tcp(host.parse().unwrap());
        Self { host, address, cookies: BTreeMap::new() }
    }

    pub fn get(&mut self, target: &str) -> Response {
        self.send("GET", target, &[], None)
    }

    pub fn post(&mut self, target: &str, form: Form<'_>) -> Response {
        self.send("POST", target, &[], Some(("application/x-www-form-urlencoded", &encoded(form))))
    }

    /// A form with these headers.
    pub fn post_with(&mut self, headers: &[(&str, &str)], target: &str, form: Form<'_>) -> Response {
        self.send("POST", target, headers, Some(("application/x-www-form-urlencoded", &encoded(form))))
    }

    /// A request that a page of the provider's makes by a script, perhaps with JSON.
    pub fn script(&mut self, method: &str, target: &str, body: Option<&Value>) -> Response {
        let body = body.map(Value::to_string);
        self.send(method, target, &[], body.as_deref().map(|body| ("application/json", body)))
    }

    /// A form of a client that shows its name and secret (RFC 6749 section 2.3.1).
    pub fn post_as(&mut self, client: &str, secret: &str, target: &str, form: Form<'_>) -> Response {
        self.post_with(&[("Authorization", &basic(client, secret))], target, form)
    }

    /// HTTP/1.0, so that no answer comes in chunks.
    fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<(&str, &str)>,
    ) -> Response {
        let target = target.strip_prefix(&format!("http://{}", self.host)).unwrap_or(target);
        let mut head = format!("{method} {target} HTTP/1.0\r\nHost: {}\r\n", self.host);
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let cookies = (!cookies.is_empty()).then_some(("Cookie", cookies.as_str()));
        for (name, value) in headers.iter().copied().chain(cookies) {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        if let Some((kind, body)) = body {
            write!(head, "Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len()).unwrap();
        }
        let mut client = Client::new(self.address.connect(DEADLINE).unwrap());
        client.write(format!("{head}\r\n{}", body.map_or("", |(_, body)| body)).as_bytes()).unwrap();
        let response = client.response().unwrap_or_else(|error| panic!("{method} {target}: {error}"));
        for (name, value) in &response.headers {
            if name.eq_ignore_ascii_case("set-cookie") {
                let (name, value) = value.split(';').next().unwrap().split_once('=').unwrap();
                self.cookies.insert(name.trim().to_owned(), value.to_owned());
            }
        }
        response
    }
}

/// The value of `Authorization` for a client's name and secret.
pub fn basic(client: &str, secret: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", percent(client), percent(secret))))
}

/// A person who is logged in, and what the client got for it.
pub struct LoggedIn {
    pub person: Visitor,
    pub access_token: String,
    pub id_token: String,
}

/// The JSON of a good answer.
pub fn json(response: &Response) -> Value {
    assert!((200..300).contains(&response.status), "{response}");
    serde_json::from_slice(&response.body).unwrap_or_else(|error| panic!("{error}: {response}"))
}

/// A token of a token response, which the scan of secrets then knows.
pub fn token(answer: &Value, name: &str) -> String {
    let token = answer[name].as_str().unwrap_or_else(|| panic!("no {name}: {answer}"));
    assert_eq!(token.split('.').count(), 3, "the {name} is no signed JWT: {token}");
    crate::scan::noted(token.to_owned())
}

/// A member of the query of a URL, decoded.
pub fn query(url: &str, name: &str) -> String {
    let (_, query) = url.split_once('?').unwrap_or_else(|| panic!("no query: {url}"));
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name).unwrap_or_else(|| panic!("no {name}: {url}"));
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        let hex: Vec<u8> = if byte == b'%' { rest.by_ref().take(2).collect() } else { Vec::new() };
        let read = u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16);
        bytes.push(read.unwrap_or(byte));
    }
    String::from_utf8(bytes).unwrap()
}

pub fn encoded(form: Form<'_>) -> String {
    let pairs: Vec<_> =
        form.iter().map(|(name, value)| format!("{}={}", percent(name), percent(value))).collect();
    pairs.join("&")
}

fn percent(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").unwrap();
        }
    }
    encoded
}

/// The header of a JWT.
pub fn header(token: &str) -> Value {
    part(token, 0)
}

/// The JSON of a part of a JWT.
pub fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
