//! Waiting for a condition, with a deadline that only a fault can reach.

use std::thread;
use std::time::{Duration, Instant};

/// Long enough for a machine with far more work than processors.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks until `look` finds something or `deadline` is over.
pub fn poll<T>(deadline: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        thread::sleep(PAUSE);
    }
}

/// Looks until `look` finds something.
///
/// # Panics
///
/// At the deadline, naming `what` never came.
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    poll(DEADLINE, look).unwrap_or_else(|| panic!("waited {DEADLINE:?} in vain: {what}"))
}
