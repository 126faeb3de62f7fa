//! How a rule looks in an answer.

use rules::{ExpireAt, Rule};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::store::{Annotation, Mode, Standing, StoredRule};

/// A rule as it is answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct RuleView {
    /// Names the rule within its group, whatever happens to others.
    pub(in crate::api) id: String,
    /// The rule, unless it is not even JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<Box<RawValue>>,
    /// What stands in the store instead of a rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Why it is not understood.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    expire_at: i64,
    /// The revision that its last write made, in a store that keeps count; a rule that is only tried has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    mode: Mode,
    /// How many tokens a rule that is only tried would have refused, since the server runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    hits: Option<u64>,
    #[serde(flatten)]
    annotation: AnnotationView,
}

/// Who wrote a rule, when and why, as far as that is known: rules that others wrote have no notes.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct AnnotationView {
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    written_at: Option<i64>,
}

impl RuleView {
    /// A rule that revokes.
    pub(in crate::api) fn enforced(stored: StoredRule, annotation: Option<Annotation>) -> Self {
        let StoredRule { json, expire_at, revision, .. } = stored;
        let annotation = annotation.map(AnnotationView::from).unwrap_or_default();
        Self::new(json, expire_at, Mode::Enforce, revision, None, annotation)
    }

    /// A rule that is only tried, and how many tokens it would have refused.
    pub(in crate::api) fn tried(json: String, annotation: Annotation, hits: u64) -> Self {
        Self::new(json, annotation.end(), Mode::Shadow, None, Some(hits), annotation.into())
    }

    /// A rule as it stood before another was written over it; `hits` if it was tried. None if it had ended at `now` (unix
    /// seconds).
    pub(in crate::api) fn replaced(json: &str, replaced: Standing, hits: u64, now: i64) -> Option<Self> {
        if replaced.end().has_passed(now) {
            return None;
        }
        let (end, mode) = (replaced.end(), replaced.mode);
        let hits = (mode == Mode::Shadow).then_some(hits);
        let Standing { note, by, written_at, .. } = replaced;
        Some(Self::new(json.to_owned(), end, mode, None, hits, AnnotationView { note, by, written_at }))
    }

    fn new(
        json: String,
        expire_at: ExpireAt,
        mode: Mode,
        revision: Option<u64>,
        hits: Option<u64>,
        annotation: AnnotationView,
    ) -> Self {
        let id = jose::fingerprint(&json);
        let error = Rule::parse(&json).err().map(|error| error.to_string());
        let rule = RawValue::from_string(json.clone()).ok();
        let text = rule.is_none().then_some(json);
        Self { id, rule, text, error, expire_at: expire_at.as_seconds(), revision, mode, hits, annotation }
    }
}

impl From<Annotation> for AnnotationView {
    fn from(annotation: Annotation) -> Self {
        let Annotation { note, by, written_at, .. } = annotation;
        Self { note, by, written_at: Some(written_at) }
    }
}
