//! The sources of one configuration in use, and how those of another take their place.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use service::background::Background;
use service::readiness::Readiness;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::metrics::KeyMetrics;
use crate::part::Place;
use crate::refresh::keep_fresh;
use crate::ring::KeyRing;
use crate::source::Source;
use crate::trust::KeySources;

/// How long one configuration waits for key URLs before it takes another's place. One that is later gives its keys later,
/// as at a start.
const PATIENCE: Duration = Duration::from_secs(2);

/// None of a configuration's sources gave a key in time.
#[derive(Debug, thiserror::Error)]
#[error("no key source gives a key: every token would be refused")]
pub struct NoKeys;

/// Sources that are kept fresh, each by a task, and the ring of what they gave.
pub struct LiveKeys {
    configured: KeySources,
    sources: Vec<(usize, Source)>,
    ring: Arc<KeyRing>,
    refreshing: Vec<JoinHandle<()>>,
    /// Of these sources alone.
    tasks: Background,
    background: Background,
    metrics: KeyMetrics,
}

impl fmt::Debug for LiveKeys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("LiveKeys").field("ring", &self.ring).finish_non_exhaustive()
    }
}

impl LiveKeys {
    /// Starts a task for each source, with the issuer whose keys it has. Until one gives a key, the process is not ready.
    pub fn start(
        configured: KeySources,
        sources: Vec<(usize, Source)>,
        readiness: Readiness,
        metrics: KeyMetrics,
        background: Background,
    ) -> Self {
        let places: Vec<Place> = sources.iter().map(|source| place(&configured, source)).collect();
        let ring = KeyRing::new(
            configured.issuers.len(),
            &places,
            configured.timing().cool_down,
            readiness,
            metrics.clone(),
        );
        metrics.show_interval(configured.interval);
        Self::refresh(configured, sources, ring, background, metrics)
    }

    /// The keys.
    pub fn ring(&self) -> &Arc<KeyRing> {
        &self.ring
    }

    /// Starts the sources of another configuration. Those that are in both begin with the keys that they have here.
    ///
    /// # Errors
    ///
    /// None gives a key; nothing has changed then.
    pub async fn successor(
        &self,
        configured: KeySources,
        sources: Vec<(usize, Source)>,
    ) -> Result<Self, NoKeys> {
        let heirs = self.heirs(&configured, &sources);
        let ring = self.ring.successor(configured.issuers.len(), &heirs, configured.timing().cool_down);
        let needs_keys = heirs.iter().any(|(place, _)| !place.optional);
        let successor =
            Self::refresh(configured, sources, ring, self.background.clone(), self.metrics.clone());
        if timeout(PATIENCE, successor.ring.settled()).await.is_err() {
            tracing::warn!("a key source has not answered yet");
        }
        if needs_keys && !successor.ring.has_keys() {
            successor.stop().await;
            return Err(NoKeys);
        }
        successor.metrics.show_interval(successor.configured.interval);
        Ok(successor)
    }

    /// Ends the tasks: the keys of `successor` are in use now.
    pub async fn give_way(self, successor: &Self) {
        let gone = self.sources.iter().map(|(_, source)| source.name());
        let kept: Vec<_> = successor.sources.iter().map(|(_, source)| source.name()).collect();
        let gone: Vec<_> = gone.filter(|name| !kept.contains(name)).collect();
        self.stop().await;
        gone.iter().for_each(|name| successor.ring.forget(name));
    }

    fn refresh(
        configured: KeySources,
        sources: Vec<(usize, Source)>,
        ring: KeyRing,
        background: Background,
        metrics: KeyMetrics,
    ) -> Self {
        let (ring, tasks) = (Arc::new(ring), background.child());
        let (rules, timing) = (configured.rules, configured.timing());
        let refresh = |(index, (_, source)): (usize, &(usize, Source))| {
            let (source, ring, end) = (source.clone(), Arc::clone(&ring), tasks.shutdown().clone());
            tasks.keep("keys", move || {
                keep_fresh(source.clone(), index, Arc::clone(&ring), rules, timing, end.clone())
            })
        };
        let refreshing = sources.iter().enumerate().map(refresh).collect();
        Self { configured, sources, ring, refreshing, tasks, background, metrics }
    }

    async fn stop(self) {
        self.tasks.shutdown().cancel();
        for task in self.refreshing {
            if let Err(error) = task.await {
                tracing::error!(%error, "a key source's task ended");
            }
        }
    }

    /// Each source's issuer, and which source of now it is. Keys that were taken by other rules, or from a server that
    /// others vouched for, are not passed on.
    fn heirs(&self, configured: &KeySources, sources: &[(usize, Source)]) -> Vec<(Place, Option<usize>)> {
        let alike = self.configured.rules == configured.rules;
        let known = |source: &Source| self.sources.iter().position(|(_, known)| known.is_same(source));
        sources.iter().map(|own| (place(configured, own), if alike { known(&own.1) } else { None })).collect()
    }
}

fn place(configured: &KeySources, (issuer, source): &(usize, Source)) -> Place {
    let optional = configured.issuers.get(*issuer).is_some_and(|keys| keys.optional);
    Place { optional, ..source.place(*issuer) }
}

#[cfg(test)]
mod tests;
