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

/// Before one backend, with streams that end with their token.
const STREAMS: &str = include_str!("../../../../haproxy/haproxy-streams-backend.cfg");

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
    const QUESTION: &str = "http-request send-spoe-group jwt-group ";
    let mut lines = between(EDGE, "acl tkn_elsewhere ", QUESTION)?;
    lines.push(line_that_begins(EDGE, QUESTION)?);
    Ok(lines)
}

/// What is set where the agent was asked.
pub fn edge_source() -> Result<&'static str, Absent> {
    line_that_begins(EDGE, "http-request set-var(txn.tkn.source) str(agent)")
}

/// The stats socket of agents that write verdicts, with its comment.
pub fn edge_socket() -> Result<Vec<&'static str>, Absent> {
    with_comment(EDGE, SOCKET)
}

/// The stats socket of agents that end streams, with its comment.
pub fn streams_socket() -> Result<Vec<&'static str>, Absent> {
    with_comment(STREAMS, SOCKET)
}

const SOCKET: &str = "stats socket \"${JWT_EDGE_SOCKETS}\"";

/// The filter by which requests are asked about whose answers may stay open.
pub fn streams_filter() -> Result<&'static str, Absent> {
    line_that_begins(STREAMS, "filter spoe engine jwt-stream ")
}

/// The lines that name streams, up to the questions to the agent, with their comment.
pub fn streams_names() -> Result<Vec<&'static str>, Absent> {
    between(STREAMS, "acl tkn_open ", "http-request send-spoe-group jwt-stream ")
}

/// The questions: about a request whose answer may stay open, and about any other.
pub fn streams_questions() -> Result<[&'static str; 2], Absent> {
    Ok([
        line_that_begins(STREAMS, "http-request send-spoe-group jwt-stream ")?,
        line_that_begins(STREAMS, "http-request send-spoe-group jwt-group ")?,
    ])
}

/// What ends a silent tunnel, with its comment.
pub fn streams_silent() -> Result<Vec<&'static str>, Absent> {
    with_comment(STREAMS, "http-request set-timeout tunnel ")
}

/// What does not send an event stream that was not asked for, with its comment.
pub fn streams_unasked() -> Result<Vec<&'static str>, Absent> {
    with_comment(STREAMS, "http-response return status 406 ")
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

/// The lines from one on, with the comment above it, up to another one, which is left out.
fn between(text: &'static str, first: &'static str, end: &'static str) -> Result<Vec<&'static str>, Absent> {
    let comment = comment_above(text, first)?;
    let from = text.lines().skip_while(|line| !line.trim_start().starts_with(first));
    let lines: Vec<_> = from.take_while(|line| !line.trim_start().starts_with(end)).collect();
    if lines.is_empty() { Err(Absent(first)) } else { Ok(comment.into_iter().chain(lines).collect()) }
}

fn with_comment(text: &'static str, start: &'static str) -> Result<Vec<&'static str>, Absent> {
    let mut lines = comment_above(text, start)?;
    lines.push(line_that_begins(text, start)?);
    Ok(lines)
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
