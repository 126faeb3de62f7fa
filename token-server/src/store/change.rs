//! Changes of rules: each one is a rule, its note and the entry of the audit trail that tells of it, and they are written
//! together or not at all.

use super::annotations::Mode;
use super::standing::Standing;
use super::trail::{Action, Entry, EntryId, Record, RuleText};
use crate::caller::Caller;

/// Changes that are made together, all of them or none.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Who makes them.
    pub who: Caller,
    /// When, unix milliseconds. A store with a clock of its own goes by that.
    pub at: u64,
    /// What becomes of which rule, one after the other.
    pub changes: Vec<Change>,
}

/// What shall become of one rule.
#[derive(Debug, Clone)]
pub struct Change {
    /// The rule's group.
    pub group: String,
    /// The rule's text as it stands in the store, or shall.
    pub json: String,
    /// How it shall stand; absent: not at all.
    pub to: Option<Standing>,
    /// Who says to do it.
    pub by: Option<String>,
    /// Why.
    pub note: Option<String>,
    /// The entry that it undoes.
    pub undoes: Option<EntryId>,
    /// What it depends on.
    pub provided: Provided,
}

/// On what a change depends. It is looked at where the change is made, so that no other writer comes in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provided {
    /// On nothing.
    Always,
    /// The rule is not enforced.
    NotEnforced,
    /// The rule stands so, or has ended and stood so.
    StandsAs(Option<Standing>),
}

/// The removal of all rules of a group.
#[derive(Debug, Clone)]
pub struct Clearing {
    /// Who does it.
    pub who: Caller,
    /// When, unix milliseconds.
    pub at: u64,
    /// The group.
    pub group: String,
    /// Who says to do it.
    pub by: Option<String>,
    /// Why.
    pub note: Option<String>,
}

/// What came of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It was made, and the trail tells of it.
    Made(Entry),
    /// It was made, and the trail has lost it: see [`Store::change`](super::Store::change).
    Untold(Record),
    /// The rule stood so already.
    Unchanged(Option<Standing>),
    /// What it depends on was not so; the rule stands as before.
    Refused(Option<Standing>),
}

/// Why nothing was to be done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Unmade {
    /// The rule stood so already.
    Unchanged(Option<Standing>),
    /// What the change depends on was not so.
    Refused(Option<Standing>),
}

impl Change {
    /// What the trail will tell of the change if the rule stands so before it; or why nothing is to be done.
    pub(crate) fn record(&self, batch: &Batch, before: Option<Standing>) -> Result<Record, Unmade> {
        let now = i64::try_from(batch.at / 1_000).unwrap_or(i64::MAX);
        let holds = match &self.provided {
            Provided::Always => true,
            Provided::NotEnforced => {
                !matches!(in_force(before.as_ref(), now), Some(Standing { mode: Mode::Enforce, .. }))
            }
            Provided::StandsAs(left) => in_force(left.as_ref(), now) == in_force(before.as_ref(), now),
        };
        if !holds {
            return Err(Unmade::Refused(before));
        }
        if before == self.to {
            return Err(Unmade::Unchanged(before));
        }
        Ok(Record {
            who: batch.who.clone(),
            by: self.by.clone(),
            note: self.note.clone(),
            action: if self.to.is_some() { Action::Write } else { Action::Remove },
            group: self.group.clone(),
            rule: RuleText::new(self.json.clone()),
            before,
            after: self.to.clone(),
            undoes: self.undoes,
        })
    }
}

impl Clearing {
    /// The removal of rules with these texts.
    pub(crate) fn of(&self, texts: impl IntoIterator<Item = String>) -> Batch {
        let Self { who, at, group, by, note } = self.clone();
        let remove = |json| Change {
            group: group.clone(),
            json,
            to: None,
            by: by.clone(),
            note: note.clone(),
            undoes: None,
            provided: Provided::Always,
        };
        Batch { who, at, changes: texts.into_iter().map(remove).collect() }
    }
}

impl From<Unmade> for Outcome {
    fn from(unmade: Unmade) -> Self {
        match unmade {
            Unmade::Unchanged(before) => Self::Unchanged(before),
            Unmade::Refused(before) => Self::Refused(before),
        }
    }
}

impl Outcome {
    /// How the rule stood before.
    pub fn before(&self) -> Option<&Standing> {
        match self {
            Self::Made(entry) => entry.record.before.as_ref(),
            Self::Untold(record) => record.before.as_ref(),
            Self::Unchanged(before) | Self::Refused(before) => before.as_ref(),
        }
    }

    /// What was made.
    pub fn made(&self) -> Option<&Record> {
        match self {
            Self::Made(entry) => Some(&entry.record),
            Self::Untold(record) => Some(record),
            Self::Unchanged(_) | Self::Refused(_) => None,
        }
    }
}

/// A rule that has ended is as good as none, and may be removed at any time.
fn in_force(standing: Option<&Standing>, now: i64) -> Option<&Standing> {
    standing.filter(|standing| !standing.end().has_passed(now))
}

#[cfg(test)]
mod tests {
    use rules::ExpireAt;

    use super::*;
    use crate::caller::Kind;
    use crate::store::Annotation;

    fn standing(mode: Mode, expire_at: i64) -> Standing {
        Standing { mode, expire_at, note: None, by: None, written_at: None }
    }

    fn known(mode: Mode, expire_at: i64) -> Annotation {
        Annotation { mode, note: Some("why".into()), by: None, written_at: 7, expire_at }
    }

    fn batch() -> Batch {
        let who = Caller { name: "anna".into(), kind: Kind::Token };
        Batch { who, at: 1_000_999, changes: Vec::new() }
    }

    #[test]
    fn a_rule_stands_as_its_end_and_its_note_say() {
        let noted = |mode, expire_at| {
            Some(Standing { note: Some("why".into()), written_at: Some(7), ..standing(mode, expire_at) })
        };
        use Mode::{Enforce, Shadow};
        for (enforced, note, stands) in [
            (None, None, None),
            (Some(ExpireAt::At(5)), None, Some(standing(Enforce, 5))),
            (Some(ExpireAt::Never), Some(known(Enforce, 9)), noted(Enforce, 0)),
            (Some(ExpireAt::Never), Some(known(Shadow, 9)), Some(standing(Enforce, 0))),
            (None, Some(known(Shadow, 9)), noted(Shadow, 9)),
            (None, Some(known(Enforce, 9)), None),
        ] {
            assert_eq!(Standing::of(enforced, note), stands);
        }
    }

    #[test]
    fn a_change_that_changes_nothing_or_comes_too_late_leaves_no_trace() {
        use Mode::{Enforce, Shadow};
        let (forever, ended) = (standing(Enforce, 0), standing(Enforce, 1_000));
        let shadow = standing(Shadow, 0);
        for (provided, before, to, made) in [
            (Provided::Always, None, None, Some(false)),
            (Provided::Always, Some(&forever), Some(&forever), Some(false)),
            (Provided::Always, Some(&forever), None, Some(true)),
            (Provided::NotEnforced, Some(&forever), Some(&shadow), None),
            (Provided::NotEnforced, Some(&ended), Some(&shadow), Some(true)),
            (Provided::NotEnforced, None, Some(&shadow), Some(true)),
            (Provided::StandsAs(None), Some(&forever), None, None),
            (Provided::StandsAs(None), Some(&ended), None, Some(true)),
            (Provided::StandsAs(Some(ended.clone())), None, Some(&forever), Some(true)),
            (Provided::StandsAs(Some(forever.clone())), None, Some(&forever), None),
            (Provided::StandsAs(Some(forever.clone())), Some(&forever), None, Some(true)),
        ] {
            let change = Change {
                group: "anna".into(),
                json: "{}".into(),
                to: to.cloned(),
                by: None,
                note: None,
                undoes: None,
                provided,
            };
            let record = change.record(&batch(), before.cloned());
            let outcome = match &record {
                Ok(record) => {
                    assert_eq!((record.before.as_ref(), record.after.as_ref()), (before, to));
                    Some(true)
                }
                Err(Unmade::Unchanged(_)) => Some(false),
                Err(_) => None,
            };
            assert_eq!(outcome, made, "{change:?} where {before:?} stands");
        }
    }
}
