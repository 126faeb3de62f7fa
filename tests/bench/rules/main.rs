//! The part `rules` of `make bench`: what many revocation rules cost.
//!
//! First rules alone in one process (`crates/rules/examples/scale.rs`, which must be built): memory, build time, match time.
//! Then a real token-server on a real Redis that holds 500 rules for each of `BENCH_USERS` (10,000) users and 500 for
//! everybody: processor time of a check, and how long an answer takes while rules are written at 100 a second through the
//! API. Prints tables and writes its part of `bench/results.json`.

mod checks;
mod scale;

use std::process::ExitCode;

use integration_tests::load::results::record;
use serde_json::json;

fn main() -> ExitCode {
    let users = std::env::var("BENCH_USERS").ok().and_then(|users| users.parse().ok()).unwrap_or(10_000);
    let done = scale::rows().and_then(|scale| {
        let figures = json!({
            "one_process": scale,
            "redis": {
                "users": users,
                "rules_of_a_user": checks::RULES,
                "rules_of_everybody": checks::RULES,
                "rows": checks::rows(users),
            },
        });
        record("rules", figures).map_err(|error| error.to_string())
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("rules: {why}");
            ExitCode::FAILURE
        }
    }
}
