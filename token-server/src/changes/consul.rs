//! Changes as ms-users tells them: after a rule it writes a key in Consul's store.
//!
//! The keys are watched with a blocking query that ends twice a second, so that its answers are signs of life too. Their
//! values are times by the clocks of the writers; what counts is that a key was written, by Consul's own index. Consul
//! takes the same value again for no write: two rules of one group in one millisecond are one event.

use std::collections::HashMap;
use std::error::Error as _;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;
use service::shutdown::Shutdown;
use tokio::time::{Instant, sleep};

use crate::continuity::{MAX_SILENCE, Source};
use crate::revocations::Revocations;

/// Where ms-users writes.
const FOLDER: &str = "microfleet/ms-users/revocation-rules/";

/// How long a query waits for a change.
const WAIT: Duration = Duration::from_millis(500);

/// How long an answer may take; Consul adds up to a sixteenth to the wait.
const ANSWER_LIMIT: Duration = Duration::from_millis(2_500);

/// How long a connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// Bytes of one answer: 100,000 keys.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// The time between two attempts after a failure.
const RETRY: Duration = Duration::from_millis(250);

/// Why Consul tells nothing.
#[derive(Debug, thiserror::Error)]
enum Unheard {
    #[error("{}", causes(.0))]
    Http(reqwest::Error),
    #[error("Consul answers with status {0}")]
    Status(StatusCode),
    #[error("Consul's answer has no index")]
    NoIndex,
    #[error("Consul's index went back, so that changes may have been missed")]
    IndexWentBack,
    #[error(
        "Consul answers at once, without waiting for a change, so that its answers may be old; see what stands between it \
         and this server"
    )]
    NoWait,
    #[error("the keys under {FOLDER} are gone; Consul was emptied, or this server may no longer read them")]
    Emptied,
    #[error("the answer is larger than {MAX_ANSWER} bytes")]
    TooLarge,
    #[error("the answer is not what Consul writes")]
    Unreadable,
}

impl Unheard {
    /// The URL may hold a password.
    fn http(error: reqwest::Error) -> Self {
        Self::Http(error.without_url())
    }
}

/// An error with what it comes from: `reqwest` alone says no more than that it failed.
fn causes(error: &reqwest::Error) -> String {
    let below = iter::successors(error.source(), |&cause| cause.source());
    iter::once(error.to_string()).chain(below.map(ToString::to_string)).collect::<Vec<_>>().join(": ")
}

#[derive(Deserialize)]
struct Key {
    #[serde(rename = "Key")]
    name: String,
    #[serde(rename = "ModifyIndex")]
    modified: u64,
}

/// Every group's key and the index of its last write.
type Keys = HashMap<String, u64>;

/// Follows the changes until `shutdown`, through every loss of the connection.
pub async fn follow(url: Url, revocations: Arc<Revocations>, shutdown: Shutdown) {
    let follow = async {
        loop {
            let Err(error) = watch(&url, &revocations).await;
            let consul = service::shown::url(url.as_str());
            tracing::warn!(consul, %error, "changes in Consul are not heard; rules are read again");
            revocations.lost(Source::Consul);
            sleep(RETRY).await;
        }
    };
    tokio::select! {
        () = follow => {}
        () = shutdown.cancelled() => {}
    }
}

enum Never {}

async fn watch(url: &Url, revocations: &Revocations) -> Result<Never, Unheard> {
    let client = client()?;
    let begun = Instant::now();
    let (index, keys) = ask(&client, url, None).await?;
    if keys.is_empty() {
        tracing::warn!(
            "Consul has no key under {FOLDER}, so it is not known whether it hears of rules; until it shows one, rules are \
             read again after TOKEN_SERVER__CACHE__TTL"
        );
    }
    let mut hearing = Hearing::new(index, keys, begun);
    loop {
        let asked = Instant::now();
        let (index, keys) = ask(&client, url, Some(hearing.index)).await?;
        let Heard { changed, sign } = hearing.take(asked, Instant::now(), index, keys)?;
        for group in changed {
            revocations.changed(&group);
        }
        match sign {
            Sign::Joined => revocations.joined(Source::Consul, asked),
            Sign::Life => revocations.heard(Source::Consul, asked),
            // An answer that comes at once is not asked for again at once.
            Sign::None => sleep(WAIT.saturating_sub(asked.elapsed())).await,
        }
    }
}

/// Asks once, for a check of the configuration: how many groups of rules it shows.
///
/// # Errors
/// Why it cannot be relied on.
pub async fn examine(url: &Url) -> Result<usize, String> {
    let asked = async {
        let (_, keys) = ask(&client()?, url, None).await?;
        Ok::<_, Unheard>(keys.len())
    };
    asked.await.map_err(|error| error.to_string())
}

fn client() -> Result<Client, Unheard> {
    let builder = Client::builder().connect_timeout(CONNECT_LIMIT).timeout(ANSWER_LIMIT).no_proxy();
    builder.build().map_err(Unheard::http)
}

/// What has been heard on one connection.
#[derive(Debug)]
struct Hearing {
    index: u64,
    known: Keys,
    /// Whether a key was seen and an answer was a sign of life since.
    joined: bool,
    lived: Instant,
}

/// What an answer tells.
#[derive(Debug, PartialEq, Eq)]
struct Heard {
    changed: Vec<String>,
    sign: Sign,
}

/// What an answer shows about the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// Nothing: it may be old, or this Consul may be one that hears of no rules.
    None,
    /// From now on it tells every change.
    Joined,
    /// It has told every change from before the question.
    Life,
}

impl Hearing {
    fn new(index: u64, known: Keys, begun: Instant) -> Self {
        Self { index, known, joined: false, lived: begun }
    }

    /// An answer to a question with the last index. Only one that waited its time, or that has a new index, is from now:
    /// any cache can give an old one at once. And only where rules were told of before can it be known that they will be.
    fn take(&mut self, asked: Instant, answered: Instant, index: u64, keys: Keys) -> Result<Heard, Unheard> {
        if index < self.index {
            return Err(Unheard::IndexWentBack);
        }
        if self.joined && keys.is_empty() {
            return Err(Unheard::Emptied);
        }
        let is_alive = index > self.index || answered.saturating_duration_since(asked) >= WAIT;
        let changed = changed(&self.known, &keys).map(str::to_owned).collect();
        (self.index, self.known) = (index, keys);
        if !is_alive {
            if answered.saturating_duration_since(self.lived) > MAX_SILENCE {
                return Err(Unheard::NoWait);
            }
            return Ok(Heard { changed, sign: Sign::None });
        }
        self.lived = answered;
        let sign = match (self.joined, self.known.is_empty()) {
            (true, _) => Sign::Life,
            (false, true) => Sign::None,
            (false, false) => Sign::Joined,
        };
        self.joined |= sign == Sign::Joined;
        Ok(Heard { changed, sign })
    }
}

async fn ask(client: &Client, base: &Url, index: Option<u64>) -> Result<(u64, Keys), Unheard> {
    let mut url = base.clone();
    url.set_path(&format!("/v1/kv/{FOLDER}"));
    url.query_pairs_mut().clear().append_key_only("recurse");
    if let Some(index) = index {
        url.query_pairs_mut()
            .append_pair("index", &index.to_string())
            .append_pair("wait", &format!("{}ms", WAIT.as_millis()));
    }
    let mut response = client.get(url).send().await.map_err(Unheard::http)?;
    // Without any key the answer is 404, which waits and counts like the others.
    let empty = match response.status() {
        StatusCode::OK => false,
        StatusCode::NOT_FOUND => true,
        other => return Err(Unheard::Status(other)),
    };
    let index = response.headers().get("x-consul-index").and_then(|index| index.to_str().ok()?.parse().ok());
    let index: u64 = index.ok_or(Unheard::NoIndex)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(Unheard::http)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER {
            return Err(Unheard::TooLarge);
        }
    }
    if empty {
        return Ok((index, Keys::new()));
    }
    let keys: Vec<Key> = serde_json::from_slice(&body).map_err(|_| Unheard::Unreadable)?;
    let group = |key: Key| Some((key.name.strip_prefix(FOLDER)?.to_owned(), key.modified));
    Ok((index, keys.into_iter().filter_map(group).collect()))
}

/// The groups whose keys were written, made or removed.
fn changed<'a>(before: &'a Keys, after: &'a Keys) -> impl Iterator<Item = &'a str> {
    let written = after.iter().filter(|(group, index)| before.get(*group) != Some(index));
    let removed = before.iter().filter(|(group, _)| !after.contains_key(*group));
    written.chain(removed).map(|(group, _)| group.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_that_was_written_made_or_removed_is_a_change() {
        let keys = |pairs: &[(&str, u64)]| -> Keys {
            pairs.iter().map(|(name, index)| ((*name).to_owned(), *index)).collect()
        };
        let before = keys(&[("g", 5), ("anna", 6), ("ben", 7)]);
        let after = keys(&[("g", 5), ("anna", 9), ("carl", 8)]);
        let mut groups: Vec<_> = changed(&before, &after).collect();
        groups.sort_unstable();
        assert_eq!(groups, ["anna", "ben", "carl"]);
        assert_eq!(changed(&before, &before).count(), 0);
    }

    fn folder(pairs: &[(&str, u64)]) -> Keys {
        pairs.iter().map(|(name, index)| ((*name).to_owned(), *index)).collect()
    }

    #[test]
    fn a_consul_that_shows_no_key_is_not_trusted_however_long_it_waits() {
        let start = Instant::now();
        let mut hearing = Hearing::new(5, Keys::new(), start);
        let mut asked = start;
        for _ in 0..20 {
            let heard = hearing.take(asked, asked + WAIT, 5, Keys::new()).unwrap();
            assert_eq!(heard, Heard { changed: vec![], sign: Sign::None });
            asked += WAIT;
        }
        let first = hearing.take(asked, asked, 6, folder(&[("anna", 6)])).unwrap();
        assert_eq!(first, Heard { changed: vec!["anna".to_owned()], sign: Sign::Joined });
        assert_eq!(hearing.take(asked, asked + WAIT, 6, folder(&[("anna", 6)])).unwrap().sign, Sign::Life);
        let gone = hearing.take(asked, asked + WAIT, 7, Keys::new());
        assert!(matches!(gone, Err(Unheard::Emptied)), "its keys are gone");
    }

    #[test]
    fn an_early_answer_with_the_old_index_is_no_sign_of_life() {
        let (start, keys) = (Instant::now(), || folder(&[("g", 5)]));
        let mut hearing = Hearing::new(5, keys(), start);
        let early = WAIT - Duration::from_millis(1);
        assert_eq!(hearing.take(start, start + early, 5, keys()).unwrap().sign, Sign::None);
        assert_eq!(hearing.take(start, start + WAIT, 5, keys()).unwrap().sign, Sign::Joined);
        let mut asked = start + WAIT;
        assert_eq!(hearing.take(asked, asked, 6, keys()).unwrap().sign, Sign::Life, "a new index is news");
        while asked + early <= start + WAIT + MAX_SILENCE {
            assert_eq!(hearing.take(asked, asked + early, 6, keys()).unwrap().sign, Sign::None);
            asked += early;
        }
        let mut cached = Hearing::new(5, keys(), start);
        let late = start + MAX_SILENCE + WAIT;
        assert!(matches!(cached.take(late, late, 5, keys()), Err(Unheard::NoWait)));
        assert!(matches!(cached.take(late, late, 4, keys()), Err(Unheard::IndexWentBack)));
    }
}
