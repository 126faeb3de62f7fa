//! Why a token was refused: one closed list, mapped once to what the outside sees.
//!
//! A [`Reject`] is an answer, not an error. Its [`Detail`](Reject::detail) is the one word that logs, metrics and the
//! `txn.tkn.detail` variable carry; its [`Reason`] is the coarse code that proxies and backends act on. The list also
//! holds what the programs around this crate find (two headers, a token-server that does not answer), so that there is
//! one vocabulary and not three.

use serde::{Deserialize, Serialize};

/// The coarse outcome, as `txn.tkn.reason` and the `x-tkn-reason` header spell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Reason {
    /// Signature, policy and revocation all passed.
    #[serde(rename = "ok")]
    Ok,
    /// Missing, malformed, bad signature, expired, not yet valid, revoked, wrong issuer.
    #[serde(rename = "E_TKN_INVALID")]
    Invalid,
    /// `ms-users` profile: not a stateless token.
    #[serde(rename = "E_TKN_LEGACY")]
    Legacy,
    /// `ms-users` profile: a refresh token where an access token is needed.
    #[serde(rename = "E_TKN_ACCESS_TOKEN_REQUIRED")]
    AccessTokenRequired,
    /// The token is for another audience.
    #[serde(rename = "E_TKN_AUDIENCE_MISMATCH")]
    AudienceMismatch,
    /// The token is good, but not for this: scope, role, required claim.
    #[serde(rename = "E_TKN_FORBIDDEN")]
    Forbidden,
    /// The token is good, but its user must log in again, or in a stronger way (RFC 9470).
    #[serde(rename = "E_TKN_STEP_UP")]
    StepUp,
    /// The token, or the answer about it, does not fit a limit.
    #[serde(rename = "E_TKN_TOO_LARGE")]
    TooLarge,
    /// No verdict is possible: no keys, no token-server, a policy that is not configured. The token may be good.
    #[serde(rename = "E_BACKEND_UNAVAIL")]
    BackendUnavailable,
}

impl Reason {
    /// The code as it stands in variables and headers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Invalid => "E_TKN_INVALID",
            Self::Legacy => "E_TKN_LEGACY",
            Self::AccessTokenRequired => "E_TKN_ACCESS_TOKEN_REQUIRED",
            Self::AudienceMismatch => "E_TKN_AUDIENCE_MISMATCH",
            Self::Forbidden => "E_TKN_FORBIDDEN",
            Self::StepUp => "E_TKN_STEP_UP",
            Self::TooLarge => "E_TKN_TOO_LARGE",
            Self::BackendUnavailable => "E_BACKEND_UNAVAIL",
        }
    }
}

/// Declares [`Reject`] with its words and reasons in one table, so that no list can lose a row.
macro_rules! rejects {
    ($($(#[$doc:meta])* $variant:ident = $detail:literal => $reason:ident,)+) => {
        /// Why a token was refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reject {
            $($(#[$doc])* $variant,)+
        }

        impl Reject {
            /// Every way to be refused, for metrics and documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The one word for logs, metrics and `txn.tkn.detail`; unique for each variant.
            pub const fn detail(self) -> &'static str {
                match self { $(Self::$variant => $detail,)+ }
            }

            /// The coarse code.
            pub const fn reason(self) -> Reason {
                match self { $(Self::$variant => Reason::$reason,)+ }
            }
        }
    };
}

rejects! {
    /// No token was sent.
    Missing = "missing" => Invalid,
    /// The `Authorization` scheme is not an accepted one.
    Scheme = "scheme" => Invalid,
    /// More than one header of a name that a token is taken from, or of what HAProxy took it from.
    DuplicateHeader = "duplicate_header" => Invalid,
    /// Two tokens in different places, or a cookie, a parameter or a list that holds more than one.
    Ambiguous = "ambiguous" => Invalid,
    /// Not a compact JOSE token: parts, base64url, JSON, duplicate members, nesting.
    Malformed = "malformed" => Invalid,
    /// A form that cannot be verified here, such as an encrypted token where none is expected.
    Unsupported = "unsupported" => Invalid,
    /// `alg` is `none`, unknown, or not in the allow-list; or `enc` or `zip` is unknown.
    Algorithm = "algorithm" => Invalid,
    /// A `crit` or `b64` header parameter (RFC 7515 section 4.1.11, RFC 7797).
    CriticalHeader = "crit" => Invalid,
    /// No key has the token's `kid`, or none fits its algorithm.
    UnknownKey = "unknown_key" => Invalid,
    /// The signature does not verify.
    Signature = "signature" => Invalid,
    /// The token does not decrypt. One word for every cause, since a finer one would help to find the plaintext.
    Decryption = "decryption" => Invalid,
    /// Encrypted with a public key and not signed: anybody could have made it.
    Unsigned = "unsigned" => Invalid,
    /// `exp` is now or earlier.
    Expired = "expired" => Invalid,
    /// `nbf` is later than now.
    NotYetValid = "not_yet_valid" => Invalid,
    /// `exp` is required and absent.
    MissingExpiry = "exp_missing" => Invalid,
    /// A registered claim has the wrong type, such as `exp` as a string.
    ClaimType = "claim_type" => Invalid,
    /// `iss` is absent or not an accepted issuer.
    Issuer = "issuer" => Invalid,
    /// `typ` is not an accepted one, or the token was made for something else, such as a logout.
    Type = "typ" => Invalid,
    /// The token is bound to a key or a certificate (`cnf`), and the client does not prove that it holds it; or it is not bound
    /// as it must be.
    Binding = "binding" => Invalid,
    /// A proof of possession (DPoP) that cannot be read, is not for this request and token, or whose signature is wrong.
    Proof = "proof" => Invalid,
    /// A proof of possession that is too old, or of a time to come.
    ProofTime = "proof_time" => Invalid,
    /// A proof of possession that was used before.
    ProofReplayed = "proof_replayed" => Invalid,
    /// A proof of possession without a nonce that was given out lately, where one is asked for.
    Nonce = "nonce" => Invalid,
    /// `exp` is further from `iat` than allowed or before it, or one of them is absent.
    Lifetime = "lifetime" => Invalid,
    /// An MCP call whose `Mcp-*` headers are absent, doubled or cannot be decoded, or of a revision that has none.
    McpHeader = "mcp_header" => Invalid,
    /// The token's authorization server says that it is not active (RFC 7662 section 2.2): unknown to it, expired or revoked.
    Inactive = "inactive" => Invalid,
    /// The authorization server says that it is no access token of an accepted type.
    TokenType = "token_type" => Invalid,
    /// A rule revokes the token.
    Revoked = "revoked" => Invalid,
    /// `aud` is absent or names none of the accepted audiences.
    Audience = "audience" => AudienceMismatch,
    /// A scope is missing.
    Scope = "scope" => Forbidden,
    /// The subject is not an accepted one.
    Subject = "subject" => Forbidden,
    /// A required claim is absent or has another value, or a forbidden one is there.
    Claim = "claim" => Forbidden,
    /// An MCP call that no row of `[[mcp]]` is for.
    Mcp = "mcp" => Forbidden,
    /// `acr` is absent or not an accepted one: the user must log in in a stronger way.
    Acr = "acr" => StepUp,
    /// `auth_time` is absent or too long ago: the user must log in again.
    AuthTime = "auth_time" => StepUp,
    /// `ms-users`: the token is not a stateless one.
    Legacy = "legacy" => Legacy,
    /// `ms-users`: a refresh token.
    RefreshToken = "refresh_token" => AccessTokenRequired,
    /// The token is longer than the limit.
    TokenSize = "token_size" => TooLarge,
    /// The answer would not fit the frame that HAProxy takes.
    AnswerSize = "answer_size" => TooLarge,
    /// The proxy names a policy that is not configured. That is a fault of two configurations, not of the token.
    UnknownPolicy = "unknown_policy" => BackendUnavailable,
    /// An argument of the proxy's cannot be read: of another type, below zero, or sent twice.
    Argument = "argument" => BackendUnavailable,
    /// No verification key is loaded.
    NoKeys = "no_keys" => BackendUnavailable,
    /// No key at hand verifies the token, its issuer's keys may not be fetched now, and it may be newer than they are.
    KeysStale = "keys_stale" => BackendUnavailable,
    /// No token-server is configured or none could be asked.
    NoTokenServer = "no_token_server" => BackendUnavailable,
    /// The token-server's answer did not come in time.
    Timeout = "timeout" => BackendUnavailable,
    /// The token's authorization server gave no answer that can be used, or not in time.
    Introspection = "introspection" => BackendUnavailable,
    /// More requests than the limits allow.
    Overloaded = "overloaded" => BackendUnavailable,
    /// The subject's revocation rules cannot be read or understood.
    Rules = "rules" => BackendUnavailable,
}

impl Reject {
    /// Whether the same token would be refused for the same reason a moment later, by the same keys and policy.
    ///
    /// Not so while nothing could be decided, before `nbf`, or by a rule, which can be taken back.
    pub fn is_lasting(self) -> bool {
        let passing = matches!(self, Self::NotYetValid | Self::Revoked);
        !passing && self.reason() != Reason::BackendUnavailable
    }

    /// The variant that [`detail`](Self::detail) names, as one program tells another.
    pub fn from_detail(detail: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reject| reject.detail() == detail)
    }

    /// Whether newer keys might change the answer: there are none yet, the token's key is unknown, or the keys that we have
    /// did not make its signature (an issuer may replace a key under the same `kid`, or use none). Strangers can cause this at
    /// will, so who fetches keys early for it has to limit how often.
    pub const fn suggests_newer_keys(self) -> bool {
        matches!(self, Self::UnknownKey | Self::Signature | Self::NoKeys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_reason_is_one_code_wherever_it_is_written() {
        for (reason, code) in [
            (Reason::Ok, "ok"),
            (Reason::Invalid, "E_TKN_INVALID"),
            (Reason::Legacy, "E_TKN_LEGACY"),
            (Reason::AccessTokenRequired, "E_TKN_ACCESS_TOKEN_REQUIRED"),
            (Reason::AudienceMismatch, "E_TKN_AUDIENCE_MISMATCH"),
            (Reason::Forbidden, "E_TKN_FORBIDDEN"),
            (Reason::StepUp, "E_TKN_STEP_UP"),
            (Reason::TooLarge, "E_TKN_TOO_LARGE"),
            (Reason::BackendUnavailable, "E_BACKEND_UNAVAIL"),
        ] {
            assert_eq!(reason.as_str(), code);
            assert_eq!(serde_json::to_string(&reason).unwrap(), format!("{code:?}"));
        }
    }

    #[test]
    fn what_may_change_by_itself_or_by_newer_keys_is_told_apart() {
        for (reject, is_lasting, suggests_newer_keys) in [
            (Reject::Malformed, true, false),
            (Reject::Expired, true, false),
            (Reject::Signature, true, true),
            (Reject::UnknownKey, true, true),
            (Reject::NoKeys, false, true),
            (Reject::NotYetValid, false, false),
            (Reject::Revoked, false, false),
            (Reject::Timeout, false, false),
            (Reject::Overloaded, false, false),
        ] {
            assert_eq!(reject.is_lasting(), is_lasting, "{reject:?}");
            assert_eq!(reject.suggests_newer_keys(), suggests_newer_keys, "{reject:?}");
        }
    }

    #[test]
    fn each_detail_names_one_reject() {
        let details: BTreeSet<_> = Reject::ALL.iter().map(|reject| reject.detail()).collect();
        assert_eq!(details.len(), Reject::ALL.len());
        for reject in Reject::ALL {
            assert_eq!(Reject::from_detail(reject.detail()), Some(*reject));
            assert_ne!(reject.reason(), Reason::Ok);
        }
        assert_eq!(Reject::from_detail("ok"), None);
    }

    #[test]
    fn a_fault_of_the_configuration_is_not_the_tokens_and_is_not_kept() {
        for reject in [Reject::UnknownPolicy, Reject::Argument] {
            assert_eq!(reject.reason(), Reason::BackendUnavailable);
            assert!(!reject.is_lasting());
        }
    }
}
