//! What is known of rules beside their conditions, kept apart from them: other readers of the rules see nothing of it.
//!
//! A store keeps one text for each pair of group and rule: the JSON of an [`Annotation`].

use rules::ExpireAt;
use serde::{Deserialize, Serialize};

use super::answer::Answer;

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

/// Where annotations live durably. They are written with their rules: see [`Store::change`](super::Store::change).
pub trait AnnotationStore: Send + Sync {
    /// Every rule that is only tried.
    fn shadows(&self) -> Answer<'_, Vec<AnnotatedRule>>;

    /// The annotations of these rules of one group, by their texts, as far as they have any.
    fn of_rules(&self, group: String, texts: Vec<String>) -> Answer<'_, Vec<AnnotatedRule>>;

    /// Removes some of what has outlived its rule at `now` (unix seconds); tells how much, 0 when there was none.
    fn purge(&self, now: i64) -> Answer<'_, usize>;
}

impl Annotation {
    /// When the rule ends.
    pub const fn end(&self) -> ExpireAt {
        ExpireAt::from_seconds(self.expire_at)
    }

    /// The text that a store keeps of it.
    pub(super) fn to_json(&self) -> String {
        // A struct of texts and numbers has no way to fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// An annotation as a store has it. One that is not understood is as good as none: the rule itself stands elsewhere.
pub(super) fn parse(group: String, json: String, text: &[u8]) -> Option<AnnotatedRule> {
    match serde_json::from_slice(text) {
        Ok(annotation) => Some(AnnotatedRule { group, json, annotation }),
        Err(error) => {
            tracing::warn!(%error, "what the store says about a rule is not understood and left out");
            None
        }
    }
}
