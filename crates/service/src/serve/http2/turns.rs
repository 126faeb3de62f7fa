//! Whose turn it is on a connection: its own, as long as it has itself to thank for what there is to do.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// How often a connection goes on with what it has woken itself for, before others have their turn.
const MAX_TURNS: usize = 4;

/// Wakes a connection's task, unless it is at work: what it wakes itself for then, such as the answer that it has just made,
/// it does before it rests. The runtime would wake another thread for it, which takes the connection with it.
///
/// Each step is one change under the lock, and no code of others runs there: a wake comes before the connection rests, which
/// has another turn then, or after it, and wakes the task.
#[derive(Default)]
pub(super) struct Turns(Mutex<State>);

#[derive(Default)]
enum State {
    /// A turn goes on, and nothing has been woken since it began.
    #[default]
    Runs,
    /// Something was woken, and a turn for it is certain to come.
    Again,
    /// No turn goes on; the next wake is for this task.
    Rests(Waker),
}

impl Turns {
    /// Polls `turn` until it waits for something else than itself.
    pub(super) fn poll<T>(
        self: &Arc<Self>,
        task: &Context<'_>,
        mut turn: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let waker = Waker::from(Arc::clone(self));
        for _ in 0..MAX_TURNS {
            *self.state() = State::Runs;
            let done = turn(&mut Context::from_waker(&waker));
            if done.is_ready() || self.rests(task) {
                return done;
            }
        }
        task.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether nothing was woken, so that the connection rests.
    fn rests(&self, task: &Context<'_>) -> bool {
        let mut state = self.state();
        let rests = !matches!(*state, State::Again);
        if rests {
            *state = State::Rests(task.waker().clone());
        }
        rests
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Turns {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let before = mem::replace(&mut *self.state(), State::Again);
        if let State::Rests(task) = before {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    /// Far more than a thread waits for its share of a busy machine.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// A task that counts how often it is woken.
    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Polls a connection whose first turns are woken, each by another thread too if it is to be, and tells how many turns
    /// there were and how often the task was woken.
    fn polled(turns: &Arc<Turns>, task: &Arc<Task>, woken: usize, by_another: bool) -> usize {
        let waker = Waker::from(Arc::clone(task));
        let mut count = 0;
        let polled = turns.poll(&Context::from_waker(&waker), |context| {
            count += 1;
            if count <= woken {
                context.waker().wake_by_ref();
                if by_another {
                    let waker = context.waker().clone();
                    thread::spawn(move || waker.wake()).join().unwrap();
                }
            }
            Poll::<()>::Pending
        });
        assert!(polled.is_pending());
        count
    }

    #[test]
    fn what_a_turn_is_woken_for_is_done_in_the_next_one_and_too_much_of_it_later() {
        for by_another in [false, true] {
            for (woken, expected_turns, expected_wakes) in
                [(0, 1, 0), (1, 2, 0), (3, 4, 0), (4, 4, 1), (100, 4, 1)]
            {
                let (turns, task) = (Arc::new(Turns::default()), Arc::new(Task::default()));
                assert_eq!(polled(&turns, &task, woken, by_another), expected_turns, "{woken} woken");
                assert_eq!(task.0.load(Ordering::SeqCst), expected_wakes, "{woken} woken");
            }
        }
    }

    #[test]
    fn a_connection_that_rests_is_woken_once_until_it_has_had_its_turn() {
        let (turns, task) = (Arc::new(Turns::default()), Arc::new(Task::default()));
        for round in 1..=3 {
            polled(&turns, &task, 0, false);
            for _ in 0..3 {
                turns.wake_by_ref();
                assert_eq!(task.0.load(Ordering::SeqCst), round);
            }
        }
        // Polled for another reason: what was woken before is looked at now.
        turns.wake_by_ref();
        assert_eq!(polled(&turns, &task, 0, false), 1);
        assert_eq!(task.0.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn the_task_that_polled_last_is_the_one_that_is_woken() {
        let turns = Arc::new(Turns::default());
        let tasks = [Arc::new(Task::default()), Arc::new(Task::default())];
        tasks.iter().for_each(|task| assert_eq!(polled(&turns, task, 0, false), 1));
        turns.wake_by_ref();
        assert_eq!(tasks.map(|task| task.0.load(Ordering::SeqCst)), [0, 1]);
    }

    #[test]
    fn what_ends_says_so_at_once_also_if_it_was_woken() {
        let turns = Arc::new(Turns::default());
        let mut count = 0;
        let polled = turns.poll(&Context::from_waker(Waker::noop()), |context| {
            context.waker().wake_by_ref();
            count += 1;
            Poll::Ready(())
        });
        assert!(polled.is_ready() && count == 1, "{count} turns");
    }

    /// A task that is run by a thread, which sleeps until it is woken.
    struct Parked {
        thread: thread::Thread,
        woken: AtomicBool,
    }

    impl Wake for Parked {
        fn wake(self: Arc<Self>) {
            self.woken.store(true, Ordering::SeqCst);
            self.thread.unpark();
        }
    }

    impl Parked {
        /// Sleeps until it is woken; tells whether that happened within [`PATIENCE`].
        fn sleep(&self) -> bool {
            let until = Instant::now() + PATIENCE;
            loop {
                if self.woken.swap(false, Ordering::SeqCst) {
                    return true;
                }
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return false;
                }
                thread::park_timeout(left);
            }
        }
    }

    #[test]
    fn no_wake_of_another_thread_is_lost_at_whatever_moment_it_comes() {
        const ROUNDS: usize = 20_000;
        let turns = Arc::new(Turns::default());
        let told = Arc::new(AtomicUsize::new(0));
        let heard = Arc::new(AtomicUsize::new(0));
        let teller = {
            let (turns, told, heard) = (Arc::clone(&turns), Arc::clone(&told), Arc::clone(&heard));
            thread::spawn(move || {
                for round in 1..=ROUNDS {
                    told.store(round, Ordering::SeqCst);
                    turns.wake_by_ref();
                    while heard.load(Ordering::SeqCst) < round {
                        thread::yield_now();
                    }
                }
            })
        };
        let task = Arc::new(Parked { thread: thread::current(), woken: AtomicBool::new(false) });
        let waker = Waker::from(Arc::clone(&task));
        let lost = loop {
            let polled = turns.poll(&Context::from_waker(&waker), |_| {
                let round = told.load(Ordering::SeqCst);
                heard.store(round, Ordering::SeqCst);
                // The next wake may come while this turn goes on, or while the connection goes to rest.
                if round.is_multiple_of(2) {
                    thread::yield_now();
                }
                if round == ROUNDS { Poll::Ready(()) } else { Poll::Pending }
            });
            if polled.is_ready() {
                break None;
            }
            if !task.sleep() {
                // Lets the other thread end as well.
                break Some(heard.swap(ROUNDS, Ordering::SeqCst));
            }
        };
        teller.join().unwrap();
        assert_eq!(lost, None, "the wake after this round was lost");
    }
}
