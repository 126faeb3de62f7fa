//! Clients that ask without a pause while something happens.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::wait::eventually;

/// Answers that are waited for before, during and after an event.
const SOME: usize = 100;

/// The answers so far.
#[derive(Debug, Default)]
pub struct Asked(Mutex<BTreeMap<u16, usize>>);

impl Asked {
    /// Waits until some more requests have been answered.
    ///
    /// # Panics
    ///
    /// They are not.
    pub fn go_on(&self, what: &str) {
        let before = self.total();
        eventually(what, || (self.total() > before + SOME).then_some(()));
    }

    fn total(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }
}

/// Has `clients` threads ask while `event` happens, and for a while before and after it. Gives the number of answers of
/// each status.
///
/// # Panics
///
/// `event` does, or the requests do not go on.
pub fn during(
    clients: usize,
    ask: impl Fn() -> u16 + Sync,
    event: impl FnOnce(&Asked),
) -> BTreeMap<u16, usize> {
    let (stop, asked) = (AtomicBool::new(false), Asked::default());
    let one_client = || {
        while !stop.load(Ordering::Relaxed) {
            let status = ask();
            *asked.0.lock().unwrap_or_else(PoisonError::into_inner).entry(status).or_insert(0) += 1;
        }
    };
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(one_client);
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            asked.go_on("requests before");
            event(&asked);
            asked.go_on("requests after");
        }));
        // Also after a failure, or the clients would never end.
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = outcome {
            resume_unwind(panic);
        }
    });
    asked.0.into_inner().unwrap_or_else(PoisonError::into_inner)
}
