//! The part `feed`: what many readers of the feed cost a token-server, and how soon they hear of a rule.

mod readers;

use std::thread;
use std::time::{Duration, Instant};

use integration_tests::load::cost::processor_time;
use integration_tests::load::results::rounded;
use integration_tests::socket::Address;
use integration_tests::token_server::TokenServer;
use integration_tests::wait::eventually;
use serde_json::{Value, json};

use self::readers::{Heard, NAME, Readers};
use crate::targets::{Target, at_most};

/// Agents that follow one token-server.
const READERS: usize = 1_000;
/// Rules a second while many are written.
const RULES: u32 = 100;
/// How long they are.
const SECONDS: u32 = 10;
/// Rules that are written one at a time, each after a silence.
const SINGLE: usize = 30;
/// A moment in which nothing is told.
const SILENCE: Duration = Duration::from_millis(300);

/// Measures on one token-server with an embedded store.
pub(crate) fn run() -> Value {
    let folder = tempfile::tempdir().unwrap();
    let server = TokenServer::start(folder.path(), "standard");
    let Address::Tcp(address) = server.address else { unreachable!("agents ask over TCP") };
    let mut bench = Bench { server, next: 0, sent: Vec::new(), acknowledged: Vec::new() };

    let alone = bench.many();
    let one = Readers::start(address, 1);
    let single_one = bench.single(&one, 1);
    drop(one);
    let readers = Readers::start(address, READERS);
    let at_rest = bench.over(&readers, |_| thread::sleep(Duration::from_secs(SECONDS.into())));
    let single_many = bench.single(&readers, READERS);
    let (first, mut busy) = (bench.next, json!(null));
    let together = bench.over(&readers, |bench| busy = bench.many());
    let heard = bench.all_heard(&readers, READERS * (bench.next - first));
    let figures = json!({
        "readers": READERS,
        "rules_per_second": RULES,
        "seconds": SECONDS,
        "without_readers": alone,
        "at_rest": at_rest,
        "with_readers": {
            "percent_of_a_processor": together["percent_of_a_processor"],
            "answers_per_second": together["answers_per_second"],
            "rules_written": busy["rules"],
            "gaps": readers.gaps(),
            "ms_from_sent": bench.delays(&heard, &bench.sent),
            "ms_from_acknowledged": bench.delays(&heard, &bench.acknowledged),
        },
        "single": [single_one, single_many],
    });
    println!("{figures:#}");
    figures
}

/// The budget, held against what was measured.
pub(crate) fn targets(figures: Option<&Value>) -> Vec<Target> {
    let percent =
        figures.and_then(|figures| figures.pointer("/with_readers/percent_of_a_processor")?.as_f64());
    vec![at_most("the token-server with 1,000 agents and 100 rules a second", "% of a core", percent, 100.0)]
}

struct Bench {
    server: TokenServer,
    /// The number of the next rule.
    next: usize,
    /// When each rule was sent, and when it was acknowledged.
    sent: Vec<Instant>,
    acknowledged: Vec<Instant>,
}

impl Bench {
    fn write(&mut self) {
        self.sent.push(Instant::now());
        self.server.revoke(&format!("{NAME}{}", self.next), &json!({"rt": "x"}));
        self.acknowledged.push(Instant::now());
        self.next += 1;
    }

    /// Rules at a pace, and what the server spent.
    fn many(&mut self) -> Value {
        let before = processor_time(self.server.process.id()).unwrap();
        let (begin, first) = (Instant::now(), self.next);
        for number in 0..RULES * SECONDS {
            let due = begin + Duration::from_secs(1) * number / RULES;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            self.write();
        }
        let spent = processor_time(self.server.process.id()).unwrap() - before;
        json!({
            "rules": self.next - first,
            "percent_of_a_processor": percent(spent, begin.elapsed()),
        })
    }

    /// What the server spends, and how much it answers, while something is done.
    fn over(&mut self, readers: &Readers, work: impl FnOnce(&mut Self)) -> Value {
        let (answers, spent) = (readers.answers(), processor_time(self.server.process.id()).unwrap());
        let begin = Instant::now();
        work(self);
        let took = begin.elapsed();
        let spent = processor_time(self.server.process.id()).unwrap() - spent;
        let answers = readers.answers() - answers;
        json!({
            "percent_of_a_processor": percent(spent, took),
            "answers_per_second": rounded(answers as f64 / took.as_secs_f64(), 0),
        })
    }

    /// Rules that come one at a time.
    fn single(&mut self, readers: &Readers, count: usize) -> Value {
        let first = self.next;
        let mut heard = Vec::new();
        for _ in 0..SINGLE {
            thread::sleep(SILENCE);
            self.write();
            heard.extend(self.all_heard(readers, count));
        }
        json!({
            "readers": count,
            "rules": self.next - first,
            "ms_from_sent": self.delays(&heard, &self.sent),
            "ms_from_acknowledged": self.delays(&heard, &self.acknowledged),
        })
    }

    /// All that readers heard of the last rules, once so much has come.
    fn all_heard(&self, readers: &Readers, count: usize) -> Vec<Heard> {
        let mut all = Vec::new();
        eventually("all readers have heard of the rules", || {
            all.extend(readers.heard());
            (all.len() >= count).then_some(())
        });
        assert_eq!(all.len(), count, "each reader hears of each rule once");
        all
    }

    /// From a moment of each rule to each reader; zero where a reader heard of it before.
    fn delays(&self, heard: &[Heard], from: &[Instant]) -> Value {
        let delays = heard.iter().map(|heard| heard.at.saturating_duration_since(from[heard.rule]));
        crate::samples::quantiles(delays.collect())
    }
}

fn percent(spent: Duration, of: Duration) -> Value {
    rounded(100.0 * spent.as_secs_f64() / of.as_secs_f64(), 1)
}
