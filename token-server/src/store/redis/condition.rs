//! What a master tells of itself: its clock, and what it does when its memory is full.
//!
//! Ends of rules are compared with the clock of Redis, which is one for all token-servers. It is asked at each connection
//! and with each sign of life; in between it is reckoned by this machine's monotonic clock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use redis::{RedisResult, Value, cmd, from_redis_value, pipe};
use tokio::time::Instant;

use super::locate::Node;
use crate::store::{Condition, Fault};

/// What is known of the master.
#[derive(Debug)]
pub(super) struct Watch {
    accepts_eviction: bool,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The master's time in unix seconds, and when it came.
    time: Option<(i64, Instant)>,
    policy: Policy,
    emptied: u64,
}

/// What the master removes when its memory is full.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Policy {
    #[default]
    NotAsked,
    NotTold,
    Told(String),
}

impl Watch {
    pub(super) fn new(accepts_eviction: bool) -> Self {
        Self { accepts_eviction, seen: Mutex::default() }
    }

    /// Asks a master for everything. What it does not tell stays unknown.
    pub(super) async fn look(&self, node: &Node) {
        let mut connection = node.connection.clone();
        let mut questions = pipe();
        questions.cmd("TIME").cmd("INFO").ignore_errors();
        let Ok(answers) = questions.query_async::<Vec<RedisResult<Value>>>(&mut connection).await else {
            return;
        };
        let mut answers = answers.into_iter();
        self.note_time(answers.next().and_then(|answer| time(answer.ok()?)));
        let info = answers.next().and_then(|answer| from_redis_value::<String>(answer.ok()?).ok());
        let policy = match info.as_deref().and_then(issuer_policy) {
            Some(policy) => Some(policy.to_owned()),
            None => configured_policy(node).await,
        };
        self.note_policy(policy.map_or(Policy::NotTold, Policy::Told));
    }

    /// Asks a master for its time.
    pub(super) async fn look_at_clock(&self, node: &Node) {
        let told = cmd("TIME").query_async(&mut node.connection.clone()).await;
        self.note_time(told.ok().and_then(time));
    }

    /// The time by the master's clock, unix seconds.
    pub(super) fn now(&self) -> Option<i64> {
        let (seconds, at) = self.lock().time?;
        Some(seconds.saturating_add(i64::try_from(at.elapsed().as_secs()).unwrap_or(i64::MAX)))
    }

    /// The store was found without what it had.
    pub(super) fn note_emptied(&self) {
        let mut seen = self.lock();
        seen.emptied = seen.emptied.saturating_add(1);
    }

    pub(super) fn condition(&self) -> Condition {
        let seen = self.lock();
        let fault = match &seen.policy {
            Policy::Told(policy) if !self.accepts_eviction && evicts_rules(policy) => {
                Some(Fault::Evicts { policy: policy.clone() })
            }
            Policy::Told(_) | Policy::NotTold | Policy::NotAsked => None,
        };
        Condition { fault, emptied: seen.emptied }
    }

    fn note_time(&self, seconds: Option<i64>) {
        if let Some(seconds) = seconds {
            self.lock().time = Some((seconds, Instant::now()));
        }
    }

    fn note_policy(&self, policy: Policy) {
        let before = std::mem::replace(&mut self.lock().policy, policy.clone());
        if before == policy {
            return;
        }
        match policy {
            Policy::NotTold => tracing::warn!(
                "Redis does not tell its maxmemory-policy, so it is not known whether it removes rules when its memory \
                 is full; allow INFO or CONFIG GET to this user"
            ),
            Policy::Told(policy) if evicts_rules(&policy) && self.accepts_eviction => {
                tracing::warn!(policy, "Redis may remove rules when its memory is full, as was accepted");
            }
            Policy::Told(_) | Policy::NotAsked => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rules have no time to live, so that what removes only keys that have one leaves them alone.
fn evicts_rules(policy: &str) -> bool {
    policy != "noeviction" && !policy.starts_with("volatile-")
}

/// Seconds and microseconds, as TIME answers.
fn time(answer: Value) -> Option<i64> {
    from_redis_value::<(i64, i64)>(answer).ok().map(|(seconds, _)| seconds)
}

fn issuer_policy(info: &str) -> Option<&str> {
    info.lines().find_map(|line| line.strip_prefix("maxmemory_policy:")).map(str::trim)
}

async fn configured_policy(node: &Node) -> Option<String> {
    let mut question = cmd("CONFIG");
    question.arg("GET").arg("maxmemory-policy");
    let answer: Vec<String> = question.query_async(&mut node.connection.clone()).await.ok()?;
    answer.into_iter().nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_policy_that_spares_keys_without_an_end_keeps_rules() {
        for (policy, evicts) in [
            ("noeviction", false),
            ("volatile-lru", false),
            ("volatile-ttl", false),
            ("allkeys-lru", true),
            ("allkeys-random", true),
            ("a-policy-to-come", true),
        ] {
            assert_eq!(evicts_rules(policy), evicts, "{policy}");
            let strict = Watch::new(false);
            strict.note_policy(Policy::Told(policy.to_owned()));
            assert_eq!(strict.condition().fault.is_some(), evicts, "{policy}");
            let lenient = Watch::new(true);
            lenient.note_policy(Policy::Told(policy.to_owned()));
            assert_eq!(lenient.condition().fault, None, "{policy}");
        }
    }

    #[test]
    fn the_policy_is_found_among_what_info_tells() {
        let info = "# Memory\r\nused_memory:1\r\nmaxmemory_policy:allkeys-lru\r\n# Stats\r\n";
        assert_eq!(issuer_policy(info), Some("allkeys-lru"));
        assert_eq!(issuer_policy("# Server\r\nredis_version:7"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_masters_clock_goes_on_whatever_ours_does() {
        let watch = Watch::new(false);
        assert_eq!(watch.now(), None);
        watch.note_time(Some(1_700_000_000));
        tokio::time::advance(std::time::Duration::from_secs(5)).await;
        assert_eq!(watch.now(), Some(1_700_000_005));
        watch.note_time(None);
        assert_eq!(watch.now(), Some(1_700_000_005), "silence is no answer");
    }
}
