//! Groups by a part of their name, and what several of them hold, for readers of lists.

use super::{Revocations, STORE_LIMIT, within};
use crate::store::{StoreError, StoredRule};

/// Names that one search looks at: reading so many takes some tens of milliseconds. What lies behind them is another
/// search's.
pub const MAX_NAMES_LOOKED_AT: usize = 10_000;

/// What is looked for: a part of the name, in small or capital letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePart(String);

/// Names that were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// In their order.
    pub names: Vec<String>,
    /// Behind which name to look for more; absent when there are none. It may be there though `names` has few or none.
    pub next: Option<String>,
}

impl NamePart {
    /// An empty text is part of every name.
    pub fn new(text: &str) -> Self {
        Self(text.to_lowercase())
    }

    fn is_in(&self, name: &str) -> bool {
        self.0.is_empty() || name.to_lowercase().contains(&self.0)
    }
}

impl Revocations {
    /// Up to `limit` groups whose name has this part, of the next [`MAX_NAMES_LOOKED_AT`] behind the name `after`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn find_groups(
        &self,
        part: &NamePart,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Found, StoreError> {
        let (looked_at, more) = within(STORE_LIMIT, self.store.groups(after, MAX_NAMES_LOOKED_AT)).await?;
        let end = looked_at.last().filter(|_| more).cloned();
        let mut matching = looked_at.into_iter().filter(|name| part.is_in(name));
        let names: Vec<String> = matching.by_ref().take(limit).collect();
        let next = if matching.next().is_some() { names.last().cloned() } else { end };
        Ok(Found { names, next })
    }

    /// The rules of several groups as the store has them, in the order of the names.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn of_groups(
        &self,
        groups: Vec<String>,
    ) -> Result<Vec<Result<Vec<StoredRule>, StoreError>>, StoreError> {
        within(STORE_LIMIT, self.store.several(groups)).await
    }
}
