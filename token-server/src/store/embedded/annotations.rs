//! Annotations in the embedded store: `annotations: (group, canonical JSON) -> (expireAt, JSON of the annotation)`.

use std::sync::Arc;

use redb::{ReadTransaction, ReadableTable as _, TableDefinition, WriteTransaction};
use rules::ExpireAt;

use super::shared::blocking;
use super::{EmbeddedStore, PURGE_BATCH};
use crate::store::Answer;
use crate::store::annotations::{AnnotatedRule, AnnotationStore, Mode, parse};

pub(super) const ANNOTATIONS: TableDefinition<'_, (&str, &str), (i64, &str)> =
    TableDefinition::new("annotations");

/// Annotations share the file of the rules.
pub struct EmbeddedAnnotations(pub Arc<EmbeddedStore>);

impl AnnotationStore for EmbeddedAnnotations {
    fn shadows(&self) -> Answer<'_, Vec<AnnotatedRule>> {
        blocking(&self.0, |store| {
            store.read(|transaction| {
                let mut found = Vec::new();
                for row in transaction.open_table(ANNOTATIONS)?.iter()? {
                    let (key, value) = row?;
                    let annotated = annotated(key.value(), value.value().1);
                    found.extend(annotated.filter(|found| found.annotation.mode == Mode::Shadow));
                }
                Ok(found)
            })
        })
    }

    fn of_rules(&self, group: String, texts: Vec<String>) -> Answer<'_, Vec<AnnotatedRule>> {
        blocking(&self.0, move |store| {
            store.read(|transaction| {
                let table = transaction.open_table(ANNOTATIONS)?;
                let mut found = Vec::new();
                for text in &texts {
                    let key = (group.as_str(), text.as_str());
                    found.extend(table.get(key)?.and_then(|value| annotated(key, value.value().1)));
                }
                Ok(found)
            })
        })
    }

    fn put(&self, annotated: AnnotatedRule) -> Answer<'_, ()> {
        self.put_all(vec![annotated])
    }

    fn put_all(&self, annotated: Vec<AnnotatedRule>) -> Answer<'_, ()> {
        blocking(&self.0, move |store| {
            store.write(|transaction| {
                let mut table = transaction.open_table(ANNOTATIONS)?;
                for AnnotatedRule { group, json, annotation } in &annotated {
                    let text = annotation.to_json();
                    table.insert((group.as_str(), json.as_str()), (annotation.expire_at, text.as_str()))?;
                }
                Ok(())
            })
        })
    }

    fn remove(&self, group: String, json: String) -> Answer<'_, bool> {
        blocking(&self.0, move |store| {
            if store.read(|transaction| {
                Ok(transaction.open_table(ANNOTATIONS)?.get((group.as_str(), json.as_str()))?.is_none())
            })? {
                return Ok(false);
            }
            store.write(|transaction| remove(transaction, &group, &json))
        })
    }

    fn remove_group(&self, group: String) -> Answer<'_, usize> {
        blocking(&self.0, move |store| {
            let found = store.read(|transaction| of_group(transaction, &group))?;
            if found.is_empty() {
                return Ok(0);
            }
            store.write(|transaction| {
                let mut tried = 0;
                for AnnotatedRule { json, .. } in &found {
                    tried += usize::from(remove(transaction, &group, json)?);
                }
                Ok(tried)
            })
        })
    }

    fn purge(&self, now: i64) -> Answer<'_, usize> {
        blocking(&self.0, move |store| {
            let ended = store.read(|transaction| ended(transaction, now))?;
            if ended.is_empty() {
                return Ok(0);
            }
            store.write(|transaction| {
                for (group, json) in &ended {
                    remove(transaction, group, json)?;
                }
                Ok(ended.len())
            })
        })
    }
}

fn of_group(transaction: &ReadTransaction, group: &str) -> Result<Vec<AnnotatedRule>, redb::Error> {
    let mut found = Vec::new();
    for row in transaction.open_table(ANNOTATIONS)?.range((group, "")..)? {
        let (key, value) = row?;
        if key.value().0 != group {
            break;
        }
        found.extend(annotated(key.value(), value.value().1));
    }
    Ok(found)
}

fn ended(transaction: &ReadTransaction, now: i64) -> Result<Vec<(String, String)>, redb::Error> {
    let mut ended = Vec::new();
    for row in transaction.open_table(ANNOTATIONS)?.iter()? {
        let (key, value) = row?;
        if ExpireAt::from_seconds(value.value().0).has_passed(now) {
            let (group, json) = key.value();
            ended.push((group.to_owned(), json.to_owned()));
        }
        if ended.len() == PURGE_BATCH {
            break;
        }
    }
    Ok(ended)
}

/// Removes one annotation; tells whether its rule was only tried.
fn remove(transaction: &WriteTransaction, group: &str, json: &str) -> Result<bool, redb::Error> {
    let mut table = transaction.open_table(ANNOTATIONS)?;
    let old = table.remove((group, json))?;
    let annotated = old.and_then(|old| annotated((group, json), old.value().1));
    Ok(annotated.is_some_and(|annotated| annotated.annotation.mode == Mode::Shadow))
}

fn annotated((group, json): (&str, &str), text: &str) -> Option<AnnotatedRule> {
    parse(group.to_owned(), json.to_owned(), text.as_bytes())
}
