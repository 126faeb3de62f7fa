//! What identity providers tell: on a listener of its own, which neither agents nor operators use.
//!
//! The way of a message: its route (`logout`, ..) reads the request, `belief` verifies who says so, `desk` makes durable rules of
//! what is [`told`]. Each route says no more than its specification asks for: the cause of a refusal stands in the log.

mod age;
mod answer;
mod belief;
mod desk;
pub mod explain;
mod global;
mod logout;
mod metrics;
mod revoke;
mod signature;
mod ssf;
mod strangers;
mod subject;
#[cfg(test)]
mod tests;
mod told;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use jose::UnixTime;
use keys::KeyRing;
use service::sample::{LogLines, Sampler};
use tokio::sync::Semaphore;

use self::answer::Unavailable;
use self::belief::MAX_WAITING_FOR_KEYS;
use self::desk::Desk;
pub(crate) use self::metrics::SignalMetrics;
use self::ssf::Known;
pub(crate) use self::ssf::{EventType, NotAsked, Streams, StreamsView, VerificationView};
use self::strangers::Strangers;
use crate::config::Signals as Settings;
use crate::encrypted::DecryptionKeysFile;
use crate::revocations::Revocations;
use crate::revokers::{ClientsFile, SendersFile};

/// Connections of the listener: providers keep few.
pub(crate) const MAX_CONNECTIONS: usize = 256;

/// Bytes of a body.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// How long a request may take, its body included.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long a message is remembered at least.
const REMEMBER: Duration = Duration::from_secs(600);

/// What the routes share.
pub(crate) struct Signals {
    desk: Desk,
    metrics: SignalMetrics,
    strangers: Strangers,
    /// Of each stream.
    known: Known,
    /// Of `TOKEN_SERVER__JWE__KEYS_FILE`.
    decryption_keys: Option<Arc<DecryptionKeysFile>>,
    waiting_for_keys: Semaphore,
    clients: Option<Arc<ClientsFile>>,
    senders: Option<Arc<SendersFile>>,
    in_use: ArcSwap<InUse>,
    /// Of messages that are not believed.
    refusals: Sampler,
    clock: fn() -> UnixTime,
}

/// What SIGHUP replaces; swapped whole.
pub(crate) struct InUse {
    settings: Settings,
    /// The keys of all issuers.
    keys: Arc<KeyRing>,
}

/// What this needs of the rest of the server.
pub(crate) struct Parts {
    pub(crate) revocations: Arc<Revocations>,
    pub(crate) decryption_keys: Option<Arc<DecryptionKeysFile>>,
    pub(crate) metrics: SignalMetrics,
    pub(crate) clock: fn() -> UnixTime,
}

impl InUse {
    /// What a configuration says, over the keys of its issuers.
    pub(crate) fn new(settings: Settings, keys: &Arc<KeyRing>) -> Self {
        Self { settings, keys: Arc::clone(keys) }
    }

    /// How long a message is remembered: until it would be refused as too old.
    fn remember(&self) -> Duration {
        let leeways = self.settings.providers.iter().map(|provider| provider.leeway.start);
        REMEMBER.max(self.settings.max_age.saturating_add(leeways.max().unwrap_or_default()))
    }
}

impl Signals {
    pub(crate) fn new(parts: Parts, in_use: InUse) -> Self {
        let Parts { revocations, decryption_keys, metrics, clock } = parts;
        let desk = Desk::new(revocations, metrics.clone(), clock, in_use.settings.rate, in_use.remember());
        in_use.warn();
        let signals = Self {
            desk,
            metrics,
            strangers: Strangers::default(),
            known: Known::default(),
            decryption_keys,
            waiting_for_keys: Semaphore::new(MAX_WAITING_FOR_KEYS),
            clients: in_use.settings.clients.clone(),
            senders: in_use.settings.senders.clone(),
            in_use: ArcSwap::from_pointee(in_use),
            refusals: Sampler::new(LogLines::Sample),
            clock,
        };
        signals.expect();
        signals
    }

    /// Puts another configuration in use.
    pub(crate) fn replace(&self, in_use: InUse) {
        self.desk.set(in_use.settings.rate, in_use.remember());
        in_use.warn();
        let before = self.in_use.swap(Arc::new(in_use));
        let now = self.in_use.load();
        for stream in &before.settings.streams {
            if !now.settings.streams.iter().any(|kept| kept.name == stream.name) {
                self.metrics.forget(&stream.name);
                self.known.forget(&stream.name);
            }
        }
        self.expect();
    }
}

impl Signals {
    /// Shows of which streams something is expected, from now on where nothing came yet.
    fn expect(&self) {
        for stream in &self.in_use.load().settings.streams {
            self.metrics.expect(&stream.name, stream.heartbeat, (self.clock)());
        }
    }
}

/// The routes of `TOKEN_SERVER__SIGNALS__LISTEN`.
pub(crate) fn router(signals: &Arc<Signals>) -> Router {
    Router::new()
        .route("/global-token-revocation", post(global::revoke_all))
        .route("/revoke", post(revoke::revoke))
        .route("/backchannel-logout", post(logout::logout))
        .route("/ssf/{stream}", post(ssf::push))
        .with_state(Arc::clone(signals))
        .fallback(async || StatusCode::NOT_FOUND)
        .method_not_allowed_fallback(async || StatusCode::METHOD_NOT_ALLOWED)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn(guard))
}

/// Ends what takes too long, and lets no cache keep an answer.
async fn guard(request: Request, next: Next) -> Response {
    let answered = tokio::time::timeout(DEADLINE, next.run(request)).await;
    let mut response = answered.unwrap_or_else(|_| Unavailable::default().into_response());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl InUse {
    /// Warns of settings that do less than most operators want.
    fn warn(&self) {
        for warning in self.settings.warnings() {
            tracing::warn!("{warning}");
        }
    }
}
