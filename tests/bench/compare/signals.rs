//! The part `signals`: from a logout at an identity provider, `oidc-provider`, to the first refusal of a token that HAProxy has just let
//! in by itself, under load; and what a flood of signals changes for checks of the same token-server, beside what it changes when
//! another token-server of this machine gets it: that is what the flood costs the processors which all of them share.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use integration_tests::http::Request;
use integration_tests::identity::flow::LoggedIn;
use integration_tests::identity::oidc_provider::{self, Leaving, log_in};
use integration_tests::identity::provider::{Place, Provider};
use integration_tests::keys::{jwks, key};
use integration_tests::load::results::rounded;
use integration_tests::load::{Amount, Load, Prepared};
use integration_tests::port::free_port;
use integration_tests::site::{Plan, Site};
use integration_tests::socket::Address;
use integration_tests::token::{forge_signature, now, sign_raw};
use integration_tests::token_server::TokenServer;
use integration_tests::wait::{DEADLINE, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::release::Release;
use crate::samples::{self, Sample};
use crate::targets::{Measured, Target, at_most};

/// Whose signals flood.
const ISSUER: &str = "https://id.example";
/// Tokens that other clients send meanwhile, all of them frequent.
const TOKENS: usize = 100;
/// Turns without the flood, with it at another token-server, and with it at the one that is asked, one after the other, so that
/// what else the machine does meets all of them alike.
const TURNS: usize = 5;
const TURN: Duration = Duration::from_secs(3);
/// Checks a second.
const CHECKS: f64 = 1_000.0;
/// Signals a second of each of two kinds: good ones, ten times as many as one sender may send, and forged ones.
const FLOOD: f64 = 500.0;
/// Different signals of each kind.
const SIGNALS: usize = 1_500;
/// How much later the slowest of a hundred checks may be answered when the flood is at the same token-server.
const MOST_TIMES: f64 = 1.5;

/// Measures on one release.
pub(crate) fn run(release: &Release) -> Value {
    let folder = TempDir::with_prefix("signals-").unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let signals = SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()));
    let told = vec![("LOGOUT_URI", format!("http://{signals}/backchannel-logout"))];
    let provider = Provider::start_with(&oidc_provider::ES256, told);
    let issuer = &provider.place.issuer;
    fs::write(path("keys"), jwks([key("ES256")])).unwrap();
    let text = format!(
        "[[issuers]]\nissuer = \"{ISSUER}\"\nkeys_file = \"{}\"\n\n[[signals]]\nissuer = \"{ISSUER}\"\naudiences = [\"app\"]\n\n\
         [[issuers]]\nissuer = \"{issuer}\"\ndiscovery = true\n\n[[signals]]\nissuer = \"{issuer}\"\naudiences = [\"web\"]\n",
        path("keys")
    );
    fs::write(path("server.toml"), text).unwrap();
    let owned = |(name, value): (&str, String)| (name.to_owned(), value);
    let settings = [
        ("TOKEN_SERVER_CONFIG", path("server.toml")),
        ("TOKEN_SERVER__SIGNALS__LISTEN", signals.to_string()),
    ];
    let trust = [
        ("JWT_JWKS_FILE", String::new()),
        ("JWT_OIDC_ISSUERS", issuer.clone()),
        ("JWT_AUDIENCES", oidc_provider::RESOURCE.to_owned()),
    ];
    let site = Site::start(&Plan {
        agents: 2,
        program: release.program.clone(),
        agent_environment: trust.map(owned).into(),
        server_environment: settings.map(owned).into(),
        ..Plan::default()
    });
    let Address::Tcp(target) = site.proxies[0].address else {
        unreachable!("HAProxy listens on a port here")
    };
    let others =
        (0..TOKENS).map(|number| request(&log_in(&provider.place, &format!("other-{number}")))).collect();
    let mut figures = samples::take(release, target, others, |number| sample(&site, &provider.place, number));
    println!("{release}, a logout to its refusal: {}", figures["ms_from_sent"]);
    comes_back(&site, &provider.place);
    figures["flood"] = flood(&site, signals, &path("server.toml"));
    println!("checks without a flood of signals, with one beside, and with one: {}", figures["flood"]);
    figures
}

/// Whether it was measured or not.
pub(crate) fn targets(figures: Option<&Value>) -> Vec<Target> {
    let number = |pointer: &str| figures?.pointer(pointer)?.as_f64();
    let times = number("/flood/times_beside");
    vec![
        at_most(
            "a logout to its refusal, verdicts kept in HAProxy, p99",
            "ms",
            number("/ms_from_sent/p99"),
            50.0,
        ),
        Target {
            name: "checks while signals flood, p99, of that while they flood another server".to_owned(),
            limit: format!("<= {MOST_TIMES:.1}"),
            measured: times.map(|times| Measured { text: format!("{times:.2}"), met: times <= MOST_TIMES }),
        },
    ]
}

fn request(session: &LoggedIn) -> Prepared {
    Prepared::get("/", &format!("Bearer {}", session.access_token), 200)
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

/// Has HAProxy let a user's token in by itself before that user logs out. The time begins with the answer to the provider's question,
/// which signs and tells of the logout meanwhile.
fn sample(site: &Site, place: &Place, number: usize) -> Sample {
    let user = format!("user-{number}");
    let session = log_in(place, &user);
    let request = request(&session);
    let ask = samples::let_in_by_haproxy(site, &user, &request);
    let leaving = Leaving::ask(place, session);
    Sample::after(&user, || leaving.confirm(place), ask)
}

/// A user who was logged out logs in again, and the new token is good: the rule is by the second, so not in the same one.
fn comes_back(site: &Site, place: &Place) {
    eventually("a token from after the logout passes", || {
        let token = log_in(place, "user-0").access_token;
        (site.send(0, &Request::get("/").bearer(&token)).status == 200).then_some(())
    });
}

/// The slowest of a hundred checks without a flood, with one at another token-server, and with one at the same, in turns.
fn flood(site: &Site, signals: SocketAddr, config: &str) -> Value {
    let Address::Tcp(server) = site.token_server.as_ref().unwrap().address else {
        unreachable!("the token-server listens on a port here")
    };
    let folder = TempDir::with_prefix("signals-beside-").unwrap();
    let beside = SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()));
    let listen = beside.to_string();
    let settings = [("TOKEN_SERVER_CONFIG", config), ("TOKEN_SERVER__SIGNALS__LISTEN", &*listen)];
    let _other = TokenServer::start_with(folder.path(), "standard", &settings);
    let good: Arc<[Prepared]> =
        (0..SIGNALS).map(|number| posted(&logout_token(&format!("flood-{number}")))).collect();
    let forged: Arc<[Prepared]> = (0..SIGNALS)
        .map(|number| posted(&forge_signature(&logout_token(&format!("forged-{number}")))))
        .collect();
    let flooded = |target: SocketAddr| {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let send = |requests: &Arc<[Prepared]>| {
                let load = Load {
                    target,
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
            let slowest = checks(server);
            stop.store(true, Ordering::Relaxed);
            (slowest, floods.map(|flood| flood.join().unwrap()).iter().sum::<f64>())
        })
    };
    let (mut without, mut with_beside, mut with, mut sent) = (Vec::new(), Vec::new(), Vec::new(), (0.0, 0.0));
    for _ in 0..TURNS {
        without.push(checks(server));
        let (slowest, sent_beside) = flooded(beside);
        with_beside.push(slowest);
        let (slowest, sent_here) = flooded(signals);
        with.push(slowest);
        sent = (sent_beside, sent_here);
    }
    let median = |turns: &mut Vec<f64>| {
        turns.sort_by(f64::total_cmp);
        turns[turns.len() / 2]
    };
    let (without, with_beside, with) = (median(&mut without), median(&mut with_beside), median(&mut with));
    json!({
        "turns": TURNS,
        "checks_per_second": CHECKS,
        "signals_per_second_beside": rounded(sent.0, 0),
        "signals_per_second": rounded(sent.1, 0),
        "p99_us_without": rounded(without, 0),
        "p99_us_beside": rounded(with_beside, 0),
        "p99_us_with": rounded(with, 0),
        "times": rounded(with / without, 2),
        "times_beside": rounded(with / with_beside, 2),
    })
}

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
