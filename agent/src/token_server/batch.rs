//! Checks that wait for a server, gathered into one request.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use jose::{Leeway, Profile, TokenForm};
use prometheus_client::metrics::gauge::Gauge;
use revocation::check::{Check, CheckRequest, CheckResponse, CheckResult, MAX_BATCH_BYTES, MAX_CHECKS};
use revocation::lease::ServerId;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{mpsc, oneshot};

use super::error::CallError;

/// Bytes of a batch that are not checks: the profile, the leeway, the names of members.
const HEAD_BYTES: usize = 256;

/// What a server needs for its answer, and so how soon it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// What it has at hand.
    Itself,
    /// Perhaps the word of others: it is asked about an opaque token.
    Others,
}

impl Needs {
    /// What an answer to this check needs.
    pub fn of(check: &Check) -> Self {
        match check {
            Check::Token(token) if TokenForm::of(token) == TokenForm::Opaque => Self::Others,
            Check::Token(_) | Check::Payload(_) => Self::Itself,
        }
    }
}

/// One check: its JSON, written once however often it is asked, and until when its answer is waited for.
#[derive(Debug, Clone)]
pub struct Question {
    json: Arc<RawValue>,
    deadline: Instant,
    needs: Needs,
}

impl Question {
    /// Absent only where the check's strings cannot be JSON, which strings always can.
    pub fn new(check: &Check, deadline: Instant) -> Option<Self> {
        let needs = Needs::of(check);
        to_raw_value(check).ok().map(|json| Self { json: json.into(), deadline, needs })
    }

    fn len(&self) -> usize {
        // The comma behind it.
        self.json.get().len().saturating_add(1)
    }
}

/// What a server said about one check, with what must be known to use it again.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The server that said so.
    pub server: ServerId,
    /// The moment at which the question was sent, or an earlier one.
    pub asked: Instant,
    /// The server's process ([`CheckResponse::epoch`]).
    pub epoch: Arc<str>,
    /// The revision of its rules ([`CheckResponse::revision`]).
    pub revision: u64,
    /// What it said.
    pub result: CheckResult,
}

/// One check that waits to be asked, or whose answer is waited for.
#[derive(Debug)]
pub struct Waiting {
    question: Question,
    reply: oneshot::Sender<Result<Answer, CallError>>,
    place: Place,
}

/// Counts as work of a server while it lives.
#[derive(Debug)]
struct Place {
    outstanding: Arc<AtomicUsize>,
    waiting: Gauge,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.outstanding.fetch_sub(1, Ordering::Relaxed);
        self.waiting.dec();
    }
}

impl Waiting {
    /// A check in line, and where its answer will come.
    pub fn new(
        question: Question,
        outstanding: Arc<AtomicUsize>,
        waiting: Gauge,
    ) -> (Self, oneshot::Receiver<Result<Answer, CallError>>) {
        let (reply, answer) = oneshot::channel();
        outstanding.fetch_add(1, Ordering::Relaxed);
        waiting.inc();
        (Self { question, reply, place: Place { outstanding, waiting } }, answer)
    }

    fn answer(self, answer: Result<Answer, CallError>) {
        let Self { reply, place, .. } = self;
        // Once this answer is out, the server may be chosen for the next check; by then this one must no longer count as its work.
        drop(place);
        // Nothing waits for it any more: its time is over, or another server was faster.
        reply.send(answer).ok();
    }
}

/// The line in front of one server.
#[derive(Debug)]
pub struct Line {
    queue: mpsc::Receiver<Waiting>,
    /// Taken from the queue, and too large for the batch that was gathered then.
    left_over: Option<Waiting>,
    /// Taken from the queue, and not asked yet: what may take long never goes with what does not, as all answers of a batch come
    /// together.
    others: VecDeque<Waiting>,
}

impl Line {
    /// The checks that come through `queue`.
    pub fn new(queue: mpsc::Receiver<Waiting>) -> Self {
        Self { queue, left_over: None, others: VecDeque::new() }
    }

    /// All checks that wait now and whose answers are still waited for, up to the limits of a batch, as soon as there is one;
    /// of those that need others, which come after all that do not, only if `takes_others`. `None` when no check will come any
    /// more.
    pub async fn next(&mut self, takes_others: bool) -> Option<Batch> {
        let mut batch = Batch::default();
        loop {
            let left_over = self.left_over.take();
            let next = match left_over.map_or_else(|| self.queue.try_recv(), Ok) {
                Ok(waiting) => waiting,
                Err(_) if !batch.waiting.is_empty() => return Some(batch),
                Err(_) => match takes_others.then(|| self.of_others()).flatten() {
                    Some(others) => return Some(others),
                    None => self.queue.recv().await?,
                },
            };
            if next.reply.is_closed() {
                continue;
            }
            if next.question.needs == Needs::Others {
                self.others.push_back(next);
                continue;
            }
            if !batch.takes(&next.question) {
                self.left_over = Some(next);
                return Some(batch);
            }
            batch.push(next);
        }
    }

    /// Those that need others, up to the limits of a batch; absent where there is none whose answer is still waited for.
    fn of_others(&mut self) -> Option<Batch> {
        let mut batch = Batch::default();
        self.others.retain(|waiting| !waiting.reply.is_closed());
        while let Some(next) = self.others.pop_front() {
            if !batch.takes(&next.question) {
                self.others.push_front(next);
                break;
            }
            batch.push(next);
        }
        (!batch.waiting.is_empty()).then_some(batch)
    }
}

/// Checks that are asked together. None: a probe.
#[derive(Debug, Default)]
pub struct Batch {
    waiting: Vec<Waiting>,
    bytes: usize,
}

impl Batch {
    /// How many.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Each on its own.
    pub fn split(self) -> impl Iterator<Item = Self> {
        self.waiting.into_iter().map(|waiting| {
            let mut alone = Self::default();
            alone.push(waiting);
            alone
        })
    }

    /// What the answers to its checks need; those of a probe need nothing but the server.
    pub fn needs(&self) -> Needs {
        self.waiting.first().map_or(Needs::Itself, |first| first.question.needs)
    }

    /// One that fits into no batch still goes, alone: the server's refusal is its answer.
    fn takes(&self, question: &Question) -> bool {
        let bytes = self.bytes.saturating_add(question.len()).saturating_add(HEAD_BYTES);
        self.waiting.is_empty() || (self.len() < MAX_CHECKS && bytes <= MAX_BATCH_BYTES)
    }

    /// How long the server may take for its answer, from `now` on: what is `usual`, or what its checks have left that need the
    /// word of others.
    pub fn budget(&self, usual: Duration, now: Instant) -> Duration {
        match self.needs() {
            Needs::Itself => usual,
            Needs::Others => {
                let deadline = self.waiting.iter().map(|waiting| waiting.question.deadline).max();
                deadline.unwrap_or(now).saturating_duration_since(now)
            }
        }
    }

    fn push(&mut self, waiting: Waiting) {
        self.bytes = self.bytes.saturating_add(waiting.question.len());
        self.waiting.push(waiting);
    }

    /// The body of `POST /v1/check`, sent at `now`.
    pub fn body(&self, profile: Profile, leeway: Leeway, now: Instant) -> Bytes {
        let seconds = |leeway: Duration| u32::try_from(leeway.as_secs()).unwrap_or(u32::MAX);
        let deadline = self.waiting.iter().map(|waiting| waiting.question.deadline).max();
        let left = deadline.map(|deadline| deadline.saturating_duration_since(now).as_millis());
        let checks = self.waiting.iter().map(|waiting| &*waiting.question.json).collect();
        let request: CheckRequest<&RawValue> = CheckRequest {
            profile,
            leeway: seconds(leeway.end),
            leeway_start: Some(seconds(leeway.start)),
            budget_ms: left.map(|left| u32::try_from(left).unwrap_or(u32::MAX)),
            checks,
        };
        // JSON that was JSON before always serialises; an empty body would be refused by the server.
        serde_json::to_vec(&request).unwrap_or_default().into()
    }

    /// Hands each its own result. Another number of results than of checks is no answer to any of them.
    pub fn answer(
        self,
        server: ServerId,
        asked: Instant,
        response: CheckResponse,
    ) -> Result<(), (Self, CallError)> {
        if response.results.len() != self.len() {
            return Err((self, CallError::Unreadable));
        }
        let epoch: Arc<str> = response.epoch.into();
        for (waiting, result) in self.waiting.into_iter().zip(response.results) {
            let (epoch, revision) = (Arc::clone(&epoch), response.revision);
            waiting.answer(Ok(Answer { server, asked, epoch, revision, result }));
        }
        Ok(())
    }

    /// Answers each check with why there is no answer.
    pub fn fail(self, error: &CallError) {
        for waiting in self.waiting {
            waiting.answer(Err(error.clone()));
        }
    }
}
