//! Batches and what becomes of them. The carrier is the test, and time stands still unless all tasks wait.

mod opaque;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use jose::Reject;
use prometheus_client::registry::Registry;
use revocation::check::{Check, CheckRequest, CheckResult, MAX_BATCH_BYTES, MAX_CHECKS};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{advance, timeout};

use super::*;
use crate::metrics::ByEjection;
use crate::token_server::Answer;
use crate::token_server::batch::{Question, Waiting};
use crate::token_server::standing::Rank;

/// Longer than anything here takes, and passed at once when nothing else happens.
const NEVER: Duration = Duration::from_secs(3600);
const BUDGET: Duration = Duration::from_millis(80);

/// A call that the test has to answer.
struct Call {
    tokens: Vec<String>,
    budget_ms: Option<u32>,
    reply: oneshot::Sender<Result<CheckResponse, CallError>>,
}

impl Call {
    /// Tells of each token its own name.
    fn answer(self) {
        self.answer_with(1);
    }

    fn answer_with(self, copies: usize) {
        let result = |token: &String| CheckResult { detail: token.clone(), ..CheckResult::default() };
        let results = self.tokens.iter().flat_map(|token| vec![result(token); copies]).collect();
        self.answer_as(false, results);
    }

    /// Knows nothing, since its store cannot be read.
    fn answer_unread(self) {
        let result = CheckResult { detail: Reject::Rules.detail().to_owned(), ..CheckResult::default() };
        let results = vec![result; self.tokens.len()];
        self.answer_as(true, results);
    }

    fn answer_as(self, store_unread: bool, results: Vec<CheckResult>) {
        let (store_id, epoch) = ("s".to_owned(), "e".to_owned());
        let response = CheckResponse { store_id, epoch, revision: 7, store_unread, results };
        self.reply.send(Ok(response)).unwrap();
    }

    fn fail(self, error: CallError) {
        self.reply.send(Err(error)).unwrap();
    }
}

struct ToTest(mpsc::UnboundedSender<Call>);

impl Carrier for ToTest {
    async fn check(&self, body: Bytes, _: usize, budget: Duration) -> Result<CheckResponse, CallError> {
        assert!(body.len() <= MAX_BATCH_BYTES);
        let request: CheckRequest = serde_json::from_slice(&body).unwrap();
        let budget_ms = request.budget_ms;
        let token = |check| match check {
            Check::Token(token) => token,
            Check::Payload(payload) => panic!("{payload}"),
        };
        let tokens = request.checks.into_iter().map(token).collect();
        let (reply, answer) = oneshot::channel();
        self.0.send(Call { tokens, budget_ms, reply }).unwrap();
        timeout(budget, answer).await.map_err(|_| CallError::Timeout)?.unwrap()
    }
}

type Asked = oneshot::Receiver<Result<Answer, CallError>>;

struct Server {
    line: mpsc::Sender<Waiting>,
    calls: mpsc::UnboundedReceiver<Call>,
    outstanding: Arc<AtomicUsize>,
    standing: Arc<Standing>,
    metrics: Arc<Metrics>,
    driver: JoinHandle<()>,
}

impl Server {
    fn start() -> Self {
        let (line, queue) = mpsc::channel(1_000);
        let (carrier, calls) = mpsc::unbounded_channel();
        let metrics = Metrics::register(&mut Registry::default());
        let standing = Arc::new(Standing::new("test".to_owned(), Arc::clone(&metrics)));
        let manner = Manner {
            profile: Profile::Standard,
            leeway: jose::Leeway::NONE,
            budget: BUDGET,
            metrics: Arc::clone(&metrics),
        };
        let driver = Driver {
            id: ServerId(3),
            carrier: ToTest(carrier),
            line: Line::new(queue),
            standing: Arc::clone(&standing),
            manner,
        };
        let driver = tokio::spawn(driver.run());
        Self { line, calls, outstanding: Arc::default(), standing, metrics, driver }
    }

    fn ask(&self, token: &str) -> Asked {
        self.ask_within(token, BUDGET)
    }

    fn ask_within(&self, token: &str, left: Duration) -> Asked {
        let deadline = Instant::now() + left;
        let question = Question::new(&Check::Token(token.to_owned()), deadline.into_std()).unwrap();
        let gauge = self.metrics.token_server_waiting.clone();
        let (waiting, answer) = Waiting::new(question, Arc::clone(&self.outstanding), gauge);
        self.line.try_send(waiting).unwrap();
        answer
    }

    fn ask_all(&self, tokens: impl IntoIterator<Item = String>) -> VecDeque<Asked> {
        tokens.into_iter().map(|token| self.ask(&token)).collect()
    }

    async fn call(&mut self) -> Call {
        timeout(NEVER, self.calls.recv()).await.expect("a call").unwrap()
    }

    /// A call that is under way, so that others gather.
    async fn busy(&mut self) -> (Asked, Call) {
        let asked = self.ask("first");
        (asked, self.call().await)
    }

    fn calls_waiting(&self) -> usize {
        self.calls.len()
    }

    fn is_out(&self) -> bool {
        self.standing.rank() != Rank::InService
    }
}

async fn said(asked: Asked) -> Result<String, CallError> {
    let answer = timeout(NEVER, asked).await.expect("an answer").unwrap();
    answer.map(|answer| answer.result.detail)
}

fn names(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|index| format!("t{index}"))
}

#[tokio::test(start_paused = true)]
async fn a_batch_tells_how_much_time_the_most_patient_of_its_checks_has_left() {
    let mut server = Server::start();
    let (_first, busy) = server.busy().await;
    assert_eq!(busy.budget_ms, Some(80));
    let milliseconds = Duration::from_millis;
    let _asked = [10, 50, 20].map(|left| server.ask_within("t", milliseconds(left)));
    advance(milliseconds(15)).await;
    let call = server.call().await;
    assert_eq!((call.tokens.len(), call.budget_ms), (3, Some(35)));
}

#[tokio::test(start_paused = true)]
async fn a_lone_check_is_sent_at_once_and_what_comes_meanwhile_goes_together() {
    let mut server = Server::start();
    let begin = Instant::now();
    let (first, call) = server.busy().await;
    assert_eq!(begin.elapsed(), Duration::ZERO);
    let others = server.ask_all(names(5));
    tokio::task::yield_now().await;
    assert_eq!((server.calls_waiting(), server.outstanding.load(Ordering::Relaxed)), (0, 6));
    call.answer();
    assert_eq!(said(first).await.unwrap(), "first");
    let call = server.call().await;
    assert_eq!(call.tokens, names(5).collect::<Vec<_>>());
    assert_eq!(begin.elapsed(), Duration::ZERO, "no timer is in the way");
    call.answer();
    for (asked, token) in others.into_iter().zip(names(5)) {
        let answer = asked.await.unwrap().unwrap();
        assert_eq!((answer.result.detail, &*answer.epoch, answer.revision), (token, "e", 7));
        assert_eq!((answer.server, answer.asked), (ServerId(3), begin.into_std()));
    }
    assert_eq!(server.outstanding.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_batch_keeps_to_the_servers_limits() {
    let mut server = Server::start();
    let (_first, call) = server.busy().await;
    let many = server.ask_all(names(2 * MAX_CHECKS + 1));
    call.answer();
    for expected in [MAX_CHECKS, MAX_CHECKS, 1] {
        let call = server.call().await;
        assert_eq!(call.tokens.len(), expected);
        call.answer();
    }
    for (asked, token) in many.into_iter().zip(names(2 * MAX_CHECKS + 1)) {
        assert_eq!(said(asked).await.unwrap(), token);
    }
    let (_first, call) = server.busy().await;
    let long = "x".repeat(60_000);
    let large = server.ask_all(names(40).map(|name| format!("{name}{long}")));
    call.answer();
    let mut sizes = Vec::new();
    while sizes.iter().sum::<usize>() < large.len() {
        let call = server.call().await;
        sizes.push(call.tokens.len());
        call.answer();
    }
    assert_eq!(sizes, [34, 6]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_holds_up_others_for_a_moment_only() {
    let mut server = Server::start();
    let begin = Instant::now();
    let (slow, held) = server.busy().await;
    let others = server.ask_all(names(3));
    let call = server.call().await;
    assert_eq!(begin.elapsed().as_millis(), YOUNG.as_millis());
    assert_eq!(call.tokens.len(), 3);
    call.answer();
    for asked in others {
        said(asked).await.unwrap();
    }
    held.answer();
    said(slow).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn calls_are_bounded_and_a_check_that_is_given_up_is_not_asked() {
    let mut server = Server::start();
    let mut held = Vec::new();
    for index in 0..MAX_CALLS {
        if index > 0 {
            advance(YOUNG).await;
        }
        held.push(server.busy().await);
    }
    // All calls are in use, and the budget of none is over yet.
    let abandoned = server.ask("abandoned");
    let wanted = server.ask("wanted");
    drop(abandoned);
    tokio::task::yield_now().await;
    assert_eq!(server.calls_waiting(), 0);
    let (first, call) = held.remove(0);
    call.reply.send(Err(CallError::Unreadable)).ok();
    drop(first);
    assert_eq!(server.call().await.tokens, ["wanted"]);
    drop(wanted);
}

#[tokio::test(start_paused = true)]
async fn another_number_of_results_than_of_checks_answers_none() {
    for copies in [0, 2] {
        let mut server = Server::start();
        let (first, call) = server.busy().await;
        let others = server.ask_all(names(2));
        call.answer();
        said(first).await.unwrap();
        server.call().await.answer_with(copies);
        for asked in others {
            assert!(matches!(said(asked).await, Err(CallError::Unreadable)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_that_spoils_its_batch_fails_alone_and_is_no_fault_of_the_server() {
    let mut server = Server::start();
    for _ in 0..5 {
        let (first, call) = server.busy().await;
        let mut others = server.ask_all(["good", "bad", "good"].map(str::to_owned));
        call.answer();
        said(first).await.unwrap();
        server.call().await.fail(CallError::Status(StatusCode::BAD_REQUEST));
        for token in ["good", "bad", "good"] {
            let call = server.call().await;
            assert_eq!(call.tokens, [token]);
            match token {
                "bad" => call.fail(CallError::Status(StatusCode::BAD_REQUEST)),
                _ => call.answer(),
            }
            let heard = said(others.pop_front().unwrap()).await;
            assert_eq!(heard.is_ok(), token == "good", "{heard:?}");
        }
        let asked = server.ask("bad");
        server.call().await.fail(CallError::Status(StatusCode::BAD_REQUEST));
        said(asked).await.unwrap_err();
    }
    assert!(!server.is_out());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stands_still_is_left_out_and_back_when_a_probe_succeeds() {
    let mut server = Server::start();
    let begin = Instant::now();
    for _ in 0..3 {
        assert!(!server.is_out());
        let (asked, _call) = server.busy().await;
        assert!(matches!(said(asked).await, Err(CallError::Timeout)));
    }
    assert_eq!(begin.elapsed().as_millis(), 3 * BUDGET.as_millis());
    let mut pauses = Vec::new();
    let mut since = Instant::now();
    for _ in 0..3 {
        let probe = server.call().await;
        assert!(probe.tokens.is_empty() && server.is_out());
        assert_eq!(probe.budget_ms, None);
        pauses.push(since.elapsed().as_millis());
        probe.fail(CallError::Unreachable("refused".to_owned()));
        since = Instant::now();
    }
    assert_eq!(pauses, [500, 1_000, 2_000]);
    assert_eq!((server.metrics.token_server_ejections.get(), server.metrics.token_servers_up.get()), (1, 0));
    server.call().await.answer();
    let (asked, call) = server.busy().await;
    assert!(!server.is_out() && server.metrics.token_servers_up.get() == 1);
    call.answer();
    said(asked).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_that_it_is_of_no_use_is_left_out_at_once_and_back_when_it_says_otherwise() {
    type Answer = Box<dyn Fn(Call)>;
    let refuse = |status| move |call: Call| call.fail(CallError::Status(status));
    let answers: [(Cause, Answer); 5] = [
        (Cause::Credentials, Box::new(refuse(StatusCode::UNAUTHORIZED))),
        (Cause::Credentials, Box::new(refuse(StatusCode::FORBIDDEN))),
        (Cause::Profile, Box::new(refuse(StatusCode::CONFLICT))),
        (Cause::Unread, Box::new(refuse(StatusCode::SERVICE_UNAVAILABLE))),
        (Cause::Unread, Box::new(Call::answer_unread)),
    ];
    for (cause, answer) in answers {
        let mut server = Server::start();
        let ejected = |server: &Server| {
            let label = ByEjection { server: "test".to_owned(), reason: cause.word() };
            (server.is_out(), server.metrics.token_server_ejected.get_or_create(&label).get())
        };
        let (asked, call) = server.busy().await;
        answer(call);
        let said = said(asked).await;
        assert!(said.is_err() || said.is_ok_and(|detail| detail == "rules"), "{cause:?}");
        for _ in 0..5 {
            let since = Instant::now();
            let probe = server.call().await;
            assert_eq!((since.elapsed().as_millis(), ejected(&server)), (500, (true, 1)), "{cause:?}");
            answer(probe);
        }
        server.call().await.answer();
        tokio::task::yield_now().await;
        assert_eq!(ejected(&server), (false, 0), "{cause:?}");
        assert_eq!(server.metrics.token_server_ejections.get(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_leaves_answers_what_it_was_asked_and_is_counted_no_more() {
    let mut server = Server::start();
    let (first, call) = server.busy().await;
    let second = server.ask("second");
    let metrics = Arc::clone(&server.metrics);
    assert_eq!((metrics.token_servers.get(), metrics.token_server_waiting.get()), (1, 2));
    drop(server.line);
    call.answer();
    said(first).await.unwrap();
    timeout(NEVER, server.calls.recv()).await.unwrap().unwrap().answer();
    assert_eq!(said(second).await.unwrap(), "second");
    server.driver.await.unwrap();
    drop(server.standing);
    assert_eq!((metrics.token_servers.get(), metrics.token_servers_up.get()), (0, 0));
    assert_eq!(metrics.token_server_waiting.get(), 0);
}
