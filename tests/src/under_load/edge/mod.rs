//! Verdicts inside HAProxy under a steady load, while one part after the other fails. Three things count: no token is let in for
//! longer after its rule than docs/REVOCATION.md says, no request hangs, and soon after each fault HAProxy answers by itself
//! again.

mod faults;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use faults::{Fault, Run};
use serde_json::json;

use super::traffic::{Case, Counts, Traffic};
use crate::http::Request;
use crate::keys::{ALGORITHMS, key};
use crate::token::{forge_signature, now, token, unsigned};
use crate::wait::{eventually, poll};

/// How long a token may be let in after its rule was acknowledged: `JWT_CACHE_TTL`, and one check. The store is embedded.
const BOUND: Duration = Duration::from_millis(2_000 + 800);
/// Good tokens, all of them frequent.
const TOKENS: usize = 26;
/// How long a fault stays: longer than a lease.
const LASTS: Duration = Duration::from_secs(3);
/// Within which HAProxy has to answer by itself again, without any request that could not be decided.
const SOON: Duration = Duration::from_secs(2);
/// How long it is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// In which nothing may fail after that.
const CALM: Duration = Duration::from_millis(500);
/// A machine that is busy with something else is late now and then, and not twice.
const TURNS: usize = 2;

/// What became of one fault.
struct Row {
    counts: Counts,
    /// From the end of the fault to the moment when all is as before.
    recovery: Option<Duration>,
    /// How long the token went on that was revoked meanwhile.
    refused_after: Option<Duration>,
}

impl Row {
    fn wrong(&self) -> u64 {
        self.counts.admitted_wrongly + self.counts.answered_wrongly + self.counts.hung
    }

    fn is_soon(&self) -> bool {
        self.recovery.is_some_and(|recovery| recovery <= SOON)
    }
}

/// Makes each fault whose name holds one of `names`, or all; tells whether every answer was right.
///
/// # Panics
///
/// The host does not come up, or not again.
pub fn run(names: &[String]) -> bool {
    let faults = faults::all();
    let wanted =
        |fault: &&Fault| names.is_empty() || names.iter().any(|name| fault.name.contains(name.as_str()));
    let wanted: Vec<_> = faults.iter().filter(wanted).collect();
    if wanted.is_empty() {
        return true;
    }
    let mut run = Run::start();
    let traffic = traffic(&run);
    println!(
        "{:<42}{:>8}{:>8}{:>8}{:>8}{:>6}{:>6}{:>10}{:>10}{:>7}",
        "fault, verdicts in HAProxy",
        "let in",
        "by map",
        "refused",
        "503",
        "lost",
        "hung",
        "recovery",
        "revoked",
        "WRONG"
    );
    let mut all_right = true;
    for (number, fault) in wanted.into_iter().enumerate() {
        if let Some(obstacle) = (fault.obstacle)(&run) {
            println!("{:<42}  NOT MADE: {obstacle}", fault.name);
            continue;
        }
        let mut is_right = false;
        for turn in 0..TURNS {
            let row = one(&mut run, &traffic, fault, &format!("witness{number}.{turn}"));
            print(fault, &row);
            run.site.backend.forget();
            is_right = row.wrong() == 0 && row.is_soon() && row.refused_after.is_some();
            if is_right || row.wrong() > 0 {
                break;
            }
        }
        all_right &= is_right;
    }
    for wrong in traffic.wrong() {
        println!("WRONG: {wrong}");
    }
    all_right
}

fn print(fault: &Fault, row: &Row) {
    let seconds = |time: Option<Duration>| {
        time.map_or_else(|| "never".to_owned(), |time| format!("{:.2} s", time.as_secs_f64()))
    };
    println!(
        "{:<42}{:>8}{:>8}{:>8}{:>8}{:>6}{:>6}{:>10}{:>10}{:>7}{}",
        fault.name,
        row.counts.admitted,
        row.counts.kept,
        row.counts.refused,
        row.counts.undecided,
        row.counts.lost,
        row.counts.hung,
        seconds(row.recovery),
        seconds(row.refused_after),
        row.wrong(),
        if row.is_soon() { "" } else { "  LATE" },
    );
}

fn of(claims: serde_json::Value) -> String {
    token(key("ES256"), claims)
}

/// Requests of every kind; the good ones are frequent.
fn traffic(run: &Run) -> Traffic {
    let site = &run.site;
    let exp = now() + 86_400;
    let mut cases = Vec::new();
    for (user, algorithm) in ALGORITHMS.into_iter().cycle().take(TOKENS).enumerate() {
        let good = token(key(algorithm), json!({"sub": format!("user{user}"), "exp": exp}));
        let forged = Request::get("/").bearer(&forge_signature(&good));
        if user < ALGORITHMS.len() {
            cases.push(Case::bad(&format!("forged {algorithm}"), &forged));
        }
        cases.push(Case::good(&format!("good {algorithm}"), &good));
    }
    let thief = json!({"sub": "thief", "exp": exp});
    site.token_server.as_ref().unwrap().revoke("thief", &json!({"sub": "thief"}));
    for (name, request) in [
        ("revoked", Request::get("/").bearer(&of(thief))),
        ("expired", Request::get("/").bearer(&of(json!({"exp": now() - 86_400})))),
        ("unsigned", Request::get("/").bearer(&unsigned("none", &json!({"sub": "alice", "exp": exp})))),
        ("no token", Request::get("/")),
        ("headers of ours", Request::get("/").header("x-tkn-valid", "1").header("x_tkn_valid", "1")),
    ] {
        eventually(name, || (site.send(0, &request).status == 401).then_some(()));
        cases.push(Case::bad(name, &request));
    }
    Traffic::start(&site.proxies[0].address, BOUND, cases)
}

fn one(run: &mut Run, traffic: &Traffic, fault: &Fault, user: &str) -> Row {
    let witness = Case::good(&format!("{user}'s token"), &of(json!({"sub": user, "exp": now() + 86_400})));
    traffic.add(Arc::clone(&witness));
    (fault.prepare)(run);
    traffic.ask_who_answers();
    eventually("HAProxy answers by itself", || traffic.is_kept().then_some(()));
    traffic.take();
    let end = (fault.make)(run);
    let made = Instant::now();
    let revoke = |run: &Run| {
        witness.may_be_revoked();
        run.site.token_server.as_ref().unwrap().revoke(user, &json!({"sub": user}));
        witness.revoked();
    };
    if fault.rules_are_taken {
        revoke(run);
    }
    let ended = end.map_or(made, |end| {
        thread::sleep(LASTS.saturating_sub(made.elapsed()));
        end(run);
        Instant::now()
    });
    let recovery = recovery(traffic, ended);
    if !fault.rules_are_taken {
        revoke(run);
    }
    let refused_after = poll(PATIENCE, || witness.refused_after());
    let row = Row { counts: traffic.take(), recovery, refused_after };
    traffic.remove(&witness);
    (fault.tidy)(run);
    row
}

/// From `ended` to the moment from which on HAProxy has let in every good token by itself, and no request has failed.
fn recovery(traffic: &Traffic, ended: Instant) -> Option<Duration> {
    poll(PATIENCE, || {
        traffic.ask_who_answers();
        let again = poll(PATIENCE, || traffic.is_kept().then(Instant::now))?;
        thread::sleep(CALM);
        let has_failed = traffic.last_failure().is_some_and(|failure| failure > again);
        (!has_failed).then(|| again.saturating_duration_since(ended))
    })
}
