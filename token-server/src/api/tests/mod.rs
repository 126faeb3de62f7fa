//! The routes, called in process with a fixed clock. Time stands still while the store is read, so that no test depends
//! on how fast the machine is.

mod annotated_rules;
mod audit_api;
mod budgets;
mod checks;
mod decisions_api;
mod described_api;
mod everybody_api;
mod explain_api;
mod forwarded;
mod imported_rules;
mod lane;
mod metadata;
mod old_forms;
mod page;
mod proofs;
mod revoked_api;
mod roles;
mod rules_api;

use std::path::Path;
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode};
use serde_json::Value;

use super::forward_auth::{ClaimHeaders, Guard, Proxy, Settings, TokenPlace};
use super::*;
use crate::agents::{AgentMetrics, Agents};
use crate::annotations::Annotations;
use crate::bearer::BearerTokens;
use crate::bearer::TokensFile;
use crate::caller::{AdminTokens, AdminTokensFile, Caller};
use crate::config::{Config, Verify};
use crate::continuity::Sessions;
use crate::decide::{Basis, time_policy};
use crate::encrypted::{Decryption, Lane};
use crate::good_tokens::GoodTokens;
use crate::metrics::Metrics;
use crate::opaque::Opaque;
use crate::recent::Recent;
use crate::revocations::Revocations;
use crate::rulebook::{DEFAULT_BYTES, Lifetimes};
use crate::store::{EmbeddedAnnotations, EmbeddedStore};
use crate::verify::{Limits, ProofMemory, ProofTerms, VerifyMetrics};
use ::rules::ExpireAt;
use arc_swap::ArcSwapOption;
use jose::{IssuerPolicy, Policy, Profile, Trust, TrustedIssuer, UnixTime};
use keys::{KeyMetrics, KeyRing, Place};
use prometheus_client::registry::Registry;
use service::readiness::Readiness;
use service::secret_file::{NamedFile, SecretFile};
use service::shutdown::Shutdown;

const NOW: i64 = 1_700_000_000;

/// Above any delay of a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

struct Server {
    app: Arc<App>,
    store: Arc<EmbeddedStore>,
    _folder: tempfile::TempDir,
}

struct Answer {
    status: StatusCode,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }
}

async fn server(change: impl FnOnce(&mut App)) -> Server {
    server_with(&[], change).await
}

/// A server whose store holds these rules as if an operator had edited the file.
async fn server_with(stored: &[(&str, &str)], change: impl FnOnce(&mut App)) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(EmbeddedStore::open(&folder.path().join("store")).unwrap());
    for (group, json) in stored {
        store.put(group, json, ExpireAt::Never).unwrap();
    }
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let lifetimes = Lifetimes { ttl: Duration::ZERO, max_stale: Duration::ZERO };
    let revision = store.revision().unwrap();
    let (sessions, totals) = (Sessions::exclusive(), metrics.totals());
    let shared = Arc::new(Arc::clone(&store));
    let annotations = Annotations::new(EmbeddedAnnotations(Arc::clone(&store)), metrics.shadow_rules());
    let annotations = Arc::new(annotations);
    let notes = Arc::clone(&annotations);
    let revocations =
        Revocations::new(shared, notes, sessions, lifetimes, DEFAULT_BYTES, totals, revision).unwrap();
    let mut app = App {
        policy: time_policy(Profile::Standard, jose::Leeway::default()),
        basis: Basis {
            revocations: Arc::new(revocations),
            decryption: Decryption { keys: None, lane: Lane::of_threads(1, metrics.decryptions()) },
            opaque: Opaque::none(),
            good_tokens: GoodTokens {
                annotations,
                recent: Arc::new(Recent::new(1_000)),
                shadow_hits: metrics.shadow_hits(),
            },
        },
        metrics,
        registry: Arc::new(registry),
        readiness: Readiness::new(),
        admin_tokens: None,
        agent_tokens: None,
        asks_for_certificates: true,
        in_use: in_use(open_to_everybody(), VerifyMetrics::default(), &no_keys(0)),
        compat: Compat::Guarded,
        page: false,
        signals: None,
        agents: Arc::new(Agents::new(no_more_to_come(), AgentMetrics::default())),
        clock: || UnixTime::from_secs(NOW),
    };
    change(&mut app);
    Server { app: Arc::new(app), store, _folder: folder }
}

/// Those who read decisions are told what there is, and then come to an end.
fn no_more_to_come() -> Shutdown {
    let end = Shutdown::new();
    end.cancel();
    end
}

/// Whether a route is of one stream of shared signals, of which the server has none.
fn is_of_a_stream(path: &str) -> bool {
    path.starts_with("/v1/signals/")
}

/// Keys of so many issuers that are not loaded.
fn no_keys(issuers: usize) -> Arc<KeyRing> {
    let sources: Vec<Place> = (0..issuers)
        .map(|issuer| Place {
            issuer,
            remote: false,
            by_kid: false,
            optional: false,
            name: format!("file {issuer}"),
        })
        .collect();
    Arc::new(KeyRing::new(issuers, &sources, Duration::ZERO, Readiness::new(), KeyMetrics::default()))
}

fn in_use(verify: Verify, metrics: VerifyMetrics, keys: &Arc<KeyRing>) -> ArcSwapOption<InUse> {
    in_use_with(verify, &Config::from_environment([]).unwrap().proofs, metrics, keys)
}

/// The same with what clients of bound tokens have to prove.
fn in_use_with(
    verify: Verify,
    proofs: &ProofTerms,
    metrics: VerifyMetrics,
    keys: &Arc<KeyRing>,
) -> ArcSwapOption<InUse> {
    let memory = ProofMemory::new(proofs);
    ArcSwapOption::from_pointee(crate::reconfigure::in_use(verify, proofs, &memory, &metrics, keys))
}

/// Forward-auth that admits requests without any token, for two APIs of one host.
fn open_to_everybody() -> Verify {
    let issuer = IssuerPolicy {
        name: Trust::DEFAULT.to_owned(),
        ..time_policy(Profile::Standard, jose::Leeway::default())
    };
    let forward_auth = Settings {
        proxy: Some(Proxy::Envoy),
        schemes: vec!["Bearer".to_owned()],
        max_token_bytes: 8192,
        log_refusals: service::sample::LogLines::Off,
        cache: Limits { entries: 100, bytes: 1 << 20 },
        guards: vec![
            Guard {
                places: vec![TokenPlace::Authorization],
                allow_missing: true,
                preflight: false,
                headers: ClaimHeaders::usual(Profile::Standard),
            };
            2
        ],
    };
    let policies = [(Trust::DEFAULT, "https://api.example.com"), ("x", "https://api.example.com/x")].map(
        |(name, api)| {
            let resource = Some(api.parse().unwrap());
            Policy { resource, ..Policy::of(name, vec![0]) }
        },
    );
    let issuers = vec![TrustedIssuer { policy: issuer, keys: 0, signers: Vec::new() }];
    Verify { trust: Trust::new(Profile::Standard, issuers, policies.into()).unwrap(), forward_auth }
}

fn agent_tokens(text: &str) -> Option<Arc<TokensFile>> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let parse = |file: &[u8]| BearerTokens::parse(file).map_err(|error| error.to_string());
    Some(Arc::new(SecretFile::one(NamedFile::new("TOKENS_FILE", file.path()), parse).unwrap()))
}

fn admin_tokens(text: &str) -> Option<Arc<AdminTokensFile>> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Some(Arc::new(admin_tokens_of(file.path())))
}

fn admin_tokens_of(path: &Path) -> AdminTokensFile {
    let parse = |file: &[u8]| AdminTokens::parse(file).map_err(|error| error.to_string());
    SecretFile::one(NamedFile::new("TOKENS_FILE", path), parse).unwrap()
}

async fn call(
    routes: impl Into<Routes>,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path).extension(Caller::of_this_process());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = routes.into().answer(request.body(body.into()).unwrap()).await;
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    Answer { status, text: String::from_utf8(body.to_vec()).unwrap() }
}

impl Server {
    fn annotation_store(&self) -> EmbeddedAnnotations {
        EmbeddedAnnotations(Arc::clone(&self.store))
    }

    async fn main(&self, method: Method, path: &str, body: impl Into<Body>) -> Answer {
        call(main_routes(&self.app), method, path, &[], body).await
    }

    /// Through the admin socket's routes.
    async fn admin(&self, method: Method, path: &str, body: impl Into<Body>) -> Answer {
        call(admin_router(&self.app, AdminAccess::Named), method, path, &[], body).await
    }

    /// Asks until the rules were read in time, which a busy machine may fail to do.
    async fn check(&self, payload: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let result = self.check_once(payload).await;
            if result["detail"] != "rules" || Instant::now() > deadline {
                return result;
            }
        }
    }

    async fn check_once(&self, payload: &str) -> Value {
        let body = format!(r#"{{"profile":"standard","checks":[{{"payload":{payload}}}]}}"#);
        let answer = self.main(Method::POST, "/v1/check", body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()["results"][0].clone()
    }
}
