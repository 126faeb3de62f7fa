//! With `--edge`: the lines that look into HAProxy's maps before an agent is asked, and what they need around them.

use std::collections::BTreeMap;

use super::shipped::{self, Absent};
use super::streams;
use super::wanted::{INDENT, Maps, Wanted};

/// How a field becomes a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Truth,
}

/// The variables that the lines read, in the order of the layout.
fn fields(wanted: &Wanted<'_>) -> BTreeMap<String, Kind> {
    let texts = ["body", "header"].map(|name| (name.to_owned(), Kind::Text));
    let truths = ["legacy", "stateless"].map(|name| (name.to_owned(), Kind::Truth));
    let policy = wanted.policies.as_ref().map(|_| ("policy".to_owned(), Kind::Text));
    let claims = wanted.claims.iter().map(|claim| (format!("payload.{claim}"), Kind::Text));
    texts.into_iter().chain(truths).chain(policy).chain(claims).collect()
}

/// The last of the places of a token that HAProxy does not look up.
const LAST_ELSEWHERE: &str = "acl tkn_elsewhere  var(txn.tkn_ws_protocol)";

/// The lines in the place of the question to the agent.
pub(super) fn lines(wanted: &Wanted<'_>, maps: &Maps) -> Result<Vec<String>, Absent> {
    let fields = fields(wanted);
    let layout = fields.keys().map(String::as_str).collect::<Vec<_>>().join(",");
    let mut lines = vec![String::new()];
    let mut are_fields_written = false;
    for line in shipped::edge()? {
        let rule = line.trim_start();
        if rule.starts_with("http-request set-var(txn.tkn_edge)") {
            lines.push(with_layout(line, &layout)?);
        } else if rule.starts_with("http-request set-var(txn.tkn.")
            && !rule.starts_with("http-request set-var(txn.tkn.valid)")
            && rule.contains("var(txn.tkn_edge),field(")
        {
            if !are_fields_written {
                are_fields_written = true;
                let places = places(fields.len());
                lines.extend(
                    fields.iter().zip(places).map(|((name, kind), place)| field(name, *kind, &place)),
                );
            }
        } else if wanted.streams && rule.starts_with("http-request send-spoe-group jwt-group ") {
            lines.extend(streams::questions_beside_verdicts(line)?);
        } else {
            lines.push(line.to_owned());
            if wanted.streams && rule.starts_with(LAST_ELSEWHERE) {
                lines.push(streams::elsewhere());
            }
        }
    }
    let in_place = |line: String| {
        line.replace("${JWT_EDGE_MAP}", &maps.verdicts).replace("${JWT_EDGE_LEASES}", &maps.leases)
    };
    Ok(lines.into_iter().map(in_place).collect())
}

/// Behind the variables stand the lease and the end.
const LAST_FIELD: usize = 3;

/// Where each of so many fields is read: all but the first, which is the longest, are counted from the end, so that HAProxy does not
/// read over it.
fn places(fields: usize) -> impl Iterator<Item = String> {
    let others = (LAST_FIELD..).take(fields.saturating_sub(1)).map(|from_end| format!("-{from_end}"));
    std::iter::once("1".to_owned()).chain(others.collect::<Vec<_>>().into_iter().rev())
}

fn field(name: &str, kind: Kind, place: &str) -> String {
    // As wide as the longest that is always there.
    let set = format!("{:<26}", format!("set-var(txn.tkn.{name})"));
    match kind {
        Kind::Text => format!(
            "{INDENT}http-request {set}  var(txn.tkn_edge),field({place},|),url_dec if {{ var(txn.tkn.valid) -m bool }}"
        ),
        Kind::Truth => format!(
            "{INDENT}http-request {set}  bool(true) if {{ var(txn.tkn.valid) -m bool }} {{ var(txn.tkn_edge),field({place},|) -m str 1 }}"
        ),
    }
}

fn with_layout(line: &str, layout: &str) -> Result<String, Absent> {
    const LAYOUT: &str = "concat('|";
    let (before, rest) = line.split_once(LAYOUT).ok_or(Absent(LAYOUT))?;
    let (_, after) = rest.split_once('|').ok_or(Absent(LAYOUT))?;
    Ok(format!("{before}{LAYOUT}{layout}|{after}"))
}

/// What the agents must be told.
pub(super) fn environment(wanted: &Wanted<'_>, maps: &Maps) -> Result<String, Absent> {
    let fields = fields(wanted);
    let ttl = wanted.streams.then_some("ttl");
    let names: Vec<&str> =
        ["challenge", "detail"].into_iter().chain(fields.keys().map(String::as_str)).chain(ttl).collect();
    Ok(format!(
        "JWT_EDGE_SOCKETS={}\nJWT_EDGE_MAP={}\nJWT_EDGE_LEASES={}\nJWT_VARIABLES={}\n",
        shipped::preset("JWT_EDGE_SOCKETS")?,
        maps.verdicts,
        maps.leases,
        names.join(",")
    ))
}

/// The lines of `global`.
pub(super) fn global() -> Result<String, Absent> {
    let lines = shipped::edge_socket()?;
    let socket = shipped::preset("JWT_EDGE_SOCKETS")?;
    Ok(lines.iter().map(|line| line.replace("${JWT_EDGE_SOCKETS}", socket) + "\n").collect())
}
