//! Operators who change rules while something fails: each change and its entry in the audit trail must be there, or neither.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::json;

use crate::token_server::RuleWriter;

/// What the names of their subjects begin with.
const PREFIX: &str = "audited";

/// The time between two changes of one operator.
const PAUSE: Duration = Duration::from_millis(20);

/// One operator for each token-server.
#[derive(Debug)]
pub struct Operators {
    stop: Arc<AtomicBool>,
    working: Vec<JoinHandle<()>>,
}

/// Whether nothing but operators writes rules of this subject.
pub fn is_theirs(subject: &str) -> bool {
    subject.starts_with(PREFIX)
}

impl Operators {
    /// Starts them.
    pub fn start(servers: impl Iterator<Item = RuleWriter>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let operator = |(number, server): (usize, RuleWriter)| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                for step in number.. {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    change(&server, step);
                    thread::sleep(PAUSE);
                }
            })
        };
        Self { working: servers.enumerate().map(operator).collect(), stop }
    }

    /// Waits for their last answers.
    ///
    /// # Panics
    ///
    /// One of them did.
    pub fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.working.into_iter().for_each(|operator| operator.join().unwrap());
    }
}

/// One change; a server that is down or hangs does not make it.
fn change(server: &RuleWriter, step: usize) {
    let path = format!("/v1/rules/{PREFIX}{}", step % 3);
    let rule = json!({ "rt": (step % 5).to_string() });
    let (method, body) = match step % 7 {
        0..=3 => ("POST", json!({ "rule": rule, "note": format!("step {step}") }).to_string()),
        4 => ("POST", json!({ "rule": rule, "mode": "shadow" }).to_string()),
        5 => ("DELETE", json!({ "rule": rule, "note": "again" }).to_string()),
        _ => ("DELETE", String::new()),
    };
    let _lost = server.try_ask(method, &path, &body);
}
