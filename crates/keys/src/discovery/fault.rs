//! Why a discovery document tells of no keys, and what to set.

use std::fmt;

use reqwest::Url;

use super::places::addresses;
use crate::trust::Discovery;

/// The longest text of a document that a message shows, in characters.
const SHOWN_CHARS: usize = 200;

/// What to do where a document cannot be used as it is.
const BY_HAND: &str = "set keys_url = \"..\" to the address of its keys, in an [[issuers]] table";

/// A text of a document, or of the configuration, as it can be written into a TOML file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown(String);

impl Shown {
    pub(super) fn of(text: &str) -> Self {
        Self(service::shown::url(text).chars().take(SHOWN_CHARS).collect())
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, out)
    }
}

/// A discovery document that tells of no keys.
#[derive(Debug, thiserror::Error)]
#[error("the discovery document{} {fault}", Named(.document.as_deref()))]
pub struct DiscoveryError {
    /// Where it was found.
    pub(super) document: Option<String>,
    pub(super) fault: Fault,
}

impl DiscoveryError {
    /// The issuer's name leads to no document.
    pub(crate) fn no_address(issuer: &str) -> Self {
        Self { document: None, fault: Fault::NoAddress(Shown::of(issuer)) }
    }

    /// No document is at any of these places.
    pub(crate) fn absent(places: Vec<String>) -> Self {
        Self { document: None, fault: Fault::Absent(places) }
    }
}

struct Named<'a>(Option<&'a str>);

impl fmt::Display for Named<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |url| write!(out, " {url}"))
    }
}

/// What is wrong with it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error(
        "of {0} has no address, since that is no http(s) URL without a query: set discovery_url = \"..\" in its [[issuers]] table"
    )]
    NoAddress(Shown),
    #[error(
        "is absent (404 at {}): set discovery_url = \"..\" to its address, or keys_url = \"..\" to that of the keys, in an [[issuers]] table",
        .0.join(", ")
    )]
    Absent(Vec<String>),
    #[error(
        "is HTML: a web page answers there, such as a login or an error page. Set discovery_url = \"..\" to the address \
         whose answer is JSON; most end in /.well-known/openid-configuration"
    )]
    Html,
    #[error(
        "is no JSON object with issuer and jwks_uri as texts. Set discovery_url = \"..\" to the address of the provider's \
         metadata; most end in /.well-known/openid-configuration"
    )]
    Malformed,
    #[error(
        "has no issuer, so that it cannot be told whose it is. Is it the provider's metadata? If so, {BY_HAND}"
    )]
    NoIssuer,
    #[error("has no jwks_uri: {BY_HAND}")]
    NoKeys,
    #[error("says jwks_uri = {0}, which is no http(s) URL: {BY_HAND}")]
    NotUrl(Shown),
    #[error(
        "says jwks_uri = \"{0}\", without TLS, and came over TLS itself: have the provider publish an https:// address, or {BY_HAND}"
    )]
    NotTls(String),
    #[error(transparent)]
    Issuer(Box<Mismatch>),
}

/// A document that calls itself by a name that is not configured.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mismatch {
    /// What its `issuer` says.
    pub(super) says: String,
    /// What its `access_token_issuer` says.
    pub(super) access_tokens: Option<String>,
    pub(super) url: Url,
    pub(super) configured: Discovery,
}

impl std::error::Error for Mismatch {}

impl fmt::Display for Mismatch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Discovery { issuer, aliases, setting, .. } = &self.configured;
        let (says, configured) = (Shown::of(&self.says), Shown::of(issuer));
        write!(out, "says issuer = {says}, and configured is issuer = {configured}")?;
        if !aliases.is_empty() {
            write!(out, ", issuer_aliases = {}", List(aliases))?;
        }
        let set = match setting {
            Some(setting) => {
                write!(out, " ({setting})")?;
                "write an [[issuers]] table with"
            }
            None => "set",
        };
        if self.says.contains("{tenantid}") {
            let place = self.place();
            return write!(out, ". It is for many tenants: {set} issuer = {says}{place}, tenants = [\"..\"]");
        }
        if let Some(own) = self.access_tokens.as_ref().filter(|own| **own != self.says) {
            let (own, place) = (Shown::of(own), self.place());
            return write!(
                out,
                ". Its access tokens say iss = {own}: {set} issuer = {own}, issuer_aliases = [{says}]{place}"
            );
        }
        let is_found_alike = addresses(issuer).is_some_and(|known| addresses(&self.says) == Some(known));
        let by_its_word = match setting {
            Some(setting) if is_found_alike => format!("set {setting}={says}"),
            _ if is_found_alike => format!("set issuer = {says}"),
            _ => format!("{set} issuer = {says}{}", self.place()),
        };
        let names: Vec<_> = aliases.iter().chain([&self.says]).cloned().collect();
        write!(
            out,
            ". Where tokens say iss = {says}, {by_its_word}; where they say {configured}, {set} issuer = {configured}, \
             issuer_aliases = {}{}",
            List(&names),
            self.place()
        )
    }
}

impl Mismatch {
    /// The line that says where the document is, unless it is set already.
    fn place(&self) -> String {
        match self.configured.url {
            Some(_) => String::new(),
            None => format!(", discovery_url = \"{}\"", service::shown::url(self.url.as_str())),
        }
    }
}

/// Texts as a TOML array.
struct List<'a>(&'a [String]);

impl fmt::Display for List<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self.0.iter().map(|text| Shown::of(text).to_string()).collect();
        write!(out, "[{}]", texts.join(", "))
    }
}
