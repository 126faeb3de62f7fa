//! How the tokens of a stream are fetched (RFC 8936), instead of being pushed.

use std::ops::RangeInclusive;
use std::time::Duration;

use reqwest::Url;
use service::settings::Settings;

use super::asking;

/// Between two questions, seconds.
pub(in crate::config) const INTERVALS: RangeInclusive<u64> = 1..=3_600;

const DEFAULT_INTERVAL: u64 = 10;

/// How tokens are fetched.
#[derive(Debug, Clone)]
pub struct Poll {
    /// `poll_url`
    pub url: Url,
    /// `poll_interval`
    pub interval: Duration,
}

/// Reads `poll_url` and `poll_interval`; absent without `poll_url`.
pub(super) fn read(table: &mut Settings) -> Option<Poll> {
    let url = asking::url(table, "poll_url");
    let interval = crate::config::signals::within(table, "poll_interval", "seconds", INTERVALS);
    if table.is_set("poll_interval") && !table.is_set("poll_url") {
        table.fault("poll_interval", "has no effect without poll_url");
    }
    Some(Poll { url: url?, interval: Duration::from_secs(interval.unwrap_or(DEFAULT_INTERVAL)) })
}
