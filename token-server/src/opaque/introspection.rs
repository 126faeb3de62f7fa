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

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use jose::{Reject, TokenHash, UnixTime};
use prometheus_client::registry::Registry;
use service::flights::{Boarding, Flights, Leader};
use service::secret_file::SecretMetrics;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use self::answers::{Answers, Kept, Key};
use self::limits::Place;
use self::metrics::IntrospectionMetrics;
use self::server::Server;
use super::Found;
use crate::config;

/// How often a question joins a call for its token: once more, where the first came to nothing.
const BOARDINGS: usize = 2;

/// Asks authorization servers.
pub(super) struct Introspection {
    /// Longest prefix first.
    servers: ArcSwap<Vec<Arc<Server>>>,
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
        registry: &mut Registry,
        clock: fn() -> UnixTime,
    ) -> Self {
        let this = Self {
            servers: ArcSwap::default(),
            answers: Answers::new(settings.cache_size),
            flights: Flights::default(),
            tasks: TaskTracker::new(),
            next: AtomicU64::default(),
            metrics: IntrospectionMetrics::register(registry),
            secrets: OnceLock::new(),
            clock,
        };
        this.replace(settings);
        this
    }

    pub(super) fn report_to(&self, metrics: SecretMetrics) {
        let metrics = self.secrets.get_or_init(|| metrics);
        self.servers.load().iter().for_each(|server| server.report_to(metrics));
    }

    /// A server that is written as before stays the same: its answers, its limits and its connections.
    pub(super) fn replace(&self, settings: config::Introspection) {
        let before = self.servers.load_full();
        let mut servers: Vec<Arc<Server>> = settings
            .servers
            .into_iter()
            .map(|written| {
                let same = before.iter().find(|server| server.is(&written)).map(Arc::clone);
                same.unwrap_or_else(|| {
                    let server = Arc::new(Server::new(
                        written,
                        self.next.fetch_add(1, Ordering::Relaxed),
                        Instant::now(),
                    ));
                    self.metrics.begin(server.issuer());
                    if let Some(metrics) = self.secrets.get() {
                        server.report_to(metrics);
                    }
                    server
                })
            })
            .collect();
        servers.sort_by_key(|server| std::cmp::Reverse(server.prefix().len()));
        self.servers.store(Arc::new(servers));
    }

    pub(super) fn is_on(&self) -> bool {
        !self.servers.load().is_empty()
    }

    /// What the token's server says of it, as far as that is known until this moment.
    pub(super) async fn open(self: &Arc<Self>, token: &str, until: Instant) -> Found {
        let server = self.servers.load().iter().find(|server| token.starts_with(server.prefix())).cloned();
        let Some(server) = server else { return Found::refused(Reject::Unsupported) };
        if !server.shares() {
            self.metrics.misses.inc();
            let Some(place) = self.enter(&server, false) else { return Found::refused(Reject::Overloaded) };
            let asked = timeout_at(until, self.ask(&server, token, place)).await;
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
                    self.lead(leader, &server, token, renews);
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
    fn lead(self: &Arc<Self>, leader: Leader<Key, Found>, server: &Arc<Server>, token: &str, renews: bool) {
        // One that landed since is as good.
        if let Kept::Fresh(found) = self.answers.get(leader.key()) {
            leader.land(found, || {});
            return;
        }
        self.metrics.misses.inc();
        let Some(place) = self.enter(server, renews) else {
            leader.land(Found::refused(Reject::Overloaded), || {});
            return;
        };
        let (this, server, token) = (Arc::clone(self), Arc::clone(server), token.to_owned());
        self.tasks.spawn(async move {
            let found = this.ask(&server, &token, place).await;
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

    async fn ask(&self, server: &Server, token: &str, _place: Place) -> Found {
        let _in_flight = self.metrics.begin_call();
        match server.ask(token, self.clock).await {
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
