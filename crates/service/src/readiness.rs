//! Whether this process should get traffic, and if not, why.
//!
//! Each part that can hold the process back blocks under its own cause and clears it when it is well again. Health is
//! another question: a process that answers is alive, ready or not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Shared by all parts of a process; clones see the same state.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    causes: Arc<Mutex<BTreeMap<&'static str, String>>>,
}

impl Readiness {
    /// Ready until something blocks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Not ready from now on; a later call for the same cause replaces its text, and returns the one before.
    pub fn block(&self, cause: &'static str, why: impl Into<String>) -> Option<String> {
        self.lock().insert(cause, why.into())
    }

    /// Replaces the text of a cause that holds the process back; of one that does not, it changes nothing.
    pub fn explain(&self, cause: &'static str, why: impl Into<String>) {
        if let Some(text) = self.lock().get_mut(cause) {
            *text = why.into();
        }
    }

    /// This cause no longer holds the process back.
    pub fn clear(&self, cause: &'static str) {
        self.lock().remove(cause);
    }

    /// `Ok` when nothing blocks.
    ///
    /// # Errors
    ///
    /// Every cause with its text, as one line for an operator.
    pub fn check(&self) -> Result<(), String> {
        let causes = self.lock();
        if causes.is_empty() {
            return Ok(());
        }
        let lines: Vec<_> = causes.iter().map(|(cause, why)| format!("{cause}: {why}")).collect();
        Err(lines.join("; "))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        // The map is whole after each call, so a panic elsewhere leaves nothing half done in it.
        self.causes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_ready_only_when_every_cause_is_cleared() {
        let readiness = Readiness::new();
        assert_eq!(readiness.check(), Ok(()));
        readiness.block("keys", "none loaded");
        readiness.clone().block("draining", "asked to stop");
        assert_eq!(readiness.check(), Err("draining: asked to stop; keys: none loaded".into()));
        readiness.explain("keys", "none at its URL");
        assert_eq!(readiness.check(), Err("draining: asked to stop; keys: none at its URL".into()));
        readiness.clear("draining");
        readiness.block("keys", "file is empty");
        assert_eq!(readiness.check(), Err("keys: file is empty".into()));
        readiness.clear("keys");
        readiness.explain("keys", "none at its URL");
        assert_eq!(readiness.check(), Ok(()));
    }
}
