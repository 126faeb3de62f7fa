//! The lane for decryption under private keys.
//!
//! Every client that knows a public key can make such tokens, good for nothing, and each costs up to some milliseconds of
//! processor time. So they have threads of their own, fewer than the processors, and few of them wait: the rest is answered
//! `overloaded`. Checks of payloads, tokens under shared secrets and the feed go on beside them.

use std::sync::Arc;
use std::thread::available_parallelism;

use jose::Reject;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::Semaphore;

/// Tokens that may be in the lane for each of its threads. RSA with 4096 bits takes 1.5 ms, so that the last of them is
/// opened in time for an agent, which waits 80 ms.
pub(crate) const PLACES_PER_THREAD: usize = 40;

/// Where tokens are opened with private keys. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    places: Arc<Semaphore>,
    threads: Arc<Semaphore>,
    /// Shows how many tokens are in it.
    taken: Gauge,
}

/// A token is in the lane until this is dropped.
struct Taken(Gauge);

impl Lane {
    /// A lane of half the processors.
    pub(crate) fn new(taken: Gauge) -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        Self::of_threads((processors / 2).max(1), taken)
    }

    /// A lane of so many threads.
    pub(crate) fn of_threads(threads: usize, taken: Gauge) -> Self {
        let places = Semaphore::new(threads.saturating_mul(PLACES_PER_THREAD));
        Self { places: Arc::new(places), threads: Arc::new(Semaphore::new(threads)), taken }
    }

    /// Does `work` in its turn.
    ///
    /// # Errors
    /// [`Reject::Overloaded`] if too many wait already.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Reject> + Send + 'static,
    ) -> Result<T, Reject> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Reject::Overloaded)?;
        let taken = Taken::new(&self.taken);
        let thread = Arc::clone(&self.threads).acquire_owned().await.map_err(|_| Reject::Overloaded)?;
        // The request may be gone meanwhile; the place is taken until the work is done.
        let working = tokio::task::spawn_blocking(move || {
            let _held = (place, thread, taken);
            work()
        });
        working.await.unwrap_or(Err(Reject::Decryption))
    }

    /// Takes every thread until the result is dropped.
    #[cfg(test)]
    pub(crate) fn hold(&self) -> tokio::sync::OwnedSemaphorePermit {
        let all = u32::try_from(self.threads.available_permits()).unwrap();
        Arc::clone(&self.threads).try_acquire_many_owned(all).unwrap()
    }
}

impl Taken {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_is_bounded_and_gives_its_place_back_done_or_not() {
        let gauge = Gauge::default();
        let lane = Lane::of_threads(1, gauge.clone());
        let held = lane.hold();
        let waiting: Vec<_> = (0..PLACES_PER_THREAD)
            .map(|number| {
                let lane = lane.clone();
                tokio::spawn(async move { lane.run(move || Ok(number)).await })
            })
            .collect();
        while lane.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(usize::try_from(gauge.get()), Ok(PLACES_PER_THREAD));
        assert_eq!(lane.run(|| Ok(0)).await, Err(Reject::Overloaded));
        waiting[0].abort();
        while lane.places.available_permits() == 0 {
            tokio::task::yield_now().await;
        }
        drop(held);
        assert_eq!(lane.run(|| Ok(7)).await, Ok(7), "the place of one that is gone");
        for (number, waiting) in waiting.into_iter().enumerate().skip(1) {
            assert_eq!(waiting.await.unwrap(), Ok(number));
        }
        assert_eq!(lane.run(|| -> Result<(), _> { panic!("the work") }).await, Err(Reject::Decryption));
        assert_eq!((gauge.get(), lane.places.available_permits()), (0, PLACES_PER_THREAD));
    }
}
