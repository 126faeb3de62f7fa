//! What the transmitter of a stream is asked besides its tokens: its document (SSF 1.0 section 7.2), the name of the stream
//! (section 8.1.1.2), and a verification event (section 8.1.4.2).
//!
//! Where it is asked is what the operator wrote, and what the document of this place says, as long as that stays at the
//! origins of the stream's table and is private.

use std::fmt;
use std::time::Duration;

use keys::{Answered, AskError, JSON, Question, Sent, may_hear_secrets};
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use serde_json::json;

use super::access::{Access, NoToken};
use crate::config::ssf::Stream;
use crate::config::ssf::asking::Asking;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest answer that is read.
const MAX_ANSWER_BYTES: usize = 256 * 1024;
/// Streams of an answer that are named to an operator.
const MAX_NAMED: usize = 10;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Its document.
    Document,
    /// The streams that we have there.
    Configuration,
    /// A verification event.
    Verification,
}

/// Why a verification event could not be asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAsked {
    /// No table has the name.
    #[error("no [[ssf]] table has the name {0}; `token-server signals list` names those in use")]
    NoStream(String),
    /// Nothing says where the transmitter is asked.
    #[error(
        "the stream has no document that says where: set discovery = true, or discovery_url, beside jwks_url or keys_file"
    )]
    NoDocument,
    /// The document is another transmitter's (SSF 1.0 section 7.2.4).
    #[error(
        "the transmitter's document calls itself {said}, and issuer is {issuer}: write the one that iss of the stream's tokens \
         has, letter for letter, or correct discovery_url"
    )]
    Issuer {
        /// As it calls itself.
        said: String,
        /// As it is configured.
        issuer: String,
    },
    /// It offers no such thing.
    #[error(
        "the transmitter's document has no {0}: it cannot be asked; wait for the events that it sends by itself, or set stream_id \
         if that alone is missing"
    )]
    NotOffered(Place),
    /// All on the way would see who asks.
    #[error(
        "{0} of the transmitter's document is no https:// URL, and none of this machine: it is not asked"
    )]
    InClear(Place),
    /// It has several streams of ours.
    #[error("the transmitter has {}: set stream_id to the one of this table", streams(.0))]
    NotOne(Vec<String>),
    /// It gave no answer.
    #[error("{place}: {error}")]
    Ask {
        /// What was asked.
        place: Place,
        /// Why there is no answer.
        error: AskError,
    },
    /// It refuses.
    #[error("{place} answered {status}{}", cure(*.place, *.status, *.retry_after))]
    Refused {
        /// What was asked.
        place: Place,
        /// How it refuses.
        status: StatusCode,
        /// When to ask again, by its own word.
        retry_after: Option<Duration>,
    },
    /// It answers something else.
    #[error(
        "{0} answered with something that is none (OpenID Shared Signals Framework 1.0); is it the transmitter's?"
    )]
    Answer(Place),
    /// Nothing can say who asks.
    #[error(transparent)]
    Token(#[from] NoToken),
    /// All of it took too long.
    #[error("the transmitter did not answer within {} s; see that it runs, and its network", .0.as_secs())]
    Late(Duration),
    /// No state can be made.
    #[error("this machine gives no random numbers")]
    NoRandomness,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Document => "the transmitter's document",
            Self::Configuration => "configuration_endpoint",
            Self::Verification => "verification_endpoint",
        })
    }
}

/// What a refusal means, and what to do about it.
fn cure(place: Place, status: StatusCode, retry_after: Option<Duration>) -> String {
    match (place, status.as_u16()) {
        (Place::Document, _) => "; see discovery_url".to_owned(),
        (_, 401 | 403) => {
            "; it does not accept who asks: see poll_token_file, or poll_token_url and its fields".to_owned()
        }
        (_, 404) => {
            "; it has no such stream: see stream_id, and that the stream was not deleted there".to_owned()
        }
        (_, 429) => {
            let when = retry_after
                .map_or_else(|| "later".to_owned(), |after| format!("after {} s", after.as_secs()));
            format!("; it was asked more often than its min_verification_interval allows: ask again {when}")
        }
        _ => "; see its log".to_owned(),
    }
}

fn streams(names: &[String]) -> String {
    match names {
        [] => "no stream of ours".to_owned(),
        several => {
            let shown: Vec<_> = several.iter().take(MAX_NAMED).map(String::as_str).collect();
            format!("{} streams of ours ({})", several.len(), shown.join(", "))
        }
    }
}

/// A transmitter's document, as far as it concerns us (SSF 1.0 section 7.1).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Document {
    issuer: String,
    configuration_endpoint: Option<String>,
    verification_endpoint: Option<String>,
}

/// The streams of an answer (SSF 1.0 section 8.1.1.2): drafts had one, and no list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Streams {
    Several(Vec<Configuration>),
    One(Configuration),
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Configuration {
    stream_id: String,
}

/// A transmitter that is asked.
pub(super) struct Transmitter<'a> {
    stream: &'a Stream,
    asking: &'a Asking,
    access: Access,
    endpoint: Url,
    configuration: Option<String>,
}

impl<'a> Transmitter<'a> {
    /// Reads its document.
    ///
    /// # Errors
    /// See [`NotAsked`].
    pub(super) async fn of(stream: &'a Stream) -> Result<Self, NotAsked> {
        let place = Place::Document;
        let found = stream.document.as_ref().zip(stream.asking.as_ref());
        let (url, asking) = found.ok_or(NotAsked::NoDocument)?;
        let question = Question {
            url: url.clone(),
            sent: Sent::Nothing,
            accept: JSON,
            authorization: None,
            patience: PATIENCE,
            max_bytes: MAX_ANSWER_BYTES,
        };
        let answered = answer(place, asking.client.ask(question).await)?;
        let document: Document =
            serde_json::from_slice(&answered.bytes).map_err(|_| NotAsked::Answer(place))?;
        let Document { issuer, configuration_endpoint: configuration, verification_endpoint: told } =
            document;
        if *issuer != *stream.issuer {
            return Err(NotAsked::Issuer { said: issuer, issuer: stream.issuer.to_string() });
        }
        let endpoint = endpoint(Place::Verification, told.as_deref())?;
        Ok(Self { stream, asking, access: Access::new(asking.token.clone()), endpoint, configuration })
    }

    /// The stream's name there: as it is configured, or else as the transmitter says.
    ///
    /// # Errors
    /// See [`NotAsked`].
    pub(super) async fn stream_id(&mut self) -> Result<String, NotAsked> {
        if let Some(id) = &self.stream.id {
            return Ok(id.clone());
        }
        let place = Place::Configuration;
        let url = endpoint(place, self.configuration.as_deref())?;
        let answered = self.ask(place, url, Sent::Nothing).await?;
        let streams = serde_json::from_slice(&answered.bytes).map_err(|_| NotAsked::Answer(place))?;
        let streams = match streams {
            Streams::Several(streams) => streams,
            Streams::One(stream) => vec![stream],
        };
        let mut names: Vec<_> = streams.into_iter().map(|stream| stream.stream_id).collect();
        match (names.pop(), names.is_empty()) {
            (Some(only), true) => Ok(only),
            (last, _) => {
                names.extend(last);
                Err(NotAsked::NotOne(names))
            }
        }
    }

    /// Asks for a verification event with this state.
    ///
    /// # Errors
    /// See [`NotAsked`].
    pub(super) async fn verify(&mut self, stream_id: &str, state: &str) -> Result<(), NotAsked> {
        let body = json!({ "stream_id": stream_id, "state": state }).to_string();
        self.ask(
            Place::Verification,
            self.endpoint.clone(),
            Sent::Json { bytes: body.into_bytes(), language: None },
        )
        .await
        .map(|_| ())
    }

    async fn ask(&mut self, place: Place, url: Url, sent: Sent) -> Result<Answered, NotAsked> {
        let client = &self.asking.client;
        let authorization = self.access.authorization(client).await?;
        let question = Question {
            url,
            sent,
            accept: JSON,
            authorization,
            patience: PATIENCE,
            max_bytes: MAX_ANSWER_BYTES,
        };
        answer(place, client.ask(question).await)
    }
}

fn answer(place: Place, answered: Result<Answered, AskError>) -> Result<Answered, NotAsked> {
    let answered = answered.map_err(|error| NotAsked::Ask { place, error })?;
    let Answered { status, retry_after, .. } = answered;
    if status.is_success() { Ok(answered) } else { Err(NotAsked::Refused { place, status, retry_after }) }
}

/// An endpoint of a document: over TLS, or of this machine.
fn endpoint(place: Place, told: Option<&str>) -> Result<Url, NotAsked> {
    let told = told.ok_or(NotAsked::NotOffered(place))?;
    let url = Url::parse(told).map_err(|_| NotAsked::Answer(Place::Document))?;
    let is_http = matches!(url.scheme(), "http" | "https");
    if is_http && may_hear_secrets(&url) { Ok(url) } else { Err(NotAsked::InClear(place)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_over_tls_or_of_this_machine() {
        let place = Place::Verification;
        for (told, good) in [
            ("https://idp.example.com/verify", true),
            ("http://127.0.0.1:8080/verify", true),
            ("http://localhost/verify", true),
            ("http://idp.example.com/verify", false),
            ("http://10.0.0.5/verify", false),
            ("ftp://localhost/verify", false),
            ("file:///etc/passwd", false),
            ("/verify", false),
        ] {
            assert_eq!(endpoint(place, Some(told)).is_ok(), good, "{told}");
        }
        assert!(matches!(endpoint(place, None), Err(NotAsked::NotOffered(Place::Verification))));
    }

    #[test]
    fn streams_come_as_a_list_or_as_one() {
        let read = |text| serde_json::from_str::<Streams>(text).ok();
        let stream = |id: &str| Configuration { stream_id: id.to_owned() };
        assert_eq!(read(r#"[{"stream_id":"a","aud":"x"}]"#), Some(Streams::Several(vec![stream("a")])));
        assert_eq!(read(r#"{"stream_id":"a"}"#), Some(Streams::One(stream("a"))));
        assert_eq!(read("[]"), Some(Streams::Several(Vec::new())));
        for strange in ["null", "{}", r#"[{"id":"a"}]"#, r#""a""#] {
            assert_eq!(read(strange), None, "{strange}");
        }
    }
}
