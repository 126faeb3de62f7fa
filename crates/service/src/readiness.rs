//! Whether this process should get traffic, and if not, why.
//!
//! Each part that can hold the process back blocks under its own cause and clears it when it is well again. Health is
//! another question: a process that answers is alive, ready or not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Declares [`Cause`] with its words in one table, so that no list can lose a row.
macro_rules! causes {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)+) => {
        /// What can hold a process back: one closed list for all programs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Cause {
            $($(#[$doc])* $variant,)+
        }

        impl Cause {
            /// Every cause, for documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word that the answer begins with.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}

causes! {
    /// All connections that are served at once are at work.
    Connections = "connections",
    /// The process was asked to stop.
    Draining = "draining",
    /// No verification key is loaded.
    Keys = "keys",
    /// The store's rules cannot be read.
    Rules = "rules",
    /// The store must not be relied on: it may lose rules.
    Store = "store",
    /// A background task is lost for good.
    Tasks = "tasks",
    /// No token-server can be used.
    TokenServer = "token-server",
}

/// Shared by all parts of a process; clones see the same state.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    causes: Arc<Mutex<BTreeMap<Cause, String>>>,
}

impl Readiness {
    /// Ready until something blocks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Not ready from now on; a later call for the same cause replaces its text, and returns the one before.
    pub fn block(&self, cause: Cause, why: impl Into<String>) -> Option<String> {
        self.lock().insert(cause, why.into())
    }

    /// Replaces the text of a cause that holds the process back; of one that does not, it changes nothing.
    pub fn explain(&self, cause: Cause, why: impl Into<String>) {
        if let Some(text) = self.lock().get_mut(&cause) {
            *text = why.into();
        }
    }

    /// This cause no longer holds the process back.
    pub fn clear(&self, cause: Cause) {
        self.lock().remove(&cause);
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
        let lines: Vec<_> = causes.iter().map(|(cause, why)| format!("{}: {why}", cause.as_str())).collect();
        Err(lines.join("; "))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Cause, String>> {
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
        readiness.block(Cause::Keys, "none loaded");
        readiness.clone().block(Cause::Draining, "asked to stop");
        assert_eq!(readiness.check(), Err("draining: asked to stop; keys: none loaded".into()));
        readiness.explain(Cause::Keys, "none at its URL");
        assert_eq!(readiness.check(), Err("draining: asked to stop; keys: none at its URL".into()));
        readiness.clear(Cause::Draining);
        readiness.block(Cause::Keys, "file is empty");
        assert_eq!(readiness.check(), Err("keys: file is empty".into()));
        readiness.clear(Cause::Keys);
        readiness.explain(Cause::Keys, "none at its URL");
        assert_eq!(readiness.check(), Ok(()));
    }
}
