//! What is known of rules beside their conditions, kept apart from them: other readers of the rules see nothing of it.
//!
//! A store keeps one text for each pair of group and rule: the JSON of an [`Annotation`]. That is a hash for each group
//! where rules live in Redis, and a table in the embedded store.

use rules::ExpireAt;
use serde::{Deserialize, Serialize};

use super::Answer;

/// What a rule does when it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It revokes the token.
    #[default]
    Enforce,
    /// It is counted and revokes nothing. Such a rule stands nowhere but in its annotation.
    Shadow,
}

/// Who wrote a rule, when, why, and whether it is only tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Annotation {
    /// What the rule does.
    pub mode: Mode,
    /// Why it was written, in its writer's words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    /// Who says to have written it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<String>,
    /// When it was written, unix seconds.
    pub written_at: i64,
    /// When the annotation ends with its rule, unix seconds; 0 for never.
    pub expire_at: i64,
}

/// An annotation and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnotatedRule {
    /// The rule's group.
    pub group: String,
    /// The rule's canonical JSON.
    pub json: String,
    /// What is known of it.
    pub annotation: Annotation,
}

/// Where annotations live durably.
pub trait AnnotationStore: Send + Sync {
    /// Every annotation.
    fn all(&self) -> Answer<'_, Vec<AnnotatedRule>>;

    /// The annotations of one group.
    fn group(&self, group: String) -> Answer<'_, Vec<AnnotatedRule>>;

    /// Some of the annotations that have ended at `now` (unix seconds); none when none is left.
    fn ended(&self, now: i64) -> Answer<'_, Vec<AnnotatedRule>>;

    /// Writes an annotation over the one that its rule had.
    fn put(&self, annotated: AnnotatedRule) -> Answer<'_, ()>;

    /// Removes the annotations of these rules (groups and canonical JSON) in one write.
    fn remove(&self, rules: Vec<(String, String)>) -> Answer<'_, ()>;
}

impl Annotation {
    /// When the rule ends.
    pub const fn end(&self) -> ExpireAt {
        ExpireAt::from_seconds(self.expire_at)
    }
}
