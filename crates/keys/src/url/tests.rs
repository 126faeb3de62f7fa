//! Against a real HTTP server on loopback whose answers each test chooses.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use crate::trust::Fetch;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Response, header};
use prometheus_client::registry::Registry;
use service::readiness::Readiness;
use service::shutdown::Shutdown;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

use super::*;
use jose::{Hint, KeyOrigin, KeyRules, MAX_KEY_SET_BYTES, UnixTime};

use crate::client::Etag;
use crate::{KeyMetrics, KeyRing, Newer, Source, Surroundings, Timing, keep_fresh};

/// Longer than any machine needs; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    pub(crate) etag: Option<&'static str>,
    /// Nothing comes back.
    pub(crate) hangs: bool,
    /// So many questions are answered with 500 first.
    pub(crate) fails: u32,
}

#[derive(Clone, Default)]
struct Site {
    pages: Arc<Mutex<HashMap<String, Answer>>>,
    asked: Arc<Mutex<Vec<Instant>>>,
}

pub(crate) struct Server {
    site: Site,
    pub(crate) base: String,
    _stop: tokio_util::sync::DropGuard,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let site = Site::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let stop = Shutdown::new();
        let router = Router::new().fallback(page).with_state(site.clone());
        tokio::spawn(
            axum::serve(listener, router)
                .with_graceful_shutdown(stop.clone().cancelled_owned())
                .into_future(),
        );
        Self { site, base, _stop: stop.drop_guard() }
    }

    pub(crate) fn set(&self, path: &str, answer: Answer) {
        self.site.pages.lock().unwrap().insert(path.to_owned(), answer);
    }

    pub(crate) fn keys(&self, path: &str, kid: &str) {
        self.set(path, Answer { status: 200, body: jwks(kid), ..Answer::default() });
    }

    fn url(&self, path: &str) -> UrlSource {
        UrlSource::Keys(Url::parse(&format!("{}{path}", self.base)).unwrap())
    }

    pub(crate) fn asked(&self) -> Vec<Instant> {
        self.site.asked.lock().unwrap().clone()
    }
}

async fn page(State(site): State<Site>, request: Request) -> Response<String> {
    site.asked.lock().unwrap().push(Instant::now());
    let answer = site.pages.lock().unwrap().get_mut(request.uri().path()).map(|page| {
        let fails = page.fails > 0;
        page.fails = page.fails.saturating_sub(1);
        if fails { Answer { status: 500, ..Answer::default() } } else { page.clone() }
    });
    let answer = answer.unwrap_or_default();
    if answer.hangs {
        std::future::pending::<()>().await;
    }
    let shown = request.headers().get(header::IF_NONE_MATCH).and_then(|etag| etag.to_str().ok());
    let known = answer.etag.is_some() && shown == answer.etag;
    let status = if known { 304 } else { answer.status.max(100) };
    let mut response = Response::builder().status(if status == 100 { 404 } else { status });
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    if let Some(etag) = answer.etag {
        response = response.header(header::ETAG, etag);
    }
    response.body(if known { String::new() } else { answer.body }).unwrap()
}

/// A set of one secret, named `kid`.
pub(crate) fn jwks(kid: &str) -> String {
    format!(r#"{{"keys":[{{"kty":"oct","kid":"{kid}","k":"{}"}}]}}"#, "QUJD".repeat(16))
}

pub(crate) fn rules() -> KeyRules {
    let profile = jose::Profile::Standard;
    KeyRules { origin: KeyOrigin::Url, profile, allow_short_secrets: false, allow_mixed_keys: false }
}

pub(crate) fn client() -> Client {
    Client::new("test", &Fetch::default(), &[], &Surroundings::default()).unwrap()
}

#[tokio::test]
async fn what_is_no_key_set_is_an_error_that_says_why() {
    let server = Server::start().await;
    let redirect =
        |to: &str| Answer { status: 302, headers: vec![("location", to.to_owned())], ..Answer::default() };
    server.keys("/good", "a");
    server.set("/moved", redirect("/good"));
    server.set("/away", redirect(&server.base.replace("127.0.0.1", "localhost")));
    server.set("/round", redirect("/round"));
    server.set("/broken", Answer { status: 500, ..Answer::default() });
    server.set("/garbage", Answer { status: 200, body: "<html>".into(), ..Answer::default() });
    server.set("/empty", Answer { status: 200, body: r#"{"keys":[]}"#.into(), ..Answer::default() });
    server.set("/huge", Answer { status: 200, body: " ".repeat(MAX_KEY_SET_BYTES + 1), ..Answer::default() });
    for (path, expected) in [
        ("/good", None),
        ("/moved", None),
        ("/away", Some("which is another origin")),
        ("/round", Some("redirected")),
        ("/broken", Some("500")),
        ("/missing", Some("404")),
        ("/garbage", Some("neither a JWK set")),
        ("/empty", Some("holds no key")),
        ("/huge", Some("bytes")),
    ] {
        let loaded = Source::Url(server.url(path), client()).load(&rules()).await;
        match (loaded, expected) {
            (Ok(set), None) => assert_eq!(set.len(), 1, "{path}"),
            (Err(error), Some(expected)) => {
                assert!(error.to_string().contains(expected), "{path}: {error}");
            }
            (loaded, _) => panic!("{path}: {loaded:?}"),
        }
    }
}

#[tokio::test]
async fn an_etag_spares_the_document_and_max_age_is_read() {
    let server = Server::start().await;
    let headers = vec![("cache-control", "public, Max-Age=60, must-revalidate".to_owned())];
    server.set(
        "/k",
        Answer { status: 200, headers, body: jwks("a"), etag: Some("\"v1\""), ..Answer::default() },
    );
    let first = client().fetch(&server.url("/k"), None).await.unwrap();
    let tag = |value: &str| {
        let UrlSource::Keys(url) = server.url("/k") else { panic!("no key URL") };
        Some(Etag { url, value: value.to_owned() })
    };
    assert_eq!(first.etag, tag("\"v1\""));
    assert_eq!(first.fresh_for, Some(Duration::from_secs(60)));
    assert!(first.bytes.is_some());
    let second = client().fetch(&server.url("/k"), first.etag.as_ref()).await.unwrap();
    assert_eq!(second, Fetched { bytes: None, ..first.clone() });
    let other = client().fetch(&server.url("/k"), tag("\"v0\"").as_ref()).await.unwrap();
    assert_eq!(other, first);
}

#[tokio::test]
async fn an_unasked_not_modified_is_no_key_set() {
    let server = Server::start().await;
    server.set("/k", Answer { status: 304, ..Answer::default() });
    assert!(client().fetch(&server.url("/k"), None).await.is_err());
}

/// A ring that one URL keeps fresh, until the guard is dropped.
struct Ring {
    ring: Arc<KeyRing>,
    _stop: tokio_util::sync::DropGuard,
}

impl Ring {
    fn fed_by(server: &Server, timing: Timing) -> Self {
        let metrics = KeyMetrics::register(&mut Registry::default());
        let source = Source::Url(server.url("/k"), client());
        let ring = Arc::new(KeyRing::new(1, &[source.place(0)], timing.cool_down, Readiness::new(), metrics));
        let stop = Shutdown::new();
        tokio::spawn(keep_fresh(source, 0, Arc::clone(&ring), rules(), timing, stop.clone()));
        Self { ring, _stop: stop.drop_guard() }
    }

    fn has(&self, kid: &str) -> bool {
        self.ring.current().sets[0].keys().iter().any(|key| key.kid() == Some(kid))
    }
}

pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, wait).await.expect("the condition comes true");
}

/// When the tokens of these tests say they were issued.
fn now() -> UnixTime {
    UnixTime::from_system(SystemTime::now())
}

fn issued(millis_ago: i64) -> Hint {
    Hint { keys: Some(0), issued: Some(UnixTime::from_millis(now().as_millis() - millis_ago)), kid: None }
}

/// Longer than any clock skew that is granted.
const LONG_AGO: i64 = 3_600_000;

impl Ring {
    /// What a token that comes now is told about keys newer than those of now.
    async fn newer(&self, hint: Hint, patience: Duration) -> Newer {
        let since = tokio::time::Instant::now();
        self.ring.newer_than(self.ring.current().version, &hint, since, since + patience, now()).await
    }

    fn version(&self) -> u64 {
        self.ring.current().version
    }
}

/// Nothing but tokens makes such a source be loaded.
fn by_tokens_alone(cool_down: Duration) -> Timing {
    Timing { interval: Duration::from_secs(3600), cool_down }
}

#[tokio::test]
async fn a_flood_of_unknown_kids_costs_few_fetches_and_hides_no_rotation() {
    let server = Server::start().await;
    server.keys("/k", "old");
    let cool_down = Duration::from_millis(200);
    let fed = Ring::fed_by(&server, by_tokens_alone(cool_down));
    until(|| fed.has("old")).await;
    let begun = Instant::now();
    // As a flood does: asking all the time, and a real rotation in the middle of it.
    until(|| {
        fed.ring.refresh_soon(fed.ring.current().version, &issued(0));
        server.asked().len() >= 6
    })
    .await;
    server.keys("/k", "new");
    until(|| {
        fed.ring.refresh_soon(fed.ring.current().version, &issued(0));
        fed.has("new")
    })
    .await;
    assert!(!fed.has("old"), "a removed key is refused at once");
    let refills = begun.elapsed().as_millis() / cool_down.as_millis();
    let asked = server.asked().len();
    assert!(asked <= usize::try_from(refills).unwrap() + 1 + 3 + 1, "{asked} fetches, {refills} refills");
}

#[tokio::test]
async fn a_token_with_a_new_key_waits_for_it_also_where_a_load_was_just_made_or_fails_once() {
    let server = Server::start().await;
    server.keys("/k", "first");
    // No load is ever added: the three that are there must do.
    let fed = Ring::fed_by(&server, by_tokens_alone(Duration::from_secs(3600)));
    until(|| fed.has("first")).await;
    for next in ["second", "third"] {
        server.keys("/k", next);
        let Newer::Keys(keys) = fed.newer(issued(0), PATIENCE).await else {
            panic!("{next} is not waited for")
        };
        assert!(keys.version == fed.version() && fed.has(next));
    }
    let fed = Ring::fed_by(&server, by_tokens_alone(Duration::from_secs(3600)));
    until(|| fed.has("third")).await;
    server.set("/k", Answer { status: 200, body: jwks("fourth"), fails: 1, ..Answer::default() });
    let newer = fed.newer(issued(0), PATIENCE).await;
    assert!(matches!(newer, Newer::Keys(_)) && fed.has("fourth"), "{newer:?}");
}

#[tokio::test]
async fn where_no_load_may_be_made_only_a_token_that_is_older_than_the_last_one_is_judged() {
    let server = Server::start().await;
    server.keys("/k", "only");
    let fed = Ring::fed_by(&server, by_tokens_alone(Duration::from_secs(3600)));
    until(|| fed.has("only")).await;
    let silent = Hint { keys: Some(0), ..Hint::default() };
    for spends in ["the first", "the second", "the third"] {
        let newer = fed.newer(issued(0), PATIENCE).await;
        assert!(matches!(newer, Newer::Current), "{spends}: {newer:?}");
    }
    for (what, hint, expected) in [
        ("issued after the last load", issued(0), "Unknown"),
        ("issued by a clock that is behind", issued(20_000), "Unknown"),
        ("issued long before", issued(LONG_AGO), "Final"),
        ("issued in the future", issued(-LONG_AGO), "Current"),
        ("not saying when", silent, "Current"),
        ("of another issuer", Hint { keys: Some(1), ..Hint::default() }, "Final"),
    ] {
        let newer = fed.newer(hint, PATIENCE).await;
        assert_eq!(format!("{newer:?}"), expected, "{what}");
    }
    assert_eq!(server.asked().len(), 4, "the start and three early loads");
}

#[tokio::test]
async fn a_key_server_that_hangs_holds_a_token_no_longer_than_its_patience_and_refuses_none_that_may_be_new()
{
    let server = Server::start().await;
    server.keys("/k", "old");
    let fed = Ring::fed_by(&server, by_tokens_alone(Duration::from_secs(3600)));
    until(|| fed.has("old")).await;
    server.set("/k", Answer { hangs: true, ..Answer::default() });
    for (hint, expected) in [(issued(0), "Unknown"), (issued(LONG_AGO), "Final")] {
        let newer = timeout(PATIENCE, fed.newer(hint, Duration::from_millis(20))).await.unwrap();
        assert_eq!(format!("{newer:?}"), expected);
    }
}

#[tokio::test]
async fn a_source_that_was_down_at_the_start_is_asked_when_a_token_needs_it() {
    let server = Server::start().await;
    let fed = Ring::fed_by(&server, by_tokens_alone(Duration::from_millis(50)));
    // The next load by the clock is eight seconds away by then.
    until(|| server.asked().len() >= 4).await;
    server.keys("/k", "late");
    until(|| {
        fed.ring.refresh_soon(fed.ring.current().version, &issued(LONG_AGO));
        fed.has("late")
    })
    .await;
}

#[tokio::test]
async fn each_issuer_has_early_loads_of_its_own() {
    let server = Server::start().await;
    server.keys("/k", "a");
    let source = Source::Url(server.url("/k"), client());
    let timing = by_tokens_alone(Duration::from_secs(3600));
    let metrics = KeyMetrics::register(&mut Registry::default());
    let places = [source.place(0), source.place(1)];
    let ring = Arc::new(KeyRing::new(2, &places, timing.cool_down, Readiness::new(), metrics));
    let stop = Shutdown::new();
    for index in 0..2 {
        tokio::spawn(keep_fresh(source.clone(), index, Arc::clone(&ring), rules(), timing, stop.clone()));
    }
    ring.settled().await;
    let fed = Ring { ring, _stop: stop.drop_guard() };
    for _ in 0..4 {
        fed.newer(issued(0), PATIENCE).await;
    }
    assert!(matches!(fed.newer(issued(0), PATIENCE).await, Newer::Unknown), "the first one's are spent");
    server.keys("/k", "b");
    let other = Hint { keys: Some(1), ..issued(0) };
    assert!(matches!(fed.newer(other, PATIENCE).await, Newer::Keys(_)), "the second one's are not");
}

#[tokio::test]
async fn a_broken_answer_never_replaces_a_good_set() {
    let server = Server::start().await;
    server.keys("/k", "good");
    let timing = Timing { interval: Duration::from_millis(20), cool_down: Duration::from_millis(20) };
    let fed = Ring::fed_by(&server, timing);
    until(|| fed.has("good")).await;
    let asked = server.asked().len();
    server.set("/k", Answer { status: 200, body: r#"{"keys":[]}"#.into(), ..Answer::default() });
    until(|| server.asked().len() > asked + 1).await;
    assert!(fed.has("good"));
    server.keys("/k", "next");
    until(|| fed.has("next")).await;
}

#[tokio::test]
async fn a_cold_start_without_the_server_ends_when_the_server_comes() {
    let server = Server::start().await;
    let timing = Timing { interval: Duration::from_secs(3600), cool_down: Duration::from_secs(3600) };
    let fed = Ring::fed_by(&server, timing);
    until(|| !server.asked().is_empty()).await;
    server.keys("/k", "late");
    until(|| fed.has("late")).await;
}
