//! When readers are told: of a change after silence at once. While changes come faster than all readers can be told, those of
//! some milliseconds are gathered, since what is told costs readers times answers.
//!
//! Each telling closes the gate for as long as its answers take at [`ANSWERS_PER_SECOND`]; what changes meanwhile is told
//! together when the gate opens. So few readers are never kept waiting, and each reader waits for no longer than the answers to
//! the others take. The gate delays nothing else: an answer that is written meanwhile, for whatever reason, tells all changes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::TaskTracker;

/// Answers that all readers together get in a second, while changes come faster. So many take about half a processor, and a
/// thousand readers are told every 40 ms.
pub(super) const ANSWERS_PER_SECOND: u32 = 25_000;

/// A gate that would be closed for less is not closed: timers are no finer.
const SHORTEST: Duration = Duration::from_millis(1);

/// The gate is never closed longer, however many readers there are: a listener has places for 4,096.
pub(super) const LONGEST: Duration = Duration::from_millis(100);

/// Groups that one answer names; a reader that is further behind gets everything.
pub(super) const MAX_ANSWER: usize = 1_000;

/// Names that are told at once: with as many more an answer could not name them, and readers would drop all verdicts.
pub(super) const FULL: usize = MAX_ANSWER / 2;

/// What readers were told of, and the gate before what follows.
#[derive(Debug)]
pub(super) struct Telling {
    told: watch::Sender<u64>,
    gate: Mutex<Gate>,
}

#[derive(Debug)]
struct Gate {
    /// The number of the last change, told or not.
    latest: u64,
    /// Names that have changed since readers were told.
    names: usize,
    closed_until: Option<Instant>,
    /// Whether a task waits for it to open.
    is_waited_for: bool,
}

impl Telling {
    /// All up to `revision` has been told.
    pub(super) fn new(revision: u64) -> Self {
        let gate = Gate { latest: revision, names: 0, closed_until: None, is_waited_for: false };
        Self { told: watch::Sender::new(revision), gate: Mutex::new(gate) }
    }

    /// Ends once something after `revision` is told.
    pub(super) async fn passes(&self, revision: u64) {
        let mut told = self.told.subscribe();
        // The sender lives as long as this.
        told.wait_for(|told| *told > revision).await.ok();
    }

    /// A change of so many names has this number. Readers are told at once, or when the gate opens, by a task in `tasks`.
    pub(super) fn changed(self: &Arc<Self>, revision: u64, names: usize, tasks: &TaskTracker) {
        let now = Instant::now();
        let mut gate = self.lock();
        gate.latest = gate.latest.max(revision);
        gate.names = gate.names.saturating_add(names);
        let closed_until = gate.closed_until.filter(|until| now < *until && gate.names < FULL);
        // Without a runtime there is nothing to wait with, and no reader either.
        match closed_until.zip(Handle::try_current().ok()) {
            None => self.tell(&mut gate, now),
            Some(_) if gate.is_waited_for => {}
            Some((until, runtime)) => {
                gate.is_waited_for = true;
                tasks.spawn_on(Arc::clone(self).open(until), &runtime);
            }
        }
    }

    /// Readers who wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.told.receiver_count()
    }

    async fn open(self: Arc<Self>, at: Instant) {
        sleep_until(at).await;
        let mut gate = self.lock();
        gate.is_waited_for = false;
        self.tell(&mut gate, Instant::now());
    }

    fn tell(&self, gate: &mut Gate, now: Instant) {
        gate.names = 0;
        let readers = u32::try_from(self.told.receiver_count()).unwrap_or(u32::MAX);
        let news = self.told.send_if_modified(|told| {
            let news = *told < gate.latest;
            *told = gate.latest.max(*told);
            news
        });
        if news {
            let busy = (Duration::from_secs(1) / ANSWERS_PER_SECOND).saturating_mul(readers).min(LONGEST);
            gate.closed_until = (busy >= SHORTEST).then(|| now + busy);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
