//! Streams of shared signals, pushed to the real program: what becomes a rule, and what is refused.

use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use integration_tests::keys::{SigningKey, jwks, key};
use integration_tests::token::{claims, hs256_under, now, sign, sign_raw, unsigned};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::harness::{Answer, Server, connect, connect_socket, get, post};

mod exchanges;
mod formats;
mod hostile;
mod replaced;
mod testing;
mod vectors;

const PUSH: &str = "Bearer 0123456789abcdef";
const SET: &str = "application/secevent+jwt";
const ISSUER: &str = "https://idp.example.com";
const ACCOUNT_DISABLED: &str = "https://schemas.openid.net/secevent/risc/event-type/account-disabled";

/// A server with streams, and where their senders push.
struct Streams {
    server: Server,
    place: SocketAddr,
    folder: TempDir,
}

/// A security event token of a key of the stream.
fn set(key: &SigningKey, claims: &Value) -> String {
    typed(key, "secevent+jwt", claims)
}

fn typed(key: &SigningKey, typ: &str, claims: &Value) -> String {
    sign_raw(key, &json!({"alg": key.algorithm, "kid": key.kid, "typ": typ}).to_string(), &claims.to_string())
}

/// The claims of a good one, on top of which a test puts its own; `null` takes one away.
fn told(changes: Value) -> Value {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let jti = format!("jti-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut told = json!({
        "iss": ISSUER, "aud": "edge", "iat": now(), "jti": jti,
        "sub_id": {"format": "iss_sub", "iss": ISSUER, "sub": "anna"},
        "events": {ACCOUNT_DISABLED: {}},
    });
    if let (Some(told), Value::Object(changes)) = (told.as_object_mut(), changes) {
        for (name, value) in changes {
            if value.is_null() { _ = told.remove(&name) } else { _ = told.insert(name, value) }
        }
    }
    told
}

impl Streams {
    /// A server with these tables, in which `FOLDER` stands for a folder with the value that pushes show (`push`), what polls
    /// show (`token`) and the keys `RS256` (`keys`) and `ES256` (`other`).
    fn start(tables: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("push"), format!("{PUSH}\n")).unwrap();
        fs::write(path("push2"), format!("{PUSH}-two\n")).unwrap();
        fs::write(path("token"), "a-token-for-polls\n").unwrap();
        fs::write(path("keys"), jwks([key("RS256")])).unwrap();
        fs::write(path("other"), jwks([key("ES256")])).unwrap();
        let config = path("settings.toml");
        fs::write(&config, tables.replace("FOLDER", folder.path().to_str().unwrap())).unwrap();
        let socket = path("admin.sock");
        let server = Server::start(
            folder.path(),
            &[
                ("TOKEN_SERVER_CONFIG", config.as_os_str()),
                ("TOKEN_SERVER__ADMIN__SOCKET", socket.as_os_str()),
                ("TOKEN_SERVER__SIGNALS__LISTEN", OsStr::new("127.0.0.1:0")),
                ("TOKEN_SERVER__SIGNALS__EMAIL", OsStr::new("true")),
                ("TOKEN_SERVER__SIGNALS__RATE", OsStr::new("10000")),
            ],
        );
        let line = server.log_line(|line| line["message"] == "listening" && line["listener"] == "signals");
        let place = line["address"].as_str().unwrap().parse().unwrap();
        Self { server, place, folder }
    }

    /// One whose keys are those of `key("RS256")`.
    fn one(more: &str) -> Self {
        Self::start(&format!("{}{more}", stream("okta", "")))
    }

    fn push(&self, stream: &str, token: &str) -> Answer {
        let headers = [("authorization", PUSH), ("content-type", SET)];
        post(connect(self.place), &format!("/ssf/{stream}"), &headers, token)
    }

    fn socket(&self) -> std::os::unix::net::UnixStream {
        connect_socket(&self.folder.path().join("admin.sock"))
    }

    /// The rules of a group, each with what it is for: `enforce` or `shadow`.
    fn rules(&self, group: &str) -> Vec<(Value, String)> {
        let listed = get(self.socket(), &format!("/v1/rules/{}", encoded(group)), &[]).json();
        let rules = listed["rules"].as_array().cloned().unwrap_or_default();
        rules
            .iter()
            .map(|rule| (rule["rule"].clone(), rule["mode"].as_str().unwrap_or("enforce").to_owned()))
            .collect()
    }

    /// How many messages came to this.
    fn counted(&self, outcome: &str) -> u64 {
        let text = get(connect(self.server.admin), "/metrics", &[]).body;
        let name = format!("token_server_signals_total{{kind=\"ssf\",outcome=\"{outcome}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap_or_else(|| panic!("{outcome}: {text}")).parse().unwrap()
    }
}

/// A table of a stream that is pushed.
fn stream(name: &str, more: &str) -> String {
    let issuer = if more.contains("issuer = ") { String::new() } else { format!("issuer = '{ISSUER}'\n") };
    let audiences = if more.contains("audiences = ") { "" } else { "audiences = ['edge']\n" };
    let keys = if more.contains("keys_file") { "" } else { "keys_file = 'FOLDER/keys'\n" };
    let secret =
        if more.contains("authorization_file") { "" } else { "authorization_file = 'FOLDER/push'\n" };
    format!("[[ssf]]\nname = '{name}'\n{issuer}{audiences}{keys}{secret}{more}")
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
