//! Pairs of name and value: cookies, and parameters of a query.

use super::names::Place;
use crate::Reject;

/// The value of the cookie of this name.
pub(super) fn in_cookies<'a>(headers: &[&'a str], name: &str) -> Result<Option<&'a str>, Reject> {
    let pairs = || {
        let pairs = headers.iter().flat_map(|header| header.split(';'));
        pairs.filter_map(|pair| pair.trim_matches([' ', '\t']).split_once('='))
    };
    let alike = pairs().filter(|(written, _)| Place::Cookie.may_mean(written, name)).count();
    let own = pairs().find(|(written, _)| Place::Cookie.means(written, name));
    only(alike, own.map(|(_, value)| value))
}

/// The value of the parameter of this name. A semicolon parts parameters for some applications and not for others; a
/// fragment, which no client sends, ends the query for some.
pub(super) fn in_query<'a>(query: &'a str, name: &str) -> Result<Option<&'a str>, Reject> {
    if query.contains('#') {
        return Err(Reject::Malformed);
    }
    let pair = |pair: &'a str| pair.split_once('=').unwrap_or((pair, ""));
    let alike =
        query.split(['&', ';']).filter(|written| Place::Query.may_mean(pair(written).0, name)).count();
    let own = query.split('&').map(pair).find(|(written, _)| Place::Query.means(written, name));
    only(alike, own.map(|(_, value)| value))
}

/// What is there once, in the one spelling that all applications read alike.
fn only(alike: usize, own: Option<&str>) -> Result<Option<&str>, Reject> {
    match (alike, own) {
        (0, _) => Ok(None),
        (1, Some(value)) => Ok(Some(value)),
        (_, _) => Err(Reject::Ambiguous),
    }
}
