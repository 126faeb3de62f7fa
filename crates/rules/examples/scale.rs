//! What a set of many rules costs: memory, time to build, time of a match, time of a write.
//!
//!     cargo run --release -p rules --example scale [-- COUNT...]
//!
//! The rules are those of the busiest kind of installation: one refresh token each, half of them with a time besides, all
//! with an end. Memory is the growth of the process, so that each count runs in a process of its own.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a program for people, which may fail loudly")]

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use rules::{Claims, ExpireAt, Rule, RuleEntry, RuleSet};

const COUNTS: [&str; 3] = ["100", "10000", "1000000"];
const TOKENS: u64 = 65_536;
const ROUNDS: usize = 15;
const WRITES: u32 = 10_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [one] = arguments.as_slice() {
        return measure(one.parse().expect("a number of rules"));
    }
    println!("      rules  MiB  bytes/rule  build s  hit ns  miss ns  write us");
    let counts = if arguments.is_empty() { COUNTS.map(str::to_owned).to_vec() } else { arguments };
    let program = std::env::current_exe().expect("this program's path");
    for count in counts {
        assert!(Command::new(&program).arg(count).status().expect("this program runs").success());
    }
}

fn measure(count: u64) {
    let before = resident();
    let begin = Instant::now();
    let mut set = RuleSet::default();
    for number in 0..count {
        set.insert(entry(number)).expect("room");
    }
    let build = begin.elapsed();
    let memory = resident() - before;

    let tokens = |from: u64| -> Vec<Claims> {
        (from..from + TOKENS).map(|at| token(at * 7919 % count.max(1) + from)).collect()
    };
    let hit = time_matches(&set, &tokens(0), true);
    let miss = time_matches(&set, &tokens(count * 2), false);
    let write = time_writes(&mut set, count);
    println!(
        "{count:>11}  {:>3}  {:>10}  {:>7.2}  {:>6}  {:>7}  {:>8.1}",
        memory >> 20,
        memory / count.max(1),
        build.as_secs_f64(),
        hit.as_nanos(),
        miss.as_nanos(),
        write.as_secs_f64() * 1e6,
    );
}

/// The fastest of some rounds: other programs only make a round slower.
fn time_matches(set: &RuleSet, tokens: &[Claims], expected: bool) -> Duration {
    let rounds = (0..ROUNDS).map(|_| {
        let begin = Instant::now();
        for claims in tokens {
            assert_eq!(set.matches(black_box(claims), 0), expected);
        }
        begin.elapsed() / u32::try_from(tokens.len()).expect("a small number")
    });
    rounds.min().expect("a round")
}

/// One rule comes and another one goes, as they do all day.
fn time_writes(set: &mut RuleSet, count: u64) -> Duration {
    let entries: Vec<_> = (count..count + u64::from(WRITES)).map(entry).collect();
    let begin = Instant::now();
    for (added, gone) in entries.into_iter().zip(0_u64..) {
        set.insert(added).expect("room");
        set.remove(entry(gone).rule.canonical());
    }
    begin.elapsed() / WRITES
}

fn entry(number: u64) -> RuleEntry {
    let json = if number.is_multiple_of(2) {
        format!(r#"{{"rt":"{}"}}"#, id(number))
    } else {
        format!(r#"{{"aud":"api","rt":"{}","iat":{{"lt":1700000000}}}}"#, id(number))
    };
    let expire_at = ExpireAt::At(1_800_000_000 + i64::try_from(number % 100_000).expect("a small number"));
    RuleEntry { rule: Rule::parse(&json).expect("a rule"), expire_at }
}

fn token(number: u64) -> Claims {
    let json = format!(
        r#"{{"iss":"https://login.example.com","aud":"api","sub":"user-{number}","iat":1690000000,"exp":1700003600,
            "cs":"{}","rt":"{}","st":1,"roles":["user","admin"]}}"#,
        id(number + 1),
        id(number)
    );
    serde_json::from_str(&json).expect("claims")
}

/// As long as a UUID, and as little alike.
fn id(number: u64) -> String {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    format!("{mixed:016x}-{:019x}", mixed.rotate_left(29))
}

/// Bytes of memory that the process has, as Linux tells.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib << 10
}
