//! Verdicts of tokens that come often, kept in HAProxy itself: it looks into a map, and asks only where that has none.
//!
//! [`Heat`](crate::cache::heat::Heat) finds the tokens, [`entry`] has the form of what is written, [`ledger`] decides what
//! stands in HAProxy and for how long, [`commands`] are the words of HAProxy's runtime API, [`connection`] looks at what HAProxy
//! has, and [`writer`] tells it.
//!
//! A verdict there is never a refusal, and holds no longer than the agent's own would: why stands in `docs/REVOCATION.md`.

pub mod commands;
pub mod connection;
pub mod entry;
pub mod ledger;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use arc_swap::ArcSwap;
use jose::UnixTime;
use keys::KeyRing;
use revocation::events::Events;
use revocation::lease::{ServerId, SharedLease};
use service::background::Background;
use service::readiness::Readiness;
use tokio::sync::Notify;

use crate::cache::{self, Kept};
use crate::metrics::{ByReason, BySocket, Metrics};
use crate::request::Request;
use commands::Maps;
use entry::{Key, Layout};
use ledger::{Basis, Ledger, Moment, Offer, Taken, Terms};

/// What an operator sets of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeConfig {
    /// Stats sockets, one of each HAProxy.
    pub sockets: Vec<PathBuf>,
    /// The maps in all of them.
    pub maps: Maps,
    /// How much is given to each.
    pub terms: Terms,
}

impl EdgeConfig {
    /// What metrics call each of the sockets.
    pub fn labels(&self) -> Vec<BySocket> {
        self.sockets.iter().map(|path| label(path)).collect()
    }
}

fn label(path: &Path) -> BySocket {
    BySocket { socket: path.display().to_string() }
}

/// The HAProxys that are given verdicts; shared by all connections.
#[derive(Debug)]
pub struct Edge {
    sockets: Vec<Arc<Socket>>,
    maps: Maps,
    lease: Arc<SharedLease>,
    has_token_server: bool,
    readiness: Readiness,
    configuration: AtomicU64,
    /// The configuration in use, by its number, with its keys.
    relied_on: ArcSwap<(u64, Arc<KeyRing>)>,
    start: Instant,
    metrics: Arc<Metrics>,
}

/// One HAProxy.
#[derive(Debug)]
struct Socket {
    path: PathBuf,
    ledger: Mutex<Ledger>,
    /// Something ends, and HAProxy is told so at once.
    urgent: Notify,
    /// There is something to write.
    offered: Notify,
}

impl Socket {
    fn lock(&self) -> MutexGuard<'_, Ledger> {
        // Its parts do not agree any more where a panic came in between; nothing that it held is used again then.
        self.ledger.lock().unwrap_or_else(|poisoned: PoisonError<_>| {
            let mut ledger = poisoned.into_inner();
            ledger.doubt();
            self.ledger.clear_poison();
            ledger
        })
    }

    fn label(&self) -> BySocket {
        label(&self.path)
    }
}

/// What a configuration's decisions give HAProxy.
#[derive(Debug, Clone)]
pub struct Offers {
    edge: Arc<Edge>,
    configuration: u64,
    layout: Layout,
}

impl Edge {
    /// Nothing is given yet. `agent` is a name that no other agent has or had; `ring` has the keys.
    pub fn new(
        config: EdgeConfig,
        agent: &str,
        lease: Arc<SharedLease>,
        has_token_server: bool,
        (readiness, metrics): (Readiness, Arc<Metrics>),
        ring: Arc<KeyRing>,
    ) -> Self {
        let EdgeConfig { sockets, maps, terms } = config;
        // Two sockets may be of one HAProxy, and each ledger ends only what has names of its own.
        let socket = |(number, path)| {
            let ledger = Mutex::new(Ledger::new(format!("{agent}-{number}"), terms));
            Arc::new(Socket { path, ledger, urgent: Notify::new(), offered: Notify::new() })
        };
        Self {
            sockets: sockets.into_iter().enumerate().map(socket).collect(),
            maps,
            lease,
            has_token_server,
            readiness,
            configuration: AtomicU64::new(0),
            relied_on: ArcSwap::from_pointee((0, ring)),
            start: Instant::now(),
            metrics,
        }
    }

    /// Another configuration is about to be used, with these keys: what was given by the one before is void, and no more is taken of
    /// it.
    pub fn offers(self: &Arc<Self>, layout: Layout, ring: &Arc<KeyRing>) -> Offers {
        let configuration = self.configuration.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        self.relied_on.store(Arc::new((configuration, Arc::clone(ring))));
        self.sockets.iter().for_each(|socket| socket.urgent.notify_one());
        Offers { edge: Arc::clone(self), configuration, layout }
    }

    /// Takes an answer of a server's feed to a poll that was `sent` then, once the lease has taken it.
    pub fn hear(&self, server: ServerId, sent: Instant, events: &Events) {
        self.end(|ledger| ledger.hear(server, sent, events));
    }

    /// A server is asked no more.
    pub fn leave(&self, server: ServerId) {
        self.end(|ledger| ledger.leave(server));
    }

    fn end(&self, change: impl Fn(&mut Ledger)) {
        for socket in &self.sockets {
            let mut ledger = socket.lock();
            change(&mut ledger);
            if ledger.has_more() {
                socket.urgent.notify_one();
            }
        }
    }

    fn count_left_out(&self, reason: &'static str) {
        self.metrics.edge.left_out.get_or_create(&ByReason { reason }).inc();
    }

    /// Tells all of them until it is asked to end.
    pub fn run(self: &Arc<Self>, background: &Background) {
        for socket in &self.sockets {
            let (edge, socket) = (Arc::clone(self), Arc::clone(socket));
            let end = background.shutdown().clone();
            background.keep("edge", move || {
                let (edge, socket, end) = (Arc::clone(&edge), Arc::clone(&socket), end.clone());
                async move {
                    tokio::select! {
                        () = end.cancelled() => {}
                        () = edge.tell(&socket) => {}
                    }
                }
            });
        }
    }
}

impl Offers {
    /// A kept verdict was sent once more: HAProxy is given it, if it comes often and may stand there.
    pub fn note(&self, kept: &Kept, key: &cache::Key, request: &Request<'_>, came: Instant) {
        if kept.reject.is_some() || !kept.heat.warm(came.saturating_duration_since(self.edge.start)) {
            return;
        }
        if let Some((authorization, policy)) = request.alone_in_authorization() {
            self.offer(kept, key, Key::of(authorization, &self.layout, policy));
        }
    }

    fn offer(&self, kept: &Kept, key: &cache::Key, found_by: Option<Key>) {
        let edge = &self.edge;
        let server = kept.word.as_ref().map(revocation::lease::Word::server);
        // HAProxy would let in any client with the token.
        let Some(ack) = kept.ack_to_all() else { return edge.count_left_out("bound") };
        let fields = || self.layout.fields(&ack.actions);
        if edge.has_token_server != server.is_some() {
            return;
        }
        let Some((found_by, fields)) = found_by.and_then(|key| Some((key, fields()?))) else {
            return edge.count_left_out("form");
        };
        let offer = Offer {
            key: found_by,
            basis: Basis { configuration: self.configuration, keys: key.keys },
            subject: kept.word.as_ref().and_then(|word| word.subject()).map(Into::into),
            server,
            end: kept.window.end(),
            fields: fields.into(),
        };
        let moment = Moment::now();
        let term = || kept.word.as_ref().and_then(|word| edge.lease.term(word, moment.at));
        for socket in &edge.sockets {
            let taken = socket.lock().offer(&offer, term, moment);
            match taken {
                Taken::Yes => {
                    kept.heat.give();
                    socket.offered.notify_one();
                }
                Taken::Full => edge.count_left_out("full"),
                Taken::Already | Taken::No => {}
            }
        }
    }
}

impl Moment {
    /// By the system's clocks.
    fn now() -> Self {
        Self { at: Instant::now(), now: UnixTime::from_system(SystemTime::now()) }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_a_panic_left_of_the_books_is_doubted_once() {
        let terms = Terms { lease: Duration::from_secs(2), entry: Duration::from_secs(60), entries: 9 };
        let ledger = Mutex::new(Ledger::new("agent", terms));
        let (urgent, offered) = (Notify::new(), Notify::new());
        let socket = Socket { path: PathBuf::from("/s"), ledger, urgent, offered };
        let (key, basis) = (Key::of("Bearer x", &Layout::default(), "").unwrap(), Basis::default());
        let offer = Offer { key, basis, subject: None, server: None, end: None, fields: "".into() };
        let moment = Moment::now();
        socket.lock().connect([], moment.now);
        socket.lock().next(true, moment);
        let give = || socket.lock().offer(&offer, || None, moment);
        assert_eq!(give(), Taken::Yes);
        let panicked = thread::scope(|scope| {
            let breaking = scope.spawn(|| {
                let _ledger = socket.lock();
                panic!("half-way");
            });
            breaking.join().is_err()
        });
        assert!(panicked && socket.ledger.is_poisoned());
        assert_eq!((give(), socket.lock().entries()), (Taken::Yes, 1), "what was there is void");
        assert_eq!((give(), socket.lock().entries()), (Taken::Already, 1), "what came after is not");
    }
}
