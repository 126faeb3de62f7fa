//! Changes of rules: how they stand is looked at, and all is written in one transaction that another writer's makes void.
//!
//! Two things keep a transaction from being made that Redis takes in pieces: a memory that is full refuses all but removals,
//! and keys of a slot that moves in a cluster may lie on two nodes. Whether tokens are refused must not hang on either.

use std::collections::BTreeSet;

use redis::{RedisError, cmd, pipe};
use tokio::sync::MutexGuard;

use super::annotations::{Text, field};
use super::link::{Link, is_misdirected, is_of_another_type, slot_moves};
use super::plan::{Plan, Removal, Seen};
use super::score::end_of;
use super::scored::Scored;
use super::transact::{Full, is_out_of_memory, live};
use super::wanted::Wanted;
use super::{Node, RedisStore};
use crate::store::annotations::{Annotation, Mode, parse};
use crate::store::{Batch, Clearing, Outcome, Standing, StoreError};

/// How often other writers may come in between.
const ATTEMPTS: usize = 64;

/// What is told in the place of rules where a key held something else.
const NO_RULES: &str = "the group's key held no rules";

/// Why an attempt made nothing.
enum Vain {
    /// Another writer came in between.
    Overtaken,
    /// The master is another one, or not ready, or did not answer before anything was written.
    Misdirected(StoreError),
    /// Keys lie on two nodes.
    SlotMoves,
    /// Not as one, but these commands can be made one after the other.
    InPieces(Plan),
    Failed(StoreError),
}

impl RedisStore {
    pub(super) async fn make(&self, wanted: Wanted) -> Result<Vec<Outcome>, StoreError> {
        let writer = self.writer.lock().await;
        let mut redirected = false;
        for _ in 0..ATTEMPTS {
            let mut node = live(&writer).await?;
            match self.attempt(&writer, &mut node, &wanted).await {
                Ok(outcomes) => return Ok(outcomes),
                Err(Vain::Overtaken) => {}
                Err(Vain::Misdirected(_)) if !redirected => redirected = true,
                Err(Vain::Misdirected(error) | Vain::Failed(error)) => return Err(error),
                Err(Vain::SlotMoves) => {
                    let (batch, seen, removal) = self.look_apart(&wanted).await?;
                    let plan = Plan::new(&self.settings.keys, &batch, seen, removal);
                    return self.make_in_pieces(&writer, plan).await;
                }
                Err(Vain::InPieces(plan)) => return self.make_in_pieces(&writer, plan).await,
            }
        }
        Err(StoreError::Overtaken)
    }

    /// Looks, and changes what was looked at unless another writer has.
    async fn attempt(
        &self,
        writer: &MutexGuard<'_, Link>,
        node: &mut Node,
        wanted: &Wanted,
    ) -> Result<Vec<Outcome>, Vain> {
        let looked = match self.look_at_rules(node, wanted, Removal::Members).await {
            Err(error) if is_of_another_type(&error) && matches!(wanted, Wanted::Clearing(_)) => {
                self.look_at_rules(node, wanted, Removal::Key).await
            }
            looked => looked,
        };
        let (batch, seen, removal) = match looked {
            Ok(looked) => looked,
            Err(error) => {
                let vain = match is_of_another_type(&error) && self.trail_is_something_else(node).await {
                    true => Vain::Failed(StoreError::NotTheTrail),
                    false => Vain::of_a_look(error),
                };
                // What is watched is watched until then.
                writer.give_up(node).await;
                return Err(vain);
            }
        };
        let plan = Plan::new(&self.settings.keys, &batch, seen, removal);
        if plan.is_empty() {
            if cmd("UNWATCH").exec_async(&mut node.connection).await.is_err() {
                writer.give_up(node).await;
            }
            return Ok(plan.outcomes(Vec::new()));
        }
        match plan.whole().query_async::<Option<Vec<String>>>(&mut node.connection).await {
            Ok(Some(places)) => {
                self.replicated(node).await.map_err(Vain::Failed)?;
                Ok(plan.outcomes(places))
            }
            Ok(None) => Err(Vain::Overtaken),
            Err(error) => {
                writer.give_up(node).await;
                Err(Vain::of_a_write(error, plan))
            }
        }
    }

    /// How the rules stand that are to be changed. Until the next transaction of this connection they are watched.
    async fn look_at_rules(
        &self,
        node: &mut Node,
        wanted: &Wanted,
        removal: Removal,
    ) -> Result<(Batch, Seen, Removal), RedisError> {
        let keys = &self.settings.keys;
        let groups: BTreeSet<&str> = match wanted {
            Wanted::Changes(batch) => batch.changes.iter().map(|change| change.group.as_str()).collect(),
            Wanted::Clearing(clearing) => [clearing.group.as_str()].into(),
        };
        let watched = groups.into_iter().flat_map(|group| [keys.rules(group), keys.notes(group)]);
        let mut look = pipe();
        look.cmd("WATCH").arg(watched.chain([keys.shadows()]).collect::<Vec<_>>()).ignore();
        // What could not be told of must not be done: a transaction goes on behind a command that fails.
        look.cmd("XLEN").arg(keys.audit()).ignore();
        match wanted {
            Wanted::Changes(batch) => {
                for change in &batch.changes {
                    let (group, json) = (&change.group, &change.json);
                    look.cmd("ZSCORE").arg(keys.rules(group)).arg(json);
                    look.cmd("HGET").arg(keys.notes(group)).arg(json);
                    look.cmd("HGET").arg(keys.shadows()).arg(field(group, json));
                }
                let found: Vec<Option<Text>> = look.query_async(&mut node.connection).await?;
                Ok((batch.clone(), Seen::of(batch, found), Removal::Each))
            }
            Wanted::Clearing(clearing) => {
                look.cmd("HGETALL").arg(keys.notes(&clearing.group));
                look.cmd("HGETALL").arg(keys.shadows());
                if removal == Removal::Members {
                    look.cmd("ZRANGE").arg(keys.rules(&clearing.group)).arg(0).arg(-1).arg("WITHSCORES");
                }
                let found: Vec<Vec<(Text, Text)>> = look.query_async(&mut node.connection).await?;
                let mut found = found.into_iter();
                let (notes, shadows) = (found.next().unwrap_or_default(), found.next().unwrap_or_default());
                let members = found.next().map(|members| {
                    members.into_iter().map(|(member, score)| (member, lossy(score))).collect()
                });
                let (batch, seen) = Seen::of_group(clearing, members, &notes, &shadows);
                Ok((batch, seen, removal))
            }
        }
    }

    /// Whether something else stands where the trail should.
    async fn trail_is_something_else(&self, node: &mut Node) -> bool {
        let kind =
            cmd("TYPE").arg(self.settings.keys.audit()).query_async::<String>(&mut node.connection).await;
        kind.is_ok_and(|kind| kind != "stream" && kind != "none")
    }

    /// The same, key by key and wherever each of them is.
    async fn look_apart(&self, wanted: &Wanted) -> Result<(Batch, Seen, Removal), StoreError> {
        let keys = &self.settings.keys;
        match wanted {
            Wanted::Changes(batch) => {
                let mut found = Vec::new();
                for change in &batch.changes {
                    let (group, json) = (&change.group, &change.json);
                    let (mut score, mut note, mut trial) = (cmd("ZSCORE"), cmd("HGET"), cmd("HGET"));
                    score.arg(keys.rules(group)).arg(json);
                    note.arg(keys.notes(group)).arg(json);
                    trial.arg(keys.shadows()).arg(field(group, json));
                    for look in [score, note, trial] {
                        let ask = async move |mut node: Node| look.query_async(&mut node.connection).await;
                        found.push(self.read(ask).await?);
                    }
                }
                Ok((batch.clone(), Seen::of(batch, found), Removal::Each))
            }
            Wanted::Clearing(clearing) => {
                let notes = self.hash(keys.notes(&clearing.group)).await?;
                let shadows = self.hash(keys.shadows()).await?;
                let members = match self.range(&keys.rules(&clearing.group), 0, -1).await {
                    Err(StoreError::NotRules) => None,
                    members => Some(members?),
                };
                let removal = if members.is_some() { Removal::Members } else { Removal::Key };
                let (batch, seen) = Seen::of_group(clearing, members, &notes, &shadows);
                Ok((batch, seen, removal))
            }
        }
    }

    /// Makes changes one key after the other, the entries of the trail last. What may be lost with this process then is told,
    /// and so is what was lost.
    async fn make_in_pieces(
        &self,
        writer: &MutexGuard<'_, Link>,
        plan: Plan,
    ) -> Result<Vec<Outcome>, StoreError> {
        if plan.is_empty() {
            return Ok(plan.outcomes(Vec::new()));
        }
        let full = if plan.only_removes { Full::TakesRemovals } else { Full::Refuses };
        for (piece, is_note) in plan.pieces() {
            match self.perform::<()>(writer, piece, full).await {
                Ok(()) => {}
                Err(error) if is_note => tracing::error!(%error, "rules were changed, but not their notes"),
                Err(error) => {
                    tracing::error!("rules may have been changed, and the audit trail does not tell of it");
                    return Err(error);
                }
            }
        }
        let told = self.perform::<Vec<String>>(writer, plan.entries(), Full::Refuses).await;
        let places = told.unwrap_or_else(|error| {
            tracing::error!(%error, "rules were changed, and the audit trail does not tell of it");
            Vec::new()
        });
        Ok(plan.outcomes(places))
    }
}

impl Vain {
    /// Nothing was written.
    fn of_a_look(error: RedisError) -> Self {
        if slot_moves(&error) {
            Self::SlotMoves
        } else if forbids_the_trail(&error) {
            Self::Failed(StoreError::NoTrail)
        } else if is_of_another_type(&error) {
            Self::Failed(StoreError::NotRules)
        } else if is_misdirected(&error) || error.is_unrecoverable_error() {
            Self::Misdirected(error.into())
        } else {
            Self::Failed(error.into())
        }
    }

    fn of_a_write(error: RedisError, plan: Plan) -> Self {
        if slot_moves(&error) || (plan.only_removes && is_out_of_memory(&error)) {
            Self::InPieces(plan)
        } else if forbids_the_trail(&error) {
            Self::Failed(StoreError::NoTrail)
        } else if is_misdirected(&error) {
            Self::Misdirected(error.into())
        } else {
            Self::Failed(error.into())
        }
    }
}

impl Seen {
    /// By the score, the note and the field among the rules on trial of each rule in turn.
    fn of(batch: &Batch, found: Vec<Option<Text>>) -> Self {
        let mut seen = Self::default();
        let mut found = found.into_iter();
        for change in &batch.changes {
            let mut next = || found.next().flatten();
            let (score, note, trial) = (next(), next(), next());
            let name = (change.group.clone(), change.json.clone());
            if trial.is_some() {
                seen.tried.insert(name.clone());
            }
            let enforced = score.map(|score| end_of(&lossy(score)));
            let known = if enforced.is_some() { note } else { trial };
            seen.standing.extend(
                Standing::of(enforced, known.and_then(|known| understood(&known))).map(|so| (name, so)),
            );
        }
        seen
    }

    /// All rules of a group, and their removal. Without members, what stands there is something else.
    fn of_group(
        clearing: &Clearing,
        members: Option<Vec<Scored>>,
        notes: &[(Text, Text)],
        shadows: &[(Text, Text)],
    ) -> (Batch, Self) {
        let mut seen = Self::default();
        let name = |json: &str| (clearing.group.clone(), json.to_owned());
        for (trial, text) in shadows {
            let Ok((group, json)) = serde_json::from_slice::<(String, String)>(trial) else { continue };
            if group == clearing.group {
                seen.tried.insert(name(&json));
                let known = understood(text).filter(|known| known.mode == Mode::Shadow);
                seen.standing.extend(Standing::of(None, known).map(|so| (name(&json), so)));
            }
        }
        match members {
            None => {
                let nothing = Standing::of(Some(rules::ExpireAt::Never), None);
                seen.standing.extend(nothing.map(|so| (name(NO_RULES), so)));
            }
            Some(members) => {
                let notes: std::collections::BTreeMap<_, _> =
                    notes.iter().map(|(member, text)| (member, text)).collect();
                for (member, score) in members {
                    let known = notes.get(&member).and_then(|text| understood(text));
                    let standing = Standing::of(Some(end_of(&score)), known);
                    seen.standing.extend(standing.map(|so| (name(&lossy(member)), so)));
                }
            }
        }
        (clearing.of(seen.standing.keys().map(|(_, json)| json.clone())), seen)
    }
}

/// What is known of a rule, as it stands in a hash.
fn understood(text: &[u8]) -> Option<Annotation> {
    parse(String::new(), String::new(), text).map(|known| known.annotation)
}

fn lossy(text: Text) -> String {
    String::from_utf8_lossy(&text).into_owned()
}

/// Whether this user of Redis may write rules, and not the trail.
fn forbids_the_trail(error: &RedisError) -> bool {
    let errors = error.clone().into_server_errors();
    errors.is_some_and(|errors| {
        errors.iter().any(|(_, error)| {
            let details = error.details().unwrap_or_default();
            error.code() == "NOPERM" && ["'xadd'", "'xlen'"].iter().any(|command| details.contains(command))
        })
    })
}
