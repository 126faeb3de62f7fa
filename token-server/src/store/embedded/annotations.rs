//! Annotations in the embedded store: `annotations: (group, canonical JSON) -> (expireAt, JSON of the annotation)`.

use std::sync::Arc;

use redb::{ReadableTable as _, TableDefinition};
use rules::ExpireAt;

use super::shared::blocking;
use super::{EmbeddedStore, PURGE_BATCH};
use crate::store::Answer;
use crate::store::annotations::{AnnotatedRule, Annotation, AnnotationStore};

pub(super) const ANNOTATIONS: TableDefinition<'_, (&str, &str), (i64, &str)> =
    TableDefinition::new("annotations");

/// Annotations share the file of the rules.
pub struct EmbeddedAnnotations(pub Arc<EmbeddedStore>);

impl AnnotationStore for EmbeddedAnnotations {
    fn all(&self) -> Answer<'_, Vec<AnnotatedRule>> {
        blocking(&self.0, |store| {
            store.read(|transaction| {
                let mut all = Vec::new();
                for row in transaction.open_table(ANNOTATIONS)?.iter()? {
                    let (key, value) = row?;
                    all.extend(annotated(key.value(), value.value().1));
                }
                Ok(all)
            })
        })
    }

    fn group(&self, group: String) -> Answer<'_, Vec<AnnotatedRule>> {
        blocking(&self.0, move |store| {
            store.read(|transaction| {
                let mut found = Vec::new();
                for row in transaction.open_table(ANNOTATIONS)?.range((group.as_str(), "")..)? {
                    let (key, value) = row?;
                    if key.value().0 != group {
                        break;
                    }
                    found.extend(annotated(key.value(), value.value().1));
                }
                Ok(found)
            })
        })
    }

    fn ended(&self, now: i64) -> Answer<'_, Vec<AnnotatedRule>> {
        blocking(&self.0, move |store| {
            store.read(|transaction| {
                let mut ended = Vec::new();
                for row in transaction.open_table(ANNOTATIONS)?.iter()? {
                    let (key, value) = row?;
                    let (seconds, text) = value.value();
                    if ExpireAt::from_seconds(seconds).has_passed(now) {
                        ended.extend(annotated(key.value(), text));
                    }
                    if ended.len() == PURGE_BATCH {
                        break;
                    }
                }
                Ok(ended)
            })
        })
    }

    fn put(&self, annotated: AnnotatedRule) -> Answer<'_, ()> {
        blocking(&self.0, move |store| {
            let AnnotatedRule { group, json, annotation } = annotated;
            // A struct of texts and numbers has no way to fail.
            let text = serde_json::to_string(&annotation).unwrap_or_default();
            store.write(|transaction| {
                let mut table = transaction.open_table(ANNOTATIONS)?;
                table.insert((group.as_str(), json.as_str()), (annotation.expire_at, text.as_str()))?;
                Ok(())
            })
        })
    }

    fn remove(&self, rules: Vec<(String, String)>) -> Answer<'_, ()> {
        blocking(&self.0, move |store| {
            store.write(|transaction| {
                let mut table = transaction.open_table(ANNOTATIONS)?;
                for (group, json) in &rules {
                    table.remove((group.as_str(), json.as_str()))?;
                }
                Ok(())
            })
        })
    }
}

/// An annotation that is not understood is as good as none: the rule itself stands elsewhere.
fn annotated((group, json): (&str, &str), text: &str) -> Option<AnnotatedRule> {
    match serde_json::from_str::<Annotation>(text) {
        Ok(annotation) => Some(AnnotatedRule { group: group.to_owned(), json: json.to_owned(), annotation }),
        Err(error) => {
            tracing::warn!(%error, "what the store says about a rule is not understood and left out");
            None
        }
    }
}
