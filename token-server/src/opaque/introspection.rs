//! Introspection (RFC 7662): the authorization server of an opaque token is asked what the token says, and its answer is used
//! again for a while, never beyond the token's end.
//!
//! One call at a time for each token ([`Flights`]); calls have limits ([`limits`]), what is kept has one too ([`answers`]). What
//! is no answer is never kept: the next question is a new call.

mod answer;
mod answers;
mod assertion;
mod call;
mod limits;
mod metrics;
mod server;
mod signer;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use jose::{Reject, TokenHash, UnixTime};
use keys::KeyRing;
use prometheus_client::registry::Registry;
use service::flights::{Boarding, Flights, Leader};
use service::secret_file::SecretMetrics;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use self::answers::{Answers, Kept, Key};
use self::limits::Place;
use self::metrics::IntrospectionMetrics;
use self::server::Server;
use self::signer::Signer;
use super::Found;
use crate::config;
use crate::config::introspection::AuthorizationServer;

/// How often a question joins a call for its token: once more, where the first came to nothing.
const BOARDINGS: usize = 2;

/// A server, and who signs its answers where they have to be signed.
#[derive(Clone)]
struct Source {
    server: Arc<Server>,
    signer: Option<Arc<Signer>>,
}

/// Asks authorization servers.
pub(super) struct Introspection {
    /// Longest prefix first.
    sources: ArcSwap<Vec<Source>>,
    answers: Answers,
    flights: Flights<Key, Found>,
    tasks: TaskTracker,
    /// Numbers the servers that were ever configured.
    next: AtomicU64,
    metrics: IntrospectionMetrics,
    secrets: OnceLock<SecretMetrics>,
    clock: fn() -> UnixTime,
}

impl Introspection {
    pub(super) fn new(
        settings: config::Introspection,
        keys: Option<&Arc<KeyRing>>,
        registry: &mut Registry,
        clock: fn() -> UnixTime,
    ) -> Self {
        let this = Self {
            sources: ArcSwap::default(),
            answers: Answers::new(settings.cache_size),
            flights: Flights::default(),
            tasks: TaskTracker::new(),
            next: AtomicU64::default(),
            metrics: IntrospectionMetrics::register(registry),
            secrets: OnceLock::new(),
            clock,
        };
        this.replace(settings, keys);
        this
    }

    pub(super) fn report_to(&self, metrics: SecretMetrics) {
        let metrics = self.secrets.get_or_init(|| metrics);
        self.sources.load().iter().for_each(|source| source.server.report_to(metrics));
    }

    /// A server that is written as before stays the same: its answers, its limits and its connections. Signed answers are verified
    /// with these keys.
    pub(super) fn replace(&self, settings: config::Introspection, keys: Option<&Arc<KeyRing>>) {
        let before = self.sources.load_full();
        let mut sources: Vec<Source> = settings
            .servers
            .into_iter()
            .map(|written| {
                let signer = Signer::of(&written, keys);
                let same = before.iter().find(|source| source.server.is(&written));
                let server = same.map_or_else(|| self.begin(written), |source| Arc::clone(&source.server));
                Source { server, signer }
            })
            .collect();
        sources.sort_by_key(|source| std::cmp::Reverse(source.server.prefix().len()));
        self.sources.store(Arc::new(sources));
    }

    fn begin(&self, settings: AuthorizationServer) -> Arc<Server> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let server = Arc::new(Server::new(settings, number, Instant::now()));
        self.metrics.begin(server.issuer());
        if let Some(metrics) = self.secrets.get() {
            server.report_to(metrics);
        }
        server
    }

    pub(super) fn is_on(&self) -> bool {
        !self.sources.load().is_empty()
    }

    /// What the token's server says of it, as far as that is known until this moment.
    pub(super) async fn open(self: &Arc<Self>, token: &str, until: Instant) -> Found {
        let sources = self.sources.load_full();
        let source = sources.iter().find(|source| token.starts_with(source.server.prefix()));
        let Some(source) = source else { return Found::refused(Reject::Unsupported) };
        let server = &source.server;
        if !server.shares() {
            self.metrics.misses.inc();
            let Some(place) = self.enter(server, false) else { return Found::refused(Reject::Overloaded) };
            let asked = timeout_at(until, self.ask(source, token, place)).await;
            return asked.unwrap_or_else(|_| Found::refused(Reject::Introspection));
        }
        let key = Key { server: server.number(), token: TokenHash::of(token) };
        for _ in 0..BOARDINGS {
            let renews = match self.answers.get(&key) {
                Kept::Fresh(found) => {
                    self.metrics.hits.inc();
                    return found;
                }
                Kept::Ended => true,
                Kept::Nothing => false,
            };
            let landing = match self.flights.board(key, Instant::now()) {
                Boarding::Follow(follower) => follower,
                Boarding::Lead(leader) => {
                    let follower = leader.follower(Instant::now());
                    self.lead(leader, source, token, renews);
                    follower
                }
            };
            match timeout_at(until, landing.landing()).await {
                Ok(Some(found)) => return found,
                // Its leader was lost.
                Ok(None) => {}
                Err(_) => break,
            }
        }
        Found::refused(Reject::Introspection)
    }

    /// Begins the call, which goes on whatever becomes of the question.
    fn lead(self: &Arc<Self>, leader: Leader<Key, Found>, source: &Source, token: &str, renews: bool) {
        // One that landed since is as good.
        if let Kept::Fresh(found) = self.answers.get(leader.key()) {
            leader.land(found, || {});
            return;
        }
        self.metrics.misses.inc();
        let Some(place) = self.enter(&source.server, renews) else {
            leader.land(Found::refused(Reject::Overloaded), || {});
            return;
        };
        let (this, source, token) = (Arc::clone(self), source.clone(), token.to_owned());
        self.tasks.spawn(async move {
            let found = this.ask(&source, &token, place).await;
            let key = *leader.key();
            leader.land(found.clone(), || this.answers.keep(key, found));
            this.metrics.show_entries(this.answers.len());
        });
    }

    fn enter(&self, server: &Server, renews: bool) -> Option<Place> {
        let place = server.enter(renews, Instant::now());
        if place.is_none() {
            self.metrics.overloaded(server.issuer());
        }
        place
    }

    async fn ask(&self, source: &Source, token: &str, _place: Place) -> Found {
        let _in_flight = self.metrics.begin_call();
        let Source { server, signer } = source;
        match server.ask(token, signer.as_deref(), self.clock).await {
            Ok(found) => {
                self.metrics.answered(server.issuer(), &found);
                found
            }
            Err(failure) => {
                self.metrics.failed(server.issuer());
                server.log(&failure);
                Found::refused(Reject::Introspection)
            }
        }
    }
}

#[cfg(test)]
mod tests;
