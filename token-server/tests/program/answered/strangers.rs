//! What those cause who prove nothing, at any inlet: they use up no sender's share, keep none out, and are not read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use integration_tests::token::forge_signature;
use serde_json::{Value, json};

use super::messages::{FORM, request, signed};
use super::*;

/// What a sender may send in a second.
const RATE: u64 = 3;

/// Strangers at the same time.
const CROWD: usize = 50;

/// Clients that send what is not believed, each one message after the other.
struct Flood {
    is_over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<usize>>,
}

impl Flood {
    fn begin(address: SocketAddr, messages: &[String]) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let client = |number: usize| {
            let (is_over, messages) = (Arc::clone(&is_over), messages.to_vec());
            thread::spawn(move || {
                let mut answers = 0;
                for message in messages.iter().cycle().skip(number) {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    answers += usize::from(post(address, message).is_some());
                }
                answers
            })
        };
        let clients = (0..CROWD).map(client).collect();
        Self { is_over, clients }
    }

    /// How many were answered.
    fn end(self) -> usize {
        self.is_over.store(true, Ordering::Relaxed);
        self.clients.into_iter().map(|client| client.join().unwrap()).sum()
    }
}

/// Messages of others: of another issuer, with a signature of no key, with a secret that is another one.
fn forged(inlet: Inlet) -> Vec<String> {
    let (_, good) = inlet.message(SENDERS, 0);
    let unsigned = || {
        let token = good.rsplit(['=', '\n']).next().unwrap();
        good.replace(token, &forge_signature(token))
    };
    let of_another = |typ: &str, more: Value| {
        let claims = json!({ "iss": "https://other.example", "aud": "app", "iat": now(), "jti": "x" });
        signed(typ, claims, more)
    };
    let user = json!({ "sub": "user", "exp": now() + 600 });
    match inlet {
        Inlet::Logout => {
            let mut told = user;
            told["events"] = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
            let other = format!("logout_token={}", of_another("logout+jwt", told));
            vec![unsigned(), request(inlet.path(), FORM, "", &other)]
        }
        Inlet::Push => {
            let other = of_another("secevent+jwt", json!({}));
            vec![
                unsigned(),
                good.replace(STREAM_SECRET, "Bearer 0123456789abcdeg"),
                request(inlet.path(), "application/secevent+jwt", STREAM_SECRET, &other),
            ]
        }
        Inlet::Revoke => {
            let other = format!("token={}", of_another("at+jwt", user));
            vec![unsigned(), request(inlet.path(), FORM, "", &other)]
        }
        Inlet::Global => {
            let assertion =
                forge_signature(&signed("global-token-revocation+jwt", user, json!({ "iss": ISSUER })));
            let (_, body) = good.rsplit_once("\r\n\r\n").unwrap();
            vec![
                good.replace(SENDERS_TOKEN, "token-of-a-sender-2"),
                request(inlet.path(), "application/json", &format!("Bearer {assertion}"), body),
            ]
        }
    }
}

#[test]
fn strangers_use_up_no_senders_share_and_keep_none_out_at_any_inlet() {
    for inlet in Inlet::ALL {
        let (folder, rate) = (tempfile::tempdir().unwrap(), RATE.to_string());
        let path = folder.path().join("rules.redb");
        let store =
            [("TOKEN_SERVER__STORE__PATH", path.to_str().unwrap()), ("TOKEN_SERVER__SIGNALS__RATE", &*rate)];
        let place = Place { folder: folder.path(), store: &store, tables: inlet.tables() };
        let (_server, address) = place.start();
        let forged = forged(inlet);
        // RFC 7009 section 2.2: of a token that is none there is nothing left to revoke.
        let refusals: &[u16] = if matches!(inlet, Inlet::Revoke) { &[200] } else { &[400, 401] };
        for message in forged.iter().cycle().take(forged.len() * 10) {
            let answer = post(address, message).unwrap();
            assert!(refusals.contains(&status(&answer)), "{inlet:?}: {answer}");
        }
        let flood = Flood::begin(address, &forged);
        let mut done = Vec::new();
        for number in 0..RATE {
            let (answered, request) = inlet.message(0, number);
            let answer = post(address, &request).unwrap();
            assert_eq!(status(&answer), inlet.done(), "{inlet:?}: {answer}");
            done.push(answered);
        }
        assert!(flood.end() > 0, "{inlet:?}");
        let told = place.told();
        stand(&told, &done);
        assert!(
            told.rules.iter().all(|(user, _)| user.starts_with("user-0-")),
            "{inlet:?}: {:?}",
            told.rules
        );
    }
}

/// Requests that show what is no sender's, each with what it shows in `Authorization`.
fn wrong(inlet: Inlet) -> &'static [&'static str] {
    match inlet {
        // It has no credentials but its token.
        Inlet::Logout => &[],
        Inlet::Push => &["", "Bearer 0123456789abcdeg", "Bearer"],
        // `app:wrong`, `other:secret`, and no pair; without the header the secret may stand in the body.
        Inlet::Revoke => {
            &["Basic YXBwOndyb25n", "Basic b3RoZXI6c2VjcmV0", "Basic !", "Bearer token-of-a-sender-1"]
        }
        Inlet::Global => &["", "Bearer token-of-a-sender-2", "Bearer a.b.c", "Basic token-of-a-sender-1"],
    }
}

#[test]
fn who_shows_a_wrong_secret_is_answered_before_the_body_has_come() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let hash: String = digest(&SHA256, b"secret").as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(path("clients"), format!("app:{hash}\n")).unwrap();
    let (rules, clients) = (path("rules.redb"), path("clients"));
    let store = [("TOKEN_SERVER__STORE__PATH", &*rules), ("TOKEN_SERVER__REVOKE__CLIENTS_FILE", &*clients)];
    let place = Place { folder: folder.path(), store: &store, tables: Inlet::Push.tables() };
    let (_server, address) = place.start();
    for inlet in Inlet::ALL {
        for shown in wrong(inlet) {
            let (_, good) = inlet.message(0, 0);
            let content_type = good.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap();
            for (what, content_type, length, sent) in [
                ("the body does not come", content_type, 100, ""),
                ("half of the body comes", content_type, 100, "a"),
                ("the body is garbage", content_type, 5, "%%{\"\u{1}"),
                ("the body is of another type", "text/plain", 5, "%%{\"\u{1}"),
                ("the body is larger than any", content_type, 1_000_000_000, "a"),
            ] {
                let headers = [("content-type", content_type), ("authorization", *shown)];
                let headers = if shown.is_empty() { &headers[..1] } else { &headers[..] };
                let request = crate::harness::head("POST", inlet.path(), headers, length) + sent;
                let answer = post(address, &request).unwrap();
                assert_eq!(status(&answer), 401, "{inlet:?}, {shown:?}, {what}: {answer}");
            }
        }
    }
    assert!(place.told().rules.is_empty());
}
