//! The files that we ship, as the one source of every line that is written: what is mended in them is mended here.

/// Denying, before one backend.
const BACKEND: &str = include_str!("../../../../haproxy/haproxy-backend.cfg");
/// Denying, for a whole frontend, with public paths.
const FRONTEND: &str = include_str!("../../../../haproxy/haproxy.cfg");
/// With a policy for each route.
const ROUTES: &str = include_str!("../../../../haproxy/haproxy-routes.cfg");
/// With claims as headers.
const CLAIMS: &str = include_str!("../../../../haproxy/recipes/claim-headers.cfg");
/// Before one backend, with verdicts inside HAProxy.
const EDGE: &str = include_str!("../../../../haproxy/haproxy-edge-backend.cfg");

/// How HAProxy asks the agent.
pub const SPOE: &str = include_str!("../../../../haproxy/spoe-jwt.conf");

/// A shipped file has no such line. What is written without it would let something by, so that nothing is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this build has no line {0:?} in the files that it was made with; use another build")]
pub struct Absent(pub &'static str);

/// The lines of the protected backend, its head left out.
pub fn backend() -> Result<Vec<&'static str>, Absent> {
    section(BACKEND, "backend api")
}

/// The lines of the backend of agents, with its head.
pub fn agents() -> Result<Vec<&'static str>, Absent> {
    let head = "backend jwt-agents";
    let lines = section(BACKEND, head)?;
    Ok([head].into_iter().chain(lines).collect())
}

/// What stands above our lines of a frontend, for the user's own.
pub fn frontend_limits() -> Result<&'static str, Absent> {
    line_that_begins(FRONTEND, "# Your rate limits")
}

/// The comment above the public paths.
pub fn public_comment() -> Result<Vec<&'static str>, Absent> {
    comment_above(FRONTEND, "acl tkn_public ")
}

/// The comment above the choice of a policy.
pub fn policy_comment() -> Result<Vec<&'static str>, Absent> {
    comment_above(ROUTES, "http-request set-var(txn.tkn_policy) ")
}

/// The comment above the comparison of the policy that was asked for with the one that was applied, and the comparison.
pub fn policy_check() -> Result<(Vec<&'static str>, &'static str), Absent> {
    const CHECK: &str = "http-request deny status 503 default-errorfiles unless { var(txn.tkn.policy)";
    Ok((comment_above(ROUTES, CHECK)?, line_that_begins(ROUTES, CHECK)?))
}

/// The comment above the lines of the first claim.
pub fn claims_comment() -> Result<Vec<&'static str>, Absent> {
    comment_above(CLAIMS, "http-request del-header ^x[^A-Za-z0-9]+user[^A-Za-z0-9]+id$ -m reg")
}

/// The lines that look into HAProxy's maps, up to the question to the agent.
pub fn edge() -> Result<Vec<&'static str>, Absent> {
    const FIRST: &str = "acl tkn_elsewhere ";
    const LAST: &str = "http-request send-spoe-group jwt-group ";
    let comment = comment_above(EDGE, FIRST)?;
    let from = EDGE.lines().skip_while(|line| !line.trim_start().starts_with(FIRST));
    let mut lines: Vec<_> = from.take_while(|line| !line.trim_start().starts_with(LAST)).collect();
    if lines.is_empty() {
        return Err(Absent(FIRST));
    }
    lines.push(line_that_begins(EDGE, LAST)?);
    Ok(comment.into_iter().chain(lines).collect())
}

/// What is set where the agent was asked.
pub fn edge_source() -> Result<&'static str, Absent> {
    line_that_begins(EDGE, "http-request set-var(txn.tkn.source) str(agent)")
}

/// The stats socket of the agents, with its comment.
pub fn edge_socket() -> Result<Vec<&'static str>, Absent> {
    const SOCKET: &str = "stats socket \"${JWT_EDGE_SOCKETS}\"";
    let mut lines = comment_above(EDGE, SOCKET)?;
    lines.push(line_that_begins(EDGE, SOCKET)?);
    Ok(lines)
}

/// What a `presetenv` line gives a variable of the files.
pub fn preset(name: &'static str) -> Result<&'static str, Absent> {
    let words = BACKEND.lines().chain(EDGE.lines()).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut values = words.filter_map(|words| match words.as_slice() {
        ["presetenv", found, value] if *found == name => Some(*value),
        _ => None,
    });
    values.next().ok_or(Absent(name))
}

/// The lines below a section's head, up to the next head.
fn section(text: &'static str, head: &'static str) -> Result<Vec<&'static str>, Absent> {
    let mut lines = text.lines().skip_while(|line| *line != head);
    lines.next().ok_or(Absent(head))?;
    let is_head = |line: &&str| line.starts_with(|c: char| c.is_ascii_alphabetic());
    Ok(lines.take_while(|line| !is_head(line)).collect())
}

fn line_that_begins(text: &'static str, start: &'static str) -> Result<&'static str, Absent> {
    text.lines().find(|line| line.trim_start().starts_with(start)).ok_or(Absent(start))
}

fn comment_above(text: &'static str, start: &'static str) -> Result<Vec<&'static str>, Absent> {
    let above: Vec<_> = text.lines().take_while(|line| !line.trim_start().starts_with(start)).collect();
    let mut comment: Vec<_> =
        above.iter().rev().take_while(|line| line.trim_start().starts_with('#')).copied().collect();
    comment.reverse();
    if comment.is_empty() { Err(Absent(start)) } else { Ok(comment) }
}
