//! Against a server of the tests: it hangs, lies and counts at will, as no real authorization server does; real ones are asked in
//! `tests/interop/providers`.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use keys::trust::Fetch;
use keys::{Client, Configured, Surroundings};
use reqwest::Url;
use service::secret::Secret;
use service::secret_file::{NamedFile, SecretFile};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::*;
use crate::config::introspection::{Authentication, AuthorizationServer, Terms, Written};

mod asked;
mod faults;
mod floods;
mod signed;

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);
const ISSUER: &str = "https://id.example.com";
const TOKEN: &str = "an-opaque-token-0123456789";
const GOOD: &str = r#"{"active":true,"token_type":"Bearer","sub":"anna","exp":1700000600}"#;

/// An answer as it goes over the wire.
fn answer(head: &str, body: &str) -> String {
    format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn json(body: &str) -> String {
    answer("200 OK\r\nContent-Type: application/json;charset=UTF-8", body)
}

/// What the server does with a question.
enum Does {
    Answer(String),
    /// It answers nothing, and keeps the connection.
    Hang,
}

/// The server.
struct Site {
    url: Url,
    asked: Mutex<Vec<String>>,
    /// What it answers; the last one again and again.
    answers: Mutex<VecDeque<Does>>,
    /// While it is held, questions wait for `go`.
    held: Mutex<bool>,
    go: Notify,
}

impl Site {
    async fn start(answers: impl IntoIterator<Item = Does>) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/introspect", listener.local_addr().unwrap())).unwrap();
        let site = Arc::new(Self {
            url,
            asked: Mutex::default(),
            answers: Mutex::new(answers.into_iter().collect()),
            held: Mutex::new(false),
            go: Notify::new(),
        });
        let serving = Arc::clone(&site);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(Arc::clone(&serving), stream));
            }
        });
        site
    }

    async fn answering(body: &str) -> Arc<Self> {
        Self::start([Does::Answer(json(body))]).await
    }

    fn set(&self, does: Does) {
        *self.answers.lock().unwrap() = [does].into();
    }

    fn hold(&self, held: bool) {
        *self.held.lock().unwrap() = held;
        if !held {
            self.go.notify_waiters();
        }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    async fn is_asked(&self, times: usize) {
        while self.asked.lock().unwrap().len() < times {
            tokio::task::yield_now().await;
        }
    }
}

async fn serve(site: Arc<Site>, mut stream: TcpStream) {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        while !is_whole(&text) {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(read) => text.push_str(std::str::from_utf8(&buffer[..read]).unwrap()),
            }
        }
        site.asked.lock().unwrap().push(std::mem::take(&mut text));
        loop {
            let go = site.go.notified();
            if !*site.held.lock().unwrap() {
                break;
            }
            go.await;
        }
        let bytes = {
            let mut answers = site.answers.lock().unwrap();
            let next = if answers.len() > 1 { answers.pop_front() } else { None };
            match next.as_ref().or(answers.front()) {
                Some(Does::Answer(bytes)) => Some(bytes.clone()),
                Some(Does::Hang) | None => None,
            }
        };
        match bytes {
            Some(bytes) => {
                if stream.write_all(bytes.as_bytes()).await.is_err() {
                    return;
                }
            }
            None => std::future::pending().await,
        }
    }
}

fn is_whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.to_ascii_lowercase();
    let length = length.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
    length.is_none_or(|length| body.len() >= length.parse::<usize>().unwrap())
}

fn secret(text: &str) -> Arc<SecretFile<Secret>> {
    file(text, |bytes| Ok(Secret::new(String::from_utf8_lossy(bytes))))
}

/// A file that is gone, whose content stays in use.
fn file<T: 'static>(text: &str, parse: fn(&[u8]) -> Result<T, String>) -> Arc<SecretFile<T>> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Arc::new(SecretFile::one(NamedFile::new("SECRET_FILE", file.path()), parse).unwrap())
}

/// A server as it is configured.
fn written(site: &Site, prefix: &str, terms: Terms) -> AuthorizationServer {
    let fetch = Fetch::default();
    let configured = [Configured { url: site.url.clone(), setting: "url".to_owned() }];
    let client = Client::without_redirects("test", &fetch, &configured, &Surroundings::default()).unwrap();
    let written = Written {
        issuer: ISSUER.into(),
        prefix: prefix.to_owned(),
        url: Some(site.url.clone()),
        authentication: Authentication::Basic("edge:1".to_owned()),
        signed: false,
        fetch,
        terms,
    };
    AuthorizationServer {
        written,
        secret: Some(secret("s3cret of the client")),
        key: None,
        answer_keys: None,
        client,
    }
}

fn settings(servers: impl IntoIterator<Item = AuthorizationServer>) -> config::Introspection {
    config::Introspection { servers: servers.into_iter().collect(), cache_size: 1_000 }
}

fn introspection(site: &Site, terms: Terms) -> Arc<Introspection> {
    let settings = settings([written(site, "", terms)]);
    Arc::new(Introspection::new(settings, None, &mut Registry::default(), || NOW))
}

/// Long enough for any answer of the site.
fn patient() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// What is found, as text.
async fn found(introspection: &Arc<Introspection>, token: &str) -> Result<String, Reject> {
    introspection.open(token, patient()).await.claims.map(|claims| claims.as_json().to_owned())
}
