//! The embedded store for tasks: each call on a thread that may block.

use std::sync::Arc;

use super::EmbeddedStore;
use crate::store::{
    Answer, Batch, Clearing, Condition, Cursor, EntryId, Outcome, Page, Record, Store, StoreError,
    StoredRule, TrailPage,
};

impl Store for Arc<EmbeddedStore> {
    fn store_id(&self) -> Option<Arc<str>> {
        Some(EmbeddedStore::store_id(self))
    }

    fn group<'a>(&'a self, group: &'a str) -> Answer<'a, Vec<StoredRule>> {
        let group = group.to_owned();
        blocking(self, move |store| store.group(&group))
    }

    fn page<'a>(&'a self, group: &'a str, after: Option<&'a Cursor>, limit: usize) -> Answer<'a, Page> {
        let (group, after) = (group.to_owned(), after.cloned());
        blocking(self, move |store| store.page(&group, after.as_ref(), limit))
    }

    fn groups<'a>(&'a self, after: Option<&'a str>, limit: usize) -> Answer<'a, (Vec<String>, bool)> {
        let after = after.map(str::to_owned);
        blocking(self, move |store| store.groups(after.as_deref(), limit))
    }

    fn several(&self, groups: Vec<String>) -> Answer<'_, Vec<Result<Vec<StoredRule>, StoreError>>> {
        blocking(self, move |store| Ok(store.several(&groups)?.into_iter().map(Ok).collect()))
    }

    fn change(&self, batch: Batch) -> Answer<'_, Vec<Outcome>> {
        blocking(self, move |store| EmbeddedStore::change(store, &batch))
    }

    fn clear(&self, clearing: Clearing) -> Answer<'_, Vec<Outcome>> {
        blocking(self, move |store| EmbeddedStore::clear(store, &clearing))
    }

    fn trail(&self, from: EntryId, until: Option<EntryId>, limit: usize) -> Answer<'_, TrailPage> {
        blocking(self, move |store| EmbeddedStore::trail(store, from, until, limit))
    }

    fn entry(&self, id: EntryId) -> Answer<'_, Option<Record>> {
        blocking(self, move |store| EmbeddedStore::entry(store, id))
    }

    fn trim(&self, from: EntryId, max: u64) -> Answer<'_, usize> {
        blocking(self, move |store| EmbeddedStore::trim(store, from, max))
    }

    fn purge(&self, now: i64) -> Answer<'_, usize> {
        blocking(self, move |store| EmbeddedStore::purge(store, now))
    }

    fn examine(&self) -> Answer<'_, Condition> {
        blocking(self, |store| Ok(store.condition()))
    }
}

pub(super) fn blocking<'a, T: Send + 'static>(
    store: &Arc<EmbeddedStore>,
    work: impl FnOnce(&EmbeddedStore) -> Result<T, StoreError> + Send + 'static,
) -> Answer<'a, T> {
    let store = Arc::clone(store);
    Box::pin(async move {
        tokio::task::spawn_blocking(move || work(&store)).await.unwrap_or(Err(StoreError::Stopping))
    })
}
