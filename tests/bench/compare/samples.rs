//! From a rule written at the token-server, or a logout told to it, to the first refusal at HAProxy: sample after sample, while
//! others send requests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use integration_tests::http::{Client, Response};
use integration_tests::load::results::rounded;
use integration_tests::load::{Amount, Load, Outcome, Prepared};
use integration_tests::site::{SOURCE, Site};
use integration_tests::token_server::TokenServer;
use integration_tests::wait::DEADLINE;
use serde_json::{Value, json};

use crate::release::Release;

/// Rules that are written one after the other.
pub(crate) const SAMPLES: usize = 200;
/// Requests a second that other subjects send meanwhile.
const BACKGROUND: f64 = 2_000.0;
/// The pause between two requests that watch for the refusal: the figures are as fine as this.
pub(crate) const PAUSE: Duration = Duration::from_micros(200);

/// A client of a subject whose token HAProxy has let in by itself: sends its request once more, and gives the status.
pub(crate) fn let_in_by_haproxy(site: &Site, subject: &str, request: &Prepared) -> impl FnMut() -> u16 {
    let mut client = Client::new(site.proxies[0].address.connect(DEADLINE).unwrap());
    let mut ask = move || -> Response {
        client.write(&request.bytes).unwrap();
        client.response().unwrap()
    };
    let begin = Instant::now();
    while ask().header(SOURCE) != Some("edge") {
        assert!(begin.elapsed() < DEADLINE, "HAProxy does not let {subject} in by itself");
        thread::sleep(PAUSE);
    }
    move || ask().status
}

/// One rule.
pub(crate) struct Sample {
    /// From its acknowledgement to the first refusal.
    from_acknowledged: Duration,
    /// From the moment it was sent.
    from_sent: Duration,
    /// Answers that were not decided in time, 503: on a busy machine some take longer than HAProxy waits. They admit
    /// no request, and are no word on the rule.
    undecided: usize,
}

impl Sample {
    /// Writes a rule for a subject, and asks until the first refusal. `ask` sends a request of the subject and gives the status.
    pub(crate) fn of(
        server: &TokenServer,
        (subject, rule): (&str, &Value),
        ask: impl FnMut() -> u16,
    ) -> Self {
        Self::after(subject, || server.revoke(subject, rule), ask)
    }

    /// The same of anything that revokes a subject's tokens.
    pub(crate) fn after(subject: &str, revoke: impl FnOnce(), mut ask: impl FnMut() -> u16) -> Self {
        let mut undecided = 0;
        let sent = Instant::now();
        revoke();
        let acknowledged = Instant::now();
        loop {
            match ask() {
                401 => {
                    return Self {
                        from_acknowledged: acknowledged.elapsed(),
                        from_sent: sent.elapsed(),
                        undecided,
                    };
                }
                200 => {}
                503 => undecided += 1,
                other => panic!("{other} instead of 200 or 401"),
            }
            assert!(acknowledged.elapsed() < DEADLINE, "the rule for {subject} is not heeded");
            thread::sleep(PAUSE);
        }
    }
}

/// Takes all samples on one release, each by its number, while `requests` are sent to `target`.
pub(crate) fn take(
    release: &Release,
    target: SocketAddr,
    requests: Arc<[Prepared]>,
    sample: impl Fn(usize) -> Sample,
) -> Value {
    let (loading, samples) = under_load(target, requests, || {
        let each = (0..SAMPLES).map(|number| {
            let sample = sample(number);
            if (number + 1).is_multiple_of(50) {
                println!("{} of {SAMPLES} rules written and heeded", number + 1);
            }
            sample
        });
        each.collect::<Vec<Sample>>()
    });
    let mut figures = figures(&samples);
    figures["haproxy"] = json!(release.to_string());
    figures["background_per_second"] = json!(rounded(loading.per_second(), 0));
    figures["background_errors"] = json!(loading.errors);
    figures
}

/// Does something while `requests` are sent to `target`, and what came of these.
pub(crate) fn under_load<T>(
    target: SocketAddr,
    requests: Arc<[Prepared]>,
    does: impl FnOnce() -> T,
) -> (Outcome, T) {
    let load = Load {
        target,
        requests,
        connections: 8,
        threads: 1,
        rate: Some(BACKGROUND),
        amount: Amount::For(Duration::from_secs(600)),
    };
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let loading = thread::spawn(move || load.run_until(&stopped));
    let done = does();
    stop.store(true, Ordering::Relaxed);
    (loading.join().unwrap(), done)
}

/// Of these samples.
pub(crate) fn figures(samples: &[Sample]) -> Value {
    json!({
        "samples": samples.len(),
        "ms_from_acknowledged": quantiles(samples.iter().map(|sample| sample.from_acknowledged).collect()),
        "ms_from_sent": quantiles(samples.iter().map(|sample| sample.from_sent).collect()),
        "undecided": samples.iter().map(|sample| sample.undecided).sum::<usize>(),
    })
}

/// In milliseconds.
pub(crate) fn quantiles(mut delays: Vec<Duration>) -> Value {
    delays.sort_unstable();
    let at = |part: usize| rounded(delays[(delays.len() - 1) * part / 100].as_secs_f64() * 1e3, 2);
    json!({"p50": at(50), "p99": at(99), "max": at(100)})
}
