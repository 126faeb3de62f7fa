//! Verdicts that are being found. Whoever asks the same question meanwhile waits for the one who finds it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{Kept, Key};

type Verdict = Option<Arc<Kept>>;

/// The verdicts that are being found, each by one request.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<Key, watch::Receiver<Verdict>>>);

/// Who finds the verdict.
pub enum Boarding<'a> {
    /// The caller, and others may wait for it.
    Fly(Flight<'a>),
    /// Somebody else.
    Join(Landing),
    /// The caller, for itself.
    Walk,
}

/// The caller's turn to find a verdict. When it is dropped without one, the next who asks has his turn.
pub struct Flight<'a> {
    flights: &'a Flights,
    key: Key,
    verdict: watch::Sender<Verdict>,
}

/// A verdict that somebody else is finding.
pub struct Landing(watch::Receiver<Verdict>);

impl Flights {
    pub(super) fn board(&self, key: Key) -> Boarding<'_> {
        match self.lock().entry(key) {
            Entry::Occupied(flight) => Boarding::Join(Landing(flight.get().clone())),
            Entry::Vacant(place) => {
                let (verdict, landing) = watch::channel(None);
                place.insert(landing);
                Boarding::Fly(Flight { flights: self, key, verdict })
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, watch::Receiver<Verdict>>> {
        // The map is whole after each call, so a panic elsewhere leaves nothing half done in it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight<'_> {
    /// Gives the verdict, kept or not, to all who wait for it.
    pub fn land(self, verdict: &Arc<Kept>) {
        self.verdict.send_replace(Some(Arc::clone(verdict)));
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.key);
    }
}

impl Landing {
    /// The verdict; nothing if whoever was finding it gave up.
    pub async fn verdict(mut self) -> Option<Arc<Kept>> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}
