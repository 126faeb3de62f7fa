//! Notes on rules, and the rules that are only tried: first the store, then the memory, in one order for all.

use std::collections::BTreeMap;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use rules::{InsertError, Rule};
use service::shutdown::Shutdown;
use tokio::sync::{Mutex, Notify};
use tokio::time::sleep;

use crate::shadow::{MAX_SHADOW_RULES, MAX_SHADOW_RULES_PER_GROUP, Shadows};
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

/// Why an annotation was not written.
#[derive(Debug, thiserror::Error)]
pub enum AnnotationError {
    /// There are as many shadow rules as there may be.
    #[error(
        "no more shadow rules are allowed: {MAX_SHADOW_RULES_PER_GROUP} in a group, {MAX_SHADOW_RULES} in all; \
         delete some, or wait until some end"
    )]
    ShadowsFull,
    /// With this shadow rule every check of the group could cost more than is allowed.
    #[error("the group can not take this shadow rule: {0}")]
    ShadowRefused(#[from] InsertError),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
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

    /// Writes what is known of a rule; with [`Mode::Shadow`] that writes the rule itself. Returns what was known before.
    ///
    /// # Errors
    /// See [`AnnotationError`]. A store that did not acknowledge may have it all the same, anything else changed nothing.
    pub async fn put(
        &self,
        group: &str,
        rule: Rule,
        annotation: Annotation,
    ) -> Result<Option<Annotation>, AnnotationError> {
        let _turn = self.turn.lock().await;
        let (mode, end) = (annotation.mode, annotation.end());
        if mode == Mode::Shadow {
            self.admits(group, &rule)?;
        }
        let json = rule.canonical().to_owned();
        let before = self.of_rules(group, vec![json.clone()]).await?.remove(&json);
        self.store.put(AnnotatedRule { group: group.to_owned(), json, annotation }).await?;
        match mode {
            Mode::Enforce => self.shadows.remove(group, rule.canonical()),
            Mode::Shadow => self.shadows.put(group, rule, end),
        }
        Ok(before)
    }

    fn admits(&self, group: &str, rule: &Rule) -> Result<(), AnnotationError> {
        if !self.shadows.has_room(group, rule.canonical()) {
            return Err(AnnotationError::ShadowsFull);
        }
        Ok(self.shadows.admits(group, rule)?)
    }

    /// Writes what is known of many rules, as [`put`](Self::put) does of one. Answers for each in turn.
    ///
    /// # Errors
    /// The store did not acknowledge; it may have some of them all the same.
    pub async fn put_all(
        &self,
        notes: Vec<(String, Rule, Annotation)>,
    ) -> Result<Vec<Result<(), AnnotationError>>, StoreError> {
        let _turn = self.turn.lock().await;
        let mut outcomes = Vec::with_capacity(notes.len());
        let (mut taken, mut enforced) = (Vec::new(), Vec::new());
        for (group, rule, annotation) in notes {
            let json = rule.canonical().to_owned();
            if annotation.mode == Mode::Shadow {
                if let Err(error) = self.admits(&group, &rule) {
                    outcomes.push(Err(error));
                    continue;
                }
                // The next one is held against it.
                self.shadows.put(&group, rule, annotation.end());
            } else {
                enforced.push((group.clone(), json.clone()));
            }
            taken.push(AnnotatedRule { group, json, annotation });
            outcomes.push(Ok(()));
        }
        if !taken.is_empty()
            && let Err(error) = self.store.put_all(taken).await
        {
            self.outdated();
            return Err(error);
        }
        for (group, json) in enforced {
            self.shadows.remove(&group, &json);
        }
        Ok(outcomes)
    }

    /// Forgets one rule; tells whether it was one that is only tried.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub async fn remove(&self, group: &str, json: &str) -> Result<bool, StoreError> {
        let _turn = self.turn.lock().await;
        let removed = self.store.remove(group.to_owned(), json.to_owned()).await?;
        self.shadows.remove(group, json);
        Ok(removed)
    }

    /// Forgets all rules of a group; tells how many were only tried.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub async fn remove_group(&self, group: &str) -> Result<usize, StoreError> {
        let _turn = self.turn.lock().await;
        let removed = self.store.remove_group(group.to_owned()).await?;
        self.shadows.remove_group(group);
        Ok(removed)
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
