//! Notes on rules, and the rules that are only tried: first the store, then the memory, in one order for all.

use std::collections::BTreeMap;

use rules::{InsertError, Rule};
use tokio::sync::Mutex;

use crate::shadow::{MAX_SHADOW_RULES, MAX_SHADOW_RULES_PER_GROUP, Shadows};
use crate::store::{AnnotatedRule, Annotation, AnnotationStore, Mode, StoreError};

/// What is known of the rules beside their conditions.
pub struct Annotations {
    /// Absent where rules live in a store that keeps none.
    store: Option<Box<dyn AnnotationStore>>,
    shadows: Shadows,
    /// Held for a whole write, so that the memory follows in the store's order.
    writing: Mutex<()>,
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
    /// The store keeps no annotations.
    #[error("notes and shadow rules are kept in the embedded store only; leave out note, by and mode")]
    NotKept,
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Annotations {
    /// Reads all shadow rules of the store.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn load(store: impl AnnotationStore + 'static) -> Result<Self, StoreError> {
        let shadows = Shadows::default();
        for AnnotatedRule { group, json, annotation } in store.all().await? {
            match (annotation.mode, Rule::parse(&json)) {
                (Mode::Enforce, _) => {}
                (Mode::Shadow, Ok(rule)) => match shadows.admits(&group, &rule) {
                    Ok(()) => shadows.put(&group, rule, annotation.end()),
                    Err(error) => {
                        tracing::warn!(%error, "a shadow rule in the store is beyond the limits and left out");
                    }
                },
                (Mode::Shadow, Err(error)) => {
                    tracing::warn!(%error, "a shadow rule in the store is not understood and left out");
                }
            }
        }
        Ok(Self { store: Some(Box::new(store)), shadows, writing: Mutex::new(()) })
    }

    /// For rules that live in a store that keeps no annotations.
    pub fn none() -> Self {
        Self { store: None, shadows: Shadows::default(), writing: Mutex::new(()) }
    }

    /// Whether an annotation could be kept, or says nothing that would be lost.
    ///
    /// # Errors
    /// [`AnnotationError::NotKept`]
    pub fn accept(&self, annotation: &Annotation) -> Result<(), AnnotationError> {
        let says_nothing =
            annotation.mode == Mode::Enforce && annotation.note.is_none() && annotation.by.is_none();
        if self.store.is_some() || says_nothing { Ok(()) } else { Err(AnnotationError::NotKept) }
    }

    /// The rules that are only tried.
    pub fn shadows(&self) -> &Shadows {
        &self.shadows
    }

    /// What is known of the rules of a group, by their canonical JSON.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn of_group(&self, group: &str) -> Result<BTreeMap<String, Annotation>, StoreError> {
        let Some(store) = &self.store else { return Ok(BTreeMap::new()) };
        let found = store.group(group.to_owned()).await?;
        Ok(found.into_iter().map(|annotated| (annotated.json, annotated.annotation)).collect())
    }

    /// Writes what is known of a rule; with [`Mode::Shadow`] that writes the rule itself.
    ///
    /// # Errors
    /// See [`AnnotationError`]; then nothing changed.
    pub async fn put(&self, group: &str, rule: Rule, annotation: Annotation) -> Result<(), AnnotationError> {
        let Some(store) = &self.store else { return self.accept(&annotation) };
        let _writing = self.writing.lock().await;
        let (mode, end) = (annotation.mode, annotation.end());
        if mode == Mode::Shadow {
            if !self.shadows.has_room(group, rule.canonical()) {
                return Err(AnnotationError::ShadowsFull);
            }
            self.shadows.admits(group, &rule)?;
        }
        let json = rule.canonical().to_owned();
        store.put(AnnotatedRule { group: group.to_owned(), json, annotation }).await?;
        match mode {
            Mode::Enforce => self.shadows.remove(group, rule.canonical()),
            Mode::Shadow => self.shadows.put(group, rule, end),
        }
        Ok(())
    }

    /// Forgets one rule; tells whether it was one that is only tried.
    ///
    /// # Errors
    /// The store cannot be read or written; then nothing changed.
    pub async fn remove(&self, group: &str, json: &str) -> Result<bool, StoreError> {
        let removed = self.remove_where(group, |found| found == json).await?;
        Ok(removed > 0)
    }

    /// Forgets all rules of a group; tells how many were only tried.
    ///
    /// # Errors
    /// The store cannot be read or written; then nothing changed.
    pub async fn remove_group(&self, group: &str) -> Result<usize, StoreError> {
        self.remove_where(group, |_| true).await
    }

    /// Forgets all rules that have ended at `now` (unix seconds).
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub async fn purge(&self, now: i64) -> Result<(), StoreError> {
        let Some(store) = &self.store else { return Ok(()) };
        loop {
            let _writing = self.writing.lock().await;
            let ended = store.ended(now).await?;
            if ended.is_empty() {
                return Ok(());
            }
            self.forget(&**store, ended).await?;
        }
    }

    async fn remove_where(&self, group: &str, is_meant: impl Fn(&str) -> bool) -> Result<usize, StoreError> {
        let Some(store) = &self.store else { return Ok(0) };
        let _writing = self.writing.lock().await;
        let found = store.group(group.to_owned()).await?;
        self.forget(&**store, found.into_iter().filter(|found| is_meant(&found.json)).collect()).await
    }

    async fn forget(
        &self,
        store: &dyn AnnotationStore,
        rules: Vec<AnnotatedRule>,
    ) -> Result<usize, StoreError> {
        if rules.is_empty() {
            return Ok(0);
        }
        let names = rules.iter().map(|found| (found.group.clone(), found.json.clone())).collect();
        store.remove(names).await?;
        let tried = rules.iter().filter(|found| found.annotation.mode == Mode::Shadow);
        let mut removed = 0;
        for AnnotatedRule { group, json, .. } in tried {
            self.shadows.remove(group, json);
            removed += 1;
        }
        Ok(removed)
    }
}
