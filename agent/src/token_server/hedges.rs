//! How many checks may be asked a second time before the first server has answered: a share of all, so that servers
//! that are slow because they are overloaded do not get twice the work.

use std::sync::atomic::{AtomicU32, Ordering};

/// Checks that pay for one hedge.
const PRICE: u32 = 10;
/// What can be saved: a server that stands still is found out within fewer.
const MOST: u32 = 100 * PRICE;

/// The savings, which every check adds to.
#[derive(Debug)]
pub struct Hedges(AtomicU32);

impl Default for Hedges {
    fn default() -> Self {
        Self(AtomicU32::new(MOST))
    }
}

#[allow(deprecated, reason = "its new name, try_update, is not in every Rust that this builds with")]
impl Hedges {
    /// A check was begun.
    pub fn save(&self) {
        let more = |saved: u32| (saved < MOST).then(|| saved.saturating_add(1));
        // At the most there is nothing to add.
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok();
    }

    /// Whether a check may be asked a second time; then it is paid for.
    pub fn spend(&self) -> bool {
        let less = |saved: u32| saved.checked_sub(PRICE);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_check_in_ten_may_be_hedged_and_a_burst_of_a_hundred() {
        let hedges = Hedges::default();
        hedges.save();
        let spent = |hedges: &Hedges| (0..1_000).filter(|_| hedges.spend()).count();
        assert_eq!(spent(&hedges), 100);
        (0..59).for_each(|_| hedges.save());
        assert_eq!(spent(&hedges), 5);
        hedges.save();
        assert_eq!(spent(&hedges), 1, "nothing of what was saved is lost");
    }
}
