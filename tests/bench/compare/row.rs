//! The figures of one line over all rounds: what is written, printed, drawn and held against targets.

use std::collections::BTreeSet;

use integration_tests::load::results::rounded;
use serde::{Deserialize, Serialize};

/// The middle of the rounds, and how far they lie apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// # Panics
    ///
    /// There was no round.
    pub(crate) fn of(rounds: impl Iterator<Item = f64>, digits: i32) -> Self {
        let mut rounds: Vec<f64> = rounds.collect();
        rounds.sort_by(f64::total_cmp);
        let at = |index: usize| rounded(rounds[index], digits).as_f64().unwrap_or_default();
        Self { median: at(rounds.len() / 2), min: at(0), max: at(rounds.len() - 1) }
    }
}

/// One line. Times in microseconds; processor time per answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) haproxy: String,
    pub(crate) way: String,
    pub(crate) algorithm: String,
    pub(crate) transport: String,
    pub(crate) connections: usize,
    pub(crate) haproxy_threads: usize,
    pub(crate) half_load: bool,
    /// Processor time of all processes above plain HAProxy of the same round. Where rules are written meanwhile, without the
    /// token-server's, which has nothing to do with requests then.
    pub(crate) above_plain_us: Spread,
    pub(crate) haproxy_us: Spread,
    pub(crate) agent_us: Spread,
    pub(crate) token_server_us: Spread,
    pub(crate) per_second: Spread,
    pub(crate) p50_us: Spread,
    pub(crate) p99_us: Spread,
    /// Of the machine's processors, the load's own part included.
    pub(crate) busy_percent: Spread,
    /// Requests of all rounds.
    pub(crate) requests: usize,
    /// Those that were not answered, or with another status than the right one.
    pub(crate) errors: usize,
    pub(crate) haproxy_rss_mib: f64,
    pub(crate) agent_rss_mib: f64,
    /// Requests that the agent was asked about, percent. Absent where it is always asked, or there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) asked_percent: Option<Spread>,
    /// Rules that a token-server was given meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rules_per_second: Option<Spread>,
}

/// Which line is meant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) haproxy: &'a str,
    pub(crate) way: crate::cell::Way,
    pub(crate) algorithm: &'a str,
    pub(crate) transport: &'a str,
    pub(crate) connections: usize,
    pub(crate) threads: usize,
    pub(crate) half_load: bool,
}

impl<'a> Wanted<'a> {
    /// HS256, a unix socket, 32 connections, one thread, as fast as it goes.
    pub(crate) fn usual(haproxy: &'a str, way: crate::cell::Way) -> Self {
        let (algorithm, transport) = ("HS256", "unix");
        Self { haproxy, way, algorithm, transport, connections: 32, threads: 1, half_load: false }
    }

    pub(crate) fn find(&self, rows: &'a [Row]) -> Option<&'a Row> {
        rows.iter().find(|row| {
            row.haproxy == self.haproxy
                && row.way == self.way.name()
                && row.algorithm == self.algorithm
                && row.transport == self.transport
                && row.connections == self.connections
                && row.haproxy_threads == self.threads
                && row.half_load == self.half_load
        })
    }
}

/// The releases that rows are about.
pub(crate) fn releases(rows: &[Row]) -> BTreeSet<&str> {
    rows.iter().map(|row| row.haproxy.as_str()).collect()
}

/// Prints rows of one HAProxy as a table.
pub(crate) fn print(title: &str, haproxy: &str, rows: &[Row]) {
    println!("\nHAProxy {title}: processor time per request, us, median of the rounds (least..most)\n");
    println!(
        "{:<58} {:>20} {:>8} {:>7} {:>7} {:>8} {:>8} {:>8} {:>6} {:>7} {:>8} {:>8} {:>7}",
        "",
        "above plain",
        "haproxy",
        "agent",
        "server",
        "req/s",
        "p50 us",
        "p99 us",
        "busy %",
        "errors",
        "ha MiB",
        "ag. MiB",
        "asked %"
    );
    for row in rows.iter().filter(|row| row.haproxy == haproxy) {
        let mut name = format!("{} {} {} c={}", row.way, row.algorithm, row.transport, row.connections);
        if row.haproxy_threads > 1 {
            name += &format!(" {} threads", row.haproxy_threads);
        }
        if row.half_load {
            name += " half load";
        }
        let Spread { median, min, max } = row.above_plain_us;
        println!(
            "{name:<58} {:>20} {:>8.2} {:>7.2} {:>7.2} {:>8.0} {:>8.0} {:>8.0} {:>6.0} {:>7} {:>8.1} {:>8.1} {:>7}",
            format!("{median:.2} ({min:.1}..{max:.1})"),
            row.haproxy_us.median,
            row.agent_us.median,
            row.token_server_us.median,
            row.per_second.median,
            row.p50_us.median,
            row.p99_us.median,
            row.busy_percent.median,
            row.errors,
            row.haproxy_rss_mib,
            row.agent_rss_mib,
            row.asked_percent.map_or_else(String::new, |asked| format!("{:.2}", asked.median)),
        );
    }
}
