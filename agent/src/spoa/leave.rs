//! How connections end when the agent stops: one after the other.
//!
//! What HAProxy sends at the moment when we say goodbye is lost, and it asks once more over another connection. That one
//! must not be ending as well, so each connection waits for its turn, and passes it on a little later.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use service::places::Place;
use service::shutdown::Shutdown;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

/// All connections shall have ended in this time: HAProxy marks us down after its second health check that fails, 100 ms
/// after the first, and cuts what is left then.
const WHOLE: Duration = Duration::from_millis(80);
/// The longest pause after one connection.
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// Shared by all connections of an agent.
#[derive(Debug, Clone)]
pub struct Leave {
    asked: Shutdown,
    door: Arc<Semaphore>,
    pause: Arc<OnceLock<Duration>>,
    /// The place that this connection has among all.
    place: Option<Arc<Place>>,
}

/// The right, and the duty, to end.
#[derive(Debug)]
pub struct Turn {
    pause: Duration,
    permit: Option<OwnedSemaphorePermit>,
}

impl Leave {
    /// No connection is asked to end yet.
    pub fn new() -> Self {
        Self { asked: Shutdown::new(), door: Arc::new(Semaphore::new(1)), pause: Arc::default(), place: None }
    }

    /// Asks that many connections to end, each in its turn.
    pub fn in_turn(&self, connections: usize) {
        let share = WHOLE / u32::try_from(connections).unwrap_or(u32::MAX).max(1);
        self.pause.get_or_init(|| share.min(LONGEST_PAUSE));
        self.asked.cancel();
    }

    /// Asks all connections to end at once.
    pub fn at_once(&self) {
        self.door.close();
        self.asked.cancel();
    }

    /// For a connection with this place, which has to end as well when it gives up its place to another.
    pub fn of(&self, place: Place) -> Self {
        Self { place: Some(Arc::new(place)), ..self.clone() }
    }

    /// Notes whether the connection is at work, or has been since it last said so.
    pub fn note(&self, is_working: bool, has_worked: bool) {
        let Some(place) = &self.place else { return };
        if is_working {
            place.works();
        } else if has_worked || place.is_working() {
            place.rests(Instant::now());
        }
    }

    /// Waits until the caller is to end.
    pub async fn turn(&self) -> Turn {
        let shed = async {
            match &self.place {
                Some(place) => place.shed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.asked.cancelled() => {}
            () = shed => return Turn { pause: Duration::ZERO, permit: None },
        }
        let permit = Arc::clone(&self.door).acquire_owned().await.ok();
        Turn { pause: self.pause.get().copied().unwrap_or_default(), permit }
    }
}

impl Default for Leave {
    fn default() -> Self {
        Self::new()
    }
}

impl Turn {
    /// Lets the next one end, after a pause in which HAProxy asks again what crossed our goodbye.
    pub async fn pass_on(self) {
        if self.permit.is_some() {
            sleep(self.pause).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test(start_paused = true)]
    async fn one_ends_after_the_other_until_all_are_asked_at_once() {
        let leave = Leave::new();
        assert!(leave.turn().now_or_never().is_none(), "no connection is asked yet");
        leave.in_turn(4);
        let first = leave.turn().await;
        assert!(leave.turn().now_or_never().is_none(), "it is the first one's turn");
        first.pass_on().await;
        let second = leave.turn().await;
        assert!(leave.turn().now_or_never().is_none(), "it is the second one's turn");
        leave.at_once();
        leave.turn().await.pass_on().await;
        second.pass_on().await;
    }
}
