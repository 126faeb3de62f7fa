//! An identity provider that replaces its keys under a thousand requests a second, asked by HAProxy with an agent, and by
//! forward-auth. No good token may get 401: a client that gets it logs its user out. 503 is counted, and may be only while
//! random `kid`s have spent what early loads there are.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::agent::ask;
use crate::http::{Client, Request};
use crate::key_server::Answer;
use crate::keys::{SigningKey, jwks};
use crate::provider::Provider;
use crate::setup::Setup;
use crate::socket::Address;
use crate::token_server::TokenServer;
use crate::wait::eventually;

/// Requests with good tokens a second.
const RATE: usize = 1_000;
/// Clients that send them, each at its times.
const CLIENTS: usize = 20;
/// Tokens of random `kid`s a second, while there is a flood.
const FLOOD: usize = 200;
/// How long each part lasts; in the middle of it something happens.
const LASTS: Duration = Duration::from_secs(4);
/// In which the early loads are there again that a rotation took.
const REST: Duration = Duration::from_secs(11);
const PATIENCE: Duration = Duration::from_secs(5);

/// What was answered to good tokens.
#[derive(Debug, Default)]
struct Answers {
    good: AtomicUsize,
    unauthorized: AtomicUsize,
    unavailable: AtomicUsize,
    lost: AtomicUsize,
    slowest: AtomicUsize,
}

/// One part: what happens in the middle of it, and whether random `kid`s come meanwhile.
struct Part {
    name: &'static str,
    flood: bool,
    event: fn(&Provider),
    /// Whether what a part before has spent must be there again.
    rests: bool,
}

const PARTS: [Part; 7] = [
    Part {
        name: "a key more, which signs",
        flood: false,
        event: |provider| provider.rotate("second", |old, new| jwks([old, new])),
        rests: false,
    },
    Part { name: "the old one removed", flood: false, event: Provider::publish, rests: false },
    Part {
        name: "the same kid with a new key",
        flood: false,
        event: |provider| provider.rotate("second", |_, new| jwks([new])),
        rests: false,
    },
    Part {
        name: "the source hangs",
        flood: false,
        event: |provider| provider.server.set(Answer::Hang),
        rests: false,
    },
    Part { name: "random kids while it is back", flood: true, event: Provider::publish, rests: true },
    Part {
        name: "random kids, and another key",
        flood: true,
        event: |provider| provider.rotate("third", |old, new| jwks([old, new])),
        rests: false,
    },
    Part { name: "the random kids are over", flood: false, event: |_| (), rests: true },
];

/// Runs all parts against both programs, and prints what came of them; whether it was as it must be.
///
/// # Panics
///
/// A program does not come up.
pub fn run() -> bool {
    println!(
        "{:<14}{:<32}{:>8}{:>8}{:>6}{:>6}{:>6}{:>10}{:>8}",
        "asked by", "what happens", "a second", "200", "401", "503", "lost", "slowest", "loads"
    );
    let through_haproxy = {
        let provider = Provider::start();
        let edge = Setup::denying()
            .no_key_file()
            .short_timeouts()
            .agent_env("JWT_JWKS_URL", &provider.server.url())
            .agent_env("JWT_SYNC_INTERVAL", "3600")
            .start();
        parts("HAProxy", &provider, edge.address(), "/")
    };
    let by_forward_auth = {
        let provider = Provider::start();
        let folder = TempDir::with_prefix("rotation-").unwrap();
        let url = provider.server.url();
        let settings =
            [("TOKEN_SERVER__JWKS__URL", url.as_str()), ("TOKEN_SERVER__JWKS__SYNC_INTERVAL", "3600")];
        let server = TokenServer::start_with(folder.path(), "standard", &settings);
        parts("forward-auth", &provider, &server.address, "/verify")
    };
    through_haproxy && by_forward_auth
}

fn parts(by: &str, provider: &Provider, address: &Address, path: &str) -> bool {
    let good = || provider.answer(|token| ask(address, &Request::get(path).bearer(token)).status == 200);
    eventually("good tokens pass", || good().then_some(()));
    let mut all_right = true;
    for part in &PARTS {
        if part.rests {
            thread::sleep(REST);
        }
        let (answers, loads) = (Answers::default(), provider.server.fetches());
        one(part, provider, address, path, &answers);
        let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        let [good, unauthorized, unavailable, lost] =
            [&answers.good, &answers.unauthorized, &answers.unavailable, &answers.lost].map(count);
        let total = good + unauthorized + unavailable + lost;
        println!(
            "{by:<14}{:<32}{:>8}{good:>8}{unauthorized:>6}{unavailable:>6}{lost:>6}{:>7} ms{:>8}",
            part.name,
            total / usize::try_from(LASTS.as_secs()).unwrap_or(1),
            count(&answers.slowest),
            provider.server.fetches() - loads,
        );
        all_right &= unauthorized == 0 && lost == 0 && good > 0 && (unavailable == 0 || part.flood);
    }
    all_right
}

fn one(part: &Part, provider: &Provider, address: &Address, path: &str, answers: &Answers) {
    let over = AtomicBool::new(false);
    let send = |bytes: &[u8]| {
        let mut client = Client::new(address.connect(PATIENCE).ok()?);
        client.write(bytes).ok()?;
        Some(client.response().ok()?.status)
    };
    let good_one = || {
        let (status, took) = provider.answer(|token| {
            let sent = Instant::now();
            (send(&Request::get(path).bearer(token).to_bytes()), sent.elapsed())
        });
        let took = usize::try_from(took.as_millis()).unwrap_or(usize::MAX);
        answers.slowest.fetch_max(took, Ordering::Relaxed);
        let count = match status {
            Some(200) => &answers.good,
            Some(401) => &answers.unauthorized,
            Some(503) => &answers.unavailable,
            Some(_) | None => &answers.lost,
        };
        count.fetch_add(1, Ordering::Relaxed);
    };
    let stranger = SigningKey::generate("ES256", "");
    let random_one = |number: usize| {
        let header = json!({"alg": "ES256", "kid": format!("random {number}")}).to_string();
        let claims = crate::token::claims(json!({})).to_string();
        let token = crate::token::sign_raw(&stranger, &header, &claims);
        if send(&Request::get(path).bearer(&token).to_bytes()) == Some(200) {
            // A stranger was let in.
            answers.lost.fetch_add(1, Ordering::Relaxed);
        }
    };
    // At its own times, also where an answer was late.
    let paced = |rate: usize, one: &dyn Fn(usize)| {
        let pause = Duration::from_secs(1) / u32::try_from(rate).unwrap_or(1);
        let (mut next, mut number) = (Instant::now(), 0);
        while !over.load(Ordering::Relaxed) {
            one(number);
            number += 1;
            next += pause;
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    };
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| paced(RATE / CLIENTS, &|_| good_one()));
        }
        if part.flood {
            for _ in 0..CLIENTS {
                scope.spawn(|| paced(FLOOD / CLIENTS, &random_one));
            }
        }
        thread::sleep(LASTS / 2);
        (part.event)(provider);
        thread::sleep(LASTS / 2);
        over.store(true, Ordering::Relaxed);
    });
}
