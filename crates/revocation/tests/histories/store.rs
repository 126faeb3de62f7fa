//! The store that both servers read: what has been acknowledged, and each server's own way to it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rules::ExpireAt;
use token_server::store::{
    AnnotatedRule, AnnotationStore, Answer, Batch, Clearing, Cursor, EntryId, Outcome, Page, Record, Store,
    StoreError, StoredRule, TrailPage,
};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A rule that was acknowledged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub(super) at: Instant,
    /// Whether the sources of changes tell of it.
    pub(super) is_told: bool,
}

/// When each group's rule was acknowledged.
pub(super) type Shelf = Arc<Mutex<BTreeMap<&'static str, Written>>>;

/// What becomes of a server's reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// They are answered at once.
    Open,
    /// They are sent off, and stay under way.
    Slow,
    /// They fail.
    Cut,
}

/// One server's way to the store.
pub(super) struct Link {
    shelf: Shelf,
    way: Mutex<Way>,
    /// Reads that are under way, in their order.
    under_way: Mutex<VecDeque<oneshot::Sender<()>>>,
}

impl Link {
    pub(super) fn new(shelf: &Shelf) -> Arc<Self> {
        Arc::new(Self { shelf: Arc::clone(shelf), way: Mutex::new(Way::Open), under_way: Mutex::default() })
    }

    pub(super) fn set(&self, way: Way) {
        *locked(&self.way) = way;
    }

    /// The read that was sent off first ends.
    pub(super) fn end_read(&self, arrives: bool) {
        let mut under_way = locked(&self.under_way);
        // Those that nothing waits for have ended for want of time.
        while let Some(read) = under_way.pop_front() {
            if !read.is_closed() {
                _ = arrives.then(|| read.send(()));
                break;
            }
        }
    }

    fn found(&self, group: &str) -> Vec<StoredRule> {
        let written = locked(&self.shelf).contains_key(group);
        let rule = StoredRule {
            group: group.to_owned(),
            json: r#"{"rt":"x"}"#.to_owned(),
            expire_at: ExpireAt::Never,
            revision: None,
        };
        written.then_some(rule).into_iter().collect()
    }
}

pub(super) fn locked<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store for Link {
    fn store_id(&self) -> Option<Arc<str>> {
        Some("store".into())
    }

    fn group<'a>(&'a self, group: &'a str) -> Answer<'a, Vec<StoredRule>> {
        Box::pin(async move {
            // As it is when the question comes, however late the answer is.
            let found = self.found(group);
            let way = *locked(&self.way);
            match way {
                Way::Open => Ok(found),
                Way::Cut => Err(StoreError::Unreached),
                Way::Slow => {
                    let (arrives, arrival) = oneshot::channel();
                    locked(&self.under_way).push_back(arrives);
                    arrival.await.map(|()| found).map_err(|_| StoreError::Unreached)
                }
            }
        })
    }

    // Rules are written by others, and no list of them is asked for.

    fn page<'a>(&'a self, _: &'a str, _: Option<&'a Cursor>, _: usize) -> Answer<'a, Page> {
        Box::pin(async { Err(StoreError::Unreached) })
    }

    fn groups<'a>(&'a self, _: Option<&'a str>, _: usize) -> Answer<'a, (Vec<String>, bool)> {
        Box::pin(async { Err(StoreError::Unreached) })
    }

    fn several(&self, _: Vec<String>) -> Answer<'_, Vec<Result<Vec<StoredRule>, StoreError>>> {
        Box::pin(async { Err(StoreError::Unreached) })
    }

    fn change(&self, _: Batch) -> Answer<'_, Vec<Outcome>> {
        Box::pin(async { Err(StoreError::Unreached) })
    }

    fn clear(&self, _: Clearing) -> Answer<'_, Vec<Outcome>> {
        Box::pin(async { Err(StoreError::Unreached) })
    }

    fn trail(&self, _: EntryId, _: Option<EntryId>, _: usize) -> Answer<'_, TrailPage> {
        Box::pin(async { Err(StoreError::Unreached) })
    }

    fn entry(&self, _: EntryId) -> Answer<'_, Option<Record>> {
        Box::pin(async { Err(StoreError::Unreached) })
    }

    fn trim(&self, _: EntryId, _: u64) -> Answer<'_, usize> {
        Box::pin(async { Err(StoreError::Unreached) })
    }

    fn purge(&self, _: i64) -> Answer<'_, usize> {
        Box::pin(async { Err(StoreError::Unreached) })
    }
}

/// No rule has a note.
pub(super) struct NoNotes;

impl AnnotationStore for NoNotes {
    fn shadows(&self) -> Answer<'_, Vec<AnnotatedRule>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn of_rules(&self, _: String, _: Vec<String>) -> Answer<'_, Vec<AnnotatedRule>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn purge(&self, _: i64) -> Answer<'_, usize> {
        Box::pin(async { Ok(0) })
    }
}
