//! How long a set of many rules is held at a time while it is changed: a match waits meanwhile.
//!
//!     cargo run --release -p rules --example holds [-- COUNT [STEP]]
//!
//! COUNT rules (500,000) end together and are removed in steps of STEP (250, as the token-server does), beside a tenth as many
//! that stay. Each kind of rule runs in turn: those of the busiest kind of installation, the dearest to remove, and the dearest to
//! scan, of which a set has 10,000 at most.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a program for people, which may fail loudly")]

use std::time::Duration;

use rules::{ExpireAt, MAX_CONDITIONS, MAX_SCANNED_RULES, Rule, RuleEntry, RuleSet};

/// As both programs allocate: what is freed costs time as well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const END: i64 = 1_800_000_000;

/// Kinds of rules: the name, at most how many of them, and the text of one.
type Kind = (&'static str, usize, fn(usize) -> String);

const KINDS: [Kind; 3] =
    [("usual", usize::MAX, usual), ("largest", 50_000, largest), ("scanned", MAX_SCANNED_RULES, scanned)];

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>().expect("a number"));
    let (count, step) = (arguments.next().unwrap_or(500_000), arguments.next().unwrap_or(250));
    println!("   kind    rules  longest insert ms  steps  longest step ms  all steps ms");
    for (kind, most, text) in KINDS {
        let count = count.min(most);
        let mut set = RuleSet::default();
        let staying = if most == MAX_SCANNED_RULES { 0 } else { count / 10 };
        let inserts = (0..count + staying).map(|number| {
            let expire_at = ExpireAt::At(if number < count { END } else { END + 1 });
            let entry = RuleEntry { rule: Rule::parse(&text(number)).expect("a rule"), expire_at };
            timed(|| set.insert(entry).expect("room")).0
        });
        let longest_insert = inserts.max().unwrap_or_default();
        let mut steps = Vec::new();
        loop {
            let (took, removed) = timed(|| set.remove_ended(END, step));
            if removed == 0 {
                break;
            }
            steps.push(took);
        }
        assert_eq!(set.len(), staying, "all that have ended are gone, and no other");
        println!(
            "{kind:>7}  {count:>7}  {:>17.2}  {:>5}  {:>15.2}  {:>12.1}",
            milliseconds(longest_insert),
            steps.len(),
            milliseconds(steps.iter().copied().max().unwrap_or_default()),
            milliseconds(steps.iter().sum()),
        );
    }
}

/// The processor's time for it: what else runs on the machine counts as nothing.
fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let begin = processor_time();
    let done = work();
    (processor_time().saturating_sub(begin), done)
}

fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("a time since the thread began")
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// One refresh token each, half of them with a time besides.
fn usual(number: usize) -> String {
    if number.is_multiple_of(2) {
        format!(r#"{{"rt":"{}"}}"#, id(number))
    } else {
        format!(r#"{{"aud":"api","rt":"{}","iat":{{"lt":1700000000}}}}"#, id(number))
    }
}

/// As many conditions as a rule may have, and nearly as many bytes.
fn largest(number: usize) -> String {
    let conditions =
        (1..MAX_CONDITIONS).map(|place| format!(r#""claim_{place}":"{number} {}""#, "x".repeat(90)));
    let conditions: Vec<String> = conditions.chain([format!(r#""rt":"{}""#, id(number))]).collect();
    format!("{{{}}}", conditions.join(","))
}

/// No equality leads to it.
fn scanned(number: usize) -> String {
    format!(r#"{{"iat":{{"lt":{number}}}}}"#)
}

/// As long as a UUID, and as little alike.
fn id(number: usize) -> String {
    let mixed = u64::try_from(number).expect("64 bits").wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    format!("{mixed:016x}-{:019x}", mixed.rotate_left(29))
}
