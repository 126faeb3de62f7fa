//! Whether what HAProxy does not show is not there.
//!
//! HAProxy counts each question `show sess`, of whatever connection, and writes the count on the stream that the connection is, and on
//! each stream that opens (`epoch`). Its answer ends at the first stream with a later count than the question, as all that follow are
//! younger. A connection to the stats socket that asks meanwhile is not younger and has a later count: the answer to the question before
//! ends there, be it a list or the search for one stream (seen with 2.6 to 3.4). So a stream that is shown is there, and one that is not
//! may be there still, unless no other connection has asked in between.
//!
//! That is told by the count itself: it grows by as much as we have asked, if no other connection did. Else it is asked again after a time that
//! is another one for each who asks: two agents of one HAProxy hear of a rule in the same moment.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::list::Pointer;

/// The unit of a pause after a question that was disturbed: it takes less.
pub(super) const DISTURBED: Duration = Duration::from_millis(1);

/// Our connections to a process ask one after the other.
pub(super) type Turn = Arc<Mutex<Asked>>;

/// What they have asked.
#[derive(Debug, Default)]
pub(super) struct Asked {
    count: u32,
    /// The stream that the connection is by which streams are ended.
    pub ends: Option<Pointer>,
}

/// What others had asked at a moment. Where it is the same at another moment, no other connection has asked in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Others(u32);

impl Asked {
    /// One of us asks once more. The count of all questions of ours.
    pub(super) const fn ask(&mut self) -> u32 {
        self.count = self.count.wrapping_add(1);
        self.count
    }

    /// Of all questions of ours.
    pub(super) const fn count(&self) -> u32 {
        self.count
    }
}

impl Others {
    /// Of HAProxy's count at a question, and ours.
    pub(super) const fn new(epoch: u32, count: u32) -> Self {
        Self(epoch.wrapping_sub(count))
    }
}

/// Whether it is known that no other connection has asked between two moments.
pub(super) fn is_alone(before: Option<Others>, after: Option<Others>) -> bool {
    before.is_some() && before == after
}

/// How long to wait before it is asked again what others have disturbed: nothing, or up to seven times this.
pub(super) fn some_time(unit: Duration) -> Duration {
    let random = RandomState::new().hash_one(0_u8) % 8;
    unit.saturating_mul(u32::try_from(random).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn those_who_disturb_each_other_do_not_ask_together_again() {
        let times: BTreeSet<_> =
            (0..1_000).map(|_| some_time(Duration::from_millis(1)).as_millis()).collect();
        assert_eq!(times, (0..8).collect());
    }

    #[test]
    fn others_have_asked_where_the_count_grows_by_more_than_we_did() {
        let mut asked = Asked::default();
        let at = |epoch, asked: &mut Asked| Some(Others::new(epoch, asked.ask()));
        let first = at(u32::MAX, &mut asked);
        assert!(is_alone(first, at(0, &mut asked)), "the count begins anew");
        let before = at(1, &mut asked);
        assert!(is_alone(first, before));
        assert!(!is_alone(before, at(3, &mut asked)), "another one has asked");
        assert!(!is_alone(None, None), "nothing is known");
    }
}
