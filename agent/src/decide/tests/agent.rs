//! An agent for tests, with its key server and its token-server.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::State;
use axum::routing::get;
use jose::SeenProofs;
use keys::{Timing, keep_fresh};
use revocation::check::CheckRequest;
use revocation::events::{Changes, Events};
use revocation::lease::ServerId;
use tokio::sync::mpsc;

use super::signing::{KEY, document};
use super::*;
use crate::config::tests::load;
use crate::start::nonce_secret;

/// The frame that any answer fits.
pub const MAX: u32 = 16_380;
/// No test takes so long.
const HOUR: Duration = Duration::from_secs(3600);

/// What a token-server says of each token.
#[derive(Debug, Default)]
pub struct Says {
    pub result: Mutex<CheckResult>,
    /// How many tokens it was asked of.
    pub asked: AtomicUsize,
    /// It says nothing.
    pub is_silent: bool,
}

impl Says {
    pub fn word(&self, detail: &str) {
        self.result.lock().unwrap().detail = detail.to_owned();
    }

    pub fn count(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// An agent of one key server, and of one token-server where `says` is given.
pub struct Agent {
    pub decider: Arc<Decider>,
    registry: Registry,
    lease: Arc<SharedLease>,
    /// What the key server publishes.
    pub published: Arc<Mutex<String>>,
    opened: Mutex<mpsc::Receiver<Opened>>,
    stop: Shutdown,
}

async fn listening(routes: axum::Router) -> Url {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

async fn check(State(says): State<Arc<Says>>, Json(request): Json<CheckRequest>) -> Json<CheckResponse> {
    if says.is_silent {
        std::future::pending::<()>().await;
    }
    says.asked.fetch_add(request.checks.len(), Ordering::SeqCst);
    let result = says.result.lock().unwrap().clone();
    Json(CheckResponse {
        store_id: "s".to_owned(),
        epoch: "e".to_owned(),
        revision: 1,
        store_unread: false,
        results: vec![result; request.checks.len()],
    })
}

impl Agent {
    pub async fn new(says: Option<&Arc<Says>>) -> Self {
        Self::with(&[], says).await
    }

    /// With these settings beside.
    pub async fn with(settings: &[(&str, &str)], says: Option<&Arc<Says>>) -> Self {
        let published = Arc::new(Mutex::new(document(KEY)));
        let serves = Arc::clone(&published);
        let keys = axum::Router::new().route("/keys", get(async move || serves.lock().unwrap().clone()));
        let url = format!("{}keys", listening(keys).await);
        let config = load(&[&[("JWT_JWKS_URL", url.as_str())], settings].concat()).unwrap();

        let stop = Shutdown::new();
        let background = Background::new(stop.clone(), Readiness::new(), TaskMetrics::default());
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let token_server = match says {
            None => None,
            Some(says) => {
                let routes = axum::Router::new().route("/v1/check", post(check)).with_state(Arc::clone(says));
                let servers = TokenServerConfig {
                    servers: TokenServers::Urls(vec![listening(routes).await]),
                    token_file: None,
                    ca_file: None,
                    identity: None,
                    budget: LONG,
                };
                let (server, discovery) =
                    TokenServer::new(&servers, &config.trust, "a", Arc::clone(&metrics)).unwrap();
                tokio::spawn(discovery.run(background));
                Some(server)
            }
        };
        let (issuer, source) = config.keys.open("test").unwrap().remove(0);
        let places = [source.place(issuer)];
        let ring = KeyRing::new(1, &places, HOUR, Readiness::new(), KeyMetrics::default());
        let ring = Arc::new(ring);
        // Within a test, tokens may ask for one load.
        let timing = Timing { interval: HOUR, cool_down: HOUR };
        tokio::spawn(keep_fresh(source, 0, Arc::clone(&ring), config.keys.rules, timing, stop.clone()));
        ring.settled().await;
        assert!(ring.has_keys());
        let lease = Arc::new(SharedLease::new(Terms { ttl: HOUR, ttl_max: HOUR }, Instant::now()));
        let cache = VerdictCache::new(Limits { entries: 100, bytes: 1 << 20 }, Arc::clone(&lease));
        let seen = config.dpop.remembered.map(|most| Arc::new(SeenProofs::new(most)));
        let settings = Settings {
            trust: config.trust,
            schemes: config.schemes,
            max_token_bytes: config.max_token_bytes,
            mcp: config.mcp,
            certificates: config.certificates,
            proving: config.dpop.proving(seen, nonce_secret(&config.dpop).unwrap()),
            variables: config.variables,
            claims: config.claims,
            budget: LONG,
            opaque_budget: LONG,
            log_refusals: LogLines::All,
            teller: None,
        };
        let (told, opened) = mpsc::channel(2);
        let openings = Openings::new(1, told, Arc::clone(&metrics));
        let decider = Decider::new(settings, ring, token_server, cache, (None, Some(openings)), metrics);
        Self { decider: Arc::new(decider), registry, lease, published, opened: Mutex::new(opened), stop }
    }

    /// What HAProxy is told of a token: the detail, and whether it passes.
    pub async fn ask(&self, token: &str) -> (String, bool) {
        self.answer(asking(token)).await
    }

    pub async fn answer(&self, request: Request<'_>) -> (String, bool) {
        told(&self.ack(request).await)
    }

    /// The stream that was told of, if one was.
    pub fn opened(&self) -> Option<Opened> {
        self.opened.lock().unwrap().try_recv().ok()
    }

    /// The whole ACK.
    pub async fn ack(&self, request: Request<'_>) -> Vec<u8> {
        let notify = Notify { ids: Ids { stream: 1, frame: 1 }, request };
        let mut ack = Vec::new();
        if let Some(deciding) = self.decider.answer(&notify, MAX, &mut DecidingTime::default(), &mut ack) {
            assert!(ack.is_empty());
            ack = deciding.await;
        }
        ack
    }

    /// Hits, misses, rechecks.
    pub fn counts(&self) -> [u64; 3] {
        let metrics = &self.decider.metrics;
        [metrics.cache_hits.get(), metrics.cache_misses.get(), metrics.cache_rechecks.get()]
    }

    pub fn decided(&self, reject: Option<Reject>) -> u64 {
        self.decider.metrics.decisions(reject, Some("default"), None).get()
    }

    pub fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }

    /// The feed tells that the rules of this group have changed.
    pub fn change_rules(&self, group: &str) {
        let events = Events {
            store_id: "s".to_owned(),
            epoch: "e".to_owned(),
            revision: 6,
            complete_as_of: Some(0),
            changes: Changes::Groups(vec![group.to_owned()]),
        };
        self.lease.hear(ServerId(u64::MAX), Instant::now(), Instant::now(), &events);
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub fn asking(token: &str) -> Request<'static> {
    Request { authorization: Text::Given(format!("Bearer {token}").into()), ..Request::default() }
}

/// The variable `detail` of an ACK, and `valid`, which is its last byte.
pub fn told(ack: &[u8]) -> (String, bool) {
    let name = b"\x06detail\x08";
    let at = ack.windows(name.len()).position(|window| window == name).expect("a detail") + name.len();
    let length = usize::from(ack[at]);
    let detail = String::from_utf8(ack[at + 1..=at + length].to_vec()).unwrap();
    (detail, ack.last() == Some(&0x11))
}

pub fn refused(reject: Reject) -> (String, bool) {
    (reject.detail().to_owned(), false)
}

pub fn accepted() -> (String, bool) {
    ("ok".to_owned(), true)
}
