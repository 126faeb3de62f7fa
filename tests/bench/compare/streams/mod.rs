//! The part `streams`: from a rule written at the token-server to the end of an open stream at its client, while thousands are open;
//! how late streams end that expire; what others' requests wait for, with ends and without; what the agent needs for very many
//! streams, and for very many that open and close.

mod application;
mod clients;
mod cost;

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use integration_tests::edge::Edge;
use integration_tests::haproxy::Shipped;
use integration_tests::keys::key;
use integration_tests::load::results::rounded;
use integration_tests::load::{Outcome, Prepared};
use integration_tests::port::free_port;
use integration_tests::setup::Setup;
use integration_tests::socket::Address;
use integration_tests::token::{now, token};
use integration_tests::wait::eventually;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::release::Release;
use crate::samples::{self, Sample};
use crate::targets::{Target, at_most};
use clients::{Ended, Streams};

/// Subjects of the streams that no rule ends, and of others' requests.
const SUBJECTS: usize = 100;
/// One of so many of others' requests names a stream as well, which ends with its answer.
const BRIEF: usize = 20;
/// Streams that end by themselves, all at one time, and how far ahead that is.
const EXPIRING: usize = 100;
const LIFETIME: u64 = 5;
/// Others' requests are measured in so many turns, without ends and with them.
const TURNS: usize = 10;
/// Between two rules that end nothing: about as long as one that does takes.
const PAUSE: Duration = Duration::from_millis(40);

const BIND: &str = "    bind \"${EDGE_BIND}\"\n";
const BOTH: &str = "    bind \"${EDGE_BIND}\"\n    bind \"${TCP_BIND}\"\n";

/// Streams on which nothing is said stay open for as long as a run takes.
const BRIEF_SILENCE: &str = "    timeout client        30s\n    timeout server        30s\n";
const LONG_SILENCE: &str = "    timeout client        1h\n    timeout server        1h\n";

/// Measures on one release, with so many streams open; of `ends`, `many` and `brief` those whose name contains `only`.
pub(crate) fn run(release: &Release, open: usize, only: &str) -> Value {
    let mut figures = json!({"haproxy": release.to_string()});
    let parts: [(&str, &dyn Fn() -> Value); 3] = [
        ("ends", &|| ends(release, open)),
        ("many", &|| cost::many(release)),
        ("brief", &|| cost::brief(release)),
    ];
    for (name, measure) in parts.iter().filter(|(name, _)| name.contains(only)) {
        figures[*name] = measure();
        println!("{release}, {name}: {:#}", figures[*name]);
    }
    figures
}

/// Of each release that was measured, or that none was.
pub(crate) fn targets(figures: Option<&Value>) -> Vec<Target> {
    let Some(releases) = figures.and_then(Value::as_array) else {
        return vec![at_most("a rule to the end of a stream, p99", "ms", None, 300.0)];
    };
    let of_release = |figures: &Value| {
        let haproxy = figures["haproxy"].as_str().unwrap_or_default();
        let target = |name: &str, unit, pointer: &str, limit| {
            let measured = figures.pointer(pointer).and_then(Value::as_f64);
            at_most(&format!("{haproxy}, {}: {name}", figures["ends"]["streams"]), unit, measured, limit)
        };
        [
            target("a rule to the end of a stream, p99", "ms", "/ends/known/ms_from_acknowledged/p99", 300.0),
            target("the same of a new stream, p99", "ms", "/ends/new/ms_from_acknowledged/p99", 300.0),
            target("a token's end to its stream's", "ms", "/ends/ms_after_expiry/max", 1000.0),
            target("others' p99, with ends by without", "", "/ends/others/p99_with_by_without", 1.1),
            target("streams ended without a reason", "", "/ends/ended_without_reason", 0.0),
            target("brief streams left over", "", "/brief/left", 0.0),
            target("memory after brief streams by before", "", "/brief/agent_mib_after_by_before", 1.1),
        ]
    };
    releases.iter().flat_map(of_release).collect()
}

/// HAProxy with the shipped file, an agent that ends streams, a token-server, and an application whose answers stay open.
struct Stand {
    runtime: Runtime,
    edge: Edge,
    target: SocketAddr,
}

impl Stand {
    fn start(release: &Release) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let application = application::serve(&runtime);
        let target = SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()));
        let edge = Setup::new(Shipped::Streams)
            .haproxy(&release.program)
            .token_server()
            .ends_streams()
            .change(BIND, BOTH)
            .change(BRIEF_SILENCE, LONG_SILENCE)
            .haproxy_env("TCP_BIND", &target.to_string())
            .server("APP_SERVER", &Address::Tcp(application))
            .start();
        Self { runtime, edge, target }
    }

    fn open(&self, tokens: Vec<String>) -> Streams {
        Streams::open(&self.runtime, self.target, tokens)
    }

    /// Revokes a subject whose stream is open.
    fn sample(&self, subject: &str, ended: &Ended) -> Sample {
        // As a status that a client would get.
        let ask = || if ended.get().is_some() { 401 } else { 200 };
        Sample::of(self.edge.token_server.as_ref().unwrap(), (subject, &json!({"sub": subject})), ask)
    }
}

/// Ends among so many open streams.
fn ends(release: &Release, open: usize) -> Value {
    let stand = Stand::start(release);
    let known = |number: usize| format!("known-{number}");
    let crowd: Vec<String> = (0..SUBJECTS).map(|number| good(&format!("other-{number}"))).collect();
    let ending = (0..samples::SAMPLES).map(|number| good(&known(number)));
    let rest = (samples::SAMPLES..open).map(|number| crowd[number % SUBJECTS].clone());
    let streams = stand.open(ending.chain(rest).collect());
    println!("{release}: {open} streams are open");
    let requests: Arc<[Prepared]> = (0..SUBJECTS).map(|number| other(number, &crowd)).collect();
    let under_load =
        |does: &mut dyn FnMut()| samples::under_load(stand.target, Arc::clone(&requests), does).0;
    let each = samples::SAMPLES / TURNS;
    let (mut of_known, mut of_new) = (Vec::new(), Vec::new());
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for turn in 0..TURNS {
        without.push(under_load(&mut || {
            for number in 0..2 * each {
                let subject = format!("absent-{turn}-{number}");
                stand.edge.token_server.as_ref().unwrap().revoke(&subject, &json!({"sub": subject}));
                thread::sleep(PAUSE);
            }
        }));
        with.push(under_load(&mut || {
            for number in turn * each..(turn + 1) * each {
                of_known.push(stand.sample(&known(number), &streams.ended[number]));
                let subject = format!("new-{number}");
                let opened = stand.open(vec![good(&subject)]);
                of_new.push(stand.sample(&subject, &opened.ended[0]));
            }
        }));
        println!("{} of {TURNS} turns", turn + 1);
    }
    let ended = streams.ended();
    let p99 = |turns: &[Outcome]| {
        let mut each: Vec<f64> = turns.iter().map(|turn| milliseconds(turn.quantile(0.99))).collect();
        each.sort_unstable_by(f64::total_cmp);
        (each[each.len() / 2], each)
    };
    let ((without_p99, without_each), (with_p99, with_each)) = (p99(&without), p99(&with));
    let errors: usize = without.iter().chain(&with).map(|turn| turn.errors).sum();
    json!({
        "streams": open,
        "known": samples::figures(&of_known),
        "new": samples::figures(&of_new),
        "ms_after_expiry": samples::quantiles(expire(&stand)),
        "ended_without_reason": ended - samples::SAMPLES,
        "others": {
            "p99_ms_without_ends": without_each,
            "p99_ms_with_ends": with_each,
            "p99_with_by_without": rounded(with_p99 / without_p99, 3),
            "errors": errors,
        },
    })
}

/// How long after their token streams end.
fn expire(stand: &Stand) -> Vec<Duration> {
    let exp = now() + LIFETIME;
    let streams = stand.open(vec![token(key("ES256"), json!({"sub": "brief", "exp": exp})); EXPIRING]);
    let left = (UNIX_EPOCH + Duration::from_secs(exp)).duration_since(SystemTime::now()).unwrap();
    let end = Instant::now() + left;
    eventually("all streams of the token end", || (streams.ended() == EXPIRING).then_some(()));
    let late = |ended: &Ended| {
        ended.get().unwrap().checked_duration_since(end).expect("a stream ended before its token")
    };
    streams.ended.iter().map(late).collect()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn good(subject: &str) -> String {
    token(key("ES256"), json!({"sub": subject, "exp": now() + 3_600}))
}

/// What others send: requests, and a few that are streams for as long as their answer takes.
fn other(number: usize, tokens: &[String]) -> Prepared {
    let request = Prepared::get("/", &format!("Bearer {}", tokens[number % tokens.len()]), 200);
    if !number.is_multiple_of(BRIEF) {
        return request;
    }
    let text = String::from_utf8_lossy(&request.bytes);
    let text = text.replacen("\r\n", "\r\nAccept: text/event-stream\r\n", 1);
    Prepared { bytes: text.into_bytes(), expected: 200 }
}
