//! Verdicts in HAProxy: how its configuration looks for them, how it comes to have them, and the rules that are written
//! meanwhile.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use integration_tests::load::Load;
use integration_tests::process::repository;
use integration_tests::token_server::TokenServer;
use serde_json::json;

use crate::edge::Edge;

/// The variables that entries have, in their order, beside those that are the same in all.
pub(crate) const VARIABLES: [&str; 2] = ["payload.email", "payload.sub"];
/// The variables of the shipped configuration, which has the whole token where others have claims.
const SHIPPED: [&str; 4] = ["body", "header", "legacy", "stateless"];
/// How long HAProxy may take to have its verdicts.
const FILLED_WITHIN: Duration = Duration::from_secs(60);
/// Rules that are written in a second.
const RULES: u32 = 100;

/// What an agent is told of HAProxy's maps in `folder`.
pub(crate) fn settings(folder: &Path) -> [(&'static str, String); 3] {
    let path = |name: &str| folder.join(name).display().to_string();
    [
        ("JWT_EDGE_SOCKETS", path("edge.sock")),
        ("JWT_EDGE_MAP", path("verdicts.map")),
        ("JWT_EDGE_LEASES", path("leases.map")),
    ]
}

/// The lines of the shipped configuration that look for a verdict and ask where there is none, with two claims as variables
/// instead of the whole token.
pub(crate) fn rules() -> String {
    let shipped = fs::read_to_string(repository().join("haproxy/haproxy-edge.cfg")).unwrap();
    let mut rules = String::from("\n    filter spoe engine jwt-group config \"${SPOE_CONF}\"");
    let lines = shipped.lines().skip_while(|line| !line.contains("acl tkn_elsewhere"));
    let mut is_whole = false;
    for line in lines.filter(|line| !line.trim_start().starts_with('#')) {
        if is_whole {
            break;
        }
        is_whole = line.contains("send-spoe-group");
        let shipped = SHIPPED.iter().position(|name| line.contains(&format!("set-var(txn.tkn.{name})")));
        let own = match shipped {
            None => vec![line.replace(&SHIPPED.join(","), &VARIABLES.join(","))],
            // The line of a text serves for texts; those of the other variables have no counterpart.
            Some(0) => VARIABLES.iter().zip(1..).map(|(name, field)| of_text(line, name, field)).collect(),
            Some(_) => Vec::new(),
        };
        own.iter().for_each(|own| rules.extend(["\n", own]));
    }
    assert!(is_whole, "haproxy-edge.cfg has other lines: {rules}");
    rules
}

/// The line of the shipped file's first variable for another one.
fn of_text(line: &str, name: &str, field: usize) -> String {
    line.replace(&format!("txn.tkn.{}", SHIPPED[0]), &format!("txn.tkn.{name}"))
        .replace("field(1,", &format!("field({field},"))
}

/// Loads until HAProxy has so many verdicts.
pub(crate) fn fill(edge: &Edge, load: &Load, verdicts: usize) {
    let begin = Instant::now();
    loop {
        load.run();
        let has = edge.agent_metric(&entries(edge)).unwrap_or_default();
        if has >= verdicts as f64 {
            break;
        }
        let metrics = || edge.agent.as_ref().map(|agent| agent.admin("/metrics").to_string());
        assert!(
            begin.elapsed() < FILLED_WITHIN,
            "HAProxy has {has} verdicts of {verdicts}\n{}\n{}",
            edge.agent.as_ref().map(|agent| agent.process.log()).unwrap_or_default(),
            metrics().unwrap_or_default(),
        );
    }
    // The last ones are written.
    load.run();
}

fn entries(edge: &Edge) -> String {
    format!("jwt_agent_edge_entries{{socket=\"{}\"}}", edge.path("edge.sock").display())
}

/// Requests that the agent was asked about so far.
pub(crate) fn asked(edge: &Edge) -> f64 {
    ["cache_hits", "cache_misses", "cache_lapses"]
        .map(|name| edge.agent_metric(&format!("jwt_agent_{name}_total")).unwrap_or_default())
        .into_iter()
        .sum()
}

/// Rules for other subjects, written until this ends.
#[derive(Debug)]
pub(crate) struct Rules {
    written: Arc<AtomicUsize>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Rules {
    pub(crate) fn write(server: &TokenServer) -> Self {
        let (written, ends) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, ended, writer) = (Arc::clone(&written), Arc::clone(&ends), server.rule_writer());
        let thread = thread::spawn(move || {
            let begin = Instant::now();
            for number in 0_u32.. {
                let due = begin + Duration::from_secs(1) / RULES * number;
                thread::sleep(due.saturating_duration_since(Instant::now()));
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                writer.revoke(&format!("other-{number}"), &json!({"iat": {"lt": 1_000_000_000}}));
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { written, ends, thread: Some(thread) }
    }

    pub(crate) fn written(&self) -> usize {
        self.written.load(Ordering::Relaxed)
    }
}

impl Drop for Rules {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "rules could not be written");
        }
    }
}
