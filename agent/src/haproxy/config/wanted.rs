//! What the lines of one place must do.

use super::names::{ClaimName, PolicyName, Version};
use super::paths::Path;

/// How a line that belongs to a section begins.
pub(super) const INDENT: &str = "    ";

/// What the lines must do.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// They stand in a frontend.
    pub(super) in_frontend: bool,
    pub(super) open: &'a [Path],
    pub(super) policies: Option<Policies<'a>>,
    pub(super) claims: Vec<&'a ClaimName>,
    pub(super) version: Option<Version>,
    pub(super) spoe_file: String,
    /// Verdicts inside HAProxy, in these maps.
    pub(super) edge: Option<Maps>,
    /// Answers that stay open end with their token.
    pub(super) streams: bool,
}

/// Which policy a path has.
#[derive(Debug)]
pub(super) struct Policies<'a> {
    /// Of what is not listed.
    pub(super) rest: &'a PolicyName,
    /// Of what is listed.
    pub(super) lists: Vec<(&'a PolicyName, Vec<&'a Path>)>,
}

impl Wanted<'_> {
    /// The agent is asked for each request before any rule: not in a backend, and not where rules choose the policy, or
    /// whether and by which engine it is asked.
    pub(super) const fn is_asked_by_event(&self) -> bool {
        self.in_frontend && self.policies.is_none() && self.edge.is_none() && !self.streams
    }
}

/// Where the two maps lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Maps {
    pub(super) verdicts: String,
    pub(super) leases: String,
}
