//! What says who asks: a token of a file, read again each time, or one that an authorization server gives for client
//! credentials (RFC 6749 section 4.4), kept until it ends.

use std::time::Duration;

use keys::{AskError, Client, JSON, Question, Sent, basic_authorization, form};
use reqwest::StatusCode;
use serde::Deserialize;
use service::secret::Secret;
use service::secret_file::Reload as _;
use tokio::time::Instant;

use crate::config::ssf::asking::PollToken;

const PATIENCE: Duration = Duration::from_secs(10);
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// How long a token is kept whose end is not told, and the longest.
const UNTOLD: u64 = 300;
const LONGEST: u64 = 86_400;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoToken {
    /// The authorization server gave no answer.
    #[error("poll_token_url: {0}")]
    Ask(#[from] AskError),
    /// It refuses.
    #[error("poll_token_url answered {0}; see poll_client_id, poll_client_secret_file and poll_scope")]
    Status(StatusCode),
    /// It answers something else.
    #[error("poll_token_url answered with no bearer token (RFC 6749 section 5.1)")]
    Answer,
}

/// Who asks.
pub(in crate::signals) struct Access {
    token: Option<PollToken>,
    kept: Option<(Secret, Instant)>,
}

#[derive(Deserialize)]
struct Given {
    access_token: String,
    token_type: String,
    expires_in: Option<u64>,
}

impl Access {
    pub(in crate::signals) const fn new(token: Option<PollToken>) -> Self {
        Self { token, kept: None }
    }

    /// The value of `Authorization`.
    pub(in crate::signals) async fn authorization(
        &mut self,
        client: &Client,
    ) -> Result<Option<Secret>, NoToken> {
        let (url, id, secret, scope) = match &self.token {
            None => return Ok(None),
            Some(PollToken::File(file)) => {
                file.reload();
                return Ok(Some(bearer(file.current().expose())));
            }
            Some(PollToken::Credentials { url, client, secret, scope }) => (url, client, secret, scope),
        };
        if let Some((value, _)) = self.kept.as_ref().filter(|(_, until)| Instant::now() < *until) {
            return Ok(Some(value.clone()));
        }
        secret.reload();
        let mut pairs = vec![("grant_type", "client_credentials")];
        pairs.extend(scope.as_deref().map(|scope| ("scope", scope)));
        let question = Question {
            url: url.clone(),
            sent: Sent::Form(form(&pairs)),
            accept: JSON,
            authorization: Some(basic_authorization(id, &secret.current())),
            patience: PATIENCE,
            max_bytes: MAX_ANSWER_BYTES,
        };
        let asked = Instant::now();
        let answer = client.ask(question).await?;
        if !answer.status.is_success() {
            return Err(NoToken::Status(answer.status));
        }
        let given: Given = serde_json::from_slice(&answer.bytes).map_err(|_| NoToken::Answer)?;
        if !given.token_type.eq_ignore_ascii_case("bearer") || given.access_token.is_empty() {
            return Err(NoToken::Answer);
        }
        let value = bearer(&given.access_token);
        // It is not shown in its last tenth: the transmitter's clock may be ahead.
        let seconds = given.expires_in.unwrap_or(UNTOLD).min(LONGEST);
        let until = asked + Duration::from_secs(seconds).saturating_mul(9) / 10;
        self.kept = Some((value.clone(), until));
        Ok(Some(value))
    }

    /// The transmitter does not take the token: another is fetched.
    pub(in crate::signals) fn forget(&mut self) {
        self.kept = None;
    }
}

fn bearer(token: &str) -> Secret {
    Secret::new(format!("Bearer {token}"))
}
