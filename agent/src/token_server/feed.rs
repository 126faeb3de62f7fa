//! Follows the feed of each token-server, and tells the lease what it hears.
//!
//! One poll after the other, for each server in a task of its own: an answer comes when something changed, else after half
//! a second as a sign of life. That is also how the agent knows whether its servers can be used at all; nothing else
//! looks after them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jose::Profile;
use revocation::events::{Changes, Events};
use revocation::lease::{ServerId, SharedLease};
use service::background::Background;
use service::readiness::{self, Readiness};
use service::shutdown::Shutdown;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::DropGuard;

use super::error::CallError;
use super::fitness::{Fitness, Report};
use super::server::{Server, Snapshot};
use super::standing::{Cause, Witness};
use crate::haproxy::edge::Edge;
use crate::metrics::{ByOutcome, ByServer, Metrics};

/// How long one poll may take: the half second of the server, and time enough for a busy machine.
const POLL_LIMIT: Duration = Duration::from_secs(2);
/// The time between two polls, so that a busy writer's changes come some at a time.
const PACE: Duration = Duration::from_millis(5);
/// The pause after a poll that failed...
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// ...doubles up to this: a server that comes back is heard again within a second.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How often silence is looked at.
const TICK: Duration = Duration::from_secs(1);
/// Reports under way; more of them wait.
const REPORTS: usize = 64;

/// Follows the feeds of all servers until it is asked to end, each in a task of `background`, and keeps `readiness` up to what is heard of them; it is blocked
/// from this call on, so that the agent is not found ready before the first server is heard.
pub fn follow(
    servers: watch::Receiver<Snapshot>,
    asking: Asking,
    readiness: Readiness,
    background: Background,
) -> impl Future<Output = ()> {
    let (fitness, followed) = (Fitness::default(), HashMap::new());
    let mut feeds = Feeds { asking, readiness, fitness, followed, shown: Ok(()) };
    feeds.show();
    feeds.follow(servers, background)
}

/// What is the same for all servers.
#[derive(Debug, Clone)]
pub struct Asking {
    /// The profile that they must have.
    pub profile: Profile,
    /// What learns from them.
    pub lease: Arc<SharedLease>,
    /// What learns from them after it, where HAProxy is given verdicts.
    pub edge: Option<Arc<Edge>>,
    /// Told of what may end verdicts, once both know it.
    pub changes: Arc<Notify>,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
}

impl Asking {
    /// The lease first: what HAProxy is given is held against it.
    fn hear(&self, server: ServerId, sent: Instant, received: Instant, events: &Events) {
        self.lease.hear(server, sent, received, events);
        if let Some(edge) = &self.edge {
            edge.hear(server, sent, events);
        }
        if events.changes != Changes::Groups(Vec::new()) {
            self.changes.notify_one();
        }
    }

    fn leave(&self, server: ServerId) {
        self.lease.leave(server);
        if let Some(edge) = &self.edge {
            edge.leave(server);
        }
        self.changes.notify_one();
    }
}

struct Feeds {
    asking: Asking,
    readiness: Readiness,
    fitness: Fitness,
    followed: HashMap<ServerId, Followed>,
    shown: Result<(), String>,
}

/// A server whose feed is followed until this is dropped.
struct Followed {
    server: Arc<Server>,
    _leaving: DropGuard,
}

impl Feeds {
    async fn follow(mut self, mut servers: watch::Receiver<Snapshot>, background: Background) {
        let shutdown = background.shutdown();
        let (reports, mut inbox) = mpsc::channel(REPORTS);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        servers.mark_changed();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                changed = servers.changed() => {
                    if changed.is_err() {
                        // Servers are looked for no more: the agent is about to stop.
                        shutdown.cancelled().await;
                        break;
                    }
                    let known = Arc::clone(&servers.borrow_and_update());
                    self.followed.retain(|id, _| known.iter().any(|server| server.id() == *id));
                    self.fitness.know(known.iter().map(|it| (it.id(), it.endpoint().to_string())));
                    for server in known.iter() {
                        self.followed.entry(server.id()).or_insert_with(|| {
                            let (server, reports) = (Arc::clone(server), reports.clone());
                            let followed = Arc::clone(&server);
                            let follower = Follower { asking: self.asking.clone(), server, reports };
                            let following = background.child();
                            let leaving = following.shutdown().clone();
                            let left = leaving.clone();
                            following.keep("feed", move || follower.clone().run(left.clone()));
                            Followed { server: followed, _leaving: leaving.drop_guard() }
                        });
                    }
                }
                Some((id, report, at)) = inbox.recv() => self.fitness.note(id, report, at),
                _ = ticks.tick() => {}
            }
            self.show();
        }
    }

    fn show(&mut self) {
        for (id, cause) in self.fitness.causes() {
            if let Some(Followed { server, .. }) = self.followed.get(&id) {
                server.standing().tell(Witness::Feed, cause, "its feed");
            }
        }
        let found = self.fitness.judge(Instant::now());
        if found == self.shown {
            return;
        }
        match &found {
            Ok(()) => self.readiness.clear(readiness::Cause::TokenServer),
            Err(why) => {
                tracing::warn!(cause = readiness::Cause::TokenServer.as_str(), why, "not ready");
                self.readiness.block(readiness::Cause::TokenServer, why.as_str());
            }
        }
        self.shown = found;
    }
}

/// One server's feed.
#[derive(Clone)]
struct Follower {
    asking: Asking,
    server: Arc<Server>,
    reports: mpsc::Sender<(ServerId, Report, Instant)>,
}

impl Follower {
    async fn run(self, leaving: Shutdown) {
        // Begun anew after a panic: what came last may have been taken in part, and a feed tells it once.
        self.asking.leave(self.server.id());
        tokio::select! {
            () = leaving.cancelled() => {}
            () = self.follow() => {}
        }
        self.asking.leave(self.server.id());
        self.metrics().forget_server(&self.label());
    }

    /// Polls for ever.
    async fn follow(&self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let since = self.asking.lease.since(self.server.id()).map(|since| since.to_string());
            let sent = Instant::now();
            let answer = self.server.events(self.asking.profile, since.as_deref(), POLL_LIMIT).await;
            let received = Instant::now();
            let (report, next) = match answer {
                Ok(events) => {
                    self.asking.hear(self.server.id(), sent, received, &events);
                    self.count_answer(&events);
                    pause = FIRST_PAUSE;
                    (Report::Heard(events.store_id), sent + PACE)
                }
                Err(error) => {
                    tracing::debug!(server = %self.server.endpoint(), %error, "the feed is not heard");
                    self.count_failure(&error);
                    let next = received + pause;
                    pause = LONGEST_PAUSE.min(pause * 2);
                    (report(&error), next)
                }
            };
            // It is not taken only when the agent stops.
            self.reports.send((self.server.id(), report, received)).await.ok();
            sleep_until(next.into()).await;
        }
    }

    fn count_answer(&self, events: &Events) {
        let metrics = self.metrics();
        metrics.feed_polls.get_or_create(&ByOutcome { outcome: "answered" }).inc();
        match &events.changes {
            Changes::Everything => metrics.feed_gaps.inc(),
            Changes::Groups(groups) => {
                metrics.feed_changes.inc_by(u64::try_from(groups.len()).unwrap_or(u64::MAX))
            }
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let label = self.label();
        metrics.feed_heard.get_or_create(&label).set(now.as_secs_f64());
        metrics.feed_complete.get_or_create(&label).set(i64::from(events.complete_as_of.is_some()));
    }

    fn count_failure(&self, error: &CallError) {
        let outcome = error.outcome();
        self.metrics().feed_polls.get_or_create(&ByOutcome { outcome }).inc();
        self.metrics().feed_complete.get_or_create(&self.label()).set(0);
    }

    fn label(&self) -> ByServer {
        ByServer { server: self.server.endpoint().to_string() }
    }

    fn metrics(&self) -> &Metrics {
        &self.asking.metrics
    }
}

/// A server that cannot read its store says so to checks; here it is as good as silent.
fn report(error: &CallError) -> Report {
    error.refusal().filter(|cause| *cause != Cause::Unread).map_or(Report::Silent, Report::Refused)
}
