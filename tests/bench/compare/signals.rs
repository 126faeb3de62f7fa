//! The part `signals`: from a logout that an identity provider tells to the first refusal of a token that HAProxy has just let in by
//! itself, under load; and what a flood of signals changes for checks of the same token-server.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use integration_tests::http::Client;
use integration_tests::keys::{jwks, key};
use integration_tests::load::results::rounded;
use integration_tests::load::{Amount, Load, Prepared};
use integration_tests::port::free_port;
use integration_tests::site::{Plan, Site};
use integration_tests::socket::Address;
use integration_tests::token::{forge_signature, now, sign_raw, token};
use integration_tests::wait::DEADLINE;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::release::Release;
use crate::samples::{self, Sample};
use crate::targets::{Measured, Target, at_most};

const ISSUER: &str = "https://id.example";
/// Tokens that other clients send meanwhile, all of them frequent.
const TOKENS: usize = 100;
/// Turns without and with the flood, one after the other, so that what else the machine does meets both alike.
const TURNS: usize = 5;
const TURN: Duration = Duration::from_secs(3);
/// Checks a second.
const CHECKS: f64 = 1_000.0;
/// Signals a second of each of two kinds: good ones, ten times as many as one sender may send, and forged ones.
const FLOOD: f64 = 500.0;
/// Different signals of each kind.
const SIGNALS: usize = 1_500;
/// How much later the slowest of a hundred checks may be answered during the flood.
const MOST_TIMES: f64 = 1.5;

/// Measures on one release.
pub(crate) fn run(release: &Release) -> Value {
    let folder = TempDir::with_prefix("signals-").unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("keys"), jwks([key("ES256")])).unwrap();
    let text = format!(
        "[[issuers]]\nissuer = \"{ISSUER}\"\nkeys_file = \"{}\"\n\n[[signals]]\nissuer = \"{ISSUER}\"\naudiences = [\"app\"]\n",
        path("keys")
    );
    fs::write(path("server.toml"), text).unwrap();
    let signals = SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()));
    let settings = [
        ("TOKEN_SERVER_CONFIG", path("server.toml")),
        ("TOKEN_SERVER__SIGNALS__LISTEN", signals.to_string()),
    ];
    let site = Site::start(&Plan {
        agents: 2,
        program: release.program.clone(),
        server_environment: settings.map(|(name, value)| (name.to_owned(), value)).into(),
        ..Plan::default()
    });
    let Address::Tcp(target) = site.proxies[0].address else {
        unreachable!("HAProxy listens on a port here")
    };
    let background = (0..TOKENS).map(|number| request(&format!("other-{number}"))).collect();
    let mut figures = samples::take(release, target, background, |number| sample(&site, signals, number));
    println!("{release}, a logout to its refusal: {}", figures["ms_from_sent"]);
    figures["flood"] = flood(&site, signals);
    println!("checks without and with a flood of signals: {}", figures["flood"]);
    figures
}

/// Whether it was measured or not.
pub(crate) fn targets(figures: Option<&Value>) -> Vec<Target> {
    let number = |pointer: &str| figures?.pointer(pointer)?.as_f64();
    let times = number("/flood/times");
    vec![
        at_most(
            "a logout to its refusal, verdicts kept in HAProxy, p99",
            "ms",
            number("/ms_from_sent/p99"),
            50.0,
        ),
        Target {
            name: "checks while signals flood, p99, of that without".to_owned(),
            limit: format!("<= {MOST_TIMES:.1}"),
            measured: times.map(|times| Measured { text: format!("{times:.2}"), met: times <= MOST_TIMES }),
        },
    ]
}

fn request(subject: &str) -> Prepared {
    let claims = json!({"iss": ISSUER, "sub": subject, "exp": now() + 3_600});
    Prepared::get("/", &format!("Bearer {}", token(key("ES256"), claims)), 200)
}

fn logout_token(subject: &str) -> String {
    let at = now();
    let claims = json!({
        "iss": ISSUER, "aud": "app", "iat": at, "exp": at + 120, "jti": format!("of-{subject}"), "sub": subject,
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
    });
    let header = json!({"alg": "ES256", "kid": key("ES256").kid, "typ": "logout+jwt"});
    sign_raw(key("ES256"), &header.to_string(), &claims.to_string())
}

/// A logout as a provider posts it, on a connection that stays.
fn posted(token: &str) -> Prepared {
    let body = format!("logout_token={token}");
    let bytes = format!(
        "POST /backchannel-logout HTTP/1.1\r\nHost: edge.test\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    Prepared { bytes: bytes.into_bytes(), expected: 200 }
}

/// Has HAProxy let a subject's token in by itself before its logout is told.
fn sample(site: &Site, signals: SocketAddr, number: usize) -> Sample {
    let subject = format!("user-{number}");
    let request = request(&subject);
    let ask = samples::let_in_by_haproxy(site, &subject, &request);
    let logout = posted(&logout_token(&subject));
    let tell = || {
        let mut provider = Client::new(Address::Tcp(signals).connect(DEADLINE).unwrap());
        provider.write(&logout.bytes).unwrap();
        let answer = provider.response().unwrap();
        assert_eq!(answer.status, 200, "{answer}");
    };
    Sample::after(&subject, tell, ask)
}

/// The slowest of a hundred checks without and with a flood, in turns.
fn flood(site: &Site, signals: SocketAddr) -> Value {
    let Address::Tcp(server) = site.token_server.as_ref().unwrap().address else {
        unreachable!("the token-server listens on a port here")
    };
    let good: Arc<[Prepared]> =
        (0..SIGNALS).map(|number| posted(&logout_token(&format!("flood-{number}")))).collect();
    let forged: Arc<[Prepared]> = (0..SIGNALS)
        .map(|number| posted(&forge_signature(&logout_token(&format!("forged-{number}")))))
        .collect();
    let (mut without, mut with, mut sent) = (Vec::new(), Vec::new(), 0.0);
    for _ in 0..TURNS {
        without.push(checks(server));
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let send = |requests: &Arc<[Prepared]>| {
                let load = Load {
                    target: signals,
                    requests: Arc::clone(requests),
                    connections: 8,
                    threads: 1,
                    rate: Some(FLOOD),
                    amount: Amount::For(DEADLINE),
                };
                let stop = &stop;
                scope.spawn(move || load.run_until(stop).per_second())
            };
            let floods = [send(&good), send(&forged)];
            with.push(checks(server));
            stop.store(true, Ordering::Relaxed);
            sent = floods.map(|flood| flood.join().unwrap()).iter().sum();
        });
    }
    let median = |turns: &mut Vec<f64>| {
        turns.sort_by(f64::total_cmp);
        turns[turns.len() / 2]
    };
    let (without, with) = (median(&mut without), median(&mut with));
    json!({
        "turns": TURNS,
        "checks_per_second": CHECKS,
        "signals_per_second": rounded(sent, 0),
        "p99_us_without": rounded(without, 0),
        "p99_us_with": rounded(with, 0),
        "times": rounded(with / without, 2),
    })
}

/// The slowest of a hundred answers, in microseconds.
fn checks(server: SocketAddr) -> f64 {
    let requests = (0..TOKENS).map(|number| {
        let payload = json!({"iss": ISSUER, "sub": format!("other-{number}"), "exp": now() + 3_600});
        let body = json!({"profile": "standard", "checks": [{"payload": payload}]}).to_string();
        let bytes = format!(
            "POST /v1/check HTTP/1.1\r\nHost: edge.test\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Prepared { bytes: bytes.into_bytes(), expected: 200 }
    });
    let load = Load {
        target: server,
        requests: requests.collect(),
        connections: 8,
        threads: 1,
        rate: Some(CHECKS),
        amount: Amount::For(TURN),
    };
    let outcome = load.run();
    assert_eq!(outcome.errors, 0, "{:?}", outcome.first_error);
    outcome.quantile(0.99).as_secs_f64() * 1e6
}
