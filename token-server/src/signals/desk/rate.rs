//! How many messages each sender may send. It is counted once a sender is believed, so that no other can use up its share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use service::rate::Bucket;
use tokio::time::Instant;

use super::super::told::Kind;

/// As many tokens flow into each sender's bucket in a second as it holds.
pub(super) struct Rates {
    per_second: AtomicU32,
    /// By kind: who may send one cannot use up what is there for another, such as a user's revoked token for a provider's logouts.
    buckets: Mutex<HashMap<(Kind, Arc<str>), Bucket>>,
}

impl Rates {
    pub(super) fn new(per_second: u32) -> Self {
        Self { per_second: per_second.into(), buckets: Mutex::default() }
    }

    pub(super) fn set(&self, per_second: u32) {
        self.per_second.store(per_second, Ordering::Relaxed);
    }

    /// Takes one message's share of this sender.
    ///
    /// # Errors
    /// There is none; after this time there is.
    pub(super) fn take(&self, kind: Kind, sender: &Arc<str>, now: Instant) -> Result<(), Duration> {
        let per_second = self.per_second.load(Ordering::Relaxed);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        // Senders are those of the configuration, of which there are few.
        let bucket =
            buckets.entry((kind, Arc::clone(sender))).or_insert_with(|| Bucket::full(per_second, now));
        bucket.take(per_second, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_gets_its_share_of_each_second_and_takes_none_of_another() {
        let (start, rates) = (Instant::now(), Rates::new(2));
        let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        for (sender, at, expected) in [
            (&one, 0, Ok(())),
            (&one, 0, Ok(())),
            (&one, 0, Err(500)),
            (&one, 400, Err(100)),
            (&other, 400, Ok(())),
            (&one, 500, Ok(())),
            (&one, 501, Err(499)),
            (&one, 9_000, Ok(())),
            (&one, 9_000, Ok(())),
            (&one, 9_000, Err(500)),
        ] {
            let taken = rates.take(Kind::Logout, sender, after(at));
            assert_eq!(taken, expected.map_err(Duration::from_millis), "{sender} at {at}");
        }
        assert_eq!(rates.take(Kind::Revoke, &one, after(9_000)), Ok(()), "of another kind");
        rates.set(1_000);
        assert_eq!(rates.take(Kind::Logout, &one, after(9_001)), Ok(()));
    }
}
