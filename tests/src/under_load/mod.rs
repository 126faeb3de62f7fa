//! The whole under a steady load while something fails, or while nothing does for a long time. What counts is one thing: no
//! request is let in that must not be. How long each fault takes to be over is printed.

mod agents;
pub mod clock;
pub mod edge;
pub mod faults;
pub mod link;
pub mod operators;
pub mod peers;
pub mod relay;
pub mod rotation;
pub mod soak;
pub mod stage;
pub mod traffic;

use std::thread;
use std::time::{Duration, Instant};

use faults::{Fault, Undo};
use stage::{BOUND, Stage};
use traffic::{Counts, Traffic};

use crate::wait::poll;

/// How long a fault stays.
const LASTS: Duration = Duration::from_secs(3);

/// How long one stays during which rules cannot be read: longer than what was read may be used.
const LASTS_WITHOUT_RULES: Duration = Duration::from_secs(7);

/// A fault is over when nothing has failed for so long.
const CALM: Duration = Duration::from_secs(1);

/// How long it may take to be over.
const PATIENCE: Duration = Duration::from_secs(30);

/// What became of one fault.
#[derive(Debug)]
struct Row {
    during: Counts,
    after: Counts,
    /// From when the fault began to be undone to the last good request that failed.
    recovery: Option<Duration>,
    /// How long the token went on that was revoked meanwhile.
    refused_after: Option<Duration>,
    /// Where the audit trail and the rules disagree.
    disagreements: Vec<String>,
}

/// Makes each fault whose name holds one of `names`, or all; tells whether every answer was right.
///
/// # Panics
///
/// The stage does not come up, or not again.
pub fn run(names: &[String]) -> bool {
    let mut stage = Stage::start();
    let traffic = stage.traffic();
    stage.wait_passing(&traffic);
    println!(
        "{:<42}{:>8}{:>8}{:>8}{:>6}{:>10}{:>10}{:>10}{:>7}",
        "fault", "let in", "refused", "503", "lost", "slowest", "recovery", "revoked", "WRONG"
    );
    let is_wanted = |fault: &Fault| names.is_empty() || names.iter().any(|name| fault.name.contains(name));
    let mut all_right = true;
    for (number, fault) in faults::all().iter().filter(|fault| is_wanted(fault)).enumerate() {
        let row = one(&mut stage, &traffic, fault, &format!("witness{number}"));
        let wrong = [row.during, row.after].map(|counts| counts.admitted_wrongly + counts.answered_wrongly);
        let wrong = wrong[0] + wrong[1];
        let seconds = |time: Option<Duration>| {
            time.map_or_else(|| "never".to_owned(), |time| format!("{:.2} s", time.as_secs_f64()))
        };
        println!(
            "{:<42}{:>8}{:>8}{:>8}{:>6}{:>7} ms{:>10}{:>10}{wrong:>7}",
            fault.name,
            row.during.admitted,
            row.during.refused,
            row.during.undecided,
            row.during.lost,
            row.during.slowest.max(row.after.slowest),
            seconds(row.recovery),
            seconds(row.refused_after),
        );
        row.disagreements.iter().for_each(|why| println!("WRONG, in the audit trail: {why}"));
        all_right &= row.disagreements.is_empty();
        all_right &= wrong == 0 && row.recovery.is_some() && row.refused_after.is_some();
        stage.edge.backend.forget();
    }
    for wrong in traffic.wrong() {
        println!("WRONG: {wrong}");
    }
    all_right
}

fn one(stage: &mut Stage, traffic: &Traffic, fault: &Fault, user: &str) -> Row {
    let witness = stage.witness(user);
    traffic.add(witness.clone());
    stage.wait_passing(traffic);
    traffic.take();
    traffic.without_keys(fault.takes_keys);
    let operators = stage.operators();
    let Undo { end, tidy } = (fault.make)(stage);
    let made = Instant::now();
    if fault.redis_takes_rules {
        stage.revoke(user, &witness);
    }
    let lasts = if fault.redis_takes_rules { LASTS } else { LASTS_WITHOUT_RULES };
    thread::sleep(lasts.saturating_sub(made.elapsed()));
    let during = traffic.take();
    let undone = Instant::now();
    end(stage);
    let is_calm = || {
        let failed = traffic.last_failure().unwrap_or(undone).max(undone);
        (failed.elapsed() > CALM && traffic.admitted() > 0).then(|| failed - undone)
    };
    let recovery = poll(PATIENCE, is_calm);
    traffic.without_keys(false);
    if !fault.redis_takes_rules {
        stage.revoke(user, &witness);
    }
    let refused_after = poll(BOUND * 2, || witness.refused_after());
    tidy(stage);
    operators.end();
    let disagreements = stage.trail_disagreements();
    Row { during, after: traffic.take(), recovery, refused_after, disagreements }
}
