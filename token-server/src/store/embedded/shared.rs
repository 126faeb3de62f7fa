//! The embedded store for tasks: each call on a thread that may block.

use std::sync::Arc;

use rules::ExpireAt;

use super::EmbeddedStore;
use crate::store::{Answer, Condition, Cursor, NewRule, Page, Store, StoreError, StoredRule};

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

    fn put<'a>(&'a self, group: &'a str, json: &'a str, expire_at: ExpireAt) -> Answer<'a, Option<ExpireAt>> {
        let (group, json) = (group.to_owned(), json.to_owned());
        blocking(self, move |store| Ok(store.put(&group, &json, expire_at)?.replaced))
    }

    fn several(&self, groups: Vec<String>) -> Answer<'_, Vec<Result<Vec<StoredRule>, StoreError>>> {
        blocking(self, move |store| Ok(store.several(&groups)?.into_iter().map(Ok).collect()))
    }

    fn put_all(&self, rules: Arc<[NewRule]>) -> Answer<'_, Vec<Option<ExpireAt>>> {
        blocking(self, move |store| EmbeddedStore::put_all(store, &rules))
    }

    fn remove<'a>(&'a self, group: &'a str, json: &'a str) -> Answer<'a, bool> {
        let (group, json) = (group.to_owned(), json.to_owned());
        blocking(self, move |store| Ok(store.remove(&group, &json)?.is_some()))
    }

    fn remove_group<'a>(&'a self, group: &'a str) -> Answer<'a, usize> {
        let group = group.to_owned();
        blocking(self, move |store| Ok(store.remove_group(&group)?.map_or(0, |(removed, _)| removed)))
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
