//! Rules that take the place of others which they make needless, so that one who may tell of the same subject again and again
//! cannot fill its group.

use std::collections::BTreeSet;
use std::sync::Arc;

use rules::{Claims, ExpireAt};

use super::Revocations;
use super::draft::{Act, Draft};
use super::trail::tell;
use crate::rulebook::Group;
use crate::store::{Change, Mode, Outcome, Provided, StoreError};

/// A rule, and what it is beside the others of its group.
pub(crate) struct Replacement {
    pub(crate) draft: Draft,
    /// What a token says which every rule hits that could be needless, so that they are found without looking at all.
    pub(crate) probe: Claims,
    /// Judges each of the others.
    pub(crate) beside: Judge,
}

/// Judges another rule by its canonical text and its end.
pub(crate) type Judge = Box<dyn Fn(&str, ExpireAt) -> Beside + Send + Sync>;

/// What another rule is beside a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beside {
    /// It does all that the new one would.
    Covers,
    /// The new one does all that it does.
    Covered,
    /// Neither.
    Other,
}

/// What came of replacements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replaced {
    /// Rules were written.
    Written,
    /// All that they would do was done already.
    Stood,
}

/// A change, and the group that it is looked up in.
#[derive(Default)]
struct Plan {
    changes: Vec<Change>,
    /// Groups and texts of rules that go, so that none goes twice.
    going: BTreeSet<(String, String)>,
    /// Rules that are written, for the room of those that follow.
    coming: BTreeSet<(String, String)>,
}

impl Revocations {
    /// Writes rules that revoke, or that are tried, and removes what they make needless, in one transaction: all of it or
    /// nothing. When this returns, it is durable, and every check that starts here sees it.
    ///
    /// # Errors
    /// A group is full or can not take a rule, then nothing changed; or the store did not acknowledge, then the rules may be
    /// there or not.
    pub(crate) async fn replace(
        self: &Arc<Self>,
        replacements: Vec<Replacement>,
        act: Act,
    ) -> Result<Replaced, StoreError> {
        self.whole(async move |this| {
            let _turn = this.turn().await?;
            this.left.doubt();
            let _trials = this.annotations.turn().await;
            let mut plan = Plan::default();
            for replacement in &replacements {
                let (now, group) = (act.seconds(), &replacement.draft.group);
                match replacement.draft.annotation.mode {
                    Mode::Enforce => {
                        plan.enforce(replacement, &*this.known(group).await?, now, this.max_rules(group))?
                    }
                    Mode::Shadow => plan.try_out(replacement, &this.annotations, now)?,
                }
            }
            this.make_all(plan.changes, &act).await
        })
        .await
    }

    async fn make_all(&self, changes: Vec<Change>, act: &Act) -> Result<Replaced, StoreError> {
        if changes.is_empty() {
            return Ok(Replaced::Stood);
        }
        let outcomes = match self.store.change(act.batch(changes.clone())).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                changes.iter().for_each(|change| _ = self.changed(&change.group));
                self.annotations.outdated();
                return Err(error);
            }
        };
        let mut replaced = Replaced::Stood;
        for (Change { group, json, to, .. }, outcome) in changes.iter().zip(&outcomes) {
            if !matches!(outcome, Outcome::Refused(_)) {
                self.follow(group, json, outcome.before(), to.as_ref());
            }
            if outcome.made().is_some() {
                replaced = Replaced::Written;
            }
        }
        tell(&outcomes);
        Ok(replaced)
    }
}

impl Plan {
    fn enforce(
        &mut self,
        replacement: &Replacement,
        group: &Group,
        now: i64,
        max: usize,
    ) -> Result<(), StoreError> {
        let mut others = Vec::new();
        group.visit_matches(&replacement.probe, now, |text, end| {
            let beside = (replacement.beside)(text, end);
            if beside != Beside::Other {
                others.push((text.to_owned(), beside));
            }
        });
        let rule = &replacement.draft.entry.rule;
        let Some(going) = self.going(replacement, others) else { return Ok(()) };
        let (gone, came) = self.counts(&replacement.draft.group, &going);
        if !group.has_room_without(gone, rule, max.saturating_sub(came)) {
            return Err(StoreError::GroupFull { max });
        }
        group.admits(rule)?;
        self.add(&replacement.draft, Provided::Always, going);
        Ok(())
    }

    fn try_out(
        &mut self,
        replacement: &Replacement,
        annotations: &crate::annotations::Annotations,
        now: i64,
    ) -> Result<(), StoreError> {
        let group = &replacement.draft.group;
        let judged = annotations.shadows().ends(group).into_iter().filter(|(_, end)| !end.has_passed(now));
        let others = judged.map(|(text, end)| {
            let beside = (replacement.beside)(&text, end);
            (text, beside)
        });
        let Some(going) = self.going(replacement, others.collect()) else { return Ok(()) };
        let (gone, _) = self.counts(group, &going);
        annotations.admits_without(gone, group, &replacement.draft.entry.rule)?;
        self.add(&replacement.draft, Provided::NotEnforced, going);
        Ok(())
    }

    /// The texts of those that the rule makes needless; absent if one of them makes the rule so.
    fn going(&self, replacement: &Replacement, others: Vec<(String, Beside)>) -> Option<BTreeSet<String>> {
        let group = &replacement.draft.group;
        let goes = |text: &str| self.going.contains(&(group.clone(), text.to_owned()));
        if others.iter().any(|(text, beside)| *beside == Beside::Covers && !goes(text)) {
            return None;
        }
        let own = replacement.draft.entry.rule.canonical();
        let needless = others.into_iter().filter(|(_, beside)| *beside == Beside::Covered);
        Some(needless.map(|(text, _)| text).filter(|text| text != own && !goes(text)).collect())
    }

    /// How many rules of a group go, with these, and how many come.
    fn counts(&self, group: &str, going: &BTreeSet<String>) -> (usize, usize) {
        let of = |set: &BTreeSet<(String, String)>| set.iter().filter(|(name, _)| name == group).count();
        (of(&self.going).saturating_add(going.len()), of(&self.coming))
    }

    /// The rule comes before those that it replaces go, so that no check falls in between.
    fn add(&mut self, draft: &Draft, provided: Provided, going: BTreeSet<String>) {
        let Draft { group, entry, annotation } = draft;
        self.coming.insert((group.clone(), entry.rule.canonical().to_owned()));
        self.changes.push(draft.change(provided.clone()));
        for json in going {
            self.going.insert((group.clone(), json.clone()));
            self.changes.push(Change {
                group: group.clone(),
                json,
                to: None,
                by: annotation.by.clone(),
                note: annotation.note.clone(),
                undoes: None,
                provided: provided.clone(),
            });
        }
    }
}
