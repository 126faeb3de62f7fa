//! What a batch of changes comes to in Redis: the commands, by the keys that they are about.

use std::collections::{BTreeMap, BTreeSet};

use redis::{Cmd, Pipeline, cmd, pipe};

use super::Keys;
use super::annotations::field;
use crate::store::annotations::Mode;
use crate::store::{Batch, Change, Entry, EntryId, Outcome, Record, Standing, Unmade};

/// A rule: its group and its text.
pub(super) type Name = (String, String);

/// How rules stand in Redis.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Those that are there.
    pub(super) standing: BTreeMap<Name, Standing>,
    /// Those that have a field among the rules on trial, whatever else they have.
    pub(super) tried: BTreeSet<Name>,
}

/// How the rules of a group are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removal {
    /// Each by its text.
    Each,
    /// All members of the sorted set, those that are no text too.
    Members,
    /// The key with whatever stands there.
    Key,
}

/// The commands that make a batch of changes.
pub(super) struct Plan {
    /// What came of each change; those that are to be made have no place in the trail yet.
    outcomes: Vec<Result<Record, Unmade>>,
    /// For each key its commands: first those of rules, then those of rules on trial, then notes.
    pieces: Vec<Piece>,
    entries: Vec<Cmd>,
    /// Whether it makes nothing that was not there.
    pub(super) only_removes: bool,
}

/// The commands on one key.
struct Piece {
    commands: Vec<Cmd>,
    /// Whether it tells of rules alone, and decides nothing.
    is_note: bool,
}

#[derive(Default)]
struct Commands {
    rules: BTreeMap<String, Vec<Cmd>>,
    notes: BTreeMap<String, Vec<Cmd>>,
    shadows: Vec<Cmd>,
    entries: Vec<Cmd>,
}

impl Plan {
    pub(super) fn new(keys: &Keys, batch: &Batch, mut seen: Seen, removal: Removal) -> Self {
        let mut commands = Commands::default();
        let mut outcomes = Vec::with_capacity(batch.changes.len());
        let mut only_removes = true;
        for change in &batch.changes {
            let name = (change.group.clone(), change.json.clone());
            let record = change.record(batch, seen.standing.get(&name).cloned());
            if let Ok(record) = &record {
                only_removes &= change.to.is_none();
                commands.add(keys, change, record, seen.tried.contains(&name), removal);
                match &change.to {
                    Some(to) => _ = seen.standing.insert(name.clone(), to.clone()),
                    None => _ = seen.standing.remove(&name),
                }
                if change.to.as_ref().is_some_and(|to| to.mode == Mode::Shadow) {
                    seen.tried.insert(name);
                } else {
                    seen.tried.remove(&name);
                }
            }
            outcomes.push(record);
        }
        let Commands { rules, notes, shadows, entries } = commands;
        let mut pieces = Vec::new();
        for (group, mut commands) in rules {
            commands.push(command("PUBLISH", [keys.changed().as_str(), &group]));
            pieces.push(Piece { commands, is_note: false });
        }
        if !shadows.is_empty() {
            let told = command("PUBLISH", [keys.shadows_changed().as_str(), ""]);
            pieces.push(Piece { commands: shadows.into_iter().chain([told]).collect(), is_note: false });
        }
        pieces.extend(notes.into_values().map(|commands| Piece { commands, is_note: true }));
        Self { outcomes, pieces, entries, only_removes }
    }

    /// Whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All of it, as one transaction that answers the places of the entries.
    pub(super) fn whole(&self) -> Pipeline {
        let mut whole = self.entries();
        for command in self.pieces.iter().flat_map(|piece| &piece.commands) {
            whole.add_command(command.clone()).ignore();
        }
        whole.atomic();
        whole
    }

    /// The commands on each key by themselves, and whether they only tell of rules.
    pub(super) fn pieces(&self) -> impl Iterator<Item = (Pipeline, bool)> {
        self.pieces.iter().map(|piece| {
            let mut pipeline = pipe();
            for command in &piece.commands {
                pipeline.add_command(command.clone()).ignore();
            }
            (pipeline, piece.is_note)
        })
    }

    /// Those that write the trail.
    pub(super) fn entries(&self) -> Pipeline {
        let mut entries = pipe();
        for entry in &self.entries {
            entries.add_command(entry.clone());
        }
        entries
    }

    /// What came of each change, with the places that the trail gave.
    pub(super) fn outcomes(self, places: Vec<String>) -> Vec<Outcome> {
        let mut places = places.into_iter();
        let outcome = |planned: Result<Record, Unmade>| match planned {
            Err(unmade) => unmade.into(),
            Ok(record) => match places.next().as_deref().and_then(place) {
                Some(id) => Outcome::Made(Entry { id, record }),
                None => Outcome::Untold(record),
            },
        };
        self.outcomes.into_iter().map(outcome).collect()
    }
}

impl Commands {
    fn add(&mut self, keys: &Keys, change: &Change, record: &Record, tried: bool, removal: Removal) {
        let Change { group, json, to, .. } = change;
        let (rules, notes, shadows) = (keys.rules(group), keys.notes(group), keys.shadows());
        let enforced = to.as_ref().filter(|to| to.is_enforced());
        let was_enforced = record.before.as_ref().is_some_and(Standing::is_enforced);
        if let Some(enforced) = enforced {
            let add = command("ZADD", [&rules, &enforced.expire_at.to_string(), json]);
            self.rules.entry(group.clone()).or_default().push(add);
        } else if was_enforced {
            let of_group = self.rules.entry(group.clone()).or_default();
            match removal {
                Removal::Each => of_group.push(command("ZREM", [&rules, json])),
                Removal::Members if of_group.is_empty() => {
                    of_group.push(command("ZREMRANGEBYRANK", [rules.as_str(), "0", "-1"]));
                }
                Removal::Key if of_group.is_empty() => of_group.push(command("DEL", [&rules])),
                Removal::Members | Removal::Key => {}
            }
        }
        let of_group = self.notes.entry(group.clone()).or_default();
        let annotation = to.as_ref().and_then(Standing::annotation);
        match (&annotation, enforced, removal) {
            (Some(annotation), Some(_), _) => {
                of_group.push(command("HSET", [&notes, json, &annotation.to_json()]));
            }
            (_, _, Removal::Each) => of_group.push(command("HDEL", [&notes, json])),
            (_, _, Removal::Members | Removal::Key) if of_group.is_empty() => {
                of_group.push(command("DEL", [&notes]));
            }
            (_, _, Removal::Members | Removal::Key) => {}
        }
        match annotation.filter(|annotation| annotation.mode == Mode::Shadow) {
            Some(trial) => {
                self.shadows.push(command("HSET", [&shadows, &field(group, json), &trial.to_json()]));
            }
            None if tried => self.shadows.push(command("HDEL", [&shadows, &field(group, json)])),
            None => {}
        }
        self.entries.push(command("XADD", [&keys.audit(), "*", "entry", &record.to_json()]));
    }
}

fn command<const N: usize>(name: &str, arguments: [impl redis::ToRedisArgs; N]) -> Cmd {
    let mut command = cmd(name);
    for argument in arguments {
        command.arg(argument);
    }
    command
}

/// A place as Redis writes it: milliseconds and number, in decimal.
pub(super) fn place(text: &str) -> Option<EntryId> {
    let (at, number) = text.split_once('-')?;
    Some(EntryId { at: at.parse().ok()?, number: number.parse().ok()? })
}
