//! The project's targets, held against the figures of one run.

use serde_json::Value;

use crate::cell::Way;
use crate::row::{self, Row, Wanted};

/// One target, and what was measured; `None` where the part that measures it did not run.
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) limit: String,
    pub(crate) measured: Option<Measured>,
}

pub(crate) struct Measured {
    pub(crate) text: String,
    pub(crate) met: bool,
}

/// Releases whose SPOE costs less than that of 3.1 and newer; targets differ after them.
const EARLIER: [&str; 2] = ["2.6", "3.0"];

/// All targets.
pub(crate) fn targets(
    rows: &[Row],
    kept: &[Row],
    signatures: &[Row],
    part: impl Fn(&str) -> Option<Value>,
) -> Vec<Target> {
    let mut targets = Vec::new();
    for haproxy in row::releases(signatures) {
        of_signatures(haproxy, signatures, &mut targets);
    }
    for haproxy in row::releases(kept) {
        of_kept(haproxy, kept, &mut targets);
    }
    for haproxy in row::releases(rows) {
        of_release(haproxy, rows, &mut targets);
    }
    two_threads(rows, &mut targets);
    let (delay, memory) = (part("delay"), part("memory"));
    let (delay, memory) = (delay.as_ref(), memory.as_ref());
    targets.push(at_most(
        "a rule to its refusal, p99",
        "ms",
        number(delay, "/ms_from_acknowledged/p99"),
        50.0,
    ));
    of_memory(memory, &mut targets);
    let all = || rows.iter().chain(kept).chain(signatures);
    let errors: usize = all().map(|row| row.errors).sum();
    let requests: usize = all().map(|row| row.requests).sum();
    targets.push(Target {
        name: "answers with a wrong status, or none".to_owned(),
        limit: "0".to_owned(),
        measured: (requests > 0)
            .then(|| Measured { text: format!("{errors} of {requests}"), met: errors == 0 }),
    });
    targets
}

/// Verdicts in HAProxy, against HAProxy's own check in the same run.
fn of_kept(haproxy: &str, rows: &[Row], targets: &mut Vec<Target>) {
    for threads in [1, 2] {
        let find = |way| Wanted { threads, ..Wanted::usual(haproxy, way) }.find(rows);
        for (way, native) in [(Way::EdgeOne, Way::NativeSteady), (Way::EdgeMany, Way::NativeMany)] {
            let native = find(native).map(|row| row.above_plain_us.median);
            let (row, name) = (find(way), format!("{haproxy}, {threads} threads: {}", way.name()));
            let above = row.map(|row| row.above_plain_us.median);
            let limit = native.map(|native| native / 2.0);
            add(targets, &format!("{name}, above plain; 1/2 x native full HS256"), above, limit);
            let asked = row.and_then(|row| row.asked_percent).map(|asked| asked.median);
            targets.push(at_most(&format!("{name}, asked about"), "%", asked, 2.0));
        }
    }
}

/// What a token costs that no cache answers for, against an agent that does no more than it must.
fn of_signatures(haproxy: &str, rows: &[Row], targets: &mut Vec<Target>) {
    for (way, floor, algorithm) in [
        (Way::New, Way::NothingNew, "RS256"),
        (Way::New, Way::NothingNew, "ES256"),
        (Way::Proved, Way::NothingProved, "ES256"),
        (Way::Proved, Way::NothingProved, "EdDSA"),
        (Way::Certified, Way::NothingCertified, "HS256"),
    ] {
        let above = |way| {
            let wanted = Wanted { algorithm, ..Wanted::usual(haproxy, way) };
            wanted.find(rows).map(|row| row.above_plain_us.median)
        };
        let name = format!("{haproxy}: {}, {algorithm}, above plain; {} + 5", way.name(), floor.name());
        add(targets, &name, above(way), above(floor).map(|floor| floor + 5.0));
    }
}

/// A target in microseconds, not measured without a limit.
fn add(targets: &mut Vec<Target>, name: &str, value: Option<f64>, limit: Option<f64>) {
    targets.push(match limit {
        Some(limit) => at_most(name, "us", value, limit),
        None => Target { name: name.to_owned(), limit: String::new(), measured: None },
    });
}

fn of_release(haproxy: &str, rows: &[Row], targets: &mut Vec<Target>) {
    let above = |way, algorithm| {
        let wanted = Wanted { algorithm, ..Wanted::usual(haproxy, way) };
        wanted.find(rows).map(|row| row.above_plain_us.median)
    };
    let is_earlier = EARLIER.contains(&haproxy);
    let hit = above(Way::Hit, "HS256");
    let floor = above(Way::Nothing, "HS256");
    let mut add = |name: &str, value: Option<f64>, limit: Option<f64>| {
        add(targets, &format!("{haproxy}: {name}"), value, limit);
    };
    let more = if is_earlier { 2.0 } else { 1.0 };
    add(&format!("hit, above plain; do-nothing agent + {more}"), hit, floor.map(|floor| floor + more));
    let (times, text) = if is_earlier { (1.0 / 3.0, "1/3") } else { (0.5, "1/2") };
    let limit = above(Way::NativeFull, "RS256").map(|native| native * times);
    add(&format!("hit, above plain; {text} of native full RS256"), hit, limit);
    for algorithm in ["RS256", "ES256"].into_iter().filter(|_| is_earlier) {
        let limit = above(Way::NativeFull, algorithm);
        add(&format!("new {algorithm} token, above plain; native full"), above(Way::New, algorithm), limit);
    }
    for way in [Way::ApiKey, Way::Opaque] {
        let name = format!("{}, above plain; do-nothing agent + {more}", way.name());
        add(&name, above(way, "HS256"), floor.map(|floor| floor + more));
    }
    let own = Wanted::usual(haproxy, Way::Hit).find(rows).map(|row| row.agent_us.median);
    add("hit, the agent alone", own, Some(if is_earlier { 2.5 } else { 5.0 }));
    let encrypted = Wanted::usual(haproxy, Way::Encrypted).find(rows);
    let whole = encrypted.map(|row| row.haproxy_us.median + row.agent_us.median + row.token_server_us.median);
    add("new JWE token, 500 + 500 rules, all processes", whole, Some(50.0));
    let late = |way| {
        let wanted = Wanted { half_load: true, ..Wanted::usual(haproxy, way) };
        wanted.find(rows).map(|row| row.p99_us.median)
    };
    let added = |way| late(way).zip(late(Way::Plain)).map(|(own, plain)| own - plain);
    let floor =
        added(Way::Nothing).map_or_else(String::new, |floor| format!("; do-nothing agent {floor:.0}"));
    add(&format!("p99 added at half load{floor}"), added(Way::Hit), Some(1000.0));
}

fn two_threads(rows: &[Row], targets: &mut Vec<Target>) {
    let Some(row) = rows.iter().find(|row| row.haproxy_threads == 2) else { return };
    let of = |way| {
        let wanted = Wanted { threads: 2, ..Wanted::usual(&row.haproxy, way) };
        wanted.find(rows).map(|row| row.per_second.median)
    };
    let share = of(Way::Hit).zip(of(Way::Plain)).map(|(hit, plain)| hit / plain);
    targets.push(Target {
        name: format!("{}: hits a second, two threads, of plain HAProxy's", row.haproxy),
        limit: "> 0.55".to_owned(),
        measured: share.map(|share| Measured { text: format!("{share:.2}"), met: share > 0.55 }),
    });
}

/// Flat: from the time when the tables are full to the end not a tenth more.
fn of_memory(memory: Option<&Value>, targets: &mut Vec<Target>) {
    let numbers = |pointer: &str| -> Option<Vec<f64>> {
        memory?.pointer(pointer)?.as_array()?.iter().map(Value::as_f64).collect()
    };
    let tokens = number(memory, "/tokens");
    for kind in ["good", "garbage"] {
        let growth = numbers(&format!("/{kind}/agent_mib")).and_then(|mib| {
            // Good tokens first fill the cache of 100,000 verdicts and what it remembers of those it let go; refused
            // ones are 10,000.
            let fill = if kind == "good" { 300_000.0 } else { 10_000.0 };
            let full = *mib.get((fill / tokens? * (mib.len() - 1) as f64).ceil() as usize)?;
            Some((full, *mib.last()?))
        });
        targets.push(Target {
            name: format!("memory under {} different tokens, {kind}", tokens.unwrap_or_default()),
            limit: "flat: < 10 % more".to_owned(),
            measured: growth.map(|(full, end)| Measured {
                text: format!("{full:.1} to {end:.1} MiB"),
                met: end < full * 1.1,
            }),
        });
    }
    let least =
        numbers("/garbage/hit_rate_of_good_tokens").map(|rates| rates.into_iter().fold(1.0, f64::min));
    targets.push(Target {
        name: "hit rate of good tokens while garbage comes".to_owned(),
        limit: ">= 0.99".to_owned(),
        measured: least.map(|least| Measured { text: format!("{least:.3}"), met: least >= 0.99 }),
    });
}

fn number(figures: Option<&Value>, pointer: &str) -> Option<f64> {
    figures?.pointer(pointer)?.as_f64()
}

/// A target that is met by whatever is not above `limit`.
pub(crate) fn at_most(name: &str, unit: &str, value: Option<f64>, limit: f64) -> Target {
    Target {
        name: name.to_owned(),
        limit: format!("<= {limit:.1} {unit}"),
        measured: value.map(|value| Measured { text: format!("{value:.1} {unit}"), met: value <= limit }),
    }
}
