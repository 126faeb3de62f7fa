//! What a client is told that is refused: the value of `WWW-Authenticate` (RFC 6750 section 3, RFC 9470 section 3,
//! RFC 9728 section 5.1, RFC 9449 section 7.1).
//!
//! The texts of a policy are made when it is loaded, one for each way to be refused. Nothing of a token or a request is
//! ever in one: they hold what the operator configured and our own words. Each of those is held against an alphabet
//! without quotes and backslashes, so that nothing has to be escaped.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;

use crate::{Algorithm, AlgorithmSet, AuthScheme, Binding, ProofRules, Reason, Reject, Resource};

/// The longest text, bytes. It must fit beside the rest of a refusal into HAProxy's frame and its answer.
pub const MAX_CHALLENGE_BYTES: usize = 4096;

/// The realm of a challenge (RFC 9110 section 11.5): the characters `[A-Za-z0-9 ._~/-]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Realm(String);

/// One of the values that stand in a list, separated by spaces: a scope (RFC 6749 section 3.3), or an `acr`
/// (RFC 9470 section 3). Printable ASCII without spaces, quotes and backslashes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListedValue(String);

/// The address of a resource's metadata, in challenges: an https URL whose characters need no escape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataUrl(String);

/// Why a text cannot stand in a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeFault {
    /// A realm of other characters, or none.
    #[error("expected letters, digits, spaces and . _ ~ / -")]
    Realm,
    /// A scope or an `acr` of other characters.
    #[error("expected printable ASCII characters without spaces, quotes and backslashes")]
    Value,
    /// No https URL.
    #[error(
        "expected a URL that begins with https://, of printable ASCII without spaces, quotes and backslashes"
    )]
    MetadataUrl,
    /// A text would be longer than [`MAX_CHALLENGE_BYTES`].
    #[error("the challenge (WWW-Authenticate) would be longer than {MAX_CHALLENGE_BYTES} bytes")]
    Length,
}

impl Default for Realm {
    fn default() -> Self {
        Self("api".to_owned())
    }
}

impl FromStr for Realm {
    type Err = ChallengeFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'.' | b'_' | b'~' | b'/' | b'-')
        };
        let is_good = !text.is_empty() && text.bytes().all(is_plain);
        if is_good { Ok(Self(text.to_owned())) } else { Err(ChallengeFault::Realm) }
    }
}

impl ListedValue {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ListedValue {
    type Err = ChallengeFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_good = !text.is_empty() && text.bytes().all(needs_no_escape);
        if is_good { Ok(Self(text.to_owned())) } else { Err(ChallengeFault::Value) }
    }
}

impl MetadataUrl {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&Resource> for MetadataUrl {
    /// Where RFC 9728 section 3.1 has it.
    fn from(resource: &Resource) -> Self {
        Self(resource.metadata_url())
    }
}

impl FromStr for MetadataUrl {
    type Err = ChallengeFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let host = text.strip_prefix("https://").and_then(|rest| rest.split(['/', '?', '#']).next());
        let is_good = host.is_some_and(|host| !host.is_empty()) && text.bytes().all(needs_no_escape);
        if is_good { Ok(Self(text.to_owned())) } else { Err(ChallengeFault::MetadataUrl) }
    }
}

/// Whether it is a character of a scope (RFC 6749 section 3.3, NQCHAR), which a quoted string takes as it is.
fn needs_no_escape(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\')
}

/// The schemes that a client may choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OfferedSchemes {
    /// `Bearer`.
    #[default]
    Bearer,
    /// `DPoP`, as tokens must be bound to a key.
    Dpop,
    /// Either.
    Both,
}

impl OfferedSchemes {
    /// What a policy offers that asks for `policy` on top of what its issuers ask for. Where both would do, `DPoP` is offered if
    /// clients are known to have proofs, or a token must be bound in some way.
    pub fn of(issuers: &[Binding], policy: Option<Binding>, has_proofs: bool) -> Self {
        let takes_proofs = issuers.iter().any(|issuer| Binding::takes_proofs(*issuer, policy));
        let asks = |wanted: Binding| {
            let asks = |issuer: &Binding| *issuer == wanted || policy == Some(wanted);
            (issuers.iter().all(asks), issuers.iter().any(asks))
        };
        match (takes_proofs, asks(Binding::Dpop), asks(Binding::Any)) {
            (false, _, _) => Self::Bearer,
            (true, (true, _), _) => Self::Dpop,
            (true, (false, true), _) | (true, _, (_, true)) => Self::Both,
            (true, (false, false), (_, false)) if has_proofs => Self::Both,
            (true, (false, false), (_, false)) => Self::Bearer,
        }
    }
}

/// What the challenges of one policy tell, as an operator says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Where the client is.
    pub realm: Realm,
    /// All scopes that a token needs.
    pub scopes: Vec<ListedValue>,
    /// Where the resource's metadata is found.
    pub resource_metadata: Option<MetadataUrl>,
    /// Accepted `acr`, the preferred one first.
    pub acr_values: Vec<ListedValue>,
    /// The most seconds since the user's login.
    pub max_age: Option<NonZeroU32>,
    /// Which schemes are offered.
    pub schemes: OfferedSchemes,
    /// Accepted algorithms of proofs.
    pub proof_algorithms: AlgorithmSet,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            realm: Realm::default(),
            scopes: Vec::new(),
            resource_metadata: None,
            acr_values: Vec::new(),
            max_age: None,
            schemes: OfferedSchemes::default(),
            proof_algorithms: ProofRules::ALGORITHMS,
        }
    }
}

/// The texts of one policy; a clone shares them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenges(Arc<Texts>);

#[derive(Debug, PartialEq, Eq)]
struct Texts {
    told: Told,
    by_reject: BTreeMap<(Reject, AuthScheme), Box<str>>,
}

impl Challenges {
    /// Makes the texts. The parameters of a challenge always have the same order: `realm`, `scope`, `resource_metadata`, `algs`,
    /// `error`, `error_description`, `acr_values`, `max_age`. The one with the error comes first.
    ///
    /// # Errors
    ///
    /// [`ChallengeFault::Length`].
    pub fn new(told: Told) -> Result<Self, ChallengeFault> {
        let ways = Reject::ALL.iter().flat_map(|reject| AuthScheme::ALL.map(|scheme| (*reject, scheme)));
        let by_reject: BTreeMap<_, Box<str>> = ways
            .filter_map(|(reject, scheme)| Some(((reject, scheme), text(&told, reject, scheme)?.into())))
            .collect();
        if by_reject.values().any(|text| text.len() > MAX_CHALLENGE_BYTES) {
            return Err(ChallengeFault::Length);
        }
        Ok(Self(Arc::new(Texts { told, by_reject })))
    }

    /// What they tell.
    pub fn told(&self) -> &Told {
        &self.0.told
    }

    /// The text for a refusal of what came behind this scheme; none for those that are no verdict on the token (503).
    pub fn of(&self, reject: Reject, scheme: AuthScheme) -> Option<&str> {
        self.0.by_reject.get(&(reject, scheme)).map(|text| &**text)
    }
}

impl Default for Challenges {
    fn default() -> Self {
        // Our own words are all that it holds, which are no longer than allowed.
        Self::new(Told::default())
            .unwrap_or_else(|_| Self(Arc::new(Texts { told: Told::default(), by_reject: BTreeMap::new() })))
    }
}

/// What would help a client.
enum Help {
    /// A token: none was found, so that no error is told (RFC 6750 section 3.1).
    Token,
    /// Another token, for this error.
    Another(&'static str),
    /// Another proof, for this error (RFC 9449 sections 7.1 and 9).
    Proof(&'static str),
    /// A token of another login (RFC 9470 section 3).
    Login,
    /// Time: the token may be good.
    Later,
}

fn help(reject: Reject) -> Help {
    match (reject, reject.reason()) {
        (Reject::Missing | Reject::Scheme, _) => Help::Token,
        (Reject::Proof | Reject::ProofTime | Reject::ProofReplayed, _) => Help::Proof("invalid_dpop_proof"),
        (Reject::Nonce, _) => Help::Proof("use_dpop_nonce"),
        (_, Reason::StepUp) => Help::Login,
        (_, Reason::Forbidden) => Help::Another("insufficient_scope"),
        (
            _,
            Reason::Invalid
            | Reason::Legacy
            | Reason::AccessTokenRequired
            | Reason::AudienceMismatch
            | Reason::TooLarge,
        ) => Help::Another("invalid_token"),
        // No refusal has the first one.
        (_, Reason::Ok | Reason::BackendUnavailable) => Help::Later,
    }
}

/// One challenge for each scheme that is offered. The error goes into that of the scheme which was used (RFC 9449 section 7.2).
fn text(told: &Told, reject: Reject, used: AuthScheme) -> Option<String> {
    let help = help(reject);
    let first = match (told.schemes, &help) {
        (_, Help::Later) => return None,
        (_, Help::Proof(_)) | (OfferedSchemes::Dpop, _) => AuthScheme::Dpop,
        (OfferedSchemes::Bearer | OfferedSchemes::Both, Help::Token) => AuthScheme::Bearer,
        (OfferedSchemes::Bearer | OfferedSchemes::Both, Help::Another(_) | Help::Login) => used,
    };
    let mut text = Text::new(told, first);
    match help {
        Help::Token | Help::Later => {}
        Help::Another(error) | Help::Proof(error) => text.error(error, reject),
        Help::Login => {
            text.error("insufficient_user_authentication", reject);
            text.list("acr_values", &told.acr_values);
            if let Some(max_age) = told.max_age {
                text.parameter("max_age", max_age);
            }
        }
    }
    let other = match (told.schemes, first) {
        (OfferedSchemes::Both, AuthScheme::Bearer) => Some(AuthScheme::Dpop),
        (OfferedSchemes::Both, AuthScheme::Dpop) => Some(AuthScheme::Bearer),
        (OfferedSchemes::Bearer | OfferedSchemes::Dpop, _) => None,
    };
    let other = other.map(|scheme| format!(", {}", Text::new(told, scheme).0));
    Some(text.0 + other.as_deref().unwrap_or_default())
}

/// A challenge that grows by parameters. Each value has been held against its alphabet, or is a word of ours.
struct Text(String);

impl Text {
    /// What is told whatever the error is.
    fn new(told: &Told, scheme: AuthScheme) -> Self {
        let mut text = Self(format!("{} realm=\"{}\"", scheme.as_str(), told.realm.0));
        text.list("scope", &told.scopes);
        if let Some(url) = &told.resource_metadata {
            text.parameter("resource_metadata", &url.0);
        }
        if scheme == AuthScheme::Dpop {
            let names: Vec<&str> = told.proof_algorithms.iter().map(Algorithm::as_str).collect();
            text.parameter("algs", names.join(" "));
        }
        text
    }

    fn parameter(&mut self, name: &str, value: impl fmt::Display) {
        self.0.push_str(&format!(", {name}=\"{value}\""));
    }

    fn error(&mut self, code: &str, reject: Reject) {
        self.parameter("error", code);
        self.parameter("error_description", reject.detail());
    }

    fn list(&mut self, name: &str, values: &[ListedValue]) {
        if !values.is_empty() {
            let values: Vec<&str> = values.iter().map(ListedValue::as_str).collect();
            self.parameter(name, values.join(" "));
        }
    }
}

#[cfg(test)]
mod tests;
