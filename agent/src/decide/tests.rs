//! Leader and follower; whole decisions stand in a file of their own.

mod agent;
mod proofs;
pub mod signing;
mod streams;
mod whole;

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
use tokio::sync::watch;

use super::*;
use crate::cache::Limits;
use crate::config::{TokenServerConfig, TokenServers};
use crate::request::{Certificate, Request, Text};
use crate::token_server::TokenServer;

/// How long the leader may take; its follower has much more.
const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(60);

/// A token-server that answers nothing until it may, and then refuses every token.
async fn silent_until(may_answer: watch::Receiver<bool>) -> Url {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let check = async move || {
        may_answer.clone().wait_for(|may| *may).await.unwrap();
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
    url
}

fn decider(token_server: TokenServer, metrics: Arc<Metrics>) -> Decider {
    let ring = KeyRing::new(1, &[], Duration::ZERO, Readiness::new(), KeyMetrics::default());
    let settings = Settings {
        trust: crate::config::tests::trust(),
        schemes: vec!["Bearer".into()],
        max_token_bytes: 8192,
        mcp: Rows::default(),
        certificates: Default::default(),
        proving: Proving::default(),
        variables: Variables::All,
        claims: None,
        budget: SHORT,
        opaque_budget: SHORT,
        log_refusals: LogLines::Off,
        teller: None,
    };
    let lease = SharedLease::new(
        Terms { ttl: Duration::from_secs(1), ttl_max: Duration::from_secs(1) },
        Instant::now(),
    );
    let cache = VerdictCache::new(Limits { entries: 100, bytes: 1 << 20 }, Arc::new(lease));
    Decider::new(settings, Arc::new(ring), Some(token_server), cache, (None, None), metrics)
}

#[tokio::test]
async fn a_follower_keeps_its_own_time_when_that_of_its_leader_is_over() {
    let (may_answer, until) = watch::channel(false);
    let url = silent_until(until).await;
    let config = TokenServerConfig {
        servers: TokenServers::Urls(vec![url]),
        token_file: None,
        ca_file: None,
        identity: None,
        budget: LONG,
    };
    let metrics = Metrics::register(&mut Registry::default());
    let trust = crate::config::tests::trust();
    let (token_server, discovery) = TokenServer::new(&config, &trust, "a", Arc::clone(&metrics)).unwrap();
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
    let leading = async {
        let kept = decider.verdict(&mut first, &early).await;
        may_answer.send(true).unwrap();
        kept
    };
    let (first, second) = tokio::join!(leading, decider.verdict(&mut second, &late));
    assert_eq!(first.reject, Some(Reject::Timeout));
    assert_eq!(second.reject, Some(Reject::Decryption), "it led then");
    stop.cancel();
    discovering.await.unwrap();
}
