//! Keys that are fetched one by one, by the `kid` of a token: PEM at a URL that ends with it, as AWS load balancers publish
//! theirs. One `kid` is one key for ever, so that a key at hand is never asked for early.
//!
//! What strangers can cause is bounded: a `kid` is a UUID, early fetches come from the bucket that every source has, and few
//! keys, few wishes and few refusals are kept.

use std::fmt;

use jose::{KeyOrigin, KeyRules, KeySet, Uuid};
use reqwest::{StatusCode, Url};
use service::shown;

use crate::client::{Client, Sought};
use crate::load_error::LoadError;
use crate::trust::KID;

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
        format!("{}{KID}", shown::url(self.0.as_str()))
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

#[cfg(test)]
mod tests;
