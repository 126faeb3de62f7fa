//! Work for senders that are not believed yet: any client that reaches the listener can ask for it.
//!
//! It is done by one thread, apart from those that answer checks. What came to nothing is paid for by a pause, so that a flood of
//! forged messages gets a tenth of a processor at most. Who waits is let in by turns: a flood makes providers wait, and keeps
//! none of them out.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// Pause for each second of work that came to nothing.
const PAUSE: u32 = 9;

/// Pauses below the resolution of timers are gathered up to this.
const LEAST_PAUSE: Duration = Duration::from_millis(10);

/// Messages that wait; with one request on each connection there are fewer.
const MAX_WAITING: usize = 1_024;

/// Where such work is done.
pub(super) struct Strangers {
    waiting: Semaphore,
    turn: Semaphore,
    owed: Mutex<Duration>,
}

/// Too many wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Crowded;

impl Default for Strangers {
    fn default() -> Self {
        Self { waiting: Semaphore::new(MAX_WAITING), turn: Semaphore::new(1), owed: Mutex::default() }
    }
}

impl Strangers {
    /// Does `work` in its turn.
    ///
    /// # Errors
    /// Too many wait, or the process is stopping.
    pub(super) async fn judge<T: Send + 'static, E: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<Result<T, E>, Crowded> {
        let _waits = self.waiting.try_acquire().map_err(|_| Crowded)?;
        let _turn = self.turn.acquire().await.map_err(|_| Crowded)?;
        let pause = std::mem::take(&mut *self.owed.lock().unwrap_or_else(PoisonError::into_inner));
        if pause >= LEAST_PAUSE {
            tokio::time::sleep(pause).await;
        } else {
            self.owe(pause);
        }
        let working = tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            (work(), began.elapsed())
        });
        let (outcome, took) = working.await.map_err(|_| Crowded)?;
        if outcome.is_err() {
            self.owe(took.saturating_mul(PAUSE));
        }
        Ok(outcome)
    }

    fn owe(&self, pause: Duration) {
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        *owed = owed.saturating_add(pause);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// How long a judgement takes by the clock of timers, which stands still but for pauses.
    async fn paused(strangers: &Strangers, outcome: Result<(), ()>) -> Duration {
        let began = tokio::time::Instant::now();
        let work = move || {
            std::thread::sleep(Duration::from_millis(2));
            outcome
        };
        assert_eq!(strangers.judge(work).await, Ok(outcome));
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_to_nothing_is_paid_for_by_a_pause_and_what_is_good_costs_none() {
        let strangers = Strangers::default();
        assert_eq!(paused(&strangers, Ok(())).await, Duration::ZERO);
        assert_eq!(paused(&strangers, Err(())).await, Duration::ZERO, "the next one pays");
        assert!(paused(&strangers, Ok(())).await >= Duration::from_millis(18));
        assert_eq!(paused(&strangers, Ok(())).await, Duration::ZERO, "it is paid once");
    }

    #[tokio::test]
    async fn one_is_judged_at_a_time_and_none_is_left_out() {
        let (strangers, at_work) = (Arc::new(Strangers::default()), Arc::new(AtomicUsize::new(0)));
        let judged: Vec<_> = (0..100)
            .map(|number| {
                let (strangers, at_work) = (Arc::clone(&strangers), Arc::clone(&at_work));
                tokio::spawn(async move {
                    let work = move || {
                        let others = at_work.fetch_add(1, Ordering::SeqCst);
                        std::thread::yield_now();
                        at_work.fetch_sub(1, Ordering::SeqCst);
                        if others == 0 { Ok::<_, usize>(number) } else { Err(others) }
                    };
                    strangers.judge(work).await
                })
            })
            .collect();
        for (number, judged) in judged.into_iter().enumerate() {
            assert_eq!(judged.await.unwrap(), Ok(Ok(number)));
        }
    }

    #[tokio::test]
    async fn work_that_panics_is_no_answer_and_stops_no_other() {
        let strangers = Strangers::default();
        assert_eq!(strangers.judge(|| -> Result<(), ()> { panic!("the work") }).await, Err(Crowded));
        assert_eq!(strangers.judge(|| Ok::<_, ()>(7)).await, Ok(Ok(7)));
    }
}
