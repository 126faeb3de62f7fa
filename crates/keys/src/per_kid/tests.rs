//! Against a real HTTP server on loopback.

use std::sync::Arc;
use std::time::Duration;

use jose::{Hint, UnixTime};
use prometheus_client::registry::Registry;
use service::readiness::Readiness;
use service::shutdown::Shutdown;
use tokio::time::Instant;

use super::*;
use crate::url::tests::{Answer, Server, client, rules};
use crate::{KeyMetrics, KeyRing, Newer, Source, Timing};

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

fn kid(number: u32) -> Uuid {
    Uuid::parse(&format!("{number:08x}-2222-3333-4444-555555555555")).unwrap()
}

fn hint(number: u32) -> Hint {
    Hint { keys: Some(0), issued: None, kid: Some(kid(number)) }
}

fn give(server: &Server, number: u32) {
    let body = rcgen::KeyPair::generate().unwrap().public_key_pem();
    server.set(&format!("/k/{}", kid(number)), Answer { status: 200, body, ..Answer::default() });
}

fn place(server: &Server) -> PerKid {
    PerKid::parse(&format!("{}/k/{KID}", server.base)).unwrap()
}

/// A ring that one such source feeds, until the guard is dropped.
struct Fed {
    ring: Arc<KeyRing>,
    readiness: Readiness,
    _stop: tokio_util::sync::DropGuard,
}

impl Fed {
    async fn by(server: &Server, interval: Duration) -> Self {
        let metrics = KeyMetrics::register(&mut Registry::default());
        let source = Source::PerKid(place(server), client());
        let timing = Timing { interval, cool_down: Duration::from_secs(3_600) };
        let readiness = Readiness::new();
        let ring =
            Arc::new(KeyRing::new(1, &[source.place(0)], timing.cool_down, readiness.clone(), metrics));
        let stop = Shutdown::new();
        tokio::spawn(crate::keep_fresh(source, 0, Arc::clone(&ring), rules(), timing, stop.clone()));
        ring.settled().await;
        Self { ring, readiness, _stop: stop.drop_guard() }
    }

    fn kids(&self) -> Vec<String> {
        let keys = self.ring.current();
        keys.sets[0].keys().iter().filter_map(|key| key.kid().map(str::to_owned)).collect()
    }

    /// What a token hears that no key verifies.
    async fn ask(&self, hint: Hint) -> &'static str {
        let (version, since) = (self.ring.current().version, Instant::now());
        let deadline = since + Duration::from_secs(20);
        match self.ring.newer_than(version, &hint, since, deadline, NOW).await {
            Newer::Keys(_) => "keys",
            Newer::Final => "final",
            Newer::Current => "current",
            Newer::Unknown => "unknown",
        }
    }
}

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn a_key_is_fetched_once_when_a_token_names_it_and_a_new_kid_brings_a_new_one() {
    let server = Server::start().await;
    give(&server, 1);
    let fed = Fed::by(&server, DAY).await;
    assert!(fed.readiness.check().is_ok(), "ready before the first token");
    assert_eq!((fed.kids().len(), server.asked().len()), (0, 0), "nothing is asked for without a token");
    let (one, other) = tokio::join!(fed.ask(hint(1)), fed.ask(hint(1)));
    assert_eq!((one, other), ("keys", "keys"));
    assert_eq!((fed.kids(), server.asked().len()), (vec![kid(1).to_string()], 1));
    assert_eq!(fed.ask(hint(1)).await, "current", "a forged signature asks for no key that is there");
    give(&server, 2);
    assert_eq!(fed.ask(hint(2)).await, "keys");
    assert_eq!((fed.kids().len(), server.asked().len()), (2, 2));
}

#[tokio::test]
async fn a_kid_without_a_key_is_unknown_and_is_not_asked_for_again_at_once() {
    let server = Server::start().await;
    let fed = Fed::by(&server, DAY).await;
    let forbidden = Answer { status: 403, ..Answer::default() };
    server.set(&format!("/k/{}", kid(2)), forbidden);
    for (number, asked) in [(1, 1), (1, 1), (2, 2), (2, 2), (1, 2)] {
        assert_eq!(fed.ask(hint(number)).await, "current", "{number}");
        assert_eq!(server.asked().len(), asked, "{number}");
    }
    for without in [Hint { kid: None, ..hint(1) }, Hint::default(), Hint { keys: Some(1), ..hint(3) }] {
        fed.ask(without).await;
        assert_eq!(server.asked().len(), 2, "{without:?}");
    }
}

#[tokio::test]
async fn a_flood_of_kids_costs_the_few_fetches_of_the_bucket_and_is_no_verdict_on_the_others() {
    let server = Server::start().await;
    give(&server, 1);
    let fed = Fed::by(&server, DAY).await;
    assert_eq!(fed.ask(hint(1)).await, "keys");
    let mut told = Vec::new();
    for number in 100..200 {
        told.push(fed.ask(hint(number)).await);
    }
    assert_eq!(server.asked().len(), 3);
    assert_eq!(told.iter().filter(|told| **told == "current").count(), 2);
    assert_eq!(told.iter().filter(|told| **told == "unknown").count(), 98);
    assert_eq!(fed.kids(), [kid(1).to_string()], "the key at hand stays");
}

#[tokio::test]
async fn while_the_server_is_down_or_gives_no_key_a_token_cannot_be_judged() {
    let answers = [
        Answer { status: 500, ..Answer::default() },
        Answer { status: 200, body: "<html>".into(), ..Answer::default() },
    ];
    for answer in answers {
        let server = Server::start().await;
        let fed = Fed::by(&server, DAY).await;
        server.set(&format!("/k/{}", kid(1)), answer);
        assert_eq!(fed.ask(hint(1)).await, "unknown");
        assert!(server.asked().len() <= 3);
    }
    let server = Server::start().await;
    let fed = Fed::by(&server, DAY).await;
    drop(server);
    assert_eq!(fed.ask(hint(1)).await, "unknown");
}

#[tokio::test]
async fn a_key_that_the_server_withdraws_goes_at_the_next_round_and_one_that_it_cannot_give_stays() {
    let server = Server::start().await;
    let fed = Fed::by(&server, Duration::from_millis(20)).await;
    give(&server, 1);
    assert_eq!(fed.ask(hint(1)).await, "keys");
    server.set(&format!("/k/{}", kid(1)), Answer { status: 500, ..Answer::default() });
    let asked = server.asked().len();
    crate::url::tests::until(|| server.asked().len() > asked + 1).await;
    assert_eq!(fed.kids().len(), 1);
    server.set(&format!("/k/{}", kid(1)), Answer { status: 404, ..Answer::default() });
    crate::url::tests::until(|| fed.kids().is_empty()).await;
}
