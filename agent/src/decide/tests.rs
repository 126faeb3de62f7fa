//! Leader and follower.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Json;
use axum::routing::post;
use keys::{KeyMetrics, KeyRing};
use prometheus_client::registry::Registry;
use reqwest::Url;
use revocation::check::{CheckResponse, CheckResult};
use revocation::lease::{SharedLease, Terms};
use service::background::{Background, TaskMetrics};
use service::readiness::Readiness;
use service::shutdown::Shutdown;

use super::*;
use crate::cache::Limits;
use crate::config::{TokenServerConfig, TokenServers};
use crate::request::{Request, Text};
use crate::token_server::TokenServer;

/// How long the leader may take; its follower has much more.
const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(60);

/// A token-server that never answers the first call, and refuses every token after that.
async fn slow_at_first() -> (Url, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let check = async move || {
        if counted.fetch_add(1, Ordering::SeqCst) == 0 {
            std::future::pending::<()>().await;
        }
        let results = vec![CheckResult { detail: "decryption".to_owned(), ..CheckResult::default() }];
        Json(CheckResponse {
            store_id: "s".to_owned(),
            epoch: "e".to_owned(),
            revision: 1,
            store_unread: false,
            results,
        })
    };
    let routes = axum::Router::new().route("/v1/check", post(check));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (url, calls)
}

fn decider(token_server: TokenServer, metrics: Arc<Metrics>) -> Decider {
    let ring = KeyRing::new(1, &[], Duration::ZERO, Readiness::new(), KeyMetrics::default());
    let settings = Settings {
        trust: crate::config::tests::trust(),
        schemes: vec!["Bearer".into()],
        max_token_bytes: 8192,
        variables: Variables::All,
        claims: None,
        budget: SHORT,
        log_refusals: LogRefusals::Off,
    };
    let lease = SharedLease::new(
        Terms { ttl: Duration::from_secs(1), ttl_max: Duration::from_secs(1) },
        Instant::now(),
    );
    let cache = VerdictCache::new(Limits { entries: 100, bytes: 1 << 20 }, Arc::new(lease));
    Decider::new(settings, Arc::new(ring), Some(token_server), cache, metrics)
}

#[tokio::test]
async fn a_follower_keeps_its_own_time_when_that_of_its_leader_is_over() {
    let (url, calls) = slow_at_first().await;
    let config = TokenServerConfig {
        servers: TokenServers::Urls(vec![url]),
        token_file: None,
        ca_file: None,
        identity: None,
        budget: LONG,
    };
    let metrics = Metrics::register(&mut Registry::default());
    let trust = crate::config::tests::trust();
    let (token_server, discovery) = TokenServer::new(&config, &trust, Arc::clone(&metrics)).unwrap();
    let stop = Shutdown::new();
    let discovering =
        tokio::spawn(discovery.run(Background::new(stop.clone(), Readiness::new(), TaskMetrics::default())));
    let decider = decider(token_server, Arc::clone(&metrics));

    let request =
        Request { authorization: Text::Given("Bearer e30.YQ.YQ.YQ.YQ".into()), ..Request::default() };
    let question = || decider.question(&request).map_err(|_| "refused").unwrap();
    let (mut first, mut second) = (question(), question());
    let (early, mut late) = (Arrival::now(&metrics), Arrival::now(&metrics));
    late.at += LONG;
    let (first, second) =
        tokio::join!(decider.verdict(&mut first, &early), decider.verdict(&mut second, &late));
    assert_eq!(first.reject, Some(Reject::Timeout));
    assert_eq!(second.reject, Some(Reject::Decryption), "it led then");
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    stop.cancel();
    discovering.await.unwrap();
}
