//! Polling (RFC 8936): the tokens of a stream are fetched where its transmitter does not push them.
//!
//! A token is acknowledged when what it asks for is durable, or is known to be nothing. What cannot be done now is not
//! acknowledged, and comes again; what is no good is told as an error, and does not. Nothing is kept of either but until the
//! next answer: after a crash all that was not acknowledged comes again, and is known.

mod exchange;
mod pace;

use std::sync::Arc;
use std::time::Duration;

use jose::Claim;
use keys::{AskError, Client, JSON, LoadError, Question, Sent};
use serde_json::Value;
use service::background::Background;
use service::secret_file::{SecretFiles, SecretMetrics};
use service::shutdown::Shutdown;
use tokio::time::{Instant, sleep};

use self::exchange::{Answer, Request, SetError, Told};
use self::pace::Pace;
use super::Untaken;
use super::access::{Access, NoToken};
use crate::config::ssf::asking::Asking;
use crate::config::ssf::{Poll, Stream};
use crate::signals::answer::LANGUAGE;
use crate::signals::desk::{Unheard, note};
use crate::signals::metrics::PollOutcome;
use crate::signals::{InUse, MAX_BODY_BYTES, Signals};

/// How long a transmitter may hold a question until there is a token.
const LONG_POLL: Duration = Duration::from_secs(60);
/// How long an answer may take that is wanted at once.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer that is read: as many tokens of the largest size as are asked for, and room around them.
const MAX_ANSWER_BYTES: usize = 2 * 1024 * 1024;
/// Tokens of one answer that are looked at; a transmitter that gives more gives the others again.
const MAX_SETS: usize = 100;
/// When what could not be done is asked for again.
const RETRY: Duration = Duration::from_secs(5);

/// What runs for the streams in use: a task for each that is polled, and one that reads their secrets again when files change.
pub(crate) struct Streams {
    signals: Arc<Signals>,
    secrets: SecretMetrics,
    background: Background,
    current: Background,
}

impl Streams {
    /// Begins with the streams of the configuration in use.
    pub(crate) fn begin(signals: Arc<Signals>, secrets: SecretMetrics, background: Background) -> Self {
        let current = background.child();
        let streams = Self { signals, secrets, background, current };
        streams.start();
        streams
    }

    /// Begins anew, with the streams of the configuration in use now.
    pub(crate) fn again(&mut self) {
        let before = std::mem::replace(&mut self.current, self.background.child());
        before.shutdown().cancel();
        self.start();
    }

    fn start(&self) {
        let in_use = self.signals.in_use.load();
        let (secrets, end) =
            (secret_files(&in_use.settings.streams, &self.secrets), self.current.shutdown().clone());
        self.current.keep("secret files of streams", move || secrets.clone().keep_fresh(end.clone()));
        for stream in &in_use.settings.streams {
            let Some((poll, asking)) = stream.poll.clone().zip(stream.asking.clone()) else { continue };
            let (signals, stream) = (Arc::clone(&self.signals), Arc::clone(stream));
            let shutdown = self.current.shutdown().clone();
            self.signals.metrics.begin_polls(&stream.name);
            self.current.keep("poll of a stream", move || {
                let poller = Poller::new(Arc::clone(&signals), Arc::clone(&stream), poll.clone(), &asking);
                poller.run(shutdown.clone())
            });
        }
    }
}

/// What the senders of streams show, and what is shown to transmitters.
fn secret_files(streams: &[Arc<Stream>], metrics: &SecretMetrics) -> SecretFiles {
    let mut all = SecretFiles::default();
    for file in streams.iter().flat_map(|stream| stream.secret_files()) {
        file.report_to(metrics);
        all.add(file);
    }
    all
}

/// Why a question came to nothing.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("poll_url: {0}")]
    Ask(#[from] AskError),
    #[error(transparent)]
    Token(#[from] NoToken),
    #[error("poll_url answered {status}{}", refusal(*.status))]
    Status { status: reqwest::StatusCode, retry_after: Option<Duration> },
    #[error("poll_url answered with something that is no answer to a poll (RFC 8936 section 2.3)")]
    Answer,
}

fn refusal(status: reqwest::StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 403 => "; it does not accept what poll_token_file or poll_token_url says of who asks",
        _ => "",
    }
}

/// What became of the tokens of an answer.
#[derive(Debug, Default)]
struct Progress {
    /// Something was done that was not done with the answer before, or there is more.
    new: bool,
    /// Something could not be done; when it may be.
    held: Option<Duration>,
}

struct Poller {
    signals: Arc<Signals>,
    stream: Arc<Stream>,
    poll: Poll,
    client: Client,
    access: Access,
    pace: Pace,
    /// What is to be told with the next question.
    told: Told,
    /// What was told with the last one that was answered.
    told_before: Told,
    /// Whether a question was held for as long as may be, so that the next is to be answered at once: it shows whether the
    /// transmitter still answers.
    at_once: bool,
}

impl Poller {
    fn new(signals: Arc<Signals>, stream: Arc<Stream>, poll: Poll, asking: &Asking) -> Self {
        let client = asking.client.clone();
        let (access, pace) = (Access::new(asking.token.clone()), Pace::new(poll.interval));
        let (told, told_before) = (Told::default(), Told::default());
        Self { signals, stream, poll, client, access, pace, told, told_before, at_once: false }
    }

    async fn run(mut self, shutdown: Shutdown) {
        let polled = async {
            loop {
                let pause = self.turn().await;
                sleep(pause).await;
            }
        };
        shutdown.run_until_cancelled(polled).await;
    }

    /// One question and its answer; the pause after it.
    async fn turn(&mut self) -> Duration {
        let began = Instant::now();
        let was_held = !self.at_once;
        match self.ask().await {
            Ok(answer) => {
                self.at_once = false;
                self.told_before = std::mem::take(&mut self.told);
                self.count(PollOutcome::Answered);
                self.signals.heard(&self.stream, (self.signals.clock)());
                let progress = self.take(answer).await;
                match progress.held {
                    Some(after) => self.pace.failed(Some(after), share()),
                    None => self.pace.answered(began.elapsed(), progress.new),
                }
            }
            Err(Failure::Ask(AskError::Unanswered(_))) if was_held => {
                self.at_once = true;
                self.count(PollOutcome::Held);
                Duration::ZERO
            }
            Err(failure) => self.failed(&failure),
        }
    }

    fn failed(&mut self, failure: &Failure) -> Duration {
        let (mut outcome, mut wish) = (PollOutcome::Failed, None);
        match failure {
            Failure::Status { status, retry_after } => {
                wish = *retry_after;
                if matches!(status.as_u16(), 401 | 403) {
                    outcome = PollOutcome::Refused;
                    self.access.forget();
                }
            }
            Failure::Token(NoToken::Status(_)) => outcome = PollOutcome::Refused,
            Failure::Ask(AskError::Failed(LoadError::TooLarge(_))) => self.pace.too_large(),
            Failure::Ask(_) | Failure::Token(_) | Failure::Answer => {}
        }
        self.count(outcome);
        let pause = self.pace.failed(wish, share());
        self.signals.troubled(&self.stream, format!("the stream could not be polled: {failure}"));
        tracing::warn!(
            stream = &*self.stream.name,
            error = %failure,
            pause_ms = pause.as_millis(),
            "a transmitter could not be polled; what it has to tell is not known here until it can be"
        );
        pause
    }

    async fn ask(&mut self) -> Result<Answer, Failure> {
        let authorization = self.access.authorization(&self.client).await?;
        let request = Request {
            max_events: Some(self.pace.max_events()),
            return_immediately: self.at_once,
            told: self.told.clone(),
        };
        let question = Question {
            url: self.poll.url.clone(),
            sent: Sent::Json {
                bytes: serde_json::to_vec(&request).map_err(|_| Failure::Answer)?,
                language: (!request.told.set_errs.is_empty()).then_some(LANGUAGE),
            },
            accept: JSON,
            authorization,
            patience: if self.at_once { PATIENCE } else { LONG_POLL },
            max_bytes: MAX_ANSWER_BYTES,
        };
        let answered = self.client.ask(question).await?;
        if !answered.status.is_success() {
            return Err(Failure::Status { status: answered.status, retry_after: answered.retry_after });
        }
        serde_json::from_slice(&answered.bytes).map_err(|_| Failure::Answer)
    }

    /// Does what the tokens ask for, each whatever becomes of the others.
    async fn take(&mut self, answer: Answer) -> Progress {
        let mut progress = Progress::default();
        let in_use = self.signals.in_use.load_full();
        for (jti, token) in answer.sets.into_iter().take(MAX_SETS) {
            match self.take_one(&in_use, &jti, token).await {
                Ok(()) => {
                    progress.new |= !self.told_before.ack.contains(&jti);
                    self.told.ack.push(jti);
                }
                Err(Untaken::Refused { code, why }) => {
                    progress.new |= !self.told_before.set_errs.contains_key(&jti);
                    self.told.set_errs.insert(jti, SetError { err: code, description: why });
                }
                Err(Untaken::Unheard(Unheard::Limited { retry_after })) => {
                    progress.held = Some(retry_after);
                    break;
                }
                // Another group may have room.
                Err(Untaken::Unheard(Unheard::Full(_))) => progress.held = Some(RETRY),
                Err(Untaken::Unavailable | Untaken::Unheard(Unheard::Store(_))) => {
                    progress.held = Some(RETRY);
                }
            }
        }
        // An empty answer that says so would have us ask without end.
        progress.new |= answer.more_available && !(self.told.ack.is_empty() && self.told.set_errs.is_empty());
        progress
    }

    async fn take_one(&self, in_use: &InUse, jti: &str, token: Value) -> Result<(), Untaken> {
        let refused = |why: &str| {
            tracing::warn!(
                stream = &*self.stream.name,
                jti = note(jti),
                why,
                "a token that was polled is none; its transmitter is told, and does not send it again"
            );
            Untaken::Refused { code: "invalid_request", why: why.to_owned() }
        };
        let Value::String(token) = token else { return Err(refused("it is no text")) };
        if token.len() > MAX_BODY_BYTES {
            return Err(refused("it is larger than any security event token"));
        }
        let own = jose::unverified_claims(&token).ok();
        let is_other = |claims: jose::Claims| match claims.get("jti") {
            Some(Claim::String(own)) => *own != *jti,
            Some(_) | None => false,
        };
        if own.is_some_and(is_other) {
            return Err(refused("its jti is another than the one that it was given under"));
        }
        self.signals.take(in_use, &self.stream, token).await
    }

    fn count(&self, outcome: PollOutcome) {
        self.signals.metrics.polled(&self.stream.name, outcome);
    }
}

/// A number at random, so that servers that failed together do not ask together.
fn share() -> u8 {
    let mut random = [u8::MAX];
    // Without randomness pauses are the longest.
    if aws_lc_rs::rand::fill(&mut random).is_err() {
        return u8::MAX;
    }
    u8::from_be_bytes(random)
}
