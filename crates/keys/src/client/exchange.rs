//! One exchange with a service that the operator named, over the connections that keys are fetched over: a question, which
//! may have a body, and its answer, bounded and whatever its status.
//!
//! Questions go to the origins of configured URLs and to those that are listed, to no other: what a document says of a URL
//! leads nowhere else. What says who asks goes over TLS, or to this machine.

use std::time::{Duration, SystemTime};

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderMap, HeaderValue,
    RETRY_AFTER,
};
use reqwest::{Method, StatusCode, Url};
use service::secret::Secret;
use time::PrimitiveDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::explain::Context;
use super::origin::Origin;
use super::sought::{Limits, Sought};
use super::{Client, Connections, Inner, body};
use crate::load_error::LoadError;

/// The form of a date in a header (RFC 9110 section 5.6.7).
const IMF_FIXDATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// The media type of most answers.
pub const JSON: &str = "application/json";

/// What is sent.
#[derive(Clone)]
pub enum Sent {
    /// Nothing: GET.
    Nothing,
    /// POST of a JSON document.
    Json {
        /// The document.
        bytes: Vec<u8>,
        /// The language of its texts for people (`Content-Language`, RFC 9110 section 8.5), if it has any.
        language: Option<&'static str>,
    },
    /// POST of a form, encoded.
    Form(Secret),
}

/// A question.
pub struct Question {
    /// Who is asked.
    pub url: Url,
    /// With what.
    pub sent: Sent,
    /// The media type that is asked for.
    pub accept: &'static str,
    /// The value of `Authorization`, in place of what the settings of the client say.
    pub authorization: Option<Secret>,
    /// How long the whole answer may take.
    pub patience: Duration,
    /// The largest answer that is read.
    pub max_bytes: usize,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Its status.
    pub status: StatusCode,
    /// When to ask again, by its own word (RFC 9110 section 10.2.3).
    pub retry_after: Option<Duration>,
    /// Its media type, in lower case and without parameters; empty where it tells none.
    pub media_type: String,
    /// Its body.
    pub bytes: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It began, and did not end in time.
    #[error("no whole answer within {} s", .0.as_secs_f32())]
    Unanswered(Duration),
    /// Nothing configured is there.
    #[error(
        "{origin} is not asked, since no configured URL is there; if it is the right one, add it to {setting}"
    )]
    Elsewhere {
        /// Where the URL leads.
        origin: String,
        /// The setting that lists origins.
        setting: String,
    },
    /// All on the way would see who asks.
    #[error("credentials would be sent without TLS to {0}; write https:// there")]
    InClear(String),
    /// What says who asks holds what no header may.
    #[error("the credentials hold what no header may")]
    Credentials,
    /// As fetches fail.
    #[error(transparent)]
    Failed(#[from] LoadError),
}

/// Whether secrets may be sent to this URL: over TLS, or to this machine.
pub fn may_hear_secrets(url: &Url) -> bool {
    Origin::of(url).is_private()
}

impl Client {
    /// Whether a question to this URL is sent.
    pub fn may_ask(&self, url: &Url) -> bool {
        self.0.known.contains(&Origin::of(url))
    }

    /// Asks, and reads the answer.
    ///
    /// # Errors
    ///
    /// The question may not be sent there, or no whole answer came back in time.
    pub async fn ask(&self, question: Question) -> Result<Answered, AskError> {
        let Question { url, sent, accept, authorization, patience, max_bytes } = question;
        let Inner { fetch, proxies, limits, .. } = &*self.0;
        let origin = Origin::of(&url);
        if !self.may_ask(&url) {
            let setting = fetch.setting(|names| names.origins);
            return Err(AskError::Elsewhere { origin: origin.to_string(), setting });
        }
        let through = proxies.for_url(&url);
        if authorization.is_some() && (!origin.is_private() || (url.scheme() == "http" && through.is_some()))
        {
            return Err(AskError::InClear(origin.to_string()));
        }
        self.0.read_files_again();
        let Connections { http, seen, .. } = self.0.connections(true).map_err(LoadError::from)?;
        let mut headers = HeaderMap::clone(&self.0.credentials.current());
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        if let Some(value) = authorization {
            let mut value = HeaderValue::from_str(value.expose()).map_err(|_| AskError::Credentials)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let request = match sent {
            Sent::Nothing => http.request(Method::GET, url.clone()),
            Sent::Json { bytes, language } => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
                headers.extend(language.map(|name| (CONTENT_LANGUAGE, HeaderValue::from_static(name))));
                http.request(Method::POST, url.clone()).body(bytes)
            }
            Sent::Form(form) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
                http.request(Method::POST, url.clone()).body(form.expose().to_owned())
            }
        };
        seen.forget();
        let context = Context {
            origin: &origin,
            fetch,
            sought: Sought::Answer,
            seen: &seen,
            proxy: through,
            known: true,
            limits: Limits { total: patience, ..*limits },
        };
        let failed = |error: reqwest::Error| match error.is_timeout() && !error.is_connect() {
            true => AskError::Unanswered(patience),
            false => LoadError::Fetch(context.failure(&error.without_url())).into(),
        };
        let response = request.headers(headers).timeout(patience).send().await.map_err(failed)?;
        let (status, retry_after) = (response.status(), retry_after(response.headers(), SystemTime::now()));
        let media_type = media_type(response.headers());
        Ok(Answered {
            status,
            retry_after,
            media_type,
            bytes: body::read(response, max_bytes, failed).await?,
        })
    }
}

/// The media type of an answer (RFC 9110 section 8.3.1).
fn media_type(headers: &HeaderMap) -> String {
    let told = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = told.split_once(';').map_or(told, |(name, _)| name);
    name.trim().to_ascii_lowercase()
}

/// When to ask again: in so many seconds, or at a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let date = PrimitiveDateTime::parse(text, IMF_FIXDATE).ok()?.assume_utc();
            Some(SystemTime::from(date).duration_since(now).unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_told_in_seconds_or_as_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (text, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Sat, 05 Nov 1994 08:49:37 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
