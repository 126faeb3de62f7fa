//! A steady stream of requests, good and bad, each answer compared: what must not pass is never let in.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::http::{Client, Request, Response};
use crate::site::SOURCE;
use crate::socket::Address;

/// Clients, each with one request at a time.
const CLIENTS: usize = 4;

/// The pause of a client between two requests: a steady load below what the machine can do.
const PAUSE: Duration = Duration::from_millis(6);

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Wrong answers that are described; more of the same tell nothing new.
const DESCRIBED: usize = 20;

/// A request, and what is known of its token.
#[derive(Debug)]
pub struct Case {
    pub name: String,
    bytes: Vec<u8>,
    is_good: bool,
    /// A rule that forbids it may be there, and was not acknowledged yet.
    may_be_revoked: AtomicBool,
    revoked: OnceLock<Instant>,
    refused: OnceLock<Instant>,
    /// Whether HAProxy has answered by itself since it was asked for last.
    kept: AtomicBool,
}

impl Case {
    pub fn good(name: &str, token: &str) -> Arc<Self> {
        Arc::new(Self::new(name, &Request::get("/").bearer(token), true))
    }

    pub fn bad(name: &str, request: &Request) -> Arc<Self> {
        Arc::new(Self::new(name, request, false))
    }

    fn new(name: &str, request: &Request, is_good: bool) -> Self {
        Self {
            name: name.to_owned(),
            bytes: request.to_bytes(),
            is_good,
            may_be_revoked: AtomicBool::new(false),
            revoked: OnceLock::new(),
            refused: OnceLock::new(),
            kept: AtomicBool::new(false),
        }
    }

    /// A rule that forbids it is about to be written: either answer is right until it was acknowledged.
    pub fn may_be_revoked(&self) {
        self.may_be_revoked.store(true, Ordering::Relaxed);
    }

    /// A rule that forbids it was acknowledged just now.
    pub fn revoked(&self) {
        self.revoked.get_or_init(Instant::now);
    }

    /// From the rule to the first refusal, once there was one.
    pub fn refused_after(&self) -> Option<Duration> {
        Some(self.refused.get()?.saturating_duration_since(*self.revoked.get()?))
    }

    /// Whether it passes, and HAProxy has said so by itself since [`Traffic::ask_who_answers`].
    pub fn is_kept(&self) -> bool {
        self.kept.load(Ordering::Relaxed)
    }
}

/// What came of the requests since the last look.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Let in, rightly.
    pub admitted: u64,
    /// Refused, rightly.
    pub refused: u64,
    /// 503: it could not be decided.
    pub undecided: u64,
    /// No answer at all.
    pub lost: u64,
    /// Those of them that were waited for in vain, instead of being closed.
    pub hung: u64,
    /// Let in by HAProxy itself, by what an agent keeps there.
    pub kept: u64,
    /// Good tokens that were called bad, while the keys were theirs.
    pub answered_wrongly: u64,
    /// What must not pass, and did.
    pub admitted_wrongly: u64,
    /// How long the slowest answer took, in milliseconds.
    pub slowest: u64,
}

#[derive(Debug, Default)]
struct Tally {
    admitted: AtomicU64,
    refused: AtomicU64,
    undecided: AtomicU64,
    lost: AtomicU64,
    hung: AtomicU64,
    kept: AtomicU64,
    answered_wrongly: AtomicU64,
    admitted_wrongly: AtomicU64,
    slowest: AtomicU64,
}

#[derive(Debug)]
struct Shared {
    edge: Address,
    /// How long a token may outlive its rule.
    bound: Duration,
    cases: Mutex<Vec<Arc<Case>>>,
    tally: Tally,
    wrong: Mutex<Vec<String>>,
    /// When a request with a good token was answered otherwise than 200, last.
    failed: Mutex<Option<Instant>>,
    /// Whether good tokens may be called bad, since their keys are not published.
    without_keys: AtomicBool,
    stop: AtomicBool,
}

/// The stream. It ends when it is dropped.
#[derive(Debug)]
pub struct Traffic {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

impl Traffic {
    pub fn start(edge: &Address, bound: Duration, cases: Vec<Arc<Case>>) -> Self {
        let shared = Arc::new(Shared {
            edge: edge.clone(),
            bound,
            cases: Mutex::new(cases),
            tally: Tally::default(),
            wrong: Mutex::default(),
            failed: Mutex::default(),
            without_keys: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let client = |number: usize| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.send(number))
        };
        let clients = (0..CLIENTS).map(client).collect();
        Self { shared, clients }
    }

    /// Sends this one too, from now on.
    pub fn add(&self, case: Arc<Case>) {
        lock(&self.shared.cases).push(case);
    }

    /// Sends this one no more.
    pub fn remove(&self, case: &Arc<Case>) {
        lock(&self.shared.cases).retain(|other| !Arc::ptr_eq(other, case));
    }

    /// Whether good tokens may be called bad from now on, since their keys are not published.
    pub fn without_keys(&self, is_so: bool) {
        self.shared.without_keys.store(is_so, Ordering::Relaxed);
    }

    /// Takes the counts, which begin again.
    pub fn take(&self) -> Counts {
        let tally = &self.shared.tally;
        let take = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
        Counts {
            admitted: take(&tally.admitted),
            refused: take(&tally.refused),
            undecided: take(&tally.undecided),
            lost: take(&tally.lost),
            hung: take(&tally.hung),
            kept: take(&tally.kept),
            answered_wrongly: take(&tally.answered_wrongly),
            admitted_wrongly: take(&tally.admitted_wrongly),
            slowest: take(&tally.slowest),
        }
    }

    /// How many good requests were let in since the counts were taken last.
    pub fn admitted(&self) -> u64 {
        self.shared.tally.admitted.load(Ordering::Relaxed)
    }

    /// Forgets which tokens HAProxy has let in by itself.
    pub fn ask_who_answers(&self) {
        lock(&self.shared.cases).iter().for_each(|case| case.kept.store(false, Ordering::Relaxed));
    }

    /// Whether HAProxy has let in every good token by itself since [`ask_who_answers`](Self::ask_who_answers).
    pub fn is_kept(&self) -> bool {
        let cases = lock(&self.shared.cases);
        cases.iter().filter(|case| case.is_good && case.revoked.get().is_none()).all(|case| case.is_kept())
    }

    /// When a good request failed last.
    pub fn last_failure(&self) -> Option<Instant> {
        *lock(&self.shared.failed)
    }

    /// What was answered wrongly so far, the first of it in words.
    pub fn wrong(&self) -> Vec<String> {
        lock(&self.shared.wrong).clone()
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for client in self.clients.drain(..) {
            let _panicked = client.join();
        }
    }
}

impl Shared {
    fn send(&self, first: usize) {
        let mut next = first;
        while !self.stop.load(Ordering::Relaxed) {
            let case = {
                let cases = lock(&self.cases);
                Arc::clone(&cases[next % cases.len()])
            };
            next += 1;
            let sent = Instant::now();
            let answer = self.exchange(&case.bytes);
            let status = answer.as_ref().map(|answer| answer.status);
            let is_kept = answer.is_some_and(|answer| answer.header(SOURCE) == Some("edge"));
            self.compare(&case, sent, status, is_kept);
            thread::sleep(PAUSE);
        }
    }

    fn exchange(&self, bytes: &[u8]) -> Option<Response> {
        let mut client = Client::new(self.edge.connect(PATIENCE).ok()?);
        client.write(bytes).ok()?;
        client.response().ok()
    }

    fn compare(&self, case: &Case, sent: Instant, status: Option<u16>, is_kept: bool) {
        let revoked = case.revoked.get().copied();
        let is_forbidden = !case.is_good || revoked.is_some_and(|revoked| sent > revoked + self.bound);
        let is_good = case.is_good && revoked.is_none() && !case.may_be_revoked.load(Ordering::Relaxed);
        let tally = &self.tally;
        let took = u64::try_from(sent.elapsed().as_millis()).unwrap_or(u64::MAX);
        tally.slowest.fetch_max(took, Ordering::Relaxed);
        let count = |count: &AtomicU64| {
            count.fetch_add(1, Ordering::Relaxed);
        };
        if is_good && status != Some(200) {
            *lock(&self.failed) = Some(Instant::now());
        }
        match status {
            None => {
                count(&tally.lost);
                if sent.elapsed() >= PATIENCE {
                    count(&tally.hung);
                }
            }
            Some(503) => count(&tally.undecided),
            Some(200) if is_forbidden => {
                count(&tally.admitted_wrongly);
                let late = revoked.map(|revoked| format!(", {:?} after its rule", sent - revoked));
                self.describe(format!("{} was let in{}", case.name, late.unwrap_or_default()));
            }
            Some(200) => {
                count(&tally.admitted);
                if is_kept {
                    count(&tally.kept);
                    case.kept.store(true, Ordering::Relaxed);
                }
            }
            // A rule that was written while the request was under way may already count.
            Some(_)
                if is_good && case.revoked.get().is_none() && !self.without_keys.load(Ordering::Relaxed) =>
            {
                count(&tally.answered_wrongly);
                self.describe(format!("{} was answered {status:?}", case.name));
            }
            Some(_) => {
                if revoked.is_some() {
                    case.refused.get_or_init(Instant::now);
                }
                count(&tally.refused);
            }
        }
    }

    fn describe(&self, what: String) {
        let mut wrong = lock(&self.wrong);
        if wrong.len() < DESCRIBED {
            wrong.push(what);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
