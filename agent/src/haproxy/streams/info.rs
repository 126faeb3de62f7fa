//! What a process of HAProxy tells of itself: the answer to `show info` (management guide, section 9.3).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::haproxy::runtime::told;

/// What is read of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Info {
    /// Its id.
    pub process: u32,
    /// What it is about to do.
    pub state: State,
    /// The longest time for which it may have run.
    pub age: Option<Duration>,
}

/// What a process is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It takes connections.
    Serves,
    /// It was replaced, and ends with its last client.
    Leaves,
    /// It was replaced, and has no client any more: what keeps it is our connection.
    HasLeft,
}

impl Info {
    /// Reads an answer; none without a process.
    pub(super) fn read(info: &str, now: SystemTime) -> Option<Self> {
        let process = told(info, "Pid")?.parse().ok()?;
        Some(Self { process, state: state(info), age: age(info, now) })
    }
}

fn state(info: &str) -> State {
    let is = |name, value| told(info, name) == Some(value);
    match (is("Stopping", "0"), is("CurrConns", "0")) {
        (true, _) => State::Serves,
        (false, false) => State::Leaves,
        (false, true) => State::HasLeft,
    }
}

/// The longest time for which the process may have run. HAProxy stands still with its machine and does not count that time; the time
/// of day may have been set. An age that is too long does no more than to take a former process for this one.
fn age(info: &str, now: SystemTime) -> Option<Duration> {
    let seconds = |name| told(info, name).and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
    let by_clock =
        seconds("Start_time_sec").and_then(|start| now.duration_since(UNIX_EPOCH).ok()?.checked_sub(start));
    let counted = seconds("Uptime_sec")?;
    // Both are whole seconds, of which one has begun.
    Some(counted.max(by_clock.unwrap_or_default()).saturating_add(Duration::from_secs(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_says_whether_it_leaves() {
        for (info, expected) in [
            ("Stopping: 0\nCurrConns: 0\n", State::Serves),
            ("Stopping: 0\nCurrConns: 7\n", State::Serves),
            ("Stopping: 1\nCurrConns: 7\n", State::Leaves),
            ("Stopping: 1\nCurrConns: 0\n", State::HasLeft),
        ] {
            assert_eq!(state(info), expected, "{info}");
        }
    }

    #[test]
    fn a_process_is_never_taken_for_younger_than_it_is() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000);
        for (what, info, expected) in [
            ("both agree", "Uptime_sec: 10\nStart_time_sec: 990\n", Some(11)),
            ("the machine slept", "Uptime_sec: 10\nStart_time_sec: 500\n", Some(501)),
            ("the clock was set back", "Uptime_sec: 10\nStart_time_sec: 2000\n", Some(11)),
            ("no clock", "Uptime_sec: 10\n", Some(11)),
            ("no age", "Start_time_sec: 990\n", None),
        ] {
            assert_eq!(age(info, now), expected.map(Duration::from_secs), "{what}");
        }
    }

    #[test]
    fn an_answer_without_a_process_is_none() {
        assert_eq!(Info::read("Name: HAProxy\nUptime_sec: 7\n", UNIX_EPOCH), None);
        assert_eq!(Info::read("Pid: 42\nStopping: 0\n", UNIX_EPOCH).unwrap().process, 42);
    }
}
