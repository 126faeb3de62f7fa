//! Long outages, on a clock that the test moves while the network stays what it is.

use std::sync::Arc;
use std::time::{Duration, Instant as RealInstant, SystemTime};

use crate::trust::IssuerKeys;
use jose::{Hint, UnixTime};
use service::background::TaskMetrics;
use service::readiness::Readiness;
use service::shutdown::Shutdown;
use tokio::task::{spawn, spawn_blocking, yield_now};
use tokio::time::{Instant, advance};

use super::*;
use crate::url::tests::{Answer, Server, client, rules};
use crate::{Newer, UrlSource};

/// Between two tokens.
const STEP: Duration = Duration::from_millis(100);

/// What an agent lets a token wait.
const BUDGET: Duration = Duration::from_millis(80);

/// How long an outage lasts.
const NINE_MINUTES: Duration = Duration::from_secs(540);

/// The processor's time that one step leaves to the network; what is late comes in a later step.
const TURNS: usize = 50;

/// Sources in use, on a clock that moves when it is told to.
struct Stage {
    server: Server,
    live: LiveKeys,
    background: Background,
    /// While a blocking task lives, no paused clock moves by itself.
    _stands: std::sync::mpsc::Sender<()>,
}

/// What was said of the tokens of some time.
#[derive(Debug, Default)]
struct Told {
    unknown: usize,
    refused: usize,
}

impl Stage {
    async fn start(first: Answer) -> Self {
        let (stands, held) = std::sync::mpsc::channel();
        spawn_blocking(move || held.recv().is_err());
        let server = Server::start().await;
        server.set("/k", first);
        let url = reqwest::Url::parse(&format!("{}/k", server.base)).unwrap();
        let source = Source::Url(UrlSource::Keys(url), client());
        let configured = KeySources {
            issuers: vec![IssuerKeys::default()],
            proxies: service::proxy::ProxyVariables::default(),
            interval: Duration::from_secs(300),
            rules: rules(),
        };
        let background = Background::new(Shutdown::new(), Readiness::new(), TaskMetrics::default());
        let live = LiveKeys::start(
            configured,
            vec![(0, source)],
            Readiness::new(),
            KeyMetrics::default(),
            background.clone(),
        );
        Self { server, live, background, _stands: stands }
    }

    /// One token that was issued now and names no key that is known; the clock moves on meanwhile.
    async fn token(&self) -> Newer {
        let (ring, now) = (Arc::clone(self.live.ring()), UnixTime::from_system(SystemTime::now()));
        let (version, since) = (ring.current().version, Instant::now());
        let asked = spawn(async move {
            let hint = Hint { keys: Some(0), issued: Some(now), kid: None };
            ring.newer_than(version, &hint, since, since + BUDGET, now).await
        });
        for _ in 0..TURNS {
            yield_now().await;
        }
        advance(STEP).await;
        asked.await.unwrap()
    }

    /// A token at each step, for so long.
    async fn tokens(&self, time: Duration) -> Told {
        let (mut told, end) = (Told::default(), Instant::now() + time);
        while Instant::now() < end {
            match self.token().await {
                Newer::Unknown => told.unknown += 1,
                Newer::Final | Newer::Current => told.refused += 1,
                Newer::Keys(_) => panic!("there are no keys"),
            }
        }
        told
    }

    /// The time from now, on the clock that is moved, until a token finds keys.
    async fn recovery(&self) -> Duration {
        let (start, patience) = (Instant::now(), RealInstant::now() + Duration::from_secs(60));
        loop {
            match self.token().await {
                Newer::Keys(_) => return start.elapsed(),
                Newer::Unknown => {
                    assert!(RealInstant::now() < patience, "no keys after {:?}", start.elapsed())
                }
                newer @ (Newer::Final | Newer::Current) => panic!("a good token was refused: {newer:?}"),
            }
            // The network has its own time, in which this clock must not run ahead.
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    async fn stop(self) {
        self.background.shutdown().cancel();
        self.background.ended().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_down_from_the_start_for_nine_minutes_costs_no_token_a_refusal_and_is_used_when_it_is_back()
 {
    let down = Answer { status: 503, ..Answer::default() };
    // A hung server is asked again when its fetch has timed out, ten seconds after it began.
    let hung = Answer { hangs: true, ..Answer::default() };
    for (what, outage, longest) in [("down", down, 11), ("hung", hung, 21)] {
        let stage = Stage::start(outage).await;
        let told = stage.tokens(NINE_MINUTES).await;
        assert_eq!(told.refused, 0, "{what}: {told:?}");
        assert!(told.unknown > 5_000, "{what}: {told:?}");
        stage.server.keys("/k", "a");
        let recovery = stage.recovery().await;
        println!(
            "{what} for nine minutes: {} tokens, each 503; keys {recovery:?} after it is back",
            told.unknown
        );
        assert!(recovery <= Duration::from_secs(longest), "{what}: {recovery:?}");
        stage.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_goes_down_for_nine_minutes_leaves_its_keys_in_use_and_its_return_is_seen_at_once() {
    let stage = Stage::start(Answer { status: 503, ..Answer::default() }).await;
    stage.server.keys("/k", "a");
    stage.recovery().await;
    stage.server.set("/k", Answer { status: 503, ..Answer::default() });
    let told = stage.tokens(NINE_MINUTES).await;
    assert_eq!(told.refused, 0, "a token of a key that may have come meanwhile: {told:?}");
    assert!(stage.live.ring().has_keys());
    stage.server.keys("/k", "b");
    let recovery = stage.recovery().await;
    println!(
        "down for nine minutes with keys: {} tokens of unknown keys, each 503; back in {recovery:?}",
        told.unknown
    );
    assert!(recovery <= Duration::from_secs(11), "{recovery:?}");
    stage.stop().await;
}
