//! The part `delay` where HAProxy keeps verdicts: from a rule written at the token-server to the first refusal of a token that
//! HAProxy has just let in by itself, under load, with the shipped file and two agents.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use integration_tests::http::{Client, Response};
use integration_tests::keys::key;
use integration_tests::load::results::rounded;
use integration_tests::load::{Amount, Load, Prepared};
use integration_tests::site::{Plan, SOURCE, Site};
use integration_tests::socket::Address;
use integration_tests::token::{now, token};
use integration_tests::wait::DEADLINE;
use serde_json::{Value, json};

use crate::delay::{BACKGROUND, PAUSE, SAMPLES, quantiles};
use crate::release::Release;
use crate::targets::{Target, at_most};

/// Tokens that other clients send meanwhile, all of them frequent.
const TOKENS: usize = 100;

/// Measures on one release.
pub(crate) fn run(release: &Release) -> Value {
    let site = Site::start(&Plan { agents: 2, program: release.program.clone(), ..Plan::default() });
    let Address::Tcp(target) = site.proxies[0].address else {
        unreachable!("HAProxy listens on a port here")
    };
    let load = Load {
        target,
        requests: (0..TOKENS).map(|number| request(&format!("other-{number}"))).collect(),
        connections: 8,
        threads: 1,
        rate: Some(BACKGROUND),
        amount: Amount::For(Duration::from_secs(600)),
    };
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let loading = thread::spawn(move || load.run_until(&stopped));
    let (mut from_acknowledged, mut from_sent) = (Vec::new(), Vec::new());
    for number in 0..SAMPLES {
        let (acknowledged, sent) = sample(&site, number);
        from_acknowledged.push(acknowledged);
        from_sent.push(sent);
    }
    stop.store(true, Ordering::Relaxed);
    let loading = loading.join().unwrap();
    let figures = json!({
        "haproxy": release.to_string(),
        "samples": SAMPLES,
        "ms_from_acknowledged": quantiles(from_acknowledged),
        "ms_from_sent": quantiles(from_sent),
        "background_per_second": rounded(loading.per_second(), 0),
        "background_errors": loading.errors,
    });
    println!("{release}, verdicts kept in HAProxy: {}", figures["ms_from_acknowledged"]);
    figures
}

/// Of each release that was measured, or that none was.
pub(crate) fn targets(figures: Option<&Value>) -> Vec<Target> {
    let target = |haproxy: &str, p99| {
        let name = format!("{haproxy}: a rule to its refusal, verdicts kept in HAProxy, p99");
        at_most(&name, "ms", p99, 50.0)
    };
    let Some(releases) = figures.and_then(Value::as_array) else {
        return vec![target("every release", None)];
    };
    let of_release = |figures: &Value| {
        let p99 = figures.pointer("/ms_from_acknowledged/p99").and_then(Value::as_f64);
        target(figures["haproxy"].as_str().unwrap_or_default(), p99)
    };
    releases.iter().map(of_release).collect()
}

fn request(subject: &str) -> Prepared {
    let claims = json!({"sub": subject, "exp": now() + 3_600});
    Prepared::get("/", &format!("Bearer {}", token(key("ES256"), claims)), 200)
}

/// Writes a rule for a subject whose token HAProxy lets in by itself, and watches for the first refusal: the time from its
/// acknowledgement, and from when it was sent.
fn sample(site: &Site, number: usize) -> (Duration, Duration) {
    let subject = format!("user-{number}");
    let request = request(&subject);
    let mut client = Client::new(site.proxies[0].address.connect(DEADLINE).unwrap());
    let mut ask = || -> Response {
        client.write(&request.bytes).unwrap();
        let response = client.response().unwrap();
        thread::sleep(PAUSE);
        response
    };
    let begin = Instant::now();
    while ask().header(SOURCE) != Some("edge") {
        assert!(begin.elapsed() < DEADLINE, "HAProxy does not let {subject} in by itself");
    }
    let sent = Instant::now();
    site.token_server.as_ref().unwrap().revoke(&subject, &json!({"sub": subject}));
    let acknowledged = Instant::now();
    loop {
        match ask().status {
            401 => return (acknowledged.elapsed(), sent.elapsed()),
            // Late answers of a busy machine admit no request, and are no word on the rule.
            200 | 503 => assert!(acknowledged.elapsed() < DEADLINE, "the rule for {subject} is not heeded"),
            other => panic!("{other} instead of 200 or 401"),
        }
    }
}
