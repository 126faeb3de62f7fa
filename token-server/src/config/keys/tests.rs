//! Each setting of fetches, as a key server sees it, or as the start ends where its file cannot be used.

use std::fs;
use std::io::{BufReader, Write as _};
use std::sync::{Arc, Mutex};
use std::thread;

use integration_tests::http::read_head;
use integration_tests::socket::Address;
use tempfile::TempDir;

use jose::{KeyOrigin, KeyRules};

use super::*;
use crate::config::Config;

// As operators write them.
const CA_FILE: &str = "TOKEN_SERVER__JWKS__CA_FILE";
const FETCH_TOKEN_FILE: &str = "TOKEN_SERVER__JWKS__FETCH_TOKEN_FILE";
const FETCH_BASIC_FILE: &str = "TOKEN_SERVER__JWKS__FETCH_BASIC_FILE";
const FETCH_HEADERS: &str = "TOKEN_SERVER__JWKS__FETCH_HEADERS";
const FETCH_HEADERS_FILE: &str = "TOKEN_SERVER__JWKS__FETCH_HEADERS_FILE";
const FETCH_CERT_FILE: &str = "TOKEN_SERVER__JWKS__FETCH_CERT_FILE";
const FETCH_KEY_FILE: &str = "TOKEN_SERVER__JWKS__FETCH_KEY_FILE";
const FETCH_ORIGINS: &str = "TOKEN_SERVER__JWKS__FETCH_ORIGINS";
const FETCH_PROXY: &str = "TOKEN_SERVER__JWKS__FETCH_PROXY";

const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;

type Headers = Vec<(String, String)>;

/// A server that has the same for everybody, and notes what it is asked.
struct KeyServer {
    origin: String,
    asked: Arc<Mutex<Vec<(String, Headers)>>>,
}

impl KeyServer {
    fn start(body: impl Fn(&str) -> String) -> Self {
        let listener = Address::Tcp(([127, 0, 0, 1], 0).into()).listen().unwrap();
        let origin = format!("http://{}", listener.address().unwrap());
        let (body, asked) = (body(&origin), Arc::<Mutex<Vec<_>>>::default());
        let notes = Arc::clone(&asked);
        thread::spawn(move || {
            while let Ok(connection) = listener.accept() {
                let mut stream = BufReader::new(connection);
                let Ok(Some(question)) = read_head(&mut stream) else { continue };
                notes.lock().unwrap().push(question);
                let length = body.len();
                let head =
                    format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
                stream.get_mut().write_all(format!("{head}{body}").as_bytes()).unwrap();
            }
        });
        Self { origin, asked }
    }

    /// The line of the last question, and what this header of it said.
    fn last(&self, name: &str) -> (String, Option<String>) {
        let asked = self.asked.lock().unwrap();
        let (line, headers) = asked.last().unwrap();
        let value = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        (line.clone(), value.map(|(_, value)| value.clone()))
    }
}

fn read(variables: &[(&str, &str)]) -> Result<Keys, String> {
    let pairs = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    Config::from_environment(pairs).map(|config| config.keys).map_err(|error| error.to_string())
}

/// Fetches the keys that these settings name.
async fn fetch(variables: &[(&str, &str)]) {
    let keys = read(variables).unwrap();
    let [(_, source)] = keys.sources.as_slice() else { panic!("one source: {:?}", keys.sources) };
    source.load(&KeyRules { origin: KeyOrigin::Url, ..keys.configured.rules }).await.unwrap();
}

#[tokio::test]
async fn what_is_set_is_shown_to_the_key_server() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let server = KeyServer::start(|_| KEYS.to_owned());
    let url = (TRUST.fetch.keys_url, server.origin.as_str());
    fetch(&[url]).await;
    assert_eq!(server.last("authorization").1, None);
    for (name, value, header, expected) in [
        (FETCH_TOKEN_FILE, file("token", "abc"), "authorization", "Bearer abc"),
        (
            FETCH_BASIC_FILE,
            file("basic", "Aladdin:open sesame"),
            "authorization",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),
        (FETCH_HEADERS, "X-One: 1, X-Two: 2".to_owned(), "x-two", "2"),
        (FETCH_HEADERS_FILE, file("headers", "X-Three: 3"), "x-three", "3"),
    ] {
        fetch(&[url, (name, &value)]).await;
        assert_eq!(server.last(header).1.as_deref(), Some(expected), "{name}");
    }
}

#[tokio::test]
async fn who_asks_is_shown_to_origins_that_are_listed() {
    let folder = TempDir::new().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "abc").unwrap();
    let keys = KeyServer::start(|_| KEYS.to_owned());
    let issuer =
        KeyServer::start(|origin| format!(r#"{{"issuer":"{origin}","jwks_uri":"{}/k"}}"#, keys.origin));
    let settings =
        [(TRUST.oidc_issuers, issuer.origin.as_str()), (FETCH_TOKEN_FILE, token.to_str().unwrap())];
    fetch(&settings).await;
    assert_eq!(
        (issuer.last("authorization").1.as_deref(), keys.last("authorization").1),
        (Some("Bearer abc"), None)
    );
    fetch(&[settings.as_slice(), &[(FETCH_ORIGINS, &keys.origin)]].concat()).await;
    assert_eq!(keys.last("authorization").1.as_deref(), Some("Bearer abc"));
}

#[tokio::test]
async fn the_way_is_the_one_that_is_set() {
    let (proxy, server) = (KeyServer::start(|_| KEYS.to_owned()), KeyServer::start(|_| KEYS.to_owned()));
    fetch(&[(TRUST.fetch.keys_url, "http://keys.invalid/k"), (FETCH_PROXY, &proxy.origin)]).await;
    assert_eq!(proxy.last("host").0, "GET http://keys.invalid/k HTTP/1.1");
    // As curl reads it, also for the address of this machine that is not loopback to look at.
    let away = server.origin.replace("127.0.0.1", "0.0.0.0");
    let variables = [(TRUST.fetch.keys_url, away.as_str()), ("HTTP_PROXY", proxy.origin.as_str())];
    let asked = |server: &KeyServer| server.asked.lock().unwrap().len();
    fetch(&variables).await;
    assert_eq!((asked(&proxy), asked(&server)), (2, 0));
    fetch(&[variables.as_slice(), &[(FETCH_PROXY, "none")]].concat()).await;
    assert_eq!((asked(&proxy), asked(&server)), (2, 1));
}

#[test]
fn a_file_that_cannot_be_used_ends_the_start_by_the_name_of_its_setting() {
    let folder = TempDir::new().unwrap();
    let garbage = folder.path().join("garbage");
    fs::write(&garbage, "hunter2\n").unwrap();
    let url = (TRUST.fetch.keys_url, "https://keys.example/k");
    let (missing, garbage) = ("/nonexistent", garbage.to_str().unwrap());
    let cert = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    for (settings, expected) in [
        (&[(CA_FILE, missing)][..], CA_FILE),
        (&[(CA_FILE, garbage)], CA_FILE),
        (&[(FETCH_TOKEN_FILE, missing)], FETCH_TOKEN_FILE),
        (&[(FETCH_BASIC_FILE, garbage)], FETCH_BASIC_FILE),
        (&[(FETCH_HEADERS, "hunter2")], FETCH_HEADERS),
        (&[(FETCH_HEADERS_FILE, garbage)], FETCH_HEADERS_FILE),
        (&[(FETCH_CERT_FILE, garbage), (FETCH_KEY_FILE, cert)], FETCH_CERT_FILE),
        (&[(FETCH_CERT_FILE, cert), (FETCH_KEY_FILE, missing)], FETCH_KEY_FILE),
        (&[(FETCH_ORIGINS, "hunter2")], FETCH_ORIGINS),
        (&[(FETCH_PROXY, "socks5://hunter2")], FETCH_PROXY),
    ] {
        let fault = read(&[&[url], settings].concat()).unwrap_err();
        assert!(
            fault.starts_with(&format!("{expected}: ")) && !fault.contains("hunter2"),
            "{expected}: {fault}"
        );
    }
}
