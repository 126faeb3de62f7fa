//! Numbers that a setting may be, or is.

use std::ops::RangeInclusive;

use jose::Profile;
use service::settings::Settings;

/// The range of `JWT_TIMEOUT_MS`.
pub(super) const TIMEOUT_MS: RangeInclusive<u64> = 1..=60_000;
/// The range of `JWT_CACHE_TTL` and `JWT_CACHE_TTL_MAX`, seconds: up to one day.
pub(super) const CACHE_TTL: RangeInclusive<u64> = 0..=86_400;
/// The range of `JWT_MAX_TOKEN_BYTES`; HAProxy's default buffer holds 16 KiB.
pub(super) const TOKEN_BYTES: RangeInclusive<usize> = 256..=65_536;
/// The range of `JWT_EDGE_SIZE`. Each entry takes about 500 bytes of HAProxy's memory.
pub(super) const EDGE_SIZE: RangeInclusive<usize> = 1..=1_000_000;
/// The range of `JWT_EDGE_TTL`, seconds. HAProxy's configuration takes no entry that is further ahead.
pub(super) const EDGE_TTL: RangeInclusive<u64> = 1..=60;
/// The range of `JWT_STREAMS_SIZE`.
pub(super) const STREAMS_SIZE: RangeInclusive<usize> = 0..=1_000_000;
/// The range of `JWT_STREAMS_GRACE`, seconds: up to one day.
pub(super) const STREAMS_GRACE: RangeInclusive<u64> = 1..=86_400;

/// What `JWT_MAX_TOKEN_BYTES` is where it is not set. Encrypted tokens of ms-users, with the user's metadata in them, may be
/// longer than 8 KiB, and were good in its own edge.
pub(super) fn usual_token_bytes(profile: Profile) -> usize {
    match profile {
        Profile::Standard => 8_192,
        Profile::MsUsers => 16_384,
    }
}

pub(super) fn within<T: std::str::FromStr + PartialOrd + std::fmt::Display + Copy>(
    settings: &mut Settings,
    name: &'static str,
    range: RangeInclusive<T>,
    unit: &str,
) -> Option<T> {
    let expected = format!("{unit}, {} to {}", range.start(), range.end());
    let value = settings.parse(name, &expected)?;
    if !range.contains(&value) {
        settings.fault(name, format!("expected {expected}"));
    }
    Some(value)
}
