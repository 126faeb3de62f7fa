//! A flood of random texts, of which each could be an opaque token, beside a flood of as many forged JWTs, which the agents refuse by
//! themselves: that is what a flood costs the processors that all share. Those who have tokens go on meanwhile, and opaque ones are
//! asked about again every few seconds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use integration_tests::keys::key;
use integration_tests::load::results::rounded;
use integration_tests::load::{Amount, Load, Outcome, Prepared};
use integration_tests::token::{forge_signature, now, token};
use integration_tests::wait::DEADLINE;
use serde_json::{Value, json};

use super::{KINDS, OTHERS, Stand};
use crate::release::Release;
use crate::targets::{Measured, Target, at_most};

/// Turns without a flood, with one of forged JWTs, and with one of random texts, one after the other, so that what else the
/// machine does meets all of them alike.
const TURNS: usize = 3;
const TURN: Duration = Duration::from_secs(6);
/// Requests a second with good tokens of each kind.
const GOOD: f64 = 300.0;
/// Requests a second of a flood.
const FLOOD: f64 = 1_500.0;
/// Different texts of one turn: none comes twice.
const TEXTS: usize = 12_000;
/// `TOKEN_SERVER__INTROSPECTION__RATE` where it is not set.
const RATE: f64 = 200.0;
/// How long an answer on an opaque token is used: shorter than a turn.
const CACHE_TTL: (&str, &str) = ("TOKEN_SERVER__INTROSPECTION__CACHE_TTL", "3");

const CALLS: &str = "token_server_introspection_calls_total";
/// What the calls on texts that no client was given come to, and those that were not made.
const INACTIVE: &str = "inactive";
const OVERLOADED: &str = "overloaded";

/// What is sent beside good tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flood {
    Nothing,
    ForgedJwts,
    RandomTexts,
}

const FLOODS: [(Flood, &str); 3] = [
    (Flood::Nothing, "without"),
    (Flood::ForgedJwts, "beside_forged_jwts"),
    (Flood::RandomTexts, "beside_random_texts"),
];

/// Measures on one release.
pub(super) fn run(release: &Release) -> Value {
    let stand = Stand::start(release, &[CACHE_TTL]);
    let good = good(&stand);
    // Everything is known before the first turn.
    turn(&stand, &good, &Arc::from([]));
    let before = calls(&stand);
    let mut turns: BTreeMap<&str, Vec<Turn>> = BTreeMap::new();
    for number in 0..TURNS {
        for (flood, name) in FLOODS {
            turns.entry(name).or_default().push(turn(&stand, &good, &requests(flood, number)));
            println!("turn {} of {TURNS}, {name}", number + 1);
        }
    }
    let made = calls(&stand);
    let made = |outcome: &str| {
        made.get(outcome).copied().unwrap_or(0.0) - before.get(outcome).copied().unwrap_or(0.0)
    };
    let flooded = &turns["beside_random_texts"];
    let seconds: f64 = flooded.iter().map(|turn| turn.flood.elapsed.as_secs_f64()).sum();
    let answers: usize = flooded.iter().map(|turn| turn.flood.answers).sum();
    let undecided: usize = flooded.iter().map(|turn| turn.flood.errors).sum();
    // What RATE allows: a second's calls at once, and then one after the other.
    let allowed = RATE * (seconds + TURNS as f64);
    let known: Vec<Value> =
        good.iter().enumerate().map(|(place, (kind, _))| figures(kind, place, &turns)).collect();
    json!({
        "haproxy": release.to_string(),
        "turns": TURNS,
        "random_texts_per_second": rounded(answers as f64 / seconds, 0),
        "random_texts": answers,
        "answered_with_another_status_than_401": undecided,
        "calls_inactive": made(INACTIVE),
        "calls_active": made("active"),
        "calls_failed": made("failed"),
        "not_asked_overloaded": made(OVERLOADED),
        "inactive_of_allowed": rounded(made(INACTIVE) / allowed, 2),
        "good_tokens": known,
    })
}

/// Whether it was measured or not.
pub(super) fn targets(figures: Option<&Value>) -> Vec<Target> {
    let of_allowed = figures.and_then(|figures| figures["inactive_of_allowed"].as_f64());
    let errors = figures.and_then(|figures| {
        let kinds = figures["good_tokens"].as_array()?.iter();
        kinds.map(|kind| kind.pointer("/beside_random_texts/errors")?.as_u64()).sum::<Option<u64>>()
    });
    vec![
        at_most("calls about random texts, of those that RATE allows", "times", of_allowed, 1.0),
        Target {
            name: "good tokens refused or not decided while random texts flood".to_owned(),
            limit: "0".to_owned(),
            measured: errors.map(|errors| Measured { text: errors.to_string(), met: errors == 0 }),
        },
    ]
}

/// What came of one turn: of each kind of good tokens, and of the flood.
struct Turn {
    good: Vec<Outcome>,
    flood: Outcome,
}

/// Requests with good tokens, by kind.
fn good(stand: &Stand) -> Vec<(&'static str, Arc<[Prepared]>)> {
    let users = || (0..OTHERS).map(|number| format!("other-{number}"));
    let jwts = users().map(|user| {
        let token = token(key("ES256"), json!({"sub": user, "exp": now() + 3_600}));
        Prepared::get("/", &format!("Bearer {token}"), 200)
    });
    let [keys, introspected] = KINDS.map(|kind| users().map(|user| stand.request(kind, &user)).collect());
    vec![("jwt", jwts.collect()), ("api_key", keys), ("introspected", introspected)]
}

/// Texts of a turn; none comes in another.
fn requests(flood: Flood, turn: usize) -> Arc<[Prepared]> {
    let forged = || {
        let forged = forge_signature(&token(key("ES256"), json!({"sub": "mallory", "exp": now() + 3_600})));
        forged.rsplit_once('.').unwrap().0.to_owned()
    };
    let start = match flood {
        Flood::Nothing => return Arc::from([]),
        // A signature of 86 characters; the last one has no bits to spare.
        Flood::ForgedJwts => format!("{}.{}", forged(), "A".repeat(86 - 43)),
        Flood::RandomTexts => String::new(),
    };
    (0..TEXTS)
        .map(|number| Prepared::get("/", &format!("Bearer {start}{turn:03}x{number:038}A"), 401))
        .collect()
}

fn turn(stand: &Stand, good: &[(&str, Arc<[Prepared]>)], flood: &Arc<[Prepared]>) -> Turn {
    let load = |requests: &Arc<[Prepared]>, connections, rate, amount| Load {
        target: stand.address(),
        requests: Arc::clone(requests),
        connections,
        threads: 1,
        rate: Some(rate),
        amount,
    };
    let stop = AtomicBool::new(flood.is_empty());
    thread::scope(|scope| {
        let flooding = (!flood.is_empty()).then(|| {
            let (load, stop) = (load(flood, 64, FLOOD, Amount::For(DEADLINE)), &stop);
            scope.spawn(move || load.run_until(stop))
        });
        let running: Vec<_> = good
            .iter()
            .map(|(_, requests)| {
                let load = load(requests, 16, GOOD, Amount::For(TURN));
                scope.spawn(move || load.run())
            })
            .collect();
        let good = running.into_iter().map(|load| load.join().unwrap()).collect();
        stop.store(true, Ordering::Relaxed);
        let flood = flooding.map(|flood| flood.join().unwrap()).unwrap_or_default();
        Turn { good, flood }
    })
}

/// Latencies of one kind of good tokens in microseconds, medians of the turns, and how many were not let in.
fn figures(kind: &str, place: usize, turns: &BTreeMap<&str, Vec<Turn>>) -> Value {
    let mut figures = json!({"kind": kind});
    for (name, turns) in turns {
        let outcomes = || turns.iter().map(|turn| &turn.good[place]);
        let median = |part: f64| {
            let mut all: Vec<f64> =
                outcomes().map(|outcome| outcome.quantile(part).as_secs_f64() * 1e6).collect();
            all.sort_by(f64::total_cmp);
            rounded(all[all.len() / 2], 0)
        };
        let first = outcomes().find_map(|outcome| outcome.first_error.clone());
        figures[*name] = json!({
            "requests": outcomes().map(|outcome| outcome.answers).sum::<usize>(),
            "p50_us": median(0.5),
            "p99_us": median(0.99),
            "errors": outcomes().map(|outcome| outcome.errors).sum::<usize>(),
            "first_error": first,
        });
    }
    figures
}

/// The calls to the authorization server so far, by what they came to.
fn calls(stand: &Stand) -> BTreeMap<String, f64> {
    let metrics = stand.site.token_server.as_ref().unwrap().metrics();
    let counted = metrics.lines().filter_map(|line| {
        let (labels, count) = line.strip_prefix(CALLS)?.rsplit_once(' ')?;
        let outcome = labels.split("outcome=\"").nth(1)?.split('"').next()?;
        Some((outcome.to_owned(), count.parse().ok()?))
    });
    counted.collect()
}
