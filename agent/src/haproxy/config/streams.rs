//! With `--streams`: the lines that tell the agents which stream of HAProxy each answer is that may stay open, and what they need
//! around them.

use super::shipped::{self, Absent};
use super::wanted::{INDENT, Wanted};

/// The engine that tells of them, in this SPOE file.
pub(super) fn filter(wanted: &Wanted<'_>) -> Result<String, Absent> {
    Ok(shipped::streams_filter()?.replace("${SPOE_CONF}", &wanted.spoe_file))
}

/// The lines that name streams. Paths are the user's to add; a public one needs no token and names none.
pub(super) fn names(wanted: &Wanted<'_>) -> Result<Vec<String>, Absent> {
    let lines = shipped::streams_names()?;
    let lines = lines.into_iter().filter(|line| !line.trim_start().starts_with("acl tkn_open  path "));
    let named = lines.map(|line| match line.split_once(" unless ") {
        _ if wanted.open.is_empty() => line.to_owned(),
        Some(_) => format!("{line} || tkn_public"),
        None if line.ends_with(" if tkn_open") => format!("{line} !tkn_public"),
        None => line.to_owned(),
    });
    Ok([String::new()].into_iter().chain(named).collect())
}

/// The questions to the agent, where HAProxy keeps no verdicts.
pub(super) fn questions(wanted: &Wanted<'_>) -> Result<[String; 2], Absent> {
    let open = if wanted.open.is_empty() { "" } else { " || tkn_public" };
    let [stream, other] = shipped::streams_questions()?;
    Ok([stream.to_owned(), format!("{other}{open}")])
}

/// The same where it does: `other` asks about what it has no verdict on.
pub(super) fn questions_beside_verdicts(other: &str) -> Result<[String; 2], Absent> {
    let [stream, _] = shipped::streams_questions()?;
    Ok([stream.to_owned(), format!("{other} || {{ var(txn.tkn_stream) -m found }}")])
}

/// What has a stream asked about although HAProxy may have a verdict on its token.
pub(super) fn elsewhere() -> String {
    format!("{INDENT}acl tkn_elsewhere  var(txn.tkn_stream)      -m found")
}

/// The lines of `global`.
pub(super) fn global() -> Result<String, Absent> {
    let socket = shipped::preset("JWT_EDGE_SOCKETS")?;
    let lines = shipped::streams_socket()?;
    Ok(lines.iter().map(|line| line.replace("${JWT_EDGE_SOCKETS}", socket) + "\n").collect())
}

/// What the agents must be told.
pub(super) fn environment() -> Result<String, Absent> {
    Ok(format!("JWT_EDGE_SOCKETS={}\n", shipped::preset("JWT_EDGE_SOCKETS")?))
}
