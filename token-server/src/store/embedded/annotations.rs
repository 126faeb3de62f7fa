//! Annotations in the embedded store: `annotations: (group, canonical JSON) -> (expireAt, JSON of the annotation)`.

use std::sync::Arc;

use redb::{ReadTransaction, ReadableTable as _};
use rules::ExpireAt;

use super::EmbeddedStore;
use super::shared::blocking;
use super::tables::{ANNOTATIONS, PURGE_BATCH};
use crate::store::Answer;
use crate::store::annotations::{AnnotatedRule, AnnotationStore, Mode, parse};

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

    fn purge(&self, now: i64) -> Answer<'_, usize> {
        blocking(&self.0, move |store| {
            let ended = store.read(|transaction| ended(transaction, now))?;
            if ended.is_empty() {
                return Ok(0);
            }
            store.write(|transaction| {
                let mut table = transaction.open_table(ANNOTATIONS)?;
                for (group, json) in &ended {
                    table.remove((group.as_str(), json.as_str()))?;
                }
                Ok(ended.len())
            })
        })
    }
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

fn annotated((group, json): (&str, &str), text: &str) -> Option<AnnotatedRule> {
    parse(group.to_owned(), json.to_owned(), text.as_bytes())
}
