//! The part `delay`: from a rule written at the token-server to the first refusal at HAProxy, under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use integration_tests::http::Client;
use integration_tests::load::results::rounded;
use integration_tests::load::{Amount, Load};
use integration_tests::socket::Address;
use integration_tests::wait::DEADLINE;
use serde_json::{Value, json};

use crate::cell::{Cell, Way};
use crate::edge::{Edge, store};
use crate::release::Release;
use crate::traffic::{Looks, good_token_of, one_token};

/// Rules that are written one after the other.
pub(crate) const SAMPLES: usize = 200;
/// Requests a second that other subjects send meanwhile.
pub(crate) const BACKGROUND: f64 = 2_000.0;
/// The pause between two requests that watch for the refusal: the figures are as fine as this.
pub(crate) const PAUSE: Duration = Duration::from_micros(200);

/// Measures on one release.
pub(crate) fn run(release: &Release) -> Value {
    let rules = store("standard", 100, 100);
    let cell = Cell::new(release, Way::Rules);
    let background = one_token("HS256", Looks::Everything);
    let edge = Edge::start(&cell, Some(&rules.path().join("rules.redb")), &background[..1]);
    let load = Load {
        target: edge.address,
        requests: background,
        connections: 8,
        threads: 1,
        rate: Some(BACKGROUND),
        amount: Amount::For(Duration::from_secs(600)),
    };
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let loading = thread::spawn(move || load.run_until(&stopped));
    let (mut from_acknowledged, mut from_sent, mut undecided) = (Vec::new(), Vec::new(), 0);
    for number in 0..SAMPLES {
        let sample = sample(&edge, number);
        from_acknowledged.push(sample.from_acknowledged);
        from_sent.push(sample.from_sent);
        undecided += sample.undecided;
        if (number + 1).is_multiple_of(50) {
            println!("{} of {SAMPLES} rules written and heeded", number + 1);
        }
    }
    stop.store(true, Ordering::Relaxed);
    let loading = loading.join().unwrap();
    json!({
        "haproxy": release.to_string(),
        "samples": SAMPLES,
        "ms_from_acknowledged": quantiles(from_acknowledged),
        "ms_from_sent": quantiles(from_sent),
        "undecided": undecided,
        "background_per_second": rounded(loading.per_second(), 0),
        "background_errors": loading.errors,
    })
}

/// In milliseconds.
pub(crate) fn quantiles(mut delays: Vec<Duration>) -> Value {
    delays.sort_unstable();
    let at = |part: usize| rounded(delays[(delays.len() - 1) * part / 100].as_secs_f64() * 1e3, 2);
    json!({"p50": at(50), "p99": at(99), "max": at(100)})
}

/// One rule.
struct Sample {
    /// From its acknowledgement to the first refusal.
    from_acknowledged: Duration,
    /// From the moment it was sent.
    from_sent: Duration,
    /// Answers that were not decided in time, 503: on a busy machine some take longer than HAProxy waits. They admit
    /// no request, and are no word on the rule.
    undecided: usize,
}

/// Writes a rule for a subject whose token is hot, and watches for the first refusal.
fn sample(edge: &Edge, number: usize) -> Sample {
    let subject = format!("user-{number}");
    let request = good_token_of(&subject);
    let mut client = Client::new(Address::Tcp(edge.address).connect(DEADLINE).unwrap());
    let mut undecided = 0;
    let begin = Instant::now();
    let mut status = || loop {
        assert!(begin.elapsed() < 2 * DEADLINE, "{undecided} answers of 503 for {subject}");
        client.write(&request.bytes).unwrap();
        match client.response().unwrap().status {
            503 => undecided += 1,
            other => break other,
        }
        thread::sleep(PAUSE);
    };
    for _ in 0..3 {
        assert_eq!(status(), 200, "a good token of {subject}");
    }
    let sent = Instant::now();
    edge.token_server
        .as_ref()
        .unwrap()
        .revoke(&subject, &json!({"iat": {"lte": integration_tests::token::now()}}));
    let acknowledged = Instant::now();
    let (from_acknowledged, from_sent) = loop {
        match status() {
            401 => break (acknowledged.elapsed(), sent.elapsed()),
            200 => assert!(acknowledged.elapsed() < DEADLINE, "the rule for {subject} is not heeded"),
            other => panic!("{other} instead of 200 or 401"),
        }
        thread::sleep(PAUSE);
    };
    Sample { from_acknowledged, from_sent, undecided }
}
