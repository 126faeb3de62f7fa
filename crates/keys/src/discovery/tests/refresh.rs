//! What becomes of the keys when a document changes.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use service::readiness::Readiness;
use service::shutdown::Shutdown;

use super::*;
use crate::url::tests::{jwks, until};
use crate::{KeyMetrics, KeyRing, Timing, keep_fresh};

/// The same ETag on both URLs, as servers that number their documents have it.
#[tokio::test]
async fn keys_that_move_to_another_url_are_not_taken_for_unchanged() {
    let server = Server::start().await;
    let base = server.base.clone();
    let names = |path: &str| json(&format!(r#"{{"issuer":"{base}","jwks_uri":"{base}{path}"}}"#));
    for (path, kid) in [("/old", "old"), ("/new", "new")] {
        server.set(path, Answer { etag: Some("\"1\""), ..json(&jwks(kid)) });
    }
    server.set("/.well-known/openid-configuration", names("/old"));
    let source = Source::Url(UrlSource::Issuer(table("~").at(&base)), client());
    let timing = Timing { interval: Duration::from_millis(20), cool_down: Duration::from_millis(20) };
    let metrics = KeyMetrics::register(&mut Registry::default());
    let ring = Arc::new(KeyRing::new(1, &[source.place(0)], timing.cool_down, Readiness::new(), metrics));
    let stop = Shutdown::new();
    let _stop = stop.clone().drop_guard();
    tokio::spawn(keep_fresh(source, 0, Arc::clone(&ring), rules(), timing, stop));
    let has = |kid: &str| ring.current().sets[0].keys().iter().any(|key| key.kid() == Some(kid));
    until(|| has("old")).await;
    server.set("/.well-known/openid-configuration", names("/new"));
    until(|| has("new") && !has("old")).await;
}

#[tokio::test]
async fn while_there_is_no_key_readiness_says_what_the_document_says() {
    let server = Server::start().await;
    let base = server.base.clone();
    let document = |name: &str| json(&format!(r#"{{"issuer":"{name}","jwks_uri":"{base}/k"}}"#));
    server.keys("/k", "a");
    server.set("/.well-known/openid-configuration", document("https://other.example"));
    let source = Source::Url(UrlSource::Issuer(table("~").at(&base)), client());
    let timing = Timing::every(Duration::from_secs(3600));
    let metrics = KeyMetrics::register(&mut Registry::default());
    let readiness = Readiness::new();
    let ring = Arc::new(KeyRing::new(1, &[source.place(0)], timing.cool_down, readiness.clone(), metrics));
    let stop = Shutdown::new();
    let _stop = stop.clone().drop_guard();
    tokio::spawn(keep_fresh(source, 0, Arc::clone(&ring), rules(), timing, stop));
    let told = r#"says issuer = "https://other.example", and configured is issuer = ""#;
    until(|| readiness.check().is_err_and(|text| text.contains(told))).await;
    server.set("/.well-known/openid-configuration", document(&base));
    until(|| readiness.check().is_ok()).await;
}
