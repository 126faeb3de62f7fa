//! Changes as ms-users tells them: after a rule it writes a key in Consul's store.
//!
//! The keys are watched with a blocking query that ends twice a second, so that its answers are signs of life too. Their
//! values are times by the clocks of the writers; what counts is that a key was written, by Consul's own index. Consul
//! takes the same value again for no write: two rules of one group in one millisecond are one event.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;
use service::shutdown::Shutdown;
use tokio::time::{Instant, sleep};

use super::Source;
use crate::revocations::Revocations;

/// Where ms-users writes.
const FOLDER: &str = "microfleet/ms-users/revocation-rules/";

/// How long a query waits for a change.
const WAIT: &str = "500ms";

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
enum Deaf {
    #[error("{0}")]
    Http(#[source] reqwest::Error),
    #[error("Consul answers with status {0}")]
    Status(StatusCode),
    #[error("Consul's answer has no index")]
    NoIndex,
    #[error("Consul's index went back, so that changes may have been missed")]
    IndexWentBack,
    #[error("the answer is larger than {MAX_ANSWER} bytes")]
    TooLarge,
    #[error("the answer is not what Consul writes")]
    Unreadable,
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
            tracing::warn!(%error, "changes in Consul are not heard; rules are read again");
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

async fn watch(url: &Url, revocations: &Revocations) -> Result<Never, Deaf> {
    let client = Client::builder()
        .connect_timeout(CONNECT_LIMIT)
        .timeout(ANSWER_LIMIT)
        .no_proxy()
        .build()
        .map_err(Deaf::Http)?;
    let begun = Instant::now();
    let (mut index, mut known) = ask(&client, url, None).await?;
    revocations.joined(Source::Consul, begun);
    loop {
        let asked = Instant::now();
        let (next, keys) = ask(&client, url, Some(index)).await?;
        if next < index {
            return Err(Deaf::IndexWentBack);
        }
        for group in changed(&known, &keys) {
            revocations.changed(group);
        }
        (index, known) = (next, keys);
        revocations.heard(Source::Consul, asked);
    }
}

async fn ask(client: &Client, base: &Url, index: Option<u64>) -> Result<(u64, Keys), Deaf> {
    let mut url = base.clone();
    url.set_path(&format!("/v1/kv/{FOLDER}"));
    url.query_pairs_mut().clear().append_key_only("recurse");
    if let Some(index) = index {
        url.query_pairs_mut().append_pair("index", &index.to_string()).append_pair("wait", WAIT);
    }
    let mut response = client.get(url).send().await.map_err(Deaf::Http)?;
    // Without any key the answer is 404, which waits and counts like the others.
    let empty = match response.status() {
        StatusCode::OK => false,
        StatusCode::NOT_FOUND => true,
        other => return Err(Deaf::Status(other)),
    };
    let index = response.headers().get("x-consul-index").and_then(|index| index.to_str().ok()?.parse().ok());
    let index: u64 = index.ok_or(Deaf::NoIndex)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(Deaf::Http)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER {
            return Err(Deaf::TooLarge);
        }
    }
    if empty {
        return Ok((index, Keys::new()));
    }
    let keys: Vec<Key> = serde_json::from_slice(&body).map_err(|_| Deaf::Unreadable)?;
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
}
