//! The rules of the configured store, opened to be served or for one command.

use std::path::PathBuf;
use std::sync::Arc;

use service::background::Background;

use crate::annotations::Annotations;
use crate::changes;
use crate::config::{Config, StoreSettings};
use crate::continuity::{Sessions, Source};
use crate::metrics::Metrics;
use crate::revocations::Revocations;
use crate::store::redis::{RedisAnnotations, RedisSettings, RedisStore};
use crate::store::{Beginning, EmbeddedAnnotations, EmbeddedStore, Store, StoreError};

/// The rules, and what is known of them.
pub(super) struct Rules {
    pub(super) revocations: Arc<Revocations>,
    pub(super) annotations: Arc<Annotations>,
}

impl Rules {
    /// The rules of the configured store, and the parts that listen to its changes.
    pub(super) async fn follow(
        config: &Config,
        metrics: &Metrics,
        background: &Background,
    ) -> Result<Self, StoreError> {
        match config.store.clone() {
            StoreSettings::Embedded(path) => embedded(config, path, metrics).await,
            StoreSettings::Redis { redis, consul } => {
                let (store, rules) = shared(config, redis, metrics)?;
                let told = (Arc::clone(&rules.revocations), Arc::clone(&rules.annotations));
                let shutdown = background.shutdown().clone();
                background.keep("changes in redis", move || {
                    // What a task that was lost has missed is not known.
                    told.0.lost(Source::OwnChannel);
                    told.0.lost(Source::Keyspace);
                    let (revocations, annotations) = (Arc::clone(&told.0), Arc::clone(&told.1));
                    changes::redis::follow(Arc::clone(&store), revocations, annotations, shutdown.clone())
                });
                let (following, until) = (Arc::clone(&rules.annotations), background.shutdown().clone());
                background.keep("notes on rules", move || {
                    let (following, until) = (Arc::clone(&following), until.clone());
                    async move { following.follow(until).await }
                });
                if let Some(url) = consul {
                    let (told, shutdown) = (Arc::clone(&rules.revocations), background.shutdown().clone());
                    background.keep("changes in consul", move || {
                        told.lost(Source::Consul);
                        changes::consul::follow(url.clone(), Arc::clone(&told), shutdown.clone())
                    });
                }
                Ok(rules)
            }
        }
    }

    /// The rules of a store for one command: changes are not listened to, but everything is known to be there.
    pub(super) async fn open(
        config: &Config,
        store: StoreSettings,
        metrics: &Metrics,
    ) -> Result<Self, StoreError> {
        let rules = match store {
            StoreSettings::Embedded(path) => embedded(config, path, metrics).await?,
            StoreSettings::Redis { redis, consul: _ } => {
                let (_, rules) = shared(config, redis, metrics)?;
                rules.annotations.refresh().await?;
                rules
            }
        };
        rules.revocations.load().await;
        Ok(rules)
    }
}

async fn embedded(config: &Config, path: PathBuf, metrics: &Metrics) -> Result<Rules, StoreError> {
    let beginning = if config.store_new { Beginning::Anew } else { Beginning::WhereNoneWas };
    let opening = tokio::task::spawn_blocking(move || {
        let store = EmbeddedStore::open_as(&path, beginning)?;
        let revision = store.revision()?;
        Ok((Arc::new(store), revision))
    });
    let (store, revision) = opening.await.unwrap_or(Err(StoreError::Stopping))?;
    let annotations = Annotations::new(EmbeddedAnnotations(Arc::clone(&store)), metrics.shadow_rules());
    annotations.refresh().await?;
    let annotations = Arc::new(annotations);
    let revocations = Revocations::new(
        Arc::new(store),
        Arc::clone(&annotations),
        Sessions::exclusive(),
        config.lifetimes,
        config.cache_bytes,
        metrics.totals(),
        revision,
    )?;
    Ok(Rules { revocations: Arc::new(revocations), annotations })
}

/// A store that others write to as well; it is reached when it is asked.
fn shared(
    config: &Config,
    redis: RedisSettings,
    metrics: &Metrics,
) -> Result<(Arc<RedisStore>, Rules), StoreError> {
    let store = Arc::new(RedisStore::new(redis));
    let everywhere: Arc<dyn Store> = store.clone();
    let annotations = RedisAnnotations::new(Arc::clone(&store));
    let annotations = Arc::new(Annotations::new(annotations, metrics.shadow_rules()));
    let revocations = Revocations::new(
        everywhere,
        Arc::clone(&annotations),
        Sessions::shared(),
        config.lifetimes,
        config.cache_bytes,
        metrics.totals(),
        0,
    )?;
    Ok((store, Rules { revocations: Arc::new(revocations), annotations }))
}
