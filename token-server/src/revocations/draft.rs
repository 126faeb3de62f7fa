//! What is to be changed, who does it, and why.

use jose::UnixTime;
use rules::{Rule, RuleEntry};

use crate::caller::Caller;
use crate::store::{Annotation, Batch, Change, Provided};

/// A rule that is to be written.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Whose tokens it concerns.
    pub group: String,
    /// The condition, and its end.
    pub entry: RuleEntry,
    /// What is known of it.
    pub annotation: Annotation,
}

/// Who changes rules, and when.
#[derive(Debug, Clone)]
pub struct Act {
    /// Who.
    pub who: Caller,
    /// When.
    pub at: UnixTime,
}

/// What the caller says about a change.
#[derive(Debug, Clone, Default)]
pub struct Why {
    /// Who says to do it.
    pub by: Option<String>,
    /// Why.
    pub note: Option<String>,
}

impl Draft {
    /// A rule, which ends as what is known of it says.
    pub fn new(group: String, rule: Rule, annotation: Annotation) -> Self {
        Self { group, entry: RuleEntry { rule, expire_at: annotation.end() }, annotation }
    }

    /// The change that writes it.
    pub(super) fn change(&self, provided: Provided) -> Change {
        Change {
            group: self.group.clone(),
            json: self.entry.rule.canonical().to_owned(),
            by: self.annotation.by.clone(),
            note: self.annotation.note.clone(),
            to: Some(self.annotation.clone().into()),
            undoes: None,
            provided,
        }
    }
}

impl Act {
    pub(super) fn milliseconds(&self) -> u64 {
        u64::try_from(self.at.as_millis()).unwrap_or(0)
    }

    /// Unix seconds.
    pub(super) fn seconds(&self) -> i64 {
        self.at.as_millis().div_euclid(1_000)
    }

    pub(super) fn batch(&self, changes: Vec<Change>) -> Batch {
        Batch { who: self.who.clone(), at: self.milliseconds(), changes }
    }
}
