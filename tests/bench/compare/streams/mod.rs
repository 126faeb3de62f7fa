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
const EXPIRING: usize = 200;
const LIFETIME: u64 = 5;
/// Others' requests are measured in so many turns of each kind of ends, and of rules that end nothing.
const TURNS: usize = 10;
/// From one rule to the next: ten a second, which is more than people and identity providers give.
const OFTEN: Duration = Duration::from_millis(100);
/// The same of rules that end streams which have just been opened, as they mostly come: some in a minute.
const SELDOM: Duration = Duration::from_secs(4);
const SELDOM_SAMPLES: usize = 20;

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
            target("others' p99, ends by none", "", "/ends/others/p99_known_by_nothing", 1.1),
            target("the same, new streams", "", "/ends/others/p99_new_by_nothing", 1.1),
            target("the same, new streams, seldom", "", "/ends/others/p99_new_seldom_by_nothing", 1.1),
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
    // HAProxy looks for a stream from the oldest on: those that end stand evenly among all.
    let apart = open / samples::SAMPLES;
    let token = |number: usize| match (number % apart, number / apart) {
        (0, ends) if ends < samples::SAMPLES => good(&known(ends)),
        _ => crowd[number % SUBJECTS].clone(),
    };
    let streams = stand.open((0..open).map(token).collect());
    println!("{release}: {open} streams are open");
    let requests: Arc<[Prepared]> = (0..SUBJECTS).map(|number| other(number, &crowd)).collect();
    let end_known = |number: usize| Some(stand.sample(&known(number), &streams.ended[number * apart]));
    let end_new = |number: usize| {
        let subject = format!("new-{number}");
        let opened = stand.open(vec![good(&subject)]);
        Some(stand.sample(&subject, &opened.ended[0]))
    };
    let end_nothing = |number: usize| {
        let subject = format!("absent-{number}");
        stand.edge.token_server.as_ref().unwrap().revoke(&subject, &json!({"sub": subject}));
        None
    };
    let kind = |name, count, pace, end| Kind { name, count, pace, end };
    let end_later = |number: usize| end_new(samples::SAMPLES + number);
    let kinds: [Kind; 5] = [
        kind("nothing", samples::SAMPLES, OFTEN, &end_nothing),
        kind("known", samples::SAMPLES, OFTEN, &end_known),
        kind("new", samples::SAMPLES, OFTEN, &end_new),
        kind("nothing_seldom", SELDOM_SAMPLES, SELDOM, &end_nothing),
        kind("new_seldom", SELDOM_SAMPLES, SELDOM, &end_later),
    ];
    let mut seen: [Seen; 5] = Default::default();
    for turn in 0..TURNS {
        for (kind, seen) in kinds.iter().zip(&mut seen) {
            let each = kind.count / TURNS;
            let (outcome, ()) = samples::under_load(stand.target, Arc::clone(&requests), || {
                for number in turn * each..(turn + 1) * each {
                    let next = Instant::now() + kind.pace;
                    seen.samples.extend((kind.end)(number));
                    thread::sleep(next.saturating_duration_since(Instant::now()));
                }
            });
            seen.others.push(outcome);
        }
        println!("{} of {TURNS} turns", turn + 1);
    }
    let ended = streams.ended();
    let p99 = seen.each_ref().map(|seen| {
        let mut of_turns: Vec<f64> =
            seen.others.iter().map(|turn| milliseconds(turn.quantile(0.99))).collect();
        of_turns.sort_unstable_by(f64::total_cmp);
        of_turns[of_turns.len() / 2]
    });
    let others: serde_json::Map<_, _> =
        kinds.iter().zip(p99).map(|(kind, p99)| (kind.name.to_owned(), json!(rounded(p99, 3)))).collect();
    json!({
        "streams": open,
        "known": samples::figures(&seen[1].samples),
        "new": samples::figures(&seen[2].samples),
        "ms_after_expiry": samples::quantiles(expire(&stand)),
        "ended_without_reason": ended - samples::SAMPLES,
        "others": {
            "p99_ms_while_streams_end": others,
            "p99_known_by_nothing": rounded(p99[1] / p99[0], 3),
            "p99_new_by_nothing": rounded(p99[2] / p99[0], 3),
            "p99_new_seldom_by_nothing": rounded(p99[4] / p99[3], 3),
            "errors": seen.iter().flat_map(|seen| &seen.others).map(|turn| turn.errors).sum::<usize>(),
        },
    })
}

/// Rules of a kind, of which there are so many.
struct Kind<'a> {
    name: &'static str,
    count: usize,
    /// From one to the next.
    pace: Duration,
    /// Writes the one of this number, and waits until its stream has ended, where it has one.
    end: &'a dyn Fn(usize) -> Option<Sample>,
}

/// What was seen while streams of a kind ended.
#[derive(Default)]
struct Seen {
    samples: Vec<Sample>,
    /// What came of others' requests in each turn.
    others: Vec<Outcome>,
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
