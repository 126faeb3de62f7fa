//! Calls of the Model Context Protocol (MCP), and which policy judges one.
//!
//! From revision 2026-07-28 on each POST says in headers what its body asks for: `MCP-Protocol-Version`, `Mcp-Method`, and
//! `Mcp-Name` where the method is about one tool, resource or prompt (transport Streamable HTTP, standard headers). So a call
//! can be judged without its body. A server has to refuse a body that says something else; one that does not runs what was
//! never judged here.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jose::{Reject, matches_pattern};

/// The first revision whose calls say in headers what they ask for. Revisions are dates, so that text compares as time does.
pub const FIRST_VERSION: &str = "2026-07-28";

/// The methods that are about one tool, resource or prompt, which `Mcp-Name` names.
pub const NAMED_METHODS: [&str; 3] = ["tools/call", "resources/read", "prompts/get"];

/// How an encoded name begins and ends. What is between them is base64 of its UTF-8.
const ENCODED: (&str, &str) = ("=?base64?", "?=");

/// What a client says that it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call<'a> {
    method: &'a str,
    /// Decoded; absent where the method is about nothing that has a name.
    name: Option<Cow<'a, str>>,
    version: &'a str,
}

impl<'a> Call<'a> {
    /// Reads what the headers say, each of which came once at most.
    ///
    /// # Errors
    ///
    /// [`Reject::McpHeader`]: no method, no name where one is needed, a name that cannot be decoded, or a version that is no
    /// date, or before [`FIRST_VERSION`].
    pub fn read(
        method: Option<&'a str>,
        name: Option<&'a str>,
        version: Option<&'a str>,
    ) -> Result<Self, Reject> {
        let method = method.filter(|method| is_plain(method)).ok_or(Reject::McpHeader)?;
        let version = version.filter(|version| has_headers(version)).ok_or(Reject::McpHeader)?;
        let name = name.map(decoded).transpose()?;
        // A server compares no other method's name with the body, so that any could stand here.
        let name = name.filter(|_| NAMED_METHODS.contains(&method));
        if name.is_none() && NAMED_METHODS.contains(&method) {
            return Err(Reject::McpHeader);
        }
        Ok(Self { method, name, version })
    }
}

/// Whether a version is the date of a revision whose calls have headers.
pub fn has_headers(version: &str) -> bool {
    let is_date = version.len() == FIRST_VERSION.len()
        && version.bytes().zip(FIRST_VERSION.bytes()).all(|(byte, like)| match like {
            b'-' => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    is_date && version >= FIRST_VERSION
}

/// A name as it is compared. What begins as an encoded one does is nothing else: a server might decode it all the same.
fn decoded(name: &str) -> Result<Cow<'_, str>, Reject> {
    let (begin, end) = ENCODED;
    if !name.starts_with("=?") {
        return if is_plain(name) { Ok(name.into()) } else { Err(Reject::McpHeader) };
    }
    let encoded =
        name.strip_prefix(begin).and_then(|rest| rest.strip_suffix(end)).ok_or(Reject::McpHeader)?;
    let bytes = STANDARD.decode(encoded).map_err(|_| Reject::McpHeader)?;
    let text = String::from_utf8(bytes).map_err(|_| Reject::McpHeader)?;
    if text.is_empty() { Err(Reject::McpHeader) } else { Ok(text.into()) }
}

/// Whether a header says this as it is: visible characters of ASCII, and blanks between them.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text.trim() == text
        && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

/// Which calls a policy judges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What HAProxy's `policy` argument says.
    pub policy: String,
    /// The policy that judges them, as an index of [`Trust::policies`](jose::Trust::policies).
    pub decider: usize,
    /// Their methods, `*` standing for any characters.
    pub methods: Vec<String>,
    /// Their names, in the same way; absent: any, or none.
    pub names: Option<Vec<String>>,
    /// Their versions; absent: [`FIRST_VERSION`] and later ones.
    pub versions: Option<Vec<String>>,
}

impl Row {
    fn is_for(&self, call: &Call<'_>) -> bool {
        let any = |patterns: &[String], text: &str| patterns.iter().any(|it| matches_pattern(it, text));
        let is_named = |names: &Vec<String>| call.name.as_deref().is_some_and(|name| any(names, name));
        let is_version = |versions: &Vec<String>| versions.iter().any(|version| version == call.version);
        any(&self.methods, call.method)
            && self.names.as_ref().is_none_or(is_named)
            && self.versions.as_ref().is_none_or(is_version)
    }
}

/// All rows, in the order in which they are looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows(Vec<Row>);

impl From<Vec<Row>> for Rows {
    fn from(rows: Vec<Row>) -> Self {
        Self(rows)
    }
}

impl Rows {
    /// Whether what HAProxy names is no policy, but rows that choose one.
    pub fn has(&self, policy: &str) -> bool {
        self.0.iter().any(|row| row.policy == policy)
    }

    /// The policies of all these rows, as indexes of [`Trust::policies`](jose::Trust::policies).
    pub fn deciders(&self, policy: &str) -> impl Iterator<Item = usize> {
        self.0.iter().filter(move |row| row.policy == policy).map(|row| row.decider)
    }

    /// The policy that judges a call: that of the first row that is for it.
    ///
    /// # Errors
    ///
    /// [`Reject::Mcp`]: no row is.
    pub fn decider(&self, policy: &str, call: &Call<'_>) -> Result<usize, Reject> {
        let mut rows = self.0.iter().filter(|row| row.policy == policy);
        rows.find(|row| row.is_for(call)).map(|row| row.decider).ok_or(Reject::Mcp)
    }
}

#[cfg(test)]
mod tests;
