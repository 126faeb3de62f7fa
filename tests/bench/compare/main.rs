//! The comparison of `make bench`: plain HAProxy, HAProxy's own `jwt_verify`, the agent, and an agent that does nothing,
//! side by side in one run.
//!
//! ```text
//! compare edge | edge-hit | delay | streams | signals | opaque | feed | decisions | memory | forward-auth | report
//! ```
//!
//! All but the last measure and write their part of `bench/results.json`; `report` prints the tables, draws the charts
//! and holds the figures against the project's targets. `BENCH=full` runs every line, `BENCH_ONLY` those whose
//! name contains it, each `BENCH_ROUNDS` (3) times, those of `edge-hit` in `BENCH_TURNS` (15); `BENCH_TOKENS` (1,000,000)
//! is for `memory`, `BENCH_STREAMS` (5,000) for `streams`, whose parts are `ends`, `many` and `brief`.
//! Lines run in turns, each with processes of its own, and are compared within their round: what else the machine does
//! meets all alike. Costs are processor time per answer, as the scheduler counts it.

mod cell;
mod chart;
mod decisions;
mod delay;
mod edge;
mod feed;
mod forward_auth;
mod kept;
mod kept_delay;
mod memory;
mod opaque;
mod release;
mod report;
mod rounds;
mod row;
mod runtime;
mod samples;
mod signals;
mod sources;
mod streams;
mod targets;
mod traffic;
mod turns;

use std::io;
use std::process::ExitCode;

use integration_tests::load::results::record;
use serde_json::{Value, json};

fn main() -> ExitCode {
    // Cargo adds an option of its own.
    for part in std::env::args().skip(1).filter(|argument| !argument.starts_with("--")) {
        let done = match part.as_str() {
            "edge" => record("edge", edge_figures()),
            "edge-hit" => record("edge-hit", edge_hit_figures()),
            "signatures" => record("signatures", signature_figures()),
            "delay" => record("delay", delay::run(&release::installed())).and_then(|()| {
                let kept: Vec<Value> = release::releases().iter().map(kept_delay::run).collect();
                record("delay-edge", json!(kept))
            }),
            "streams" => {
                let open = number("BENCH_STREAMS", 5_000).max(samples::SAMPLES);
                let only = only();
                let measure = |release| streams::run(release, open, &only);
                let figures: Vec<Value> = release::releases().iter().map(measure).collect();
                record("streams", json!(figures))
            }
            "signals" => record("signals", signals::run(&release::installed())),
            "opaque" => record("opaque", opaque::run(&release::installed())),
            "feed" => record("feed", feed::run()),
            "decisions" => record("decisions", decisions::run(&release::installed())),
            "memory" => {
                record("memory", memory::run(&release::installed(), number("BENCH_TOKENS", 1_000_000)))
            }
            "forward-auth" => {
                let rounds = number("BENCH_ROUNDS", 3);
                record("forward-auth", json!({"rounds": rounds, "rows": forward_auth::run(rounds, &only())}))
            }
            "report" => report::run(),
            other => Err(io::Error::other(format!("no such part: {other}"))),
        };
        if let Err(error) = done {
            eprintln!("{part}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn edge_figures() -> Value {
    let only = only();
    let rounds = number("BENCH_ROUNDS", 3);
    let mut cells = cell::cells(&release::releases(), is_full());
    // A line is compared with plain HAProxy, which therefore always runs.
    cells.retain(|cell| cell.way == cell::Way::Plain || cell.to_string().contains(&only));
    json!({"rounds": rounds, "rows": rounds::run(&cells, rounds)})
}

fn edge_hit_figures() -> Value {
    let (only, turns, releases) = (only(), number("BENCH_TURNS", 15), release::releases());
    let mut cells = cell::edge_hits(&releases, is_full());
    // Lines are compared with plain HAProxy, and with HAProxy's own check.
    let is_reference = |way| {
        use cell::Way::{NativeMany, NativeSteady, Plain, PlainMany};
        matches!(way, Plain | PlainMany | NativeSteady | NativeMany)
    };
    cells.retain(|cell| is_reference(cell.way) || cell.to_string().contains(&only));
    let runtime: Vec<Value> =
        if only.is_empty() { releases.iter().map(runtime::run).collect() } else { Vec::new() };
    json!({"turns": turns, "rows": turns::run(&releases, &cells, turns), "runtime": runtime})
}

fn signature_figures() -> Value {
    let (turns, releases) = (number("BENCH_TURNS", 15), release::releases());
    json!({"turns": turns, "rows": turns::run(&releases, &cell::signatures(&releases), turns)})
}

/// What the names of lines must contain.
fn only() -> String {
    std::env::var("BENCH_ONLY").unwrap_or_default()
}

fn is_full() -> bool {
    std::env::var("BENCH").is_ok_and(|scope| scope == "full")
}

fn number(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise).max(1)
}
