//! Checks by a token-server whose rules are in Redis, while rules are written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use integration_tests::load::{Amount, Load, Prepared, cost};
use integration_tests::socket::Address;
use integration_tests::stores::Redis;
use integration_tests::token_server::TokenServer;
use serde_json::{Value, json};

/// Rules of each user, and of everybody.
pub(crate) const RULES: usize = 500;

/// Users whose rules the server's memory surely holds.
const HOT_USERS: usize = 1_000;

/// Checks that are sent again and again.
const DIFFERENT_REQUESTS: usize = 4_000;

/// How long a row is measured.
const MEASURED: Duration = Duration::from_secs(8);

/// Room for the rules of all users: what is measured is checks, not reading.
const CACHE_BYTES: &str = "8589934592";

/// Connections, as from some agents.
const CONNECTIONS: usize = 8;

/// The time between two writes: 100 a second.
const WRITE_PERIOD: Duration = Duration::from_millis(10);

struct Row {
    name: String,
    users: usize,
    batch: usize,
    writes: bool,
}

/// Measures all rows and prints them.
pub(crate) fn rows(users: usize) -> Vec<Value> {
    let redis = Redis::start(&["--notify-keyspace-events", "Kzg"]);
    let begin = Instant::now();
    fill(&redis, users);
    eprintln!("{users} users with {RULES} rules each are in Redis after {:.0?}", begin.elapsed());
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [("TOKEN_SERVER__REDIS__URLS", redis.url()), ("TOKEN_SERVER__CACHE__BYTES", CACHE_BYTES)];
    let server = TokenServer::start_with(folder.path(), "standard", &settings);
    let hot = HOT_USERS.min(users);
    let row = |users, batch, writes: bool| Row {
        name: format!("{users} users, batches of {batch}{}", if writes { ", 100 writes/s" } else { "" }),
        users,
        batch,
        writes,
    };
    println!("A token-server on Redis: {RULES} rules of the user and {RULES} of everybody\n");
    println!(
        "{:44} {:>10} {:>10} {:>14} {:>8} {:>8} {:>8} {:>8}",
        "", "checks/s", "CPU us", "checks/s/core", "p50 ms", "p99 ms", "unknown", "MiB"
    );
    [row(hot, 16, false), row(hot, 16, true), row(hot, 1, true), row(users, 16, true)]
        .into_iter()
        .map(|row| measure(&server, &row))
        .collect()
}

fn measure(server: &TokenServer, row: &Row) -> Value {
    let Address::Tcp(target) = server.address else { panic!("the server listens on TCP") };
    let requests: Arc<[Prepared]> = (0..DIFFERENT_REQUESTS).map(|number| request(row, number)).collect();
    let load = |amount| Load {
        target,
        requests: Arc::clone(&requests),
        connections: CONNECTIONS,
        threads: 1,
        rate: None,
        amount,
    };
    let (done, written) = (AtomicBool::new(false), AtomicUsize::new(0));
    let pid = server.process.id();
    let (outcome, cpu, unknown) = thread::scope(|scope| {
        // Every user of the row is asked about once.
        load(Amount::Requests(DIFFERENT_REQUESTS)).run();
        if row.writes {
            scope.spawn(|| write(server, row.users, &done, &written));
        }
        let before = (cost::processor_time(pid).expect("it runs"), unknown(server));
        let outcome = load(Amount::For(MEASURED)).run();
        let after = (cost::processor_time(pid).expect("it runs"), unknown(server));
        done.store(true, Ordering::Relaxed);
        (outcome, after.0.saturating_sub(before.0), after.1.saturating_sub(before.1))
    });
    assert_eq!(outcome.errors, 0, "{:?}", outcome.first_error);
    let checks = outcome.answers * row.batch;
    let micros = cpu.as_secs_f64() * 1e6 / checks as f64;
    let [p50, p99] = [0.5, 0.99].map(|part| outcome.quantile(part).as_secs_f64() * 1e3);
    let resident = cost::resident(pid).expect("it runs") >> 20;
    let per_second = checks as f64 / outcome.elapsed.as_secs_f64();
    println!(
        "{:44} {per_second:>10.0} {micros:>10.1} {:>14.0} {p50:>8.2} {p99:>8.2} {unknown:>8} {resident:>8}",
        row.name,
        1e6 / micros
    );
    json!({
        "name": row.name, "checks": checks, "checks_per_second": per_second, "cpu_us_per_check": micros,
        "checks_per_second_and_core": 1e6 / micros, "p50_ms": p50, "p99_ms": p99, "unknown": unknown,
        "rules_written": written.load(Ordering::Relaxed), "resident_mib": resident,
    })
}

/// Five hundred rules a user, as ms-users writes them at a logout.
fn fill(redis: &Redis, users: usize) {
    let mut connection = redis.connect();
    let groups = std::iter::once("g".to_owned()).chain((0..users).map(user));
    for group in groups {
        let mut add = redis::cmd("ZADD");
        add.arg(format!("{{ms-users}}jwt-rules:{group}"));
        for number in 0..RULES {
            add.arg(4_000_000_000_u64)
                .arg(format!(r#"{{"_or":true,"cs":"{group}-{number}","rt":"{group}-{number}"}}"#));
        }
        add.exec(&mut connection).expect("Redis takes the rules");
    }
}

fn user(number: usize) -> String {
    format!("user-{number}")
}

/// A batch of good tokens, each of another user.
fn request(row: &Row, number: usize) -> Prepared {
    let check = |place: usize| {
        // A step that shares no divisor with the number of users visits all of them.
        let user = user((number * row.batch + place) * 7_919 % row.users);
        json!({"payload": {
            "sub": user, "exp": 4_000_000_000_u64, "iat": 1_700_000_000, "iss": "https://login.example.com",
            "aud": "api", "st": 1, "cs": format!("session-{number}"), "rt": format!("refresh-{number}"),
        }})
    };
    let checks: Vec<Value> = (0..row.batch).map(check).collect();
    let body = json!({"profile": "standard", "checks": checks}).to_string();
    let head = "POST /v1/check HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n";
    let bytes = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes();
    Prepared { bytes, expected: 200 }
}

/// Writes rules of one user after another, and now and then one of everybody, until `done`.
fn write(server: &TokenServer, users: usize, done: &AtomicBool, written: &AtomicUsize) {
    let begin = Instant::now();
    for number in 0_u32.. {
        let due = begin + WRITE_PERIOD * number;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if done.load(Ordering::Relaxed) {
            return;
        }
        let at = number as usize;
        let rule = json!({"rt": format!("written-{number}")});
        if at.is_multiple_of(100) {
            server.revoke_for_everybody(&rule);
        } else {
            server.revoke(&user(at * 31 % users), &rule);
        }
        written.fetch_add(1, Ordering::Relaxed);
    }
}

/// Checks that could not be decided so far, since rules were not known in time.
fn unknown(server: &TokenServer) -> u64 {
    let metrics = server.metrics();
    let found = metrics.lines().filter(|line| line.contains(r#"detail="rules""#));
    found.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}
