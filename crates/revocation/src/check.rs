//! The words between `jwt-agent` and `token-server`: the body of `POST /v1/check` and its answer, both JSON.
//!
//! A batch holds tokens that the server must decrypt and payloads whose signature the agent has verified; the answer
//! holds one result for each, in the same order.

use std::time::Duration;

use jose::{Profile, Reject};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Checks of one batch. An agent sends what gathered while its last batch was under way, seldom more than 16.
pub const MAX_CHECKS: usize = 128;

/// The age at which a server that shares its store reads a group's rules again, though no change of them was told. No verdict
/// that rests on one read is used for longer than this after it, or than the longest time that the agent is set to.
pub const MAX_READ_AGE: Duration = Duration::from_secs(300);

/// Bytes of a batch: [`MAX_CHECKS`] tokens of the agent's default limit, and some more for the JSON around them.
pub const MAX_BATCH_BYTES: usize = 2 * 1024 * 1024;
const _: () =
    assert!(MAX_CHECKS * (8_192 + 256) <= MAX_BATCH_BYTES, "a batch of the agent's default limits fits");

/// Asks about a batch. An empty batch is a probe: it tells whether the server answers and shares our profile.
#[derive(Debug, Serialize, Deserialize)]
pub struct CheckRequest<C = Check> {
    /// The profile of the agent; a server of another profile refuses the batch (409).
    pub profile: Profile,
    /// The clock skew that the agent grants after `exp`, seconds: the server judges time as well, and must not be stricter.
    #[serde(default)]
    pub leeway: u32,
    /// The same for `nbf` and `iat`; an older agent does not say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub leeway_start: Option<u32>,
    /// How much longer the agent waits for the answer, milliseconds: of its checks the one with the most time left. The server
    /// waits less than that for its store, so that what it knows without it arrives in time. An older agent does not say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub budget_ms: Option<u32>,
    /// What to judge: each a [`Check`], or the JSON of one.
    pub checks: Vec<C>,
}

/// One thing to judge.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// A token that only a server can open: an encrypted one (five parts), or an opaque one.
    Token(String),
    /// The payload of a token whose signature was verified by the caller, byte for byte.
    Payload(Box<RawValue>),
}

/// The answer to a batch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckResponse {
    /// Names the store that was read; two servers of one agent must agree on it.
    pub store_id: String,
    /// Names the process whose revisions these are.
    #[serde(default)]
    pub epoch: String,
    /// The revision of the rules when the batch was judged.
    pub revision: u64,
    /// Whether the store did not answer when it was last read. Rules that are in memory are judged by all the same; of all
    /// others another server may know.
    #[serde(skip_serializing_if = "is_false", default)]
    pub store_unread: bool,
    /// One for each check, in order.
    pub results: Vec<CheckResult>,
}

/// The verdict on one check.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CheckResult {
    /// `ok`, or the detail of a [`jose::Reject`].
    pub detail: String,
    /// The subject whose rules were read; absent when the claims name none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<String>,
    /// When the token expires, seconds since the epoch; absent when it does not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exp: Option<i64>,
    /// Whether `GET /v1/events` tells whatever would change the verdict, from the answer's revision on. A verdict without
    /// this was made from rules that could not be read anew, or whose changes are not told.
    #[serde(default)]
    pub vouched: bool,
    /// How long before the answer the rules of the subject were read, in milliseconds; 0 where only the server writes.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub read_ago: u64,
    /// For how long after the question the answer may be used again at most, in milliseconds, whatever the feed tells: of an
    /// opaque token, whose end its own server knows, and no feed. Absent: as long as the feed allows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub use_for: Option<u64>,
    /// The protected header of a token that was decrypted, byte for byte.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub header: Option<Box<RawValue>>,
    /// The claims of a token that was decrypted under a shared secret, byte for byte; or of an opaque one, without a header, as
    /// those say who know it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub claims: Option<Box<RawValue>>,
    /// The signed token inside of one that was decrypted. The verdict is on its claims; its signature is the caller's
    /// to verify.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token: Option<String>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl CheckResult {
    /// What the result says.
    ///
    /// # Errors
    ///
    /// The refusal. A word that we do not know is one of a newer server.
    pub fn verdict(&self) -> Result<(), Reject> {
        match self.detail.as_str() {
            "ok" => Ok(()),
            detail => Err(Reject::from_detail(detail).unwrap_or(Reject::Revoked)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_travels_byte_for_byte() {
        let text = r#"{"profile":"standard","leeway":5,"leeway_start":30,"budget_ms":79,"checks":[{"payload":{"n":12345678901234567890,"e":[]}},{"token":"a.b"}]}"#;
        let request: CheckRequest = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&request).unwrap(), text);
    }

    #[test]
    fn a_result_is_the_verdict_that_its_word_names_and_an_unknown_word_refuses() {
        for (detail, expected) in [
            ("ok", Ok(())),
            ("revoked", Err(Reject::Revoked)),
            ("expired", Err(Reject::Expired)),
            ("decryption", Err(Reject::Decryption)),
            ("OK", Err(Reject::Revoked)),
            ("ok ", Err(Reject::Revoked)),
            ("", Err(Reject::Revoked)),
            ("a word of a newer server", Err(Reject::Revoked)),
        ] {
            let result = CheckResult { detail: detail.to_owned(), ..CheckResult::default() };
            assert_eq!(result.verdict(), expected, "{detail:?}");
        }
    }

    #[test]
    fn an_answer_tells_what_is_not_as_usual_and_is_read_without_it() {
        let usual = r#"{"store_id":"s","epoch":"e","revision":7,"results":[{"detail":"ok","vouched":true}]}"#;
        let rare = r#"{"store_id":"s","epoch":"e","revision":7,"store_unread":true,"results":[{"detail":"ok","subject":"anna","exp":5,"vouched":false,"read_ago":9,"use_for":7}]}"#;
        for (text, store_unread, read_ago, vouched, use_for) in
            [(usual, false, 0, true, None), (rare, true, 9, false, Some(7))]
        {
            let answer: CheckResponse = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&answer).unwrap(), text);
            let result = &answer.results[0];
            assert_eq!(
                (answer.store_unread, result.read_ago, result.vouched, result.use_for),
                (store_unread, read_ago, vouched, use_for)
            );
        }
        let oldest: CheckResponse =
            serde_json::from_str(r#"{"store_id":"s","revision":1,"results":[{"detail":"ok"}]}"#).unwrap();
        assert_eq!(
            (oldest.epoch.as_str(), oldest.store_unread, oldest.results[0].vouched),
            ("", false, false)
        );
    }
}
