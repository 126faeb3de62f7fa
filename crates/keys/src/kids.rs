//! What is known of keys that are fetched one by one: those at hand, those that are nowhere, those that tokens ask for.
//!
//! Pure: the moments are arguments.

use std::time::Duration;

use jose::{KeySet, Uuid};
use tokio::time::Instant;

/// Keys of one source; the one that was fetched first goes. A load balancer has one or two.
const MAX_KEYS: usize = 16;

/// For so long a `kid` without a key is not asked for again.
const ABSENT_FOR: Duration = Duration::from_secs(10);

/// What a ring knows of the keys of one such source.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kids {
    /// The oldest first.
    held: Vec<(Uuid, KeySet)>,
    /// What had no key, and when that was found.
    absent: Vec<(Uuid, Instant)>,
    /// What tokens ask for.
    wanted: Vec<Uuid>,
    /// What is being fetched for them.
    loading: Vec<Uuid>,
}

/// What can be said of a `kid` without a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// Its key is there, or is known to be nowhere.
    Answered,
    /// It is being fetched, or will be.
    Coming,
    /// It was not asked for yet, and there is room to.
    Unasked,
    /// It was not asked for yet, and cannot be now.
    Crowded,
}

impl Kids {
    /// What one of that configuration begins with in another.
    pub(crate) fn heir(&self) -> Self {
        Self { held: self.held.clone(), ..Self::default() }
    }

    pub(crate) fn look_up(&mut self, kid: Uuid, now: Instant) -> Known {
        self.absent.retain(|(_, at)| now.saturating_duration_since(*at) < ABSENT_FOR);
        let is_held = self.held.iter().any(|(held, _)| *held == kid);
        if is_held || self.absent.iter().any(|(absent, _)| *absent == kid) {
            Known::Answered
        } else if self.wanted.contains(&kid) || self.loading.contains(&kid) {
            Known::Coming
        } else if self.wanted.len() < MAX_KEYS && self.absent.len() < MAX_KEYS {
            Known::Unasked
        } else {
            Known::Crowded
        }
    }

    pub(crate) fn want(&mut self, kid: Uuid) {
        self.wanted.push(kid);
    }

    pub(crate) fn is_wanted(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// What is to be fetched now: what tokens ask for, and where it is `due` again, what is held.
    pub(crate) fn begin(&mut self, due: bool) -> Vec<Uuid> {
        self.loading = std::mem::take(&mut self.wanted);
        let held = self.held.iter().map(|(kid, _)| *kid).filter(|_| due);
        self.loading.iter().copied().chain(held).collect()
    }

    /// Takes over what was found; whether the keys are others now.
    pub(crate) fn end(&mut self, found: Vec<(Uuid, Option<KeySet>)>, now: Instant) -> bool {
        self.loading.clear();
        let mut changed = false;
        for (kid, keys) in found {
            let place = self.held.iter().position(|(held, _)| *held == kid);
            match (place, keys) {
                (Some(_), Some(_)) => {}
                (Some(place), None) => {
                    self.held.remove(place);
                    self.absent.push((kid, now));
                    changed = true;
                }
                (None, None) => self.absent.push((kid, now)),
                (None, Some(keys)) => {
                    self.held.push((kid, keys));
                    changed = true;
                }
            }
        }
        self.held.drain(..self.held.len().saturating_sub(MAX_KEYS));
        changed
    }

    /// All keys at hand.
    pub(crate) fn keys(&self) -> KeySet {
        KeySet::merge(self.held.iter().map(|(_, keys)| keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kid(number: u32) -> Uuid {
        Uuid::parse(&format!("{number:08x}-2222-3333-4444-555555555555")).unwrap()
    }

    #[test]
    fn few_keys_are_kept_and_the_oldest_goes() {
        let mut kids = Kids::default();
        let now = Instant::now();
        for number in 0..40 {
            assert!(kids.end(vec![(kid(number), Some(KeySet::empty()))], now));
        }
        assert_eq!(kids.held.len(), MAX_KEYS);
        assert_eq!(kids.look_up(kid(39), now), Known::Answered);
        assert_eq!(kids.look_up(kid(0), now), Known::Unasked);
        kids.end(vec![(kid(0), None)], now);
        assert_eq!(kids.look_up(kid(0), now), Known::Answered);
        assert_eq!(kids.look_up(kid(0), now + ABSENT_FOR), Known::Unasked);
        (100..200).for_each(|number| {
            if kids.look_up(kid(number), now) == Known::Unasked {
                kids.want(kid(number));
            }
        });
        assert_eq!(kids.begin(false).len(), MAX_KEYS);
    }
}
