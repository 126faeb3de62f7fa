//! Notes on rules, and the rules that are only tried, as they are read. [`crate::revocations`] writes both.

use std::collections::BTreeMap;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use rules::Rule;
use service::shutdown::Shutdown;
use tokio::sync::{Mutex, MutexGuard, Notify};
use tokio::time::sleep;

use crate::shadow::Shadows;
use crate::store::{AnnotatedRule, Annotation, AnnotationStore, Mode, StoreError};

/// After this, rules on trial are read again unasked: Redis does not tell of a FLUSHALL.
const MAX_AGE: Duration = Duration::from_secs(60);

/// The time between two attempts to read them.
const RETRY: Duration = Duration::from_secs(1);

/// What is known of the rules beside their conditions.
pub struct Annotations {
    store: Box<dyn AnnotationStore>,
    shadows: Shadows,
    /// Held for a whole write or read, so that the memory follows in the store's order.
    turn: Mutex<()>,
    outdated: Notify,
}

impl Annotations {
    /// Annotations of which nothing has been read yet; `shadows` follows the number of rules that are only tried.
    pub fn new(store: impl AnnotationStore + 'static, shadows: Gauge) -> Self {
        Self {
            store: Box::new(store),
            shadows: Shadows::new(shadows),
            turn: Mutex::default(),
            outdated: Notify::new(),
        }
    }

    /// Reads all rules that are only tried.
    ///
    /// # Errors
    /// The store cannot be read; then those that were known still are.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        let read = Shadows::default();
        for AnnotatedRule { group, json, annotation } in self.store.shadows().await? {
            match Rule::parse(&json) {
                Ok(rule) => match read.admits(&group, &rule) {
                    Ok(()) => read.put(&group, rule, annotation.end()),
                    Err(error) => {
                        tracing::warn!(%error, "a shadow rule in the store is beyond the limits and left out");
                    }
                },
                Err(error) => {
                    tracing::warn!(%error, "a shadow rule in the store is not understood and left out");
                }
            }
        }
        self.shadows.replace(read);
        Ok(())
    }

    /// Another server may have written rules that are only tried.
    pub fn outdated(&self) {
        self.outdated.notify_one();
    }

    /// Follows what others write, until `shutdown`.
    pub async fn follow(&self, shutdown: Shutdown) {
        let follow = async {
            loop {
                tokio::select! {
                    () = self.outdated.notified() => {}
                    () = sleep(MAX_AGE) => {}
                }
                while let Err(error) = self.refresh().await {
                    tracing::warn!(%error, "rules in shadow mode could not be read");
                    sleep(RETRY).await;
                }
            }
        };
        tokio::select! {
            () = follow => {}
            () = shutdown.cancelled() => {}
        }
    }

    /// The rules that are only tried.
    pub fn shadows(&self) -> &Shadows {
        &self.shadows
    }

    /// What is known of some rules of a group, by their texts.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn of_rules(
        &self,
        group: &str,
        texts: Vec<String>,
    ) -> Result<BTreeMap<String, Annotation>, StoreError> {
        let found = self.store.of_rules(group.to_owned(), texts).await?;
        Ok(found.into_iter().map(|annotated| (annotated.json, annotated.annotation)).collect())
    }

    /// The rules of a group that are only tried, by their texts.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn tried(&self, group: &str) -> Result<BTreeMap<String, Annotation>, StoreError> {
        let mut found = self.of_rules(group, self.shadows.texts(group)).await?;
        found.retain(|_, annotation| annotation.mode == Mode::Shadow);
        Ok(found)
    }

    /// The right to change which rules are tried, in the store and then here.
    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Whether one more rule may be tried.
    ///
    /// # Errors
    /// [`StoreError::ShadowsFull`], [`StoreError::ShadowRefused`].
    pub(crate) fn admits(&self, group: &str, rule: &Rule) -> Result<(), StoreError> {
        self.admits_without(0, group, rule)
    }

    /// The same, where so many of the group's rules go.
    ///
    /// # Errors
    /// As [`admits`](Self::admits).
    pub(crate) fn admits_without(&self, going: usize, group: &str, rule: &Rule) -> Result<(), StoreError> {
        if !self.shadows.has_room_without(going, group, rule.canonical()) {
            return Err(StoreError::ShadowsFull);
        }
        self.shadows.admits(group, rule).map_err(StoreError::ShadowRefused)
    }

    /// Forgets what has outlived its rule at `now` (unix seconds).
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub async fn purge(&self, now: i64) -> Result<(), StoreError> {
        let mut purged = false;
        while self.store.purge(now).await? > 0 {
            purged = true;
        }
        if purged { self.refresh().await } else { Ok(()) }
    }
}
