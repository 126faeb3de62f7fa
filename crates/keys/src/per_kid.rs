//! Keys that are fetched one by one, by the `kid` of a token: PEM at a URL that ends with it, as AWS load balancers publish
//! theirs. One `kid` is one key for ever, so that a key at hand is never asked for early.
//!
//! What strangers can cause is bounded: a `kid` is a UUID, early fetches come from the bucket that every source has, and few
//! keys, few wishes and few refusals are kept.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::trust::KID;
use jose::{KeyOrigin, KeyRules, KeySet, UnixTime, Uuid};
use reqwest::{StatusCode, Url};
use service::shutdown::Shutdown;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::client::Sought;
use crate::early::Good;
use crate::metrics::BySource;
use crate::url::shown;
use crate::{Client, KeyRing, LoadError, Timing};

/// Keys of one source; the one that was fetched first goes. A load balancer has one or two.
const MAX_KEYS: usize = 16;

/// For so long a `kid` without a key is not asked for again.
const ABSENT_FOR: Duration = Duration::from_secs(10);

/// Where the key of each `kid` is.
#[derive(Clone, PartialEq, Eq)]
pub struct PerKid(Url);

impl PerKid {
    /// Reads a URL that ends with `/{kid}`; `None` if it is another.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let folder = text.strip_suffix(KID).filter(|folder| folder.ends_with('/'))?;
        Url::parse(folder).ok().map(Self)
    }

    /// The URL without the `kid`.
    pub(crate) const fn folder(&self) -> &Url {
        &self.0
    }

    /// What an operator knows it by.
    pub(crate) fn name(&self) -> String {
        format!("{}{KID}", shown(&self.0))
    }

    /// Fetches the key of one `kid`; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Nothing came back in time, or no key.
    pub(crate) async fn fetch(
        &self,
        client: &Client,
        kid: Uuid,
        rules: &KeyRules,
    ) -> Result<Option<KeySet>, LoadError> {
        let url = self.0.join(&kid.to_string()).map_err(|error| LoadError::Fetch(error.to_string()))?;
        let fetched = match client.get(url, Sought::Keys, None).await {
            // The buckets of AWS answer 403 where there is nothing.
            Err(
                LoadError::Status(StatusCode::NOT_FOUND | StatusCode::FORBIDDEN)
                | LoadError::Refused(StatusCode::NOT_FOUND | StatusCode::FORBIDDEN, _),
            ) => return Ok(None),
            fetched => fetched?,
        };
        let pem = String::from_utf8_lossy(fetched.bytes.as_deref().unwrap_or_default()).into_owned();
        let document = serde_json::json!({ kid.to_string(): pem }).to_string();
        Ok(Some(KeySet::parse(document.as_bytes(), &KeyRules { origin: KeyOrigin::Url, ..*rules })?))
    }
}

impl fmt::Debug for PerKid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name())
    }
}

/// What a ring knows of the keys of one such source.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kids {
    /// The oldest first.
    held: Vec<(Uuid, KeySet)>,
    /// What had no key, and when that was found.
    absent: Vec<(Uuid, Instant)>,
    /// What tokens ask for.
    wanted: Vec<Uuid>,
    /// What is being fetched for them.
    loading: Vec<Uuid>,
}

/// What can be said of a `kid` without a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// Its key is there, or is known to be nowhere.
    Answered,
    /// It is being fetched, or will be.
    Coming,
    /// It was not asked for yet, and there is room to.
    Unasked,
    /// It was not asked for yet, and cannot be now.
    Crowded,
}

impl Kids {
    /// What one of that configuration begins with in another.
    pub(crate) fn heir(&self) -> Self {
        Self { held: self.held.clone(), ..Self::default() }
    }

    pub(crate) fn look_up(&mut self, kid: Uuid, now: Instant) -> Known {
        self.absent.retain(|(_, at)| now.saturating_duration_since(*at) < ABSENT_FOR);
        let is_held = self.held.iter().any(|(held, _)| *held == kid);
        if is_held || self.absent.iter().any(|(absent, _)| *absent == kid) {
            Known::Answered
        } else if self.wanted.contains(&kid) || self.loading.contains(&kid) {
            Known::Coming
        } else if self.wanted.len() < MAX_KEYS && self.absent.len() < MAX_KEYS {
            Known::Unasked
        } else {
            Known::Crowded
        }
    }

    pub(crate) fn want(&mut self, kid: Uuid) {
        self.wanted.push(kid);
    }

    pub(crate) fn is_wanted(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// What is to be fetched now: what tokens ask for, and where it is `due` again, what is held.
    pub(crate) fn begin(&mut self, due: bool) -> Vec<Uuid> {
        self.loading = std::mem::take(&mut self.wanted);
        let held = self.held.iter().map(|(kid, _)| *kid).filter(|_| due);
        self.loading.iter().copied().chain(held).collect()
    }

    /// Takes over what was found; whether the keys are others now.
    pub(crate) fn end(&mut self, found: Vec<(Uuid, Option<KeySet>)>, now: Instant) -> bool {
        self.loading.clear();
        let mut changed = false;
        for (kid, keys) in found {
            let place = self.held.iter().position(|(held, _)| *held == kid);
            match (place, keys) {
                (Some(_), Some(_)) => {}
                (Some(place), None) => {
                    self.held.remove(place);
                    self.absent.push((kid, now));
                    changed = true;
                }
                (None, None) => self.absent.push((kid, now)),
                (None, Some(keys)) => {
                    self.held.push((kid, keys));
                    changed = true;
                }
            }
        }
        self.held.drain(..self.held.len().saturating_sub(MAX_KEYS));
        changed
    }

    /// All keys at hand.
    pub(crate) fn keys(&self) -> KeySet {
        KeySet::merge(self.held.iter().map(|(_, keys)| keys))
    }
}

impl KeyRing {
    /// The keys by `kid` that are to be fetched now: wanted ones, and where they are `due`, those at hand.
    pub(crate) fn begin_kids(&self, index: usize, due: bool) -> Vec<Uuid> {
        let mut parts = self.lock();
        let kids = parts.get_mut(index).and_then(|part| part.kids.as_mut());
        kids.map(|kids| kids.begin(due)).unwrap_or_default()
    }

    /// Puts what was fetched by `kid` in use.
    pub(crate) fn publish_kids(&self, index: usize, name: &str, found: Vec<(Uuid, Option<KeySet>)>) {
        let mut parts = self.lock();
        let Some(part) = parts.get_mut(index) else { return };
        let Some(kids) = part.kids.as_mut() else { return };
        if kids.end(found, Instant::now()) || part.set.is_none() {
            let set = kids.keys();
            tracing::info!(source = name, keys = set.len(), "keys by kid at hand");
            part.set = Some(Arc::new(set));
            self.swap(&parts);
        }
    }
}

/// Fetches keys as tokens ask for them, and those at hand again and again, until `shutdown`. They are number `index` of the
/// ring.
pub(crate) async fn keep_fresh(
    source: PerKid,
    client: Client,
    index: usize,
    ring: Arc<KeyRing>,
    rules: KeyRules,
    timing: Timing,
    shutdown: Shutdown,
) {
    let name = source.name();
    let label = BySource { source: name.clone() };
    let mut failures = 0_u32;
    let mut next = Instant::now();
    // A source without any key is as good as it can be before the first token.
    ring.publish_kids(index, &name, Vec::new());
    loop {
        let at = Instant::now();
        let began = Good { began: at, at: UnixTime::from_system(SystemTime::now()) };
        let due = at >= next;
        let kids = ring.begin_kids(index, due);
        let mut fetches = JoinSet::new();
        for kid in &kids {
            let (source, client, kid) = (source.clone(), client.clone(), *kid);
            fetches.spawn(async move { (kid, source.fetch(&client, kid, &rules).await) });
            ring.metrics.loads.get_or_create(&label).inc();
        }
        let (mut found, mut failure) = (Vec::new(), None);
        loop {
            let fetched = tokio::select! {
                fetched = fetches.join_next() => fetched,
                () = shutdown.cancelled() => return,
            };
            match fetched {
                None => break,
                Some(Ok((kid, Ok(keys)))) => found.push((kid, keys)),
                Some(Ok((_, Err(error)))) => failure = Some(error),
                Some(Err(error)) => failure = Some(LoadError::Fetch(error.to_string())),
            }
        }
        ring.publish_kids(index, &name, found);
        match failure {
            Some(error) => {
                failures = failures.saturating_add(1);
                next = at + timing.delay(failures, None);
                ring.metrics.failures.get_or_create(&label).inc();
                tracing::warn!(source = name, %error, failures, "key not fetched; those at hand stay in use");
                ring.ends(index, Err(&error), next);
            }
            None => {
                if due {
                    next = at + timing.interval;
                }
                if !kids.is_empty() {
                    failures = 0;
                    ring.confirm(&name, began.at);
                }
                // Where nothing was fetched, nothing was learnt of the server.
                if failures == 0 {
                    ring.ends(index, Ok(began), next);
                }
            }
        }
        tokio::select! {
            () = sleep_until(next) => {}
            () = ring.wanted(index) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests;
