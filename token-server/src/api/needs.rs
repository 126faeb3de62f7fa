//! What a request of an operator needs: a role, and a lesser one where it only asks what it would do.

use axum::extract::Query;
use axum::http::Uri;

use super::request::Parameters;
use super::rules::asks_for_a_preview;
use crate::caller::Role;

/// The role that a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    Always(Role),
    /// A request that only asks what it would do needs [`Role::Read`].
    ToWrite(Role),
}

impl Needs {
    pub(super) fn of(self, uri: &Uri) -> Role {
        match self {
            Self::Always(role) => role,
            Self::ToWrite(_) if asks_for_a_preview_only(uri) => Role::Read,
            Self::ToWrite(role) => role,
        }
    }
}

/// A query that cannot be read counts as a request to write, and is refused by the handler.
fn asks_for_a_preview_only(uri: &Uri) -> bool {
    Query::try_from_uri(uri)
        .is_ok_and(|Query(parameters)| asks_for_a_preview(&mut Parameters::new(parameters)).unwrap_or(false))
}
