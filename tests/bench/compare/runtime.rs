//! What HAProxy spends on being given verdicts and on having them removed, by the commands that the agent sends.

use std::time::{Duration, Instant};

use integration_tests::load::cost::{processor_time, resident};
use integration_tests::load::results::rounded;
use integration_tests::wait::eventually;
use jwt_agent::haproxy::edge::commands::Maps;
use jwt_agent::haproxy::edge::entry::{Key, Layout};
use jwt_agent::haproxy::edge::ledger::Batch;
use jwt_agent::haproxy::runtime::Runtime;
use serde_json::{Value, json};

use crate::cell::{Cell, Way};
use crate::edge::Edge;
use crate::release::Release;
use crate::traffic::steady;

/// Verdicts that HAProxy has.
const STANDING: usize = 10_000;
/// Tokens in a second that come often enough to be given, and as many that end.
const PER_SECOND: usize = 1_000;
/// How many of them are gathered to one batch.
const BATCH: usize = 5;
const MEASURE: Duration = Duration::from_secs(3);

/// Measures on one release: with a map that is full, verdicts that are written, then others that are written and removed.
pub(crate) fn run(release: &Release) -> Value {
    let cell = Cell::new(release, Way::EdgeOne);
    let edge = Edge::start(&cell, None, &steady("HS256", 1)[..1]);
    let maps = Maps {
        verdicts: edge.path("verdicts.map").display().to_string(),
        leases: edge.path("leases.map").display().to_string(),
    };
    // The agent has removed what might be left of an earlier one.
    eventually("the agent has begun", || {
        edge.agent_metric("jwt_agent_edge_clears_total").filter(|clears| *clears > 0.0)
    });
    let reactor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    reactor.block_on(async {
        let mut api = Api { runtime: Runtime::open(&edge.path("edge.sock")).await.unwrap(), maps, next: 0 };
        let haproxy = edge.haproxy.id();
        let mib = || resident(haproxy).unwrap() as f64 / 1_048_576.0;
        let empty = mib();
        while api.next < STANDING {
            api.change(50, 0).await;
        }
        let full = mib();
        // Health checks and leases.
        let begin = processor_time(haproxy).unwrap();
        tokio::time::sleep(MEASURE).await;
        let rest = processor_time(haproxy).unwrap() - begin;
        let written = api.at_pace(haproxy, 0).await.saturating_sub(rest);
        let replaced = api.at_pace(haproxy, BATCH).await.saturating_sub(rest);
        let count = PER_SECOND as f64 * MEASURE.as_secs_f64();
        let us = |time: Duration| rounded(time.as_secs_f64() * 1e6 / count, 1);
        let percent = |time: Duration| rounded(time.as_secs_f64() * 100.0 / MEASURE.as_secs_f64(), 1);
        println!(
            "{release}: {:.1} MiB for {STANDING} verdicts, {} us to write one, {} us to replace one",
            full - empty,
            us(written),
            us(replaced)
        );
        json!({
            "haproxy": release.to_string(),
            "verdicts": STANDING,
            "mib": rounded(full - empty, 1),
            "per_second": PER_SECOND,
            "us_written": us(written),
            "us_written_and_removed": us(replaced),
            "percent_of_a_processor_written": percent(written),
            "percent_of_a_processor_written_and_removed": percent(replaced),
        })
    })
}

/// A connection to HAProxy's runtime API.
struct Api {
    runtime: Runtime,
    maps: Maps,
    /// Verdicts that were written, each with a number.
    next: usize,
}

impl Api {
    /// Writes so many verdicts, and removes as many of the oldest.
    async fn change(&mut self, writes: usize, deletes: usize) {
        let key = |number: usize| Key::of(&format!("Bearer {number}"), &Layout::default(), "").unwrap();
        let value = |number: usize| {
            (key(number), "alice@example.com|alice|0123456789abcdef.1.0|1800000000000".to_owned())
        };
        let oldest = self.next.saturating_sub(STANDING);
        let batch = Batch {
            adds: (self.next..self.next + writes).map(value).collect(),
            deletes: (oldest..oldest + deletes).map(key).collect(),
            ..Batch::default()
        };
        self.next += writes;
        let answer = self.runtime.ask(&self.maps.changes(&batch)).await.unwrap();
        assert!(!answer.contains("not found") && !answer.contains("Unknown"), "{answer}");
    }

    /// A batch of writes and `deletes` at a time, and what HAProxy spent on them.
    async fn at_pace(&mut self, haproxy: u32, deletes: usize) -> Duration {
        let before = processor_time(haproxy).unwrap();
        let begin = Instant::now();
        let pause =
            Duration::from_secs(1) * u32::try_from(BATCH).unwrap() / u32::try_from(PER_SECOND).unwrap();
        for number in 1.. {
            self.change(BATCH, deletes).await;
            let due = begin + pause * number;
            if due.duration_since(begin) >= MEASURE {
                break;
            }
            tokio::time::sleep_until(due.into()).await;
        }
        processor_time(haproxy).unwrap() - before
    }
}
