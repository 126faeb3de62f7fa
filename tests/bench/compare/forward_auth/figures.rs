//! The figures of forward-auth: what is written, printed, and held against targets.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::line::{Judge, Line, Tokens};
use super::{Sample, Used};
use crate::row::Spread;
use crate::targets::{Measured, Target, at_most};

/// The most that the token-server alone may use for a token that it knows, and for one that it does not; microseconds.
const KNOWN_US: f64 = 25.0;
const NEW_US: f64 = 60.0;

/// One line over all rounds. Times in microseconds; processor time per answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    line: String,
    proxy_us: Spread,
    /// Absent where it is not asked.
    token_server_us: Option<Spread>,
    /// The most that the token-server may use.
    token_server_limit_us: Option<f64>,
    per_second: Spread,
    p50_us: Spread,
    p99_us: Spread,
    /// Of all rounds.
    requests: usize,
    /// Those that were not answered, or with another status than the right one.
    errors: usize,
    proxy_rss_mib: Spread,
    token_server_rss_mib: Option<Spread>,
}

impl Row {
    pub(super) fn of(line: Line, samples: &[Sample]) -> Self {
        let spread = |of: &dyn Fn(&Sample) -> f64, digits| Spread::of(samples.iter().map(of), digits);
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let of_server = |of: fn(&Used) -> f64| {
            let all: Option<Vec<f64>> =
                samples.iter().map(|sample| sample.token_server.as_ref().map(of)).collect();
            all.map(|all| Spread::of(all.into_iter(), 1))
        };
        Self {
            line: line.to_string(),
            proxy_us: spread(&|sample| sample.proxy.us, 1),
            token_server_us: of_server(|used| used.us),
            token_server_limit_us: match (line.judge, line.tokens) {
                (Judge::TokenServer, Tokens::Known | Tokens::ApiKey | Tokens::Opaque) => Some(KNOWN_US),
                (Judge::TokenServer, Tokens::New) => Some(NEW_US),
                // A call to another server is in it.
                (Judge::TokenServer, Tokens::OpaqueNew) => None,
                (Judge::Nothing | Judge::NoToken | Judge::JwtAuthn | Judge::JwtAuthnCache, _) => None,
            },
            per_second: spread(&|sample| sample.outcome.per_second(), 0),
            p50_us: spread(&|sample| micros(sample.outcome.quantile(0.5)), 0),
            p99_us: spread(&|sample| micros(sample.outcome.quantile(0.99)), 0),
            requests: samples.iter().map(|sample| sample.outcome.answers).sum(),
            errors: samples.iter().map(|sample| sample.outcome.errors).sum(),
            proxy_rss_mib: spread(&|sample| sample.proxy.mib, 1),
            token_server_rss_mib: of_server(|used| used.mib),
        }
    }
}

/// Prints all as a table.
pub(crate) fn print(rows: &[Row]) {
    println!("\nforward-auth: processor time per request, us, medians of the rounds (least..most)\n");
    println!(
        "{:<44} {:>22} {:>20} {:>7} {:>8} {:>8} {:>7} {:>9} {:>10}",
        "", "proxy", "token-server", "req/s", "p50 us", "p99 us", "errors", "proxy MiB", "server MiB"
    );
    let text = |Spread { median, min, max }: Spread| format!("{median:.1} ({min:.1}..{max:.1})");
    for row in rows {
        println!(
            "{:<44} {:>22} {:>20} {:>7.0} {:>8.0} {:>8.0} {:>7} {:>9.1} {:>10}",
            row.line,
            text(row.proxy_us),
            row.token_server_us.map(text).unwrap_or_default(),
            row.per_second.median,
            row.p50_us.median,
            row.p99_us.median,
            row.errors,
            row.proxy_rss_mib.median,
            row.token_server_rss_mib.map(|mib| format!("{:.1}", mib.median)).unwrap_or_default(),
        );
    }
}

/// What the token-server alone may cost, and that every answer was right.
pub(crate) fn targets(rows: &[Row]) -> Vec<Target> {
    let mut targets: Vec<Target> = rows
        .iter()
        .filter_map(|row| {
            let name = format!("{}, the token-server alone", row.line);
            Some(at_most(&name, "us", row.token_server_us.map(|us| us.median), row.token_server_limit_us?))
        })
        .collect();
    let (requests, errors) =
        rows.iter().fold((0, 0), |(requests, errors), row| (requests + row.requests, errors + row.errors));
    if requests > 0 {
        targets.push(Target {
            name: "forward-auth: answers with a wrong status, or none".to_owned(),
            limit: "0".to_owned(),
            measured: Some(Measured { text: format!("{errors} of {requests}"), met: errors == 0 }),
        });
    }
    targets
}
